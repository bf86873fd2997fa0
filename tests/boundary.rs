//! Permissions boundaries, and Deny statements of policies that stay attached: what they do to calls, policies and reports.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/asked.rs"]
#[allow(dead_code)] // its role and instance are nothing that these tests name
mod asked;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use policyc::catalog::{Catalog, baselines};
use policyc::compile::{Compiled, compile};
use policyc::derive::{Baseline, Question};
use policyc::finding::Code;
use policyc::iam::{Action, Pattern, Policy};
use policyc::ledger::{Outcome, Use};
use policyc::prove::document::Document;
use policyc::prove::evaluate::{ArnReading, Request, Value, evaluate, evaluate_within};
use policyc::prove::limits::Limits;
use policyc::prove::replay::{Call, InForce, replay_within};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn text(statements: &Json) -> Vec<u8> {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string().into_bytes()
}

fn document(statements: &Json) -> Document {
    Document::read(&text(statements)).unwrap()
}

fn allow(action: Json, resource: &str) -> Json {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

fn deny(action: Json, resource: &str) -> Json {
    json!({"Effect": "Deny", "Action": action, "Resource": resource})
}

fn when(mut statement: Json, condition: Json) -> Json {
    statement["Condition"] = condition;
    statement
}

/// What becomes of one call, in a word and its reason.
fn fate(policies: &[Document], boundary: Option<&Document>, before: InForce<'_>, call: &Call) -> String {
    let result = replay_within(InForce { policies, boundary }, before, std::slice::from_ref(call));
    match (result.allowed, result.denied.as_slice(), result.undetermined.as_slice()) {
        (1, [], []) => "allowed".to_owned(),
        (0, [(0, why)], []) => format!("denied: {why}"),
        (0, [], [(0, keys)]) => format!("undetermined: {}", keys.join(" ")),
        _ => panic!("{result:?}"),
    }
}

#[test]
fn a_call_needs_the_policies_and_the_boundary() {
    let region = |name: &str| json!({"StringEquals": {"aws:RequestedRegion": name}});
    let vpc = || json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}});
    let outside = "denied: the permissions boundary forbids this: no statement of it allows it";
    let denied = "denied: the permissions boundary forbids this: an explicit deny (its statement 2) matches";
    let any = || allow(json!("*"), "*");
    let get = || allow(json!("s3:GetObject"), "arn:aws:s3:::b/*");
    for (policy, boundary, expected) in [
        (json!([get()]), json!([any()]), "allowed"),
        (json!([get()]), json!([allow(json!("ssm:*"), "*")]), outside),
        (json!([get()]), json!([allow(json!("s3:Get*"), "arn:aws:s3:::c/*")]), outside),
        (json!([get()]), json!([any(), deny(json!("s3:*"), "*")]), denied),
        (json!([get()]), json!([when(any(), region("eu-west-1"))]), "allowed"),
        (json!([get()]), json!([when(any(), region("us-east-1"))]), outside),
        (json!([get()]), json!([when(any(), vpc())]), "undetermined: aws:sourcevpc"),
        (json!([get()]), json!([any(), when(deny(json!("s3:*"), "*"), vpc())]), "undetermined: aws:sourcevpc"),
        (json!([when(get(), json!({"StringEquals": {"k": "v"}}))]), json!([when(any(), vpc())]), "undetermined: aws:sourcevpc k"),
        (json!([when(get(), json!({"StringEquals": {"k": "v"}}))]), json!([allow(json!("ssm:*"), "*")]), outside),
        // A boundary grants nothing, and the policies' own reason comes first.
        (json!([allow(json!("ssm:*"), "*")]), json!([any()]), "denied: no statement allows it"),
        (json!([get(), deny(json!("*"), "*")]), json!([any()]), "denied: an explicit deny (document 1, statement 2) matches"),
        (json!([allow(json!("ssm:*"), "*")]), json!([deny(json!("*"), "*")]), "denied: no statement allows it"),
    ] {
        let call = Call {
            action: "s3:GetObject".into(),
            resource: "arn:aws:s3:::b/k".into(),
            context: BTreeMap::from([("aws:requestedregion".to_owned(), Value::One("eu-west-1".to_owned()))]),
            ..Call::default()
        };
        let (policies, limit) = ([document(&policy)], document(&boundary));
        assert_eq!(fate(&policies, Some(&limit), InForce::default(), &call), expected, "{policy} within {boundary}");
        // What the call went through under settles what the trail does not tell.
        let before = InForce { policies: &policies, boundary: Some(&limit) };
        let settled = if expected.starts_with("undetermined") { "allowed" } else { expected };
        assert_eq!(fate(&policies, Some(&limit), before, &call), settled, "{policy} within {boundary}");
    }
}

