//! Why an action is granted, or is not: what the report knows of it, for people and programs.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::{AnsiColor, Style};
use handlebars::Handlebars;
use serde::Serialize;

use super::endpoint::EndpointReport;
use super::escape::terminal;
use super::report::{EvidenceReport, Report, WindowReport};
use crate::catalog::coverage::Visibility;
use crate::catalog::description::{ActionDescription, NeededBy};
use crate::derive::verdict::{ScopeVerdict, Verdict};
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
    /// What forbids it, or some of it, whatever the policy grants; a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<String>,
    /// Calls of it that passed although they are forbidden today.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contradicted: Vec<Reported>,
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
    /// Where a use would have been seen, and what of that was looked at; a sentence each.
    pub looked_at: Vec<String>,
    /// Findings that say why a resource is coarser than what was seen.
    pub coarser: Vec<String>,
    /// Those of the features that need it which are in use or declared, and how that is known.
    pub features_in_use: BTreeMap<String, String>,
    /// What the VPC endpoints of the action's service say that the role is behind, as far as they are derived.
    pub endpoints: Vec<OnTheWay>,
    /// The catalogue's entry.
    pub catalogue: ActionDescription,
}

/// What the policy of an endpoint says of an action: a request needs it beside the role's.
#[derive(Debug, Clone, Serialize)]
pub struct OnTheWay {
    /// The endpoint's logical id.
    pub endpoint: String,
    /// Whether it lets the action through at all, on the resource where one was asked about.
    pub lets_through: bool,
    /// The statements that do: their `Sid`, or their position from 1.
    pub statements: Vec<String>,
    /// Why they are there.
    pub because: Vec<String>,
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
            forbidden: own.map(|row| row.forbidden.clone()).unwrap_or_default(),
            contradicted: about(&report.forbidden),
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
            looked_at: if own.is_some() { looked_at(report, catalogue) } else { Vec::new() },
            coarser: coarser(report, action),
            features_in_use: report
                .features
                .iter()
                .filter(|(name, _)| catalogue.features.iter().any(|need| need.feature == **name))
                .map(|(name, how)| (name.clone(), how.clone()))
                .collect(),
            endpoints: report.endpoints.iter().filter_map(|one| on_the_way(one, action, resource)).collect(),
            catalogue: catalogue.clone(),
        }
    }
}

/// Nothing where the endpoint carries another service.
fn on_the_way(endpoint: &EndpointReport, action: &str, resource: Option<&str>) -> Option<OnTheWay> {
    action.split_once(':').filter(|(service, _)| service.eq_ignore_ascii_case(&endpoint.service))?;
    let document = Document::read_for_everyone(endpoint.policy.to_string().as_bytes()).ok();
    let statements = document.map(|document| matching(&document, action, resource)).unwrap_or_default();
    let reasons: BTreeSet<&String> = statements.iter().filter_map(|sid| endpoint.because.get(sid)).flatten().collect();
    Some(OnTheWay {
        endpoint: endpoint.logical_id.clone(),
        lets_through: !statements.is_empty(),
        because: reasons.into_iter().cloned().collect(),
        statements,
    })
}

/// Where a use of the action would have been seen, and which calls were looked at.
fn looked_at(report: &Report, catalogue: &ActionDescription) -> Vec<String> {
    let events = if catalogue.events.is_empty() { String::new() } else { format!(": {}", catalogue.events.join(", ")) };
    let shows = match &catalogue.cloudtrail {
        Visibility::Management => format!("CloudTrail shows a use as a management event{events}"),
        Visibility::Data { kind, .. } if report.coverage.data.contains(kind) => {
            format!("CloudTrail shows a use as a data event of {kind}, which this trail has{events}")
        }
        Visibility::Data { kind, .. } if report.coverage.partly.contains_key(kind) => {
            let places = report.coverage.partly.get(kind).into_iter().flatten();
            let places = places.map(|place| format!("{place}…")).collect::<Vec<_>>().join(", ");
            format!("CloudTrail shows a use as a data event of {kind}, which this trail has on {places} only{events}")
        }
        Visibility::Data { kind, .. } if report.coverage.sometimes.contains_key(kind) => {
            let days = report.coverage.sometimes.get(kind).map(ToString::to_string).unwrap_or_default();
            format!("CloudTrail shows a use as a data event of {kind}, which this trail has from {days} only{events}")
        }
        Visibility::Data { kind, source } => {
            format!("CloudTrail shows a use only as a data event of {kind}, and this trail has none; see {source}")
        }
        Visibility::Blind { confidence, source } => format!("CloudTrail does not show a use ({confidence}); see {source}"),
    };
    let days = |w: &WindowReport| format!("{} to {}", w.first, w.last);
    let whose = match report.instances.len() {
        1 => "the one instance".to_owned(),
        n => format!("the {n} instances"),
    };
    let window = report.window.as_ref().map_or("no event at all".to_owned(), days);
    vec![shows, format!("calls of {whose} of the role were looked at, {window}")]
}

