-- A snapshot that shows what was learned, by each light: daylight, colour in the dark, infrared.
ALTER TABLE picture_baseline RENAME COLUMN reference TO reference_day;
ALTER TABLE picture_baseline ADD COLUMN reference_dark TEXT;
ALTER TABLE picture_baseline ADD COLUMN reference_infrared TEXT;
