//! What would break if these policies were attached today: a replay, for people and programs.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use handlebars::Handlebars;
use serde::Serialize;

use super::escape::terminal;
use crate::ledger::{Evidence, Use};
use crate::prove::observed::calls;
use crate::prove::replay::{Call, InForce, replay_within};

/// The version of the JSON form.
pub const SCHEMA: u32 = 1;

const TEMPLATE: &str = include_str!("templates/replay.hbs");

/// A replay. Counts are calls; a row is one action on one resource.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// The version of this format.
    pub schema: u32,
    /// The policies, all together.
    pub policies: Vec<String>,
    /// The permissions boundary; absent where none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    /// How many calls were replayed.
    pub calls: u64,
    /// How many would go through.
    pub allowed: u64,
    /// How many would be denied.
    pub denied: u64,
    /// How many cannot be told because CloudTrail lacks a context key.
    pub undetermined: u64,
    /// Calls made with the instances' credentials from somewhere else, which are not replayed.
    pub elsewhere: u64,
    /// The share of calls that would be denied, from 0 to 1.
    pub rate: f64,
    /// The same by action, the most denied first.
    pub actions: Vec<ActionRow>,
    /// What would be denied, the most frequent first.
    pub lost: Vec<Row>,
    /// What cannot be told.
    pub doubtful: Vec<Row>,
}

/// One action.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ActionRow {
    /// The action.
    pub action: String,
    /// How many calls.
    pub calls: u64,
    /// How many would be denied.
    pub denied: u64,
    /// How many cannot be told.
    pub undetermined: u64,
    /// The share that would be denied, from 0 to 1.
    pub rate: f64,
}

/// One action on one resource, by one session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// Whose call it was: the session's name.
    pub session: String,
    /// Why: the deciding statement, or the context keys that are missing.
    pub reason: String,
    /// How many calls.
    pub calls: u64,
    /// The first, RFC 3339.
    pub first: String,
    /// The last, RFC 3339.
    pub last: String,
    /// Sample event ids, the earliest first.
    pub events: Vec<String>,
}

enum Fate {
    Allowed,
    Denied(String),
    Undetermined(String),
}

impl Replayed {
    /// Replays observed calls on what would be in force. `before` is what the calls went through under: an undecided condition that
    /// stands there word for word is settled by it. It may be empty.
    #[must_use]
    pub fn of(
        names: Vec<String>,
        boundary: Option<String>,
        policies: InForce<'_>,
        before: InForce<'_>,
        uses: &[(Use, Evidence)],
        elsewhere: u64,
    ) -> Self {
        let mut requests: Vec<Call> = Vec::new();
        let mut owners: Vec<usize> = Vec::new();
        for (n, (used, _)) in uses.iter().enumerate() {
            let own = calls(used);
            owners.extend(own.iter().map(|_| n));
            requests.extend(own);
        }
        let outcome = replay_within(policies, before, &requests);
        let mut fates: BTreeMap<usize, Fate> = BTreeMap::new();
        let owner = |n: usize| owners.get(n).copied().unwrap_or_default();
        for (n, keys) in outcome.undetermined {
            fates.insert(owner(n), Fate::Undetermined(format!("the trail does not say {}", keys.join(", "))));
        }
        for (n, why) in outcome.denied {
            fates.insert(owner(n), Fate::Denied(why.to_string()));
        }
        let mut replayed = Self { boundary, ..Self::empty(names, elsewhere) };
        for (n, (used, evidence)) in uses.iter().enumerate() {
            replayed.add(used, evidence, fates.remove(&n).unwrap_or(Fate::Allowed));
        }
        replayed.finish();
        replayed
    }

    fn empty(policies: Vec<String>, elsewhere: u64) -> Self {
        Self {
            schema: SCHEMA,
            policies,
            boundary: None,
            calls: 0,
            allowed: 0,
            denied: 0,
            undetermined: 0,
            elsewhere,
            rate: 0.0,
            actions: Vec::new(),
            lost: Vec::new(),
            doubtful: Vec::new(),
        }
    }

