//! A second opinion: what IAM's simulator says of needs and of what was removed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::asked::{FakeAccount, bare, needs, operation, parameters, policyc, refusal, result, said};
use crate::http::{Request, Response};
use crate::ministack::Ministack;
use crate::python;
use crate::records::{ROLE, demo};

const DERIVE: [&str; 6] = ["derive", "--trail", "cfn/recording/AWSLogs", "--role", ROLE, "--simulate"];

#[test]
fn ministack_decides_as_policyc_does() {
    let (ministack, home) = (Ministack::start(), demo());
    let out = ["--out", "policy.json"];
    let arguments: Vec<&str> = DERIVE.iter().chain(&out).copied().collect();
    let (code, text, told) = said(&policyc(home.path(), &ministack.url, &arguments).output().unwrap());
    assert_eq!(code, 0, "{text}{told}");
    let asked = told.lines().find(|l| l.contains("simulator was asked about")).unwrap();
    assert!(asked.ends_with("decides all of them as policyc does"), "{asked}");
    let numbers: Vec<usize> = asked.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(numbers.len() == 2 && numbers.iter().all(|n| *n > 20), "{asked}");
    // The same policy as without.
    let plain: Vec<&str> = DERIVE[..5].iter().chain(&["--out", "plain.json"]).copied().collect();
    assert_eq!(said(&policyc(home.path(), "http://127.0.0.1:9", &plain).output().unwrap()).0, 0);
    assert_eq!(fs::read(home.path().join("policy.json")).unwrap(), fs::read(home.path().join("plain.json")).unwrap());
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<Value>)) {
    let mut policy: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(policy["Statement"].as_array_mut().unwrap());
    fs::write(path, policy.to_string()).unwrap();
}

#[test]
fn a_wrong_policy_in_the_repository_is_denied_what_is_needed() {
    let (ministack, home) = (Ministack::start(), demo());
    let check = || said(&policyc(home.path(), &ministack.url, &["check", "--stack", "demo", "--simulate"]).output().unwrap());
    let (code, _, told) = check();
    assert_eq!(code, 0, "{told}");
    assert_eq!(told.matches("decides all of them as policyc does").count(), 3, "{told}");

    change(&home.path().join("policies/demo/nat-instance.json"), |statements| {
        statements.retain(|s| !s["Action"].to_string().contains("s3:PutObject"));
    });
    let (code, _, told) = check();
    assert_eq!(code, 1, "{told}");
    let denied = told
        .lines()
        .find(|l| l.starts_with("error[simulation-denies]: IAM's simulator denies"))
        .unwrap_or_else(|| panic!("{told}"));
    assert!(denied.contains("s3:PutObject on arn:aws:s3:::") && denied.contains("which is needed"), "{denied}");
    assert_eq!(told.matches("decides all of them as policyc does").count(), 2, "{told}");
}

/// What IAM says of every request, by a rule of the test; paged, if wanted one result a page, as IAM pages.
fn iam(allowed: impl Fn(&str, &str) -> bool + Send + Sync + 'static, size: usize, specific: bool) -> FakeAccount {
    let answer = move |name: &str, request: &Request| -> Option<Response> {
        (name == "SimulateCustomPolicy").then(|| {
            let given = parameters(request);
            let list = |key: &str| {
                (1..).map_while(|n| given.get(&format!("{key}.member.{n}"))).cloned().collect::<Vec<String>>()
            };
            let (actions, resources) = (list("ActionNames"), list("ResourceArns"));
            let decision = |action: &str, resource: &str| if allowed(action, resource) { "allowed" } else { "implicitDeny" };
            let row = |action: &String, resource: &str, inner: &str, decision: &str| {
                let named = format!("<EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>");
                format!("<member>{named}<EvalDecision>{decision}</EvalDecision>{inner}</member>")
            };
            let rows: Vec<String> = if specific {
                let of = |action: &String| {
                    let one = |r: &String| format!("<member><EvalResourceName>{r}</EvalResourceName><EvalResourceDecision>{}</EvalResourceDecision></member>", decision(action, r));
                    let inner: String = resources.iter().map(one).collect();
                    // The decision above is of all of them together: it must not be taken for one of them.
                    row(action, &resources[0], &format!("<ResourceSpecificResults>{inner}</ResourceSpecificResults>"), "explicitDeny")
                };
                actions.iter().map(of).collect()
            } else {
                actions.iter().flat_map(|a| resources.iter().map(|r| row(a, r, "", decision(a, r))).collect::<Vec<_>>()).collect()
            };
            let from: usize = given.get("Marker").map_or(0, |marker| marker.strip_prefix("page-").unwrap().parse().unwrap());
            let end = (from + size).min(rows.len());
            let more = if end < rows.len() { format!("<IsTruncated>true</IsTruncated><Marker>page-{end}</Marker>") } else { "<IsTruncated>false</IsTruncated>".to_owned() };
            result(name, &format!("<EvaluationResults>{}</EvaluationResults>{more}", rows[from..end].concat()))
        })
    };
    FakeAccount::start(answer)
}

