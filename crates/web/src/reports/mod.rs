//! Reports 日报/周报/月报: the ledger's figures, grouped, compared with the period before, as JSON and as files.
//!
//! Counts nothing itself: sums come from the store, formulas from `health::ledger`.

mod csv;
mod figures;
mod groups;
mod intervals;
mod letter;
mod period;
mod table;
mod xlsx;

pub(crate) use csv::{CSV, csv, push as csv_line};
pub(crate) use figures::Figures;
pub(crate) use groups::{Group, GroupRow, Member, group};
pub(crate) use intervals::{Place, heading as intervals_heading, rows as interval_rows};
pub(crate) use letter::{Letter, letter};
pub(crate) use period::{Period, Span};
pub(crate) use table::{Cell, Language, Sheet, local};
pub(crate) use xlsx::{XLSX, xlsx};
