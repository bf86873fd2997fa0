//! Why an action is granted, or is not: what the report knows of it, for people and programs.

use anstyle::{AnsiColor, Style};
use handlebars::Handlebars;
use serde::Serialize;

use super::escape::terminal;
use super::report::{EvidenceReport, Report};
use crate::catalog::describe::ActionDescription;
use crate::derive::verdict::ScopeVerdict;
use crate::derive::{Reported, Rung};
use crate::prove::document::{Document, Effect};
use crate::prove::evaluate::ArnReading;
use crate::stack::last_used::ActionUse;

/// The version of the JSON form.
pub const SCHEMA: u32 = 1;

const TEMPLATE: &str = include_str!("templates/explained.hbs");

/// How many event ids are shown.
const EVENTS: usize = 3;

/// What is known of one action, on one resource or on all, for one role.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The version of this format.
    pub schema: u32,
    /// The role.
    pub role: String,
    /// The action, as AWS writes it.
    pub action: String,
    /// The resource that was asked about; absent where all are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Whether the policy grants it at all, on the resource where one was asked about.
    pub granted: bool,
    /// The statements that do: their `Sid`, or their position from 1.
    pub statements: Vec<String>,
    /// Whether the baseline names the action.
    pub in_baseline: bool,
    /// `used`, `floor`, `blind` or `unseen`; empty where the baseline does not name it.
    pub verdict: String,
    /// Why, in a sentence.
    pub because: String,
    /// When it or its service was last used, where it is blind and IAM was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_accessed: Option<ActionUse>,
    /// Each resource that is granted, how general it is, and why it is there.
    pub scopes: Vec<ScopeVerdict>,
    /// What was seen of the action.
    pub evidence: Option<EvidenceReport>,
    /// Calls of it outside the baseline.
    pub outside: Vec<Reported>,
    /// Calls of it that were refused.
    pub denied: Vec<Reported>,
    /// Calls of it whose failure says nothing.
    pub failed: Vec<Reported>,
    /// The event ids of calls of it from somewhere else.
    pub suspicious: Vec<String>,
    /// The catalogue's entry.
    pub catalogue: ActionDescription,
}

impl Explained {
    /// What a report says of an action. With a resource, `granted` and the statements are about that one; conditions are
    /// taken to be fulfilled.
    #[must_use]
    pub fn of(report: &Report, catalogue: &ActionDescription, resource: Option<&str>) -> Self {
        let action = catalogue.action.as_str();
        let statements = statements(report, action, resource);
        let own = report.actions.iter().find(|row| row.action.as_str() == action);
        let about = |all: &[Reported]| all.iter().filter(|row| row.action.as_str() == action).cloned().collect();
        let because = match own {
            Some(row) if statements.is_empty() && row.granted => format!("granted on other resources only; {}", row.because),
            Some(row) => row.because.clone(),
            None => format!(
                "the baseline {} does not allow it, and nothing beyond the baseline is ever granted",
                report.baseline.name
            ),
        };
        Self {
            schema: SCHEMA,
            role: report.role.clone(),
            action: action.to_owned(),
            resource: resource.map(str::to_owned),
            granted: !statements.is_empty(),
            statements,
            in_baseline: own.is_some(),
            verdict: own.map(|row| format!("{:?}", row.verdict).to_lowercase()).unwrap_or_default(),
            because,
            last_accessed: own.and_then(|row| row.last_accessed.clone()),
            scopes: own.map(|row| row.scopes.clone()).unwrap_or_default(),
            evidence: own.and_then(|row| row.evidence.clone()),
            outside: about(&report.outside),
            denied: about(&report.denied),
            failed: about(&report.failed),
            suspicious: report
                .suspicious
                .iter()
                .filter(|row| row.action.as_str() == action)
                .map(|row| row.event.clone())
                .collect(),
            catalogue: catalogue.clone(),
        }
    }
}

