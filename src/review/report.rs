//! The report: the one model that everything shown is rendered from.
//!
//! Its keys are relied upon by scripts; `schema` counts up when one changes its meaning.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::activity::Activity;
use super::diff;
use super::endpoint::EndpointReport;
use crate::derive::verdict::{ScopeVerdict, Verdict};
use crate::derive::{Baseline, Derivation, Question, Reported};
use crate::finding::{Code, Finding};
use crate::iam::{Action, Pattern};
use crate::ledger::{Coverage, Evidence, Ledger};
use crate::prove::certificate::Certificate;
use crate::prove::proof::Proof;
use crate::stack::last_used::{ActionUse, LastUsed};

/// The version of the report's format.
pub const SCHEMA: u32 = 1;

/// `report.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of this format.
    pub schema: u32,
    /// The role's logical id in its template; none without a stack.
    pub logical_id: Option<String>,
    /// The role that the policy is for.
    pub role: String,
    /// Its account.
    pub account: String,
    /// The home region.
    pub region: String,
    /// The instances whose calls counted.
    pub instances: Vec<String>,
    /// What the policy stays inside.
    pub baseline: BaselineReport,
    /// The permissions boundary, which limits what any policy of the role grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundary: Option<BaselineReport>,
    /// The time of the first and the last event, RFC 3339.
    pub window: Option<WindowReport>,
    /// What the source could show.
    pub coverage: Coverage,
    /// The features in use or declared, and how that is known.
    pub features: BTreeMap<String, String>,
    /// Every action of the baseline and its verdict.
    pub actions: Vec<ActionReport>,
    /// Calls outside the baseline, never granted.
    pub outside: Vec<Reported>,
    /// Calls that authorisation refused.
    pub denied: Vec<Reported>,
    /// Calls that passed although the permissions boundary, or a Deny of a policy that stays attached, forbids them today.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<Reported>,
    /// Calls whose failure says nothing about authorisation.
    pub failed: Vec<Reported>,
    /// Events made with the instances' credentials from somewhere else.
    pub suspicious: Vec<SuspiciousReport>,
    /// Events that the catalogue cannot map.
    pub unmapped: Vec<UnmappedReport>,
    /// Everything worth telling, most severe first.
    pub findings: Vec<FindingReport>,
    /// What was proved.
    pub proof: Proof,
    /// What was proved about what, as it is written beside the policy; absent where nothing is granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// Sizes in characters without white space.
    pub size: SizeReport,
    /// When what was seen was seen.
    pub activity: Activity,
    /// The policy's document.
    pub policy: serde_json::Value,
    /// The unified difference between the baseline's document and the policy's.
    pub difference: String,
    /// Where the policy stands in the repository, the template first.
    pub places: Vec<PlaceReport>,
    /// The VPC endpoints that the role is behind, and whose policies are derived: a request needs both.
    pub endpoints: Vec<EndpointReport>,
}

/// A place in a file where the policy stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceReport {
    /// The file, relative to where the command ran.
    pub file: String,
    /// The first line of the policy's section, counted from 1.
    pub line: usize,
    /// Its last line.
    pub end_line: usize,
    /// The lines that name an action, by action; for findings about one.
    #[serde(skip)]
    pub actions: BTreeMap<String, usize>,
}

/// A policy: the baseline, or the permissions boundary.
#[derive(Debug, Clone, Serialize)]
pub struct BaselineReport {
    /// Its name, or the file's.
    pub name: String,
    /// AWS's version id; empty for a file.
    pub version: String,
    /// SHA-256 of its document.
    pub sha256: String,
}

/// A span of time.
#[derive(Debug, Clone, Serialize)]
pub struct WindowReport {
    /// The first event.
    pub first: String,
    /// The last event.
    pub last: String,
}

