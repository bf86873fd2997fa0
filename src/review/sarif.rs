//! What the SARIF template sees: rules from the finding codes, results from the findings, each with its place.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::endpoint;
use super::escape;
use super::report::{FindingReport, PlaceReport, Report};
use crate::finding::{Code, Severity};

/// Where a code is explained.
const HELP: &str = "https://github.com/policyc/policyc/blob/main/docs/findings.md";

/// The rules and the results of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Sarif {
    /// Every finding code.
    pub rules: Vec<Rule>,
    /// The findings of every role and endpoint.
    pub results: Vec<SarifResult>,
}

/// A finding code.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// The code.
    pub id: &'static str,
    /// The code as one word, as code scanning wants it.
    pub name: String,
    /// One sentence on what it means.
    pub meaning: &'static str,
    /// `error`, `warning` or `note`.
    pub level: String,
    /// How severe code scanning takes it for, 0 to 10: none for what is only worth knowing.
    pub severity: &'static str,
    /// Where it is explained.
    pub help: String,
}

/// A finding of a role or an endpoint.
#[derive(Debug, Clone, Serialize)]
pub struct SarifResult {
    /// The code.
    pub code: &'static str,
    /// The index of the code's rule.
    pub rule: usize,
    /// `error`, `warning` or `note`.
    pub level: String,
    /// Whose it is, what was found, and what to do.
    pub text: String,
    /// The same, for SARIF: brackets do not begin a link (SARIF 2.1.0, section 3.11.6).
    pub message: String,
    /// The file; absent where the policy stands in none.
    pub file: Option<String>,
    /// The first line, counted from 1.
    pub line: usize,
    /// The last line.
    pub end_line: usize,
    /// What makes the result the same one in the next run.
    pub fingerprint: String,
}

impl Sarif {
    /// The rules and the findings of some roles, and of the endpoints they are behind.
    #[must_use]
    pub fn of(reports: &[Report]) -> Self {
        let of_role = reports.iter().flat_map(|r| {
            let whose = Whose { name: r.name(), identity: format!("{}\0{}", r.account, r.role), place: r.places.first() };
            r.findings.iter().map(move |f| result(&whose, f))
        });
        let of_endpoint = endpoint::all(reports).flat_map(|e| {
            let identity = format!("{}\0{}", e.stack, e.logical_id);
            let whose = Whose { name: &e.logical_id, identity, place: e.places.first() };
            e.findings.iter().map(move |f| result(&whose, f))
        });
        let results = of_role.chain(of_endpoint).collect();
        Self { rules: Code::ALL.iter().map(|c| rule(*c)).collect(), results }
    }
}

fn rule(code: Code) -> Rule {
    let words = code.as_str().split('-');
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    Rule {
        id: code.as_str(),
        name: words.map(capital).collect(),
        meaning: code.meaning(),
        level: code.severity().to_string(),
        severity: match code.severity() {
            Severity::Error => "8.0",
            Severity::Warning => "5.0",
            Severity::Note => "0.0",
        },
        help: HELP.to_owned(),
    }
}

/// Whose findings they are.
struct Whose<'a> {
    name: &'a str,
    /// What tells it from others of that name.
    identity: String,
    place: Option<&'a PlaceReport>,
}

fn result(whose: &Whose<'_>, finding: &FindingReport) -> SarifResult {
    let place = whose.place;
    let (line, end_line) = place.map_or((1, 1), |p| lines(p, &finding.message));
    let advice = if finding.advice.is_empty() { String::new() } else { format!(" {}.", capitalised(&finding.advice)) };
    let text = escape::terminal(&format!("{}: {}.{advice}", whose.name, capitalised(&finding.message)));
    let identity = format!("{}\0{}\0{}", finding.code, whose.identity, finding.message);
    SarifResult {
        code: finding.code,
        rule: Code::ALL.iter().position(|c| c.as_str() == finding.code).unwrap_or_default(),
        level: finding.severity.to_string(),
        message: text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]"),
        text,
        file: place.map(|p| p.file.clone()),
        line,
        end_line,
        fingerprint: Sha256::digest(identity).iter().take(16).map(|b| format!("{b:02x}")).collect(),
    }
}

/// The line of the first action that the message names and the section grants, else the section.
fn lines(place: &PlaceReport, message: &str) -> (usize, usize) {
    let named = message.split('`').skip(1).step_by(2).find_map(|name| place.actions.get(name));
    named.map_or((place.line, place.end_line), |line| (*line, *line))
}

fn capitalised(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next();
    let one_word = text.split(' ').next().is_some_and(|w| w.contains([':', '`', '-', '.']));
    match first {
        Some(first) if !one_word => first.to_uppercase().to_string() + letters.as_str(),
        _ => text.to_owned(),
    }
}
