//! What a proof costs: the steps that each question takes, exactly, because every verdict depends on the budget.
//!
//! A change of these numbers is not a defect, but it is one to look at: more steps mean that something is no longer
//! pruned, and fewer that work goes uncounted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test says what is wrong by panicking

use policyc::prove::document::Document;
use policyc::prove::subset::{Budget, Verdict, within};
use serde_json::{Value, json};

fn allow(actions: &Value, resources: &Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

fn with(statement: Value, condition: &Value) -> Value {
    let mut statement = statement;
    statement["Condition"] = condition.clone();
    statement
}

fn deny(statement: Value) -> Value {
    let mut statement = statement;
    statement["Effect"] = json!("Deny");
    statement
}

/// Name, new statements, statements of the baseline.
fn questions() -> Vec<(&'static str, Vec<Value>, Vec<Value>)> {
    let all = json!("*");
    let buckets = |names: &[&str]| json!(names.iter().map(|name| format!("arn:aws:s3:::{name}")).collect::<Vec<_>>());
    let get = json!("s3:GetObject");
    let pairs: Vec<String> = (b'a'..b'q').map(|c| format!("arn:aws:s3:::*{}{}*", char::from(c), char::from(c + 1))).collect();
    let tag = |values: Value| json!({"StringLike": {"aws:PrincipalTag/team": values}});
    vec![
        ("itself", vec![allow(&get, &buckets(&["logs/*"]))], vec![allow(&get, &buckets(&["logs/*"]))]),
        (
            "two halves",
            vec![allow(&get, &buckets(&["a*"]))],
            vec![allow(&get, &buckets(&["a?*"])), allow(&get, &buckets(&["a"]))],
        ),
        ("half", vec![allow(&get, &buckets(&["a*"]))], vec![allow(&get, &buckets(&["a?*"]))]),
        ("everything, many", vec![allow(&json!("s3:*"), &all)], vec![allow(&json!("s3:*"), &json!(pairs))]),
        (
            "overlapping, proved",
            vec![allow(&get, &buckets(&["*ab*bc*cd*"]))],
            vec![allow(&get, &buckets(&["*ab*", "*x*"])), deny(allow(&get, &buckets(&["*xx"]))), allow(&all, &all)],
        ),
        (
            "case of actions",
            vec![allow(&json!(["S3:get*", "ssm:*Kk*"]), &all)],
            vec![allow(&json!(["s3:GET*"]), &all), allow(&json!("ssm:*kK*"), &all)],
        ),
        (
            "except some",
            vec![json!({"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "NotResource": buckets(&["private*", "secret"])})],
            vec![allow(&all, &all), deny(allow(&json!("iam:Get*"), &all)), deny(allow(&json!("s3:*"), &buckets(&["secret"])))],
        ),
        (
            "home folders",
            vec![allow(&get, &buckets(&["home/${aws:username}/*"]))],
            vec![allow(&get, &buckets(&["home/${aws:username}*"])), allow(&get, &buckets(&["h*/${aws:username}/x"]))],
        ),
        (
            "teams",
            vec![with(allow(&get, &all), &tag(json!(["red*", "blue"])))],
            vec![with(allow(&get, &all), &tag(json!(["r*d*"]))), with(allow(&all, &all), &tag(json!(["?lue", "green"])))],
        ),
        (
            "teams of several values",
            vec![with(allow(&get, &all), &json!({"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b"]}}))],
            vec![with(allow(&get, &all), &json!({"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b*"]}}))],
        ),
        (
            "numbers, dates and addresses",
            vec![with(
                allow(&get, &all),
                &json!({"NumericLessThan": {"s3:max-keys": "10"}, "IpAddress": {"aws:SourceIp": "203.0.113.0/25"},
                        "DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}),
            )],
            vec![
                with(allow(&get, &all), &json!({"NumericLessThanEquals": {"s3:max-keys": "10"}})),
                deny(with(allow(&get, &all), &json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))),
            ],
        ),
        (
            "fields of an ARN",
            vec![allow(&json!("ssm:GetParameter"), &json!("arn:aws:ssm:*:111122223333:parameter/*"))],
            vec![
                allow(&json!("ssm:*"), &json!("arn:*:ssm:us-*:111122223333:*")),
                allow(&json!("ssm:*"), &json!("arn:aws:ssm:*:*:parameter*")),
            ],
        ),
    ]
}

#[test]
fn every_question_takes_the_steps_it_took() {
    let mut lines = String::new();
    for (name, new, old) in questions() {
        let read = |statements: Vec<Value>| {
            Document::read(json!({"Version": "2012-10-17", "Statement": statements}).to_string().as_bytes()).unwrap()
        };
        let (new, old) = ([read(new)], [read(old)]);
        let ask = |steps: u64| within(&new, &old, &Budget { steps });
        let verdict = match ask(Budget::default().steps) {
            Verdict::Proved => "proved".to_owned(),
            Verdict::NotProved(found) => format!("not proved: {} on {}", found.request.action, found.request.resource),
            Verdict::Refused(why) => panic!("{name}: {why}"),
        };
        let (mut short, mut enough) = (0, Budget::default().steps);
        while enough - short > 1 {
            let half = short.midpoint(enough);
            if matches!(ask(half), Verdict::Refused(_)) { short = half } else { enough = half }
        }
        lines += &format!("{enough:>8}  {name}: {verdict}\n");
    }
    insta::assert_snapshot!(lines);
}
