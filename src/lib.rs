//! policyc: a least-privilege IAM policy compiler.

pub mod catalog;
pub mod cli;
pub mod compile;
pub mod derive;
pub mod finding;
pub mod iam;
pub mod ledger;
pub mod review;
pub mod stack;
pub mod trail;
