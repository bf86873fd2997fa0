//! The textual difference between two policies.

use anstyle::AnsiColor;
use similar::TextDiff;

use crate::iam::{Policy, everyone};

/// A unified diff of two policies, both in policyc's layout and order, so that only content differs.
#[must_use]
pub fn unified(old: &Policy, old_name: &str, new: &Policy, new_name: &str) -> String {
    let (old_text, new_text) = (sorted(old).to_json(), sorted(new).to_json());
    TextDiff::from_lines(&old_text, &new_text).unified_diff().context_radius(2).header(old_name, new_name).to_string()
}

/// The same of two policies that are for everyone.
#[must_use]
pub fn for_everyone(old: &Policy, old_name: &str, new: &Policy, new_name: &str) -> String {
    let text = |policy: &Policy| format!("{:#}\n", everyone::write(&sorted(policy)));
    TextDiff::from_lines(&text(old), &text(new)).unified_diff().context_radius(2).header(old_name, new_name).to_string()
}

/// A unified diff of two texts; empty where they are the same.
#[must_use]
pub fn texts(old: &str, old_name: &str, new: &str, new_name: &str) -> String {
    TextDiff::from_lines(old, new).unified_diff().context_radius(3).header(old_name, new_name).to_string()
}

/// Colours the lines of a unified diff; the text must be safe for a terminal already.
#[must_use]
pub fn colour(diff: &str) -> String {
    let paint = |line: &str| {
        let style = match line.chars().next() {
            Some('+') => AnsiColor::Green.on_default(),
            Some('-') => AnsiColor::Red.on_default(),
            Some('@') => AnsiColor::Cyan.on_default(),
            _ => return line.to_owned(),
        };
        format!("{style}{line}{style:#}")
    };
    diff.lines().map(paint).collect::<Vec<_>>().join("\n")
}

/// The policy with its statements and their entries in order: IAM reads neither, so neither makes a difference.
fn sorted(policy: &Policy) -> Policy {
    use crate::iam::{ActionSpec, ResourceSpec, Statement};
    let mut policy = policy.clone();
    for statement in &mut policy.statements {
        match &mut statement.actions {
            ActionSpec::Only(p) | ActionSpec::AllBut(p) => p.sort(),
        }
        match &mut statement.resources {
            ResourceSpec::Only(p) | ResourceSpec::AllBut(p) => p.sort(),
        }
    }
    let service = |statement: &Statement| match &statement.actions {
        ActionSpec::Only(p) | ActionSpec::AllBut(p) => {
            p.first().map(|p| p.to_string().split(':').next().unwrap_or_default().to_owned())
        }
    };
    policy.statements.sort_by_cached_key(|s| (service(s), s.clone()));
    policy
}
