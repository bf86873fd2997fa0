//! What must hold of any bytes holds of mutated seeds: every fuzz target, without a fuzzer, with each `cargo test`.
//!
//! `PROPTEST_CASES` sets how many mutants a target gets. docs/fuzzing.md says how to run the fuzzer itself.

#![cfg(feature = "aws")] // its XML reader is among what is checked
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub
)] // a test says what is wrong by panicking

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the repository below a folder, or the file itself.
fn files(path: &str) -> Vec<PathBuf> {
    let path = repository().join(path);
    if path.is_file() {
        return vec![path];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())) {
        let entry = entry.unwrap().path();
        match entry.is_dir() {
            true => found.extend(files(entry.strip_prefix(repository()).unwrap().to_str().unwrap())),
            false => found.push(entry),
        }
    }
    found.sort();
    found
}

/// Where the seeds of a target are, and texts beside them.
fn sources(target: &str) -> (&'static [&'static str], &'static [&'static str]) {
    const TEMPLATES: &[&str] = &["tests/fixtures/templates", "cfn/ssm-session-mgr-privatelink-example.yaml"];
    const POLICIES: &[&str] = &["policies"];
    const EMPTY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"","Effect":"Deny","NotAction":"a:*","NotResource":["b${c, 'd'}","*"],"Condition":{"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["x",1]},"Bool":{"aws:SecureTransport":true}}}]}"#;
    const OLD: &str = r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":["a/${aws:username}/$$?","*"],"Condition":{"StringNotLike":{"k":"${x}*$"}}}}"#;
    const SELECTORS: &str = r#"{"AdvancedEventSelectors":[{"Name":"d","FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]},{"Field":"resources.ARN","StartsWith":["arn:aws:s3:::"]},{"Field":"userIdentity.arn","StartsWith":["arn:aws:sts::111122223333:assumed-role/web/"]}]}]}"#;
    const BASIC: &str = r#"{"EventSelectors":[{"ReadWriteType":"WriteOnly","IncludeManagementEvents":true,"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3"]}],"ExcludeManagementEventSources":["kms.amazonaws.com"]}]}"#;
    const EVENT: &str = r#"{"Events":[{"EventId":"1","CloudTrailEvent":"{\"eventVersion\":\"1.08\",\"userIdentity\":{\"type\":\"AssumedRole\",\"arn\":\"arn:aws:sts::111122223333:assumed-role/web/i-0123456789abcdef0\",\"accountId\":\"111122223333\",\"sessionContext\":{\"sessionIssuer\":{\"type\":\"Role\",\"arn\":\"arn:aws:iam::111122223333:role/web\",\"userName\":\"web\"},\"ec2RoleDelivery\":\"2.0\"}},\"eventTime\":\"2026-11-16T08:02:10Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"GetObject\",\"awsRegion\":\"us-east-1\",\"sourceIPAddress\":\"10.0.0.1\",\"requestParameters\":{\"bucketName\":\"b\",\"key\":\"k/${x}\"},\"eventID\":\"1\",\"eventType\":\"AwsApiCall\",\"eventCategory\":\"Data\",\"managementEvent\":false,\"recipientAccountId\":\"111122223333\",\"vpcEndpointId\":\"vpce-1\",\"resources\":[{\"ARN\":\"arn:aws:s3:::b/k\",\"type\":\"AWS::S3::Object\"}]}"}],"NextToken":"t"}"#;
    const XML: &str = "<?xml version=\"1.0\"?><DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><groupSet/></item></instancesSet></item></reservationSet><!-- x --><![CDATA[y]]></DescribeInstancesResponse>";
    match target {
        "certificate" => (POLICIES, &[]),
        "config" => (&["policyc.toml", "docs/findings.md"], &[]),
        "coverage" => (&[], &[SELECTORS, BASIC]),
        "description" => (&["cfn/recording/stack.json"], &[]),
        "endpoint" | "template" => {
            (TEMPLATES, &["Resources: {R: {Type: AWS::IAM::Role, Properties: {ManagedPolicyArns: [a/AmazonEC2RoleforSSM]}}}"])
        }
        "ledger" => (&["cfn/recording"], &[]),
        "policy" => (POLICIES, &[EMPTY, OLD]),
        "trail" => (&["cfn/recording/AWSLogs"], &[EVENT]),
        "xml" => (&[], &[XML]),
        other => panic!("`{other}` has no seeds"),
    }
}

/// The seeds of a target: at most so many bytes each, so that many mutants are tried.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    const LONGEST: usize = 16 << 10;
    let (paths, texts) = sources(target);
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    for path in paths.iter().flat_map(|path| files(path)) {
        let bytes = fs::read(&path).unwrap();
        if target == "ledger" {
            continue;
        }
        seeds.push(bytes.into_iter().take(LONGEST).collect());
    }
    if target == "ledger" {
        seeds.push(a_ledger());
    }
    assert!(!seeds.is_empty());
    seeds
}

