//! Hand-written cases of the prover's room: the reader, the evaluator, the prover and replay, each through one `check`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeMap;

use policyc::prove::document::{Document, is_nothing};
use policyc::prove::evaluate::{ArnReading, Decision, Request, Value, evaluate};
use policyc::prove::replay::{Call, replay};
use policyc::prove::subset::{Budget, Verdict, within};
use serde_json::{Value as Json, json};

fn read(json: &Json) -> Document {
    Document::read(json.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn policy(statements: Json) -> Document {
    read(&json!({"Version": "2012-10-17", "Statement": statements}))
}

/// An Allow for everything under one condition block.
fn under(condition: &Json) -> Document {
    policy(json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}))
}

fn context(json: &Json) -> BTreeMap<String, Value> {
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let value = |json: &Json| match json {
        Json::Array(items) => Value::Many(items.iter().map(text).collect()),
        one => Value::One(text(one)),
    };
    json.as_object().unwrap().iter().map(|(key, json)| (key.to_lowercase(), value(json))).collect()
}

#[test]
fn the_reader_rejects_what_the_grammar_does_not_have() {
    let check = |text: &str, place: &str, reason: &str| {
        let error = Document::read(text.as_bytes()).expect_err(text).to_string();
        assert!(error.starts_with(place) && error.contains(reason), "{text}\n{error}");
    };
    let statement = |text: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{text}}}]}}"#);
    check("{", "the document is not JSON", "EOF");
    check("{} x", "the document is not JSON", "trailing");
    check("[]", "$:", "expected an object, found a list");
    check("{}", "$:", "no `Statement`");
    check(r#"{"Statement":[]}"#, "$.Statement:", "empty");
    check(r#"{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}"#, "$.Version:", "twice");
    check(r#"{"Version":"2013-01-01","Statement":[]}"#, "$.Version:", "2012-10-17");
    check(r#"{"Id":"x","Statement":[]}"#, "$:", "`Id`");
    let rest = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"*""#;
    check(&statement(&format!(r#"{rest},"Effect":"Deny""#)), "$.Statement[0].Effect:", "twice");
    check(&statement(&format!(r#"{rest},"Principal":"*""#)), "$.Statement[0]:", "`Principal`");
    check(&statement(&format!(r#"{rest},"NotAction":"s3:GetObject""#)), "$.Statement[0]:", "exclude each other");
    check(&statement(&format!(r#"{rest},"Sid":"a b""#)), "$.Statement[0].Sid:", "Sid");
    check(&statement(&format!(r#"{rest},"Condition":{{"Bool":{{}}}}"#)), "$.Statement[0].Condition.Bool:", "no condition key");
    // The console writes it, and IAM stores it: it is no condition.
    assert!(Document::read(statement(&format!(r#"{rest},"Condition":{{}}"#)).as_bytes()).is_ok());
    check(&statement(r#""Effect":"allow","Action":"*","Resource":"*""#), "$.Statement[0].Effect:", "`Allow` or `Deny`");
    let twins = r#"{"Statement":[{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"A","Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    check(twins, "$.Statement[1].Sid:", "another statement has the Sid `A`");
    for good in [
        twins.replacen("\"A\"", "\"B\"", 1),
        twins.replace("\"A\"", "\"\""),
        twins.replacen("\"A\"", "\"B\"", 1).replacen("{\"S", "{\"Version\":\"2008-10-17\",\"S", 1),
        twins.replacen("\"Sid\":\"A\",", "", 1),
    ] {
        assert!(Document::read(good.as_bytes()).is_ok(), "{good}");
    }
    check(&statement(&format!(r#"{rest},"a b":1"#)), "$.Statement[0]:", "`a b`");
    check(
        &statement(&format!(r#"{rest},"Condition":{{"String Equals":{{"k":1}}}}"#)),
        "$.Statement[0].Condition[\"String Equals\"]",
        "operator",
    );
    check(&statement(r#""Effect":"Allow","Action":":Get","Resource":"*""#), "$.Statement[0].Action:", "not an action");
    check(&statement(r#""Effect":"Allow","Action":"s3:","Resource":"*""#), "$.Statement[0].Action:", "not an action");
    check(&statement(r#""Action":"*","Resource":"*""#), "$.Statement[0]:", "no `Effect`");
    check(&statement(r#""Effect":"Allow","Resource":"*""#), "$.Statement[0]:", "neither `Action` nor `NotAction`");
    check(&statement(r#""Effect":"Allow","Action":"*""#), "$.Statement[0]:", "neither `Resource` nor `NotResource`");
    check(&statement(r#""Effect":"Allow","Action":[],"Resource":"*""#), "$.Statement[0].Action:", "empty");
    check(&statement(r#""Effect":"Allow","Action":[1],"Resource":"*""#), "$.Statement[0].Action[0]:", "found a number");
    check(&statement(r#""Effect":"Allow","Action":"s3","Resource":"*""#), "$.Statement[0].Action:", "not an action");
    check(&statement(r#""Effect":"Allow","Action":"s3:Get Object","Resource":"*""#), "$.Statement[0].Action:", "not an action");
    check(&statement(r#""Effect":"Allow","Action":"*","Resource":"""#), "$.Statement[0].Resource:", "empty");
    for name in ["", "b*c", "b?", "{b", "$b", " ", ", 'x'"] {
        let text = format!(r#""Effect":"Allow","Action":"*","Resource":"a${{{name}}}""#);
        check(&statement(&text), "$.Statement[0].Resource:", "is not a policy variable");
    }
    check(&statement(r#""Effect":"Allow","Action":"*","Resource":"a${b""#), "$.Statement[0].Resource:", "not closed");
    let condition = |operator: &str, value: &str| statement(&format!(r#"{rest},"Condition":{{"{operator}":{{"k":{value}}}}}"#));
    let place = |operator: &str| format!("$.Statement[0].Condition.{operator}.k:");
    check(&condition("StringSame", r#""x""#), &place("StringSame"), "not a condition operator");
    check(&condition("NullIfExists", r#""true""#), &place("NullIfExists"), "Null takes neither");
    check(&condition("NumericEquals", r#""x""#), &place("NumericEquals"), "not a number");
    check(&condition("DateEquals", r#""yesterday""#), &place("DateEquals"), "not a date");
    check(&condition("IpAddress", r#""10.0.0.0/33""#), &place("IpAddress"), "not an address range");
    check(&condition("Bool", r#""maybe""#), &place("Bool"), "neither `true` nor `false`");
    check(&condition("BinaryEquals", r#""a""#), &place("BinaryEquals"), "not base-64");
    check(&condition("StringEquals", "null"), &place("StringEquals"), "found null");
    check(
        &statement(&format!(r#"{rest},"Condition":{{"Bool":{{"k":true,"K":true}}}}"#)),
        "$.Statement[0].Condition.Bool.K:",
        "twice",
    );
}

#[test]
fn nothing_is_told_from_something() {
    for (text, expected) in [
        (r#"{"Version":"2012-10-17","Statement":[]}"#, true),
        (r#"{"Statement":[]}"#, true),
        (r#"{"Statement":[],"Statement":[]}"#, false),
        (r#"{"Statement":{}}"#, false),
        (r#"{"Statement":[{}]}"#, false),
        (r#"{}"#, false),
        ("[]", false),
        ("x", false),
    ] {
        assert_eq!(is_nothing(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn conditions_hold_as_documented() {
    let check = |condition: Json, with: Json, expected: bool| {
        let request = Request { action: "s3:GetObject".into(), resource: "arn:aws:s3:::b/k".into(), context: context(&with) };
        let decision = evaluate(&[under(&condition)], &request, ArnReading::Whole);
        assert_eq!(decision.is_allowed(), expected, "{condition} with {with}");
    };
    for (operator, wanted, good, bad) in [
        ("StringEquals", "a*", "a*", "ab"),
        ("StringEquals", "a${*}", "a*", "a${*}"),
        ("StringEquals", "a?", "a?", "ab"),
        ("StringLike", "a${$}b", "a$b", "ab"),
        ("StringEqualsIgnoreCase", "aB", "Ab", "abc"),
        ("StringLike", "a?c*", "abcd", "ac"),
        ("StringLike", "a${?}", "a?", "ab"),
        ("StringLike", "*", "", "\u{0}never"),
        ("ArnLike", "arn:aws:sns:*:1:t*", "arn:aws:sns:x:1:t:u", "arn:aws:sns:x:y:1:t"),
        ("ArnEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:eu:1:t", "arn:aws:sns:eu:1:tt"),
        ("NumericEquals", "10", "1e1", "10.5"),
        ("NumericLessThan", "9007199254740993", "9007199254740992", "9007199254740993"),
        ("NumericLessThanEquals", "-1.5", "-1.5", "-1.4"),
        ("NumericGreaterThan", "9", "10", "9"),
        ("NumericGreaterThanEquals", "0.1", "0.10", "0.09"),
        ("DateEquals", "2020-01-01T00:00:00Z", "1577836800", "2020-01-01T00:00:01Z"),
        ("DateLessThan", "2020-01-01", "2019-12-31T23:59:59.999Z", "2020-01-01T01:00:00+01:00"),
        ("DateGreaterThanEquals", "2020", "2020-01-01T00:00Z", "2019-12"),
        ("Bool", "true", "TRUE", "false"),
        ("BinaryEquals", "QUI=", "QUI=", "QUJD"),
        ("BinaryEquals", "az09+/Zz", "az09+/Zz", "az09+/Zy"),
        ("BinaryEquals", "QQ==", "QR==", "QUE="),
        ("IpAddress", "203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
        ("IpAddress", "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
        ("IpAddress", "0.0.0.0/0", "1.2.3.4", "::1"),
        ("IpAddress", "1.2.3.4", "1.2.3.4", "1.2.3.5"),
    ] {
        check(json!({operator: {"k": wanted}}), json!({"k": good}), true);
        if bad != "\u{0}never" {
            check(json!({operator: {"k": wanted}}), json!({"K": bad}), false);
        }
        check(json!({operator: {"k": wanted}}), json!({}), false);
        check(json!({format!("{operator}IfExists"): {"K": wanted}}), json!({}), true);
        check(json!({format!("ForAllValues:{operator}"): {"k": wanted}}), json!({}), true);
        check(json!({format!("ForAllValues:{operator}"): {"k": wanted}}), json!({"k": []}), true);
        check(json!({format!("ForAllValues:{operator}"): {"k": wanted}}), json!({"k": [good, good]}), true);
        check(json!({format!("ForAnyValue:{operator}"): {"k": wanted}}), json!({}), false);
        check(json!({format!("ForAnyValue:{operator}"): {"k": wanted}}), json!({"k": []}), false);
        if bad != "\u{0}never" {
            check(json!({format!("ForAllValues:{operator}"): {"k": wanted}}), json!({"k": [good, bad]}), false);
            check(json!({format!("ForAnyValue:{operator}"): {"k": wanted}}), json!({"k": [bad, good]}), true);
            check(json!({format!("ForAnyValue:{operator}"): {"k": wanted}}), json!({"k": [bad]}), false);
        }
        // A variable stands for the one value of a key, however it is given, and for nothing where there are several.
        check(json!({"StringEquals": {"k": "${v}"}}), json!({"k": "x", "v": ["x"]}), true);
        check(json!({"StringEquals": {"k": "${v}"}}), json!({"k": "x", "v": ["x", "y"]}), false);
    }
    for (operator, wanted, hit, miss) in [
        ("StringNotEquals", "a", "a", "b"),
        ("StringNotEqualsIgnoreCase", "a", "A", "b"),
        ("StringNotLike", "a*", "ab", "b"),
        ("ArnNotLike", "arn:aws:sns:*:1:*", "arn:aws:sns::1:x", "x"),
        ("NumericNotEquals", "1", "1.0", "2"),
        ("DateNotEquals", "2020", "2020-01-01", "2021"),
        ("NotIpAddress", "10.0.0.0/8", "10.1.1.1", "11.0.0.0"),
    ] {
        check(json!({operator: {"k": wanted}}), json!({"k": hit}), false);
        check(json!({operator: {"k": wanted}}), json!({"k": miss}), true);
        check(json!({operator: {"k": wanted}}), json!({}), true);
        check(json!({format!("ForAnyValue:{operator}"): {"k": wanted}}), json!({}), false);
        check(json!({format!("ForAllValues:{operator}"): {"k": wanted}}), json!({"k": [miss, hit]}), false);
    }
    check(json!({"Null": {"k": "true"}}), json!({}), true);
    check(json!({"Null": {"k": true}}), json!({"k": ""}), false);
    check(json!({"Null": {"k": "false"}}), json!({"k": ""}), true);
    check(json!({"Null": {"k": "false"}}), json!({"k": []}), false);
    check(json!({"StringEquals": {"k": "${v}"}}), json!({"k": "x", "V": "x"}), true);
    check(json!({"StringEquals": {"k": "${v}"}}), json!({"k": "x"}), false);
    check(json!({"StringEquals": {"k": "${v, 'x'}"}}), json!({"k": "x"}), true);
    check(json!({"StringEquals": {"k": "${v, 'x'}"}}), json!({"k": "x", "v": "y"}), false);
    check(json!({"StringLike": {"k": "${v}"}}), json!({"k": "xy", "v": "x*"}), false);
    check(json!({"StringEquals": {"k": ["a", "b"]}, "Bool": {"l": "true"}}), json!({"k": "b", "l": "true"}), true);
    check(json!({"StringEquals": {"k": ["a", "b"]}, "Bool": {"l": "true"}}), json!({"k": "b"}), false);
}

#[test]
fn statements_decide_as_documented() {
    let check = |document: &Document, action: &str, resource: &str, expected: (Decision, Decision)| {
        let request =
            Request { action: action.into(), resource: resource.into(), context: context(&json!({"aws:username": "a:b"})) };
        let decide = |reading| evaluate(std::slice::from_ref(document), &request, reading);
        assert_eq!((decide(ArnReading::Whole), decide(ArnReading::Segmented)), expected, "{action} {resource}");
    };
    let both = |decision| (decision, decision);
    let allowed = |statement| Decision::Allowed { document: 0, statement };
    let document = policy(json!([
        {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "arn:aws:ec2:*:instance/i"},
        {"Effect": "Allow", "NotAction": ["ec2:*", "iam:?et*"], "NotResource": "arn:aws:s3:::secret*"},
        {"Effect": "Allow", "Action": "iam:Get*", "Resource": "arn:aws:iam::${aws:username}:user/x"},
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs"},
        {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::open/no"},
    ]));
    check(&document, "ec2:DescribeX", "arn:aws:ec2:eu:instance/i:1:x", both(allowed(0)));
    check(&document, "ec2:DescribeX", "arn:aws:ec2:eu:1:instance/i:1:x", (allowed(0), Decision::ImplicitDeny));
    check(&document, "iam:GetUser", "arn:aws:iam::a:b:user/x", (allowed(2), Decision::ImplicitDeny));
    check(&document, "iam:GetUser", "*", both(Decision::ImplicitDeny));
    check(&document, "s3:GetObject", "arn:aws:s3:::open", both(allowed(1)));
    check(&document, "s3:GetObject", "arn:aws:s3:::secret/x", both(Decision::ImplicitDeny));
    check(&document, "s3:GetObject", "arn:aws:s3:::open/no", both(Decision::ExplicitDeny { document: 0, statement: 4 }));
    check(&document, "sqs:SendMessage", "arn:aws:sqs:eu:1:q", both(allowed(1)));
    let old = read(&json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b/${aws:username}"}}));
    check(&old, "s3:GetObject", "arn:aws:s3:::b/${aws:username}", both(allowed(0)));
    check(&old, "s3:GetObject", "arn:aws:s3:::b/a:b", both(Decision::ImplicitDeny));
}

/// What the prover should say.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Proved,
    NotProved,
    Refused,
}

fn says(new: &[Document], baseline: &[Document], budget: Budget) -> Says {
    match within(new, baseline, &budget) {
        Verdict::Proved => Says::Proved,
        Verdict::Refused(_) => Says::Refused,
        Verdict::NotProved(found) => {
            let decision = evaluate(new, &found.request, found.reading);
            assert!(decision.is_allowed(), "{found:?}");
            assert!(!evaluate(baseline, &found.request, found.reading).is_allowed(), "{found:?}");
            Says::NotProved
        }
    }
}

#[test]
fn the_prover_decides_conditions() {
    let check = |new: Json, baseline: Json, forth: Says, back: Says| {
        let (new, baseline) = ([under(&new)], [under(&baseline)]);
        assert_eq!(says(&new, &baseline, Budget::default()), forth, "{new:?} in {baseline:?}");
        assert_eq!(says(&baseline, &new, Budget::default()), back, "{baseline:?} in {new:?}");
    };
    use Says::{NotProved as No, Proved as Yes, Refused};
    let equals = |operator: &str, value: Json| json!({operator: {"k": value}});
    check(equals("StringEquals", json!("a")), equals("StringEquals", json!(["a", "b"])), Yes, No);
    check(equals("StringEquals", json!("a")), equals("StringLike", json!("a*")), Yes, No);
    check(equals("StringEquals", json!("a*")), equals("StringLike", json!("a*")), Yes, No);
    check(equals("StringLike", json!("a?*")), equals("StringLike", json!("a*?")), Yes, Yes);
    check(equals("StringEquals", json!("a")), equals("StringEqualsIfExists", json!("a")), Yes, No);
    check(equals("StringNotEquals", json!("a")), equals("StringNotLike", json!("a*")), No, Yes);
    check(equals("StringEquals", json!("b")), equals("StringNotEquals", json!("a")), Yes, No);
    check(equals("StringEqualsIgnoreCase", json!("a")), equals("StringEquals", json!(["a", "A"])), Yes, Yes);
    check(equals("StringLike", json!("*")), equals("Null", json!("false")), Yes, Yes);
    check(equals("StringNotLike", json!("*")), equals("Null", json!("true")), Yes, Yes);
    check(equals("StringLike", json!("?*")), equals("StringNotEquals", json!("")), Yes, No);
    check(equals("ArnLike", json!("arn:aws:sns:*:1:*")), equals("StringLike", json!("arn:aws:sns:*:1:*")), Yes, No);
    check(equals("NumericLessThan", json!(5)), equals("NumericLessThanEquals", json!(5)), Yes, No);
    check(equals("NumericLessThan", json!(6)), equals("NumericLessThanEquals", json!(5)), No, Yes);
    check(equals("NumericEquals", json!("-0")), equals("NumericEquals", json!("0.0")), Yes, Yes);
    check(equals("NumericGreaterThan", json!("-1")), equals("NumericNotEquals", json!("-1")), Yes, No);
    check(equals("DateLessThan", json!("2020")), equals("DateLessThan", json!("2020-01-01T00:00:00Z")), Yes, Yes);
    check(equals("DateLessThan", json!("2020")), equals("DateNotEquals", json!("2020")), Yes, No);
    check(equals("IpAddress", json!("10.1.0.0/16")), equals("IpAddress", json!("10.0.0.0/8")), Yes, No);
    check(equals("IpAddress", json!(["10.0.0.0/9", "10.128.0.0/9"])), equals("IpAddress", json!("10.0.0.0/8")), Yes, Yes);
    check(equals("IpAddress", json!("0.0.0.0/0")), equals("NotIpAddress", json!("::/0")), Yes, No);
    check(equals("Bool", json!("true")), equals("Bool", json!("TRUE")), Yes, Yes);
    check(equals("Bool", json!(["true", "false"])), equals("Null", json!("false")), Yes, Yes);
    check(equals("BinaryEquals", json!("QUI=")), equals("BinaryEquals", json!(["QUI=", "QUJD"])), Yes, No);
    check(equals("ForAllValues:StringEquals", json!("a")), equals("ForAllValues:StringEquals", json!(["a", "b"])), Yes, No);
    check(equals("ForAnyValue:StringEquals", json!("a")), equals("ForAnyValue:StringLike", json!("a*")), Yes, No);
    check(equals("ForAnyValue:StringEquals", json!("a")), equals("ForAllValues:StringEquals", json!("a")), No, No);
    check(equals("ForAllValues:StringNotEquals", json!("a")), equals("ForAnyValue:StringNotEquals", json!("a")), No, No);
    check(
        json!({"ForAllValues:StringEquals": {"k": ["a", "b"]}, "Null": {"k": "false"}}),
        json!({"ForAnyValue:StringEquals": {"k": ["a", "b"]}}),
        Yes,
        No,
    );
    check(json!({"StringEquals": {"k": "a", "l": "b"}}), json!({"StringEquals": {"k": "a"}}), Yes, No);
    // A value between two that stand close together, and one beyond the last.
    check(equals("NumericGreaterThan", json!("1.99")), equals("NumericGreaterThanEquals", json!(2)), No, Yes);
    check(equals("NumericLessThan", json!(100)), equals("NumericLessThanEquals", json!("99.99")), No, Yes);
    check(equals("NumericLessThanEquals", json!(0)), equals("NumericEquals", json!(0)), No, Yes);
    check(equals("NumericGreaterThan", json!("-0.1")), equals("NumericGreaterThanEquals", json!(0)), No, Yes);
    check(equals("NumericEquals", json!("1.5")), equals("NumericNotEquals", json!("1.49")), Yes, No);
    check(equals("DateGreaterThan", json!("2020")), equals("DateGreaterThanEquals", json!("2020-01-01T00:00:01Z")), No, Yes);
    check(equals("DateLessThanEquals", json!("2020")), equals("DateLessThan", json!("2020")), No, Yes);
    check(equals("DateNotEquals", json!("2020")), equals("DateLessThan", json!("2020")), No, Yes);
    check(equals("BinaryEquals", json!("QUI=")), equals("Null", json!("false")), Yes, No);
    check(equals("Bool", json!("true")), equals("StringEquals", json!(["true", "TRUE"])), No, Yes);
    check(equals("ForAllValues:NumericEquals", json!(1)), equals("ForAllValues:NumericLessThan", json!(2)), Yes, No);
    check(equals("ForAllValues:IpAddress", json!("10.0.0.0/8")), equals("ForAnyValue:IpAddress", json!("10.0.0.0/8")), No, No);
    check(equals("StringEquals", json!("${v}")), equals("StringEquals", json!("${V}")), Yes, Yes);
    check(equals("StringEquals", json!("${v}")), equals("StringLike", json!("${v}*")), Yes, No);
    check(equals("StringEquals", json!("a${v}")), equals("StringLike", json!("a*")), Yes, No);
    check(equals("StringEquals", json!("${v}")), equals("StringEquals", json!("${w}")), No, No);
    check(json!({"StringEquals": {"k": "${v}", "v": "x"}}), json!({"StringEquals": {"k": "x"}}), Refused, No);
    check(json!({"StringEquals": {"k": "0x1"}, "IpAddress": {"k": "::1"}}), json!({"Bool": {"k": "true"}}), Refused, No);
    check(json!({"StringEquals": {"k": "a"}, "NumericEquals": {"k": "1"}}), json!({"NumericEquals": {"k": "1"}}), Yes, No);
    check(equals("StringEquals", json!("7")), equals("NumericEquals", json!(5)), No, No);
    // A test that holds only with a match needs the variables of all its values; one that holds without its key does not.
    let with_v = |test: Json| {
        let mut test = test;
        test["Null"] = json!({"v": "false"});
        test
    };
    for (operator, value, forth) in [
        ("StringEquals", json!("${v}"), Yes),
        ("StringEquals", json!(["${v}", "x${v}"]), Yes),
        ("StringEquals", json!(["${v}", "x"]), Refused),
        ("StringEqualsIfExists", json!("${v}"), No),
        ("ForAllValues:StringEquals", json!("${v}"), No),
        ("ForAnyValue:StringEquals", json!("${v}"), Yes),
        ("StringNotEquals", json!("${v}"), No),
        ("StringEquals", json!("${v, 'x'}"), No),
    ] {
        check(equals(operator, value.clone()), with_v(equals(operator, value)), forth, Yes);
    }
}

#[test]
fn the_prover_decides_statements() {
    let check = |new: Json, baseline: Json, expected: Says| {
        let documents = |json: &Json| match json {
            Json::Array(items) => items.iter().map(|statements| policy(statements.clone())).collect(),
            one => vec![policy(one.clone())],
        };
        let verdict = says(&documents(&new), &documents(&baseline), Budget::default());
        assert_eq!(verdict, expected, "{new} in {baseline}");
    };
    use Says::{NotProved as No, Proved as Yes};
    let allow = |action: Json, resource: Json| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let deny = |action: &str, resource: &str| json!({"Effect": "Deny", "Action": action, "Resource": resource});
    let all = || allow(json!("*"), json!("*"));
    check(allow(json!("s3:getobject"), json!("*")), allow(json!("S3:GetObject"), json!("*")), Yes);
    check(allow(json!("s3:Get*"), json!("*")), allow(json!(["s3:GetObject", "s3:GetBucket*"]), json!("*")), No);
    check(all(), allow(json!("*:*"), json!("*")), Yes);
    check(all(), allow(json!("*"), json!("arn:*")), No);
    check(allow(json!("sqs:*"), json!("arn:aws:sqs:*:*:*")), allow(json!("sqs:*"), json!("arn:aws:sqs")), Yes);
    check(allow(json!("a:B"), json!("arn:aws:a:*:c:d")), allow(json!("a:B"), json!("arn:aws:a:*:*:d")), Yes);
    check(allow(json!("a:B"), json!("arn:aws:a:x:y:c:d")), allow(json!("a:B"), json!("arn:aws:a:*:c:d")), No);
    check(all(), json!([[all()], [deny("s3:*", "*")]]), No);
    check(json!([[all(), deny("s3:*", "*")]]), json!([[all()], [deny("s3:Get*", "*")]]), Yes);
    check(json!([[all()], [deny("s3:Get*", "*")]]), json!([[all(), deny("s3:*", "*")]]), No);
    check(json!({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}), json!([[all(), deny("s3:*", "*")]]), Yes);
    check(json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), json!([[all(), deny("s3:*", "*")]]), No);
    check(
        json!({"Effect": "Allow", "Action": "s3:*", "NotResource": ["arn:aws:s3:::a", "arn:aws:s3:::b"]}),
        json!({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::a"}),
        Yes,
    );
    check(
        json!([[allow(json!("s3:*"), json!("arn:aws:s3:::a")), allow(json!("s3:*"), json!("arn:aws:s3:::b"))]]),
        allow(json!("s3:*"), json!(["arn:aws:s3:::b", "arn:aws:s3:::a"])),
        Yes,
    );
    let home = |tail: &str| allow(json!("s3:*"), json!(format!("arn:aws:s3:::b/${{aws:username}}{tail}")));
    check(home("/x"), home("/*"), Yes);
    check(home("/*"), home("/x"), No);
    check(home(""), allow(json!("s3:*"), json!("arn:aws:s3:::b/*")), Yes);
    check(allow(json!("s3:*"), json!("arn:aws:s3:::b/*")), home("*"), No);
    // A Resource with a variable needs a value for it, and in a NotResource a missing one makes the statement match nothing.
    let tagged = |statement: Json, condition: Json| {
        let mut statement = statement;
        statement["Condition"] = condition;
        statement
    };
    check(home(""), tagged(home(""), json!({"Null": {"aws:username": "false"}})), Yes);
    check(home(""), tagged(home(""), json!({"Null": {"aws:username": "true"}})), No);
    let apart = |effect: &str| json!({"Effect": effect, "Action": "s3:*", "NotResource": "arn:aws:s3:::b/${aws:username}"});
    check(apart("Allow"), tagged(apart("Allow"), json!({"Null": {"aws:username": "false"}})), Yes);
    check(apart("Allow"), allow(json!("s3:*"), json!("*")), Yes);
    check(allow(json!("s3:*"), json!("arn:aws:s3:::c")), apart("Allow"), No);
    check(all(), json!([[all(), apart("Deny")]]), No);
    check(
        json!([[all(), tagged(deny("*", "*"), json!({"Null": {"aws:username": "false"}}))]]),
        json!([[all(), apart("Deny")]]),
        Yes,
    );
    let other = |operator: &str| tagged(all(), json!({operator: {"aws:PrincipalTag/a": "${aws:PrincipalTag/b}"}}));
    check(other("StringNotEquals"), tagged(all(), json!({"Null": {"aws:PrincipalTag/a": "false"}})), No);
    check(tagged(all(), json!({"Null": {"aws:PrincipalTag/b": "true"}})), other("StringNotEquals"), No);
    // Where an Allow and a NotResource see the resource part begin at different colons, a text fits both.
    let one = allow(json!("a:B"), json!("arn:aws:a:*:1:s/one*"));
    check(one, json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:a:*:*:s/two*"}), No);
    // Regressions, found by Z3: the baseline's NotResource needs a value that the new one has by default, or does not need.
    let except = |resources: Json| json!({"Effect": "Allow", "Action": "*", "NotResource": resources});
    let (with, without) = ("arn:aws:s3:::b/${aws:username, 'bob'}/*", "arn:aws:s3:::b/${aws:username}");
    check(except(json!(["arn:aws:s3:::b*", with])), except(json!(without)), No);
    check(except(json!("arn:aws:s3:::b/*")), except(json!(["arn:aws:s3:::b/x", without])), No);
    check(except(json!(["arn:aws:s3:::b*", without])), except(json!(without)), Yes);
    check(except(json!("arn:aws:s3:::b*")), except(json!(with)), Yes);
    // What the variable stands for is a part of the resource that is found.
    check(home("*"), home(""), No);
    check(tagged(home("/*"), json!({"StringNotEquals": {"aws:username": ""}})), home("/x"), No);
    let account = |region: &str| allow(json!("sqs:*"), json!(format!("arn:aws:sqs:{region}:${{aws:PrincipalAccount}}:q")));
    check(account("eu"), allow(json!("sqs:*"), json!("arn:aws:sqs:*:*:q")), Yes);
    check(allow(json!("sqs:*"), json!("arn:aws:sqs:*:*:q")), account("*"), No);
}

#[test]
fn sixteen_overlapping_patterns_do_not_multiply() {
    let letters = "abcdefghijklmnopq".as_bytes();
    let many: Vec<String> = letters.windows(2).map(|w| format!("arn:aws:s3:::*{}{}*", w[0] as char, w[1] as char)).collect();
    let baseline = [policy(json!({"Effect": "Allow", "Action": "*", "Resource": many}))];
    let one = [policy(json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::*cd*"}))];
    let more = [policy(json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::*c*"}))];
    assert_eq!(says(&one, &baseline, Budget { steps: 100_000 }), Says::Proved);
    assert_eq!(says(&more, &baseline, Budget { steps: 100_000 }), Says::NotProved);
    assert_eq!(says(&more, &baseline, Budget { steps: 10 }), Says::Refused);
}

#[test]
fn replay_tells_denied_from_undetermined() {
    let policies = |condition: Json| {
        vec![policy(json!({"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*", "Condition": condition}))]
    };
    let call = |action: &str, known: Json, absent: &[&str]| Call {
        action: action.into(),
        resource: "arn:aws:s3:::b/k".into(),
        context: context(&known),
        absent: absent.iter().map(|key| (*key).to_owned()).collect(),
        label: String::new(),
    };
    let calls = [
        call("s3:GetObject", json!({"k": "a"}), &[]),
        call("s3:GetObject", json!({"k": "b"}), &[]),
        call("s3:GetObject", json!({}), &["k"]),
        call("s3:GetObject", json!({}), &[]),
        call("s3:PutObject", json!({}), &[]),
    ];
    let new = policies(json!({"StringEquals": {"k": "a"}}));
    let result = replay(&new, &policies(json!({"StringLike": {"k": "a"}})), &calls);
    assert_eq!(result.allowed, 1);
    assert_eq!(result.denied.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [1, 2, 4]);
    assert_eq!(result.undetermined, [(3, vec!["k".to_owned()])]);
    let result = replay(&new, &new, &calls);
    assert_eq!((result.allowed, result.undetermined.len()), (2, 0));
    let narrow = [policy(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]))];
    let result = replay(&narrow, &new, &calls);
    assert_eq!(result.undetermined.len(), 5, "an undecided Deny decides nothing");
    assert_eq!(replay(&narrow, &narrow, &calls).allowed, 5);
    let segments = [policy(json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:*:b/k:*:*:*"}))];
    assert_eq!(replay(&segments, &segments, &calls).denied.len(), 5, "both readings have to allow");
}

#[test]
fn replay_knows_what_a_variable_may_stand_for() {
    let team = |effect: &str, element: &str| {
        vec![policy(json!([
            {"Effect": "Allow", "Action": "s3:*", "Resource": if effect == "Deny" { "*" } else { "arn:aws:s3:::none" }},
            {"Effect": effect, "Action": "s3:*", element: "arn:aws:s3:::b/${aws:PrincipalTag/team}/*"},
        ]))]
    };
    let known = |value: &str| (json!({"aws:principaltag/team": value}), vec![]);
    let absent = || (json!({}), vec!["aws:principaltag/team".to_owned()]);
    let unknown = || (json!({}), vec![]);
    let check = |policies: &[Document], resource: &str, (with, absent): (Json, Vec<String>), expected: &str| {
        let call = Call {
            action: "s3:GetObject".into(),
            resource: format!("arn:aws:s3:::{resource}"),
            context: context(&with),
            absent: absent.into_iter().collect(),
            label: String::new(),
        };
        let result = replay(policies, &[], &[call]);
        let said = match (result.allowed, result.denied.as_slice(), result.undetermined.as_slice()) {
            (1, [], []) => "allowed",
            (0, [_], []) => "denied",
            (0, [], [(0, keys)]) if *keys == ["aws:principaltag/team"] => "undetermined",
            _ => panic!("{result:?}"),
        };
        assert_eq!(said, expected, "{resource} {with}");
    };
    let own = team("Allow", "Resource");
    check(&own, "b/red/x", known("red"), "allowed");
    check(&own, "b/red/x", known("blue"), "denied");
    check(&own, "b/red/x", absent(), "denied");
    check(&own, "b/red/x", unknown(), "undetermined");
    check(&own, "c/red/x", unknown(), "denied");
    let others = team("Allow", "NotResource");
    check(&others, "b/red/x", known("red"), "denied");
    check(&others, "b/red/x", known("blue"), "allowed");
    check(&others, "b/red/x", absent(), "denied");
    check(&others, "b/red/x", unknown(), "undetermined");
    check(&others, "c/red/x", unknown(), "undetermined");
    let not_own = team("Deny", "Resource");
    check(&not_own, "b/red/x", known("red"), "denied");
    check(&not_own, "b/red/x", known("blue"), "allowed");
    check(&not_own, "b/red/x", absent(), "allowed");
    check(&not_own, "b/red/x", unknown(), "undetermined");
    check(&not_own, "c/red/x", unknown(), "allowed");
    let two = vec![policy(
        json!({"Effect": "Allow", "Action": "*", "Resource": ["arn:aws:s3:::x", "arn:aws:s3:::b/${k}/${aws:PrincipalTag/team}"]}),
    )];
    check(&two, "b/red/x", (json!({"k": "red"}), vec![]), "undetermined");
    check(&two, "b/red/x", (json!({"k": "blue"}), vec![]), "denied");
    check(&two, "b/red/x", (json!({"k": "red", "aws:principaltag/team": "x"}), vec![]), "allowed");
    let known = vec![policy(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"k": "red", "l": "red"}}},
    ]))];
    check(&known, "b", (json!({"k": "red", "l": "red"}), vec![]), "denied");
    check(&known, "b", (json!({"k": "red", "l": "blue"}), vec![]), "allowed");
    let test = vec![policy(
        json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"k": "${aws:PrincipalTag/team}"}}}),
    )];
    check(&test, "b", (json!({"k": "red", "aws:principaltag/team": "red"}), vec![]), "allowed");
    check(&test, "b", (json!({"k": "red", "aws:principaltag/team": "blue"}), vec![]), "denied");
    check(&test, "b", (json!({"k": "red"}), vec![]), "undetermined");
}

#[test]
fn replay_asks_the_baseline_where_a_condition_is_open() {
    let allow = |resource: &str, conditions: Json| json!({"Effect": "Allow", "Action": "s3:*", "Resource": resource, "Condition": conditions});
    let deny = |resource: &str, conditions: Json| json!({"Effect": "Deny", "Action": "s3:*", "Resource": resource, "Condition": conditions});
    let (vpc, tls) = (json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}), json!({"Bool": {"aws:SecureTransport": "false"}}));
    let both = json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}, "Bool": {"aws:SecureTransport": "false"}});
    let call = Call { action: "s3:GetObject".into(), resource: "arn:aws:s3:::b/k".into(), ..Call::default() };
    let check = |new: Json, baseline: Json, expected: (usize, usize, usize)| {
        let result = replay(&[policy(new.clone())], &[policy(baseline.clone())], std::slice::from_ref(&call));
        let said = (result.allowed, result.denied.len(), result.undetermined.len());
        assert_eq!(said, expected, "allowed, denied, undetermined: {new} after {baseline}");
    };
    let (object, elsewhere) = ("arn:aws:s3:::b/*", "arn:aws:s3:::c/*");
    check(allow(object, vpc.clone()), allow(object, vpc.clone()), (1, 0, 0));
    check(allow("arn:aws:s3:::b/k", vpc.clone()), allow("*", vpc.clone()), (1, 0, 0));
    check(allow(object, vpc.clone()), allow(elsewhere, vpc.clone()), (0, 0, 1));
    check(allow(object, vpc.clone()), allow(object, tls.clone()), (0, 0, 1));
    check(allow(object, vpc.clone()), allow(object, both.clone()), (1, 0, 0));
    check(allow(object, both.clone()), allow(object, vpc.clone()), (0, 0, 1));
    check(allow(object, vpc.clone()), deny(object, vpc.clone()), (0, 0, 1));
    let teams = "arn:aws:s3:::b/${aws:PrincipalTag/team}*";
    check(allow(teams, json!({})), allow(teams, json!({})), (1, 0, 0));
    check(allow(teams, json!({})), allow(object, vpc.clone()), (0, 0, 1));
    check(allow(object, vpc.clone()), allow(teams, vpc.clone()), (0, 0, 1));
    lists_are_compared_pattern_by_pattern(&check);
    let open = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    check(json!([open, deny(object, tls.clone())]), json!([open, deny("*", tls.clone())]), (1, 0, 0));
    check(json!([open, deny(object, both.clone())]), json!([open, deny("*", tls.clone())]), (1, 0, 0));
    check(json!([open, deny(object, tls.clone())]), json!([open, deny("*", both.clone())]), (0, 0, 1));
    check(json!([open, deny(elsewhere, tls.clone())]), open.clone(), (1, 0, 0));
    check(json!([open, allow(object, vpc), deny(elsewhere, json!({}))]), open.clone(), (1, 0, 0));
    check(json!([open, deny(object, tls)]), open, (0, 0, 1));
}

/// Of a list with variables, what matters is what may have let this call through.
fn lists_are_compared_pattern_by_pattern(check: &dyn Fn(Json, Json, (usize, usize, usize))) {
    let of = |effect: &str, element: &str, list: &[&str]| json!({"Effect": effect, "Action": "s3:*", element: list});
    let allow = |list: &[&str]| of("Allow", "Resource", list);
    let (team, color, whole, other) = (
        "arn:aws:s3:::b/${aws:PrincipalTag/team}*",
        "arn:aws:s3:::b/${aws:PrincipalTag/color}*",
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::c/*",
    );
    check(allow(&[team]), allow(&[other, team]), (1, 0, 0));
    check(allow(&["arn:aws:s3:::c/k", team]), allow(&[team, other]), (1, 0, 0));
    check(allow(&[team, color, other]), allow(&[color, team]), (1, 0, 0));
    check(allow(&[team, color]), allow(&[team]), (1, 0, 0));
    // The other pattern may be the one that let the call through.
    check(allow(&[team]), allow(&[team, color]), (0, 0, 1));
    check(allow(&[team]), allow(&[team, whole]), (0, 0, 1));
    check(allow(&["arn:aws:s3:::b/${aws:PrincipalTag/team}"]), allow(&[team]), (0, 0, 1));
    // What has to match nothing is no list of this kind, and a Deny has to be the same.
    check(of("Allow", "NotResource", &[team]), of("Allow", "NotResource", &[team]), (1, 0, 0));
    check(of("Allow", "NotResource", &[team]), of("Allow", "NotResource", &[team, other]), (0, 0, 1));
    check(of("Allow", "NotResource", &[team, other]), of("Allow", "NotResource", &[team]), (0, 0, 1));
    check(allow(&[team]), of("Allow", "NotResource", &[team]), (0, 0, 1));
    let denied = |list: &[&str]| json!([allow(&["*"]), of("Deny", "Resource", list)]);
    check(denied(&[team, other]), denied(&[team, other]), (1, 0, 0));
    check(denied(&[team]), denied(&[team, other]), (0, 0, 1));
    check(denied(&[team, other]), denied(&[team]), (0, 0, 1));
}
