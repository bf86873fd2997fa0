//! The passes: from a ledger and a baseline to a policy, each a pure function, in one visible order.
//!
//! ```text
//! scope ──► demand ──► floor ──► cap ──► generalise ──► condense
//! whose     what was   what      inside  from names     into statements
//! calls     needed     cannot    the     to patterns    within the limits
//!                      be seen   baseline
//! ```
//!
//! INVARIANT (order-free): the result depends on the ledger's contents only, never on the order of files or events.
//! INVARIANT (demand-monotone): more calls never demand less. The one exception is named: a newer agent's heartbeats
//! take the `ec2messages` permissions away (finding `agent-current`).

pub mod cap;
pub mod condense;
pub mod demand;
pub mod endpoint;
pub mod floor;
pub mod generalise;
pub mod names;
pub mod origin;
mod places;
pub mod scope;
mod variables;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::finding::{Code, Finding, Severity};
use crate::iam::{Action, Pattern, Policy};
use crate::ledger::{Evidence, Ledger};

/// The policy that the result must stay inside.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// Its name as people write it, or the file's name.
    pub name: String,
    /// AWS's version id, empty for a file.
    pub version: String,
    /// SHA-256 of the document's bytes, hexadecimal.
    pub sha256: String,
    /// The document's bytes, for the checker.
    pub bytes: Vec<u8>,
    /// The document, parsed.
    pub policy: Policy,
}

/// What to derive: everything the passes need beside the ledger and the catalogue.
#[derive(Debug, Clone)]
pub struct Question {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// The account of the role.
    pub account: String,
    /// The home region: where service buckets are looked up and floors are pinned.
    pub region: String,
    /// The role's name, without its path.
    pub role: String,
    /// The instances that count; empty for every instance session of the role.
    pub instances: BTreeSet<String>,
    /// Instances that run and are expected to have made no call.
    pub silent: BTreeSet<String>,
    /// Features declared with `--need`, with the resource they were given, if any.
    pub needs: BTreeMap<String, Vec<String>>,
    /// Address ranges that are the instances' own (`--address`).
    pub addresses: Vec<ipnet::IpNet>,
    /// The same in a recording, where something else stands for each address.
    pub masked: BTreeSet<crate::ledger::address::Address>,
    /// VPC endpoints that are the stack's own.
    pub endpoints: BTreeSet<String>,
    /// Logical ids of the stack's resources by physical name: statements are named after them.
    pub names: BTreeMap<String, String>,
    /// Whether other sessions may share the role.
    pub allow_shared_role: bool,
    /// The policy to stay inside.
    pub baseline: Baseline,
    /// Policies that stay attached to the role beside the result.
    pub kept: Vec<Baseline>,
    /// The role's permissions boundary. It changes no policy; what it forbids is told.
    pub boundary: Option<Baseline>,
    /// The largest size of the result, in characters without white space.
    pub limit: usize,
}

/// Why something is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// It was seen, and it passed authorisation.
    Seen,
    /// A feature needs it and the source cannot show it.
    Feature {
        /// The feature's name, such as `session-manager`.
        feature: String,
        /// Why the feature needs it.
        why: String,
        /// Where that is documented.
        source: String,
    },
}

/// One permission that is needed, before it is generalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The action, in the catalogue's spelling.
    pub action: Action,
    /// The resource as exactly as it is known.
    pub resource: Pattern,
    /// The regions in which it was called.
    pub regions: BTreeSet<String>,
    /// Values of condition keys that the records give, by key.
    pub context: BTreeMap<String, BTreeSet<String>>,
    /// Why.
    pub because: BTreeSet<Because>,
    /// What was seen of it, `None` where nothing can be.
    pub evidence: Option<Evidence>,
}

/// How far a resource was generalised, from exact to coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// The name as it was seen.
    Exact,
    /// The names of instances and other short-lived things are left open.
    Ephemeral,
    /// A folder that several distinct names share.
    Prefix,
    /// The resource type, pinned to account and region.
    Type,
    /// The baseline's own resource, because of the variables in it.
    Baseline,
    /// The action has no resource-level permissions.
    Any,
}

