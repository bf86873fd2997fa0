//! The prover against Z3: generated pairs of policies, answered by `within` and by an encoding in strings, regular
//! expressions and numbers that was written from AWS's documentation (`tests/prover/z3_oracle.py`).

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "prover/policies.rs"]
mod policies;
#[path = "support/python.rs"]
mod python;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use policyc::prove::document::Document;
use policyc::prove::evaluate::{ArnReading, Request, Value, evaluate};
use policyc::prove::subset::{Budget, Counterexample, Verdict, within};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value as Json, json};

/// The number of an environment variable, or the default: a few seconds of work.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

fn pairs(seed: u64, count: u64) -> Vec<(Json, Json)> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    (0..count).map(|_| policies::pair().new_tree(&mut runner).unwrap().current()).collect()
}

fn read(json: &Json) -> [Document; 1] {
    [Document::read(json.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"))]
}

fn written(found: &Counterexample) -> Json {
    let values = |value: &Value| match value {
        Value::One(one) => vec![one.clone()],
        Value::Many(many) => many.clone(),
    };
    let context: BTreeMap<&String, Vec<String>> = found.request.context.iter().map(|(k, v)| (k, values(v))).collect();
    let reading = if found.reading == ArnReading::Whole { "whole" } else { "segmented" };
    json!({"reading": reading, "action": found.request.action, "resource": found.request.resource, "context": context})
}

/// Does our evaluator agree that the request that Z3 found gets out?
fn gets_out(witness: &Json, new: &[Document], baseline: &[Document]) -> bool {
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let value = |json: &Json| match json.as_array().unwrap().as_slice() {
        [one] => Value::One(text(one)),
        many => Value::Many(many.iter().map(text).collect()),
    };
    let context = witness["context"].as_object().unwrap().iter().map(|(key, json)| (key.clone(), value(json))).collect();
    let request = Request { action: text(&witness["action"]), resource: text(&witness["resource"]), context };
    let reading = if witness["reading"] == "whole" { ArnReading::Whole } else { ArnReading::Segmented };
    evaluate(new, &request, reading).is_allowed() && !evaluate(baseline, &request, reading).is_allowed()
}

/// The answers of one Python process, line by line.
fn ask(questions: &[Json]) -> Vec<Json> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prover/z3_oracle.py");
    let mut command = Command::new(python::python());
    let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    _ = writer.join().unwrap(); // a broken pipe shows as missing answers
    let answers: Vec<Json> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        output.status.success() && answers.len() == questions.len(),
        "{} answers; next: {:?}",
        answers.len(),
        questions.get(answers.len())
    );
    answers
}

/// What is wrong with the two answers, if anything.
fn disagreement(verdict: &Verdict, answer: &Json, new: &[Document], baseline: &[Document]) -> Option<&'static str> {
    if !answer["witness"].is_null() && !gets_out(&answer["witness"], new, baseline) {
        return Some("the evaluator does not let Z3's request out");
    }
    match verdict {
        Verdict::Proved if answer["aligned"] == "sat" => Some("proved, and Z3 has a way out"),
        Verdict::NotProved(_) if answer["any"] == "unsat" => Some("not proved, and Z3 has a proof"),
        Verdict::NotProved(_) if answer["found"] == "unsat" => Some("Z3 does not let our request out"),
        _ => None,
    }
}

#[test]
fn generated_pairs_are_answered_alike() {
    let pairs = pairs(setting("Z3_SEED", 1), setting("Z3_CASES", 150));
    let mut verdicts = Vec::new();
    let mut questions = Vec::new();
    for (new, baseline) in &pairs {
        let verdict = within(&read(new), &read(baseline), &Budget::default());
        let found = if let Verdict::NotProved(found) = &verdict { written(found) } else { Json::Null };
        questions.push(json!({"new": [new], "baseline": [baseline], "found": found}));
        verdicts.push(verdict);
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (((new, baseline), verdict), answer) in pairs.iter().zip(&verdicts).zip(ask(&questions)) {
        let ours = match verdict {
            Verdict::Proved => "proved",
            Verdict::NotProved(_) => "not proved",
            Verdict::Refused(_) => "refused",
        };
        let theirs = answer[if ours == "proved" { "aligned" } else { "any" }].as_str().unwrap();
        *counts.entry(format!("{ours}, Z3 {theirs}")).or_default() += 1;
        if let Some(what) = disagreement(verdict, &answer, &read(new), &read(baseline)) {
            wrong.push(format!("{what}\n{new}\nin {baseline}\n{verdict:?}\n{answer}"));
        }
    }
    println!("{} pairs: {counts:?}", pairs.len());
    assert!(wrong.is_empty(), "{} of {} pairs\n{}", wrong.len(), pairs.len(), wrong.join("\n\n"));
    let share = |answer: &str| 100 * counts.get(answer).copied().unwrap_or(0) / pairs.len() as u64;
    let (proved, not_proved) = (share("proved, Z3 unsat"), share("not proved, Z3 sat"));
    assert!(proved >= 20 && not_proved >= 20, "one answer hardly occurs: {counts:?}");
    assert!(proved + not_proved >= 80, "too few pairs got two opinions: {counts:?}");
}
