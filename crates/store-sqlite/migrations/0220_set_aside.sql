-- How often its target refused a message for good: what was refused holds up nobody and is tried again now and then.
ALTER TABLE delivery ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
-- How often the service died while it was tried: whether it had arrived by then is not known.
ALTER TABLE delivery ADD COLUMN interruptions INTEGER NOT NULL DEFAULT 0;
-- Which part it is of a message that its target does not take at once.
ALTER TABLE delivery ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
