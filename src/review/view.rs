//! What templates see: the reports with every key of their JSON, and beside them what would be hard to work out in a
//! template. Nothing here is escaped; the engine does that for each format.

use serde::Serialize;

use super::endpoint::{self, EndpointView};
use super::figure::{self, Figure};
use super::report::{ActionReport, FindingReport, Report, SuspiciousReport, Tally, UnmappedReport};
use super::sarif::Sarif;
use super::summary::{Summary, plural};
use crate::derive::Reported;
use crate::derive::verdict::Verdict;
use crate::finding::Severity;
use crate::prove::proof::Answer;

/// How much of a report is shown, for formats with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// The difference to the baseline.
    pub difference: bool,
    /// What is granted, resource by resource.
    pub granted: bool,
    /// Notes, beside errors and warnings.
    pub notes: bool,
    /// More than the headline and one line for each role.
    pub roles: bool,
    /// Whether something is left out.
    pub shortened: bool,
}

impl Detail {
    /// Everything.
    pub const ALL: Self = Self { difference: true, granted: true, notes: true, roles: true, shortened: false };

    /// From everything to the least, what matters least going first.
    #[must_use]
    pub fn falling() -> [Self; 5] {
        let less = Self { difference: false, shortened: true, ..Self::ALL };
        let lesser = Self { granted: false, ..less };
        [Self::ALL, less, lesser, Self { notes: false, ..lesser }, Self { notes: false, roles: false, ..lesser }]
    }
}

/// The whole of what a template sees.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    /// policyc's version.
    pub version: &'static str,
    /// What matters most, in a sentence.
    pub headline: String,
    /// `good`, `look` or `bad`.
    pub mood: Mood,
    /// The roles in order.
    pub roles: Vec<RoleView<'a>>,
    /// Whether there are several.
    pub several: bool,
    /// The VPC endpoints that they are behind, each once.
    pub endpoints: Vec<EndpointView<'a>>,
    /// What is shown.
    pub detail: Detail,
    /// The reports as `derive --report` writes them: one object, or one for each role by logical id.
    pub document: serde_json::Value,
    /// The SARIF log's own view.
    pub sarif: Sarif,
}

/// How a role stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mood {
    /// Proved, and nothing to look at.
    Good,
    /// Proved, and a warning wants a person to look.
    Look,
    /// An error finding, or a proof that failed.
    Bad,
}

/// One role.
#[derive(Debug, Serialize)]
pub struct RoleView<'a> {
    /// Every key of the report's JSON.
    #[serde(flatten)]
    pub report: &'a Report,
    /// A number that is unique in the document, for anchors.
    pub id: usize,
    /// What a person calls it.
    pub name: &'a str,
    /// How it stands.
    pub mood: Mood,
    /// What matters most, in a sentence.
    pub headline: String,
    /// The actions by what became of them.
    pub tally: TallyView,
    /// The baseline and its version.
    pub within: String,
    /// The days of the window.
    pub days: Option<(String, String)>,
    /// Each half of the promise.
    pub claims: Vec<Claim>,
    /// The table of verdicts.
    pub rows: Vec<Row<'a>>,
    /// Findings that are errors or warnings.
    pub warnings: Vec<&'a FindingReport>,
    /// Findings that are notes.
    pub notes: Vec<&'a FindingReport>,
    /// Calls that grant nothing, in groups that are not empty.
    pub nothing: Vec<Group<'a>>,
    /// The difference, line by line.
    pub lines: Vec<Line<'a>>,
    /// The drawing of the activity; none where nothing was seen.
    pub figure: Option<Figure>,
    /// The summary for a terminal.
    pub summary: Summary,
    /// What is said of the curve, in a sentence.
    pub growth: String,
}

/// The tally with its shares, for bars.
#[derive(Debug, Serialize)]
pub struct TallyView {
    /// The numbers.
    #[serde(flatten)]
    pub numbers: Tally,
    /// Per cent of the actions, in the order gone, narrowed, kept; each begins where the one before ends.
    pub bars: [(f64, f64); 3],
}

/// One half of the promise and whether it was shown.
#[derive(Debug, Serialize)]
pub struct Claim {
    /// What is claimed.
    pub claim: String,
    /// `proved`, `not proved` or `refused`.
    pub verdict: Answer,
    /// `good` or `bad`.
    pub mood: Mood,
    /// What else there is to say.
    pub reason: String,
}

/// One action in the table of verdicts.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    /// The action.
    #[serde(flatten)]
    pub action: &'a ActionReport,
    /// For sorting: the verdict's rank, strongest first.
    pub rank: u8,
    /// How many calls; 0 where nothing was seen.
    pub calls: u64,
    /// `gone`, `narrowed` or `kept`.
    pub fate: &'static str,
    /// The day of the first and the last call; empty where nothing was seen.
    pub first: &'a str,
    /// See `first`.
    pub last: &'a str,
    /// Where the first and the last call lie in the window, and how much of it lies between, in per cent.
    pub span: Option<(f64, f64)>,
}

