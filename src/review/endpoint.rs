//! The policies of VPC endpoints in the report: what each lets through, inside what, and for which roles.
//!
//! An endpoint stands in the report of every role behind it, and once in what people see of several.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::report::{BaselineReport, FindingReport, PlaceReport, Report, SizeReport};
use super::summary::{self, Piece, Rows, Summary, indented, piece, plain, plural};
use super::view::{Claim, Line, Mood, line, stands};
use crate::finding::Severity;
use crate::iam::{ActionSpec, Effect, Pattern, ResourceSpec, Statement, everyone};
use crate::prove::certificate::Certificate;
use crate::prove::endpoint::EndpointProof;
use crate::prove::proof::Answer;

/// The policy of an endpoint, in `report.json`.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointReport {
    /// Its logical id in its template.
    pub logical_id: String,
    /// The stack it belongs to.
    pub stack: String,
    /// The prefix of the actions that it carries.
    pub service: String,
    /// The roles behind it, by logical id.
    pub roles: Vec<String>,
    /// The package repositories that are let through.
    pub repositories: Vec<String>,
    /// What the policy stays inside.
    pub baseline: BaselineReport,
    /// Everything worth telling, most severe first.
    pub findings: Vec<FindingReport>,
    /// What was proved.
    pub proof: EndpointProof,
    /// What was proved about what, as it is written beside the policy.
    pub certificate: Certificate,
    /// Sizes in characters, white space included.
    pub size: SizeReport,
    /// The policy's document.
    pub policy: serde_json::Value,
    /// Why each statement is there, by `Sid`.
    pub because: BTreeMap<String, Vec<String>>,
    /// The unified difference between the baseline's document and the policy's.
    pub difference: String,
    /// Where the policy stands in the repository, the template first.
    pub places: Vec<PlaceReport>,
}

/// The endpoints of some roles, each once.
pub fn all(reports: &[Report]) -> impl Iterator<Item = &EndpointReport> {
    let mut seen = BTreeSet::new();
    reports.iter().flat_map(|report| &report.endpoints).filter(move |one| seen.insert((&one.stack, &one.logical_id)))
}

/// One endpoint, as a template sees it.
#[derive(Debug, Serialize)]
pub struct EndpointView<'a> {
    /// Every key of the report's JSON.
    #[serde(flatten)]
    pub report: &'a EndpointReport,
    /// A number that is unique among the endpoints of the document, for anchors.
    pub id: usize,
    /// How it stands.
    pub mood: Mood,
    /// Each part of the promise.
    pub claims: Vec<Claim>,
    /// What it lets through and what not, statement by statement.
    pub rows: Vec<Row>,
    /// Findings that are errors or warnings.
    pub warnings: Vec<&'a FindingReport>,
    /// Findings that are notes.
    pub notes: Vec<&'a FindingReport>,
    /// The difference, line by line.
    pub lines: Vec<Line<'a>>,
    /// The summary for a terminal.
    pub summary: Summary,
}

/// One statement.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its `Sid`.
    pub sid: String,
    /// Whether it forbids.
    pub denies: bool,
    /// The actions; `all but …` those that are left out.
    pub actions: Vec<String>,
    /// The resources; `all but …` those that are left out.
    pub resources: Vec<String>,
    /// The conditions, each as key, operator and values.
    pub conditions: Vec<String>,
    /// Why it is there.
    pub because: Vec<String>,
}

impl<'a> EndpointView<'a> {
    /// Assembles the view of one endpoint.
    #[must_use]
    pub fn of(id: usize, report: &'a EndpointReport) -> Self {
        let claims = claims(report);
        let (notes, warnings) = report.findings.iter().partition(|f| f.severity == Severity::Note);
        Self {
            report,
            id,
            mood: stands(&report.findings, &claims),
            summary: summary(report, &claims),
            claims,
            rows: rows(report),
            warnings,
            notes,
            lines: report.difference.lines().map(line).collect(),
        }
    }
}

