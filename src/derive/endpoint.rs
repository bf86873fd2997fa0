//! The policy of a VPC endpoint: what the roles behind it need of its service, inside what the endpoint lets through.
//!
//! INVARIANT (endpoint-between): what a source grants and the baseline lets through is let through by the result, and the
//! result lets nothing through that the baseline does not. Each source is met with each Allow of the baseline; where
//! neither pattern lies inside the other, the baseline's stands.

use std::collections::{BTreeMap, BTreeSet};

use super::{Baseline, cap};
use crate::catalog::Catalog;
use crate::catalog::endpoints::{FETCH, Repository};
use crate::finding::{Code, Finding};
use crate::iam::{ActionSpec, Conditions, Effect, Pattern, Policy, ResourceSpec, Statement, everyone};

/// A permission that has to get through the endpoint.
#[derive(Debug, Clone)]
pub struct Source {
    /// Whose it is, for people.
    pub of: String,
    /// The statement that grants it.
    pub statement: Statement,
    /// Why it is there, in lines short enough for a comment.
    pub because: Vec<String>,
}

/// What to derive.
#[derive(Debug, Clone)]
pub struct EndpointQuestion<'a> {
    /// The endpoint, for people.
    pub endpoint: String,
    /// The prefix of the actions that it carries.
    pub service: String,
    /// The account of the roles.
    pub account: String,
    /// The partition.
    pub partition: String,
    /// The region of the endpoint.
    pub region: String,
    /// What the endpoint lets through; its policy without the principal, which is everyone.
    pub baseline: &'a Baseline,
    /// What the roles behind it need.
    pub sources: Vec<Source>,
    /// The package repositories that their instances read from.
    pub repositories: Vec<&'a Repository>,
}

/// The result.
#[derive(Debug, Clone)]
pub struct EndpointDerivation {
    /// The policy, without the principal.
    pub policy: Policy,
    /// Why each statement is there, by `Sid`.
    pub reasons: BTreeMap<String, Vec<String>>,
    /// What there is to tell.
    pub findings: Vec<Finding>,
}

/// What a statement of the result is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    sid: String,
    actions: ActionSpec,
    resources: ResourceSpec,
    conditions: Conditions,
    because: BTreeSet<String>,
}

/// Derives the policy of an endpoint.
#[must_use]
pub fn endpoint(question: &EndpointQuestion<'_>, catalog: &Catalog) -> EndpointDerivation {
    let mut findings = Vec::new();
    let mut parts: Vec<Part> = Vec::new();
    for source in &question.sources {
        for (wanted, signed) in wanted(question, source, catalog) {
            let met = meet(question, &wanted, signed);
            if met.is_empty() {
                findings.push(narrower(question, source, &wanted));
            }
            met.into_iter().for_each(|part| add(&mut parts, part));
        }
    }
    if question.service == "s3" {
        let fetched: Vec<Part> =
            question.repositories.iter().flat_map(|r| meet(question, &repository(question, r), false)).collect();
        if fetched.is_empty() && !question.repositories.is_empty() {
            let message = format!("`{}` lets no package repository of Amazon Linux through as it is", question.endpoint);
            findings.push(
                Finding::new(Code::EndpointNarrower, message)
                    .advise("widen its baseline if packages are to be updated through it"),
            );
        }
        fetched.into_iter().for_each(|part| add(&mut parts, part));
    }
    let (policy, reasons) = write(question, joined(parts));
    findings.extend(verdict(question, &policy, catalog.endpoints.limit));
    findings.sort();
    findings.dedup();
    EndpointDerivation { policy, reasons, findings }
}

fn verdict(question: &EndpointQuestion<'_>, policy: &Policy, limit: usize) -> Option<Finding> {
    if !policy.statements.iter().any(|s| s.effect == Effect::Allow) {
        let message =
            format!("no role behind `{}` needs anything of `{}` that it lets through", question.endpoint, question.service);
        return Some(Finding::new(Code::EndpointUnused, message).advise("take it out of policyc.toml, or out of the template"));
    }
    let size = format!("{:#}\n", everyone::write(policy)).chars().count();
    (size > limit).then(|| {
        let message =
            format!("the policy of `{}` has {size} characters with white space, and the limit is {limit}", question.endpoint);
        Finding::new(Code::LimitExceeded, message).advise("give some of its roles an endpoint of their own")
    })
}

fn narrower(question: &EndpointQuestion<'_>, source: &Source, wanted: &Part) -> Finding {
    let texts = |patterns: &[Pattern]| patterns.iter().map(|p| format!("`{p}`")).collect::<Vec<_>>().join(", ");
    let (ActionSpec::Only(actions) | ActionSpec::AllBut(actions)) = &wanted.actions;
    let (ResourceSpec::Only(resources) | ResourceSpec::AllBut(resources)) = &wanted.resources;
    let message = format!(
        "{} allows {} on {}, and `{}` does not let that through as it is",
        source.of,
        texts(actions),
        texts(resources),
        question.endpoint
    );
    Finding::new(Code::EndpointNarrower, message).advise("widen the endpoint's baseline if it is needed on this path")
}