/// Statements of a small world, so that they often meet.
fn statements() -> impl Strategy<Value = Vec<Json>> {
    let effect = prop::sample::select(vec!["Allow", "Allow", "Deny"]);
    let action = prop::sample::select(vec!["*", "s3:*", "s3:Get*", "s3:GetObject", "ssm:*"]);
    let resource = prop::sample::select(vec!["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/k", "arn:aws:s3:::${k}/*", "arn:*:k"]);
    let condition = prop::sample::select(vec![
        None,
        Some(json!({"StringEquals": {"k": "b"}})),
        Some(json!({"StringNotEquals": {"k": "b"}})),
        Some(json!({"Null": {"k": "true"}})),
    ]);
    let one = (effect, action, resource, condition).prop_map(|(effect, action, resource, condition)| {
        let plain = json!({"Effect": effect, "Action": action, "Resource": resource});
        condition.map_or(plain.clone(), |condition| when(plain, condition))
    });
    prop::collection::vec(one, 1..4)
}

/// Every call of that world: a key known, known to be absent, and unknown.
fn world() -> Vec<Call> {
    let mut calls = Vec::new();
    for action in ["s3:GetObject", "s3:PutObject", "ssm:GetParameter"] {
        for resource in ["arn:aws:s3:::b/k", "arn:aws:s3:::c/k", "arn:aws:x:k:k:k", "*"] {
            for k in [Some("b"), Some("c"), Some(""), None] {
                let context = k.filter(|k| !k.is_empty()).map(|k| ("k".to_owned(), Value::One(k.to_owned())));
                let absent = k.filter(|k| k.is_empty()).map(|_| "k".to_owned());
                calls.push(Call {
                    action: action.to_owned(),
                    resource: resource.to_owned(),
                    context: context.into_iter().collect(),
                    absent: absent.into_iter().collect(),
                    ..Call::default()
                });
            }
        }
    }
    calls
}

/// 2 allowed, 1 undetermined, 0 denied, for each call.
fn ranks(policies: &[Document], boundary: Option<&Document>, calls: &[Call]) -> Vec<u8> {
    let result = replay_within(InForce { policies, boundary }, InForce::default(), calls);
    let mut ranks = vec![2; calls.len()];
    result.undetermined.iter().for_each(|(n, _)| ranks[*n] = 1);
    result.denied.iter().for_each(|(n, _)| ranks[*n] = 0);
    ranks
}

