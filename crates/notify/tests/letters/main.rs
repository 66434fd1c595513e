//! Messages to real and local servers. One program: what the tests share is compiled once.

mod alertmanager;
mod deliveries;
mod mail_over_tls;
mod mail_server;
