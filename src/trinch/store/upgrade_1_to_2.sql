-- From the schema of release 0.1.0: hiding, accounts and handles keep every event instead of the latest one.
ALTER TABLE events ADD COLUMN crc INTEGER;
ALTER TABLE hidden RENAME TO hidden_1;
ALTER TABLE accounts_hidden RENAME TO accounts_hidden_1;
ALTER TABLE accounts_gone RENAME TO accounts_gone_1;
ALTER TABLE handles RENAME TO handles_1;
DROP INDEX IF EXISTS handles_handle;
CREATE TABLE hidden (
    root TEXT NOT NULL, key TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, hide INTEGER NOT NULL,
    seq INTEGER NOT NULL, PRIMARY KEY (root, key, reason, at, hide)
) WITHOUT ROWID;
CREATE TABLE accounts_hidden (
    key TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, hide INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (key, reason, at, hide)
) WITHOUT ROWID;
CREATE TABLE accounts_gone (
    key TEXT NOT NULL, at INTEGER NOT NULL, diverged INTEGER NOT NULL, before INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, at, diverged)
) WITHOUT ROWID;
CREATE TABLE handles (
    key TEXT NOT NULL, at INTEGER NOT NULL, handle TEXT NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (key, at, handle)
) WITHOUT ROWID;
INSERT INTO hidden SELECT key, key, reason, at, hide, 0 FROM hidden_1;
INSERT INTO accounts_hidden SELECT key, reason, at, hide, 0 FROM accounts_hidden_1;
INSERT INTO accounts_gone SELECT key, at, diverged, at, seq FROM accounts_gone_1;
INSERT INTO handles SELECT key, at, handle, 0 FROM handles_1;
DROP TABLE hidden_1;
DROP TABLE accounts_hidden_1;
DROP TABLE accounts_gone_1;
DROP TABLE handles_1;
