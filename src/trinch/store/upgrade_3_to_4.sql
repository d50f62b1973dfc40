-- Counts and reactions by the position of a version instead of the key of the post. `reactions.take_over` moves the rest
-- of what the renamed tables hold.
ALTER TABLE posts ADD COLUMN has_counts INTEGER;
ALTER TABLE reactions RENAME TO reactions_3;
ALTER TABLE counts RENAME TO counts_3;
CREATE TABLE counts (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, likes INTEGER, reposts INTEGER, replies INTEGER, quotes INTEGER
);
INSERT INTO counts
    SELECT posts.seq, at, likes, reposts, replies, quotes FROM counts_3 JOIN posts USING (key)
    WHERE posts.seq IS NOT NULL;
DROP TABLE counts_3;
