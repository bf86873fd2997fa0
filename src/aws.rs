//! A live account: what belongs to a stack and what it did, through the SDK. Read-only.
//!
//! [`event_history`] looks up what sessions did, [`bucket`] fetches the log files of a trail, [`trails`] finds the
//! trails and what they log; [`connect`] says which account it is. Each is given the clients it uses; what they fetch is bytes as [`crate::trail`] reads them.

pub mod bucket;
pub mod connect;
mod discreet;
pub mod event_history;
mod failure;
pub mod fetch;
pub mod last_accessed;
pub mod lookup;
pub mod pace;
pub mod simulate;
pub mod spool;
pub mod trails;
