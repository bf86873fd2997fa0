//! policyc: a least-privilege IAM policy compiler.

pub mod finding;
pub mod iam;
pub mod ledger;
pub mod trail;
