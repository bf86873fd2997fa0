//! The summary: what a tired reviewer has to know, on one screen.
//!
//! Lines of styled pieces; the template puts them on the terminal, and the engine escapes each piece.

use std::collections::BTreeMap;

use serde::Serialize;

use super::endpoint::EndpointReport;
use super::report::{FindingReport, Report, SuspiciousReport, Tally};
use crate::derive::Reported;
use crate::derive::verdict::Verdict;
use crate::finding::Severity;
use crate::prove::proof::Answer;

/// The summary of one role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its lines, each of pieces in different styles.
    pub lines: Vec<Vec<Piece>>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// `plain`, `bold`, `dim`, `good`, `look`, `bad` or `cool`.
    pub style: &'static str,
    /// The text, not escaped.
    pub text: String,
}

pub(super) fn piece(style: &'static str, text: impl ToString) -> Piece {
    Piece { style, text: text.to_string() }
}

pub(super) fn plain(text: impl ToString) -> Piece {
    piece("plain", text)
}

impl Summary {
    /// Summarises a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut lines = heading(report);
        lines.push(Vec::new());
        lines.extend(tally(report).into_iter().map(indented));
        for (heading, rows) in sections(report) {
            lines.push(Vec::new());
            lines.push(heading);
            lines.extend(rows.into_iter().map(indented));
        }
        lines.push(Vec::new());
        lines.push(vec![piece("bold", "Proof")]);
        lines.extend(proof(report).into_iter().map(indented));
        Self { lines }
    }
}

/// A line for each role and endpoint of a stack: what a reader of a long output sees last.
#[must_use]
pub fn overview(reports: &[&Report], endpoints: &[&EndpointReport]) -> Summary {
    let names = reports.iter().map(|r| name(r)).chain(endpoints.iter().map(|e| e.logical_id.as_str()));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for report in reports {
        let Tally { gone, narrowed, kept, .. } = report.tally();
        let mut line = vec![piece("bold", format!("{:<width$}", name(report)))];
        for (style, count, word) in [("good", gone, "gone"), ("cool", narrowed, "narrowed"), ("look", kept, "kept")] {
            line.extend([plain("  "), piece(style, format!("{count:>3}")), plain(format!(" {word}"))]);
        }
        let answers = [report.proof.within_baseline, report.proof.covers_observed.verdict];
        line.extend(standing(&answers, &report.findings));
        lines.push(line);
    }
    for endpoint in endpoints {
        let statements = endpoint.policy.get("Statement").and_then(|s| s.as_array()).map_or(0, Vec::len);
        let what = format!("  endpoint, {}", plural(statements as u64, "statement"));
        let proof = &endpoint.proof;
        let answers = [proof.proof.within_baseline, proof.proof.covers_observed.verdict, proof.covers_grants.verdict];
        let mut line = vec![piece("bold", format!("{:<width$}", endpoint.logical_id)), plain(format!("{what:<32}"))];
        line.extend(standing(&answers, &endpoint.findings));
        lines.push(line);
    }
    Summary { lines }
}

fn name(report: &Report) -> &str {
    report.logical_id.as_deref().unwrap_or(&report.role)
}

/// Whether all was proved, and how many findings are more than notes.
fn standing(answers: &[Answer], findings: &[FindingReport]) -> Vec<Piece> {
    let answer = answers.iter().find(|a| **a != Answer::Proved).copied().unwrap_or(Answer::Proved);
    let mut pieces = vec![plain("  "), piece(if answer == Answer::Proved { "good" } else { "bad" }, answer)];
    for (severity, style, word) in [(Severity::Error, "bad", "error"), (Severity::Warning, "look", "warning")] {
        let count = findings.iter().filter(|f| f.severity == severity).count() as u64;
        if count > 0 {
            pieces.extend([plain("  "), piece(style, plural(count, word))]);
        }
    }
    pieces
}

pub(super) fn indented(mut line: Vec<Piece>) -> Vec<Piece> {
    line.insert(0, plain("  "));
    line
}

fn heading(report: &Report) -> Vec<Vec<Piece>> {
    let window = report.window.as_ref().map_or("no events".to_owned(), |w| format!("{} to {}", day(&w.first), day(&w.last)));
    let version = if report.baseline.version.is_empty() { String::new() } else { format!(" {}", report.baseline.version) };
    let boundary = report.boundary.as_ref().map(|b| format!(" · permissions boundary {} {}", b.name, b.version));
    let boundary = boundary.map(|text| text.trim_end().to_owned()).unwrap_or_default();
    let whose = format!(
        "account {} · {} · {} · {window} · baseline {}{version}{boundary}",
        report.account,
        report.region,
        plural(report.instances.len() as u64, "instance"),
        report.baseline.name
    );
    vec![vec![piece("bold", &report.role)], vec![piece("dim", whose)]]
}

pub(super) fn plural(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}

fn tally(report: &Report) -> Vec<Vec<Piece>> {
    let Tally { all, gone, narrowed, kept } = report.tally();
    let line = |style: &'static str, label: &str, n: usize, note: &str| {
        let bar = "█".repeat((n * 32).div_ceil(all.max(1)));
        vec![
            plain(format!("{label:<9}")),
            piece(style, format!("{n:>4}")),
            plain(" "),
            piece(style, bar),
            plain(" "),
            piece("dim", note),
        ]
    };
    vec![
        line("good", "gone", gone, "actions of the baseline that the policy does not grant"),
        line("cool", "narrowed", narrowed, "actions granted on named resources only"),
        line("look", "kept", kept, "actions that know no resources, or need all of them"),
    ]
}