fn derive(account: &FakeAccount, home: &Path) -> (i32, String, String) {
    let out = ["--out", "policy.json", "--report", "report.json"];
    let arguments: Vec<&str> = DERIVE.iter().chain(&out).copied().collect();
    said(&policyc(home, &account.url(), &arguments).output().unwrap())
}

#[test]
fn where_iam_decides_otherwise_nothing_is_written_and_it_is_told() {
    // An IAM that allows everything disagrees about what was removed, and one that denies everything about the needs.
    for (allows, expected) in [(true, "which was removed"), (false, "which is needed")] {
        let (account, home) = (iam(move |_, _| allows, 1000, false), demo());
        let (code, _, told) = derive(&account, home.path());
        assert_eq!(code, 1, "{told}");
        assert!(!home.path().join("policy.json").exists());
        let report: Value = serde_json::from_slice(&fs::read(home.path().join("report.json")).unwrap()).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let found: Vec<&Value> = findings.iter().filter(|f| f["code"] == "simulation-disagrees").collect();
        assert_eq!(found.len(), 1, "{findings:?}");
        assert!(found[0]["message"].as_str().unwrap().contains(expected), "{found:?}");
    }
}

/// As IAM would decide it: by the policies that were sent, with pages of any size and in both shapes of its answers.
#[test]
fn every_page_and_every_shape_of_an_answer_is_read() {
    let (first, home) = (iam(|_, _| false, 1000, false), demo());
    derive(&first, home.path());
    let asked = first.asked();
    let questions: Vec<_> = asked.iter().filter(|r| operation(r) == "SimulateCustomPolicy").map(parameters).collect();
    assert!(questions.len() > 1 && questions.len() < 60, "{} questions", questions.len());
    let policy: String = questions[0]["PolicyInputList.member.1"].clone();
    let document = policyc::prove::document::Document::read(policy.as_bytes()).unwrap();
    let evaluated = move |action: &str, resource: &str| {
        use policyc::prove::evaluate::{ArnReading, Request, Value::One, evaluate};
        let context = [("aws:requestedregion".to_owned(), One("us-east-1".to_owned()))].into();
        let request = Request { action: action.to_owned(), resource: resource.to_owned(), context };
        evaluate(std::slice::from_ref(&document), &request, ArnReading::Whole).is_allowed()
    };
    for (size, specific) in [(1, false), (7, false), (1000, true), (2, true)] {
        let evaluated = evaluated.clone();
        let account = iam(move |action, resource| evaluated(action, resource), size, specific);
        let (code, _, told) = derive(&account, home.path());
        assert_eq!(code, 0, "{size} {specific}: {told}");
        assert!(told.contains("decides all of them as policyc does"), "{told}");
    }
}

/// The boundary goes to IAM with the policies, and what it forbids is no missing need.
#[test]
fn the_boundary_is_handed_over_and_compared() {
    let home = demo();
    let boundary = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["ssm:*", "s3:*", "logs:*"], "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"},
    ]});
    fs::write(home.path().join("boundary.json"), boundary.to_string()).unwrap();
    let run = |account: &FakeAccount| {
        let arguments: Vec<&str> = DERIVE.iter().chain(&["--boundary", "boundary.json"]).copied().collect();
        said(&policyc(home.path(), &account.url(), &arguments).output().unwrap())
    };
    let first = iam(|_, _| false, 1000, false);
    let (code, _, told) = run(&first);
    assert_eq!(code, 1, "{told}");
    let asked = first.asked();
    let questions: Vec<_> = asked.iter().filter(|r| operation(r) == "SimulateCustomPolicy").map(parameters).collect();
    let (list, text) = ("PermissionsBoundaryPolicyInputList.member.1", boundary.to_string());
    assert!(questions.iter().all(|q| q[list] == text && !q.contains_key(&list.replace(".1", ".2"))));
    let policy = questions[0]["PolicyInputList.member.1"].clone();
    let [policy, limit] = [policy, boundary.to_string()].map(|d| policyc::prove::document::Document::read(d.as_bytes()).unwrap());
    // An IAM that looks at the boundary agrees; one that does not is found out.
    for (bounded, expected) in [(true, 0), (false, 1)] {
        let (policy, limit) = (policy.clone(), limit.clone());
        let account = iam(
            move |action, resource| {
                use policyc::prove::evaluate::{ArnReading, Request, Value::One, evaluate_within};
                let context = [("aws:requestedregion".to_owned(), One("us-east-1".to_owned()))].into();
                let request = Request { action: action.to_owned(), resource: resource.to_owned(), context };
                let limit = Some(&limit).filter(|_| bounded);
                evaluate_within(std::slice::from_ref(&policy), limit, &request, ArnReading::Whole).is_allowed()
            },
            1000,
            false,
        );
        let (code, out, told) = run(&account);
        assert_eq!(code, expected, "{out}{told}");
        assert!(told.contains(" needs that the permissions boundary forbids and "), "{told}");
        assert_eq!(told.contains("decides all of them as policyc does"), bounded, "{told}");
        assert_eq!(out.contains("s3:PutObject") && out.contains("which the permissions boundary forbids"), !bounded, "{out}");
    }
}

