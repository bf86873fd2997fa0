//! Why a policy changed: the activity that was observed, the settings, the facts, or policyc itself.

use super::meaning::{Meaning, Row};
use crate::prove::certificate::{Certificate, Subject};

/// What certificates beside two policies say about why the policies differ; `None` stands for a side without one.
///
/// Each comes with the SHA-256 of the policy it lies beside: a certificate of another policy says nothing.
#[must_use]
pub fn of_certificates(old: Option<(&Certificate, String)>, new: Option<(&Certificate, String)>) -> Vec<String> {
    let (Some((old, old_digest)), Some((new, new_digest))) = (old, new) else { return Vec::new() };
    if old.policy.sha256 != old_digest || new.policy.sha256 != new_digest {
        return vec!["why is not known: a certificate beside the policies is about another policy".to_owned()];
    }
    if old_digest == new_digest {
        return Vec::new();
    }
    let differ = |a: &Subject, b: &Subject| a.sha256 != b.sha256;
    let kept = |c: &Certificate| c.kept.iter().map(|s| s.sha256.clone()).collect::<Vec<_>>();
    let tool =
        if old.policyc == new.policyc { "policyc".to_owned() } else { format!("policyc ({} → {})", old.policyc, new.policyc) };
    let inputs = [
        ("the observed activity".to_owned(), differ(&old.ledger, &new.ledger)),
        ("the baseline".to_owned(), differ(&old.baseline, &new.baseline)),
        ("the policies that stay attached".to_owned(), kept(old) != kept(new)),
        ("the catalogue".to_owned(), differ(&old.catalogue, &new.catalogue)),
        (tool, old.policyc != new.policyc),
    ];
    let those = |wanted: bool| inputs.iter().filter(|(_, is)| *is == wanted).map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    let (changed, same) = (those(true), those(false));
    let mut said = vec![match (changed.len(), same.len()) {
        (0, _) => format!("why: {} are the same, so it is the role, the settings of policyc.toml, or the addresses", list(&same)),
        (_, 0) => format!("why: {} changed", list(&changed)),
        _ => format!("why: {} changed; {} did not", list(&changed), list(&same)),
    }];
    if changed.len() > 1 {
        said.push("`policyc diff --stack NAME --base REVISION` tells apart what each of these did".to_owned());
    }
    said
}

fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// One step on the way from an old policy to a new one: what was exchanged, and what that alone did.
#[derive(Debug, Clone)]
pub struct Step {
    /// What was exchanged, as a clause: `the observed activity changed`.
    pub cause: String,
    /// What it did.
    pub meaning: Meaning,
}

/// Says of each change which steps are behind it, and of each step how much it did; of the last one only where it did
/// something. Actions of a row that have different
/// causes get rows of their own.
pub fn attribute(total: &mut Meaning, steps: &[Step]) {
    let quiet = |step: &Step| step.meaning.changes.iter().all(|row| row.fate == "unchanged");
    let last = steps.len().saturating_sub(1);
    let told = steps.iter().enumerate().filter(|(at, step)| *at < last || !quiet(step));
    total.causes = if steps.iter().all(quiet) { Vec::new() } else { told.map(|(_, step)| summary(step)).collect() };
    let rows = std::mem::take(&mut total.changes);
    total.changes = rows.into_iter().flat_map(|row| split(row, steps)).collect();
}

fn split(row: Row, steps: &[Step]) -> Vec<Row> {
    if row.fate == "unchanged" {
        return vec![row];
    }
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for action in &row.actions {
        let moved = |step: &&Step| step.meaning.changes.iter().any(|r| r.fate != "unchanged" && r.actions.contains(action));
        let causes: Vec<String> = steps.iter().filter(moved).map(|step| format!("because {}", step.cause)).collect();
        match groups.iter_mut().find(|(own, _)| *own == causes) {
            Some((_, actions)) => actions.push(action.clone()),
            None => groups.push((causes, vec![action.clone()])),
        }
    }
    groups.into_iter().map(|(because, actions)| Row { because, ..row.of(actions) }).collect()
}

fn summary(step: &Step) -> String {
    let count = |fates: &[&str]| -> usize {
        step.meaning.changes.iter().filter(|row| fates.contains(&row.fate)).map(|row| row.actions.len()).sum()
    };
    let counts = [
        ("gained", count(&["gained"])),
        ("gained and lost", count(&["exchanged"])),
        ("undecided", count(&["undecided"])),
        ("gone", count(&["gone"])),
        ("narrowed", count(&["narrowed"])),
    ];
    let told: Vec<String> = counts.iter().filter(|(_, n)| *n > 0).map(|(fate, n)| format!("{n} {fate}")).collect();
    let told = if told.is_empty() { "no access changed".to_owned() } else { told.join(", ") };
    format!("because {}: {told}", step.cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::proof::Answer;

    fn certificate(ledger: &str, catalogue: &str, policyc: &str, policy: &str) -> Certificate {
        let subject = |sha256: &str| Subject { sha256: sha256.to_owned(), ..Subject::default() };
        Certificate {
            schema: 1,
            policyc: policyc.to_owned(),
            policy: subject(policy),
            baseline: subject("b"),
            kept: Vec::new(),
            boundary: None,
            ledger: subject(ledger),
            catalogue: subject(catalogue),
            within_baseline: Answer::Proved,
            covers_observed: Answer::Proved,
            calls_replayed: 1,
            endpoint: None,
            not_proved: Vec::new(),
        }
    }

    #[test]
    fn certificates_say_which_inputs_changed() {
        let old = certificate("l", "c", "0.1.0", "p");
        let check = |new: &Certificate, beside: &str, says: &str| {
            let said = of_certificates(Some((&old, "p".into())), Some((new, beside.into()))).join("\n");
            assert_eq!(said, says);
        };
        let rest = "the baseline, the policies that stay attached, the catalogue and policyc did not";
        check(&certificate("m", "c", "0.1.0", "q"), "q", &format!("why: the observed activity changed; {rest}"));
        check(
            &certificate("m", "d", "0.2.0", "q"),
            "q",
            "why: the observed activity, the catalogue and policyc (0.1.0 → 0.2.0) changed; the baseline and the policies \
             that stay attached did not\n`policyc diff --stack NAME --base REVISION` tells apart what each of these did",
        );
        check(
            &certificate("l", "c", "0.1.0", "q"),
            "q",
            "why: the observed activity, the baseline, the policies that stay attached, the catalogue and policyc are the \
             same, so it is the role, the settings of policyc.toml, or the addresses",
        );
        check(
            &certificate("m", "c", "0.1.0", "q"),
            "r",
            "why is not known: a certificate beside the policies is about another policy",
        );
        check(&old, "p", "");
        assert!(of_certificates(None, Some((&old, "p".into()))).is_empty());
    }
}
