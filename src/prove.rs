//! The checker: an evaluator, a prover and a replayer of identity policies that share no code with the compiler.
//!
//! It reads the bytes of the finished documents with its own reader, and matches with its own matcher, so that a
//! mistake in the compiler does not hide itself. What it does not model it refuses; `docs/prove.md` says what a proof
//! means and what it does not.

mod automaton;
mod binding;
mod bits;
pub mod certificate;
pub mod compare;
pub mod condition;
mod counterexample;
mod dimension;
pub mod document;
pub mod endpoint;
pub mod evaluate;
mod inclusion;
mod json;
pub mod limits;
pub mod observed;
pub mod operand;
pub mod opinion;
pub mod pattern;
pub mod principal;
pub mod proof;
pub mod replay;
pub mod subset;
mod truth;
