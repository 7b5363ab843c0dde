-- Alerts that fired, and when each was over. No account: they have no link in the chain and are in no export, for a replay tells the same.
CREATE TABLE alerts (
    id        TEXT PRIMARY KEY,
    rule      TEXT NOT NULL,
    source    TEXT NOT NULL,
    level     TEXT NOT NULL,
    scope     TEXT NOT NULL,
    threshold TEXT NOT NULL,
    window    INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    resolved  INTEGER,
    words     TEXT NOT NULL,
    acked     TEXT,
    silenced  INTEGER NOT NULL
) STRICT;
CREATE INDEX alerts_at ON alerts (at);

-- What each receiver is to be told; written with the alert, so that a crash before the telling loses nothing.
-- States: waiting, delivered, given_up.
CREATE TABLE outbox (
    alert    TEXT NOT NULL,
    news     TEXT NOT NULL,
    receiver TEXT NOT NULL,
    state    TEXT NOT NULL,
    tries    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    answer   TEXT NOT NULL,
    PRIMARY KEY (alert, news, receiver)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_waiting ON outbox (at) WHERE state = 'waiting';

-- Of what nobody is told for a while, as operators wished while the gateway ran.
CREATE TABLE silences (
    number INTEGER PRIMARY KEY,
    rule   TEXT NOT NULL,
    scope  TEXT NOT NULL,
    until  INTEGER NOT NULL,
    who    TEXT NOT NULL
) STRICT;