/// The ledger of a part of the recording.
fn a_ledger() -> Vec<u8> {
    use policyc::trail::{Input, Interest, Options, observe};
    let files: Vec<PathBuf> = files("cfn/recording/AWSLogs").into_iter().take(4).collect();
    let input = |path: &PathBuf| {
        let path = path.clone();
        Input::new(path.display().to_string(), move || fs::read(&path))
    };
    let inputs: Vec<Input<'_>> = files.iter().map(input).collect();
    let seen = observe(&inputs, &Interest::default(), policyc::catalog::Catalog::embedded(), &Options::default()).unwrap();
    assert!(!seen.ledger.uses.is_empty(), "there is nothing in it");
    policyc::ledger::format::write(&seen.ledger)
}

/// Pieces that mean something to one of the parsers.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ",",
    "- ",
    "\n",
    "\r\n",
    "\t",
    "#",
    " #x\n",
    "|",
    ">-\n",
    "&a",
    "*a",
    "<<: *a",
    "!Sub ",
    "!If [C, ",
    "!Ref AWS::NoValue",
    "Fn::If",
    "\u{feff}",
    "\u{0}",
    "\u{1b}",
    "\u{2028}",
    "é",
    "${",
    "${*}",
    "$",
    "*",
    "?",
    "null",
    "true",
    "1e999",
    "Policies",
    "ManagedPolicyArns",
    "PolicyName: fuzz",
    "Properties",
    "PolicyDocument",
    "Type: AWS::IAM::Role",
    "Effect",
    "Deny",
    "Principal",
    "NotPrincipal",
    "Sid",
    "2008-10-17",
    "<a>",
    "</a>",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "&b;",
    "]]>",
    "[[",
    "=",
    "---\n",
    "...\n",
    "? ",
];

#[derive(Debug, Clone)]
enum Mutation {
    Delete(Index, usize),
    Repeat(Index, usize),
    Put(Index, &'static str),
    Byte(Index, u8),
    /// A part of another seed.
    Graft(Index, Index, Index, usize),
    CarriageReturns,
    Cut(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 1..40usize).prop_map(|(at, n)| Mutation::Delete(at, n)),
        2 => (at(), 1..120usize).prop_map(|(at, n)| Mutation::Repeat(at, n)),
        6 => (at(), proptest::sample::select(PIECES)).prop_map(|(at, piece)| Mutation::Put(at, piece)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        2 => (at(), at(), at(), 1..200usize).prop_map(|(at, seed, from, n)| Mutation::Graft(at, seed, from, n)),
        1 => Just(Mutation::CarriageReturns),
        1 => at().prop_map(Mutation::Cut),
    ]
}

fn mutate(mut bytes: Vec<u8>, seeds: &[Vec<u8>], mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let len = bytes.len();
        let place = |at: &Index| at.index(len + 1);
        let end = |from: usize, n: usize| (from + n).min(len);
        match mutation {
            Mutation::Delete(at, n) => drop(bytes.drain(place(at)..end(place(at), *n))),
            Mutation::Repeat(at, n) => {
                let piece = bytes[place(at)..end(place(at), *n)].to_vec();
                bytes.splice(place(at)..place(at), piece);
            }
            Mutation::Put(at, piece) => drop(bytes.splice(place(at)..place(at), piece.bytes())),
            Mutation::Byte(at, byte) => bytes.iter_mut().skip(place(at)).take(1).for_each(|own| *own = *byte),
            Mutation::Graft(at, seed, from, n) => {
                let other = seed.get(seeds);
                let from = from.index(other.len() + 1);
                let piece = other[from..(from + n).min(other.len())].to_vec();
                bytes.splice(place(at)..place(at), piece);
            }
            Mutation::CarriageReturns => {
                bytes = bytes.iter().flat_map(|b| if *b == b'\n' { vec![b'\r', b'\n'] } else { vec![*b] }).collect()
            }
            Mutation::Cut(at) => bytes.truncate(place(at)),
        }
    }
    bytes
}

