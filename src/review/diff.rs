//! The textual difference between two policies.

use anstyle::AnsiColor;
use serde_json::Value;
use similar::TextDiff;

use crate::iam::{Policy, everyone};

/// A unified diff of two policies, both in one layout and order, so that only content differs.
#[must_use]
pub fn unified(old: &Policy, old_name: &str, new: &Policy, new_name: &str) -> String {
    documents(&sorted(old).to_value(), old_name, &sorted(new).to_value(), new_name)
}

/// The same of two policies that are for everyone.
#[must_use]
pub fn for_everyone(old: &Policy, old_name: &str, new: &Policy, new_name: &str) -> String {
    documents(&everyone::write(&sorted(old)), old_name, &everyone::write(&sorted(new)), new_name)
}

fn documents(old: &Value, old_name: &str, new: &Value, new_name: &str) -> String {
    let (old, new) = (laid_out(old, 0) + "\n", laid_out(new, 0) + "\n");
    TextDiff::from_lines(&old, &new).unified_diff().context_radius(2).header(old_name, new_name).to_string()
}

/// JSON with one entry a line, but what holds a single entry on one line: a statement takes few of them, and one more entry of
/// a list is one more line.
fn laid_out(value: &Value, indent: usize) -> String {
    let (inner, outer) = (" ".repeat(indent + 2), " ".repeat(indent));
    let wrapped = |entries: Vec<String>, [open, close]: [char; 2]| {
        let entries: Vec<String> = entries.into_iter().map(|entry| format!("{inner}{entry}")).collect();
        format!("{open}\n{}\n{outer}{close}", entries.join(",\n"))
    };
    match value {
        _ if is_single(value) => on_one_line(value),
        Value::Array(list) => wrapped(list.iter().map(|entry| laid_out(entry, indent + 2)).collect(), ['[', ']']),
        Value::Object(map) => {
            let entry =
                |(key, value): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), laid_out(value, indent + 2));
            wrapped(map.iter().map(entry).collect(), ['{', '}'])
        }
        plain => plain.to_string(),
    }
}

/// Whether no list and no object in it has more than one entry.
fn is_single(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.len() < 2 && list.iter().all(is_single),
        Value::Object(map) => map.len() < 2 && map.values().all(is_single),
        _ => true,
    }
}

fn on_one_line(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(on_one_line).collect::<String>()),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), on_one_line(value));
            format!("{{{}}}", map.iter().map(entry).collect::<String>())
        }
        plain => plain.to_string(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_one_entry_stands_on_one_line() {
        let value =
            serde_json::json!({"a": ["x"], "b": ["x", "y"], "c": {"k": {"l": ["\u{1b}\n"]}}, "d": [], "e": {"f": 1, "g": {}}});
        let expected = r#"{
  "a": ["x"],
  "b": [
    "x",
    "y"
  ],
  "c": {"k": {"l": ["\u001b\n"]}},
  "d": [],
  "e": {
    "f": 1,
    "g": {}
  }
}"#;
        assert_eq!(laid_out(&value, 0), expected);
        assert_eq!(serde_json::from_str::<Value>(expected).unwrap(), value);
    }
}
