//! The prover's answer, for people.

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::escape::{terminal, terminal_lines};
use crate::prove::proof::{Answer, Covers, Proof, Witness};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();

/// How many lost calls are listed.
const LISTED: usize = 20;

/// Renders the answer with ANSI styles: the two halves, the counterexample with the statement that grants it, and what is
/// wrong with a certificate. `covers` is absent where no calls were given; `problems` where no certificate was.
#[must_use]
pub fn render(
    policies: &[String],
    baseline: &[String],
    proof: &Proof,
    covers: Option<&Covers>,
    granting: Option<&str>,
    problems: Option<&[String]>,
) -> String {
    let names = |names: &[String]| terminal(&names.join(", "));
    let mut lines = vec![
        paint(BOLD, names(policies)),
        format!("  {}  grants nothing beyond {}", answer(proof.within_baseline), names(baseline)),
    ];
    if let Some(witness) = &proof.counterexample {
        lines.extend(counterexample(witness, granting));
    } else if !proof.reason.is_empty() {
        lines.push(format!("              {}", terminal(&proof.reason)));
    }
    if let Some(covers) = covers {
        lines.push(format!("  {}  loses none of {} observed calls", answer(covers.verdict), covers.calls));
        lines.extend(covers.denied.iter().take(LISTED).map(|d| format!("              would be denied: {}", terminal(d))));
        if covers.denied.len() > LISTED {
            lines.push(format!("              and {} more", covers.denied.len() - LISTED));
        }
        lines.extend(covers.forbidden.iter().take(LISTED).map(|d| format!("              forbidden anyway: {}", terminal(d))));
        if covers.forbidden.len() > LISTED {
            lines.push(format!("              and {} more", covers.forbidden.len() - LISTED));
        }
        if covers.undetermined > 0 {
            lines.push(format!("              {} cannot be told from the trail", covers.undetermined));
        }
    }
    match problems {
        None => {}
        Some([]) => lines.push(format!("  {}  the certificate, and everything it names", paint(GREEN, "holds     "))),
        Some(problems) => {
            lines.push(format!("  {}  the certificate", paint(RED, "fails     ")));
            lines.extend(problems.iter().map(|p| format!("              {}", terminal(p))));
        }
    }
    lines.join("\n") + "\n"
}

fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

fn answer(answer: Answer) -> String {
    let style = match answer {
        Answer::Proved => GREEN,
        Answer::NotProved => RED,
        Answer::Refused => YELLOW,
    };
    paint(style, format!("{:<10}", answer.as_str()))
}

fn counterexample(witness: &Witness, granting: Option<&str>) -> Vec<String> {
    let line = |label: &str, text: &str| format!("              {} {}", paint(DIM, format!("{label:<9}")), terminal(text));
    let mut lines = vec![line("action", &witness.action), line("resource", &witness.resource)];
    let values = |values: &[String]| values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ");
    lines.extend(witness.context.iter().map(|(key, held)| line("context", &format!("{key} = {}", values(held)))));
    if witness.context.is_empty() {
        lines.push(line("context", "no key"));
    }
    lines.push(line("reading", witness.reading));
    lines.push(line("granted", &format!("by statement {} of policy {}", witness.statement, witness.document)));
    if let Some(text) = granting {
        lines.extend(terminal_lines(text).lines().map(|l| format!("                {l}")));
    }
    lines
}

/// A statement of a document as it stands there, counted from 1; empty where there is none.
#[must_use]
pub fn statement(document: &[u8], position: usize) -> String {
    let value: Value = serde_json::from_slice(document).unwrap_or_default();
    let found = match value.get("Statement") {
        Some(Value::Array(list)) => list.get(position.saturating_sub(1)),
        one => one,
    };
    found.and_then(|s| serde_json::to_string_pretty(s).ok()).unwrap_or_default()
}
