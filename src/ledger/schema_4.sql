-- What a call was charged in truth, told after its request: `n` is the call from 0, NULL the last one; the rest is as in
-- `charges`, which stay as they were charged.
CREATE TABLE corrections (
    id     INTEGER PRIMARY KEY,
    seq    INTEGER NOT NULL,
    n      INTEGER,
    kind   TEXT NOT NULL CHECK (kind IN ('known', 'estimated', 'unknown')),
    why    TEXT,
    micro  INTEGER,
    pico   INTEGER,
    source TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
CREATE INDEX corrections_of ON corrections (seq);

-- What providers signalled of a model: not to be called before `until`, or (NULL) to be called again. `before_seq` is the
-- first operation that came after it.
CREATE TABLE signals (
    id         INTEGER PRIMARY KEY,
    before_seq INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    model      TEXT NOT NULL,
    until      INTEGER,
    why        TEXT NOT NULL
) STRICT;
CREATE INDEX signals_before ON signals (before_seq);
CREATE INDEX signals_at ON signals (at);
