//! Published records of real accounts, where they lie beside the repository (`POLICYC_SHARED`, else `../shared`); without
//! them nothing is tested here, and said so.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/asked.rs"]
#[allow(dead_code)] // only the question is asked here
mod asked;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use policyc::catalog::{Catalog, baselines};
use policyc::derive::{Derivation, Question, derive};
use policyc::finding::Code;
use policyc::trail::call::{Calls, Note, calls};
use policyc::trail::record::Record;
use policyc::trail::{Input, Interest, Observation, Options, observe};

/// The bytes of a published data set, `None` where it is not there.
fn published(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("POLICYC_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let path = folder.join("records").join(name);
    if !path.is_file() {
        println!("nothing tested: no records at {}", path.display());
        return None;
    }
    Some(std::fs::read(path).unwrap())
}

fn records(bytes: &[u8]) -> Vec<Record> {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text.lines().map(|line| Record::parse(line).unwrap()).collect()
}

fn seen(bytes: &[u8], interest: &Interest) -> Observation {
    let input = Input::new("records.jsonl.gz", || Ok(bytes.to_vec()));
    observe(&[input], interest, Catalog::embedded(), &Options::default()).unwrap()
}

fn derived(role: &str, account: &str, seen: &Observation) -> Derivation {
    let known = baselines::find("AmazonEC2RoleforSSM").unwrap();
    let (account, role, region) = (account.to_owned(), role.to_owned(), "us-east-1".to_owned());
    let question = Question { account, role, region, ..asked::question(known.document) };
    derive(&question, &seen.ledger, Catalog::embedded())
}

const INVICTUS: &str = "invictus-ir+aws_dataset.jsonl.gz";
const OTRF: &str = "OTRF+Security-Datasets.jsonl.gz";
const DATADOG: &str = "DataDog+stratus-red-team.jsonl.gz";

/// Every use of a role's instance that passed authorisation, as `action resource`.
fn uses(role: &str, instance: &str, seen: &Observation) -> BTreeSet<String> {
    let own = seen.ledger.uses.keys().filter(|u| u.session.role == role && u.session.name == instance);
    own.map(|u| {
        assert!(u.outcome.authorised(), "{u:?}");
        format!("{} {}", u.action.as_str(), u.resource)
    })
    .collect()
}

#[track_caller]
fn check(what: &str, found: &BTreeSet<String>, expected: &str) {
    let expected: BTreeSet<String> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    assert_eq!(*found, expected, "{what}");
}

#[test]
fn agents_of_two_instances_if_present() {
    let Some(bytes) = published(INVICTUS) else { return };
    let roles = ["stratus-red-team-ec2-steal-credentials-role", "stratus-red-team-ec2-enumerate-role"];
    let seen = seen(&bytes, &Interest::default());
    let association = "arn:aws:ssm:us-east-1:123837392027:association/56fcb26d-8140-4f3f-8f77-7ff7344b4057";
    let first = "arn:aws:ec2:us-east-1:123837392027:instance/i-0dbc91f429e48eeed";
    let agent = format!(
        "ec2:DescribeInstances *
        ssm:GetDocument arn:aws:ssm:us-east-1::document/AWS-GatherSoftwareInventory
        ssm:ListInstanceAssociations {first}
        ssm:PutComplianceItems {first}
        ssm:PutInventory *
        ssm:UpdateInstanceAssociationStatus {association}
        ssm:UpdateInstanceAssociationStatus {first}
        ssm:UpdateInstanceInformation {first}"
    );
    check("the first instance", &uses(roles[0], "i-0dbc91f429e48eeed", &seen), &agent);
    let second = "arn:aws:ec2:us-east-1:123837392027:instance/i-05c30218156bcc246";
    let agent = format!(
        "ssm:PutComplianceItems {second}
        ssm:PutInventory *
        ssm:UpdateInstanceAssociationStatus {association}
        ssm:UpdateInstanceAssociationStatus {second}
        ssm:UpdateInstanceInformation {second}"
    );
    check("the second instance", &uses(roles[1], "i-05c30218156bcc246", &seen), &agent);
}

#[test]
fn operators_and_attackers_are_not_the_instances_if_present() {
    let Some(bytes) = published(INVICTUS) else { return };
    for (role, instance) in [
        ("stratus-red-team-ec2-steal-credentials-role", "i-0dbc91f429e48eeed"),
        ("stratus-red-team-ec2-enumerate-role", "i-05c30218156bcc246"),
    ] {
        let interest = Interest { account: Some("123837392027".to_owned()), roles: [role.to_owned()].into() };
        let seen = seen(&bytes, &interest);
        let sessions: BTreeSet<_> = seen.ledger.uses.keys().map(|u| (u.session.role.as_str(), u.session.name.as_str())).collect();
        assert_eq!(sessions, [(role, instance)].into(), "operators' and attackers' sessions are others");
        let derivation = derived(role, "123837392027", &seen);
        let granted: BTreeSet<&str> = derivation.grants.iter().map(|g| g.action.service()).collect();
        let beyond: Vec<_> = granted.iter().filter(|s| !matches!(**s, "ssm" | "ssmmessages" | "ec2messages")).collect();
        assert!(beyond.is_empty(), "{role}: {beyond:?}");
        // Whoever called these used the first instance's credentials on another machine.
        let elsewhere: BTreeSet<&str> = derivation.suspicious.iter().map(|s| s.action.as_str()).collect();
        let stolen = ["ec2:DescribeInstances", "sts:GetCallerIdentity"];
        let expected: &[&str] = if instance == "i-0dbc91f429e48eeed" { &stolen } else { &[] };
        assert_eq!(elsewhere, expected.iter().copied().collect(), "{role}");
    }
}

#[test]
fn stolen_credentials_grant_nothing_if_present() {
    let Some(bytes) = published(OTRF) else { return };
    let role = "MordorNginxStack-BankingWAFRole-9S3E0UAE1MM0";
    let interest = Interest { account: Some("123456789123".to_owned()), roles: [role.to_owned()].into() };
    let derivation = derived(role, "123456789123", &seen(&bytes, &interest));
    let of_role = |r: &&Record| r.user_identity.arn.as_deref().is_some_and(|a| a.contains(role));
    let all = records(&bytes);
    let theirs: BTreeSet<&str> = all.iter().filter(of_role).map(|r| r.event_id.as_str()).collect();
    let flagged: BTreeSet<&str> = derivation.suspicious.iter().flat_map(|s| s.events.iter().map(String::as_str)).collect();
    assert_eq!(theirs.len(), 11);
    assert_eq!(flagged, theirs);
    assert!(derivation.grants.is_empty() && derivation.policy.statements.is_empty(), "{:?}", derivation.policy);
    assert!(derivation.findings.iter().any(|f| f.code == Code::SuspiciousOrigin));
}

/// Events in the published records that the catalogue does not map, each named: an operation of the S3 console without a
/// public name, whose action is not documented.
const UNMAPPED: &str = "s3.amazonaws.com:GetStorageLensDashboardDataInternal";

#[test]
fn no_record_is_unmapped_without_being_named_if_present() {
    let mut unmapped: BTreeMap<String, usize> = BTreeMap::new();
    let (mut mapped, mut none) = (0, 0);
    for name in [INVICTUS, OTRF, DATADOG] {
        let Some(bytes) = published(name) else { return };
        for record in records(&bytes) {
            if !matches!(record.event_type.as_str(), "AwsApiCall" | "") {
                continue; // AWS's own events, sign-ins and console actions are no calls
            }
            let Calls { needs, note } = calls(&record, Catalog::embedded());
            match note {
                Note::Mapped => {
                    assert!(!needs.is_empty(), "{}:{} needs something", record.event_source, record.event_name);
                    mapped += 1;
                }
                Note::NoPermissionNeeded(_) => none += 1,
                Note::Unmapped => *unmapped.entry(format!("{}:{}", record.event_source, record.event_name)).or_default() += 1,
            }
        }
    }
    println!("{mapped} records mapped, {none} need no permission, unmapped: {unmapped:#?}");
    check("unmapped", &unmapped.into_keys().collect(), UNMAPPED);
}
