-- At a start, incidents that were resolved lately are looked for: a fault that returns soon re-opens its own.
CREATE INDEX incident_resolved ON incident (resolved_ms) WHERE resolved_ms IS NOT NULL;