proptest! {
    /// INVARIANT (boundary-only-takes): a boundary allows no call that is not allowed without it, nor makes a denied one doubtful; and
    /// it is as strict as both halves together.
    #[test]
    fn a_boundary_only_takes(policy in statements(), boundary in statements()) {
        let (policies, limit, calls) = ([document(&json!(policy))], document(&json!(boundary)), world());
        let (free, bound) = (ranks(&policies, None, &calls), ranks(&policies, Some(&limit), &calls));
        let alone = ranks(std::slice::from_ref(&limit), None, &calls);
        for n in 0..calls.len() {
            prop_assert_eq!(bound[n], free[n].min(alone[n]), "{:?}", calls[n]);
        }
    }

    /// A boundary of everything changes nothing, and one of nothing leaves nothing.
    #[test]
    fn the_two_ends(policy in statements()) {
        let (policies, calls) = ([document(&json!(policy))], world());
        let everything = document(&json!([allow(json!("*"), "*")]));
        prop_assert_eq!(ranks(&policies, Some(&everything), &calls), ranks(&policies, None, &calls));
        let nothing = document(&json!([deny(json!("*"), "*")]));
        prop_assert!(ranks(&policies, Some(&nothing), &calls).iter().all(|rank| *rank == 0));
    }

    /// Where everything is known, replay is the evaluator under both readings, and that is both evaluations together.
    #[test]
    fn replay_and_evaluation_agree(policy in statements(), boundary in statements()) {
        let (policies, limit) = ([document(&json!(policy))], document(&json!(boundary)));
        let calls: Vec<Call> = world().into_iter().filter(|c| !c.context.is_empty() || !c.absent.is_empty()).collect();
        let limits = Limits::of(&[], Some(&limit)).forbidden(&calls).unwrap();
        let limits: BTreeSet<usize> = limits.into_iter().map(|(n, _)| n).collect();
        for (n, rank) in ranks(&policies, Some(&limit), &calls).into_iter().enumerate() {
            let call = &calls[n];
            let request = Request { action: call.action.clone(), resource: call.resource.clone(), context: call.context.clone() };
            let both = [ArnReading::Whole, ArnReading::Segmented].map(|reading| {
                let own = evaluate(&policies, &request, reading).is_allowed();
                let limit_allows = evaluate(std::slice::from_ref(&limit), &request, reading).is_allowed();
                let decision = evaluate_within(&policies, Some(&limit), &request, reading);
                assert_eq!(decision.is_allowed(), own && limit_allows, "{decision:?}");
                assert_eq!(evaluate_within(&policies, None, &request, reading).is_allowed(), own);
                (own && limit_allows, limit_allows)
            });
            prop_assert_eq!(rank, if both.iter().all(|(whole, _)| *whole) { 2 } else { 0 }, "{:?}", call);
            prop_assert_eq!(limits.contains(&n), !both.iter().all(|(_, limit)| *limit), "{:?}", call);
        }
    }

    /// What a boundary is said to forbid outright it forbids in every request of the action.
    #[test]
    fn outright_is_outright(boundary in statements()) {
        let limit = document(&json!(boundary));
        let limits = Limits::of(&[], Some(&limit));
        let everything = [document(&json!([allow(json!("*"), "*")]))];
        for (call, rank) in world().iter().zip(ranks(&everything, Some(&limit), &world())) {
            prop_assert!(limits.outright(&call.action).is_none() || rank == 0, "{:?}", call);
        }
    }

    /// INVARIANT (limits-only-tell): whatever the boundary, the policy is the same, byte for byte, and so is what is proved of it.
    #[test]
    fn a_boundary_changes_no_policy(boundary in statements(), seen in prop::collection::vec(0..ACTIONS.len(), 0..5)) {
        let uses: Vec<Use> = seen.into_iter().map(|n| used(ACTIONS[n].0, ACTIONS[n].1, Outcome::Succeeded)).collect();
        let free = compiled(&[], None, &["session-manager"], &uses);
        let bound = compiled(&[], Some(&json!(boundary)), &["session-manager"], &uses);
        prop_assert_eq!(&free.document, &bound.document);
        let verdicts = |c: &Compiled| (c.proof.within_baseline, c.proof.covers_observed.verdict, c.proof.covers_observed.calls);
        prop_assert_eq!(verdicts(&free), verdicts(&bound));
        let new = |c: &Compiled| -> Vec<Code> {
            let told = c.derivation.findings.iter().map(|f| f.code);
            told.filter(|code| ![Code::SeenButForbidden, Code::FloorForbidden].contains(code)).collect()
        };
        prop_assert_eq!(new(&free), new(&bound));
    }
}

