//! The meaning of a change, for people: on a terminal, and as a comment on a pull request.

use anstyle::{AnsiColor, Style};
use handlebars::Handlebars;
use serde::Serialize;

use super::escape::{markdown, terminal};
use super::granted::Says;
use super::meaning::{Meaning, Row};
use super::witness::Shown;
use crate::prove::proof::Answer;

const TEXT: &str = include_str!("templates/compared-text.hbs");
const MARKDOWN: &str = include_str!("templates/compared-markdown.hbs");

/// How many actions of a row are spelled out.
const LISTED: usize = 12;

/// How many resources of a statement are spelled out.
const RESOURCES: usize = 6;

/// The room that hosts give a comment, in characters, with some left for what a workflow adds.
///
/// Source: GitHub REST API, "Issue comments": a body has at most 65,536 characters.
const COMMENT: usize = 60_000;

/// Fates in order, with what they are called.
const FATES: [(&str, &str); 6] = [
    ("gained", "gained: allowed now, and was not"),
    ("exchanged", "gained and lost: neither side contains the other"),
    ("undecided", "undecided: the prover does not know"),
    ("gone", "gone: no request is allowed any more"),
    ("narrowed", "narrowed: fewer requests are allowed"),
    ("unchanged", "unchanged"),
];

/// Where the comparison is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Terminal,
    Comment,
}

/// Renders comparisons with ANSI styles.
///
/// # Errors
/// When the template is malformed, which a test excludes.
pub fn text(comparisons: &[Meaning]) -> Result<String, handlebars::RenderError> {
    render(comparisons, Place::Terminal, TEXT)
}

/// Renders comparisons as Markdown that fits into a comment.
///
/// # Errors
/// When the template is malformed, which a test excludes.
pub fn comment(comparisons: &[Meaning]) -> Result<String, handlebars::RenderError> {
    let full = render(comparisons, Place::Comment, MARKDOWN)?;
    if full.chars().count() <= COMMENT {
        return Ok(full);
    }
    let (mut short, mut length) = (String::new(), 0);
    for line in full.split_inclusive('\n') {
        length += line.chars().count();
        if length > COMMENT {
            break;
        }
        short.push_str(line);
    }
    let open = short.matches("<details>").count().saturating_sub(short.matches("</details>").count());
    Ok(short + &"\n</details>\n".repeat(open) + "\n*The rest does not fit into a comment: run `policyc diff`.*\n")
}

#[derive(Serialize)]
struct View {
    comparisons: Vec<Comparison>,
}

#[derive(Serialize)]
struct Comparison {
    title: String,
    verdict: String,
    causes: Vec<String>,
    groups: Vec<Group>,
    size: String,
    numbers: Vec<Number>,
}

#[derive(Serialize)]
struct Group {
    head: String,
    folded: bool,
    rows: Vec<RowView>,
}

#[derive(Serialize)]
struct RowView {
    label: String,
    lines: Vec<String>,
}

/// A number before and after, with what it counts; the label is padded for the terminal.
#[derive(Serialize)]
struct Number {
    label: String,
    before: String,
    now: String,
    note: String,
}

fn render(comparisons: &[Meaning], place: Place, template: &str) -> Result<String, handlebars::RenderError> {
    let mut engine = Handlebars::new();
    engine.register_escape_fn(handlebars::no_escape); // names are escaped for their place below
    engine.set_strict_mode(true);
    let view = View { comparisons: comparisons.iter().map(|meaning| place.comparison(meaning)).collect() };
    Ok(engine.render_template(template, &view)?.trim_end().to_owned() + "\n")
}

impl Place {
    fn safe(self, text: &str) -> String {
        match self {
            Self::Terminal => terminal(text),
            Self::Comment => markdown(text),
        }
    }

    /// A name, or what a policy says word for word.
    fn code(self, text: &str) -> String {
        match self {
            Self::Terminal => terminal(text),
            Self::Comment => format!("<code>{}</code>", markdown(text)),
        }
    }

    fn strong(self, style: Style, text: &str) -> String {
        match self {
            Self::Terminal => format!("{style}{text}{style:#}"),
            Self::Comment => format!("**{text}**"),
        }
    }

