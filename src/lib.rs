//! policyc: a least-privilege IAM policy compiler.

pub mod finding;
