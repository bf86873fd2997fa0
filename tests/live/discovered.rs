//! What discovery finds of the deployed demo.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::account::{Account, ROLES};

#[test]
fn the_demo_is_discovered_completely() {
    let account = Account::with_demo();
    account.upload("trail");
    let file = account.configure("repository", "stack.json", "demo.ledger", "AmazonEC2RoleforSSM");
    let config = file.to_str().unwrap();
    account.run(&["record", "--stack", "demo", "--from", "s3://trail", "--config", config]);
    let found: Value = serde_json::from_slice(&fs::read(file.with_file_name("stack.json")).unwrap()).unwrap();
    let expected = account.description();
    for (stack, id) in ROLES {
        let (found, expected) = (&found["stacks"][stack], &expected["stacks"][stack]);
        let (role, wanted) = (&found["roles"][id], &expected["roles"][id]);
        for key in ["name", "arn", "instances"] {
            assert_eq!(role[key], wanted[key], "{key} of {id}");
        }
        let set = |v: &Value| v.as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(set(&role["endpoints"]), set(&wanted["endpoints"]), "{id}");
        assert_eq!(role["addresses"].as_array().unwrap().len(), set(&wanted["addresses"]).len(), "{id}: {role:#}");
        let attached = json!([{"name": "AmazonEC2RoleforSSM", "version": "v8", "treatment": "replaced",
            "arn": "arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM"}]);
        assert_eq!(role["policies"], attached, "{id}");
        for (name, physical) in expected["resources"].as_object().unwrap() {
            if physical.as_str().unwrap().parse::<std::net::IpAddr>().is_err() {
                assert_eq!(&found["resources"][name], physical, "{name}");
            }
        }
    }
}

#[test]
fn what_is_not_there_is_said() {
    let account = Account::with_demo();
    let check = |args: &[&str], code: i32, says: &str| {
        let output = account.policyc(args).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(says), "{args:?}: {told}");
        assert!(!told.contains("secret-of-the-operator"), "{told}");
    };
    check(&["derive", "--stack", "nowhere"], 4, "there is no stack `nowhere` in us-east-1 of the account 111122223333");
    check(&["derive", "--stack", "ssm-demo", "--from", "s3://no-such-bucket"], 4, "no-such-bucket");
    check(&["derive", "--stack", "ssm-demo", "--from", "trail"], 4, "no trail of this account logs `us-east-1` now");
    check(&["derive", "--stack", "ssm-demo", "--from", "tape"], 2, "expected `event-history`, `trail`, or `s3://BUCKET/PREFIX`");
}