/// What did not hold once, by target.
const FOUND: &[(&str, &str)] = &[
    // A list whose entries begin on lines of different depth: the place of an entry told how deep it stands, not its line.
    (
        "template",
        "{\"Resources\":{\"R\":{\"Type\":\"AWS::IAM::Role\",\"Properties\":{\"Policies\":[{\"PolicyName\":\"x\",\"a\\n  \n\n b\":{\"Statement\":[]}}],\"ManagedPolicyArns\":[\"arn:aws:iam::aws:policy/A\",\"arn:aws:iam::aws:policy/AmazonEC2RoleforSSM\"]}}}}",
    ),
    // A list that goes told how deep what is written stands.
    (
        "template",
        "{\n  Resources: {\n    Role: {\n      Type: AWS::IAM::Role,\n      Properties: {\n       ManagedPolicyArns: [AmazonEC2RoleforSSM], # the agent\n        Path: /,\n      },\n    },\n  },\n}\n",
    ),
    // Lines that end in two ways: the beginning of the collection told how those of an entry end, not its own line.
    (
        "template",
        "{\"Resources\":{\"R\":{\"Type\":\"AWS::IAM::Role\",\"Properties\":{\"a\n  b\r\nc\":{},\"ManagedPolicyArns\":[\"arn:aws:iam::aws:policy/AmazonEC2RoleforSSM\"]}}}}",
    ),
];

fn target(name: &str) -> fn(&[u8]) {
    targets::TARGETS.iter().find(|(own, _)| *own == name).unwrap().1
}

#[test]
fn what_was_found_once_holds() {
    FOUND.iter().for_each(|(name, text)| target(name)(text.as_bytes()));
}

/// Runs a target over its seeds as they are, and over mutants of them: always the same ones, unless it is said how many.
fn run(name: &str) {
    let check = target(name);
    let seeds = seeds(name);
    seeds.iter().for_each(|seed| check(seed));
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    let config = ProptestConfig { cases: asked.unwrap_or(128), failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = match asked {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let strategy = (any::<Index>(), prop::collection::vec(mutation(), 1..6));
    let held = runner.run(&strategy, |(seed, mutations)| {
        let mutant = mutate(seed.get(&seeds).clone(), &seeds, &mutations);
        let held = std::panic::catch_unwind(|| check(&mutant));
        prop_assert!(held.is_ok(), "{name} does not hold of:\n{}", String::from_utf8_lossy(&mutant));
        Ok(())
    });
    held.unwrap_or_else(|e| panic!("{e}"));
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*
        /// The targets that are run here.
        const RUN: &[&str] = &[$(stringify!($name)),*];
    };
}

targets!(certificate config coverage description endpoint ledger policy template trail xml);

#[test]
fn what_is_run_here_is_what_the_fuzzer_runs() {
    let ours: BTreeSet<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, RUN.iter().copied().collect());
    let manifest: toml::Table = fs::read_to_string(repository().join("fuzz/Cargo.toml")).unwrap().parse().unwrap();
    let bins: BTreeMap<&str, &str> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bin| (bin["name"].as_str().unwrap(), bin["path"].as_str().unwrap()))
        .collect();
    assert_eq!(bins.keys().copied().collect::<BTreeSet<_>>(), ours);
    for (name, path) in bins {
        let text = fs::read_to_string(repository().join("fuzz").join(path)).unwrap();
        assert_eq!(
            text,
            format!("#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|bytes: &[u8]| policyc_fuzz::{name}::check(bytes));\n")
        );
    }
    assert_eq!(files("fuzz/fuzz_targets").len(), ours.len(), "a target that nothing builds");
}
