//! Condense: from grants to statements that a person can read, within the limits of IAM.
//!
//! A statement holds the actions of one service that share resources and conditions. Statements are named after what
//! they are about and sorted by that name, so that a small change of activity is a small diff.

use std::collections::{BTreeMap, BTreeSet};

use super::{Grant, Question, Rung};
use crate::catalog::Catalog;
use crate::finding::{Code, Finding};
use crate::iam::{Action, ActionSpec, Arn, Conditions, Effect, Pattern, Policy, ResourceSpec, Statement};

/// What the pass gives.
#[derive(Debug)]
pub struct Condensed {
    /// The policy.
    pub policy: Policy,
    /// The grants as they ended up, coarser ones included.
    pub grants: Vec<Grant>,
    /// What there is to tell.
    pub findings: Vec<Finding>,
}

/// Writes grants as statements; takes coarser rungs where the policy would be over its limit.
///
/// INVARIANT (within-limit): the policy is within the limit, or the finding `limit-exceeded` forbids writing it.
#[must_use]
pub fn condense(question: &Question, mut grants: Vec<Grant>, denies: &[Statement], catalog: &Catalog) -> Condensed {
    let mut findings = Vec::new();
    loop {
        let policy = write(question, &grants, denies, catalog);
        let size = policy.size();
        if size <= question.limit {
            return Condensed { policy, grants, findings };
        }
        match coarsen(question, &mut grants) {
            Some(finding) => findings.push(finding),
            None => {
                let message =
                    format!("the policy has {size} characters without white space, and the limit is {}", question.limit);
                findings.push(
                    Finding::new(Code::LimitExceeded, message)
                        .advise("split the role, or give a wider `--limit` where the policy will be attached otherwise"),
                );
                return Condensed { policy, grants, findings };
            }
        }
    }
}

/// What a statement is about: its service, the container of its resources, and its conditions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    service: String,
    about: String,
    conditions: Conditions,
}

fn write(question: &Question, grants: &[Grant], denies: &[Statement], catalog: &Catalog) -> Policy {
    let mut subjects: BTreeMap<Subject, BTreeMap<&Action, BTreeSet<&Pattern>>> = BTreeMap::new();
    for grant in grants {
        let subject = Subject {
            service: grant.action.service().to_ascii_lowercase(),
            about: about(question, grant),
            conditions: grant.conditions.clone(),
        };
        subjects.entry(subject).or_default().entry(&grant.action).or_default().insert(&grant.resource);
    }
    let mut statements = Vec::new();
    for (subject, actions) in subjects {
        let mut shared: BTreeMap<BTreeSet<&Pattern>, Vec<&Action>> = BTreeMap::new();
        for (action, resources) in actions {
            shared.entry(resources).or_default().push(action);
        }
        let alone = shared.len() == 1;
        for (resources, actions) in shared {
            statements.push(Statement {
                sid: sid(&subject, &actions, alone, catalog),
                effect: Effect::Allow,
                actions: ActionSpec::Only(actions.iter().map(|a| Pattern::literal(a.as_str())).collect()),
                resources: ResourceSpec::Only(resources.into_iter().cloned().collect()),
                conditions: subject.conditions.clone(),
            });
        }
    }
    statements.sort_by(|a, b| (&a.sid, &a.actions).cmp(&(&b.sid, &b.actions)));
    let carried = denies.iter().enumerate().map(|(n, deny)| Statement { sid: format!("BaselineDeny{}", n + 1), ..deny.clone() });
    statements.extend(carried);
    number(&mut statements);
    Policy::new(statements)
}

/// The container that gives a statement its name: a bucket, a resource type, or nothing.
fn about(question: &Question, grant: &Grant) -> String {
    if grant.service_bucket {
        return "service-buckets".to_owned();
    }
    let text = grant.resource.to_string();
    let Some(arn) = Arn::parse(&text) else { return String::new() };
    let kind = arn.resource.split(['/', ':']).next().unwrap_or_default();
    let kind = question.names.get(kind).map_or(kind, String::as_str);
    match arn.service {
        "s3" if arn.resource.contains('/') => format!("{kind}-objects"),
        "s3" => format!("{kind}-bucket"),
        "logs" if arn.resource.contains(":log-stream:") => "streams".to_owned(),
        "logs" => "group".to_owned(),
        _ if arn.resource.contains(['/', ':']) => kind.to_owned(),
        _ => "resource".to_owned(),
    }
}