fn coarser(report: &Report, action: &str) -> Vec<String> {
    let quoted = format!("`{action}`");
    let about = report.findings.iter().filter(|f| f.message.contains(&quoted));
    let coarse = about.filter(|f| ["coarser-resource", "resource-unknown", "collapsed-names"].contains(&f.code));
    coarse.map(|f| format!("{} ({})", f.message, f.code)).collect()
}

/// The Allow statements of the policy that match; read by the checker's own reader.
fn statements(report: &Report, action: &str, resource: Option<&str>) -> Vec<String> {
    let document = Document::read(report.policy.to_string().as_bytes());
    document.map(|document| matching(&document, action, resource)).unwrap_or_default()
}

fn matching(document: &Document, action: &str, resource: Option<&str>) -> Vec<String> {
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
    section("forbidden, whatever the role's policies grant", one.forbidden.iter().map(|text| terminal(text)).collect());
    section("passed although it is forbidden today", one.contradicted.iter().map(reported).collect());
    section("granted on", one.scopes.iter().flat_map(scope).collect());
    for way in &one.endpoints {
        section(&format!("on the way through the VPC endpoint {}", terminal(&way.endpoint)), through(way));
    }
    section("coarser than what was seen", one.coarser.iter().map(|text| terminal(text)).collect());
    section("seen", one.evidence.iter().flat_map(seen).collect());
    if !one.granted || one.evidence.is_none() {
        section("looked at", one.looked_at.iter().map(|text| terminal(text)).collect());
    }
    let last = one.last_accessed.iter().map(|last| terminal(&last.says));
    section("last accessed, as IAM says; denied attempts and every session count", last.collect());
    section("outside the baseline", one.outside.iter().map(reported).collect());
    section("refused", one.denied.iter().map(reported).collect());
    section("failed without saying whether it was allowed", one.failed.iter().map(reported).collect());
    section(
        "from somewhere else, so it counts for nothing",
        one.suspicious.iter().map(|id| format!("event {}", terminal(id))).collect(),
    );
    let (used, unused): (Vec<_>, Vec<_>) =
        one.catalogue.features.iter().partition(|need| one.features_in_use.contains_key(&need.feature));
    section("features in use that need it", used.into_iter().flat_map(|need| feature(one, need)).collect());
    section("features that would need it, and are not in use", unused.into_iter().flat_map(|need| feature(one, need)).collect());
    View {
        title: format!("{}{on}, for {}", paint(Style::new().bold(), &terminal(&one.action)), terminal(&one.role)),
        verdict,
        because: terminal(&one.because),
        sections,
    }
}

/// The resource, and below it how general it is and why it is there.
fn scope(scope: &ScopeVerdict) -> Vec<String> {
    let rung = match (scope.verdict, scope.rung) {
        (_, Rung::Any) => "the action takes no resource",
        (_, Rung::Baseline) => "the baseline's own resource, word for word, because of the variables in it",
        (Verdict::Used, Rung::Exact) => "the name as it was seen",
        (Verdict::Used, Rung::Ephemeral) => "as it was seen, the parts of the name that live for a short time left open",
        (Verdict::Used, Rung::Prefix) => "the folder that the names seen have in common",
        (Verdict::Used, Rung::Type) => {
            "the resource type in this account and region: no narrower pattern holds all that was seen"
        }
        (_, Rung::Type) => "not seen; the resource type in this account and region, which the feature needs",
        _ => "not seen; what the feature needs",
    };
    let because = scope.because.iter().map(|why| format!("  {}", terminal(why)));
    [terminal(&scope.resource.to_string()), format!("  {rung}")].into_iter().chain(because).collect()
}

fn through(way: &OnTheWay) -> Vec<String> {
    if !way.lets_through {
        return vec!["not let through, so no such request succeeds that way".to_owned()];
    }
    let because = way.because.iter().map(|why| format!("  {}", terminal(why)));
    std::iter::once(terminal(&format!("let through, by {}", way.statements.join(", ")))).chain(because).collect()
}

fn feature(one: &Explained, need: &NeededBy) -> Vec<String> {
    let known = one.features_in_use.get(&need.feature).map(|how| format!(" ({how})")).unwrap_or_default();
    vec![terminal(&format!("{}{known}: {}, on {}", need.feature, need.why, need.on)), terminal(&format!("  {}", need.source))]
}

fn seen(evidence: &EvidenceReport) -> Vec<String> {
    let when = when(evidence.calls, &evidence.first, &evidence.last);
    let events = evidence.events.iter().take(EVENTS).map(|id| format!("  event {}", terminal(id)));
    std::iter::once(terminal(&when)).chain(events).collect()
}

fn when(calls: u64, first: &str, last: &str) -> String {
    match calls {
        1 => format!("1 call, {first}"),
        n if first == last => format!("{n} calls, {first}"),
        n => format!("{n} calls, {first} to {last}"),
    }
}

fn reported(row: &Reported) -> String {
    let events = row.events.iter().take(EVENTS).cloned().collect::<Vec<_>>().join(", ");
    let on = if row.resource.is_any() { "a resource that the record does not name".to_owned() } else { row.resource.to_string() };
    terminal(&format!("{on}: {}; {}; event {events}", when(row.calls, &row.first, &row.last), row.why))
}
