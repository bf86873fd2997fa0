//! The driver, pure: derive, write the document, prove.

pub mod endpoint;
mod limits;
pub mod opinion;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::derive::{self, Baseline, Because, Derivation, Grant, Question, cap};
use crate::finding::{Code, Finding};
use crate::iam::{ActionSpec, Effect, ResourceSpec, Statement};
use crate::ledger::{Ledger, Use, format};
use crate::prove::certificate::{Certificate, Subject, Subjects};
use crate::prove::observed::calls;
use crate::prove::proof::{self, Answer, Proof, Side};
use crate::prove::replay::Call;
use crate::prove::subset::Budget;

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
    /// The certificate of the proof; `policy` is what the policy's file is called.
    #[must_use]
    pub fn certificate(&self, policy: &str, question: &Question, facts: &Facts) -> Certificate {
        Certificate::issue(subjects(Subject::of(policy, "", self.document.as_bytes()), question, facts), &self.proof)
    }

    /// Why each statement is there; see [`reasons`].
    #[must_use]
    pub fn reasons(&self) -> BTreeMap<String, Vec<String>> {
        reasons(&self.derivation)
    }
}

/// Why each statement of a derivation is there, by `Sid`, in lines short enough for a comment. Counts and dates are left
/// out, so that more of the same activity changes nothing.
#[must_use]
pub fn reasons(derivation: &Derivation) -> BTreeMap<String, Vec<String>> {
    let mut reasons = BTreeMap::new();
    for statement in &derivation.policy.statements {
        let lines: BTreeSet<String> =
            derivation.grants.iter().filter(|g| answers(statement, g)).flat_map(|g| why(derivation, g)).collect();
        let (seen, features): (Vec<_>, Vec<_>) = lines.into_iter().partition(|l| l == SEEN);
        reasons.insert(statement.sid.clone(), seen.into_iter().chain(features).collect());
    }
    reasons
}

fn why(derivation: &Derivation, grant: &Grant) -> BTreeSet<String> {
    let needs = grant.needs.iter().filter_map(|i| derivation.needs.get(*i));
    needs
        .flat_map(|n| &n.because)
        .map(|because| match because {
            Because::Seen => SEEN.to_owned(),
            Because::Feature { feature, why, .. } => format!("{feature}: {why}"),
        })
        .collect()
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

/// What a certificate says of the ledger and the catalogue; the same for every role of a stack.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The ledger, as it would be written.
    pub ledger: Subject,
    /// Everything the catalogue knows.
    pub catalogue: Subject,
}

impl Facts {
    /// Takes the digests.
    #[must_use]
    pub fn of(ledger: &Ledger, catalog: &Catalog) -> Self {
        Self {
            ledger: Subject::of("", "", &format::write(ledger)),
            catalogue: Subject { version: catalog.reference.date.clone(), sha256: catalog.digest(), ..Subject::default() },
        }
    }
}

/// Everything that the certificate of a role's policy names.
#[must_use]
pub fn subjects(policy: Subject, question: &Question, facts: &Facts) -> Subjects {
    let subject = |b: &Baseline| Subject::of(b.name.clone(), b.version.clone(), &b.bytes);
    Subjects {
        policy,
        baseline: subject(&question.baseline),
        kept: question.kept.iter().map(subject).collect(),
        boundary: question.boundary.as_ref().map(subject),
        ledger: facts.ledger.clone(),
        catalogue: facts.catalogue.clone(),
    }
}

/// Compiles one role.
#[must_use]
pub fn compile(question: &Question, ledger: &Ledger, catalog: &Catalog) -> Compiled {
    let mut derivation = derive::derive(question, ledger, catalog);
    limits::tell(question, ledger, &mut derivation);
    let document = derivation.policy.to_json();
    let proof = prove(question, &derivation.observed, document.as_bytes());
    let mut findings = refusals(&proof);
    if stray(question, &derivation) {
        findings.push(Finding::new(Code::NotContained, "a grant is not inside any one statement of the baseline"));
    }
    let mut compiled = Compiled { derivation, document, proof };
    compiled.tell(findings);
    compiled
}

/// Proves both halves of the promise about a document's bytes, with a reader and a matcher that are not the compiler's.
#[must_use]
pub fn prove(question: &Question, observed: &[Use], document: &[u8]) -> Proof {
    let kept: Vec<&[u8]> = question.kept.iter().map(|k| k.bytes.as_slice()).collect();
    let calls: Vec<Call> = observed.iter().flat_map(calls).collect();
    let boundary = question.boundary.as_ref().map(|b| b.bytes.as_slice());
    let side = Side { policies: &[document], kept: &kept, boundary };
    proof::prove(side, &[&question.baseline.bytes], &calls, &Budget::default())
}

/// Whether some grant is not inside one statement of the baseline, Deny statements being carried along.
fn stray(question: &Question, derivation: &Derivation) -> bool {
    let baseline = &question.baseline.policy;
    derivation.grants.iter().any(|g| {
        let statements = cap::covering(baseline, &g.action, &g.resource);
        !statements.iter().any(|s| g.conditions.includes(&cap::carried(baseline, &s.conditions)))
    })
}

fn refusals(proof: &Proof) -> Vec<Finding> {
    let mut findings = Vec::new();
    match proof.within_baseline {
        Answer::Proved => {}
        Answer::NotProved => findings.push(
            Finding::new(Code::NotProved, proof.reason.clone())
                .advise("this is a bug in policyc; please report it with the baseline"),
        ),
        Answer::Refused => findings.push(
            Finding::new(Code::ProofRefused, proof.reason.clone())
                .advise("give a baseline without the element that is named, or narrow it by hand first"),
        ),
    }
    let covers = &proof.covers_observed;
    let lost = |call: &String| Finding::new(Code::NotCovered, format!("the result would deny {call}, which was seen"));
    findings.extend(covers.denied.iter().map(lost));
    if covers.undetermined > 0 {
        let message = format!(
            "{} observed calls cannot be told from the trail: it lacks a condition key that the baseline does not test in the same words",
            covers.undetermined
        );
        findings.push(Finding::new(Code::NotCovered, message));
    }
    findings
}
