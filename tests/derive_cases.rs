//! What a few calls come to: names that change from day to day, floors, and places that calls came from.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/asked.rs"]
mod asked;

use std::collections::BTreeSet;

use policyc::catalog::{Catalog, baselines};
use policyc::derive::{Derivation, derive};
use policyc::finding::Code;
use policyc::iam::{Action, Pattern};
use policyc::ledger::{Ledger, Origin, Session, Use};

use crate::asked::{ACCOUNT, INSTANCE, ledger, question, sample};

const OTHER: &str = "i-0fedcba9876543210";

fn used(action: &str, resource: &str) -> Use {
    let resource = if resource == "*" { Pattern::any() } else { Pattern::literal(resource) };
    Use { action: Action::parse(action).unwrap(), resource, ..sample() }
}

fn by_agent(action: &str, resource: &str) -> Use {
    Use { by_agent: true, ..used(action, resource) }
}

fn heartbeat() -> Use {
    by_agent("ssm:UpdateInstanceInformation", &format!("arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/{INSTANCE}"))
}

fn derived(ledger: &Ledger) -> Derivation {
    derive(&question(baselines::find("AmazonEC2RoleforSSM").unwrap().document), ledger, Catalog::embedded())
}

/// The resources on which an action is granted.
fn granted(derivation: &Derivation, action: &str) -> BTreeSet<String> {
    let own = derivation.grants.iter().filter(|g| g.action.as_str() == action);
    own.map(|g| g.resource.to_string()).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Ids of instances are left open before folders are looked for.
#[test]
fn names_with_instances_in_them_share_folders() {
    let check = |names: &[&str], expected: &[&str]| {
        let uses: Vec<Use> = names.iter().map(|name| used("s3:PutObject", &format!("arn:aws:s3:::b/{name}"))).collect();
        let expected: Vec<String> = expected.iter().map(|name| format!("arn:aws:s3:::b/{name}")).collect();
        assert_eq!(granted(&derived(&ledger(&uses)), "s3:PutObject"), expected.into_iter().collect(), "{names:?}");
    };
    let own = |rest: &str| rest.replace("ID", INSTANCE);
    check(&[&own("logs/ID/out.log")], &["logs/i-*/out.log"]);
    check(&[&own("logs/ID/2026-09-01.log"), &own("logs/ID/2026-09-02.log")], &["logs/i-*/*"]);
    check(&[&own("logs/2026-09-01/ID.log"), &own("logs/2026-09-02/ID.log")], &["logs/*"]);
    check(&[&own("ID/a.log"), &own("ID/b.log")], &["i-*/a.log", "i-*/b.log"]);
    check(&["logs/i-other/a", "logs/i-other/b"], &["logs/i-other/a", "logs/i-other/b"]);
}

/// Where the folder is wider than the baseline, what both share is granted.
#[test]
fn a_folder_stays_inside_the_baseline() {
    let check = |action: &str, resources: &[&str], baseline: &str, expected: &[&str]| {
        let document =
            format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"{baseline}"}}}}"#);
        let uses: Vec<Use> = resources.iter().map(|resource| used(action, resource)).collect();
        let derivation = derive(&question(document.as_bytes()), &ledger(&uses), Catalog::embedded());
        assert_eq!(granted(&derivation, action), set(expected), "{baseline}");
    };
    let days = ["arn:aws:s3:::b/logs/app-2026-09-01", "arn:aws:s3:::b/logs/app-2026-09-02"];
    check("s3:PutObject", &days, "arn:aws:s3:::b/logs/app-*", &["arn:aws:s3:::b/logs/app-*"]);
    check("s3:PutObject", &days, "arn:aws:s3:::b/*", &["arn:aws:s3:::b/logs/*"]);
    check("s3:PutObject", &["arn:aws:s3:::b/x/1.gz", "arn:aws:s3:::b/x/2.gz"], "arn:aws:s3:::b/*.gz", &["arn:aws:s3:::b/x/*.gz"]);
    let own = format!("arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/{INSTANCE}");
    let any = format!("arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-*");
    check("ssm:UpdateInstanceInformation", &[&own], "arn:aws:ec2:*:*:instance/i-*", &[&any]);
}

