//! The archive as its callers see it. One program: what the tests share is compiled once.

mod beside;
mod common;
mod custody;
mod damage;
mod disk_full;
mod evidence;
mod forged;
mod holds;
mod kill;
mod pages;
mod planted;
mod power_loss;
mod remote;
mod round_trip;
