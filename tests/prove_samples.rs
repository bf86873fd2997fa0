//! The prover on AWS's labelled pairs of policies.
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
    Some(std::fs::read(path).unwrap())
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
