//! The policies of VPC endpoints, through the binary: derived from the roles behind them, put into templates, proved, shown.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

mod copied;
#[path = "../support/copy.rs"]
mod copy;
mod derived;
mod injected;
mod shown;
