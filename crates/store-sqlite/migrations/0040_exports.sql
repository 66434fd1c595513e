-- Evidence exports: who took what out of the archive, why, on which document, and what became of it.
CREATE TABLE export (
    -- Numbers are never reused: packages and the audit log name them.
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    created_ms INTEGER NOT NULL,
    who        TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    -- The whole export as JSON; the other columns are for finding it.
    body       TEXT    NOT NULL
) STRICT;

CREATE INDEX export_by_who ON export (who, id);
CREATE INDEX export_by_state ON export (state, id);

-- What the log says about one snapshot.
CREATE INDEX audit_by_object ON audit (object, seq);
