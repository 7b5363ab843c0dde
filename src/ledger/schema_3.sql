-- Whoever writes. An operation's `seq` holds the gateway's number above 40 bits of its own sequence, so that several
-- gateways may share a store; number 0 is the gateway whose ledger this is. `head` and `hash` are the end of its chain.
CREATE TABLE gateways (
    gateway INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    head    INTEGER NOT NULL,
    hash    BLOB NOT NULL
) STRICT;

-- Every entry in the order in which it became final; `digest` covers the entry, `hash` that, its kind and the hash before.
-- Kinds: 1 operation, 2 price, 3 run, 4 policy, 5 audit, 6 label, 7 note, 8 prompt. What has no link is still under way.
CREATE TABLE chain (
    link   INTEGER PRIMARY KEY,
    kind   INTEGER NOT NULL,
    ref    INTEGER NOT NULL,
    digest BLOB NOT NULL,
    hash   BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX chain_of ON chain (kind, ref, link);

ALTER TABLE runs ADD COLUMN gateway INTEGER NOT NULL DEFAULT 0;

-- What a request asked of whoever was to serve it, and which models could not be called then (JSON lists).
ALTER TABLE operations ADD COLUMN window INTEGER;
ALTER TABLE operations ADD COLUMN max_output INTEGER;
ALTER TABLE operations ADD COLUMN vision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN require TEXT;
ALTER TABLE operations ADD COLUMN down TEXT;
-- How hard the rung told the model to think.
ALTER TABLE attempts ADD COLUMN effort TEXT;
-- Whether it took the change before it back.
ALTER TABLE policies ADD COLUMN undo INTEGER NOT NULL DEFAULT 0;

-- Stretches of time are found by it.
CREATE INDEX operations_at ON operations (at);
-- What comes twice is found by these.
CREATE INDEX notes_at ON notes (at);
CREATE INDEX audit_at ON audit (at);

-- Amounts as two integers that SQL can add: whole micro-dollars, and the pico-dollars (0 to 999999) beyond them.
CREATE TABLE charges_3 (
    seq    INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('known', 'estimated', 'unknown')),
    why    TEXT,
    micro  INTEGER,
    pico   INTEGER,
    price  INTEGER REFERENCES price_rows (price),
    PRIMARY KEY (seq, n),
    FOREIGN KEY (seq, n) REFERENCES attempts (seq, n)
) STRICT, WITHOUT ROWID;
INSERT INTO charges_3 SELECT seq, n, kind, why,
    CASE WHEN amount <> '' AND length(amount) < 25 AND amount NOT GLOB '*[^0-9]*'
         THEN CAST(substr('000000' || amount, 1, length(amount)) AS INTEGER) END,
    CASE WHEN amount <> '' AND length(amount) < 25 AND amount NOT GLOB '*[^0-9]*'
         THEN CAST(substr('000000' || amount, -6) AS INTEGER) END,
    price FROM charges ORDER BY seq, n;
DROP TABLE charges;
ALTER TABLE charges_3 RENAME TO charges;

-- Sums of charges, increments of each batch; `check` proves them.
CREATE TABLE sums_3 (
    model           TEXT NOT NULL,
    team            TEXT NOT NULL,
    known_micro     INTEGER NOT NULL,
    known_pico      INTEGER NOT NULL,
    estimated_micro INTEGER NOT NULL,
    estimated_pico  INTEGER NOT NULL,
    unknown         INTEGER NOT NULL,
    calls           INTEGER NOT NULL,
    PRIMARY KEY (model, team)
) STRICT, WITHOUT ROWID;
INSERT INTO sums_3 SELECT model, team,
    CAST(substr('000000' || known, 1, length(known)) AS INTEGER), CAST(substr('000000' || known, -6) AS INTEGER),
    CAST(substr('000000' || estimated, 1, length(estimated)) AS INTEGER),
    CAST(substr('000000' || estimated, -6) AS INTEGER), unknown, calls FROM sums;
DROP TABLE sums;
ALTER TABLE sums_3 RENAME TO sums;

-- Which provider keeps which answer of OpenAI's responses (NULL: none), and whose it is. No account: it has no link in the
-- chain, is in no export, and the oldest go.
CREATE TABLE responses (
    number   INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    provider TEXT,
    model    TEXT NOT NULL,
    team     TEXT NOT NULL,
    key_name TEXT NOT NULL,
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX responses_at ON responses (at);

-- Past its time a text goes; that there was one, and its hash, stays.
CREATE TABLE prompts_3 (
    id         INTEGER PRIMARY KEY,
    seq        INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    body       TEXT,
    hash       BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
INSERT INTO prompts_3 SELECT id, seq, kind, body, x'', expires_at FROM prompts;
DROP TABLE prompts;
ALTER TABLE prompts_3 RENAME TO prompts;
CREATE INDEX prompts_expire ON prompts (expires_at) WHERE body IS NOT NULL;
CREATE INDEX prompts_of ON prompts (seq);
