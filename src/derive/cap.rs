//! Cap: what of the needs lies inside the baseline.
//!
//! INVARIANT (capped): every need that leaves this pass is allowed by one Allow statement of the baseline, under both
//! readings of `*` across ARN colons, with that statement's conditions carried along word for word. Deny statements that
//! may touch a need are carried along too, so nothing gets around them.

use std::collections::BTreeSet;

use super::{Baseline, Because, Need, Reported};
use crate::catalog::Catalog;
use crate::finding::{Code, Finding};
use crate::iam::{Action, ActionSpec, Conditions, Effect, Pattern, Policy, ResourceSpec, Statement};

/// A need inside the baseline, and under which conditions the baseline grants it: any one of these blocks is enough.
#[derive(Debug, Clone)]
pub struct CappedNeed {
    /// The need; its resource may be narrower than what was asked for.
    pub need: Need,
    /// The condition blocks of the statements that grant it; one empty block where a statement has none.
    pub alternatives: BTreeSet<Conditions>,
}

/// What the pass gives.
#[derive(Debug, Default)]
pub struct Capped {
    /// Needs inside the baseline.
    pub needs: Vec<CappedNeed>,
    /// Needs outside it.
    pub outside: Vec<Reported>,
    /// Deny statements to carry along, narrowed to the actions of the needs where no policy that stays attached may allow more.
    pub denies: Vec<Statement>,
    /// What there is to tell.
    pub findings: Vec<Finding>,
}

/// Takes out the needs that policies which stay attached grant anyway, and says so.
#[must_use]
pub fn kept(policies: &[Baseline], needs: Vec<Need>) -> (Option<Finding>, Vec<Need>) {
    let granted = |need: &Need| {
        let plain = |p: &Baseline| covering(&p.policy, &need.action, &need.resource).iter().any(|s| s.conditions.is_empty());
        policies.iter().any(plain)
    };
    let (granted, lacking): (Vec<Need>, Vec<Need>) = needs.into_iter().partition(granted);
    let names: Vec<&str> = policies.iter().map(|p| p.name.as_str()).collect();
    let message = format!("{} of the needs are granted by policies that stay attached: {}", granted.len(), names.join(", "));
    let finding = (!granted.is_empty())
        .then(|| Finding::new(Code::KeptPolicies, message).advise("keep them attached, or derive without `--keep`"));
    (finding, lacking)
}

/// Needs in the form in which the baseline grants them: where it names a resource only by its second form, so does the need.
#[must_use]
pub fn accepted(baseline: &Policy, needs: Vec<Need>, catalog: &Catalog) -> Vec<Need> {
    let granted = |action: &Action, resource: &Pattern| !covering(baseline, action, resource).is_empty();
    let one = |need: Need| match catalog.second_form(&need.resource) {
        Some(resource) if !granted(&need.action, &need.resource) && granted(&need.action, &resource) => Need { resource, ..need },
        _ => need,
    };
    needs.into_iter().map(one).collect()
}

/// Sorts needs into those inside and those outside the baseline; `kept` are the policies that stay attached beside the result.
#[must_use]
pub fn cap(baseline: &Policy, kept: &[Baseline], needs: Vec<Need>, catalog: &Catalog) -> Capped {
    let mut capped = Capped::default();
    let mut outside: Vec<Need> = Vec::new();
    for need in needs {
        let found = inside(baseline, &need, catalog);
        if found.is_empty() {
            outside.push(need);
        } else {
            capped.needs.extend(found);
        }
    }
    // One action and resource may be seen and needed by a feature: fold what is the same.
    capped.needs.sort_by(|a, b| (&a.need.action, &a.need.resource).cmp(&(&b.need.action, &b.need.resource)));
    capped.needs.dedup_by(|next, first| fold(first, next));
    capped.denies = denies(baseline, kept, &capped.needs);
    capped.findings.extend(conditional(&capped.needs));
    capped.findings.extend(varying(&capped.needs));
    tell(&mut capped, outside);
    capped
}

/// The Allow statements that grant an action on everything a resource pattern matches, unless a Deny without conditions
/// forbids all of it.
#[must_use]
pub fn covering<'a>(policy: &'a Policy, action: &Action, resource: &Pattern) -> Vec<&'a Statement> {
    let denied = policy.statements.iter().any(|s| {
        s.effect == Effect::Deny && s.conditions.is_empty() && names(&s.actions, action) && forbids(&s.resources, resource)
    });
    let grants = |s: &&Statement| s.effect == Effect::Allow && names(&s.actions, action) && spans(&s.resources, resource);
    if denied { Vec::new() } else { policy.statements.iter().filter(grants).collect() }
}

/// Whether the actions of a statement include this one.
#[must_use]
pub fn names(spec: &ActionSpec, action: &Action) -> bool {
    match spec {
        ActionSpec::Only(patterns) => patterns.iter().any(|p| p.matches_action(action)),
        ActionSpec::AllBut(patterns) => !patterns.iter().any(|p| p.matches_action(action)),
    }
}