/// Calls that grant nothing for the same reason.
#[derive(Debug, Serialize)]
pub struct Group<'a> {
    /// What they have in common, in a word or two.
    pub title: &'static str,
    /// What that means.
    pub note: &'static str,
    /// Whether a person should see them without looking for them.
    pub loud: bool,
    /// The calls.
    pub rows: Vec<GroupRow<'a>>,
}

/// Calls of one kind.
#[derive(Debug, Serialize)]
pub struct GroupRow<'a> {
    /// The action, or the event.
    pub what: String,
    /// The resource; empty where none is known.
    pub on: String,
    /// Why they are listed.
    pub why: &'a str,
    /// How many.
    pub calls: u64,
    /// Sample event ids, a few.
    pub events: &'a [String],
}

/// One line of a difference.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// `gone`, `new`, `place` or `same`.
    pub kind: &'static str,
    /// The line.
    pub text: &'a str,
}

impl<'a> View<'a> {
    /// Assembles the view.
    #[must_use]
    pub fn of(reports: &'a [Report], detail: Detail) -> Self {
        let roles: Vec<RoleView<'_>> = reports.iter().enumerate().map(|(n, r)| role(n + 1, r)).collect();
        let endpoints: Vec<_> = endpoint::all(reports).enumerate().map(|(n, e)| EndpointView::of(n + 1, e)).collect();
        let moods = roles.iter().map(|r| r.mood).chain(endpoints.iter().map(|e| e.mood));
        let mood = moods.max().unwrap_or(Mood::Good);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            headline: headline(mood, roles.len(), endpoints.len()),
            mood,
            several: roles.len() > 1,
            roles,
            endpoints,
            detail,
            document: document(reports),
            sarif: Sarif::of(reports),
        }
    }
}

fn headline(mood: Mood, roles: usize, endpoints: usize) -> String {
    let all = match (roles, endpoints) {
        (1, 0) => String::new(),
        (n, 0) => format!("{n} roles"),
        (n, m) => format!("{} and {}", plural(n as u64, "role"), plural(m as u64, "endpoint")),
    };
    let whose = if all.is_empty() { "the policy grants".to_owned() } else { format!("the policies of {all} grant") };
    match mood {
        Mood::Good => format!("Proved: {whose} nothing new and lose nothing that was seen"),
        Mood::Look => format!("Proved, with warnings: {whose} nothing new and lose nothing that was seen"),
        Mood::Bad => "Not proved: do not merge".to_owned(),
    }
    .replace(if all.is_empty() { "and lose" } else { "\0" }, "and loses")
}

/// One report as it is, several by logical id: what `derive --report` writes.
fn document(reports: &[Report]) -> serde_json::Value {
    let value = |r: &Report| serde_json::to_value(r).unwrap_or_default();
    match reports {
        [one] if one.logical_id.is_none() => value(one),
        all => all.iter().map(|r| (r.name().to_owned(), value(r))).collect::<serde_json::Map<_, _>>().into(),
    }
}

/// How something with these findings and claims stands.
pub(super) fn stands(findings: &[FindingReport], claims: &[Claim]) -> Mood {
    let has = |severity: Severity| findings.iter().any(|f| f.severity == severity);
    let failed = claims.iter().any(|c| c.mood == Mood::Bad);
    match (has(Severity::Error) || failed, has(Severity::Warning)) {
        (true, _) => Mood::Bad,
        (false, true) => Mood::Look,
        (false, false) => Mood::Good,
    }
}

impl Claim {
    /// A claim is good where it is proved.
    pub(super) fn of(claim: String, verdict: Answer, reason: String) -> Self {
        Self { claim, verdict, mood: if verdict == Answer::Proved { Mood::Good } else { Mood::Bad }, reason }
    }
}

fn role(id: usize, report: &Report) -> RoleView<'_> {
    let claims = claims(report);
    let mood = stands(&report.findings, &claims);
    let (notes, warnings) = report.findings.iter().partition(|f| f.severity == Severity::Note);
    RoleView {
        report,
        id,
        name: report.name(),
        mood,
        headline: headline(mood, 1, 0),
        tally: tally(report.tally()),
        within: format!("{} {}", report.baseline.name, report.baseline.version).trim_end().to_owned(),
        days: report.window.as_ref().map(|w| (day(&w.first).to_owned(), day(&w.last).to_owned())),
        claims,
        rows: rows(report),
        warnings,
        notes,
        nothing: nothing(report),
        lines: report.difference.lines().map(line).collect(),
        figure: Figure::of(report),
        summary: Summary::of(report),
        growth: growth(report),
    }
}

fn tally(numbers: Tally) -> TallyView {
    let share = |n: usize| n as f64 * 100.0 / numbers.all.max(1) as f64;
    let round = |x: f64| (x * 100.0).round() / 100.0;
    let (gone, narrowed) = (share(numbers.gone), share(numbers.narrowed));
    let bar = |from: f64, share: f64| (round(from), round(share));
    TallyView { bars: [bar(0.0, gone), bar(gone, narrowed), bar(gone + narrowed, share(numbers.kept))], numbers }
}