    fn quiet(self, text: &str) -> String {
        match self {
            Self::Terminal => format!("{}{text}{:#}", Style::new().dimmed(), Style::new().dimmed()),
            Self::Comment => text.to_owned(),
        }
    }

    fn comparison(self, meaning: &Meaning) -> Comparison {
        let title = format!("{} → {}", self.code(&meaning.old), self.code(&meaning.new));
        Comparison {
            title: if self == Self::Terminal { self.strong(Style::new().bold(), &title) } else { title },
            verdict: self.verdict(meaning),
            causes: meaning.causes.iter().map(|cause| self.quiet(&self.safe(cause))).collect(),
            groups: FATES.iter().filter_map(|(fate, head)| self.group(meaning, fate, head)).collect(),
            size: {
                let ([before, now], [wide, wide_now]) = (meaning.size.actions, meaning.size.everywhere);
                format!("{before} → {now} actions are granted, {wide} → {wide_now} of them on every resource")
            },
            numbers: self.numbers(meaning),
        }
    }

    fn verdict(self, meaning: &Meaning) -> String {
        let green = AnsiColor::Green.on_default().bold();
        let (red, yellow) = (AnsiColor::Red.on_default().bold(), AnsiColor::Yellow.on_default().bold());
        match meaning.nothing_gained {
            Answer::Proved if meaning.is_safe() && meaning.changes.iter().all(|row| row.fate == "unchanged") => {
                format!("{}: exactly the same requests are allowed", self.strong(green, "same access, proved"))
            }
            Answer::Proved if meaning.is_safe() => {
                format!("{}: every request that is allowed now was allowed before", self.strong(green, "nothing gained, proved"))
            }
            Answer::Proved => format!("{}: not everything could be compared, see below", self.strong(yellow, "not decided")),
            Answer::NotProved => format!("{}: {}", self.strong(red, "access gained"), gains(meaning)),
            Answer::Refused => format!("{}: {}", self.strong(yellow, "not decided"), self.safe(&meaning.reason)),
        }
    }

    fn group(self, meaning: &Meaning, fate: &str, head: &str) -> Option<Group> {
        let rows: Vec<&Row> = meaning.changes.iter().filter(|row| row.fate == fate).collect();
        if rows.is_empty() {
            return None;
        }
        let style = match fate {
            "gained" | "exchanged" => AnsiColor::Red.on_default().bold(),
            "undecided" => AnsiColor::Yellow.on_default().bold(),
            _ => Style::new().bold(),
        };
        let folded = !ALARMING.contains(&fate);
        let text = format!("{head} ({})", count(&rows));
        let head = if self == Self::Terminal { self.strong(style, &text) } else { text };
        Some(Group { head, folded, rows: rows.into_iter().map(|row| self.row(row)).collect() })
    }

    fn row(self, row: &Row) -> RowView {
        let mut label = self.safe(&named(&row.level));
        if !row.risk.is_empty() {
            label = format!("{label}, {}", self.strong(AnsiColor::Red.on_default(), &self.safe(&row.risk)));
        }
        let mut actions: Vec<String> = row.actions.iter().take(LISTED).map(|action| self.code(action)).collect();
        if row.actions.len() > LISTED {
            actions.push(format!("and {} more", row.actions.len() - LISTED));
        }
        let mut lines = Vec::new();
        if row.fate != "unchanged" {
            if row.fate != "gone" {
                lines.extend(self.says("was on", &row.before));
                lines.extend(self.says("now on", &row.now));
            }
            lines.extend(row.gained.as_ref().map(|shown| self.request("now allowed", shown)));
            lines.extend(row.lost.as_ref().map(|shown| self.request("no longer", shown)));
        }
        let notes = [&row.doubt].into_iter().filter(|doubt| !doubt.is_empty()).chain(&row.because);
        lines.extend(notes.map(|note| self.quiet(&self.safe(note))));
        RowView { label: format!("{label}: {}", actions.join(", ")), lines }
    }

