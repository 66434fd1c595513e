-- The intervals of a report are exported camera by camera, and with them the counts of its snapshots.
CREATE INDEX ledger_snapshots_by_camera ON ledger_snapshots (camera, hour_ms);
