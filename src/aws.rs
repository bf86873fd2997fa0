//! A live account: what belongs to a stack and what it did, through the SDK. Read-only.
//!
//! [`connect`] says which account it is, [`discover`] what belongs to a stack. [`event_history`] looks up what sessions did and
//! [`past`] which sessions there were, [`bucket`] fetches the log files of a trail, [`trails`] finds the trails and what they log.
//! What they fetch is bytes as [`crate::trail`] reads them.

pub mod bucket;
pub mod connect;
pub mod discover;
mod discreet;
mod ec2;
pub mod estimate;
pub mod event_history;
mod failure;
pub mod fetch;
mod identity;
mod instances;
pub mod last_accessed;
pub mod listing;
pub mod lookup;
mod network;
pub mod pace;
pub mod past;
mod resources;
pub mod simulate;
pub mod spool;
pub mod trails;
mod whole;
mod xml;