/// Whether the resources of a statement include everything the pattern matches, under both readings.
fn spans(spec: &ResourceSpec, resource: &Pattern) -> bool {
    match spec {
        ResourceSpec::Only(patterns) => patterns.iter().any(|p| p.covers_arn(resource)),
        ResourceSpec::AllBut(patterns) => !patterns.iter().any(|p| p.overlaps(resource)),
    }
}

/// Whether a Deny takes all that the pattern matches, under at least one reading.
fn forbids(spec: &ResourceSpec, resource: &Pattern) -> bool {
    match spec {
        ResourceSpec::Only(patterns) => patterns.iter().any(|p| p.covers(resource)),
        ResourceSpec::AllBut(patterns) => !patterns.iter().any(|p| p.overlaps(resource)),
    }
}

fn inside(baseline: &Policy, need: &Need, catalog: &Catalog) -> Vec<CappedNeed> {
    let whole = alternatives(baseline, &need.action, &need.resource);
    if !whole.is_empty() {
        return vec![CappedNeed { need: need.clone(), alternatives: whole }];
    }
    let patterns = || {
        let statements = baseline.statements.iter().filter(|s| s.effect == Effect::Allow && names(&s.actions, &need.action));
        statements.filter_map(|s| if let ResourceSpec::Only(patterns) = &s.resources { Some(patterns) } else { None }).flatten()
    };
    let as_granted = |p: Pattern| CappedNeed {
        alternatives: alternatives(baseline, &need.action, &p),
        need: Need { resource: p, ..need.clone() },
    };
    let granted = |parts: BTreeSet<Pattern>| -> Vec<CappedNeed> {
        parts.into_iter().map(as_granted).filter(|c| !c.alternatives.is_empty()).collect()
    };
    // The baseline may grant only parts of what is asked for: take what its patterns share with that.
    let divisible = |p: &&Pattern| !p.has_variable() && (!indivisible(need, catalog) || is_open(p) && need.evidence.is_some());
    let parts = granted(patterns().filter(divisible).filter_map(|p| need.resource.meet(p)).collect());
    if !parts.is_empty() {
        return parts;
    }
    // Or it may grant it by a variable whose value nobody knows here: then by nothing less.
    let opened = |p: &Pattern| p.with_variables(|_| Some(Pattern::any()));
    granted(patterns().filter(|p| p.has_variable() && opened(p).covers_arn(&need.resource)).cloned().collect())
}

/// Whether a need has no parts: where the action knows no resources, a request is about `*`, and no ARN matches that.
fn indivisible(need: &Need, catalog: &Catalog) -> bool {
    need.resource.is_any() && !catalog.reference.supports_resources(&need.action)
}

/// Whether an ARN pattern leaves everything behind its service open, such as `arn:aws:s3:::*`. Many policies grant
/// `s3:ListAllMyBuckets` on that, as AWS's own examples did, and calls go through; so one that was seen keeps it.
fn is_open(pattern: &Pattern) -> bool {
    let text = pattern.to_string();
    crate::iam::Arn::parse(&text)
        .is_some_and(|arn| arn.resource == "*" && [arn.region, arn.account].iter().all(|field| matches!(*field, "" | "*")))
}

fn alternatives(baseline: &Policy, action: &Action, resource: &Pattern) -> BTreeSet<Conditions> {
    let blocks: BTreeSet<Conditions> =
        covering(baseline, action, resource).into_iter().map(|s| carried(baseline, &s.conditions)).collect();
    if blocks.contains(&Conditions::none()) { BTreeSet::from([Conditions::none()]) } else { blocks }
}

/// A condition block as it has to be written in a document that has variables.
#[must_use]
pub fn carried(baseline: &Policy, conditions: &Conditions) -> Conditions {
    if baseline.variables {
        return conditions.clone();
    }
    conditions.iter().fold(Conditions::none(), |all, (operator, key, values)| {
        all.and(operator, key, values.iter().map(|v| v.replace("${", "${$}{")))
    })
}

fn fold(first: &mut CappedNeed, next: &CappedNeed) -> bool {
    if first.need.action != next.need.action || first.need.resource != next.need.resource {
        return false;
    }
    first.need.because.extend(next.need.because.iter().cloned());
    first.need.regions.extend(next.need.regions.iter().cloned());
    first.need.context.retain(|key, _| next.need.context.contains_key(key));
    match (&mut first.need.evidence, &next.need.evidence) {
        (Some(all), Some(more)) => all.merge(more.clone()),
        (slot @ None, Some(more)) => *slot = Some(more.clone()),
        _ => {}
    }
    true
}

