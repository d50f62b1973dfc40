-- The log and the state derived from it, in one SQLite file so that both change in one transaction.
-- Keys are "network:id". Rows of `events` are never removed: erasing a post empties its bodies.
-- Version of this schema: SCHEMA_VERSION in database.py, stored as PRAGMA user_version.

-- `identity`: random, made with the store; the index carries the same, so that a foreign index is noticed.
CREATE TABLE IF NOT EXISTS meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
    seq  INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,          -- when it happened, UTC microseconds
    body BLOB,                      -- the event, see bodies.py; NULL once erased
    refs TEXT,                      -- positions of the posts it erases or whose counts it changes, JSON list
    crc  INTEGER                    -- CRC-32 of the body; NULL for events of release 0.1.0
);

-- When each group of events was acknowledged. Counts inside a post were seen then, not when it was written.
CREATE TABLE IF NOT EXISTS commits (
    last_seq INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL
);

-- Every post ever seen, by the root key of its family. `seq` is its newest version; NULL bars the family for good.
-- `has_counts`: whether that version itself holds counts; NULL: not known.
CREATE TABLE IF NOT EXISTS posts (
    key        TEXT PRIMARY KEY,
    seq        INTEGER,
    has_counts INTEGER
) WITHOUT ROWID;

-- Edit families (families.py): every other id of a post leads to its root key.
CREATE TABLE IF NOT EXISTS aliases (
    key  TEXT PRIMARY KEY,
    root TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS aliases_root ON aliases (root);

-- Older versions, each valid before `until`; `key` is the root key.
CREATE TABLE IF NOT EXISTS superseded (
    seq   INTEGER PRIMARY KEY,
    until INTEGER NOT NULL,
    key   TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS superseded_key ON superseded (key);

-- Every event that hid (1) a post or an account for a reason or showed it again (0). Of one id and one reason the
-- last in the log (by `seq`) is in force; the others are kept to recognise repetitions.
CREATE TABLE IF NOT EXISTS hidden (
    root   TEXT NOT NULL,
    key    TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    hide   INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (root, key, reason, at, hide)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts_hidden (
    key    TEXT NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    hide   INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (key, reason, at, hide)
) WITHOUT ROWID;

-- Accounts that are gone, and with them their posts before `seq` in the log. Unless diverged (sent again by the
-- source), posts from before `before` are refused from then on.
CREATE TABLE IF NOT EXISTS accounts_gone (
    key      TEXT NOT NULL,
    at       INTEGER NOT NULL,
    diverged INTEGER NOT NULL,
    before   INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (key, at, diverged)
) WITHOUT ROWID;

-- Handles that accounts took; the last in the log is the one in force.
CREATE TABLE IF NOT EXISTS handles (
    key    TEXT NOT NULL,
    at     INTEGER NOT NULL,
    handle TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (key, at, handle)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS handles_handle ON handles (handle COLLATE NOCASE);

-- Counts that changed after the post was read, by the position of its newest version; each with the time it was last
-- seen. They are no events of the log: an entry says which posts have other counts than the index knows.
CREATE TABLE IF NOT EXISTS counts (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    likes   INTEGER,
    reposts INTEGER,
    replies INTEGER,
    quotes  INTEGER
);

-- Single likes and reposts of known posts, so that each counts once (reactions.py). `seq` is the version of the post
-- that was the newest then.
CREATE TABLE IF NOT EXISTS reactions (
    time      INTEGER NOT NULL,
    hash      INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    is_repost INTEGER NOT NULL,
    is_undone INTEGER NOT NULL,
    PRIMARY KEY (time, hash)
) WITHOUT ROWID;

-- Where each live source has been read to; changes only together with the events it covers.
CREATE TABLE IF NOT EXISTS cursors (
    source TEXT PRIMARY KEY,
    cursor TEXT NOT NULL
) WITHOUT ROWID;

-- Numbers of stored posts by network, language and day (see tallies.py).
CREATE TABLE IF NOT EXISTS tallies (
    dimension TEXT NOT NULL,
    value     TEXT NOT NULL,
    posts     INTEGER NOT NULL,
    PRIMARY KEY (dimension, value)
) WITHOUT ROWID;