/// One action.
#[derive(Debug, Clone, Serialize)]
pub struct ActionReport {
    /// The action.
    pub action: Action,
    /// The strongest verdict of its resources.
    pub verdict: Verdict,
    /// Whether the policy grants it at all.
    pub granted: bool,
    /// On which resources.
    pub resources: Vec<Pattern>,
    /// The verdict on each of them.
    pub scopes: Vec<ScopeVerdict>,
    /// Why, in a sentence.
    pub because: String,
    /// What forbids it, or some of it, whatever the policy grants; a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<String>,
    /// When it or its service was last used, where it is blind and IAM was asked; decides nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_accessed: Option<ActionUse>,
    /// What was seen.
    pub evidence: Option<EvidenceReport>,
}

/// What was seen of an action.
#[derive(Debug, Clone, Serialize)]
pub struct EvidenceReport {
    /// How many calls; see the ledger for when this is an upper bound.
    pub calls: u64,
    /// The first, RFC 3339.
    pub first: String,
    /// The last, RFC 3339.
    pub last: String,
    /// Sample event ids, the earliest first.
    pub events: Vec<String>,
}

/// A call from somewhere else.
#[derive(Debug, Clone, Serialize)]
pub struct SuspiciousReport {
    /// The event's id.
    pub event: String,
    /// The action.
    pub action: Action,
    /// The resource.
    pub resource: Pattern,
    /// Why it is suspicious.
    pub why: String,
}

/// An event that the catalogue cannot map.
#[derive(Debug, Clone, Serialize)]
pub struct UnmappedReport {
    /// `source:name`.
    pub event: String,
    /// What was seen of it.
    pub evidence: EvidenceReport,
}

/// A finding.
#[derive(Debug, Clone, Serialize)]
pub struct FindingReport {
    /// Its stable code.
    pub code: &'static str,
    /// `error`, `warning` or `note`.
    pub severity: crate::finding::Severity,
    /// What was found.
    pub message: String,
    /// What to do; empty where there is nothing to do.
    pub advice: String,
}

/// Sizes in characters without white space.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SizeReport {
    /// Of the baseline.
    pub baseline: usize,
    /// Of the result.
    pub policy: usize,
    /// Of what is allowed.
    pub limit: usize,
}

impl FindingReport {
    /// What a program sees of a finding.
    #[must_use]
    pub fn of(finding: &Finding) -> Self {
        Self {
            code: finding.code.as_str(),
            severity: finding.severity(),
            message: finding.message.clone(),
            advice: finding.advice.clone(),
        }
    }
}

impl BaselineReport {
    fn of(policy: &Baseline) -> Self {
        Self { name: policy.name.clone(), version: policy.version.clone(), sha256: policy.sha256.clone() }
    }
}

impl EvidenceReport {
    fn of(evidence: &Evidence) -> Self {
        Self {
            calls: evidence.calls(),
            first: evidence.first.clone(),
            last: evidence.last.clone(),
            events: evidence.samples.iter().map(|(_, id)| id.clone()).collect(),
        }
    }
}

