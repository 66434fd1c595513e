-- How a camera is treated where it does not keep to the RFCs, such as 'session_id=latest keepalive=none'.
ALTER TABLE camera ADD COLUMN quirks TEXT NOT NULL DEFAULT '';
