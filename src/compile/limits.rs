//! What limits a role whatever its policy grants, told: its permissions boundary, and Deny statements of policies that stay attached.
//!
//! INVARIANT (limits-only-tell): a boundary changes no policy, neither wider nor narrower. It is somebody else's document and may be
//! another tomorrow; what it forbids it forbids anyway.

use std::collections::{BTreeMap, BTreeSet};

use crate::derive::{self, Because, Derivation, Need, Question, Reported};
use crate::finding::{Code, Finding};
use crate::iam::{Action, Pattern};
use crate::ledger::{Evidence, Ledger, Outcome, Use};
use crate::prove::evaluate::Value;
use crate::prove::limits::Limits;
use crate::prove::observed::calls;
use crate::prove::replay::{Call, Denial};

/// Asks the checker what the limits forbid of what was seen, needed, denied and granted; the derivation takes it on. Documents that
/// the checker cannot read are the proof's to tell.
pub(super) fn tell(question: &Question, ledger: &Ledger, derivation: &mut Derivation) {
    let kept: Vec<&[u8]> = question.kept.iter().map(|k| k.bytes.as_slice()).collect();
    let boundary = question.boundary.as_ref().map(|b| b.bytes.as_slice());
    if kept.is_empty() && boundary.is_none() {
        return;
    }
    let Ok(limits) = Limits::read(&kept, boundary) else { return };
    let asked = Asked { question, limits };
    derivation.forbidden = asked.seen(&derivation.observed, ledger);
    derivation.findings.extend(contradictions(&derivation.forbidden));
    derivation.findings.extend(asked.floor(&derivation.floor));
    asked.denied(derivation, ledger);
    derivation.limits = asked.granted(derivation);
}

struct Asked<'a> {
    question: &'a Question,
    limits: Limits,
}

