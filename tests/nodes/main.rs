//! Whole nodes and the program's commands. One program: what the tests share is compiled once.

mod bad_input;
mod browser;
mod county;
mod crash;
mod demo;
mod dependencies;
mod end_to_end;
mod full_disk;
mod jpeg_form;
mod overload;
mod repair;
mod replay;
mod secrets;
mod twins;
mod verdicts;
mod verify;
