//! The stores as their callers see them. One program: what the tests share is compiled once.

mod conformance;
mod county;
mod crash;
mod ledger;
mod ledger_crash;
mod model;
mod opening;
mod rekey;
mod samples;
