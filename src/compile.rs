//! The driver, pure: derive, write the document, prove.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::Catalog;
use crate::derive::{self, Because, Derivation, Grant, Need, Question, cap};
use crate::finding::{Code, Finding};
use crate::iam::{ActionSpec, Effect, ResourceSpec, Statement};
use crate::ledger::Ledger;

/// What was proved about a document.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Proof {
    /// `proved`, `not proved` or `refused`: is every request that the policy allows allowed by the baseline?
    pub within_baseline: String,
    /// What the prover adds: a counterexample, or why it refused. Empty when proved.
    pub reason: String,
    /// Whether nothing speaks against it.
    #[serde(skip)]
    pub contained: bool,
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

impl Compiled {
    /// Why each statement is there, by `Sid`, in lines short enough for a comment. Counts and dates are left out, so that
    /// more of the same activity changes nothing.
    #[must_use]
    pub fn reasons(&self) -> BTreeMap<String, Vec<String>> {
        let mut reasons = BTreeMap::new();
        for statement in &self.derivation.policy.statements {
            let lines: BTreeSet<String> =
                self.derivation.grants.iter().filter(|g| answers(statement, g)).flat_map(|g| self.why(g)).collect();
            let (seen, features): (Vec<_>, Vec<_>) = lines.into_iter().partition(|l| l == SEEN);
            reasons.insert(statement.sid.clone(), seen.into_iter().chain(features).collect());
        }
        reasons
    }

    fn why(&self, grant: &Grant) -> BTreeSet<String> {
        let needs = grant.needs.iter().filter_map(|i| self.derivation.needs.get(*i));
        needs
            .flat_map(|n| &n.because)
            .map(|because| match because {
                Because::Seen => SEEN.to_owned(),
                Because::Feature { feature, why, .. } => format!("{feature}: {why}"),
            })
            .collect()
    }
}

/// The reason of what was observed.
const SEEN: &str = "seen in the trail";

fn answers(statement: &Statement, grant: &Grant) -> bool {
    let ActionSpec::Only(actions) = &statement.actions else { return false };
    let ResourceSpec::Only(resources) = &statement.resources else { return false };
    statement.effect == Effect::Allow
        && statement.conditions == grant.conditions
        && resources.contains(&grant.resource)
        && actions.iter().any(|p| p.matches_action(&grant.action))
}

/// Compiles one role.
#[must_use]
pub fn compile(question: &Question, ledger: &Ledger, catalog: &Catalog) -> Compiled {
    let derivation = derive::derive(question, ledger, catalog);
    let document = derivation.policy.to_json();
    let proof = check(question, &derivation);
    let mut compiled = Compiled { derivation, document, proof };
    compiled.tell(refusals(&compiled.proof));
    compiled
}

/// Checks both halves of the promise statement by statement. This is no proof: it shares its matcher with the passes.
fn check(question: &Question, derivation: &Derivation) -> Proof {
    let baseline = &question.baseline.policy;
    let stray = derivation.grants.iter().find(|g| {
        let statements = cap::covering(baseline, &g.action, &g.resource);
        !statements.iter().any(|s| g.conditions.includes(&cap::carried(baseline, &s.conditions)))
    });
    let lost = |need: &&Need| {
        let answers = |g: &&Grant| g.action == need.action && g.resource.covers_arn(&need.resource);
        need.evidence.is_some() && !derivation.grants.iter().any(|g| answers(&g))
    };
    let denied: Vec<String> = derivation.needs.iter().filter(lost).map(|n| format!("{} on {}", n.action, n.resource)).collect();
    Proof {
        within_baseline: "not proved".to_owned(),
        reason: match stray {
            Some(grant) => format!("{} on {} is not inside one statement of the baseline", grant.action, grant.resource),
            None => "checked statement by statement: every grant is inside one statement of the baseline".to_owned(),
        },
        contained: stray.is_none(),
        covers_observed: Covers {
            verdict: if denied.is_empty() { "replayed" } else { "not covered" }.to_owned(),
            calls: derivation.needs.iter().filter(|n| n.evidence.is_some()).count(),
            denied,
            undetermined: 0,
        },
    }
}

fn refusals(proof: &Proof) -> Vec<Finding> {
    let contained = (!proof.contained).then(|| Finding::new(Code::NotContained, proof.reason.clone()));
    let lost = proof
        .covers_observed
        .denied
        .iter()
        .map(|call| Finding::new(Code::NotCovered, format!("the result would deny {call}, which was seen")));
    contained.into_iter().chain(lost).collect()
}
