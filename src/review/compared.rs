//! The meaning of a change, for people: on a terminal, and as a comment on a pull request.

use anstyle::{AnsiColor, Style};
use handlebars::Handlebars;
use serde::Serialize;

use super::escape::{markdown, terminal};
use super::meaning::{Meaning, Row, Shown};
use crate::prove::proof::Answer;

const TEXT: &str = include_str!("templates/compared-text.hbs");
const MARKDOWN: &str = include_str!("templates/compared-markdown.hbs");

/// How many actions of a row are spelled out.
const LISTED: usize = 12;

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
    let mut short = String::new();
    for block in full.split_inclusive("\n\n") {
        if short.chars().count() + block.chars().count() > COMMENT {
            break;
        }
        short.push_str(block);
    }
    let open = short.matches("<details>").count() - short.matches("</details>").count();
    Ok(short + &"\n</details>\n\n".repeat(open) + "*The rest does not fit into a comment: run `policyc diff`.*\n")
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
    levels: String,
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

    fn strong(self, style: Style, text: &str) -> String {
        match self {
            Self::Terminal => format!("{style}{text}{style:#}"),
            Self::Comment => format!("**{text}**"),
        }
    }

    fn quiet(self, text: String) -> String {
        match self {
            Self::Terminal => format!("{}{text}{:#}", Style::new().dimmed(), Style::new().dimmed()),
            Self::Comment => text,
        }
    }

    fn comparison(self, meaning: &Meaning) -> Comparison {
        let green = AnsiColor::Green.on_default().bold();
        let (red, yellow) = (AnsiColor::Red.on_default().bold(), AnsiColor::Yellow.on_default().bold());
        let verdict = match meaning.nothing_gained {
            Answer::Proved => {
                format!("{}: every request that is allowed now was allowed before", self.strong(green, "nothing gained, proved"))
            }
            Answer::NotProved => format!("{}: see the requests below", self.strong(red, "access gained")),
            Answer::Refused => format!("{}: {}", self.strong(yellow, "not decided"), self.safe(&meaning.reason)),
        };
        let title = match self {
            Self::Terminal => {
                self.strong(Style::new().bold(), &format!("{} → {}", self.safe(&meaning.old), self.safe(&meaning.new)))
            }
            Self::Comment => format!("{} → {}", self.safe(&meaning.old), self.safe(&meaning.new)),
        };
        let [everywhere, everywhere_now] = meaning.size.everywhere;
        let [before, now] = meaning.size.actions;
        let size = format!(
            "{before} → {now} of {} known actions are granted, {everywhere} → {everywhere_now} of them on every resource",
            meaning.size.known
        );
        let level = |(name, [before, now]): (&String, &[usize; 2])| format!("{} {before} → {now}", named(name).to_lowercase());
        let levels: Vec<String> = meaning.size.levels.iter().map(level).collect();
        Comparison {
            title,
            verdict,
            causes: meaning.causes.iter().map(|cause| self.quiet(self.safe(cause))).collect(),
            groups: FATES.iter().filter_map(|(fate, head)| self.group(meaning, fate, head)).collect(),
            size,
            levels: if levels.is_empty() {
                String::new()
            } else {
                self.quiet(format!("by access level: {}", levels.join(" · ")))
            },
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
        let count: usize = rows.iter().map(|row| row.actions.len()).sum();
        let folded = !["gained", "exchanged", "undecided"].contains(&fate);
        let text = format!("{head} ({count})");
        let head = if self == Self::Terminal { self.strong(style, &text) } else { text };
        Some(Group { head, folded, rows: rows.into_iter().map(|row| self.row(row)).collect() })
    }

    fn row(self, row: &Row) -> RowView {
        let mut label = self.safe(&named(&row.level));
        if !row.risk.is_empty() {
            label = format!("{label}, {}", self.strong(AnsiColor::Red.on_default(), &self.safe(&row.risk)));
        }
        let mut actions: Vec<String> = row.actions.iter().take(LISTED).map(|action| self.safe(action)).collect();
        if row.actions.len() > LISTED {
            actions.push(format!("and {} more", row.actions.len() - LISTED));
        }
        let mut lines = Vec::new();
        if row.fate != "unchanged" && row.fate != "gone" {
            lines.extend(row.gained.as_ref().map(|shown| self.request("now allowed", shown)));
            lines.extend(row.lost.as_ref().map(|shown| self.request("no longer", shown)));
        }
        if !row.doubt.is_empty() {
            lines.push(self.quiet(self.safe(&row.doubt)));
        }
        RowView { label: format!("{label}: {}", actions.join(", ")), lines }
    }

    fn request(self, what: &str, shown: &Shown) -> String {
        let context: Vec<String> = shown.context.iter().map(|(key, values)| format!("{key} = {}", values.join(", "))).collect();
        let context = if context.is_empty() { String::new() } else { format!(" with {}", context.join(" and ")) };
        let by = if shown.statement.is_empty() { String::new() } else { format!(", by {}", shown.statement) };
        self.quiet(self.safe(&format!("{what}: {} on {}{context}{by}", shown.action, shown.resource)))
    }
}

fn named(level: &str) -> String {
    if level.is_empty() { "Level not known".to_owned() } else { level.to_owned() }
}
