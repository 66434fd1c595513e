-- How many RTSP sessions a camera serves us at once, where it was found out.
ALTER TABLE camera ADD COLUMN sessions INTEGER CHECK (sessions BETWEEN 1 AND 100);
