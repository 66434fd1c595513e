//! The import of the register from CSV.
