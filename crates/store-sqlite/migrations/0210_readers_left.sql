-- Readers, a JSON array, whom a report is still to reach after it reached the others; empty while it is for all of them.
ALTER TABLE sending ADD COLUMN left_out TEXT NOT NULL DEFAULT '[]';
