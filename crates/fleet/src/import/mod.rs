//! The import of the register from CSV: a plan first, nothing changed until somebody applies it.
//!
//! Pure: bytes and the present register go in, a [`Plan`] comes out that says for each row what it would do and why
//! not. The file is hostile until parsed: its size, rows and fields are limited.
//!
//! A camera of the file is an existing one if its GB/T 28181 code is known, else if its site and name are; so a new
//! address or new hardware keeps the camera's id and history. Ids are never reused.

mod claims;
mod columns;
mod edit;
mod export;
mod plan;
mod row;
mod text;

#[cfg(test)]
mod tests;

pub use columns::Column;
pub use edit::{Edit, edit};
pub use export::{cell, to_csv};
pub use plan::{Counts, Fault, Outcome, Plan, Records, Row, plan};

/// Largest file, in bytes.
pub const MOST_BYTES: usize = 16 << 20;
/// Most rows of one file.
pub const MOST_ROWS: usize = 100_000;
/// Longest field, in characters.
pub const LONGEST_FIELD: usize = 4_000;

/// Why a file cannot be read as a register at all.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImportError {
    /// Larger than [`MOST_BYTES`].
    #[error("the file is larger than 16 MiB; split it")]
    TooLarge,
    /// More rows than [`MOST_ROWS`].
    #[error("the file has more than 100000 rows; split it")]
    TooManyRows,
    /// Neither UTF-8 nor GBK text.
    #[error("the file is no text in UTF-8 or GBK; save the table as CSV")]
    NotText,
    /// Not even a heading.
    #[error("the file is empty; the first row must name the columns")]
    Empty,
    /// A required column is not there.
    #[error("line 1 names no column {0}; the columns are explained in config/demo/README.md")]
    NoColumn(&'static str),
    /// The same column twice.
    #[error("line 1 names the column {0} twice")]
    ColumnTwice(&'static str),
    /// The CSV is broken at a line.
    #[error("line {line}: {what}")]
    Broken {
        /// Line as a spreadsheet counts.
        line: u64,
        /// What is wrong.
        what: String,
    },
}
