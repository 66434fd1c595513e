-- Cameras that refused their password when they were last judged, until the register says something new of them. Told
-- by the order of events and not by their times: our clock may have been set back in between.
CREATE TABLE refusal (
    camera   INTEGER NOT NULL PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    detail   TEXT    NOT NULL
) STRICT;

INSERT INTO refusal (camera, since_ms, detail)
SELECT judged.camera, judged.from_ms, judged.detail
FROM status_interval AS now
JOIN camera ON camera.id = now.camera
JOIN status_interval AS judged ON judged.camera = now.camera AND judged.from_ms = (
    SELECT max(from_ms) FROM status_interval
    WHERE camera = now.camera AND status <> 'unknown' AND status <> 'paused'
)
WHERE now.until_ms IS NULL AND judged.cause = 'password_refused' AND camera.changed_ms <= judged.from_ms;
