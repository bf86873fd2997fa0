//! `policyc diff`: what it says, how it ends, and that no request changes sides without being listed.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test says what is wrong by panicking

#[path = "prover/policies.rs"]
mod policies;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use policyc::catalog::Catalog;
use policyc::iam::{Action, Pattern, Policy};
use policyc::prove::document::Document;
use policyc::prove::evaluate::{ArnReading, Request, Value, evaluate};
use policyc::review::meaning::{Meaning, Side};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn policyc(home: &Path, arguments: &[&str]) -> (i32, String) {
    let done =
        Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(home).env("NO_COLOR", "1").output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn allow(actions: &[&str], resource: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": resource}}).to_string()
}

#[test]
fn fates_and_exit_codes() {
    let home = tempfile::tempdir().unwrap();
    let check = |old: &str, new: &str, code: i32, lines: &[&str]| {
        fs::write(home.path().join("old.json"), old).unwrap();
        fs::write(home.path().join("new.json"), new).unwrap();
        let (exit, text) = policyc(home.path(), &["diff", "old.json", "new.json"]);
        assert_eq!(exit, code, "{text}");
        for line in lines {
            assert!(text.contains(line), "{line}\n{text}");
        }
    };
    let one = "arn:aws:s3:::one/*";
    let get = allow(&["s3:GetObject"], one);
    check(&get, &get, 0, &["same access, proved", "unchanged (1)", "data exposure: s3:GetObject"]);
    check(&get, &get.replace(":GetObject", ":getobject"), 0, &["unchanged (1)"]);
    check(
        &get,
        &allow(&["s3:GetObject"], "arn:aws:s3:::one/a*"),
        0,
        &[
            "nothing gained, proved",
            "narrowed: fewer requests are allowed (1)",
            "was on arn:aws:s3:::one/*\n      now on arn:aws:s3:::one/a*\n      no longer: s3:GetObject on arn:aws:s3:::one/example, by statement 1\n",
        ],
    );
    check(
        &get,
        &allow(&["s3:GetObject"], "*"),
        1,
        &[
            "access gained: 1 action is allowed on more than before (data exposure: 1)",
            "gained: allowed now, and was not (1)",
            "now allowed: s3:GetObject on arn:aws:s3:::example/example, by statement 1\n",
            "on every resource     0 → 1 ",
            "though limitable      0 → 1 ",
        ],
    );
    check(&get, &allow(&["s3:GetObject"], "arn:aws:s3:::*/a"), 1, &["gained and lost", "now allowed", "no longer"]);
    check(
        &get,
        &allow(&["s3:PutObject"], one),
        1,
        &["gained: allowed now", "Write: s3:PutObject", "gone: no request is allowed any more (1)"],
    );
    check(
        &get,
        r#"{"Version":"2012-10-17","Statement":[]}"#,
        0,
        &["gone: no request is allowed any more (1)", "no longer: s3:GetObject on", "actions granted       1 → 0 "],
    );
    check(r#"{"Statement":[]}"#, &get, 1, &["gained: allowed now"]);
    let through = get.replace(r#""Effect""#, r#""Principal":"*","Effect""#);
    check(&get, &through, 0, &["one is the policy of a VPC endpoint and the other a role's", "same access, proved"]);
    check(&allow(&["zz:New*"], "*"), &allow(&["zz:*"], "*"), 1, &["zz:… (to come)"]);
    check(&allow(&["*"], "*"), &allow(&["s3:*"], "*"), 0, &["privilege escalation", "unchanged"]);
    let escalating = allow(&["iam:PassRole", "s3:ListBucket", "s3:GetObject"], "*");
    check(&allow(&["s3:ListBucket"], "*"), &escalating, 1, &["Write, privilege escalation: iam:PassRole\n"]);
    let text = policyc(home.path(), &["diff", "old.json", "new.json"]).1;
    assert!(text.find("iam:PassRole\n").unwrap() < text.rfind("data exposure: s3:GetObject").unwrap(), "{text}");
    check("{", &get, 3, &["error"]);
    for (arguments, code, line) in [
        (&["diff", "old.json", "none.json"][..], 2, "neither a file"),
        (&["diff", "old.json"], 2, "required"),
        (&["diff", "old.json", "no-revision:new.json"], 2, "git has no `no-revision:./new.json`"),
        (&["diff", "old.json", "--upload-pack=x:new.json"], 2, "error"),
    ] {
        let (exit, text) = policyc(home.path(), arguments);
        assert_eq!(exit, code, "{arguments:?}\n{text}");
        assert!(text.contains(line), "{arguments:?}\n{text}");
    }
}

#[test]
fn names_of_resources_are_harmless() {
    let home = tempfile::tempdir().unwrap();
    let name = "arn:aws:s3:::\u{1b}[31m<script>`|@me\u{202e}\n*/x";
    fs::write(home.path().join("old.json"), allow(&["s3:GetObject"], "arn:aws:s3:::a")).unwrap();
    let names = json!([name, "::set-output name=x::y", "arn:aws:s3:::##[add-mask]x"]);
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": names}});
    fs::write(home.path().join("new.json"), policy.to_string()).unwrap();
    for format in ["text", "markdown", "json"] {
        let (exit, text) = policyc(home.path(), &["diff", "old.json", "new.json", "--format", format]);
        assert_eq!(exit, 1, "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{format}: {text}");
        assert!(format != "markdown" || !text.contains("<script") && !text.contains("@me"), "{text}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("::")) && !text.contains("##["), "{text}");
        assert!(format != "json" || serde_json::from_str::<Json>(&text).unwrap()[0]["changes"][0]["fate"] == "exchanged");
    }
}

const TEMPLATE: &str = "\
Conditions: {Logged: !Equals [a, a]}
Resources:
  Bucket: {Type: 'AWS::S3::Bucket'}
  WebRole:
    Type: AWS::IAM::Role
    Properties:
      ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM]
      Policies:
        - PolicyName: own
          PolicyDocument:
            Version: 2012-10-17
            Statement:
              - {Effect: Allow, Action: 's3:GetObject', Resource: !Sub '${Bucket.Arn}/*'}
        - !If
          - Logged
          - PolicyName: logs
            PolicyDocument:
              Version: 2012-10-17
              Statement: {Effect: Allow, Action: 'logs:PutLogEvents', Resource: '*'}
          - !Ref AWS::NoValue
";

#[test]
fn templates_and_revisions_are_sides() {
    let home = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let all = [&["-c", "user.name=t", "-c", "user.email=t@example.com"], arguments].concat();
        assert!(Command::new("git").args(all).current_dir(home.path()).output().unwrap().status.success(), "{arguments:?}");
    };
    let file = home.path().join("web.yaml");
    git(&["init", "-q"]);
    fs::write(&file, TEMPLATE).unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    let check = |template: &str, code: i32, lines: &[&str]| {
        fs::write(&file, template).unwrap();
        let (exit, text) = policyc(home.path(), &["diff", "--base", "HEAD", "web.yaml"]);
        assert_eq!(exit, code, "{text}");
        for line in lines {
            assert!(text.contains(line), "{line}\n{text}");
        }
    };
    check(TEMPLATE, 0, &["HEAD:web.yaml, WebRole → web.yaml, WebRole", "the condition `Logged` is taken to hold", "unchanged"]);
    check(
        &TEMPLATE.replace("service-role/AmazonEC2RoleforSSM", "AmazonSSMManagedInstanceCore"),
        1,
        &["now allowed: ssm:GetParameter on", "s3:PutObject"],
    );
    let narrow = TEMPLATE.replace("[arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM]", "[]");
    check(&narrow, 0, &["narrowed", "no longer: s3:GetObject"]);
    check(
        &TEMPLATE.replace("'s3:GetObject'", "'iam:*'"),
        1,
        &["gained", "privilege escalation: iam:AddUserToGroup", "iam:… (to come)"],
    );
    check(
        &TEMPLATE.replace("service-role/AmazonEC2RoleforSSM", "SomethingElse"),
        1,
        &["whatever arn:aws:iam::aws:policy/SomethingElse grants"],
    );
    check(&TEMPLATE.replace("WebRole:", "OtherRole:"), 1, &["nothing (no WebRole)", "nothing (no OtherRole)"]);
    check(&TEMPLATE.replace("!Sub '${Bucket.Arn}/*'", "!ImportValue x"), 3, &["`ImportValue` cannot be evaluated"]);
}

/// GitHub takes 65,536 characters: what matters most is kept, no fold stays open, and the comment says that it was cut.
#[test]
fn a_comment_is_never_too_long() {
    let home = tempfile::tempdir().unwrap();
    let actions = Catalog::embedded().reference.expand(&Pattern::parse("ec2:*"));
    let policy = |resources: usize| {
        let statement = |(n, action): (usize, &Action)| {
            let names: Vec<String> =
                (0..resources).map(|m| format!("arn:aws:ec2:us-east-1:111122223333:*/{n}-{m}-{}", "<>".repeat(60))).collect();
            json!({"Effect": "Allow", "Action": action.to_string(), "Resource": names})
        };
        json!({"Version": "2012-10-17", "Statement": actions.iter().take(150).enumerate().map(statement).collect::<Vec<_>>()})
    };
    fs::write(home.path().join("few.json"), policy(1).to_string()).unwrap();
    fs::write(home.path().join("many.json"), policy(3).to_string()).unwrap();
    for (old, new, code, kept) in
        [("few.json", "many.json", 1, "**access gained**"), ("many.json", "few.json", 0, "**nothing gained, proved**")]
    {
        let (exit, text) = policyc(home.path(), &["diff", old, new, "--format", "markdown"]);
        assert_eq!(exit, code, "{}", &text[..2000]);
        assert!(text.chars().count() <= 65_000 && text.chars().count() > 20_000, "{} characters", text.chars().count());
        assert!(text.contains(kept) && text.ends_with("run `policyc diff`.*\n"), "{}", &text[..2000]);
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}

/// The lines of a template are its author's: one that stays as it is begins with a blank in the difference.
#[test]
fn lines_of_templates_are_no_workflow_commands() {
    let home = tempfile::tempdir().unwrap();
    let text = |after: &str| format!("Description: |\n  ::error::forged\n  {after}\n{TEMPLATE}");
    fs::write(home.path().join("old.yaml"), text("a")).unwrap();
    fs::write(home.path().join("new.yaml"), text("b")).unwrap();
    let (exit, said) = policyc(home.path(), &["diff", "old.yaml", "new.yaml"]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("\\u{3a}:error::forged") && said.contains("-  a\n+  b"), "{said}");
}

#[test]
fn what_people_see() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for format in ["text", "markdown"] {
        let (exit, text) = policyc(root, &["diff", "AmazonEC2RoleforSSM", "policies/demo/nat-instance.json", "--format", format]);
        assert_eq!(exit, 0, "{text}");
        insta::assert_snapshot!(format, text);
    }
    let (exit, text) = policyc(root, &["diff", "policies/demo/public-instance.json", "policies/demo/nat-instance.json"]);
    assert_eq!(exit, 1, "{text}");
    insta::assert_snapshot!("between", text);
}

/// Requests on both sides of what the generated policies speak of: each of their condition keys present or not, actions
/// that AWS has and one that it may add, resources that their patterns match and almost match.
fn requests() -> impl Strategy<Value = Request> {
    let actions = [
        "s3:GetObject",
        "s3:PutObject",
        "s3:GetBucketAcl",
        "s3:GetWhatIsToCome",
        "sns:Publish",
        "sns:GetTopicAttributes",
        "sts:GetCallerIdentity",
        "iam:PassRole",
    ];
    let resources = [
        "arn:aws:s3:::bucket",
        "arn:aws:s3:::bucket/bob/x",
        "arn:aws:s3:::bucket/bob",
        "arn:aws:s3:::bucket/a/key",
        "arn:aws:s3:::bucket/*",
        "arn:aws:s3:::b/key",
        "arn:aws:s3:us-east-1:1:b",
        "arn:aws-cn:s3:::other",
        "arn:aws:sns:us-east-1:111122223333:topic",
        "arn:aws:sns:us-east-1:111122223333:topic:a:b",
        "arn:aws:sns:eu-west-1:1:other",
        "arn:aws:logs:us-east-1:1:log-group:a:log-stream:b",
        "*",
    ];
    const CONTEXT: &[(&str, &[&str])] = &[
        ("aws:principaltag/team", &["a", "A", "ab", "bob", ""]),
        ("aws:principaltag/keen", &["true", "false"]),
        ("aws:username", &["a", "bob"]),
        ("aws:tagkeys", &["a", "b", "a b", "ab c"]),
        ("s3:max-keys", &["5", "10", "1.5", "-1"]),
        ("kms:grantcount", &["1", "2 3"]),
        ("aws:currenttime", &["2026-01-01T00:00:00Z", "2026-06-30T12:30:00Z", "2027-01-01T00:00:00Z"]),
        ("aws:securetransport", &["true", "false"]),
        ("kms:encryptedblob", &["QUJD", "AA=="]),
        ("aws:sourceip", &["203.0.113.7", "203.0.113.200", "2001:db8::1", "198.51.100.1"]),
        ("aws:sourcearn", &["arn:aws:sns:us-east-1:111122223333:topic", "arn:aws:s3:::b"]),
    ];
    let one = |(key, values): &(&'static str, &'static [&'static str])| {
        let key = *key;
        // Keys that policies test with `ForAllValues:` have several values.
        let value = move |text: &str| match key {
            "aws:tagkeys" | "kms:grantcount" => Value::Many(text.split(' ').map(str::to_owned).collect()),
            _ => Value::One(text.to_owned()),
        };
        prop::option::of(prop::sample::select(*values)).prop_map(move |text| text.map(|text| (key.to_owned(), value(text))))
    };
    let context = CONTEXT.iter().map(one).collect::<Vec<_>>();
    let context = context.prop_map(|all| all.into_iter().flatten().collect::<BTreeMap<_, _>>());
    (prop::sample::select(actions.to_vec()), prop::sample::select(resources.to_vec()), context)
        .prop_map(|(action, resource, context)| Request { action: action.into(), resource: resource.into(), context })
}

/// The fates of the rows that speak of an action: of the one that names it, or of any where AWS does not have it yet.
fn fates(meaning: &Meaning, action: &str) -> Vec<&'static str> {
    let known = Action::parse(action).is_some_and(|action| Catalog::embedded().reference.action(&action).is_some());
    let rows = meaning.changes.iter().filter(|row| !known || row.actions.iter().any(|own| own == action));
    rows.map(|row| if row.fate == "gained" && !row.doubt.is_empty() { "exchanged" } else { row.fate }).collect()
}

/// Whatever is shown as gained or lost is so, for each action of its row.
fn witnesses_are_true(meaning: &Meaning, old: &Side, new: &Side) -> Result<(), TestCaseError> {
    for row in &meaning.changes {
        let shown = [(&row.gained, new, old), (&row.lost, old, new)];
        for (shown, allows, refuses) in shown.into_iter().filter_map(|(s, a, r)| Some((s.as_ref()?, a, r))) {
            let value = |key: &str, values: &[String]| match (key, values) {
                ("aws:tagkeys" | "kms:grantcount", many) => Value::Many(many.to_vec()),
                (_, [one]) => Value::One(one.clone()),
                (_, many) => Value::Many(many.to_vec()),
            };
            let context = shown.context.iter().map(|(k, v)| (k.to_lowercase(), value(&k.to_lowercase(), v))).collect();
            let request = Request { action: shown.action.clone(), resource: shown.resource.clone(), context };
            for action in row.actions.iter().chain([&shown.action]).filter(|action| !action.contains("(to come)")) {
                let request = Request { action: action.clone(), ..request.clone() };
                let tells = |reading| {
                    evaluate(&allows.documents, &request, reading).is_allowed()
                        && !evaluate(&refuses.documents, &request, reading).is_allowed()
                };
                prop_assert!(tells(ArnReading::Whole) || tells(ArnReading::Segmented), "{}: {request:?}", row.fate);
            }
        }
    }
    Ok(())
}

fn side(name: &str, json: &Json) -> Side {
    let bytes = json.to_string().into_bytes();
    Side {
        name: name.into(),
        policies: vec![Policy::parse(&bytes).unwrap()],
        documents: vec![Document::read(&bytes).unwrap()],
        ..Side::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn no_request_changes_sides_without_being_listed(
        (new, old) in policies::pair().prop_filter("for both readers", |(new, old)| {
            [new, old].iter().all(|json| Policy::parse(json.to_string().as_bytes()).is_ok())
        }),
        requests in prop::collection::vec(requests(), 200),
    ) {
        let (old, new) = (side("old", &old), side("new", &new));
        let meaning = Meaning::of(&old, &new, Catalog::embedded(), Vec::new());
        witnesses_are_true(&meaning, &old, &new)?;
        for request in requests {
            for reading in [ArnReading::Whole, ArnReading::Segmented] {
                let [before, now] = [&old, &new].map(|side| evaluate(&side.documents, &request, reading).is_allowed());
                let rows = fates(&meaning, &request.action);
                let right = match (before, now) {
                    (false, true) => rows.iter().any(|row| ["gained", "exchanged", "undecided"].contains(row)),
                    (true, false) => rows.iter().any(|row| ["gone", "narrowed", "exchanged", "undecided"].contains(row)),
                    (true, true) => rows.iter().any(|row| *row != "gone"),
                    (false, false) => true,
                };
                prop_assert!(right, "{rows:?}: {request:?} in {reading:?}, {before} then {now}");
                prop_assert!(before || !now || !meaning.is_safe(), "called safe, and yet {request:?} is gained");
            }
        }
    }
}
