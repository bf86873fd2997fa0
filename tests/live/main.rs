//! A stack of a live account, from the command line: described, fetched, derived, recorded.
//!
//! The account is moto's, with the demo deployed and its recording as the trail; event history is the server of
//! `tests/lookup_server`.

#![cfg(feature = "aws")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

mod account;
mod derived;
mod discovered;
#[allow(dead_code)] // each test that takes it in uses a part of it
#[path = "../history/faults.rs"]
mod faults;
mod fleet;
#[path = "../lookup_server/mod.rs"]
mod lookup_server;
#[path = "../history/moto.rs"]
mod moto;
mod permissions;
#[path = "../support/python.rs"]
mod python;
mod recorded;
mod resumed;
mod spoilt;
