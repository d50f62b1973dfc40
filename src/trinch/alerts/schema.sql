CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- position: last position of the log that was matched. identity: of that log. revision: grows with each change of an alert.
CREATE TABLE IF NOT EXISTS alerts (id TEXT PRIMARY KEY, owner TEXT NOT NULL, revision INTEGER NOT NULL, body BLOB NOT NULL)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_of ON alerts (owner);
CREATE TABLE IF NOT EXISTS firings (
    n INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: it is part of the idempotency key
    alert TEXT NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS firings_of ON firings (alert, n);
-- What a trigger remembers of an alert: the last match, counts by time, believed numbers, announced stories.
CREATE TABLE IF NOT EXISTS state (alert TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
-- Firings up to `through` of an alert are in a delivery of this channel. One that is open has first..last.
CREATE TABLE IF NOT EXISTS progress (
    alert TEXT, channel TEXT, through INTEGER NOT NULL,
    first INTEGER, last INTEGER, due INTEGER, attempts INTEGER NOT NULL DEFAULT 0, opened INTEGER, error TEXT,
    PRIMARY KEY (alert, channel)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (alert TEXT, channel TEXT, at INTEGER NOT NULL, PRIMARY KEY (alert, channel, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