pub(super) type Rows = Vec<Vec<Piece>>;

fn sections(report: &Report) -> Vec<(Vec<Piece>, Rows)> {
    let mut sections = Vec::new();
    let mut section = |heading: &str, note: &str, count: usize, rows: Rows| {
        if !rows.is_empty() {
            let mut heading = vec![piece("bold", format!("{heading} ({count})"))];
            if !note.is_empty() {
                heading.extend([plain(" "), piece("dim", note)]);
            }
            sections.push((heading, rows));
        }
    };
    // Actions are counted, not lines: an action may have several resources, and a line several actions.
    let having = |verdict: Verdict| report.actions.iter().filter(|a| a.scopes.iter().any(|s| s.verdict == verdict)).count();
    let judged = |verdict: Verdict| report.actions.iter().filter(|a| a.verdict == verdict).count();
    let seen = "seen in the trail, and it passed authorisation";
    section("Used", seen, having(Verdict::Used), granted(report, Verdict::Used));
    section("Floor", "the source cannot show it; a feature needs it", having(Verdict::Floor), granted(report, Verdict::Floor));
    let hidden = "the source could not have shown it";
    section("Not granted, not visible", hidden, judged(Verdict::Blind), names(report, Verdict::Blind));
    section("Not granted, not seen", "the source would have shown it", judged(Verdict::Unseen), names(report, Verdict::Unseen));
    let mut add = |heading: &str, note: &str, rows: Rows| section(heading, note, rows.len(), rows);
    add("Outside the baseline", "called, and never granted", report.outside.iter().map(called).collect());
    add("Denied", "adds nothing and removes nothing", report.denied.iter().map(called).collect());
    let changed = "passed, and the permissions boundary or a Deny that stays attached forbids it today";
    add("Seen, but forbidden", changed, report.forbidden.iter().map(called).collect());
    add("Suspicious", "the instances' credentials, used from somewhere else", report.suspicious.iter().map(suspicious).collect());
    add("Findings", "", report.findings.iter().map(finding).collect());
    sections
}

fn granted(report: &Report, verdict: Verdict) -> Rows {
    let mut rows = Vec::new();
    for action in &report.actions {
        let scopes: Vec<_> = action.scopes.iter().filter(|s| s.verdict == verdict).collect();
        for (n, scope) in scopes.iter().enumerate() {
            let name = if n == 0 { action.action.to_string() } else { String::new() };
            let why = match verdict {
                Verdict::Used => action.evidence.as_ref().filter(|_| n == 0).map_or(String::new(), |e| plural(e.calls, "call")),
                _ => scope.because.join("; "),
            };
            let gap = if why.is_empty() { "" } else { "  " };
            rows.push(vec![plain(format!("{name:<44} {}{gap}", scope.resource)), piece("dim", why)]);
        }
    }
    rows
}

/// Names side by side, service by service.
fn names(report: &Report, verdict: Verdict) -> Rows {
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for action in report.actions.iter().filter(|a| a.verdict == verdict) {
        rows.entry(action.action.service()).or_default().push(action.action.name());
    }
    let row =
        |(service, names): (&str, Vec<&str>)| vec![piece("dim", format!("{service}:")), plain(format!(" {}", names.join(", ")))];
    rows.into_iter().map(row).collect()
}

fn called(row: &Reported) -> Vec<Piece> {
    let name = format!("{:<44} {}  ", row.action.to_string(), row.resource);
    vec![plain(name), piece("dim", format!("{} × {}", row.calls, row.why))]
}

fn suspicious(row: &SuspiciousReport) -> Vec<Piece> {
    // A name from a log must not begin the line: a CI runner would read a command there.
    let on = plain(format!(" on {}  ", row.resource));
    vec![piece("bad", &row.action), on, piece("dim", &row.why), plain("  event "), plain(&row.event)]
}

pub(super) fn finding(finding: &FindingReport) -> Vec<Piece> {
    let style = match finding.severity {
        Severity::Error => "bad",
        Severity::Warning => "look",
        Severity::Note => "dim",
    };
    let advice = if finding.advice.is_empty() { String::new() } else { format!(" → {}", finding.advice) };
    let code = piece(style, format!("{} {}", finding.severity, finding.code));
    vec![code, plain(format!(" {}", finding.message)), piece("dim", advice)]
}

fn proof(report: &Report) -> Rows {
    let verdict = |answer: Answer| piece(if answer == Answer::Proved { "good" } else { "bad" }, answer);
    let covers = &report.proof.covers_observed;
    let within = plain(format!("grants nothing beyond {:<22} ", report.baseline.name));
    let loses = plain(format!("loses none of {:<30} ", format!("{} observed calls", covers.calls)));
    let size = report.size;
    let mut rows = vec![
        vec![within, verdict(report.proof.within_baseline), plain(" "), piece("dim", &report.proof.reason)],
        vec![loses, verdict(covers.verdict)],
    ];
    if !covers.forbidden.is_empty() {
        let who = if report.boundary.is_some() { "the permissions boundary" } else { "a Deny that stays attached" };
        rows.push(vec![plain(format!(
            "  {who} forbids {} of what was seen, whatever the policy grants",
            covers.forbidden.len()
        ))]);
    }
    rows.push(vec![plain(format!("size {} of {} characters; the baseline has {}", size.policy, size.limit, size.baseline))]);
    rows.extend(covers.denied.iter().map(|d| vec![plain(format!("  would be denied: {d}"))]));
    rows
}
