//! policyc: a least-privilege IAM policy compiler.
//!
//! It compiles what a workload was seen doing into the smallest IAM policy that still lets it do it, and shows both
//! halves of
//!
//! ```text
//! observed ∩ baseline  ⊆  derived  ⊆  baseline
//! ```
//!
//! The tree is the pipeline:
//!
//! ```text
//! trail ──► ledger ──► derive ──► prove ──► emit / template ──► review
//! (front end) (IR)     (passes)  (checker)  (back ends)
//! ```
//!
//! | layer | module | what lives there | may use |
//! |---|---|---|---|
//! | 0 | [`finding`] | what the tool tells people: stable code, severity, text | nothing |
//! | 0 | [`iam`] | the policy language, parsed once into types | `finding` |
//! | 0 | [`template`] | lossless editing of YAML and JSON documents; knows no IAM | `finding` |
//! | 1 | [`catalog`] | facts about AWS as data, each with source and date | 0, `ledger` |
//! | 1 | [`ledger`] | who used what, with which outcome, from where; mergeable | 0 |
//! | 2 | [`stack`] | who counts: stack, roles, instances, addresses | 0, 1 |
//! | 2 | [`trail`] | bytes of log files → records → ledger | 0, 1 |
//! | 3 | [`derive`] | the passes, each a pure function, in one visible order | 0, 1, `stack` |
//! | 3 | [`prove`] | evaluator, subset prover, replay; its own reader and matcher | `finding`, `ledger` |
//! | 3 | [`emit`] | policy → CloudFormation section, and back | 0, 1, `stack` |
//! | 3 | [`prove`] | the checker: evaluator, prover, replay; shares no code with the compiler | `finding` |
//! | 4 | [`review`] | report, summary, difference | 0–3 |
//! | 5 | [`compile`] | the driver, pure: derive, write, prove | 0–4 |
//! | 5 | `aws` | a live account through the SDK, read-only; yields bytes and descriptions | 0–2 |
//! | 6 | [`cli`] | one file per command; files, streams and environment only here | all |
//!
//! `tests/layers.rs` holds the imports to this table.

#[cfg(feature = "aws")]
pub mod aws;
pub mod catalog;
pub mod cli;
pub mod compile;
pub mod derive;
pub mod emit;
pub mod finding;
pub mod iam;
pub mod ledger;
pub mod prove;
pub mod review;
pub mod stack;
pub mod template;
pub mod trail;
