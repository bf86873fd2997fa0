//! The front end, from outside: bytes in, ledger out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a panic is how a test says no

mod hostile;
mod laws;
mod made;
mod recorded;
mod shapes;
mod signs;
