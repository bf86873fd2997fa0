//! What a source of records can show of a baseline, and which event selectors would show the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::escape::terminal_lines;
use crate::catalog::Catalog;
use crate::catalog::coverage::Visibility;
use crate::iam::Action;
use crate::ledger::Coverage;
use crate::ledger::selectors::{EventSelectors, Field, LoggedRole, Selector};

/// What is shown, what is not, and what would show it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CoverageReport {
    /// The trail whose selectors were asked for; absent where they were given, or none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail: Option<TrailShown>,
    /// The baseline's name.
    pub baseline: String,
    /// Actions whose use the source shows.
    pub shown: Vec<Action>,
    /// Actions whose use it does not show.
    pub blind: Vec<BlindAction>,
    /// All selectors that the trail should have: today's and those that are new. Empty where no selector would show more.
    pub selectors: Vec<Selector>,
    /// What the new ones would log.
    pub would_log: Vec<WouldLog>,
}

/// A trail as the account describes it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TrailShown {
    /// Its ARN.
    pub arn: String,
    /// The region where it is defined.
    pub home: String,
    /// Whether it logs every region.
    pub every_region: bool,
    /// Whether it is an organisation's.
    pub organisation: bool,
    /// Whether it logs now.
    pub logging: bool,
    /// Where its log files are.
    pub bucket: String,
}

impl TrailShown {
    fn text(&self) -> String {
        let regions = if self.every_region { "of every region".to_owned() } else { format!("of {}", self.home) };
        let whose = if self.organisation { "the organisation's trail" } else { "the trail" };
        let state = if self.logging { "logs" } else { "does NOT log now; it would log" };
        format!("{whose} {} {state} events {regions} to {}", self.arn, self.bucket)
    }
}

/// An action that is not shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BlindAction {
    /// The action.
    pub action: Action,
    /// Why not.
    pub why: String,
    /// Where that is documented; empty where the selectors are the reason.
    pub source: String,
    /// The selector that would show it; `None` where none does.
    pub shown_by: Option<String>,
}

/// What a new selector would log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WouldLog {
    /// Its name.
    pub selector: String,
    /// The baseline's actions that it shows.
    pub actions: Vec<Action>,
    /// Which events it selects, in words.
    pub events: String,
}

/// The name of the selector for management events.
const MANAGEMENT: &str = "Management events";

impl CoverageReport {
    /// Judges the actions of a baseline. Without `selectors` the source is one that shows all management events and nothing else, as
    /// event history does. With `roles`, an action is shown where the calls of each of them are, and new selectors log theirs alone.
    #[must_use]
    pub fn new(
        baseline: &str,
        actions: &BTreeSet<Action>,
        selectors: Option<&EventSelectors>,
        roles: &[LoggedRole],
        catalog: &Catalog,
    ) -> Self {
        let today = selectors.cloned().unwrap_or_else(|| EventSelectors { selectors: vec![management()] });
        let of_everybody = || vec![Coverage::of(&today, None)];
        let coverages: Vec<Coverage> = roles.iter().map(|role| Coverage::of(&today, Some(role))).collect();
        let coverages = if coverages.is_empty() { of_everybody() } else { coverages };
        let is_shown = |a: &&Action| coverages.iter().all(|coverage| catalog.visible(a, coverage));
        let (shown, hidden): (Vec<&Action>, Vec<&Action>) = actions.iter().partition(is_shown);
        let blind: Vec<BlindAction> = hidden.into_iter().map(|action| blind(action, &coverages, catalog)).collect();

        let mut wanted: BTreeMap<&str, Vec<Action>> = BTreeMap::new();
        for one in &blind {
            if let Some(name) = &one.shown_by {
                wanted.entry(name).or_default().push(one.action.clone());
            }
        }
        let mut new: Vec<Selector> = today.selectors.clone();
        if wanted.contains_key(MANAGEMENT) {
            new.retain(|selector| selector.category() != "Management");
        }
        let mut would_log = Vec::new();
        for (name, actions) in wanted.clone() {
            let kind = name.strip_prefix(DATA);
            let (selector, events) = match kind {
                Some(kind) => data(name, kind, roles, &today),
                None => (management(), "all management events, reading and writing, of every service".to_owned()),
            };
            would_log.push(WouldLog { selector: name.to_owned(), actions, events });
            new.push(selector);
        }
        let selectors = if would_log.is_empty() { Vec::new() } else { new };
        Self {
            trail: None,
            baseline: baseline.to_owned(),
            shown: shown.into_iter().cloned().collect(),
            blind,
            selectors,
            would_log,
        }
    }

