//! Commands that ask an account, from the command line: whose it is, what its trail logs, what IAM says.

#![cfg(feature = "aws")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

mod asked;
mod connect;
#[path = "../support/copy.rs"]
mod copy;
mod coverage;
#[allow(dead_code)] // each test that takes it in uses a part of it
#[path = "../lookup_server/http.rs"]
mod http;
mod last_accessed;
mod ministack;
#[path = "../history/moto.rs"]
mod moto;
#[path = "../support/python.rs"]
mod python;
mod records;
mod simulate;