/// The Allow statements of the policy that match; read by the checker's own reader.
fn statements(report: &Report, action: &str, resource: Option<&str>) -> Vec<String> {
    let Ok(document) = Document::read(report.policy.to_string().as_bytes()) else { return Vec::new() };
    let nothing = std::collections::BTreeMap::new();
    let matching = document.statements.iter().enumerate().filter(|(_, statement)| {
        statement.effect == Effect::Allow
            && statement.action.matches(action, &nothing)
            && resource.is_none_or(|resource| statement.resource(ArnReading::Segmented).matches(resource, &nothing))
    });
    let name = |(at, sid): (usize, Option<String>)| sid.unwrap_or_else(|| format!("statement {}", at + 1));
    matching.map(|(at, statement)| name((at, statement.sid.clone()))).collect()
}

#[derive(Serialize)]
struct View {
    title: String,
    verdict: String,
    because: String,
    sections: Vec<Section>,
}

#[derive(Serialize)]
struct Section {
    head: String,
    rows: Vec<String>,
}

/// Renders explanations with ANSI styles, one role after the other.
///
/// # Errors
/// When the template is malformed, which a test excludes.
pub fn render(all: &[Explained]) -> Result<String, handlebars::RenderError> {
    let mut engine = Handlebars::new();
    engine.register_escape_fn(handlebars::no_escape); // everything from logs is escaped for terminals below
    engine.set_strict_mode(true);
    let parts = all.iter().map(|one| engine.render_template(TEMPLATE, &view(one))).collect::<Result<Vec<_>, _>>()?;
    Ok(parts.join("\n"))
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

fn view(one: &Explained) -> View {
    let on = one.resource.as_ref().map(|resource| format!(" on {}", terminal(resource))).unwrap_or_default();
    let verdict = if one.granted {
        format!("{}, by {}", paint(AnsiColor::Green.on_default().bold(), "granted"), terminal(&one.statements.join(", ")))
    } else {
        paint(AnsiColor::Yellow.on_default().bold(), "not granted")
    };
    let mut sections = Vec::new();
    let mut section = |head: &str, rows: Vec<String>| {
        if !rows.is_empty() {
            sections.push(Section { head: head.to_owned(), rows });
        }
    };
    section("granted on", one.scopes.iter().map(scope).collect());
    section("seen", one.evidence.iter().map(seen).collect());
    let last = one.last_accessed.iter().map(|last| terminal(&last.says));
    section("last accessed, as IAM says; denied attempts and every session count", last.collect());
    section("outside the baseline", one.outside.iter().map(reported).collect());
    section("refused", one.denied.iter().map(reported).collect());
    section("failed without saying whether it was allowed", one.failed.iter().map(reported).collect());
    section(
        "from somewhere else, so it counts for nothing",
        one.suspicious.iter().map(|id| format!("event {}", terminal(id))).collect(),
    );
    let features = one.catalogue.features.iter().map(|need| {
        terminal(&format!("{} on {}: {} (policyc catalog feature {})", need.feature, need.on, need.why, need.feature))
    });
    section("features that need it", features.collect());
    View {
        title: format!("{}{on}  {}", paint(Style::new().bold(), &terminal(&one.action)), terminal(&one.role)),
        verdict,
        because: terminal(&one.because),
        sections,
    }
}

fn scope(scope: &ScopeVerdict) -> String {
    let rung = match scope.rung {
        Rung::Exact => "the name as it was seen",
        Rung::Ephemeral => "the parts of the name that live for a short time are left open",
        Rung::Prefix => "the folder that several names share",
        Rung::Type => "the resource type in this account and region",
        Rung::Any => "the action takes no resource",
    };
    let because = if scope.because.is_empty() { String::new() } else { format!("; {}", scope.because.join("; ")) };
    terminal(&format!("{} — {rung}{because}", scope.resource))
}

fn seen(evidence: &EvidenceReport) -> String {
    let events = evidence.events.iter().take(EVENTS).cloned().collect::<Vec<_>>().join(", ");
    let plural = if evidence.calls == 1 { "call" } else { "calls" };
    terminal(&format!("{} {plural}, {} to {}; events {events}", evidence.calls, evidence.first, evidence.last))
}

fn reported(row: &Reported) -> String {
    let events = row.events.iter().take(EVENTS).cloned().collect::<Vec<_>>().join(", ");
    terminal(&format!("{} ({} calls, {} to {}; {}; events {events})", row.resource, row.calls, row.first, row.last, row.why))
}