const ACTIONS: [(&str, &str); 4] = [
    ("s3:GetObject", "arn:aws:s3:::b/k"),
    ("s3:PutObject", "arn:aws:s3:::b/logs/1"),
    ("ssm:GetParameters", "arn:aws:ssm:eu-west-1:111122223333:parameter/p"),
    ("ssm:UpdateInstanceInformation", "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0"),
];

fn used(action: &str, resource: &str, outcome: Outcome) -> Use {
    Use { action: Action::parse(action).unwrap(), resource: Pattern::literal(resource), outcome, ..asked::sample() }
}

fn named(name: &str, bytes: &[u8]) -> Baseline {
    let policy = Policy::parse(bytes).unwrap();
    Baseline { name: name.to_owned(), version: String::new(), sha256: String::new(), bytes: bytes.to_vec(), policy }
}

/// Compiles a role of AmazonEC2RoleforSSM beside policies that stay attached, within a boundary.
fn compiled(kept: &[Json], boundary: Option<&Json>, needs: &[&str], uses: &[Use]) -> Compiled {
    let question = Question {
        needs: needs.iter().map(|need| ((*need).to_owned(), Vec::new())).collect(),
        baseline: named("AmazonEC2RoleforSSM", baselines::find("AmazonEC2RoleforSSM").unwrap().document),
        kept: kept.iter().map(|statements| named("own", &text(statements))).collect(),
        boundary: boundary.map(|statements| named("team-boundary", &text(statements))),
        ..asked::question(baselines::find("AmazonEC2RoleforSSM").unwrap().document)
    };
    compile(&question, &asked::ledger(uses), Catalog::embedded())
}

fn told(compiled: &Compiled, code: Code) -> Vec<String> {
    compiled.derivation.findings.iter().filter(|f| f.code == code).map(|f| f.message.clone()).collect()
}

#[test]
fn a_call_that_passed_although_it_is_forbidden_is_told_and_granted() {
    let uses = [
        used("s3:GetObject", "arn:aws:s3:::b/k", Outcome::Succeeded),
        used("ssm:GetParameters", "arn:aws:ssm:eu-west-1:111122223333:parameter/p", Outcome::Succeeded),
    ];
    let check = |kept: &[Json], boundary: Option<Json>, expected: &[&str]| {
        let found = compiled(kept, boundary.as_ref(), &[], &uses);
        assert_eq!(told(&found, Code::SeenButForbidden), expected, "{kept:?} {boundary:?}");
        assert_eq!(found.derivation.forbidden.len(), expected.len());
        assert!(!found.derivation.refused(), "a warning: {:?}", found.derivation.findings);
        assert!(found.document.contains("s3:GetObject"), "granted all the same");
    };
    let ssm = || allow(json!("ssm:*"), "*");
    let passed = "`s3:GetObject` passed once on `arn:aws:s3:::b/k`, at 2026-09-01T00:00:00Z for the last time, although";
    check(&[], None, &[]);
    check(&[], Some(json!([allow(json!("*"), "*")])), &[]);
    check(&[], Some(json!([ssm(), allow(json!("s3:*"), "arn:aws:s3:::b/*")])), &[]);
    let who = "the permissions boundary `team-boundary` forbids this";
    check(&[], Some(json!([ssm()])), &[&format!("{passed} {who}: no statement of it allows it")]);
    check(
        &[],
        Some(json!([allow(json!("*"), "*"), deny(json!("s3:Get*"), "*")])),
        &[&format!("{passed} {who}: its statement 2 is a Deny that matches")],
    );
    // The region is known, where the call came through is not: it passed, so the condition held.
    let only = |condition: Json| json!([ssm(), when(allow(json!("s3:*"), "*"), condition)]);
    check(&[], Some(only(json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}))), &[]);
    check(
        &[],
        Some(only(json!({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}))),
        &[&format!("{passed} {who}: no statement of it allows it")],
    );
    check(&[], Some(only(json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}))), &[]);
    let stays = json!([ssm(), deny(json!("s3:*"), "*")]);
    let by_kept = format!("{passed} `own`, which stays attached, forbids this: its statement 2 is a Deny that matches");
    check(&[stays], None, &[&by_kept]);
}

