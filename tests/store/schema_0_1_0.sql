-- Tables of release 0.1.0, for the test of the upgrade.
-- Keys are "network:id". Rows of `events` are never removed: erasing a post empties its bodies.

CREATE TABLE IF NOT EXISTS events (
    seq  INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,          -- when it happened, UTC microseconds
    body BLOB,                      -- the event as JSON; NULL once erased
    refs TEXT                       -- positions of the posts it erases or whose counts it changes, JSON list
);

-- When each group of events was acknowledged. Counts inside a post were seen then, not when it was written.
CREATE TABLE IF NOT EXISTS commits (
    last_seq INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL
);

-- Every post ever seen, for de-duplication. `seq` is its newest version; NULL bars the id for good.
CREATE TABLE IF NOT EXISTS posts (
    key TEXT PRIMARY KEY,
    seq INTEGER
) WITHOUT ROWID;

-- Networks that give an edit a new id: that id leads to the key of the first version.
CREATE TABLE IF NOT EXISTS aliases (
    key  TEXT PRIMARY KEY,
    root TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS aliases_root ON aliases (root);

-- Older versions, each valid before `until`.
CREATE TABLE IF NOT EXISTS superseded (
    seq   INTEGER PRIMARY KEY,
    until INTEGER NOT NULL,
    key   TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS superseded_key ON superseded (key);

-- Reasons why a post, or all posts of an account, must not be shown for now: per reason the latest word (by
-- `at`), which is to hide (1) or to show again (0). Older words that arrive again change nothing.
CREATE TABLE IF NOT EXISTS hidden (
    key    TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    hide   INTEGER NOT NULL,
    PRIMARY KEY (key, reason)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts_hidden (
    key    TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    hide   INTEGER NOT NULL,
    PRIMARY KEY (key, reason)
) WITHOUT ROWID;

-- Accounts that are gone at a time, and with them all they had posted before. A diverged one is sent again:
-- only what stands before `seq` in the log is gone.
CREATE TABLE IF NOT EXISTS accounts_gone (
    key      TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    diverged INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS handles (
    key    TEXT PRIMARY KEY,
    handle TEXT NOT NULL,
    at     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS handles_handle ON handles (handle COLLATE NOCASE);

-- Counts that changed after the post was read; each with the time it was last seen.
CREATE TABLE IF NOT EXISTS counts (
    key     TEXT PRIMARY KEY,
    at      INTEGER NOT NULL,
    likes   INTEGER,
    reposts INTEGER,
    replies INTEGER,
    quotes  INTEGER
) WITHOUT ROWID;

-- Single likes and reposts of known posts, so that each counts once; `undone` once it was taken back.
CREATE TABLE IF NOT EXISTS reactions (
    record TEXT PRIMARY KEY,
    key    TEXT NOT NULL,
    what   TEXT NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Where each live source has been read to; changes only together with the events it covers.
CREATE TABLE IF NOT EXISTS cursors (
    source TEXT PRIMARY KEY,
    cursor TEXT NOT NULL
) WITHOUT ROWID;

-- A small store, as release 0.1.0 wrote it.
INSERT INTO events VALUES (1, 1366000000000000, '{"kind":"created","at":1366000000000000,"network":"x","post":{"network":"x","id":"1","created_at":1366000000000000,"text":"shown","author_id":"a","author":"ann"}}', NULL);
INSERT INTO events VALUES (2, 1366000000000001, '{"kind":"created","at":1366000000000001,"network":"x","post":{"network":"x","id":"2","created_at":1366000000000000,"text":"withheld","author_id":"a","author":"ann"}}', NULL);
INSERT INTO events VALUES (3, 1366000000000002, '{"kind":"created","at":1366000000000002,"network":"x","post":{"network":"x","id":"3","created_at":1366000000000000,"text":"protected","author_id":"b","author":"bob"}}', NULL);
INSERT INTO posts VALUES ('x:1', 1), ('x:2', 2), ('x:3', 3);
INSERT INTO hidden VALUES ('x:2', 'withheld', 1366000000000005, 1);
INSERT INTO accounts_hidden VALUES ('x:b', 'protected', 1366000000000005, 1);
INSERT INTO handles VALUES ('x:a', 'anna', 1366000000000005);
