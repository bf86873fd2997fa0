//! Towards AWS everything is read-only: the operations that the sources call are exactly the ones of the list.
//!
//! The sources are read as text. A call is a method of something named `client`, and nothing that is a client may have
//! another name, so that no call hides.

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

use serde_json::Value;

const LIST: &str = include_str!("../src/catalog/data/operations.json");

/// How the name of an operation that changes nothing begins.
const READING: &[&str] = &["Describe", "Get", "Head", "List", "Lookup"];

/// Operations whose name does not say that they change nothing, and why they do not.
const READING_TOO: &[(&str, &str)] = &[
    (
        "GenerateServiceLastAccessedDetails",
        "starts the making of a report for the one who asks; nothing in the account is another afterwards",
    ),
    ("SimulateCustomPolicy", "evaluates the policies that are sent along; nothing in the account is even read"),
];

/// Methods of a client that send nothing.
const LOCAL: &[&str] = &["clone", "config"];

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn code(text: &str) -> String {
    text.lines().filter(|l| !l.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect()
}

/// An operation's name without case and underscores, which is how method and operation compare.
fn folded(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The methods called on something named `client`, or on a client made on the spot.
fn called(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, marker) in code.match_indices("client") {
        let rest = code[at + marker.len()..].trim_start_matches(|c: char| c == ')' || c == '(' || c.is_whitespace());
        let Some(rest) = rest.strip_prefix('.') else { continue };
        let name = word(rest.trim_start());
        if !LOCAL.contains(&name) {
            names.insert(folded(name));
        }
    }
    names
}

/// What a client is called that is not called `client`.
fn renamed(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("Client") {
        let whole = word(&code[at..]) == "Client";
        let line = &code[code[..at].rfind('\n').map_or(0, |n| n + 1)..at];
        let Some((name, kind)) = line.rsplit_once(": ").or_else(|| line.rsplit_once(" = ")).filter(|_| whole) else { continue };
        let direct =
            kind.trim_start_matches('&').trim_start_matches("'a ").chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':');
        let name = name.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
        if direct && name != "client" {
            found.push(name.to_owned());
        }
    }
    found
}

fn listed() -> Vec<(String, Vec<String>)> {
    let list: Value = serde_json::from_str(LIST).unwrap();
    let of = |o: &Value| {
        let permissions = o["permissions"].as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_owned());
        assert!(o["source"].as_str().unwrap().starts_with("https://docs.aws.amazon.com/"), "{o}");
        (o["operation"].as_str().unwrap().to_owned(), permissions.collect())
    };
    list["operations"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn the_sources_call_what_the_list_has_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut calls = BTreeSet::new();
    for file in files {
        let code = code(&fs::read_to_string(&file).unwrap());
        let below = file.strip_prefix(&root).unwrap();
        if below.starts_with("aws") || below == Path::new("aws.rs") {
            assert_eq!(renamed(&code), Vec::<String>::new(), "{}: a client is called `client`", below.display());
            calls.extend(called(&code));
        } else {
            let operation = code.lines().find(|l| l.contains("aws_sdk_") && l.contains("::operation"));
            assert_eq!(operation, None, "{}: operations are called in `aws`", below.display());
        }
    }
    let list: BTreeSet<String> = listed().iter().map(|(operation, _)| folded(operation)).collect();
    assert_eq!(calls, list);
}

/// The client for EC2 is our own: each of its methods sends the operation that it is called, and no text but these is sent.
#[test]
fn a_client_of_our_own_sends_what_its_methods_are_called() {
    let code = code(include_str!("../src/aws/ec2.rs"));
    let sent: Vec<(String, String)> = code
        .match_indices("self.ask(")
        .map(|(at, marker)| {
            let name = code[at + marker.len()..].strip_prefix('"').and_then(|rest| rest.split('"').next()).unwrap();
            let method = code[..at].rsplit("async fn ").next().unwrap();
            (folded(word(method)), folded(name))
        })
        .collect();
    assert!(sent.len() == 5 && sent.iter().all(|(method, name)| method == name), "{sent:?}");
    assert_eq!(code.matches(".operation_name(").count(), 1);
    assert_eq!(code.matches("\"Action\"").count(), 1, "the operation is written into a request in one place");
}

#[test]
fn no_operation_of_the_list_changes_anything() {
    let reads =
        |name: &str| READING.iter().any(|verb| name.starts_with(verb)) || READING_TOO.iter().any(|(known, _)| *known == name);
    let listed = listed();
    for (operation, permissions) in &listed {
        assert!(reads(operation), "`{operation}`");
        for permission in permissions {
            let (_, action) = permission.split_once(':').unwrap();
            assert!(reads(action), "`{permission}`");
        }
    }
    for (operation, why) in READING_TOO {
        assert!(listed.iter().any(|(known, _)| known == operation) && !why.is_empty(), "`{operation}` is not asked any more");
    }
}

#[test]
fn a_call_is_seen_however_it_is_written() {
    for text in ["client.put_object()", "(desk.client.put_object())", "self.client\n    .put_object()", "(&client).put_object()"]
    {
        assert_eq!(called(text), BTreeSet::from(["putobject".to_owned()]), "{text}");
    }
    assert_eq!(called("client.config().region(); client.clone()"), BTreeSet::new());
    assert_eq!(renamed("fn f(s3: &Client)"), ["s3"]);
    assert_eq!(renamed("fn f(s3: aws_sdk_s3::Client)"), ["s3"]);
    assert_eq!(renamed("let s3 = Client::from_conf(there);"), ["s3"]);
    assert_eq!(renamed("fn f(client: &'a Client)"), Vec::<String>::new());
}
