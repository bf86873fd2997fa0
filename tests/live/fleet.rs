//! An Auto Scaling group: instances that are nobody's resource, that are beside the stack, that are gone.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::account::{Account, done, records, root};
use crate::lookup_server::{Behaviour, LookupServer};

/// An instance that only the trail knows.
const GONE: &str = "i-0fedcba9876543210";

/// The demo's three roles are the one of the fleet, and its instances those of the group and one beside it.
pub(crate) fn names(deployed: &Value) -> Vec<(String, String)> {
    let before: Value = serde_json::from_slice(&fs::read(root().join("cfn/recording/stack.json")).unwrap()).unwrap();
    let roles = before["stacks"].as_object().unwrap().values().flat_map(|s| s["roles"].as_object().unwrap().values());
    let ids = [&deployed["group"][0], &deployed["group"][1], &deployed["beside"]];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |(role, id): (&Value, &Value)| {
        [(text(&role["name"]), text(&deployed["resources"]["Role"])), (text(&role["instances"][0]), text(id))]
    };
    roles.zip(ids).flat_map(of).collect()
}

/// The records, and with them the third instance of the group and one that is gone.
pub(crate) fn with_others(account: &Account) -> Vec<Value> {
    let first = account.deployed["group"][0].as_str().unwrap();
    let mut all = records(account);
    let theirs: Vec<String> = all.iter().map(Value::to_string).filter(|text| text.contains(first)).collect();
    for (n, id) in [account.deployed["group"][2].as_str().unwrap(), GONE].into_iter().enumerate() {
        let of_other = |text: &String| {
            let mut record: Value = serde_json::from_str(&text.replace(first, id)).unwrap();
            record["eventID"] = format!("{n}-{}", record["eventID"].as_str().unwrap()).into();
            record
        };
        all.extend(theirs.iter().map(of_other));
    }
    all
}

