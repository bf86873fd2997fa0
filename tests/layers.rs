//! The house keeps its floors: no module uses one that stands above it.
//!
//! The table is the one of the crate documentation. Imports are read from the sources as text, `crate::…` paths in code
//! included, so an import cannot hide in a function body.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use, beside itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("finding", &[]),
    ("iam", &["finding"]),
    ("template", &["finding"]),
    ("catalog", &["finding", "iam", "template", "ledger"]),
    ("ledger", &["finding", "iam", "template"]),
    ("stack", &["finding", "iam", "template", "catalog", "ledger"]),
    ("trail", &["finding", "iam", "template", "catalog", "ledger"]),
    ("derive", &["finding", "iam", "template", "catalog", "ledger", "stack"]),
    ("prove", &["finding", "ledger"]),
    ("emit", &["finding", "iam", "template", "catalog", "ledger", "stack"]),
    ("review", &["finding", "iam", "template", "catalog", "ledger", "stack", "trail", "derive", "prove", "emit"]),
    ("compile", &["finding", "iam", "template", "catalog", "ledger", "stack", "trail", "derive", "prove", "emit", "review"]),
    ("aws", &["finding", "iam", "template", "catalog", "ledger", "stack", "trail"]),
    (
        "cli",
        &[
            "finding", "iam", "template", "catalog", "ledger", "stack", "trail", "derive", "prove", "emit", "review", "compile",
            "aws",
        ],
    ),
];

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(below).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The top-level modules of this crate that a source names.
fn used(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|l| !l.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect();
    let mut names = BTreeSet::new();
    for (at, marker) in code.match_indices("crate::") {
        let rest = &code[at + marker.len()..];
        let inside = rest.strip_prefix('{').and_then(|r| r.split('}').next()).unwrap_or(rest);
        let heads = if rest.starts_with('{') { inside.split(',').collect() } else { vec![rest] };
        for head in heads {
            names.insert(head.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect());
        }
    }
    names
}

#[test]
fn imports_follow_the_layer_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut seen = BTreeSet::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap();
        let room = relative.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        assert!(relative.components().count() <= 3, "{} lies too deep", relative.display());
        let (_, allowed) =
            MAY_USE.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("{room} is not in the layer table"));
        for name in used(&fs::read_to_string(&file).unwrap()) {
            assert!(
                name == room || allowed.contains(&name.as_str()) || name.is_empty(),
                "{} uses {name}, which {room} may not",
                relative.display()
            );
        }
        seen.insert(room);
    }
    for (room, _) in MAY_USE {
        assert!(seen.contains(*room), "the layer table names {room}, which does not exist");
    }
}

#[test]
fn an_import_is_found_wherever_it_hides() {
    let text = "use crate::iam::Arn;\nuse crate::{derive::Need, trail};\nfn f() { crate::cli::run(); }\n// crate::emit::x\n";
    assert_eq!(used(text).into_iter().collect::<Vec<_>>(), ["cli", "derive", "iam", "trail"]);
}

#[test]
fn the_checker_shares_nothing_with_the_compiler() {
    let (_, allowed) = MAY_USE.iter().find(|(name, _)| *name == "prove").unwrap();
    assert!(!allowed.contains(&"iam") && !allowed.contains(&"derive"));
}
