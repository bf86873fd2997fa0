//! policyc: a least-privilege IAM policy compiler.

pub mod catalog;
pub mod emit;
pub mod finding;
pub mod iam;
pub mod ledger;
pub mod template;
pub mod trail;
