-- The index of terms: hashes of the words of each post, by time. It holds no text and can be deleted at any time.

CREATE TABLE IF NOT EXISTS meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL            -- `log`: identity of the log; `position`: how far it is applied
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS texts (
    seq     INTEGER PRIMARY KEY,   -- position in the log
    at      INTEGER NOT NULL,      -- when it was posted, UTC microseconds
    account INTEGER NOT NULL,      -- hash of the account
    source  INTEGER NOT NULL,      -- hash of who says it: the author that is repeated, else the account
    origin  INTEGER NOT NULL,
    hidden  INTEGER NOT NULL,
    words   BLOB NOT NULL,         -- see packed.py
    marks   BLOB NOT NULL          -- uint32: hashes of tags and links
);
CREATE INDEX IF NOT EXISTS texts_at ON texts (at);
CREATE INDEX IF NOT EXISTS texts_account ON texts (account);

CREATE TABLE IF NOT EXISTS origins (
    id      INTEGER PRIMARY KEY,
    network TEXT NOT NULL,
    lang    TEXT NOT NULL,
    repost  INTEGER NOT NULL,      -- whether it is marked as a repost
    UNIQUE (network, lang, repost)
);

-- Of an hour with too many posts, those are kept whose mixed position is below 2^(32 - level).
CREATE TABLE IF NOT EXISTS hours (
    hour  INTEGER PRIMARY KEY,     -- since 1970
    posts INTEGER NOT NULL,
    level INTEGER NOT NULL
) WITHOUT ROWID;

-- Counts made from `texts`; those of a day go with every change to its texts.
CREATE TABLE IF NOT EXISTS days (
    day    INTEGER PRIMARY KEY,    -- since 1970; -1: a sample of all texts
    upto   INTEGER NOT NULL,       -- of the sample: last position of the log; else 0
    texts  INTEGER NOT NULL,
    hashes BLOB NOT NULL,          -- uint32, ascending
    counts BLOB NOT NULL           -- uint32
);