/// One permission of the result, on one resource pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The action.
    pub action: Action,
    /// The resource as it will be written.
    pub resource: Pattern,
    /// How general the resource is.
    pub rung: Rung,
    /// The conditions under which it is granted.
    pub conditions: crate::iam::Conditions,
    /// The needs it answers, as indexes into [`Derivation::needs`].
    pub needs: BTreeSet<usize>,
    /// Whether it is one of the buckets of the SSM service itself.
    pub service_bucket: bool,
}

/// A call that is reported and grants nothing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reported {
    /// The action.
    pub action: Action,
    /// The resource as exactly as it is known.
    pub resource: Pattern,
    /// Why it is reported.
    pub why: String,
    /// How many calls.
    pub calls: u64,
    /// The first, RFC 3339.
    pub first: String,
    /// The last, RFC 3339.
    pub last: String,
    /// Sample event ids.
    pub events: Vec<String>,
}

impl Reported {
    /// A report of a use.
    #[must_use]
    pub fn of(used: &crate::ledger::Use, evidence: &Evidence, why: impl Into<String>) -> Self {
        Self::seen(used.action.clone(), used.resource.clone(), evidence, why)
    }

    /// A report of what was seen of an action and a resource.
    #[must_use]
    pub fn seen(action: Action, resource: Pattern, evidence: &Evidence, why: impl Into<String>) -> Self {
        Self {
            action,
            resource,
            why: why.into(),
            calls: evidence.calls(),
            first: evidence.first.clone(),
            last: evidence.last.clone(),
            events: evidence.samples.iter().map(|(_, id)| id.clone()).collect(),
        }
    }
}

/// Everything the passes found out.
#[derive(Debug, Clone)]
pub struct Derivation {
    /// The scoped-down policy.
    pub policy: Policy,
    /// What is granted and why, in the policy's order.
    pub grants: Vec<Grant>,
    /// Every need inside the baseline.
    pub needs: Vec<Need>,
    /// What features need, whether or not the baseline grants it.
    pub floor: Vec<Need>,
    /// The calls that counted: made by the instances, and past authorisation.
    pub observed: Vec<crate::ledger::Use>,
    /// Needs that the baseline does not grant, never granted.
    pub outside: Vec<Reported>,
    /// Calls that authorisation refused.
    pub denied: Vec<Reported>,
    /// Calls that passed although the permissions boundary, or a Deny of a policy that stays attached, forbids them today; the checker
    /// finds them.
    pub forbidden: Vec<Reported>,
    /// What forbids an action or some of it whatever the policy grants, in sentences; the checker finds it.
    pub limits: BTreeMap<Action, BTreeSet<String>>,
    /// Calls whose failure says nothing about authorisation.
    pub failed: Vec<Reported>,
    /// Calls with the instances' credentials from somewhere else.
    pub suspicious: Vec<Reported>,
    /// Events that the catalogue cannot map.
    pub unmapped: Vec<(String, Evidence)>,
    /// The verdict on each action of the baseline.
    pub verdicts: Vec<verdict::ActionVerdict>,
    /// The features in use or declared, and how that is known.
    pub features: BTreeMap<String, String>,
    /// Everything worth telling, most severe first.
    pub findings: Vec<Finding>,
    /// The instance sessions that counted.
    pub instances: BTreeSet<String>,
}

impl Derivation {
    /// Whether a finding forbids writing the result.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.findings.iter().any(|f| f.severity() == Severity::Error)
    }
}

