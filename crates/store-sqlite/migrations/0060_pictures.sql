-- What a camera usually shows, as figures: about 2.4 KB a camera. Replaced as it is learned.
CREATE TABLE picture_baseline (
    camera      INTEGER NOT NULL PRIMARY KEY,
    saved_ms    INTEGER NOT NULL,
    -- Versioned and with a checksum, in the form of the diagnosis.
    data        BLOB    NOT NULL,
    -- Archived snapshot that shows what was learned or accepted.
    reference   TEXT,
    -- Who accepted it, if a person did.
    accepted_by TEXT,
    accepted_ms INTEGER
) STRICT;

-- What people said of verdicts. One row a verdict (a class of a camera since an instant): the last word counts, all of
-- them are in the audit log.
CREATE TABLE picture_word (
    camera     INTEGER NOT NULL,
    cause      TEXT    NOT NULL,
    since_ms   INTEGER NOT NULL,
    said       TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    who        TEXT    NOT NULL,
    who_detail TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    -- Of a false alarm: until when the class is not told for this camera.
    until_ms   INTEGER,
    PRIMARY KEY (camera, cause, since_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX picture_word_by_time ON picture_word (at_ms);
CREATE INDEX picture_word_by_end ON picture_word (until_ms) WHERE until_ms IS NOT NULL;