impl Asked<'_> {
    fn forbidden(&self, calls: &[Call]) -> Vec<(usize, Denial)> {
        self.limits.forbidden(calls).unwrap_or_default()
    }

    /// Who forbids it, in a sentence.
    fn says(&self, denial: Denial) -> String {
        let deny = |n: usize| format!("its statement {} is a Deny that matches", n + 1);
        let boundary = self.question.boundary.as_ref().map(|b| b.name.as_str()).unwrap_or_default();
        match denial {
            Denial::Deny { document, statement } => {
                let name = self.question.kept.get(document).map(|k| k.name.as_str()).unwrap_or_default();
                format!("`{name}`, which stays attached, forbids this: {}", deny(statement))
            }
            Denial::BoundaryDeny { statement } => {
                format!("the permissions boundary `{boundary}` forbids this: {}", deny(statement))
            }
            Denial::NoAllow | Denial::OutsideBoundary => {
                format!("the permissions boundary `{boundary}` forbids this: no statement of it allows it")
            }
        }
    }

    /// Calls that passed and would not today.
    fn seen(&self, observed: &[Use], ledger: &Ledger) -> Vec<Reported> {
        let (mut owners, mut all) = (Vec::new(), Vec::new());
        for used in observed {
            let own = calls(used);
            owners.extend(own.iter().map(|_| used));
            all.extend(own);
        }
        let mut found: BTreeMap<(Action, Pattern, String), Evidence> = BTreeMap::new();
        let mut told = BTreeSet::new();
        for (n, denial) in self.forbidden(&all) {
            // A use whose names were collapsed is several calls.
            let Some(used) = owners.get(n).filter(|used| told.insert(**used)) else { continue };
            let Some(evidence) = ledger.uses.get(used) else { continue };
            let key = (used.action.clone(), used.resource.clone(), self.says(denial));
            found.entry(key).and_modify(|all| all.merge(evidence.clone())).or_insert_with(|| evidence.clone());
        }
        let row = |((action, resource, why), evidence): ((Action, Pattern, String), Evidence)| {
            Reported::seen(action, resource, &evidence, why)
        };
        found.into_iter().map(row).collect()
    }

    /// What is needed as a request, as far as it is known.
    fn examples(&self, action: &Action, resource: &Pattern) -> Vec<Call> {
        let known = |key: &str, value: &str| (key.to_owned(), Value::One(value.to_owned()));
        let context = BTreeMap::from([
            known("aws:requestedregion", &self.question.region),
            known("aws:principalaccount", &self.question.account),
            known("aws:principaltype", "AssumedRole"),
        ]);
        let call = |resource| Call { action: action.to_string(), resource, context: context.clone(), ..Call::default() };
        resource.samples().into_iter().map(call).collect()
    }

    /// Why a permission is of no use, and whether that is certain for all of its resources.
    fn of(&self, action: &Action, resource: &Pattern) -> Option<(String, bool)> {
        let examples = self.examples(action, resource);
        let found = self.forbidden(&examples);
        let (_, denial) = found.first()?;
        let outright = self.limits.outright(action.as_str()).is_some();
        let plain = resource.is_any() || resource.as_literal().is_some();
        Some((self.says(*denial), outright || (plain && found.len() == examples.len())))
    }

    /// What features need and do not get.
    fn floor(&self, needs: &[Need]) -> Vec<Finding> {
        let mut found: BTreeMap<(&str, String, bool), BTreeSet<String>> = BTreeMap::new();
        for need in needs {
            let Some((why, whole)) = self.of(&need.action, &need.resource) else { continue };
            for because in &need.because {
                if let Because::Feature { feature, .. } = because {
                    let on = if need.resource.is_any() { String::new() } else { format!(" on `{}`", need.resource) };
                    let named = format!("`{}`{on}", need.action);
                    found.entry((feature, why.clone(), whole)).or_default().insert(named);
                }
            }
        }
        let finding = |((feature, why, whole), named): ((&str, String, bool), BTreeSet<String>)| {
            let part = if whole { "" } else { " (of the names that these patterns stand for, some at least)" };
            let named = named.into_iter().collect::<Vec<_>>().join(", ");
            Finding::new(Code::FloorForbidden, format!("{feature} needs {named}, and {why}{part}"))
                .advise("the feature will not fully work, whatever the role's policy grants; change what forbids it if it has to")
        };
        found.into_iter().map(finding).collect()
    }

    /// Says of denied calls who forbids them, in their rows and in the loud finding.
    fn denied(&self, derivation: &mut Derivation, ledger: &Ledger) {
        let mine = |used: &Use| used.session.role == self.question.role && used.session.account == self.question.account;
        let mut reasons: BTreeMap<(&Action, &Pattern), String> = BTreeMap::new();
        for used in ledger.uses.keys().filter(|used| mine(used) && matches!(used.outcome, Outcome::Denied(_))) {
            if let Some((_, denial)) = self.forbidden(&calls(used)).first() {
                reasons.insert((&used.action, &used.resource), self.says(*denial));
            }
        }
        for row in &mut derivation.denied {
            let Some(why) = reasons.get(&(&row.action, &row.resource)) else { continue };
            for loud in derive::denied_inside(&self.question.baseline.policy, std::slice::from_ref(row)) {
                for finding in derivation.findings.iter_mut().filter(|finding| **finding == loud) {
                    finding.message = format!("{}: {why}", loud.message);
                }
            }
            row.why = format!("{}; {why}", row.why);
        }
    }

    /// Of every action of the result or the baseline what forbids it.
    fn granted(&self, derivation: &Derivation) -> BTreeMap<Action, BTreeSet<String>> {
        let mut found: BTreeMap<Action, BTreeSet<String>> = BTreeMap::new();
        for verdict in &derivation.verdicts {
            if let Some(denial) = self.limits.outright(verdict.action.as_str()) {
                found.entry(verdict.action.clone()).or_default().insert(self.says(denial));
                continue;
            }
            for scope in &verdict.scopes {
                let Some((why, whole)) = self.of(&verdict.action, &scope.resource) else { continue };
                let part = if whole { "" } else { ", in part at least" };
                found.entry(verdict.action.clone()).or_default().insert(format!("on `{}`{part}: {why}", scope.resource));
            }
        }
        found
    }
}

/// So many resources are named one by one.
const NAMED: usize = 3;

/// Calls that passed although they are forbidden, an action at a time.
fn contradictions(forbidden: &[Reported]) -> Vec<Finding> {
    let mut by_action: BTreeMap<(&Action, &str), Vec<&Reported>> = BTreeMap::new();
    for row in forbidden {
        by_action.entry((&row.action, &row.why)).or_default().push(row);
    }
    let finding = |((action, why), rows): ((&Action, &str), Vec<&Reported>)| {
        let calls: u64 = rows.iter().map(|r| r.calls).sum();
        let last = rows.iter().map(|r| r.last.as_str()).max().unwrap_or_default();
        let named: Vec<String> = rows.iter().take(NAMED).map(|r| format!("`{}`", r.resource)).collect();
        let more = if rows.len() > NAMED { format!(" and {} more", rows.len() - NAMED) } else { String::new() };
        let times = if calls == 1 { "once".to_owned() } else { format!("{calls} times") };
        let message =
            format!("`{action}` passed {times} on {}{more}, at {last} for the last time, although {why}", named.join(", "));
        Finding::new(Code::SeenButForbidden, message).advise(
            "it was changed since, or a resource policy let the calls through; the policy grants what was seen all the same, and today that alone does not help",
        )
    };
    by_action.into_iter().map(finding).collect()
}
