//! What a live account gives: event history, trails in S3, what they could show, and what goes wrong on the way.

#![cfg(feature = "aws")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

mod bucket;
mod event_history;
mod faults;
mod fleet;
#[path = "../lookup_server/mod.rs"]
mod lookup_server;
mod many;
mod memory;
mod moto;
#[path = "../support/python.rs"]
mod python;
mod records;
mod resumed;
mod spoilt;
mod trails;