#[test]
fn what_a_feature_needs_and_a_limit_forbids_is_told() {
    let channel = used("ssm:UpdateInstanceInformation", ACTIONS[3].1, Outcome::Succeeded);
    let check = |kept: &[Json], boundary: Option<Json>, expected: &[&str]| {
        let found = compiled(kept, boundary.as_ref(), &["session-manager"], std::slice::from_ref(&channel));
        let messages = told(&found, Code::FloorForbidden);
        let about: Vec<&String> = messages.iter().filter(|m| m.starts_with("session-manager needs")).collect();
        assert_eq!(about.len(), expected.len(), "{messages:#?}");
        for (message, part) in about.iter().zip(expected) {
            assert!(message.contains("`ssmmessages:OpenDataChannel`") && message.ends_with(part), "{message}");
        }
        assert!(found.document.contains("ssmmessages:OpenDataChannel"), "granted all the same");
    };
    check(&[], None, &[]);
    check(&[], Some(json!([allow(json!(["ssm:*", "ssmmessages:*", "s3:*"]), "*")])), &[]);
    let forbids = "and the permissions boundary `team-boundary` forbids this: no statement of it allows it";
    check(&[], Some(json!([allow(json!(["ssm:*", "s3:*"]), "*")])), &[forbids]);
    let stays = [json!([deny(json!("ssmmessages:*"), "*")])];
    check(&stays, None, &["and `own`, which stays attached, forbids this: its statement 1 is a Deny that matches"]);
}

#[test]
fn a_denied_call_says_who_forbids_it() {
    let refused = used("s3:GetObject", "arn:aws:s3:::b/k", Outcome::Denied("AccessDenied".to_owned()));
    let passed = used("ssm:GetParameters", "arn:aws:ssm:eu-west-1:111122223333:parameter/p", Outcome::Succeeded);
    let check = |boundary: Option<Json>, expected: &str| {
        let found = compiled(&[], boundary.as_ref(), &[], &[refused.clone(), passed.clone()]);
        assert_eq!(told(&found, Code::DeniedInsideBaseline), [expected]);
        assert_eq!(found.derivation.denied[0].why.contains("team-boundary"), expected.contains("team-boundary"));
    };
    let plain = "`s3:GetObject` on `arn:aws:s3:::b/k` was denied once although the baseline allows it";
    check(None, plain);
    check(Some(json!([allow(json!("*"), "*")])), plain);
    let who = "the permissions boundary `team-boundary` forbids this: no statement of it allows it";
    check(Some(json!([allow(json!("ssm:*"), "*")])), &format!("{plain}: {who}"));
}

const ROLE: &str = "ssm-demo-PublicInstanceRole-4RkT9wLx2ZcQ";
const TRAIL: &str = "cfn/recording/AWSLogs";