/// What of a source concerns the service, and whether requests for it are signed with the credentials of the account:
/// the buckets of Systems Manager are also read without signing and by URLs that the service signs.
fn wanted(question: &EndpointQuestion<'_>, source: &Source, catalog: &Catalog) -> Vec<(Part, bool)> {
    let statement = &source.statement;
    let all = Pattern::parse(&format!("{}:*", question.service));
    let actions: Vec<Pattern> = match &statement.actions {
        ActionSpec::Only(patterns) => {
            let concerned = |p: &&Pattern| all.overlaps_folded(p);
            patterns.iter().filter(concerned).map(|p| if all.covers_folded(p) { p.clone() } else { all.clone() }).collect()
        }
        ActionSpec::AllBut(_) => vec![all],
    };
    if statement.effect != Effect::Allow || actions.is_empty() {
        return Vec::new();
    }
    let resources = match &statement.resources {
        ResourceSpec::Only(patterns) => patterns.clone(),
        ResourceSpec::AllBut(_) => vec![Pattern::any()],
    };
    let fetches = actions.iter().all(|a| a.to_string().eq_ignore_ascii_case(FETCH));
    let (service, own): (Vec<_>, Vec<_>) = resources.into_iter().partition(|r| fetches && catalog.is_service_bucket(r));
    let part = |resources: Vec<Pattern>| Part {
        sid: statement.sid.clone(),
        actions: ActionSpec::Only(actions.clone()),
        resources: ResourceSpec::Only(resources),
        conditions: statement.conditions.clone(),
        because: source.because.iter().map(|why| format!("{}: {why}", source.of)).collect(),
    };
    [(own, true), (service, false)].into_iter().filter(|(r, _)| !r.is_empty()).map(|(r, signed)| (part(r), signed)).collect()
}

fn repository(question: &EndpointQuestion<'_>, repository: &Repository) -> Part {
    let object = |bucket: String| Pattern::literal(&format!("arn:{}:s3:::{bucket}/", question.partition)).then(&Pattern::any());
    Part {
        sid: "PackageRepositories".to_owned(),
        actions: ActionSpec::Only(vec![Pattern::literal(FETCH)]),
        resources: ResourceSpec::Only(repository.buckets(&question.region).map(object).collect()),
        conditions: Conditions::none(),
        because: BTreeSet::from([format!("packages of {}: read without signing, so nothing shows it", repository.title)]),
    }
}

/// What is both wanted and let through, by each Allow of the baseline that lets some of it through.
fn meet(question: &EndpointQuestion<'_>, wanted: &Part, signed: bool) -> Vec<Part> {
    let (ActionSpec::Only(actions), ResourceSpec::Only(resources)) = (&wanted.actions, &wanted.resources) else {
        return Vec::new();
    };
    let baseline = &question.baseline.policy;
    let with = |allow: &Statement| {
        let (negated, patterns) = match &allow.actions {
            ActionSpec::Only(patterns) => (false, patterns),
            ActionSpec::AllBut(patterns) => (true, patterns),
        };
        let common = common(negated, patterns, actions, Pattern::covers_folded, Pattern::overlaps_folded)?;
        let actions = if common.negated { ActionSpec::AllBut(common.patterns) } else { ActionSpec::Only(common.patterns) };
        let (negated, patterns) = match &allow.resources {
            ResourceSpec::Only(patterns) => (false, patterns),
            ResourceSpec::AllBut(patterns) => (true, patterns),
        };
        let common = self::common(negated, patterns, resources, Pattern::covers_arn, Pattern::overlaps)?;
        let resources = if common.negated { ResourceSpec::AllBut(common.patterns) } else { ResourceSpec::Only(common.patterns) };
        let mut conditions = cap::carried(baseline, &allow.conditions);
        for (operator, key, values) in wanted.conditions.iter() {
            conditions = conditions.and(operator, key, values.iter().cloned());
        }
        if signed && !conditions.has(ACCOUNT) {
            conditions = conditions.and("StringEquals", ACCOUNT, [question.account.clone()]);
        }
        Some(Part { actions, resources, conditions, ..wanted.clone() })
    };
    baseline.statements.iter().filter(|s| s.effect == Effect::Allow).filter_map(with).collect()
}

/// Who signed a request, by account.
const ACCOUNT: &str = "aws:PrincipalAccount";

struct Common {
    negated: bool,
    patterns: Vec<Pattern>,
}

/// What the patterns of an Allow and the wanted ones have in common, and nothing that the Allow lacks.
fn common(
    negated: bool,
    allowed: &[Pattern],
    wanted: &[Pattern],
    covers: fn(&Pattern, &Pattern) -> bool,
    overlaps: fn(&Pattern, &Pattern) -> bool,
) -> Option<Common> {
    let mut found = BTreeSet::new();
    for one in wanted {
        let near: Vec<&Pattern> = allowed.iter().filter(|p| overlaps(p, one)).collect();
        match negated {
            true if near.is_empty() => drop(found.insert(one.clone())),
            true if near.iter().any(|p| covers(p, one)) => {}
            true => return Some(Common { negated, patterns: allowed.to_vec() }),
            false if near.iter().any(|p| covers(p, one)) => drop(found.insert(one.clone())),
            false => found.extend(near.into_iter().cloned()),
        }
    }
    (!found.is_empty()).then(|| Common { negated: false, patterns: found.into_iter().collect() })
}