/// The next association has another id.
#[test]
fn associations_are_one_series() {
    let of = |ids: &[&str]| -> BTreeSet<String> {
        let arn = |id: &&str| format!("arn:aws:ssm:eu-west-1:{ACCOUNT}:association/{id}");
        let uses: Vec<Use> = ids.iter().map(|id| by_agent("ssm:UpdateInstanceAssociationStatus", &arn(id))).collect();
        granted(&derived(&ledger(&uses)), "ssm:UpdateInstanceAssociationStatus")
    };
    let (one, two) = ("56f0c4a1-7d2e-4b93-a8c5-0e9d13b7f642", "99a0b4f1-7d2e-4b93-a8c5-0e9d13b7f642");
    let lead = format!("arn:aws:ssm:eu-west-1:{ACCOUNT}:association");
    assert!(of(&[one]).contains(&format!("{lead}/{one}")));
    assert!(of(&[one, two]).contains(&format!("{lead}/????????-????-????-????-????????????")));
}

/// A log stream is written to where it was made, and by the next instance too.
#[test]
fn log_events_go_where_the_stream_is() {
    let stream = |group: &str| format!("arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}:log-stream:s");
    let uses = [
        heartbeat(),
        used("logs:CreateLogStream", &stream("/app")),
        used("logs:CreateLogStream", &stream(&format!("/ec2/{INSTANCE}"))),
    ];
    let derivation = derived(&ledger(&uses));
    let lead = format!("arn:aws:logs:us-east-1:{ACCOUNT}:log-group:");
    let expected: BTreeSet<String> =
        ["/app:log-stream:*", "/ec2/i-*:log-stream:*"].iter().map(|rest| format!("{lead}{rest}")).collect();
    assert_eq!(granted(&derivation, "logs:CreateLogStream"), expected);
    assert_eq!(granted(&derivation, "logs:PutLogEvents"), expected);
}

/// Output of a command that nobody was seen to send.
#[test]
fn output_names_its_own_prefix() {
    let key = format!("out/0f0e5a52-9c1c-4d7c-8f3a-1b2c3d4e5f60/{INSTANCE}/awsrunShellScript/0.awsrunShellScript/stdout");
    let put = by_agent("s3:PutObject", &format!("arn:aws:s3:::logs/{key}"));
    let checked = by_agent("s3:GetEncryptionConfiguration", "arn:aws:s3:::logs");
    let derivation = derived(&ledger(&[heartbeat(), put.clone(), checked]));
    assert!(granted(&derivation, "s3:PutObject").contains("arn:aws:s3:::logs/out/*"), "{:?}", derivation.policy.to_json());
    assert!(derivation.features.contains_key("command-output-s3"));
    assert!(!derivation.features.contains_key("session-log-s3"), "it is no log of a session: {:?}", derivation.features);
    let of_a_program = Use { by_agent: false, ..put };
    assert!(!derived(&ledger(&[heartbeat(), of_a_program])).features.contains_key("command-output-s3"));
}

/// No session's log without a session.
#[test]
fn logs_of_sessions_need_the_channels_of_sessions() {
    let log = by_agent("s3:PutObject", "arn:aws:s3:::logs/sessions/alice-0123456789abcdef1.log");
    let derivation = derived(&ledger(&[heartbeat(), log]));
    assert_eq!(granted(&derivation, "ssmmessages:CreateDataChannel"), set(&["*"]));
    assert_eq!(granted(&derivation, "ssmmessages:OpenDataChannel"), set(&["*"]));
}

/// An instance whose agent never reported: where its calls came from is not known, and that is no error.
#[test]
fn an_instance_without_an_agent_is_not_judged() {
    let check = |origin: &str, note: bool| {
        let stranger = Session { name: OTHER.to_owned(), ..sample().session };
        let origin = Origin::Address(origin.to_owned());
        let call = Use { session: stranger, origin, ..used("s3:PutObject", "arn:aws:s3:::b/k") };
        let derivation = derived(&ledger(&[heartbeat(), call]));
        assert_eq!(granted(&derivation, "s3:PutObject"), set(&["arn:aws:s3:::b/k"]), "{:?}", derivation.findings);
        assert!(!derivation.refused(), "{:?}", derivation.findings);
        let told = derivation.findings.iter().find(|f| f.code == Code::OriginUnjudged);
        assert_eq!(told.is_some_and(|f| f.message.contains(OTHER)), note, "{:?}", derivation.findings);
    };
    check("203.0.113.7", false); // where the other one reports from
    check("203.0.113.99", true);
}