/// The baseline's Deny statements, narrowed to the actions that are needed: the result grants nothing else. Policies that stay
/// attached may, and the baseline's Deny has held for them too: where it may, it stays whole.
fn denies(baseline: &Policy, kept: &[Baseline], needs: &[CappedNeed]) -> Vec<Statement> {
    let touched = |s: &Statement| -> Vec<Pattern> {
        let actions: BTreeSet<&Action> = needs
            .iter()
            .filter(|c| names(&s.actions, &c.need.action) && may_forbid(&s.resources, &c.need.resource))
            .map(|c| &c.need.action)
            .collect();
        actions.into_iter().map(|a| Pattern::literal(a.as_str())).collect()
    };
    let holds = |deny: &Statement| {
        let mut allows = kept.iter().flat_map(|p| &p.policy.statements).filter(|s| s.effect == Effect::Allow);
        allows.any(|s| share_actions(&s.actions, &deny.actions) && share_resources(&s.resources, &deny.resources))
    };
    let narrowed = |s: &Statement| {
        let actions = if holds(s) { s.actions.clone() } else { ActionSpec::Only(touched(s)) };
        (actions != ActionSpec::Only(Vec::new())).then(|| Statement {
            sid: String::new(),
            effect: Effect::Deny,
            actions,
            resources: s.resources.clone(),
            conditions: carried(baseline, &s.conditions),
        })
    };
    baseline.statements.iter().filter(|s| s.effect == Effect::Deny).filter_map(narrowed).collect()
}

/// Whether some action may be one of both; in doubt it is.
fn share_actions(a: &ActionSpec, b: &ActionSpec) -> bool {
    match (a, b) {
        (ActionSpec::Only(a), ActionSpec::Only(b)) => a.iter().any(|a| b.iter().any(|b| a.overlaps_folded(b))),
        (ActionSpec::Only(some), ActionSpec::AllBut(others)) | (ActionSpec::AllBut(others), ActionSpec::Only(some)) => {
            some.iter().any(|one| !others.iter().any(|other| other.covers_folded(one)))
        }
        (ActionSpec::AllBut(_), ActionSpec::AllBut(_)) => true,
    }
}

/// Whether some resource may be one of both, under one reading at least; in doubt it is.
fn share_resources(a: &ResourceSpec, b: &ResourceSpec) -> bool {
    match (a, b) {
        (ResourceSpec::Only(a), ResourceSpec::Only(b)) => a.iter().any(|a| b.iter().any(|b| a.overlaps(b))),
        (ResourceSpec::Only(some), ResourceSpec::AllBut(others)) | (ResourceSpec::AllBut(others), ResourceSpec::Only(some)) => {
            some.iter().any(|one| !others.iter().any(|other| other.covers_arn(one)))
        }
        (ResourceSpec::AllBut(_), ResourceSpec::AllBut(_)) => true,
    }
}

/// Whether a Deny may matter: its resources are not provably apart from the folder of what is needed, so that a resource
/// generalised later is still under it.
fn may_forbid(spec: &ResourceSpec, resource: &Pattern) -> bool {
    match spec {
        ResourceSpec::Only(patterns) => {
            let literal = resource.literal_prefix();
            let service: String = literal.splitn(4, ':').take(3).collect::<Vec<_>>().join(":");
            let near = Pattern::literal(&service).then(&Pattern::any());
            resource.is_any() || patterns.iter().any(|p| p.overlaps(&near))
        }
        ResourceSpec::AllBut(_) => true,
    }
}

/// Conditions of the baseline that CloudTrail cannot confirm are carried along; the reviewer has to know.
fn conditional(needs: &[CappedNeed]) -> Option<Finding> {
    let keys: BTreeSet<&str> =
        needs.iter().flat_map(|c| &c.alternatives).flat_map(|block| block.iter().map(|(_, key, _)| key)).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    (!keys.is_empty()).then(|| {
        let message = format!(
            "the baseline tests {}, which the trail does not show; the conditions were kept word for word",
            keys.join(", ")
        );
        Finding::new(Code::ConditionUndetermined, message)
    })
}

/// Resources of the baseline whose variables stay open, so that more may be granted than was seen.
fn varying(needs: &[CappedNeed]) -> Option<Finding> {
    let resources: BTreeSet<&Pattern> = needs.iter().map(|c| &c.need.resource).filter(|p| p.has_variable()).collect();
    let list: Vec<String> = resources.into_iter().map(|resource| format!("`{resource}`")).collect();
    (!list.is_empty()).then(|| {
        let message = format!(
            "the baseline grants {} by variables whose values the trail does not show; the resources were kept word for word",
            list.join(", ")
        );
        Finding::new(Code::ConditionUndetermined, message)
    })
}

fn tell(capped: &mut Capped, outside: Vec<Need>) {
    for need in outside {
        for because in &need.because {
            if let Because::Feature { feature, why, .. } = because {
                let message = format!(
                    "{feature} needs `{}` on `{}` ({why}), and the baseline does not grant it",
                    need.action, need.resource
                );
                capped.findings.push(
                    Finding::new(Code::FloorOutsideBaseline, message)
                        .advise("the feature will not fully work; choose another baseline if it has to"),
                );
            }
        }
        if let Some(evidence) = &need.evidence {
            capped.outside.push(Reported {
                action: need.action.clone(),
                resource: need.resource.clone(),
                why: "the baseline does not grant it".to_owned(),
                calls: evidence.calls(),
                first: evidence.first.clone(),
                last: evidence.last.clone(),
                events: evidence.samples.iter().map(|(_, id)| id.clone()).collect(),
            });
        }
    }
}
