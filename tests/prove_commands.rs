//! `prove`, `replay` and `evaluate` through the binary: what people see, what programs read, and the exit codes.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const ROLE: &str = "ssm-demo-PublicInstanceRole-4RkT9wLx2ZcQ";
const TRAIL: &str = "cfn/recording/AWSLogs";

/// What a run gave: exit code, stdout, stderr.
struct Done(i32, String, String);

fn policyc(arguments: &[&str]) -> Done {
    let done = Command::new(env!("CARGO_BIN_EXE_policyc"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Done(done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
}

/// A folder with policies, each under its name.
fn policies(documents: &[(&str, &str)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (name, document) in documents {
        fs::write(home.path().join(name), document).unwrap();
    }
    home
}

fn at(home: &tempfile::TempDir, name: &str) -> String {
    home.path().join(name).display().to_string()
}

const READ: &str =
    r#"{"Version":"2012-10-17","Statement":{"Sid":"Read","Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::logs/*"}}"#;
const READ_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"List","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::logs"},{"Sid":"Read","Effect":"Allow","Action":"s3:Get*","Resource":"*"},{"Sid":"Home","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}]}"#;
const HOME: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:PrincipalTag/team}/*"}}"#;
const BROKEN: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Effect":"Deny","Action":"s3:*","Resource":"*"}}"#;

#[test]
fn prove_answers_and_exits() {
    let home = policies(&[("read.json", READ), ("all.json", READ_ALL), ("home.json", HOME), ("broken.json", BROKEN)]);
    let (read, all) = (at(&home, "read.json"), at(&home, "all.json"));
    let check = |arguments: &[&str], code: i32, want: &str| {
        let Done(exit, out, err) = policyc(&[&["prove"], arguments].concat());
        assert_eq!(exit, code, "{arguments:?}\n{out}{err}");
        assert!(format!("{out}{err}").contains(want), "{arguments:?}: {want}\n{out}{err}");
    };
    check(&[&read, "--within", &read], 0, "proved      grants nothing beyond read.json");
    check(&[&all, "--within", &all, "--within", &read], 0, "proved");
    check(&[&read, &all, "--within", &all], 0, "proved");
    check(&[&all, "--within", &read], 1, "\"Sid\": \"List\"");
    check(&[&read, "--within", &all], 1, "context   no key");
    check(&[&at(&home, "home.json"), "--within", &read], 1, "not proved");
    check(&["AmazonSSMManagedInstanceCore", "--within", "AmazonEC2RoleForSSM"], 1, "not proved");
    check(&[&read, "--within", &all, "--budget", "1"], 1, "the budget of 1 steps ran out");
    check(&[&at(&home, "broken.json"), "--within", &read], 3, "the key `Effect` stands twice in one object");
    check(&[&read, "--within", &at(&home, "none.json")], 2, "is neither a file nor one of the policies");
    check(&[&read, "--within", &all, "--covers", TRAIL, "--role", "nobody"], 2, "the records show no call of the role `nobody`");
    check(&[&read, "--within", &all, "--certificate", "c.json"], 2, "--covers");
}

/// Sixty overlapping patterns on either side of Allow and Deny: the answer is `refused`, within a fixed amount of memory.
#[test]
#[cfg(target_os = "linux")]
fn a_question_beyond_the_budget_is_refused_in_bounded_memory() {
    let pattern = |n: usize| {
        let letter = |k: usize| char::from(b'a' + u8::try_from((n / 4_usize.pow(u32::try_from(k).unwrap())) % 4).unwrap());
        format!("arn:aws:s3:::*{}{}*{}{}*", letter(0), letter(1), letter(2), letter(3))
    };
    let statement =
        |effect: &str, resources: Vec<String>| serde_json::json!({"Effect": effect, "Action": "*", "Resource": resources});
    let one_each = |effect: &str, from: usize| (from..from + 60).map(|n| statement(effect, vec![pattern(n)])).collect::<Vec<_>>();
    let document = |statements: Vec<Value>| serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let new = document(vec![statement("Allow", vec!["arn:aws:s3:::?*a*b*c*d*a*c*b*d*".to_owned()])]);
    let old = document([one_each("Allow", 0), one_each("Deny", 100)].concat());
    let home = policies(&[("new.json", &new), ("old.json", &old)]);
    // The limit is on address space, in KiB: threads' stacks and the mapped program included.
    let done = Command::new("sh")
        .args(["-c", "ulimit -v 400000 && exec \"$0\" prove new.json --within old.json", env!("CARGO_BIN_EXE_policyc")])
        .current_dir(home.path())
        .env("RAYON_NUM_THREADS", "2")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{out}{}", String::from_utf8_lossy(&done.stderr));
    assert!(out.contains("refused") && out.contains("the budget of 50000000 steps ran out"), "{out}");
}

#[test]
fn prove_shows_the_counterexample_and_the_statement() {
    let home = policies(&[("read.json", READ), ("all.json", READ_ALL)]);
    insta::assert_snapshot!(
        "prove_counterexample",
        policyc(&["prove", &at(&home, "all.json"), "--within", &at(&home, "read.json")]).1
    );
    let Done(code, out, _) = policyc(&["prove", &at(&home, "all.json"), "--within", &at(&home, "read.json"), "--format", "json"]);
    assert_eq!(code, 1);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["proved"], false);
    assert_eq!(answer["within_baseline"], "not proved");
    let witness = &answer["counterexample"];
    let mut request = vec!["evaluate".to_owned(), at(&home, "all.json")];
    request.extend(["--action".into(), witness["action"].as_str().unwrap().to_owned()]);
    request.extend(["--resource".into(), witness["resource"].as_str().unwrap().to_owned()]);
    for (key, values) in witness["context"].as_object().unwrap() {
        for value in values.as_array().unwrap() {
            request.extend(["--context".into(), format!("{key}={}", value.as_str().unwrap())]);
        }
    }
    let evaluated = |request: &[String]| policyc(&request.iter().map(String::as_str).collect::<Vec<_>>()).0;
    assert_eq!(evaluated(&request), 0, "{out}");
    request[1] = at(&home, "read.json");
    assert_eq!(evaluated(&request), 1, "{out}");
}

#[test]
fn the_committed_policy_covers_the_recorded_calls() {
    let policy = "policies/demo/public-instance.json";
    let arguments = ["prove", policy, "--within", "AmazonEC2RoleforSSM", "--covers", TRAIL, "--role", ROLE];
    let Done(code, out, err) = policyc(&arguments);
    assert_eq!(code, 0, "{out}{err}");
    insta::assert_snapshot!("prove_covers", out);

    let home = policies(&[]);
    let less = fs::read_to_string(repository().join(policy)).unwrap().replace("\"s3:PutObject\"", "\"s3:GetObject\"");
    fs::write(home.path().join("less.json"), less).unwrap();
    let mut arguments = arguments.to_vec();
    let less = at(&home, "less.json");
    arguments[1] = &less;
    let Done(code, out, _) = policyc(&arguments);
    assert_eq!(code, 1);
    assert!(out.contains("proved      grants nothing beyond"), "{out}");
    assert!(out.contains("not proved  loses none of") && out.contains("would be denied: s3:PutObject on "), "{out}");
}

#[test]
fn a_certificate_is_checked_with_what_it_names() {
    let home = policies(&[]);
    let ledger = at(&home, "week.ledger");
    let (policy, certificate) = (at(&home, "policy.json"), at(&home, "policy.certificate.json"));
    let account = ["--account", "111122223333"];
    assert_eq!(policyc(&[&["observe", TRAIL, "--role", ROLE, "-o", &ledger][..], &account].concat()).0, 0);
    let derive = ["derive", "--trail", &ledger, "--role", ROLE, "--out", &policy, "--certificate", &certificate];
    let Done(code, _, err) = policyc(&derive);
    assert_eq!(code, 0, "{err}");
    let prove = |ledger: &str, baseline: &str| {
        let Done(code, out, _) =
            policyc(&["prove", &policy, "--within", baseline, "--covers", ledger, "--role", ROLE, "--certificate", &certificate]);
        (code, out)
    };
    let (code, out) = prove(&ledger, "AmazonEC2RoleforSSM");
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("holds       the certificate"), "{out}");
    let (code, out) = prove(TRAIL, "AmazonSSMManagedInstanceCore");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("it names a baseline 2162d48d5734…"), "{out}");
    let day = format!("{TRAIL}/111122223333/CloudTrail/us-east-1/2026/11/16");
    let (code, out) = prove(&day, "AmazonEC2RoleforSSM");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("it names a ledger"), "{out}");
}

#[test]
fn replay_says_what_would_break() {
    let whole = policyc(&["replay", "policies/demo/public-instance.json", "--trail", TRAIL, "--role", ROLE]);
    assert_eq!(whole.0, 0, "{}", whole.2);
    insta::assert_snapshot!("replay_nothing_lost", whole.1);

    let Done(code, out, _) = policyc(&["replay", "AmazonSSMManagedInstanceCore", "--trail", TRAIL, "--role", ROLE]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("replay_lost", out);

    let Done(code, out, _) =
        policyc(&["replay", "AmazonSSMManagedInstanceCore", "--trail", TRAIL, "--role", ROLE, "--format", "json"]);
    assert_eq!(code, 1);
    let replayed: Value = serde_json::from_str(&out).unwrap();
    let sum = |rows: &str| replayed[rows].as_array().unwrap().iter().map(|r| r["calls"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("lost"), replayed["denied"].as_u64().unwrap());
    assert_eq!(sum("actions"), replayed["calls"].as_u64().unwrap());
    let first = &replayed["lost"][0];
    for key in ["action", "resource", "session", "reason", "first", "last"] {
        assert!(first[key].as_str().is_some_and(|t| !t.is_empty()), "{key}: {first}");
    }
    assert!(!first["events"].as_array().unwrap().is_empty());
}

#[test]
fn replay_tells_what_the_trail_cannot_say() {
    let tagged = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"ops"}}}}"#;
    let home = policies(&[("tagged.json", tagged)]);
    let policy = at(&home, "tagged.json");
    let Done(code, out, _) = policyc(&["replay", &policy, "--trail", TRAIL, "--role", ROLE, "--format", "json"]);
    assert_eq!(code, 0);
    let replayed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&replayed["allowed"], &replayed["denied"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(replayed["undetermined"], replayed["calls"]);
    assert_eq!(replayed["doubtful"][0]["reason"], "the trail does not say aws:principaltag/team");
    let Done(_, out, _) =
        policyc(&["replay", &policy, "--trail", TRAIL, "--role", ROLE, "--baseline", &policy, "--format", "json"]);
    let replayed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(replayed["allowed"], replayed["calls"], "the same words stand in what the calls went through under");
}

#[test]
fn replay_refuses_an_empty_trail() {
    let Done(code, _, err) = policyc(&["replay", "AmazonEC2RoleforSSM"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("`replay` needs `--trail PATH`"), "{err}");
    let Done(code, _, err) = policyc(&[
        "replay",
        "AmazonEC2RoleforSSM",
        "--trail",
        TRAIL,
        "--role",
        "nobody",
        "--account",
        "111122223333",
        "--region",
        "us-east-1",
    ]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("no call that passed authorisation"), "{err}");
}

#[test]
fn evaluate_names_the_deciding_statement() {
    let home = policies(&[("read.json", READ), ("all.json", READ_ALL), ("home.json", HOME)]);
    let check = |policy: &str, request: &[&str], code: i32, want: &str| {
        let path = at(&home, policy);
        let Done(exit, out, err) = policyc(&[&["evaluate", &path, "--action"], request].concat());
        assert_eq!(exit, code, "{policy} {request:?}\n{out}{err}");
        assert!(format!("{out}{err}").contains(want), "{policy} {request:?}: {want}\n{out}{err}");
    };
    let object = ["s3:GetObject", "--resource", "arn:aws:s3:::logs/a"];
    check("read.json", &object, 0, "allowed by statement 1 of read.json");
    check("read.json", &["s3:PutObject", "--resource", "arn:aws:s3:::logs/a"], 1, "implicitly denied: no statement allows it");
    check("all.json", &object, 1, "explicitly denied by statement 3 of all.json");
    check("all.json", &[&object[..], &["--context", "aws:SourceIp=203.0.113.9"]].concat(), 0, "allowed by statement 2");
    check("all.json", &[&object[..], &["--context", "AWS:sourceip=198.51.100.1"]].concat(), 1, "explicitly denied");
    check("home.json", &object, 1, "implicitly denied");
    check("home.json", &[&object[..], &["--context", "aws:PrincipalTag/team=logs"]].concat(), 0, "allowed by statement 1");
    check("read.json", &["s3", "--resource", "*"], 2, "`s3` is not an action");
    check("read.json", &["s3:GetObject", "--context", "novalue"], 2, "`novalue` is not a context key and its value");
    check("read.json", &["s3:GetObject", "--principal", "web"], 2, "`web` is not the ARN");
}

#[test]
fn evaluate_knows_the_session() {
    let own = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/web"},"StringEquals":{"aws:PrincipalType":"AssumedRole","aws:PrincipalAccount":"111122223333"},"Null":{"aws:username":"true"}}}}"#;
    let home = policies(&[("own.json", own)]);
    let as_principal =
        |arn: &str| policyc(&["evaluate", &at(&home, "own.json"), "--action", "s3:GetObject", "--principal", arn]).0;
    assert_eq!(as_principal("arn:aws:sts::111122223333:assumed-role/web/i-0123456789abcdef0"), 0);
    assert_eq!(as_principal("arn:aws:iam::111122223333:role/web"), 0);
    assert_eq!(as_principal("arn:aws:iam::111122223333:role/team/web"), 1);
    assert_eq!(as_principal("arn:aws:sts::444455556666:assumed-role/web/i-0123456789abcdef0"), 1);
    assert_eq!(as_principal("arn:aws:iam::111122223333:user/web"), 1);
}

#[test]
fn evaluate_shows_both_readings_where_they_differ() {
    let wide =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"logs:*","Resource":"arn:aws:logs:*:log-group:web"}}"#;
    let home = policies(&[("wide.json", wide)]);
    let resource = "arn:aws:logs:us-east-1:111122223333:log-group:web";
    let arguments = ["evaluate", &at(&home, "wide.json"), "--action", "logs:PutLogEvents", "--resource", resource];
    let Done(code, out, _) = policyc(&arguments);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("reaches across the colons") && out.contains("stays within its field"), "{out}");
    let json: Value = serde_json::from_str(&policyc(&[&arguments[..], &["--format", "json"]].concat()).1).unwrap();
    assert_eq!((&json["allowed"], &json["whole"]["decision"]), (&Value::from(false), &Value::from("allowed")));
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