fn policyc(home: &Path, arguments: &[&str]) -> (i32, String, String) {
    let done =
        Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(home).env("NO_COLOR", "1").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A boundary that forgets log streams and message channels, and forbids writing to buckets.
fn narrow() -> Vec<u8> {
    text(&json!(
        [allow(json!(["ssm:*", "s3:*", "logs:Describe*"]), "*"), deny(json!("s3:PutObject"), "arn:aws:s3:::ssm-demo-*"),]
    ))
}

#[test]
fn the_commands_take_a_boundary() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        fs::write(home.path().join(name), bytes).unwrap();
        home.path().join(name).display().to_string()
    };
    let (narrow, all) = (file("narrow.json", &narrow()), file("all.json", &text(&json!([allow(json!("*"), "*")]))));
    let broken = file("broken.json", b"{}");
    let check = |arguments: &[&str], code: i32, want: &str| {
        let (exit, out, err) = policyc(repository(), arguments);
        assert_eq!(exit, code, "{arguments:?}\n{out}{err}");
        assert!(format!("{out}{err}").contains(want), "{arguments:?}: {want}\n{out}{err}");
        out
    };
    let evaluate = |boundary: &str, action: &str, code: i32, want: &str| {
        let resource = "arn:aws:s3:::ssm-demo-x/k";
        check(&["evaluate", &all, "--boundary", boundary, "--action", action, "--resource", resource], code, want);
    };
    evaluate(&all, "s3:GetObject", 0, "allowed by statement 1 of all.json");
    evaluate(&narrow, "s3:GetObject", 0, "allowed by statement 1 of all.json");
    evaluate(&narrow, "s3:PutObject", 1, "explicitly denied by the permissions boundary by statement 2 of narrow.json");
    evaluate(
        &narrow,
        "ec2:RunInstances",
        1,
        "implicitly denied by the permissions boundary narrow.json: no statement of it allows it",
    );
    evaluate(&broken, "s3:GetObject", 3, "broken.json");
    evaluate("nowhere", "s3:GetObject", 2, "`nowhere` is neither a file nor one of the policies");
    let out = check(&["evaluate", &all, "--boundary", &narrow, "--action", "a:b", "--format", "json"], 1, "");
    let said: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(said["whole"], json!({"decision": "implicitly denied by the permissions boundary"}));

    let of_role = ["AmazonEC2RoleforSSM", "--trail", TRAIL, "--role", ROLE];
    let replay = |boundary: &str, code: i32, want: &str| {
        check(&[&["replay"], &of_role[..], &["--boundary", boundary]].concat(), code, want)
    };
    replay(&all, 0, "within the permissions boundary all.json");
    insta::assert_snapshot!("replay", replay(&narrow, 1, "the permissions boundary forbids this"));
    let within = ["--within", "AmazonEC2RoleforSSM", "--covers", TRAIL, "--role", ROLE, "--boundary", &narrow];
    check(&[&["prove", "AmazonEC2RoleforSSM"], &within[..]].concat(), 0, "forbidden anyway: s3:PutObject on");
}

#[test]
fn a_derivation_says_what_the_boundary_does() {
    let home = tempfile::tempdir().unwrap();
    let boundary = home.path().join("team-boundary.json");
    fs::write(&boundary, narrow()).unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    let derive = |more: &[&str]| {
        let (code, out, err) = policyc(repository(), &[&["derive", "--trail", TRAIL, "--role", ROLE], more].concat());
        assert_eq!(code, 0, "{out}{err}");
        out
    };
    let limit = boundary.display().to_string();
    derive(&["--out", &path("free.json")]);
    let (policy, report, certificate) = (path("policy.json"), path("report.json"), path("c.json"));
    let files = ["--out", &policy, "--report", &report, "--certificate", &certificate];
    let out = derive(&[&["--boundary", &limit], &files[..]].concat());
    assert_eq!(fs::read(path("free.json")).unwrap(), fs::read(&policy).unwrap(), "a boundary changes no policy");
    let summary: String = out.split("\n---").next().unwrap().to_owned();
    insta::assert_snapshot!("report", summary);

    let report: Json = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["boundary"]["name"], "team-boundary.json");
    assert_eq!(report["certificate"]["boundary"]["sha256"], report["boundary"]["sha256"]);
    assert!(!report["certificate"]["not_proved"].to_string().contains("boundaries"));
    let put = report["actions"].as_array().unwrap().iter().find(|a| a["action"] == "s3:PutObject").unwrap();
    assert!(put["granted"].as_bool().unwrap() && put["forbidden"][0].as_str().unwrap().contains("forbids this"), "{put}");
    assert!(report["forbidden"].as_array().unwrap().iter().all(|row| !row["events"].as_array().unwrap().is_empty()));

    let prove = |more: &[&str]| {
        let base = [
            "prove",
            &policy,
            "--within",
            "AmazonEC2RoleforSSM",
            "--covers",
            TRAIL,
            "--role",
            ROLE,
            "--certificate",
            &certificate,
        ];
        policyc(repository(), &[&base[..], more].concat())
    };
    let (code, out, _) = prove(&["--boundary", &limit]);
    assert_eq!(code, 0, "{out}");
    let (code, out, _) = prove(&[]);
    assert!(code == 1 && out.contains("it names another permissions boundary"), "{out}");

    let explain = ["explain", "s3:PutObject", "--trail", TRAIL, "--role", ROLE, "--boundary", &limit];
    let (code, out, err) = policyc(repository(), &explain);
    assert_eq!(code, 0, "{err}");
    insta::assert_snapshot!("explain", out);
}