    /// The selectors as `aws cloudtrail put-event-selectors --advanced-event-selectors` takes them.
    #[must_use]
    pub fn selectors_json(&self) -> String {
        serde_json::to_string_pretty(&self.selectors).unwrap_or_default()
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        if let Some(trail) = &self.trail {
            let _ = writeln!(out, "{}\n", trail.text());
        }
        let all = self.shown.len() + self.blind.len();
        let _ =
            writeln!(out, "{}: {} of {all} actions are shown, {} are blind", self.baseline, self.shown.len(), self.blind.len());
        let width = self.blind.iter().map(|b| b.action.as_str().len()).max().unwrap_or_default();
        for (title, can) in [("blind, and shown by the selectors below", true), ("blind, whatever is selected", false)] {
            let those: Vec<&BlindAction> = self.blind.iter().filter(|b| b.shown_by.is_some() == can).collect();
            if !those.is_empty() {
                let _ = writeln!(out, "\n{title}");
            }
            for one in those {
                let _ = writeln!(out, "  {:width$}  {}", one.action.as_str(), one.why);
            }
        }
        if self.would_log.is_empty() {
            return terminal_lines(&out);
        }
        let _ = writeln!(out, "\nwould be logged in addition (data events are charged for)");
        for one in &self.would_log {
            let actions: Vec<&str> = one.actions.iter().map(Action::as_str).collect();
            let _ = writeln!(out, "  {}: {}\n    shows {}", one.selector, one.events, actions.join(", "));
        }
        let _ = writeln!(out, "\nthe trail's selectors as they would be, those of today among them:");
        let (name, region) = match &self.trail {
            Some(trail) => (trail.arn.as_str(), format!(" --region {}", trail.home)),
            None => ("TRAIL", String::new()),
        };
        if self.trail.as_ref().is_some_and(|trail| trail.organisation) {
            let _ = writeln!(out, "(in the organisation's management account, or its delegated administrator's)");
        }
        let _ = writeln!(
            out,
            "aws cloudtrail put-event-selectors{region} --trail-name {name} --advanced-event-selectors file://selectors.json"
        );
        let _ = writeln!(out, "{}", self.selectors_json());
        terminal_lines(&out)
    }
}

/// How the names of selectors for data events begin.
const DATA: &str = "Data events of ";

/// Why an action is not shown; `coverages` are those of each role.
fn blind(action: &Action, coverages: &[Coverage], catalog: &Catalog) -> BlindAction {
    let action = action.clone();
    match catalog.visibility(&action) {
        Visibility::Management => {
            let why = "a management event that the selectors leave out".to_owned();
            BlindAction { action, why, source: String::new(), shown_by: Some(MANAGEMENT.to_owned()) }
        }
        Visibility::Data { kind, source } => {
            let places: BTreeSet<&str> =
                coverages.iter().filter_map(|c| c.partly.get(&kind)).flatten().map(String::as_str).collect();
            let places: Vec<String> = places.into_iter().map(|place| format!("{place}…")).collect();
            let only = if places.is_empty() { String::new() } else { format!(", logged on {} only", places.join(", ")) };
            BlindAction { action, why: format!("a data event of {kind}{only}"), source, shown_by: Some(format!("{DATA}{kind}")) }
        }
        Visibility::Blind { confidence, source } => BlindAction { action, why: confidence, source, shown_by: None },
    }
}

fn management() -> Selector {
    Selector { name: MANAGEMENT.to_owned(), field_selectors: vec![Field::equals("eventCategory", &["Management"])] }
}

fn data(name: &str, kind: &str, roles: &[LoggedRole], today: &EventSelectors) -> (Selector, String) {
    let mut fields = vec![Field::equals("eventCategory", &["Data"]), Field::equals("resources.type", &[kind])];
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    let whose = match names.as_slice() {
        [] => "calls of everybody in the account".to_owned(),
        [one] => format!("calls of the role {one} alone"),
        several => format!("calls of the roles {} alone", several.join(", ")),
    };
    if !roles.is_empty() {
        let starts_with = roles.iter().map(|role| role.sessions(&partition(role, today))).collect();
        fields.push(Field { field: "userIdentity.arn".to_owned(), starts_with, ..Field::default() });
    }
    let selector = Selector { name: name.to_owned(), field_selectors: fields };
    (selector, format!("{whose}, reading and writing, on every resource of type {kind}"))
}

/// The partition that the selectors show, else the commercial one.
fn partition(role: &LoggedRole, today: &EventSelectors) -> String {
    let arns = today.selectors.iter().flat_map(|s| &s.field_selectors).flat_map(|f| f.starts_with.iter().chain(&f.equals));
    let shown = arns.filter_map(|text| text.strip_prefix("arn:")?.split(':').next()).next();
    role.partition.as_deref().or(shown).unwrap_or("aws").to_owned()
}