fn claims(report: &EndpointReport) -> Vec<Claim> {
    let (proof, grants) = (&report.proof.proof, &report.proof.covers_grants);
    let covers = &proof.covers_observed;
    let stopped = |what: &String| format!("it would stop {what}");
    let mut calls: Vec<String> = covers.denied.iter().map(stopped).collect();
    if covers.undetermined > 0 {
        calls.push(format!("{} cannot be told: the trail lacks a condition key", covers.undetermined));
    }
    let lost = grants.denied.iter().map(stopped).chain(Some(grants.reason.clone()).filter(|reason| !reason.is_empty()));
    let of = |n: usize, one: &str, many: &str| if n == 1 { format!("the one {one}") } else { format!("any of {n} {many}") };
    let through = of(covers.calls, "call that came through it", "calls that came through it");
    let may = of(grants.grants, "permission that its roles have for it", "permissions that its roles have for it");
    vec![
        Claim::of(format!("lets nothing through beyond {}", report.baseline.name), proof.within_baseline, proof.reason.clone()),
        Claim::of(format!("does not stop {through}"), covers.verdict, calls.join("; ")),
        Claim::of(format!("does not stop {may}"), grants.verdict, lost.collect::<Vec<_>>().join("; ")),
    ]
}

fn rows(report: &EndpointReport) -> Vec<Row> {
    let policy = everyone::read(&report.policy).unwrap_or_default();
    policy.statements.iter().map(|statement| row(report, statement)).collect()
}

fn row(report: &EndpointReport, statement: &Statement) -> Row {
    let named = |all_but: bool, patterns: &[Pattern]| -> Vec<String> {
        patterns.iter().map(|pattern| if all_but { format!("all but {pattern}") } else { pattern.to_string() }).collect()
    };
    let test = |(operator, key, values): (&str, &str, &[String])| format!("{key} {operator} {}", values.join(" or "));
    Row {
        sid: statement.sid.clone(),
        denies: statement.effect == Effect::Deny,
        actions: match &statement.actions {
            ActionSpec::Only(patterns) => named(false, patterns),
            ActionSpec::AllBut(patterns) => named(true, patterns),
        },
        resources: match &statement.resources {
            ResourceSpec::Only(patterns) => named(false, patterns),
            ResourceSpec::AllBut(patterns) => named(true, patterns),
        },
        conditions: statement.conditions.iter().map(test).collect(),
        because: report.because.get(&statement.sid).cloned().unwrap_or_default(),
    }
}

fn summary(report: &EndpointReport, claims: &[Claim]) -> Summary {
    let whose = format!(
        "stack {} · {} · {} behind it: {} · baseline {}",
        report.stack,
        report.service,
        plural(report.roles.len() as u64, "role"),
        report.roles.join(", "),
        report.baseline.name
    );
    let mut lines = vec![vec![piece("bold", format!("endpoint {}", report.logical_id))], vec![piece("dim", whose)], Vec::new()];
    let rows = rows(report);
    lines.push(vec![piece("bold", format!("Lets through ({})", plural(rows.len() as u64, "statement")))]);
    lines.extend(rows.iter().flat_map(let_through).map(indented));
    if !report.findings.is_empty() {
        lines.extend([Vec::new(), vec![piece("bold", format!("Findings ({})", report.findings.len()))]]);
        lines.extend(report.findings.iter().map(summary::finding).map(indented));
    }
    lines.extend([Vec::new(), vec![piece("bold", "Proof")]]);
    lines.extend(claims.iter().map(claim).map(indented));
    let size = report.size;
    let size = format!("size {} of {} characters; the baseline has {}", size.policy, size.limit, size.baseline);
    lines.push(indented(vec![plain(size)]));
    Summary { lines }
}

/// What a statement is about, one line for each resource; the first one with the actions, the last ones with the reasons.
fn let_through(row: &Row) -> Rows {
    let actions = format!("{}{}", if row.denies { "not " } else { "" }, row.actions.join(", "));
    let when = if row.conditions.is_empty() { String::new() } else { format!(" where {}", row.conditions.join(" and ")) };
    let mut lines = vec![vec![plain(actions), piece("dim", when)]];
    lines.extend(row.resources.iter().map(|resource| vec![plain(format!("  on {resource}"))]));
    lines.extend(row.because.iter().map(|why| vec![piece("dim", format!("  {why}"))]));
    lines
}

fn claim(claim: &Claim) -> Vec<Piece> {
    let style = if claim.verdict == Answer::Proved { "good" } else { "bad" };
    vec![plain(format!("{:<62} ", claim.claim)), piece(style, claim.verdict), plain(" "), piece("dim", &claim.reason)]
}