    fn add(&mut self, used: &Use, evidence: &Evidence, fate: Fate) {
        let calls = evidence.calls();
        let action = used.action.to_string();
        let row = |reason: String| Row {
            action: action.clone(),
            resource: used.resource.as_literal().unwrap_or_else(|| used.resource.to_string()),
            session: used.session.name.clone(),
            reason,
            calls,
            first: evidence.first.clone(),
            last: evidence.last.clone(),
            events: evidence.samples.iter().map(|(_, id)| id.clone()).collect(),
        };
        if self.actions.last().is_none_or(|a| a.action != action) {
            self.actions.push(ActionRow { action: action.clone(), ..ActionRow::default() });
        }
        let Some(total) = self.actions.last_mut() else { return };
        total.calls += calls;
        self.calls += calls;
        match fate {
            Fate::Allowed => self.allowed += calls,
            Fate::Denied(reason) => {
                total.denied += calls;
                self.denied += calls;
                self.lost.push(row(reason));
            }
            Fate::Undetermined(reason) => {
                total.undetermined += calls;
                self.undetermined += calls;
                self.doubtful.push(row(reason));
            }
        }
    }

    /// Uses come by session, so one action may stand in several places.
    fn finish(&mut self) {
        let mut by_action: BTreeMap<String, ActionRow> = BTreeMap::new();
        for row in self.actions.drain(..) {
            let total = by_action.entry(row.action.clone()).or_default();
            total.action = row.action;
            total.calls += row.calls;
            total.denied += row.denied;
            total.undetermined += row.undetermined;
        }
        self.actions = by_action.into_values().map(|row| ActionRow { rate: share(row.denied, row.calls), ..row }).collect();
        self.actions.sort_by_key(|row| std::cmp::Reverse((row.denied, row.undetermined)));
        let order = |a: &Row, b: &Row| {
            b.calls.cmp(&a.calls).then_with(|| (&a.action, &a.resource, &a.session).cmp(&(&b.action, &b.resource, &b.session)))
        };
        self.lost.sort_by(order);
        self.doubtful.sort_by(order);
        self.rate = share(self.denied, self.calls);
    }

    /// Renders the replay with ANSI styles.
    ///
    /// # Errors
    /// When the template is malformed, which a test excludes.
    pub fn render(&self) -> Result<String, handlebars::RenderError> {
        let mut engine = Handlebars::new();
        engine.register_escape_fn(handlebars::no_escape); // everything from logs is escaped for terminals below
        engine.set_strict_mode(true);
        engine.render_template(TEMPLATE, &self.view())
    }

    fn view(&self) -> View {
        let count = |style: Style, label: &str, n: u64| {
            let style = if n == 0 { DIM } else { style };
            format!("{label:<18}{}  {}", paint(style, format!("{n:>8}")), paint(DIM, percent(share(n, self.calls))))
        };
        let mut tally = vec![
            count(GREEN, "would go through", self.allowed),
            count(RED, "would be denied", self.denied),
            count(YELLOW, "cannot be told", self.undetermined),
        ];
        if self.elsewhere > 0 {
            tally.push(paint(DIM, format!("calls from somewhere else, left out: {}", self.elsewhere)));
        }
        let affected = self.actions.iter().filter(|a| a.denied + a.undetermined > 0);
        let within = self.boundary.as_ref().map(|b| format!(" within the permissions boundary {b}")).unwrap_or_default();
        let on = format!("{}{within}", self.policies.join(", "));
        View {
            title: paint(BOLD, format!("{} calls replayed on {}", self.calls, terminal(&on))),
            tally,
            actions: affected.map(action).collect(),
            lost: self.lost.iter().map(|r| row(r, RED)).collect(),
            doubtful: self.doubtful.iter().map(|r| row(r, YELLOW)).collect(),
        }
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

#[derive(Serialize)]
struct View {
    title: String,
    tally: Vec<String>,
    actions: Vec<String>,
    lost: Vec<RowView>,
    doubtful: Vec<RowView>,
}

#[derive(Serialize)]
struct RowView {
    head: String,
    detail: String,
}

fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

#[allow(clippy::cast_precision_loss)] // counts of calls, shown as a percentage
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn action(row: &ActionRow) -> String {
    let cannot = if row.undetermined == 0 { String::new() } else { format!(", {} cannot be told", row.undetermined) };
    let text = format!("{} of {} denied{cannot}", row.denied, row.calls);
    format!("{:<44} {:>8}  {}", terminal(&row.action), percent(row.rate), paint(DIM, text))
}

fn row(row: &Row, style: Style) -> RowView {
    let times = if row.first == row.last { row.first.clone() } else { format!("{} to {}", row.first, row.last) };
    let event = row.events.first().map(|id| format!(" · event {}", terminal(id))).unwrap_or_default();
    let plural = if row.calls == 1 { "call" } else { "calls" };
    RowView {
        head: format!("{} on {}  {}", paint(style, terminal(&row.action)), terminal(&row.resource), terminal(&row.reason)),
        detail: paint(DIM, format!("{} {plural} by {} · {times}{event}", row.calls, terminal(&row.session))),
    }
}
