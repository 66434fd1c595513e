//! The core as its callers see it, under simulated time. One program: what the tests share is compiled once.

mod behaviour;
mod by_hand;
mod field_log;
mod ledger;
mod notices;
mod orders;
mod planned;
mod restarts;
mod sim;
mod simulation;
mod uplinks;
