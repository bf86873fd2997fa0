//! What a proof and a replay cost: the pairs at hand with their percentiles, the inputs that are hard for automata, and a
//! million calls. Compare figures of one run with each other.

#![allow(missing_docs)] // criterion's macros write functions without
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use policyc::catalog::baselines;
use policyc::prove::document::Document;
use policyc::prove::evaluate::Value::One;
use policyc::prove::replay::{Call, replay};
use policyc::prove::subset::{Budget, Verdict, within};
use serde_json::{Value, json};

fn read(json: &Value) -> Document {
    Document::read(json.to_string().as_bytes()).unwrap()
}

fn allow(actions: &[String], resources: &[String]) -> Document {
    read(&json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": resources}}))
}

fn prove(new: &Document, baseline: &Document) -> Verdict {
    within(std::slice::from_ref(new), std::slice::from_ref(baseline), &Budget::default())
}

/// Each embedded baseline against each, and the labelled pairs where they are at hand.
fn pairs() -> Vec<(Document, Document)> {
    let embedded: Vec<Document> = baselines::all().iter().map(|b| Document::read(b.document).unwrap()).collect();
    let mut pairs: Vec<_> = embedded.iter().flat_map(|a| embedded.iter().map(|b| (a.clone(), b.clone()))).collect();
    let root = std::env::var_os("POLICYC_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let labelled = std::fs::read_to_string(root.join("proofs/no_new_access.ndjson")).unwrap_or_default();
    let labelled = labelled.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    pairs.extend(labelled.map(|pair| (read(&pair["candidate"]), read(&pair["baseline"]))));
    pairs
}

/// The time of each pair, the best of three: criterion knows means only, and what matters is the slow end.
fn percentiles(pairs: &[(Document, Document)]) {
    let time = |(new, baseline): &(Document, Document)| -> Duration {
        let once = || {
            let start = Instant::now();
            std::hint::black_box(prove(new, baseline));
            start.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap()
    };
    let mut times: Vec<Duration> = pairs.iter().map(time).collect();
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("prove/pairs: {} pairs, half within {:?}, 95 % within {:?}, all within {:?}", times.len(), at(50), at(95), at(100));
}

/// `count` patterns `*xy*` of different letters: side by side, an automaton that is made deterministic has 2^count states.
fn overlapping(count: usize) -> Vec<String> {
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
    (0..count).map(|n| format!("arn:aws:s3:::*{}{}*", letter(n), letter(n + 1))).collect()
}

/// A policy of about the size that IAM takes, 6,144 characters.
fn full_size(suffix: &str) -> Document {
    let statement = |n: usize| {
        let resources: Vec<String> = (0..5).map(|m| format!("arn:aws:s3:::bucket-{n:02}-{m}{suffix}")).collect();
        json!({"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", format!("logs:Put{n}*")], "Resource": resources,
            "Condition": {"StringEquals": {"aws:RequestedRegion": format!("region-{n}")}}})
    };
    let statements: Vec<Value> = (0..20).map(statement).collect();
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    assert!((5_000..6_144).contains(&document.to_string().len()), "{}", document.to_string().len());
    read(&document)
}

fn proofs(c: &mut Criterion) {
    let pairs = pairs();
    percentiles(&pairs);
    let mut group = c.benchmark_group("prove");
    group.sample_size(10);
    group.throughput(Throughput::Elements(pairs.len() as u64));
    group.bench_function("all pairs", |b| {
        b.iter(|| pairs.iter().map(|(new, old)| prove(new, old)).filter(|v| *v == Verdict::Proved).count())
    });
    group.throughput(Throughput::Elements(1));

    let actions = ["s3:*".to_owned()];
    let everything = allow(&actions, &["arn:aws:s3:::*".to_owned()]);
    let many = allow(&actions, &overlapping(16));
    assert!(matches!(prove(&everything, &many), Verdict::NotProved(_)));
    group.bench_function("16 overlapping patterns, not proved", |b| b.iter(|| prove(&everything, &many)));
    let narrow = allow(&actions, &["arn:aws:s3:::?*ab*cd*ef*gh*ij*kl*mn*op*".to_owned()]);
    assert_eq!(prove(&narrow, &many), Verdict::Proved);
    group.bench_function("16 overlapping patterns, proved", |b| b.iter(|| prove(&narrow, &many)));

    let (full, wider) = (full_size("/*"), full_size("*"));
    assert_eq!(prove(&full, &wider), Verdict::Proved);
    assert!(matches!(prove(&wider, &full), Verdict::NotProved(_)));
    group.bench_function("full size, proved", |b| b.iter(|| prove(&full, &wider)));
    group.bench_function("full size, not proved", |b| b.iter(|| prove(&wider, &full)));
    group.finish();
}

/// A million distinct calls of a workload: objects, parameters and log streams.
fn calls(count: usize) -> Vec<Call> {
    let kinds = [
        ("s3:GetObject", "arn:aws:s3:::bucket-03-1/in/part-"),
        ("s3:PutObject", "arn:aws:s3:::bucket-11-4/out/part-"),
        ("ssm:GetParameters", "arn:aws:ssm:us-east-1:111122223333:parameter/app/"),
        ("logs:PutLogEvents", "arn:aws:logs:us-east-1:111122223333:log-group:app:log-stream:"),
    ];
    let context: BTreeMap<_, _> = [("aws:requestedregion".to_owned(), One("region-3".to_owned()))].into();
    let call = |n: usize| {
        let (action, resource) = kinds[n % kinds.len()];
        Call {
            action: action.to_owned(),
            resource: format!("{resource}{n}"),
            context: context.clone(),
            absent: BTreeSet::new(),
            label: String::new(),
        }
    };
    (0..count).map(call).collect()
}

fn replays(c: &mut Criterion) {
    let policy = [full_size("/*"), Document::read(baselines::find("AmazonEC2RoleforSSM").unwrap().document).unwrap()];
    let calls = calls(1_000_000);
    assert_eq!(replay(&policy, &[], &calls).allowed, 1_000_000);
    let mut group = c.benchmark_group("replay");
    group.sample_size(10);
    group.throughput(Throughput::Elements(calls.len() as u64));
    group.bench_function("a million calls, two policies", |b| b.iter(|| replay(&policy, &[], &calls).allowed));
    let derived = allow(&["s3:GetObject".to_owned()], &["arn:aws:s3:::bucket-03-1/in/*".to_owned()]);
    group.bench_function("a million calls, three quarters denied", |b| {
        b.iter(|| replay(std::slice::from_ref(&derived), &[], &calls).denied.len());
    });
    group.finish();
}

criterion_group!(benches, proofs, replays);
criterion_main!(benches);