/// A name such as `S3AcmeUploadsObjectsPutObject`: only letters and digits are allowed in a `Sid`.
fn sid(subject: &Subject, actions: &[&Action], alone: bool, catalog: &Catalog) -> String {
    let conditional = subject.conditions.iter().any(|(_, key, _)| key != "aws:RequestedRegion");
    let mut name = format!("{}{}", catalog.service_title(&subject.service), camel(&subject.about));
    if !alone || conditional {
        match actions {
            [one] => name.push_str(one.name()),
            [first, ..] => name.push_str(&format!("{}AndMore", first.name())),
            [] => {}
        }
    }
    name.chars().take(96).collect()
}

/// Words joined with capitals; whatever is not a letter or digit parts words.
fn camel(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words.flat_map(|w| w.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(w.chars().skip(1))).take(60).collect()
}

fn number(statements: &mut [Statement]) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for statement in statements {
        let times = seen.entry(statement.sid.clone()).or_default();
        *times += 1;
        if *times > 1 {
            statement.sid = format!("{}{times}", statement.sid);
        }
    }
}

/// A step down the ladder that is open: these grants become one.
struct Step {
    to: Pattern,
    rung: Rung,
    members: BTreeSet<usize>,
    saves: usize,
    depth: usize,
}

/// Takes the step that costs least: the one that leaves the most specific folder, and among those saves most.
fn coarsen(question: &Question, grants: &mut Vec<Grant>) -> Option<Finding> {
    let step = steps(question, grants).into_iter().max_by(|a, b| (a.depth, a.saves, &b.to).cmp(&(b.depth, b.saves, &a.to)))?;
    let mut merged: Option<Grant> = None;
    let mut index = 0;
    grants.retain(|grant| {
        let member = step.members.contains(&index);
        index += 1;
        if member {
            match &mut merged {
                Some(all) => all.needs.extend(grant.needs.iter().copied()),
                slot => *slot = Some(Grant { resource: step.to.clone(), rung: step.rung.max(grant.rung), ..grant.clone() }),
            }
        }
        !member
    });
    let grant = merged?;
    let message = format!(
        "`{}` is granted on `{}` instead of {} narrower resources, to stay within the size limit",
        grant.action,
        grant.resource,
        step.members.len()
    );
    grants.push(grant);
    Some(Finding::new(Code::CoarserResource, message).advise("review what else the wider pattern reaches"))
}

/// Every folder that would replace at least two resources of one action and stays inside the baseline.
fn steps(question: &Question, grants: &[Grant]) -> Vec<Step> {
    let mut folders: BTreeMap<(&Action, &Conditions, String), BTreeSet<usize>> = BTreeMap::new();
    for (index, grant) in grants.iter().enumerate() {
        let prefix = grant.resource.literal_prefix();
        let name_at = prefix.match_indices(':').nth(4).map_or(prefix.len(), |(at, _)| at + 1);
        for (at, _) in prefix.match_indices(['/', ':']).filter(|(at, _)| *at >= name_at) {
            if let Some(folder) = prefix.get(..=at) {
                folders.entry((&grant.action, &grant.conditions, folder.to_owned())).or_default().insert(index);
            }
        }
    }
    let mut found = Vec::new();
    for ((action, conditions, folder), members) in folders {
        let to = Pattern::literal(&folder).then(&Pattern::any());
        let service = members.iter().any(|i| grants.get(*i).is_some_and(|g| g.service_bucket));
        let inside = || {
            super::cap::covering(&question.baseline.policy, action, &to)
                .iter()
                .any(|s| conditions.includes(&super::cap::carried(&question.baseline.policy, &s.conditions)))
        };
        if members.len() < 2 || service || !inside() {
            continue;
        }
        let before: usize = members.iter().filter_map(|i| grants.get(*i)).map(|g| g.resource.to_string().len() + 3).sum();
        let depth = folder.matches(['/', ':']).count();
        let rung = if depth <= 6 { Rung::Type } else { Rung::Prefix };
        found.push(Step { saves: before.saturating_sub(folder.len() + 4), to, rung, members, depth });
    }
    found.retain(|s| s.saves > 0);
    found
}
