//! When a role last used what: it explains what is blind, and changes nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::asked::{ACCOUNT, FakeAccount, SESSION, needs, operation, parameters, policyc, refusal, result, said};
use crate::http::{Request, Response};
use crate::python;
use crate::records::{ROLE, demo};

const ARGUMENTS: [&str; 4] = ["--trail", "cfn/recording/AWSLogs", "--role", ROLE];

const JOB: &str = "examplee-1275-4b37-bbf2-b5d8b5f4a5e5";

fn days_ago(days: i64) -> String {
    let at = jiff::Timestamp::now().as_second() - days * 86_400 - 60;
    jiff::Timestamp::from_second(at).unwrap().to_string()
}

fn service(namespace: &str, name: &str, at: Option<i64>, tracked: &str) -> String {
    let used = at.map(|days| format!("<LastAuthenticated>{}</LastAuthenticated><LastAuthenticatedEntity>arn:aws:iam::{ACCOUNT}:role/{ROLE}</LastAuthenticatedEntity><LastAuthenticatedRegion>us-east-1</LastAuthenticatedRegion><TotalAuthenticatedEntities>1</TotalAuthenticatedEntities>", days_ago(days)));
    let used = used.unwrap_or_else(|| "<TotalAuthenticatedEntities>0</TotalAuthenticatedEntities>".to_owned());
    format!("<member><ServiceName>{name}</ServiceName><ServiceNamespace>{namespace}</ServiceNamespace>{used}{tracked}</member>")
}

/// IAM: the report is there at the third request, in two pages.
fn iam(job: &str) -> impl Fn(&str, &Request) -> Option<Response> + Send + Sync + 'static + use<> {
    let (asked, job) = (AtomicUsize::new(0), job.to_owned());
    let times = format!("<JobCreationDate>{0}</JobCreationDate><JobCompletionDate>{0}</JobCompletionDate>", days_ago(0));
    move |name, request| match name {
        "GenerateServiceLastAccessedDetails" => {
            let given = parameters(request);
            assert_eq!(given["Granularity"], "ACTION_LEVEL");
            assert_eq!(given["Arn"], format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"));
            Some(result(name, &format!("<JobId>{JOB}</JobId>")))
        }
        "GetServiceLastAccessedDetails" => {
            let given = parameters(request);
            assert_eq!(given["JobId"], JOB);
            let status = |status: &str, body: &str| result(name, &format!("<JobStatus>{status}</JobStatus>{times}{body}"));
            let nothing = "<ServicesLastAccessed></ServicesLastAccessed>";
            if asked.fetch_add(1, Ordering::Relaxed) < 2 {
                return Some(status("IN_PROGRESS", nothing));
            }
            if job == "FAILED" {
                let message = format!("arn:aws:sts::{ACCOUNT}:assumed-role/Reader/{SESSION} went away");
                return Some(status(&job, &format!("{nothing}<Error><Message>{message}</Message><Code>X</Code></Error>")));
            }
            Some(if given.contains_key("Marker") {
                assert_eq!(given["Marker"], "second");
                let rows = service("cloudwatch", "Amazon CloudWatch", None, "");
                status(
                    "COMPLETED",
                    &format!("<ServicesLastAccessed>{rows}</ServicesLastAccessed><IsTruncated>false</IsTruncated>"),
                )
            } else {
                let tracked = format!(
                    "<TrackedActionsLastAccessed><member><ActionName>GetManifest</ActionName><LastAccessedTime>{}</LastAccessedTime></member></TrackedActionsLastAccessed>",
                    days_ago(1)
                );
                let rows = service("ssm", "AWS Systems Manager", Some(3), &tracked)
                    + &service("ec2messages", "Amazon Message Delivery Service", None, "");
                status(
                    "COMPLETED",
                    &format!(
                        "<ServicesLastAccessed>{rows}</ServicesLastAccessed><IsTruncated>true</IsTruncated><Marker>second</Marker>"
                    ),
                )
            })
        }
        _ => None,
    }
}

fn run(home: &Path, url: &str, command: &str, further: &[&str]) -> (i32, String, String) {
    let all: Vec<&str> = command.split(' ').chain(ARGUMENTS).chain(further.iter().copied()).collect();
    said(&policyc(home, url, &all).output().unwrap())
}