    /// What the statements of a side say, a line for each resource; continuation lines are indented on a terminal.
    fn says(self, what: &str, all: &[Says]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut before = String::new();
        for says in all {
            let prefix = match (says.denies, says.all_but) {
                (false, false) => what.to_owned(),
                (false, true) => format!("{what} all but"),
                (true, false) => format!("{what} nothing of"),
                (true, true) => format!("{what} nothing but"),
            };
            let mut resources: Vec<String> = says.resources.iter().take(RESOURCES).map(|r| self.code(r)).collect();
            if says.resources.len() > RESOURCES {
                resources.push(format!("and {} more", says.resources.len() - RESOURCES));
            }
            if let Some(last) = resources.last_mut().filter(|_| !says.conditions.is_empty()) {
                let tests: Vec<String> = says.conditions.iter().map(|test| self.code(test)).collect();
                *last = format!("{last} if {}", tests.join(" and "));
            }
            match self {
                Self::Comment => lines.push(format!("{prefix} {}", resources.join(", "))),
                Self::Terminal => {
                    for one in resources {
                        // A resource never begins a line: GitHub's runner would read a command there.
                        let and = format!("{:>1$}", "and", prefix.chars().count());
                        lines.push(format!("{} {one}", if prefix == before { &and } else { &prefix }));
                        before.clone_from(&prefix);
                    }
                }
            }
        }
        lines
    }

    fn request(self, what: &str, shown: &Shown) -> String {
        let context: Vec<String> =
            shown.context.iter().map(|(key, values)| self.code(&format!("{key} = {}", values.join(", ")))).collect();
        let context = if context.is_empty() { String::new() } else { format!(" with {}", context.join(" and ")) };
        let by = if shown.statement.is_empty() { String::new() } else { format!(", by {}", self.code(&shown.statement)) };
        self.quiet(&format!("{what}: {} on {}{context}{by}", self.code(&shown.action), self.code(&shown.resource)))
    }

    fn numbers(self, meaning: &Meaning) -> Vec<Number> {
        let size = &meaning.size;
        let mut all = vec![
            ("actions granted".to_owned(), size.actions, format!("of {} that AWS documents", size.known)),
            ("on every resource".to_owned(), size.everywhere, "by a statement whose Resource is *".to_owned()),
            ("though limitable".to_owned(), size.limitable, "IAM could limit these to some resources".to_owned()),
        ];
        let risks = size.risks.iter().filter(|(_, counts)| *counts != [0, 0]);
        all.extend(risks.map(|(kind, counts)| (kind.clone(), *counts, "on a list of risky actions".to_owned())));
        all.extend(size.levels.iter().map(|(level, counts)| (named(level).to_lowercase(), *counts, "access level".to_owned())));
        let width = all.iter().map(|(label, ..)| label.chars().count()).max().unwrap_or(0);
        let number = |(label, [before, now], note): (String, [usize; 2], String)| match self {
            Self::Comment => {
                Number { label: self.safe(&label), before: before.to_string(), now: now.to_string(), note: self.safe(&note) }
            }
            Self::Terminal => Number {
                label: format!("{:<width$}", terminal(&label)),
                before: format!("{before:>5}"),
                now: format!("{now:<5}"),
                note: self.quiet(&note),
            },
        };
        all.into_iter().map(number).collect()
    }
}

/// Fates that are never folded.
const ALARMING: [&str; 3] = ["gained", "exchanged", "undecided"];

fn count(rows: &[&Row]) -> usize {
    rows.iter().map(|row| row.actions.len()).sum()
}

/// How many actions allow something new, and how many of them a list calls risky.
fn gains(meaning: &Meaning) -> String {
    let rows: Vec<&Row> = meaning.changes.iter().filter(|row| ["gained", "exchanged"].contains(&row.fate)).collect();
    let mut risks: Vec<(&str, usize)> = Vec::new();
    for row in rows.iter().filter(|row| !row.risk.is_empty()) {
        match risks.iter_mut().find(|(risk, _)| *risk == row.risk) {
            Some((_, count)) => *count += row.actions.len(),
            None => risks.push((&row.risk, row.actions.len())),
        }
    }
    let risks: Vec<String> = risks.iter().map(|(risk, count)| format!("{risk}: {count}")).collect();
    let risks = if risks.is_empty() { String::new() } else { format!(" ({})", risks.join(", ")) };
    match count(&rows) {
        0 => "see the requests below".to_owned(),
        1 => format!("1 action is allowed on more than before{risks}"),
        n => format!("{n} actions are allowed on more than before{risks}"),
    }
}

fn named(level: &str) -> String {
    if level.is_empty() { "Level not known".to_owned() } else { level.to_owned() }
}
