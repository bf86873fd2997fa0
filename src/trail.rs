//! The front end: bytes of log files, event history and engine results become records, and records a ledger.
//!
//! The stages of this room: [`record`] is what one CloudTrail record says.

pub mod call;
pub mod record;