fn claims(report: &Report) -> Vec<Claim> {
    let (within, covers) = (report.proof.within_baseline, &report.proof.covers_observed);
    let calls =
        if covers.calls == 1 { "the one observed call".to_owned() } else { format!("any of {} observed calls", covers.calls) };
    let mut reasons: Vec<String> = covers.denied.iter().map(|d| format!("it would deny {d}")).collect();
    if covers.undetermined > 0 {
        reasons.push(format!("{} cannot be told: the trail lacks a condition key", covers.undetermined));
    }
    vec![
        Claim::of(format!("grants nothing beyond {}", report.baseline.name), within, report.proof.reason.clone()),
        Claim::of(format!("does not lose {calls}"), covers.verdict, reasons.join("; ")),
    ]
}

/// What is granted comes first: it is what a reviewer signs.
fn rows(report: &Report) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = report.actions.iter().map(|a| row(report, a)).collect();
    rows.sort_by_key(|r| r.rank);
    rows
}

fn row<'a>(report: &Report, action: &'a ActionReport) -> Row<'a> {
    let rank = match action.verdict {
        Verdict::Used => 0,
        Verdict::Floor => 1,
        Verdict::Blind => 2,
        Verdict::Unseen => 3,
    };
    let any = action.resources.iter().any(crate::iam::Pattern::is_any);
    let fate = match (action.granted, any) {
        (false, _) => "gone",
        (true, false) => "narrowed",
        (true, true) => "kept",
    };
    let evidence = action.evidence.as_ref();
    Row {
        action,
        rank,
        calls: evidence.map_or(0, |e| e.calls),
        fate,
        first: evidence.map_or("", |e| day(&e.first)),
        last: evidence.map_or("", |e| day(&e.last)),
        span: evidence.zip(report.window.as_ref()).and_then(|(e, w)| figure::span((&e.first, &e.last), (&w.first, &w.last))),
    }
}

/// How many event ids of a kind of call are shown.
const EVENTS: usize = 5;

fn nothing(report: &Report) -> Vec<Group<'_>> {
    let group = |title, note, loud, rows| Group { title, note, loud, rows };
    let groups = [
        group(
            "Suspicious",
            "the instances' credentials, used from somewhere else",
            true,
            report.suspicious.iter().map(suspicious).collect(),
        ),
        group(
            "Seen, but forbidden",
            "they passed, and the permissions boundary or a Deny that stays attached forbids them today",
            true,
            report.forbidden.iter().map(called).collect(),
        ),
        group("Denied", "they add nothing and remove nothing", false, report.denied.iter().map(called).collect()),
        group("Outside the baseline", "never granted", false, report.outside.iter().map(called).collect()),
        group("Failed", "the failure says nothing about authorisation", false, report.failed.iter().map(called).collect()),
        group("Unmapped", "named, never guessed", true, report.unmapped.iter().map(unmapped).collect()),
    ];
    groups.into_iter().filter(|g| !g.rows.is_empty()).collect()
}

fn called(r: &Reported) -> GroupRow<'_> {
    let (what, on) = (r.action.to_string(), r.resource.to_string());
    GroupRow { what, on, why: &r.why, calls: r.calls, events: some(&r.events) }
}

fn suspicious(s: &SuspiciousReport) -> GroupRow<'_> {
    let (what, on) = (s.action.to_string(), s.resource.to_string());
    GroupRow { what, on, why: &s.why, calls: 1, events: std::slice::from_ref(&s.event) }
}

fn unmapped(u: &UnmappedReport) -> GroupRow<'_> {
    const WHY: &str = "the catalogue does not know the event";
    GroupRow { what: u.event.clone(), on: String::new(), why: WHY, calls: u.evidence.calls, events: some(&u.evidence.events) }
}

fn some(events: &[String]) -> &[String] {
    events.get(..EVENTS).unwrap_or(events)
}

pub(super) fn line(text: &str) -> Line<'_> {
    let kind = match text.as_bytes().first() {
        Some(b'+') => "new",
        Some(b'-') => "gone",
        Some(b'@') => "place",
        _ => "same",
    };
    Line { kind, text }
}

fn growth(report: &Report) -> String {
    use super::activity::{Growth, Trend};
    let growth = &report.activity.growth;
    let Growth { permissions, seen_once, window_days, quiet_days, .. } = growth;
    if *permissions == 0 {
        return "Nothing was seen.".to_owned();
    }
    let said = match growth.verdict {
        Trend::TooShort => format!("Too early to say: the trail covers {window_days} days, and {} are the least.", Growth::SHORT),
        Trend::Flat => format!("It has gone flat: nothing new in the last {quiet_days} of {window_days} days."),
        Trend::Growing => {
            format!("It still grows: the last new permission came {quiet_days} days before the end of {window_days}.")
        }
    };
    let once = match seen_once {
        0 => "Each was seen more than once".to_owned(),
        n => format!("{n} of {permissions} were seen in one call only"),
    };
    format!("{said} {once}.")
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}
