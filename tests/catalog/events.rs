//! Events whose name is not their action, event sources, and error codes.

use std::collections::BTreeSet;

use policyc::catalog::Catalog;
use policyc::catalog::errors::Meaning;
use policyc::catalog::events::{Choose, Mapping};
use policyc::iam::Action;

use super::{check, rows};

/// Sources: user guides of the services, iam-dataset (MIT), trailscraper (Apache-2.0), botocore (Apache-2.0).
const EVENTS: &str = include_str!("tables/events.txt");
const SOURCES: &str = include_str!("tables/sources.txt");
const ERRORS: &str = include_str!("tables/errors.txt");

const WITHOUT_PERMISSION: &str = include_str!("tables/without_permission.txt");

/// What an event maps to, as a row of the table.
fn mapped(source: &str, name: &str) -> String {
    match Catalog::embedded().map_event(source, name) {
        Mapping::Actions(actions, _) => {
            let actions: Vec<&str> = actions.iter().map(Action::as_str).collect();
            format!("{source}:{name} {}", actions.join(" "))
        }
        other => format!("{source}:{name} {other:?}"),
    }
}

#[test]
fn every_exception_maps_to_its_actions() {
    let keys = Catalog::embedded().events.events.keys();
    check("exceptions", rows(EVENTS), keys.map(|key| key.split_once(':').map(|(source, name)| mapped(source, name)).unwrap()));
}

#[test]
fn every_action_of_an_exception_exists() {
    for row in rows(EVENTS) {
        for action in row.split_whitespace().skip(1) {
            let parsed = Action::parse(action).unwrap();
            let known = Catalog::embedded().reference.action(&parsed);
            assert_eq!(known.map(|f| f.name.as_str()), Some(parsed.name()), "{row}");
        }
    }
}

#[test]
fn every_source_has_its_prefixes() {
    let sources = &Catalog::embedded().events.sources;
    check("sources", rows(SOURCES), sources.iter().map(|(source, facts)| format!("{source} {}", facts.services.join(" "))));
    let confidences: BTreeSet<&str> = Catalog::embedded().events.confidences.keys().map(String::as_str).collect();
    let named = sources.values().map(|s| &s.confidence).chain(Catalog::embedded().events.events.values().map(|e| &e.confidence));
    assert!(named.into_iter().all(|c| confidences.contains(c.as_str())));
}

#[test]
fn events_that_need_no_permission() {
    let none = &Catalog::embedded().events.none;
    check("no permission", rows(WITHOUT_PERMISSION), none.iter().map(|(key, facts)| format!("{key} {}", facts.reason)));
    for row in rows(WITHOUT_PERMISSION) {
        let (key, reason) = row.split_once(' ').unwrap();
        let (source, name) = key.split_once(':').unwrap();
        let name = if name == "*" { "Anything" } else { name };
        assert_eq!(Catalog::embedded().map_event(source, name), Mapping::None(reason.to_owned()), "{row}");
    }
}

#[test]
fn the_record_chooses_among_the_actions_of_these() {
    let choosing = Catalog::embedded().events.events.iter().filter_map(|(key, facts)| {
        let how = match facts.choose? {
            Choose::TransactItems => "transact-items",
            Choose::SqlVerb => "sql-verb",
            Choose::CopySource => "copy-source",
        };
        Some(format!("{key} {how}"))
    });
    check("choosing", rows(include_str!("tables/choosing.txt")), choosing);
}

#[test]
fn names_that_follow_the_rules() {
    let table = [
        "s3.amazonaws.com:GetBucketCors s3:GetBucketCORS",
        "ssm.amazonaws.com:GetParameter ssm:GetParameter",
        "ssm.amazonaws.com:CreateControlChannel ssmmessages:CreateControlChannel",
        "ssm.amazonaws.com:OpenControlChannel ssmmessages:OpenControlChannel",
        "monitoring.amazonaws.com:PutMetricData cloudwatch:PutMetricData",
        "lambda.amazonaws.com:GetFunction20150331v2 lambda:GetFunction",
        "lambda.amazonaws.com:ListFunctions20150331 lambda:ListFunctions",
        "cloudfront.amazonaws.com:GetDistribution2020_05_31 cloudfront:GetDistribution",
        "ec2.amazonaws.com:DescribeInstances ec2:DescribeInstances",
        "s3.amazonaws.com:NoSuchOperation Unknown",
        "no-such-service.amazonaws.com:GetObject Unknown",
    ];
    let ask = |row: &str| {
        let (source, name) = row.split(' ').next().unwrap().split_once(':').unwrap();
        mapped(source, name)
    };
    check("rules", table, table.map(ask));
}

#[test]
fn every_error_code_says_what_it_says() {
    let errors = &Catalog::embedded().errors;
    let denied = errors.denied.iter().flat_map(|r| r.codes.iter().map(|c| format!("* denied {c}")));
    let of = |r: &policyc::catalog::errors::Codes| {
        let source = r.event_source.clone();
        r.codes.iter().map(move |c| format!("{source} authorised {c}")).collect::<Vec<_>>()
    };
    check("error codes", rows(ERRORS), denied.chain(errors.authorised.iter().flat_map(of)));
    for row in rows(ERRORS) {
        let [source, says, code] = row.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{row}") };
        if says == "denied" {
            for source in ["s3.amazonaws.com", "ssm.amazonaws.com", "ec2.amazonaws.com"] {
                assert_eq!(errors.meaning(source, code), Meaning::Denied, "{row}");
            }
        } else {
            assert_eq!(errors.meaning(source, code), Meaning::Authorised, "{row}");
            let elsewhere = rows(ERRORS).iter().any(|r| r.starts_with("sts") && r.ends_with(code));
            assert_eq!(errors.meaning("sts.amazonaws.com", code) == Meaning::Authorised, elsewhere, "{row}");
        }
    }
    for code in ["ThrottlingException", "ValidationException", "Client.InvalidParameterValue", "InternalError", "SlowDown"] {
        assert_eq!(errors.meaning("s3.amazonaws.com", code), Meaning::Nothing, "{code}");
    }
}

#[test]
fn a_missing_object_shows_that_the_bucket_may_be_listed() {
    let shows = |event: &str, code: &str| Catalog::embedded().errors.also_shows("s3.amazonaws.com", event, code);
    assert_eq!(shows("GetObject", "NoSuchKey"), Some("s3:ListBucket"));
    assert_eq!(shows("HeadObject", "NoSuchKey"), Some("s3:ListBucket"));
    assert_eq!(shows("GetObject", "NoSuchVersion"), None);
    assert_eq!(shows("PutObject", "NoSuchKey"), None);
    assert_eq!(Catalog::embedded().errors.also_shows("ssm.amazonaws.com", "GetObject", "NoSuchKey"), None);
}
