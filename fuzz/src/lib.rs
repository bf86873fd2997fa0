//! What must hold of any bytes that are given to a parser, one function a parser.
//!
//! `fuzz_targets/` hands each to libFuzzer; `tests/fuzz_targets.rs` takes this file in and runs every one of them over
//! mutated seeds with each `cargo test`, so that none of them can rot.

pub mod certificate;
pub mod config;
pub mod coverage;
pub mod description;
pub mod endpoint;
pub mod ledger;
pub mod policy;
pub mod template;
pub mod trail;
pub mod xml;

/// A target by its name; it panics where something does not hold.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("certificate", certificate::check),
    ("config", config::check),
    ("coverage", coverage::check),
    ("description", description::check),
    ("endpoint", endpoint::check),
    ("ledger", ledger::check),
    ("policy", policy::check),
    ("template", template::check),
    ("trail", trail::check),
    ("xml", xml::check),
];
