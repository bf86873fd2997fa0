//! The driver, pure: derive, write the document, prove.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::derive::{self, Because, Derivation, Grant, Question, cap};
use crate::finding::{Code, Finding};
use crate::iam::{ActionSpec, Effect, ResourceSpec, Statement};
use crate::ledger::{Ledger, Origin, Use};
use crate::prove::document::Document;
use crate::prove::evaluate::Value::One;
use crate::prove::replay::{Call, replay};
use crate::prove::subset::{Budget, Verdict, within};
use crate::review::report::{Covers, Proof};

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
    let proof = prove(question, &derivation, &document);
    let mut compiled = Compiled { derivation, document, proof };
    compiled.tell(refusals(&compiled.proof));
    compiled
}

/// Proves both halves of the promise about the document's bytes, with a reader and a matcher that are not the compiler's.
fn prove(question: &Question, derivation: &Derivation, document: &str) -> Proof {
    if derivation.policy.statements.is_empty() {
        let covers_observed = Covers { verdict: PROVED.to_owned(), ..Covers::default() };
        return Proof {
            within_baseline: PROVED.to_owned(),
            reason: "it grants nothing".to_owned(),
            contained: true,
            covers_observed,
        };
    }
    let read = |bytes: &[u8]| Document::read(bytes).map_err(|e| e.to_string());
    let (new, baseline) = match (read(document.as_bytes()), read(&question.baseline.bytes)) {
        (Ok(new), Ok(baseline)) => ([new], [baseline]),
        (Err(e), _) => {
            return Proof { within_baseline: REFUSED.to_owned(), reason: format!("the policy: {e}"), ..Proof::default() };
        }
        (_, Err(e)) => {
            return Proof { within_baseline: REFUSED.to_owned(), reason: format!("the baseline: {e}"), ..Proof::default() };
        }
    };
    let (within_baseline, reason) = match within(&new, &baseline, &Budget::default()) {
        Verdict::Proved => (PROVED, String::new()),
        Verdict::NotProved(found) => {
            (NOT_PROVED, format!("it allows {} on {}, the baseline does not", found.request.action, found.request.resource))
        }
        Verdict::Refused(why) => (REFUSED, why),
    };
    Proof {
        within_baseline: within_baseline.to_owned(),
        reason,
        contained: stray(question, derivation).is_none(),
        covers_observed: covers(question, derivation, &new, &baseline),
    }
}

const PROVED: &str = "proved";
const NOT_PROVED: &str = "not proved";
const REFUSED: &str = "refused";

/// Replays every observed call that the baseline allows.
fn covers(question: &Question, derivation: &Derivation, new: &[Document], baseline: &[Document]) -> Covers {
    let granted_elsewhere =
        |used: &Use| question.kept.iter().any(|p| !cap::covering(&p.policy, &used.action, &used.resource).is_empty());
    let calls: Vec<Call> = derivation.observed.iter().filter(|u| !granted_elsewhere(u)).flat_map(calls).collect();
    let before = replay(baseline, baseline, &calls);
    let outside: BTreeSet<usize> = before.denied.into_iter().map(|(n, _)| n).collect();
    let inside: Vec<Call> = calls.into_iter().enumerate().filter(|(n, _)| !outside.contains(n)).map(|(_, c)| c).collect();
    let after = replay(new, baseline, &inside);
    let name = |n: usize| inside.get(n).map_or(String::new(), |c| c.label.clone());
    Covers {
        verdict: if after.denied.is_empty() { PROVED } else { NOT_PROVED }.to_owned(),
        calls: inside.len(),
        denied: after.denied.iter().map(|(n, why)| format!("{} ({why})", name(*n))).collect(),
        undetermined: after.undetermined.len(),
    }
}

/// A use as requests: one, or two of the shape where names were collapsed.
fn calls(used: &Use) -> Vec<Call> {
    let mut context = BTreeMap::from([("aws:requestedregion".to_owned(), One(used.region.clone()))]);
    let forwarded = matches!(used.origin, Origin::Service(_));
    context.insert("aws:viaawsservice".to_owned(), One(forwarded.to_string()));
    context.extend(used.context.iter().map(|(key, value)| (key.to_ascii_lowercase(), One(value.clone()))));
    let call = |resource: String| Call {
        action: used.action.to_string(),
        resource,
        context: context.clone(),
        absent: BTreeSet::new(),
        label: format!("{} on {}", used.action, used.resource),
    };
    used.resource.samples().into_iter().map(call).collect()
}

/// The first grant that is not inside one statement of the baseline, Deny statements being carried along.
fn stray<'a>(question: &Question, derivation: &'a Derivation) -> Option<&'a Grant> {
    let baseline = &question.baseline.policy;
    derivation.grants.iter().find(|g| {
        let statements = cap::covering(baseline, &g.action, &g.resource);
        !statements.iter().any(|s| g.conditions.includes(&cap::carried(baseline, &s.conditions)))
    })
}

fn refusals(proof: &Proof) -> Vec<Finding> {
    let mut findings = Vec::new();
    if proof.within_baseline == NOT_PROVED {
        findings.push(
            Finding::new(Code::NotProved, proof.reason.clone())
                .advise("this is a bug in policyc; please report it with the baseline"),
        );
    }
    if proof.within_baseline == REFUSED {
        findings.push(
            Finding::new(Code::ProofRefused, proof.reason.clone()).advise("read the difference to the baseline line by line"),
        );
    }
    if !proof.contained {
        findings.push(Finding::new(Code::NotContained, "a grant is not inside any one statement of the baseline"));
    }
    let lost = |call: &String| Finding::new(Code::NotCovered, format!("the result would deny {call}, which was seen"));
    findings.extend(proof.covers_observed.denied.iter().map(lost));
    findings
}
