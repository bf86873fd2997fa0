//! What policyc says it needs is what it really asked for: every request of a run is written down on its way and compared with the
//! policy that `policyc permissions` prints for that command.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex};

use policyc::prove::document::Document;
use policyc::prove::evaluate::{ArnReading, Request as Question, evaluate};
use serde_json::Value;

use crate::account::{Account, done};
use crate::faults::Proxy;
use crate::fleet;
use crate::lookup_server::http::{Request, plain};
use crate::lookup_server::{Behaviour, LookupServer};

const ACCOUNT: &str = "111122223333";

/// A request: the service, the operation, and the resource that it is about; `*` where it is about none.
type Asked = (String, String, String);

/// A proxy that writes down what is asked.
struct Ear {
    proxy: Proxy,
    heard: Arc<Mutex<BTreeSet<Asked>>>,
}

impl Ear {
    fn before(url: &str) -> Self {
        let heard: Arc<Mutex<BTreeSet<Asked>>> = Arc::default();
        let write = heard.clone();
        let proxy = Proxy::start(url, move |_, request| {
            write.lock().unwrap().insert(asked(request));
            None
        });
        Self { proxy, heard }
    }

    fn heard(&self) -> BTreeSet<Asked> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

fn asked(request: &Request) -> Asked {
    let scope = request.header("authorization").split("Credential=").nth(1).unwrap_or_default();
    let service = scope.split('/').nth(3).unwrap_or_default().to_owned();
    if service == "ec2" {
        // Our own client's: what it signs has to be what is sent, and emulators check no signature.
        let signed = request.header("authorization").split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
        assert_eq!((request.path.as_str(), signed), ("/", "content-type;host;x-amz-date"), "{:?}", request.headers);
    }
    if let Some((_, operation)) = request.header("x-amz-target").rsplit_once('.') {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let trail = body["TrailName"].as_str().or(body["Name"].as_str()).unwrap_or("*");
        return (service, operation.to_owned(), trail.to_owned());
    }
    if service == "s3" {
        let path = plain(request.path.split('?').next().unwrap());
        let name = path.trim_matches('/');
        let operation = match (request.method.as_str(), name.contains('/')) {
            ("HEAD", false) => "HeadBucket",
            ("GET", false) if request.path.contains("list-type=2") => "ListObjectsV2",
            ("GET", true) => "GetObject",
            _ => panic!("{} {}", request.method, request.path),
        };
        return (service, operation.to_owned(), format!("arn:aws:s3:::{name}"));
    }
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let given: BTreeMap<String, String> =
        text.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (plain(k), plain(v))).collect();
    let resource = given.iter().find_map(|(key, value)| {
        Some(match key.as_str() {
            "RoleName" => format!("arn:aws:iam::{ACCOUNT}:role/{value}"),
            "InstanceProfileName" => format!("arn:aws:iam::{ACCOUNT}:instance-profile/{value}"),
            "PolicyArn" | "StackName" if value.starts_with("arn:") => value.clone(),
            "StackName" => format!("arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{value}/id"),
            _ => return None,
        })
    });
    (service, given["Action"].clone(), resource.unwrap_or_else(|| "*".to_owned()))
}

/// What the allowlist says of an operation: its permissions and what it is for.
fn operation(name: &str) -> (Vec<String>, Vec<String>) {
    let list: Value = serde_json::from_str(include_str!("../../src/catalog/data/operations.json")).unwrap();
    let texts = |value: &Value| value.as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()).collect();
    let all = list["operations"].as_array().unwrap();
    let found = all.iter().find(|o| o["operation"] == name).unwrap_or_else(|| panic!("`{name}` is not on the list"));
    (texts(&found["permissions"]), texts(&found["for"]))
}

fn printed(args: &[&str]) -> (Vec<u8>, BTreeSet<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_policyc"));
    let output = done({
        command.arg("permissions").args(args);
        command
    });
    let policy: Value = serde_json::from_slice(&output.stdout).unwrap();
    let actions = policy["Statement"].as_array().unwrap().iter().flat_map(|s| s["Action"].as_array().unwrap());
    let actions = actions.map(|a| a.as_str().unwrap().to_owned()).collect();
    (output.stdout, actions)
}

/// Checks a run against the policy for it; gives the permissions that it needed.
#[track_caller]
fn check(heard: &BTreeSet<Asked>, permissions: &[&str]) -> BTreeSet<String> {
    let place = ["--account", ACCOUNT, "--region", "us-east-1"];
    let args: Vec<&str> = permissions.iter().chain(&place).copied().collect();
    let (policy, actions) = printed(&args);
    let document = [Document::read(&policy).unwrap()];
    let mut needed = BTreeSet::new();
    for (service, name, resource) in heard {
        let (actions, _) = operation(name);
        for action in actions {
            assert_eq!(action.split(':').next().unwrap(), service, "{name}");
            let question = Question { action: action.to_lowercase(), resource: resource.clone(), context: BTreeMap::new() };
            let allowed = evaluate(&document, &question, ArnReading::Segmented).is_allowed();
            assert!(allowed, "{permissions:?}: {name} needs {action} on {resource}\n{}", String::from_utf8_lossy(&policy));
            needed.insert(action);
        }
    }
    // What a stack is made of decides what is asked to describe it; everything else is asked, whatever the stack.
    let list: Value = serde_json::from_str(include_str!("../../src/catalog/data/operations.json")).unwrap();
    let describing = list["operations"].as_array().unwrap().iter().filter(|o| o["for"][0] == "discover");
    let describing: BTreeSet<&str> = describing.map(|o| o["permissions"][0].as_str().unwrap()).collect();
    let unused: Vec<&String> = actions.difference(&needed).filter(|a| !describing.contains(a.as_str())).collect();
    assert_eq!(unused, Vec::<&String>::new(), "{permissions:?} has what was not needed");
    needed
}

