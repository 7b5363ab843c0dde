CREATE TABLE runs (
    run        INTEGER PRIMARY KEY,
    program    TEXT NOT NULL,
    started    INTEGER NOT NULL,
    listen     TEXT NOT NULL,
    classifier TEXT NOT NULL,
    prices     TEXT NOT NULL
) STRICT;

CREATE TABLE operations (
    seq          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    run          INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    team         TEXT NOT NULL,
    project      TEXT NOT NULL,
    user         TEXT NOT NULL,
    session      TEXT NOT NULL,
    key_name     TEXT NOT NULL,
    asked        TEXT NOT NULL,
    pinned       INTEGER NOT NULL,
    task         TEXT,
    confidence   INTEGER,
    classified   TEXT NOT NULL,
    turn         INTEGER,
    tools        INTEGER,
    history      INTEGER,
    prompt_hash  BLOB,
    prompt_bytes INTEGER NOT NULL,
    route        TEXT NOT NULL,
    rung         INTEGER,
    policy       INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    simulated    TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('open', 'done')),
    status       TEXT,
    finished     INTEGER
) STRICT;

CREATE INDEX operations_open ON operations (seq) WHERE state = 'open';

-- An unknown count is NULL, never zero.
CREATE TABLE attempts (
    seq        INTEGER NOT NULL REFERENCES operations (seq),
    n          INTEGER NOT NULL,
    asked      TEXT NOT NULL,
    model      TEXT NOT NULL,
    provider   TEXT NOT NULL,
    rung       INTEGER,
    started    INTEGER NOT NULL,
    prompt     INTEGER,
    delivered  INTEGER,
    price      INTEGER REFERENCES price_rows (price),
    state      TEXT NOT NULL CHECK (state IN ('open', 'settled')),
    status     TEXT,
    checked    TEXT,
    error      TEXT,
    latency_ms INTEGER,
    ttft_ms    INTEGER,
    input      INTEGER,
    cache_read INTEGER,
    write_5m   INTEGER,
    write_1h   INTEGER,
    output     INTEGER,
    reasoning  INTEGER,
    estimated  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_open ON attempts (seq, n) WHERE state = 'open';

-- Amounts are pico-dollars as decimal text: SQLite's own integers are too narrow.
CREATE TABLE charges (
    seq    INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('known', 'estimated', 'unknown')),
    why    TEXT,
    amount TEXT,
    price  INTEGER REFERENCES price_rows (price),
    PRIMARY KEY (seq, n),
    FOREIGN KEY (seq, n) REFERENCES attempts (seq, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE price_rows (
    price      INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    model      TEXT NOT NULL,
    valid_from INTEGER,
    rates      TEXT NOT NULL,
    source     TEXT,
    hash       TEXT NOT NULL
) STRICT;

-- Sums of charges, kept with every batch so that a start need not add up the past; `check` proves them.
CREATE TABLE sums (
    model     TEXT NOT NULL,
    team      TEXT NOT NULL,
    known     TEXT NOT NULL,
    estimated TEXT NOT NULL,
    unknown   INTEGER NOT NULL,
    calls     INTEGER NOT NULL,
    PRIMARY KEY (model, team)
) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
    version  INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    from_seq INTEGER NOT NULL,
    who      TEXT NOT NULL,
    what     TEXT NOT NULL,
    hash     TEXT NOT NULL,
    text     TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    who    TEXT NOT NULL,
    what   TEXT NOT NULL,
    before TEXT NOT NULL,
    after  TEXT NOT NULL
) STRICT;

CREATE TABLE labels (
    id      INTEGER PRIMARY KEY,
    seq     INTEGER NOT NULL,
    model   TEXT NOT NULL,
    quality INTEGER,
    output  INTEGER,
    source  TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

CREATE INDEX labels_of ON labels (seq);

-- `before_seq` is the first operation that came after the note.
CREATE TABLE notes (
    id         INTEGER PRIMARY KEY,
    before_seq INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    text       TEXT NOT NULL,
    simulated  INTEGER NOT NULL
) STRICT;

CREATE INDEX notes_before ON notes (before_seq);

CREATE TABLE prompts (
    id         INTEGER PRIMARY KEY,
    seq        INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    body       TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX prompts_expire ON prompts (expires_at);
