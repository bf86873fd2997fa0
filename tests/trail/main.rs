//! The front end, from outside: bytes in, ledger out.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

mod elsewhere;
mod hostile;
mod laws;
mod made;
mod recorded;
mod shapes;
mod signs;
