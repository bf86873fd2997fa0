//! The driver, pure: derive, write the document, prove.

use serde::Serialize;

use crate::catalog::Catalog;
use crate::derive::{self, Derivation, Question};
use crate::finding::Finding;
use crate::ledger::Ledger;

/// What was proved about a document.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Proof {
    /// `proved`, `not proved` or `refused`: is every request that the policy allows allowed by the baseline?
    pub within_baseline: String,
    /// What the prover adds: a counterexample, or why it refused. Empty when proved.
    pub reason: String,
    /// Whether every observed call of the baseline is still allowed.
    pub covers_observed: Covers,
}

/// The replay of the observed calls.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Covers {
    /// `proved` when no call is lost.
    pub verdict: String,
    /// How many distinct calls were replayed.
    pub calls: usize,
    /// Those that the policy would deny.
    pub denied: Vec<String>,
    /// Those that cannot be told because CloudTrail lacks a condition key, and that stand word for word in the baseline.
    pub undetermined: usize,
}

/// The result of one role.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// What the passes found out, findings of the proof included.
    pub derivation: Derivation,
    /// The policy's document, as it is written.
    pub document: String,
    /// What was proved about that document.
    pub proof: Proof,
}

impl Compiled {
    /// Adds findings of other stages.
    pub fn tell(&mut self, findings: Vec<Finding>) {
        let all = &mut self.derivation.findings;
        all.extend(findings);
        all.sort_by(|a, b| (a.severity(), a.code, &a.message).cmp(&(b.severity(), b.code, &b.message)));
        all.dedup();
    }
}

/// Compiles one role.
#[must_use]
pub fn compile(question: &Question, ledger: &Ledger, catalog: &Catalog) -> Compiled {
    let derivation = derive::derive(question, ledger, catalog);
    let document = derivation.policy.to_json();
    Compiled { derivation, document, proof: Proof::default() }
}