impl Report {
    /// Assembles the report of one role.
    #[must_use]
    pub fn new(question: &Question, ledger: &Ledger, derivation: &Derivation, proof: Proof) -> Self {
        let suspicious = |r: &Reported| {
            let row = |event: &String| SuspiciousReport {
                event: event.clone(),
                action: r.action.clone(),
                resource: r.resource.clone(),
                why: r.why.clone(),
            };
            r.events.iter().map(row).collect::<Vec<_>>()
        };
        Self {
            schema: SCHEMA,
            logical_id: None,
            role: question.role.clone(),
            account: question.account.clone(),
            region: question.region.clone(),
            instances: derivation.instances.iter().cloned().collect(),
            baseline: BaselineReport::of(&question.baseline),
            boundary: question.boundary.as_ref().map(BaselineReport::of),
            window: ledger.window().map(|(first, last)| WindowReport { first, last }),
            coverage: ledger.shown(),
            features: derivation.features.clone(),
            actions: derivation.verdicts.iter().map(|verdict| action(verdict, derivation)).collect(),
            outside: derivation.outside.clone(),
            denied: derivation.denied.clone(),
            forbidden: derivation.forbidden.clone(),
            failed: derivation.failed.clone(),
            suspicious: derivation.suspicious.iter().flat_map(suspicious).collect(),
            unmapped: derivation
                .unmapped
                .iter()
                .map(|(event, e)| UnmappedReport { event: event.clone(), evidence: EvidenceReport::of(e) })
                .collect(),
            findings: derivation.findings.iter().map(FindingReport::of).collect(),
            proof,
            certificate: None,
            size: SizeReport {
                baseline: question.baseline.policy.size(),
                policy: derivation.policy.size(),
                limit: question.limit,
            },
            activity: Activity::of(derivation, ledger),
            policy: derivation.policy.to_value(),
            difference: diff::unified(
                &question.baseline.policy,
                &question.baseline.name,
                &derivation.policy,
                &format!("{} (derived)", question.role),
            ),
            places: Vec::new(),
            endpoints: Vec::new(),
        }
    }

    /// Takes on the findings of stages that came after it was assembled.
    pub fn tell(&mut self, findings: &[Finding]) {
        self.findings = findings.iter().map(FindingReport::of).collect();
    }

    /// Says of every blind action when it or its service was last used; verdicts and policy stay as they are. Gives what is said of those
    /// that were used.
    pub fn annotate(&mut self, used: &LastUsed, now: jiff::Timestamp) -> BTreeSet<String> {
        let mut said = BTreeSet::new();
        for row in self.actions.iter_mut().filter(|row| row.verdict == Verdict::Blind) {
            row.last_accessed = used.of(&row.action, now);
            if let Some(found) = row.last_accessed.as_ref().filter(|found| found.at.is_some()) {
                said.insert(found.says.clone());
            }
        }
        said
    }

    /// What a person calls it: the logical id, or the role's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.logical_id.as_deref().unwrap_or(&self.role)
    }

    /// How many actions of the baseline are gone, narrowed, kept: the three numbers that matter most.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let narrowed = |a: &&ActionReport| a.granted && !a.resources.iter().any(Pattern::is_any);
        let gone = self.actions.iter().filter(|a| !a.granted).count();
        let narrowed = self.actions.iter().filter(narrowed).count();
        Tally { all: self.actions.len(), gone, narrowed, kept: self.actions.len() - gone - narrowed }
    }
}

/// The actions of the baseline, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// All of them.
    pub all: usize,
    /// Not granted any more.
    pub gone: usize,
    /// Granted on named resources only.
    pub narrowed: usize,
    /// Granted on every resource, because they know none or all are needed.
    pub kept: usize,
}

fn action(verdict: &crate::derive::verdict::ActionVerdict, derivation: &Derivation) -> ActionReport {
    ActionReport {
        action: verdict.action.clone(),
        verdict: verdict.verdict,
        granted: verdict.granted(),
        resources: verdict.scopes.iter().map(|s| s.resource.clone()).collect(),
        scopes: verdict.scopes.clone(),
        because: verdict.because.clone(),
        forbidden: derivation.limits.get(&verdict.action).into_iter().flatten().cloned().collect(),
        last_accessed: None,
        evidence: verdict.evidence.as_ref().map(EvidenceReport::of),
    }
}

/// The finding about what [`Report::annotate`] said; none where nothing was used.
#[must_use]
pub fn last_accessed(said: &BTreeSet<String>) -> Option<Finding> {
    let all = said.iter().cloned().collect::<Vec<_>>().join("; ");
    let finding = Finding::new(Code::LastAccessed, format!("of what the source cannot show, IAM says: {all}"));
    (!said.is_empty()).then(|| {
        finding.advise(
            "denied attempts and every session of the role count in it, and it names no resource, so nothing was granted; `policyc coverage` says how to see these calls",
        )
    })
}
