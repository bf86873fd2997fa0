//! The summary: what a tired reviewer has to know, on one screen.

use anstyle::{AnsiColor, Style};
use handlebars::Handlebars;
use serde::Serialize;

use super::escape::terminal;
use super::report::{ActionReport, Report};
use crate::derive::verdict::Verdict;
use crate::prove::proof::Answer;

/// The template of the summary; a user may override it.
pub const TEMPLATE: &str = include_str!("templates/summary.hbs");

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();

#[derive(Serialize)]
struct View {
    title: String,
    subtitle: String,
    tally: Vec<String>,
    sections: Vec<Section>,
    proof_heading: String,
    proof: Vec<String>,
}

#[derive(Serialize)]
struct Section {
    heading: String,
    rows: Vec<String>,
}

/// Renders the summary with ANSI styles; whoever prints it strips them where they are not wanted.
///
/// # Errors
/// When an overridden template is malformed.
pub fn render(report: &Report, template: &str) -> Result<String, handlebars::RenderError> {
    let mut engine = Handlebars::new();
    engine.register_escape_fn(handlebars::no_escape); // everything from logs is escaped for terminals below
    engine.set_strict_mode(true);
    engine.render_template(template, &view(report))
}

fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

fn view(report: &Report) -> View {
    let window = report.window.as_ref().map_or("no events".to_owned(), |w| format!("{} to {}", day(&w.first), day(&w.last)));
    let version = if report.baseline.version.is_empty() { String::new() } else { format!(" {}", report.baseline.version) };
    View {
        title: paint(BOLD, terminal(&report.role)),
        subtitle: paint(
            DIM,
            format!(
                "account {} · {} · {} instance(s) · {window} · baseline {}{version}",
                terminal(&report.account),
                terminal(&report.region),
                report.instances.len(),
                terminal(&report.baseline.name)
            ),
        ),
        tally: tally(report),
        sections: sections(report),
        proof_heading: paint(BOLD, "Proof"),
        proof: proof(report),
    }
}

fn plural(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}

/// Kept as it was, narrowed, gone: the three numbers that matter most.
fn tally(report: &Report) -> Vec<String> {
    let narrowed = |a: &&ActionReport| a.granted && !a.resources.iter().any(crate::iam::Pattern::is_any);
    let all = report.actions.len();
    let gone = report.actions.iter().filter(|a| !a.granted).count();
    let narrow = report.actions.iter().filter(narrowed).count();
    let kept = all - gone - narrow;
    let bar = |n: usize| "█".repeat((n * 32).div_ceil(all.max(1)));
    let line = |style: Style, label: &str, n: usize, note: &str| {
        format!("{label:<9}{} {} {}", paint(style, format!("{n:>4}")), paint(style, bar(n)), paint(DIM, note))
    };
    vec![
        line(GREEN, "gone", gone, "actions of the baseline that the policy does not grant"),
        line(CYAN, "narrowed", narrow, "actions granted on named resources only"),
        line(YELLOW, "kept", kept, "actions that know no resources, or need all of them"),
    ]
}

fn sections(report: &Report) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut add = |heading: &str, note: &str, rows: Vec<String>| {
        if !rows.is_empty() {
            let heading = format!("{} {}", paint(BOLD, format!("{heading} ({})", rows.len())), paint(DIM, note));
            sections.push(Section { heading, rows });
        }
    };
    add("Used", "seen in the trail, and it passed authorisation", granted(report, Verdict::Used));
    add("Floor", "the source cannot show it; a feature needs it", granted(report, Verdict::Floor));
    add("Not granted, not visible", "the source could not have shown it", names(report, Verdict::Blind));
    add("Not granted, not seen", "the source would have shown it", names(report, Verdict::Unseen));
    add("Outside the baseline", "called, and never granted", report.outside.iter().map(called).collect());
    add("Denied", "adds nothing and removes nothing", report.denied.iter().map(called).collect());
    add("Suspicious", "the instances' credentials, used from somewhere else", suspicious(report));
    add("Findings", "", report.findings.iter().map(finding).collect());
    sections
}

fn granted(report: &Report, verdict: Verdict) -> Vec<String> {
    let mut rows = Vec::new();
    for action in &report.actions {
        let scopes: Vec<_> = action.scopes.iter().filter(|s| s.verdict == verdict).collect();
        for (n, scope) in scopes.iter().enumerate() {
            let name = if n == 0 { format!("{:<44}", action.action.to_string()) } else { " ".repeat(44) };
            let why = match verdict {
                Verdict::Used => action.evidence.as_ref().filter(|_| n == 0).map_or(String::new(), |e| plural(e.calls, "call")),
                _ => terminal(&scope.because.join("; ")),
            };
            rows.push(format!("{name} {}  {}", terminal(&scope.resource.to_string()), paint(DIM, why)));
        }
    }
    rows
}

/// Names side by side, service by service.
fn names(report: &Report, verdict: Verdict) -> Vec<String> {
    let mut rows: std::collections::BTreeMap<&str, Vec<&str>> = std::collections::BTreeMap::new();
    for action in report.actions.iter().filter(|a| a.verdict == verdict) {
        rows.entry(action.action.service()).or_default().push(action.action.name());
    }
    rows.into_iter().map(|(service, names)| format!("{} {}", paint(DIM, format!("{service}:")), names.join(", "))).collect()
}

fn called(row: &crate::derive::Reported) -> String {
    format!(
        "{:<44} {}  {}",
        row.action.to_string(),
        terminal(&row.resource.to_string()),
        paint(DIM, format!("{} × {}", row.calls, terminal(&row.why)))
    )
}

fn suspicious(report: &Report) -> Vec<String> {
    let row = |s: &super::report::SuspiciousReport| {
        format!(
            "{} {} on {}  {}",
            paint(RED, terminal(&s.event)),
            s.action,
            terminal(&s.resource.to_string()),
            paint(DIM, terminal(&s.why))
        )
    };
    report.suspicious.iter().map(row).collect()
}

fn finding(finding: &super::report::FindingReport) -> String {
    let style = match finding.severity {
        crate::finding::Severity::Error => RED,
        crate::finding::Severity::Warning => YELLOW,
        crate::finding::Severity::Note => DIM,
    };
    let advice =
        if finding.advice.is_empty() { String::new() } else { paint(DIM, format!(" → {}", terminal(&finding.advice))) };
    format!("{} {}{advice}", paint(style, format!("{} {}", finding.severity, finding.code)), terminal(&finding.message))
}

fn proof(report: &Report) -> Vec<String> {
    let verdict = |answer: Answer| paint(if answer == Answer::Proved { GREEN } else { RED }, answer);
    let covers = &report.proof.covers_observed;
    let mut rows = vec![
        format!(
            "grants nothing beyond {:<22} {} {}",
            terminal(&report.baseline.name),
            verdict(report.proof.within_baseline),
            paint(DIM, terminal(&report.proof.reason))
        ),
        format!("loses none of {:<30} {}", format!("{} observed calls", covers.calls), verdict(covers.verdict)),
        format!("size {} of {} characters; the baseline has {}", report.size.policy, report.size.limit, report.size.baseline),
    ];
    rows.extend(covers.denied.iter().map(|d| format!("  would be denied: {}", terminal(d))));
    rows
}