#[test]
fn what_is_printed_is_what_is_asked() {
    let mut needed = BTreeSet::new();
    let account = Account::with_demo();
    account.upload("trail");
    let ear = Ear::before(account.url());
    let run = |args: &[&str]| {
        let mut command = account.policyc(args);
        command.env("AWS_ENDPOINT_URL", ear.proxy.url());
        done(command);
        ear.heard()
    };
    let file = account.configure("attached", "stack.json", "demo.ledger", "attached");
    let config = file.to_str().unwrap();
    let both = ["--stack", "ssm-demo", "--stack", "ssm-demo-privatelink"];
    let with = |first: &[&'static str], rest: &[&'static str]| first.iter().chain(rest).copied().collect::<Vec<_>>();
    let heard = run(&["record", "--stack", "demo", "--from", "trail", "--config", config]);
    needed.extend(check(&heard, &with(&["record", "--from", "trail", "--bucket", "s3://trail"], &both)));
    let heard = run(&["record", "--stack", "demo", "--from", "s3://trail", "--config", config]);
    needed.extend(check(&heard, &with(&["record", "--from", "s3://trail"], &both)));
    for from in ["trail", "s3://trail"] {
        let heard = run(&["derive", "--stack", "ssm-demo", "--from", from, "--out", "out"]);
        needed.extend(check(&heard, &["derive", "--stack", "ssm-demo", "--from", from, "--bucket", "s3://trail"]));
    }
    let heard = run(&["coverage", "--from", "trail"]);
    needed.extend(check(&heard, &["coverage"]));
    let heard = run(&["coverage", "--stack", "ssm-demo"]);
    needed.extend(check(&heard, &["coverage", "--stack", "ssm-demo"]));

    // Launch templates and instances that are gone, from event history.
    let account = Account::with_fleet(fleet::names);
    let now = jiff::Timestamp::now().as_second();
    let server = LookupServer::start(&fleet::with_others(&account), Behaviour { now, rate: 3, ..Behaviour::default() });
    let (ear, trail) = (Ear::before(account.url()), Ear::before(&server.url()));
    fleet::configure(&account);
    let derive = ["derive", "--stack", "fleet", "--config", "none.toml", "--out", "out", "--cache", "pages"];
    for (command, args) in [("record", &["record", "--stack", "fleet"][..]), ("derive", &derive)] {
        let mut run = account.policyc(args);
        run.env("AWS_ENDPOINT_URL", ear.proxy.url()).env("AWS_ENDPOINT_URL_CLOUDTRAIL", trail.proxy.url());
        done(run);
        let heard = ear.heard().union(&trail.heard()).cloned().collect();
        needed.extend(check(&heard, &[command, "--stack", "fleet"]));
    }

    // The other way round: nothing is on the list that nobody needs. IAM's opinions are asked for in `tests/account`.
    let opinions = ["iam:GenerateServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails", "iam:SimulateCustomPolicy"];
    let list: Value = serde_json::from_str(include_str!("../../src/catalog/data/operations.json")).unwrap();
    let all = list["operations"].as_array().unwrap().iter().flat_map(|o| operation(o["operation"].as_str().unwrap()).0);
    let idle: BTreeSet<String> = all.filter(|p| !needed.contains(p) && !opinions.contains(&p.as_str())).collect();
    assert_eq!(idle, BTreeSet::new());
}

#[test]
fn a_live_stack_has_the_coverage_of_its_trail() {
    let account = Account::with_demo();
    account.upload("trail");
    let output = account.run(&["coverage", "--stack", "ssm-demo", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["baseline"], "AmazonEC2RoleforSSM");
    assert_eq!(report["trail"]["arn"], format!("arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main"));
    let blind: Vec<&str> = report["blind"].as_array().unwrap().iter().map(|b| b["action"].as_str().unwrap()).collect();
    assert!(!blind.contains(&"s3:GetObject") && blind.contains(&"ssmmessages:CreateControlChannel"), "{blind:?}");
    // New selectors log the calls of both roles of the stack and of nobody else.
    let text = String::from_utf8(account.run(&["coverage", "--stack", "ssm-demo"]).stdout).unwrap();
    for id in ["NatInstanceRole", "PublicInstanceRole"] {
        let role = account.role("ssm-demo", id)["name"].as_str().unwrap().to_owned();
        assert!(text.contains(&format!("\"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/\"")), "{text}");
    }
    let output = account.policyc(&["coverage", "--stack", "nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}