pub(crate) fn configure(account: &Account) -> std::path::PathBuf {
    let text = "[stack.fleet]\ndescription = \"fleet.json\"\ntrail = [\"fleet.ledger\"]\nbaseline = \"attached\"\n\
                [[stack.fleet.role]]\nstack = \"fleet\"\nlogical-id = \"Role\"\npolicy = \"role.json\"\n";
    let file = account.home.path().join("policyc.toml");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn everything_that_runs_with_the_role_is_found() {
    let account = Account::with_fleet(names);
    let now = jiff::Timestamp::now().as_second();
    let server = LookupServer::start(&with_others(&account), Behaviour { now, rate: 3, ..Behaviour::default() });
    configure(&account);
    let mut command = account.policyc(&["record", "--stack", "fleet"]);
    done({
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url());
        command
    });
    let found: Value = serde_json::from_slice(&fs::read(account.home.path().join("fleet.json")).unwrap()).unwrap();
    let role = &found["stacks"]["fleet"]["roles"]["Role"];
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let mut expected: BTreeSet<String> = account.deployed["group"].as_array().unwrap().iter().map(text).collect();
    expected.extend([text(&account.deployed["beside"]), GONE.to_owned()]);
    assert_eq!(role["instances"].as_array().unwrap().iter().map(text).collect::<BTreeSet<_>>(), expected);
    let inner = account.deployed["resources"]["Inner"].as_str().unwrap();
    assert_eq!(found["stacks"][inner]["resources"], account.deployed["inner"], "nested stacks: {found:#}");
    assert_eq!(found["stacks"]["fleet"]["parameters"], json!({"Stage": "live"}), "only what somebody chose");
    assert_eq!(role["boundary"]["arn"], account.deployed["boundary"]);
    assert_eq!(role["boundary"]["document"]["Statement"][0]["Action"], json!(["ssm:*", "s3:*"]));
    let policies = role["policies"].as_array().unwrap();
    let all: Vec<_> = policies.iter().map(|p| (text(&p["name"]), text(&p["treatment"]))).collect();
    let named = |name: &str, treatment: &str| (name.to_owned(), treatment.to_owned());
    let [first, second] = ["AmazonSSMManagedInstanceCore", "AmazonEC2RoleforSSM"].map(|name| named(name, "replaced"));
    assert_eq!(all, [first, second, named("own", "kept")]);
    assert_eq!(policies[2]["document"]["Statement"][0]["Action"], "ssm:PutInventory");

    let report = account.home.path().join("report.json");
    account.run(&["derive", "--stack", "fleet", "--report", report.to_str().unwrap()]);
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let report = &report["Role"];
    assert_eq!(report["baseline"]["name"], "AmazonSSMManagedInstanceCore + AmazonEC2RoleforSSM");
    assert_eq!(report["proof"]["within_baseline"], "proved");
    let codes: Vec<String> = report["findings"].as_array().unwrap().iter().map(|f| text(&f["code"])).collect();
    assert!(codes.contains(&"kept-policies".to_owned()), "{codes:?}");
    // The boundary that the role has, `ssm:*` and `s3:*`, comes with the recording.
    let boundary = account.deployed["boundary"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(report["boundary"]["name"], boundary.as_str());
    let forbids = format!("the permissions boundary `{boundary}` forbids this: no statement of it allows it");
    let says = |code: &str, action: &str| {
        let mut own = report["findings"].as_array().unwrap().iter().filter(|f| f["code"] == code).map(|f| text(&f["message"]));
        assert!(own.any(|m| m.contains(action) && m.contains(&forbids)), "{code} {action}: {codes:?}");
    };
    says("seen-but-forbidden", "`logs:");
    says("floor-forbidden", "`ssmmessages:OpenDataChannel`");
    let passed = report["forbidden"].as_array().unwrap();
    assert!(
        passed.iter().all(|row| !text(&row["action"]).starts_with("ssm:") && !text(&row["action"]).starts_with("s3:")),
        "{passed:?}"
    );
    let policy = fs::read_to_string(account.home.path().join("role.json")).unwrap();
    assert!(policy.contains("ssmmessages:OpenDataChannel"), "the boundary changes no policy: {policy}");
    assert!(!policy.contains("PutInventory"), "what is kept is not granted twice: {policy}");
}

#[test]
fn what_is_replaced_and_what_stays_can_be_said() {
    let account = Account::with_fleet(names);
    let now = jiff::Timestamp::now().as_second();
    let server = LookupServer::start(&with_others(&account), Behaviour { now, rate: 3, ..Behaviour::default() });
    let baseline = |more: &[&str]| {
        let mut command = account.policyc(&[&["derive", "--stack", "fleet", "--report", "report.json"], more].concat());
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url());
        done(command);
        let report: Value = serde_json::from_slice(&fs::read(account.home.path().join("report.json")).unwrap()).unwrap();
        report["Role"]["baseline"]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(baseline(&["--keep", "AmazonSSMManagedInstanceCore"]), "AmazonEC2RoleforSSM");
    assert_eq!(baseline(&["--baseline", "AmazonSSMManagedInstanceCore"]), "AmazonSSMManagedInstanceCore");
    let boundary = || -> Value {
        let report: Value = serde_json::from_slice(&fs::read(account.home.path().join("report.json")).unwrap()).unwrap();
        report["Role"]["boundary"]["name"].clone()
    };
    assert_eq!(boundary(), account.deployed["boundary"].as_str().unwrap().rsplit('/').next().unwrap(), "the role's own");
    baseline(&["--boundary", "AmazonSSMManagedInstanceCore"]);
    assert_eq!(boundary(), "AmazonSSMManagedInstanceCore");
}

#[test]
fn a_running_instance_without_a_call_can_be_named() {
    let account = Account::with_fleet(names);
    let now = jiff::Timestamp::now().as_second();
    let silent = account.deployed["group"][2].as_str().unwrap().to_owned();
    let mut all = with_others(&account);
    all.retain(|record| !record.to_string().contains(&silent));
    let server = LookupServer::start(&all, Behaviour { now, rate: 3, ..Behaviour::default() });
    configure(&account);
    let record = |more: &[&str]| {
        let mut command = account.policyc(&[&["record", "--stack", "fleet"], more].concat());
        let output = command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = record(&[]);
    assert!(code == Some(4) && told.contains(&silent) && told.contains("name each with `--silent-instance ID`"), "{told}");
    let other = account.deployed["group"][0].as_str().unwrap();
    let (code, told) = record(&["--silent-instance", other]);
    assert!(code == Some(4) && told.contains(&silent), "another one does not do: {told}");
    let (code, told) = record(&["--silent-instance", &silent, "--silent-instance", other]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&format!("`{other}` is no running instance without a call")), "{told}");

    // The recording remembers, so that everybody who derives from it is told.
    let found: Value = serde_json::from_slice(&fs::read(account.home.path().join("fleet.json")).unwrap()).unwrap();
    assert_eq!(found["stacks"]["fleet"]["roles"]["Role"]["silent"], json!([silent]));
    let report = account.home.path().join("report.json");
    account.run(&["derive", "--stack", "fleet", "--report", report.to_str().unwrap()]);
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let findings = report["Role"]["findings"].as_array().unwrap();
    let own: Vec<&Value> = findings.iter().filter(|f| f["code"] == "silent-instance").collect();
    assert_eq!((own.len(), own[0]["severity"].as_str()), (1, Some("warning")), "{findings:?}");
    assert!(own[0]["message"].as_str().unwrap().contains(&silent), "{own:?}");
}

/// Where AWS has published a newer version than policyc carries, the one that is attached counts.
#[test]
fn a_newer_version_of_what_is_attached_is_told_and_stayed_inside() {
    let account = Account::with_demo();
    account.upload("trail");
    let derive = |out: &str| {
        let output = account.run(&["derive", "--stack", "ssm-demo", "--from", "trail", "--out", out, "--report", "report.json"]);
        let policy = fs::read_to_string(account.home.path().join(out).join("NatInstanceRole.json")).unwrap();
        let report: Value = serde_json::from_slice(&fs::read(account.home.path().join("report.json")).unwrap()).unwrap();
        (policy, report["NatInstanceRole"].clone(), String::from_utf8(output.stdout).unwrap())
    };
    let (before, report, _) = derive("before");
    assert_eq!(report["baseline"]["version"], "v8");
    assert!(before.contains("ssm:PutInventory") && before.contains("ssm:UpdateInstanceInformation"), "{before}");
    assert!(!report["findings"].to_string().contains("baseline-newer"));

    // The newer one has lost an action that was used, and has a new one that nobody used.
    account.publish("AmazonEC2RoleforSSM", |actions| {
        actions.retain(|action| action != "ssm:PutInventory");
        actions.push("ssm:GetConnectionStatus".into());
    });
    let (after, report, told) = derive("after");
    assert_eq!((&report["baseline"]["name"], &report["baseline"]["version"]), (&json!("AmazonEC2RoleforSSM"), &json!("v9")));
    assert!(!after.contains("ssm:PutInventory") && after.contains("ssm:UpdateInstanceInformation"), "{after}");
    let outside: Vec<&Value> = report["outside"].as_array().unwrap().iter().map(|call| &call["action"]).collect();
    assert!(outside.contains(&&json!("ssm:PutInventory")), "{outside:?}");
    assert!(report["actions"].as_array().unwrap().iter().any(|action| action["action"] == "ssm:GetConnectionStatus"));
    assert_eq!(report["proof"]["within_baseline"], "proved");
    let says = "`AmazonEC2RoleforSSM` is attached in version v9, and policyc carries v8";
    assert!(told.contains("baseline-newer") && told.contains(says), "{told}");

    // A recording holds the newer document, and derives the same without the account.
    let file = account.configure("repository", "stack.json", "demo.ledger", "attached");
    let config = file.to_str().unwrap();
    account.run(&["record", "--stack", "demo", "--from", "trail", "--config", config]);
    account.run(&["derive", "--stack", "demo", "--config", config]);
    let recorded = fs::read_to_string(file.with_file_name("policies").join("NatInstanceRole.json")).unwrap();
    assert_eq!(recorded, after);
}