#[test]
fn blind_actions_are_explained_and_nothing_else_changes() {
    let derive = |url: &str, further: &[&str]| -> (Value, Vec<u8>) {
        let home = demo();
        let all: Vec<&str> = ["--out", "policy.json", "--report", "report.json"].iter().chain(further).copied().collect();
        let (code, _, told) = run(home.path(), url, "derive", &all);
        assert_eq!(code, 0, "{told}");
        let read = |name: &str| fs::read(home.path().join(name)).unwrap();
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json");
        let check =
            "import json, sys, jsonschema\njsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))";
        python::run(Command::new(python::python()).args(["-c", check]).arg(schema).arg(home.path().join("report.json")));
        (serde_json::from_slice(&read("report.json")).unwrap(), read("policy.json"))
    };
    let account = FakeAccount::start(iam("COMPLETED"));
    let (mut asked, with) = derive(&account.url(), &["--last-accessed"]);
    let (plain, without) = derive("http://127.0.0.1:9", &[]);
    assert_eq!(with, without);
    needs(&account, demo().path(), &["derive", "--from", "records", "--last-accessed", "--account", ACCOUNT]);
    let polls = account.asked().iter().filter(|r| operation(r) == "GetServiceLastAccessedDetails").count();
    assert_eq!(polls, 4, "twice in progress, then two pages");

    let rows = asked["actions"].as_array_mut().unwrap();
    let said: Vec<String> = rows
        .iter()
        .filter_map(|r| Some(format!("{}: {}", r["verdict"].as_str()?, r["last_accessed"]["says"].as_str()?)))
        .collect();
    assert!(
        said.contains(&"blind: AWS Systems Manager was last used 3 days ago, actions and resources unknown".to_owned()),
        "{said:?}"
    );
    assert!(said.contains(&"blind: ssm:GetManifest was last used a day ago, resources unknown".to_owned()), "{said:?}");
    assert!(
        said.contains(
            &"blind: Amazon Message Delivery Service was not used in the 400 days that IAM looks back at most".to_owned()
        ),
        "{said:?}"
    );
    assert!(said.iter().all(|one| one.starts_with("blind: ")), "{said:?}");
    // Without what is said, the reports are the same: verdicts, findings, policy.
    for row in rows {
        row.as_object_mut().unwrap().remove("last_accessed");
    }
    let findings = asked["findings"].as_array_mut().unwrap();
    let before = findings.len();
    findings.retain(|f| f["code"] != "last-accessed");
    assert_eq!(findings.len() + 1, before);
    assert!(asked == plain, "the reports differ in more than what IAM said");
}

#[test]
fn people_see_it_in_every_form() {
    let home = demo();
    let account = || FakeAccount::start(iam("COMPLETED"));
    for format in ["text", "markdown", "html"] {
        let (code, out, told) = run(home.path(), &account().url(), "report", &["--last-accessed", "--format", format]);
        assert_eq!(code, 0, "{told}");
        assert!(out.contains("AWS Systems Manager was last used 3 days ago"), "{format}: {out}");
        let plain = run(home.path(), "http://127.0.0.1:9", "report", &["--format", format]).1;
        assert!(!plain.contains("was last used"), "{format}");
    }
    let (code, out, _) = run(home.path(), &account().url(), "explain ssm:PutConfigurePackageResult", &["--last-accessed"]);
    assert_eq!(code, 1, "{out}");
    let shown = "  last accessed, as IAM says; denied attempts and every session count\n    AWS Systems Manager was last used 3 days ago, actions and resources unknown\n";
    assert!(out.contains(shown), "{out}");
}

#[test]
fn what_goes_wrong_says_how_to_get_on() {
    let check = |account: FakeAccount, expected: (i32, &str)| {
        let home = demo();
        let (code, _, told) = run(home.path(), &account.url(), "derive", &["--last-accessed", "--out", "policy.json"]);
        assert!(code == expected.0 && told.contains(expected.1), "{code} {told}");
        assert!(!home.path().join("policy.json").exists());
    };
    check(
        FakeAccount::start(iam("FAILED")),
        (4, "was last used failed: arn:aws:sts::111122223333:assumed-role/Reader/… went away"),
    );
    for name in ["GenerateServiceLastAccessedDetails", "GetServiceLastAccessedDetails"] {
        let usual = iam("COMPLETED");
        let refused = move |asked: &str, request: &Request| {
            if asked == name { Some(refusal(403, "AccessDenied", "no")) } else { usual(asked, request) }
        };
        let expected = format!("it needs the permission iam:{name}");
        check(FakeAccount::start(refused), (4, &expected));
    }
    let gone = |name: &str, _: &Request| name.starts_with("Generate").then(|| refusal(404, "NoSuchEntity", "ARN not found"));
    check(FakeAccount::start(gone), (4, "NoSuchEntity: ARN not found"));
    let other = |name: &str, _: &Request| {
        (name == "GetCallerIdentity").then(|| {
            result(name, "<Arn>arn:aws:sts::444455556666:assumed-role/R/s</Arn><UserId>u</UserId><Account>444455556666</Account>")
        })
    };
    check(FakeAccount::start(other), (2, "the credentials are of the account 444455556666, and the role is of 111122223333"));
}