/// Adds a part, unless another one says the same or more; then its reasons go there.
fn add(parts: &mut Vec<Part>, mut part: Part) {
    if let Some(wider) = parts.iter_mut().find(|other| says(other, &part)) {
        wider.because.append(&mut part.because);
        return;
    }
    let (gone, mut stay): (Vec<Part>, Vec<Part>) = std::mem::take(parts).into_iter().partition(|other| says(&part, other));
    gone.into_iter().for_each(|other| part.because.extend(other.because));
    stay.push(part);
    *parts = stay;
}

/// Whether a part lets everything through that another does.
fn says(wide: &Part, narrow: &Part) -> bool {
    let actions = match (&wide.actions, &narrow.actions) {
        (ActionSpec::Only(wide), ActionSpec::Only(narrow)) => narrow.iter().all(|n| wide.iter().any(|w| w.covers_folded(n))),
        (wide, narrow) => wide == narrow,
    };
    let resources = match (&wide.resources, &narrow.resources) {
        (ResourceSpec::Only(wide), ResourceSpec::Only(narrow)) => narrow.iter().all(|n| wide.iter().any(|w| w.covers_arn(n))),
        (wide, narrow) => wide == narrow,
    };
    actions && resources && narrow.conditions.includes(&wide.conditions)
}

/// Parts of one name and the same conditions that differ in their actions or in their resources only become one.
fn joined(mut parts: Vec<Part>) -> Vec<Part> {
    fn union(one: &[Pattern], other: &[Pattern]) -> Vec<Pattern> {
        one.iter().chain(other).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }
    let join = |one: &Part, other: &Part| -> Option<Part> {
        if (&one.sid, &one.conditions) != (&other.sid, &other.conditions) {
            return None;
        }
        let because = &one.because | &other.because;
        match (&one.actions, &other.actions, &one.resources, &other.resources) {
            (ActionSpec::Only(a), ActionSpec::Only(b), r, s) if r == s => {
                Some(Part { actions: ActionSpec::Only(union(a, b)), because, ..one.clone() })
            }
            (a, b, ResourceSpec::Only(r), ResourceSpec::Only(s)) if a == b => {
                Some(Part { resources: ResourceSpec::Only(union(r, s)), because, ..one.clone() })
            }
            _ => None,
        }
    };
    let mut done: Vec<Part> = Vec::new();
    parts.sort_by(|a, b| {
        (&a.sid, &a.conditions, &a.resources, &a.actions).cmp(&(&b.sid, &b.conditions, &b.resources, &b.actions))
    });
    for part in parts {
        match done.iter().enumerate().find_map(|(n, other)| join(other, &part).map(|both| (n, both))) {
            Some((n, both)) => {
                if let Some(slot) = done.get_mut(n) {
                    *slot = both;
                }
            }
            None => done.push(part),
        }
    }
    done
}

fn write(question: &EndpointQuestion<'_>, parts: Vec<Part>) -> (Policy, BTreeMap<String, Vec<String>>) {
    let mut reasons = BTreeMap::new();
    let mut used = BTreeSet::new();
    let mut statements = Vec::new();
    for part in parts {
        let name = if part.sid.is_empty() { "Statement".to_owned() } else { part.sid };
        let numbered = (2..).map(|n| format!("{name}{n}"));
        let Some(sid) = std::iter::once(name.clone()).chain(numbered).find(|sid| !used.contains(sid)) else { continue };
        used.insert(sid.clone());
        reasons.insert(sid.clone(), part.because.into_iter().collect());
        let (actions, resources, conditions) = (part.actions, part.resources, part.conditions);
        statements.push(Statement { sid, effect: Effect::Allow, actions, resources, conditions });
    }
    let all = Pattern::parse(&format!("{}:*", question.service));
    let concerned = |actions: &ActionSpec| match actions {
        ActionSpec::Only(patterns) => patterns.iter().any(|p| p.overlaps_folded(&all)),
        ActionSpec::AllBut(patterns) => !patterns.iter().any(|p| p.covers_folded(&all)),
    };
    let baseline = &question.baseline.policy;
    let denies = baseline.statements.iter().filter(|s| s.effect == Effect::Deny && concerned(&s.actions));
    for (n, deny) in denies.enumerate() {
        let sid = format!("BaselineDeny{}", n + 1);
        reasons.insert(sid.clone(), vec!["denied by the endpoint's baseline".to_owned()]);
        statements.push(Statement { sid, conditions: cap::carried(baseline, &deny.conditions), ..deny.clone() });
    }
    (Policy::new(statements), reasons)
}
