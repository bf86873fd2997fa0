//! Laws of resource patterns that the passes build on, held to the checker's own matcher.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeMap;

use policyc::iam::Pattern;
use policyc::prove::document::Document;
use policyc::prove::evaluate::{ArnReading, Request, evaluate};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn what_two_patterns_share() {
    let check = |a: &str, b: &str, expected: Option<&str>| {
        let (a, b) = (Pattern::parse(a), Pattern::parse(b));
        for met in [a.meet(&b), b.meet(&a)] {
            assert_eq!(met.map(|met| met.to_string()).as_deref(), expected, "{a} and {b}");
        }
    };
    let s3 = |name: &str| format!("arn:aws:s3:::{name}");
    let objects = |a: &str, b: &str, expected: Option<&str>| check(&s3(a), &s3(b), expected.map(s3).as_deref());
    check("*", "arn:aws:s3:::b/*", Some("arn:aws:s3:::b/*"));
    check("*", "*", Some("*"));
    check(
        "arn:aws:logs:eu-west-1:111122223333:log-group:/acme/app:log-stream:*",
        "arn:aws:logs:*:*:log-group:/acme/app:log-stream:i-*",
        Some("arn:aws:logs:eu-west-1:111122223333:log-group:/acme/app:log-stream:i-*"),
    );
    check(
        "arn:aws:ec2:eu-west-1:111122223333:instance/*",
        "arn:aws:ec2:*:*:instance/i-*",
        Some("arn:aws:ec2:eu-west-1:111122223333:instance/i-*"),
    );
    check("arn:aws:ec2:eu-*:*:instance/*", "arn:aws:ec2:*-1:*:instance/*", Some("arn:aws:ec2:eu-*-1:*:instance/*"));
    check("arn:aws:ec2:eu-west-1:*:instance/*", "arn:aws:ec2:eu-west-2:*:instance/i-*", None);
    objects("b/*", "b/k", Some("b/k"));
    objects("b/in/*", "b/*/k", Some("b/in/*/k"));
    objects("b/in/*", "b/*/i-*/log/*", Some("b/in/*/i-*/log/*"));
    objects("ax*", "*x*", Some("ax*"));
    objects("*.log", "b/*", Some("b/*.log"));
    objects("b/a*x", "b/*yx", Some("b/a*yx"));
    objects("b/a*", "b/?b*", Some("b/ab*"));
    objects("b/*", "b/${aws:PrincipalTag/team}/*", Some("b/${aws:PrincipalTag/team}/*"));
    objects("b/red/*", "b/${aws:PrincipalTag/team}/*", None);
    objects("b/*", "c/*", None);
    objects("b*x*", "*y*z", None);
    // Of other forms than six fields nothing is known under the reading in which `*` stays in its field.
    check("arn:aws:s3*", "arn:aws:s3:::b/*", None);
    check("arn:aws:s3:::b", "arn:aws:s3:::b", Some("arn:aws:s3:::b"));
}

/// A field of few characters, so that two of them often meet.
fn field() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]{1,3}", "[ab]{0,2}[*][ab]{0,2}", "[ab?*]{0,5}", Just("*".to_owned())]
}

/// Three fields of that kind, the resource among them, which may hold colons.
fn arn() -> impl Strategy<Value = String> {
    let resource = prop_oneof![field(), (field(), field()).prop_map(|(a, b)| format!("{a}:{b}"))];
    (field(), field(), resource).prop_map(|(region, account, resource)| format!("arn:aws:x:{region}:{account}:{resource}"))
}

fn matches(pattern: &str, text: &str, reading: ArnReading) -> bool {
    let statement = json!({"Effect": "Allow", "Action": "*", "Resource": pattern});
    let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let request = Request { action: "x:Y".to_owned(), resource: text.to_owned(), context: BTreeMap::new() };
    evaluate(&[Document::read(document.as_bytes()).unwrap()], &request, reading).is_allowed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// INVARIANT (meet-within)
    #[test]
    fn what_two_patterns_meet_in_matches_nothing_else(a in arn(), b in arn(), fill in prop::collection::vec("[ab:]{0,3}", 5)) {
        let Some(met) = Pattern::parse(&a).meet(&Pattern::parse(&b)) else { return Ok(()) };
        let (met, mut fill) = (met.to_string(), fill.iter().cycle());
        let text: String = met.chars().map(|c| match c {
            '*' => fill.next().unwrap().clone(),
            '?' => "a".to_owned(),
            c => c.to_string(),
        }).collect();
        for reading in [ArnReading::Whole, ArnReading::Segmented] {
            if matches(&met, &text, reading) {
                prop_assert!(matches(&a, &text, reading), "{} of {}, not of {}", text, met, a);
                prop_assert!(matches(&b, &text, reading), "{} of {}, not of {}", text, met, b);
            }
        }
    }

    /// Nothing is lost where one covers the other, nor where each field is a text with at most one `*`.
    #[test]
    fn what_two_simple_patterns_share_is_found(a in "[ab]{0,3}[*]?[ab]{0,3}", b in "[ab]{0,3}[*]?[ab]{0,3}") {
        let of = |text: &str| Pattern::parse(&format!("arn:aws:x:::{text}"));
        let (a, b) = (of(&a), of(&b));
        let met = a.meet(&b);
        prop_assert_eq!(met.is_some(), a.overlaps(&b), "{} and {}: {:?}", a, b, met);
        if a.covers_arn(&b) {
            prop_assert_eq!(met, Some(b));
        }
    }
}