/// Runs the passes.
#[must_use]
pub fn derive(question: &Question, ledger: &Ledger, catalog: &Catalog) -> Derivation {
    let scoped = scope::scope(question, ledger);
    let demanded = demand::demand(&scoped, catalog);
    let coverage = ledger.shown();
    let floored = floor::floor(question, &coverage, &scoped, catalog);
    let mut findings = scoped.findings.clone();
    findings.extend(floored.findings);

    let floor = floored.needs.clone();
    let filled = variables::filled(question);
    let (kept, needs) = cap::kept(&filled.kept, demanded.into_iter().chain(floored.needs).collect());
    findings.extend(kept);
    findings.extend(silent(question, &scoped));
    findings.extend(unmapped(ledger));
    findings.extend(unnamed(&scoped));
    let needs = cap::accepted(&filled.baseline.policy, needs, catalog);
    let capped = cap::cap(&filled.baseline.policy, &filled.kept, needs, catalog);
    findings.extend(capped.findings);
    let mut grants = generalise::generalise(&filled, &capped.needs, &scoped.instances, catalog);
    grants.iter_mut().for_each(|grant| variables::write(question, grant));
    let condensed = condense::condense(question, grants, &capped.denies, catalog);
    findings.extend(condensed.findings);
    findings.extend(nothing(&condensed.policy));

    let verdicts = verdict::verdicts(question, &coverage, &capped.needs, &condensed.grants, catalog);
    findings.extend(verdict::blind_finding(&verdicts));
    findings.extend(denied_inside(&filled.baseline.policy, &scoped.denied));
    findings.sort_by(|a, b| (a.severity(), a.code, &a.message).cmp(&(b.severity(), b.code, &b.message)));
    findings.dedup();
    Derivation {
        policy: condensed.policy,
        grants: condensed.grants,
        needs: capped.needs.into_iter().map(|n| n.need).collect(),
        floor,
        observed: scoped.uses.iter().map(|(used, _)| (*used).clone()).collect(),
        outside: capped.outside,
        denied: scoped.denied,
        forbidden: Vec::new(),
        limits: BTreeMap::new(),
        failed: scoped.failed,
        suspicious: scoped.suspicious,
        unmapped: ledger.unmapped.iter().map(|(k, e)| (k.clone(), e.clone())).collect(),
        verdicts,
        features: floored.features,
        findings,
        instances: scoped.instances,
    }
}

/// Records that do not name their resource: what they need is the type of the account and region.
fn unnamed(scoped: &scope::Scoped<'_>) -> BTreeSet<Finding> {
    let guessed = scoped.uses.iter().filter(|(used, _)| !used.resource_known);
    let finding = |used: &crate::ledger::Use| {
        let message = format!("the records of `{}` do not name the resource, so `{}` stands for it", used.action, used.resource);
        Finding::new(Code::ResourceUnknown, message).advise("narrow the resource by hand if you know it")
    };
    guessed.map(|(used, _)| finding(used)).collect()
}

/// Instances of which nothing was seen: the policy is theirs too.
fn silent(question: &Question, scoped: &scope::Scoped<'_>) -> Option<Finding> {
    let silent: Vec<String> = question.silent.difference(&scoped.instances).map(|id| format!("`{id}`")).collect();
    (!silent.is_empty()).then(|| {
        let message = format!(
            "{} of the role run, and no call of them was found: what they need and the others do not use is not granted",
            silent.join(", ")
        );
        Finding::new(Code::SilentInstance, message)
            .advise("declare what they are for with `--need`, and derive again once they have been used")
    })
}

fn nothing(policy: &Policy) -> Option<Finding> {
    policy.statements.is_empty().then(|| {
        Finding::new(
            Code::NothingGranted,
            "nothing of the baseline is needed, so the policy has no statement, and IAM accepts none like that",
        )
        .advise("take the baseline off the role, and attach nothing in its place")
    })
}

fn unmapped(ledger: &Ledger) -> Vec<Finding> {
    let finding = |(event, evidence): (&String, &Evidence)| {
        let message = format!("`{event}` ({} calls) is not in the catalogue, so nothing was granted for it", evidence.calls());
        Finding::new(Code::UnmappedEvent, message)
            .advise("if the baseline covers it, add the action by hand and tell the project which one it is")
    };
    ledger.unmapped.iter().map(finding).collect()
}

/// The loud finding about each denied call that the baseline allows.
#[must_use]
pub fn denied_inside(baseline: &Policy, denied: &[Reported]) -> Vec<Finding> {
    let inside = |r: &&Reported| !cap::covering(baseline, &r.action, &r.resource).is_empty();
    let finding = |r: &Reported| {
        let times = if r.calls == 1 { "once".to_owned() } else { format!("{} times", r.calls) };
        Finding::new(
            Code::DeniedInsideBaseline,
            format!("`{}` on `{}` was denied {times} although the baseline allows it", r.action, r.resource),
        )
        .advise("look for a Deny, a boundary, an SCP or a resource policy, or for an earlier derivation that cut too deep")
    };
    denied.iter().filter(inside).map(finding).collect()
}
