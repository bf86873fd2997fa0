//! The prover on real policies: AWS's labelled pairs, and every AWS-managed policy inside itself.
//!
//! The material is looked for at `POLICYC_SHARED`, or `../shared`; where it does not exist these tests have nothing to
//! do and say so.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::io::Read;
use std::path::PathBuf;

use policyc::prove::document::Document;
use policyc::prove::evaluate::evaluate;
use policyc::prove::subset::{Budget, Verdict, within};
use serde_json::Value;

fn material(name: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("POLICYC_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let path = root.join(name);
    if !path.exists() {
        println!("nothing to do: {} does not exist", path.display());
        return None;
    }
    let bytes = std::fs::read(path).unwrap();
    if !name.ends_with(".gz") {
        return Some(bytes);
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    Some(text)
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn read(json: &Value) -> Document {
    Document::read(json.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn prove(new: &Document, baseline: &Document) -> Verdict {
    let (new, baseline) = (std::slice::from_ref(new), std::slice::from_ref(baseline));
    let verdict = within(new, baseline, &Budget::default());
    if let Verdict::NotProved(found) = &verdict {
        assert!(evaluate(new, &found.request, found.reading).is_allowed(), "{found:?}");
        assert!(!evaluate(baseline, &found.request, found.reading).is_allowed(), "{found:?}");
    }
    verdict
}

#[test]
fn labelled_pairs_where_the_samples_exist() {
    let Some(bytes) = material("proofs/no_new_access.ndjson") else { return };
    let (mut wrong, mut times) = (Vec::new(), Vec::new());
    for pair in lines(&bytes) {
        let (candidate, baseline) = (read(&pair["candidate"]), read(&pair["baseline"]));
        let start = std::time::Instant::now();
        let verdict = prove(&candidate, &baseline);
        times.push(start.elapsed());
        let right = match &verdict {
            Verdict::Proved => pair["expected"] == "PASS",
            Verdict::NotProved(_) => pair["expected"] == "FAIL",
            Verdict::Refused(_) => false,
        };
        if !right {
            wrong.push(format!("{} {} expected {}: {verdict:?}", pair["file"], pair["label"], pair["expected"]));
        }
    }
    times.sort();
    println!(
        "{} pairs, median {:?}, 95 % {:?}, longest {:?}",
        times.len(),
        times[times.len() / 2],
        times[times.len() * 95 / 100],
        times[times.len() - 1]
    );
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn managed() -> Vec<(String, Value)> {
    let bytes = material("managed/managed_policies.jsonl.gz").unwrap_or_default();
    lines(&bytes).into_iter().map(|mut line| (line["name"].to_string(), line["document"].take())).collect()
}

#[test]
fn every_managed_policy_lies_within_itself_and_everything_where_the_samples_exist() {
    let everything =
        Document::read(br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#).unwrap();
    let mut slowest = (std::time::Duration::ZERO, String::new());
    for (name, json) in managed() {
        let document = read(&json);
        let start = std::time::Instant::now();
        assert_eq!(prove(&document, &document), Verdict::Proved, "{name} in itself");
        let took = start.elapsed();
        if took.as_millis() > 300 {
            println!("{name}: {took:?}");
        }
        slowest = slowest.max((took, name.clone()));
        let denies = json.to_string().contains("\"Deny\"");
        assert_eq!(prove(&document, &everything), Verdict::Proved, "{name} in everything");
        let back = prove(&everything, &document);
        assert!(matches!(back, Verdict::NotProved(_)) || name.contains("AdministratorAccess") && !denies, "{name}: {back:?}");
    }
    println!("slowest: {slowest:?}");
}

/// The Allow statements whose actions are a list.
fn lists(document: &Value) -> impl Iterator<Item = usize> {
    let statements = document["Statement"].as_array().cloned().unwrap_or_default();
    let fits = |s: &Value| s["Effect"] == "Allow" && s["Action"].as_array().is_some_and(|actions| actions.len() > 1);
    statements.into_iter().enumerate().filter(move |(_, s)| fits(s)).map(|(i, _)| i)
}

#[test]
fn managed_policies_notice_changes_where_the_samples_exist() {
    let (mut less, mut more) = (0, 0);
    for (name, json) in managed() {
        let document = read(&json);
        let open = json.to_string();
        for at in lists(&json).take(3) {
            let mut smaller = json.clone();
            smaller["Statement"][at]["Action"].as_array_mut().unwrap().remove(0);
            assert_eq!(prove(&read(&smaller), &document), Verdict::Proved, "{name}, statement {at}");
            less += 1;
            if open.contains("NotAction") || open.contains("\"*\"],\"Effect\"") || open.contains("\"Action\":\"*\"") {
                continue;
            }
            let mut larger = json.clone();
            larger["Statement"][at]["Action"].as_array_mut().unwrap().push("zz-added:Action".into());
            let verdict = prove(&read(&larger), &document);
            assert!(matches!(verdict, Verdict::NotProved(_)), "{name}, statement {at}: {verdict:?}");
            more += 1;
        }
    }
    println!("{less} with an action less, {more} with one more");
}

#[test]
fn neighbouring_managed_policies_are_decided_where_the_samples_exist() {
    let documents: Vec<(String, Document)> = managed().iter().map(|(name, json)| (name.clone(), read(json))).collect();
    let (mut refused, mut slowest) = (Vec::new(), (std::time::Duration::ZERO, String::new()));
    for pair in documents.windows(2) {
        let [(name, new), (other, baseline)] = pair else { continue };
        let start = std::time::Instant::now();
        if let Verdict::Refused(why) = prove(new, baseline) {
            refused.push(format!("{name} in {other}: {why}"));
        }
        slowest = slowest.max((start.elapsed(), format!("{name} in {other}")));
    }
    println!("{} pairs, slowest {slowest:?}", documents.len().saturating_sub(1));
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