#[test]
fn an_answer_that_lacks_a_request_and_a_refusal_are_errors() {
    let check = |answer: fn(&str) -> Response, expected: &str| {
        let account = FakeAccount::start(move |name, _| (name == "SimulateCustomPolicy").then(|| answer(name)));
        let home = demo();
        let (code, _, told) = derive(&account, home.path());
        assert!(code == 4 && told.contains(expected), "{code} {told}");
        assert!(!home.path().join("policy.json").exists());
    };
    let empty = |name: &str| result(name, "<EvaluationResults></EvaluationResults><IsTruncated>false</IsTruncated>");
    check(empty, "IAM's simulation says nothing of ");
    check(|_| refusal(403, "AccessDenied", "no"), "it needs the permission iam:SimulateCustomPolicy");
    check(|_| refusal(400, "InvalidInput", "Invalid ARN"), "IAM did not simulate the policy in 1 tries: InvalidInput");
}

/// What `policyc permissions` prints is what was asked, and nothing else.
#[test]
fn its_permission_is_the_one_that_is_printed() {
    let (account, home) = (iam(|_, _| false, 1000, false), demo());
    derive(&account, home.path());
    needs(&account, home.path(), &["derive", "--from", "records", "--simulate"]);
}

/// A caller whose policy is this one.
const CALLER: &str = r#"
import boto3, json, sys
client = lambda name: boto3.client(name, region_name="us-east-1", endpoint_url=sys.argv[1], aws_access_key_id="root", aws_secret_access_key="root")
trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}
role = client("iam").create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
client("iam").put_role_policy(RoleName="reader", PolicyName="policyc", PolicyDocument=sys.argv[2])
print(json.dumps(client("sts").assume_role(RoleArn=role, RoleSessionName="somebody")["Credentials"], default=str))
"#;

/// Where IAM is enforced, the printed policy is enough, and without it the permission that is missing is named.
#[test]
fn the_printed_policy_is_enough() {
    let home = demo();
    let printed = said(&bare(home.path(), &["permissions", "derive", "--from", "records", "--simulate"]).output().unwrap()).1;
    let nothing = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}"#;
    for (policy, expected) in [
        (printed.as_str(), (0, "decides all of them as policyc does")),
        (nothing, (4, "it needs the permission iam:SimulateCustomPolicy")),
    ] {
        let ministack = Ministack::enforcing();
        let mut made = Command::new(python::ministack());
        let text = python::run(made.args(["-c", CALLER, &ministack.url, policy]));
        let credentials: Value = serde_json::from_str(&text).unwrap();
        let mut command = policyc(home.path(), &ministack.url, &DERIVE);
        for (key, name) in [
            ("AccessKeyId", "AWS_ACCESS_KEY_ID"),
            ("SecretAccessKey", "AWS_SECRET_ACCESS_KEY"),
            ("SessionToken", "AWS_SESSION_TOKEN"),
        ] {
            command.env(name, credentials[key].as_str().unwrap());
        }
        let (code, _, told) = said(&command.output().unwrap());
        assert!(code == expected.0 && told.contains(expected.1), "{code} {told}");
    }
}

/// Nobody's calls are asked about but those that decide, and the context is what the records give.
#[test]
fn what_is_asked_is_what_is_needed_and_what_went() {
    let (account, home) = (iam(|_, _| false, 1000, false), demo());
    derive(&account, home.path());
    let mut actions = BTreeSet::new();
    for request in account.asked().iter().filter(|r| operation(r) == "SimulateCustomPolicy") {
        let given = parameters(request);
        let keys: Vec<&str> = given.iter().filter(|(k, _)| k.ends_with(".ContextKeyName")).map(|(_, v)| v.as_str()).collect();
        assert!(keys.contains(&"aws:requestedregion"), "{given:?}");
        actions.extend(given.iter().filter(|(k, _)| k.starts_with("ActionNames.")).map(|(_, v)| v.clone()));
    }
    let baseline: Value =
        serde_json::from_slice(&fs::read(home.path().join("policies/AmazonEC2RoleforSSM.json")).unwrap()).unwrap();
    let named = |s: &Value| s["Action"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let named: BTreeSet<String> = baseline["Statement"].as_array().unwrap().iter().flat_map(named).collect();
    assert_eq!(json!(actions), json!(named), "every action of the baseline is needed or went");
}
