//! The IAM policy language, parsed once into types.
//!
//! Source of the grammar: AWS IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy elements".
//! Only the compiler uses this module; the checker reads documents with its own reader.

pub mod action;
pub mod arn;
pub mod condition;
pub mod document;
pub mod everyone;
mod matching;
pub mod pattern;

pub use action::Action;
pub use arn::Arn;
pub use condition::Conditions;
pub use document::{ActionSpec, Effect, Policy, PolicyError, ResourceSpec, Statement};
pub use pattern::Pattern;