/// The demo's repository with a boundary on its first role: recorded with it, named in policyc.toml, or both.
#[test]
fn a_stack_takes_the_recorded_boundary_or_the_named_one() {
    let check = |recorded: Option<Json>, named: Option<&str>, expected: Option<&str>| {
        let home = tempfile::tempdir().unwrap();
        for name in ["policyc.toml", "cfn", "policies"] {
            let copied = Command::new("cp").arg("-r").arg(repository().join(name)).arg(home.path()).status().unwrap();
            assert!(copied.success());
        }
        let file = home.path().join("cfn/recording/stack.json");
        let mut stack: Json = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        if let Some(recorded) = &recorded {
            stack["stacks"]["ssm-demo"]["roles"]["PublicInstanceRole"]["boundary"] = recorded.clone();
        }
        fs::write(&file, stack.to_string()).unwrap();
        fs::write(home.path().join("cfn/named.json"), narrow()).unwrap();
        if let Some(named) = named {
            let (file, role) = (home.path().join("policyc.toml"), "logical-id = \"PublicInstanceRole\"\n");
            let text = fs::read_to_string(&file).unwrap().replace(role, &format!("{role}boundary = \"{named}\"\n"));
            fs::write(file, text).unwrap();
        }
        let (code, out, err) = policyc(home.path(), &["report", "--stack", "demo", "--format", "json"]);
        let Some(expected) = expected else {
            assert!(
                code == 2 && err.contains("the document of `unknown` v1 is not known; record the stack, or name the boundary"),
                "{err}"
            );
            return;
        };
        assert_eq!(code, 0, "{err}");
        let report: Json = serde_json::from_str(&out).unwrap();
        let role = &report["PublicInstanceRole"];
        assert_eq!(role["boundary"]["name"], if expected.is_empty() { json!(null) } else { json!(expected) });
        assert_eq!(role["forbidden"].is_array(), !expected.is_empty());
        assert!(report["NatInstanceRole"]["boundary"].is_null());
        // The committed certificate knows of no boundary, so check wants the stack derived again; then it holds.
        let derived = |arguments: &[&str]| policyc(home.path(), arguments);
        let (code, _, err) = derived(&["check", "--stack", "demo"]);
        assert_eq!(code, i32::from(!expected.is_empty()), "{err}");
        assert_eq!(err.contains("it names another permissions boundary"), !expected.is_empty(), "{err}");
        assert_eq!(derived(&["derive", "--stack", "demo"]).0, 0);
        let (code, _, err) = derived(&["check", "--stack", "demo"]);
        assert_eq!(code, 0, "{err}");
        assert_eq!(err.contains("warning[seen-but-forbidden]"), !expected.is_empty(), "{err}");
    };
    let document: Json = serde_json::from_slice(&narrow()).unwrap();
    let recorded = json!({"name": "team", "arn": "arn:aws:iam::111122223333:policy/team", "version": "v1", "document": document});
    check(None, None, Some(""));
    check(Some(recorded.clone()), None, Some("team"));
    check(Some(recorded), Some("cfn/named.json"), Some("named.json"));
    check(None, Some("cfn/named.json"), Some("named.json"));
    check(Some(json!({"name": "unknown", "version": "v1"})), None, None);
}
