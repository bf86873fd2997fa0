//! The front end: bytes of log files, event history and engine results become records, and records a ledger.
//!
//! In the order of the work: [`inflate`] gives plain bytes, [`scan`] finds the records in them, [`glance`] takes the first look
//! at each, [`record`] reads those that matter, [`caller`] says whose they are and where they came from, [`call`] which actions on
//! which resources they needed, [`sign`] which features other people's calls show, `gather` folds all of it, and
//! [`observe`] does this for many files at once.

pub mod call;
pub mod caller;
mod gather;
pub mod glance;
pub mod inflate;
pub mod observe;
mod read;
pub mod record;
mod resource;
pub mod scan;
pub mod sign;

pub use caller::Interest;
pub use observe::{Input, Observation, Observer, Options, TrailError, observe};
