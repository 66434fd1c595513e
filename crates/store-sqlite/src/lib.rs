//! Durable facts in one SQLite file.
