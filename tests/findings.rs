//! Every finding code and exit code is documented, and nothing is documented that does not exist.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeSet;

use policyc::finding::Code;

const DOCUMENT: &str = include_str!("../docs/findings.md");

#[test]
fn the_document_lists_every_code_with_its_severity_and_meaning() {
    for code in Code::ALL {
        let row = format!("| `{code}` | {} | {} |", code.severity(), code.meaning());
        assert!(DOCUMENT.contains(&row), "docs/findings.md lacks the row\n{row}");
    }
}

#[test]
fn the_document_lists_nothing_else() {
    let known: BTreeSet<String> = Code::ALL.iter().map(ToString::to_string).collect();
    let section = DOCUMENT.split("## Exit codes").next().unwrap_or_default();
    let rows = section.lines().filter_map(|l| l.strip_prefix("| `")).filter_map(|l| l.split('`').next());
    let strangers: Vec<&str> = rows.filter(|code| !known.contains(*code)).collect();
    assert!(strangers.is_empty(), "not codes: {strangers:?}");
}

#[test]
fn every_code_has_a_producer() {
    fn sources(below: &std::path::Path, text: &mut String) {
        for entry in std::fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if !path.ends_with("finding.rs") {
                text.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    let mut text = String::new();
    sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    for code in Code::ALL {
        assert!(text.contains(&format!("Code::{code:?}")), "nothing produces `{code}`");
    }
}
