//! Generated templates with hostile names: whatever stands around a section survives it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeMap;

use policyc::emit::render::{About, SectionTemplates};
use policyc::emit::separate::attach;
use policyc::emit::{Injection, inject};
use policyc::stack::config::AttachAs;
use policyc::template::{Document, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const ARN: &str = "arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM";

fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "'",
        "\"",
        "\n",
        "\r\n",
        "\t",
        "${",
        "}",
        "${AWS::Region}",
        "*",
        "#",
        " #",
        ": ",
        ":",
        "- ",
        "é",
        "→",
        "\u{1b}[31m",
        "\u{2028}",
        "\u{feff}",
        "\\",
        "/",
        "|",
        ">",
        "&a",
        "*a",
        "!Ref x",
        "<<",
        "{",
        "]",
        ",",
        "%",
        "@",
        "`",
        "~",
        "null",
        "yes",
        "0x1",
        "1e3",
        "2012-10-17",
        "---",
        "...",
        " ",
        "a",
        "Policies:",
        "ManagedPolicyArns",
    ]);
    prop::collection::vec(parts, 1..6).prop_map(|parts| parts.concat())
}

/// A text in double quotes, as YAML and JSON both read it.
fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap();
    json.replace('\u{2028}', "\\u2028").replace('\u{feff}', "\\ufeff")
}

/// A template in one of the styles, these names in every place that takes one.
fn template(names: &[String], style: usize) -> String {
    let q: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let comment: String = names[0].chars().filter(|c| !c.is_control() && !['\u{2028}', '\u{feff}'].contains(c)).collect();
    if style == 0 {
        return format!(
            "# {comment}\nDescription: {a}\nMetadata:\n  {b}: {c} # {comment}\nResources:\n  {d}:\n    Type: {a}\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      \
             Path: {b} # {comment}\n      ManagedPolicyArns:\n      - {c}\n      # {comment}\n      - {ARN} # {comment}\n      - {d}\n      Policies:\n      - PolicyName: {a}\n        \
             PolicyDocument: {{{b}: {c}}}\nOutputs:\n  {d}: {{Value: {b}}}\n",
            a = q[0],
            b = q[1],
            c = q[2],
            d = q[3],
        );
    }
    let value = json!({"Description": names[0], "Metadata": {&names[1]: names[2]}, "Resources": {
        &names[3]: {"Type": names[0]},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"Path": names[1], "ManagedPolicyArns": [names[2], ARN, names[3]],
            "Policies": [{"PolicyName": names[0], "PolicyDocument": {&names[1]: names[2]}}]}},
    }, "Outputs": {&names[3]: {"Value": names[1]}}});
    if style == 1 { value.to_string() } else { serde_json::to_string_pretty(&value).unwrap() }
}

fn read(bytes: &[u8]) -> Json {
    Value::read(Document::parse(bytes).unwrap().root()).unwrap().to_json()
}

fn injection(names: &[String], text: &str) -> Injection {
    Injection {
        role: "Role".into(),
        remove_managed: vec!["AmazonEC2RoleforSSM".into()],
        policy_name: "derived".into(),
        section: Value::map([("Statement", Value::list([Value::map([(text, Value::text(text))])]))]),
        regional: Vec::new(),
        comments: names.to_vec(),
    }
}

proptest! {
    /// Names in comments stay in them, and names in the policy come out as they are.
    #[test]
    fn a_rendered_section_is_the_policy_whatever_it_is_called(names in prop::collection::vec(hostile(), 6)) {
        let statement = |name: &str| Value::map([("Sid", Value::text(name)), (name, Value::tagged("Sub", Value::text(name)))]);
        prop_assume!(names.iter().all(|name| name != "Sid" && name != "Statement"));
        let statements = Value::list(names[..3].iter().map(|name| statement(name)));
        let document = Value::map([("Version", Value::text(&names[0])), ("Statement", statements)]);
        let reasons: BTreeMap<String, Vec<String>> = names[..3].iter().map(|name| (name.clone(), names.clone())).collect();
        for (endpoint, from) in [(false, ""), (true, ""), (false, &names[3])] {
            let about = About { id: &names[3], endpoint, from, baseline: &names[4], command: &names[5] };
            let section = SectionTemplates::default().render(&about, &document, &reasons).unwrap();
            prop_assert_eq!(section.document.to_json().to_string(), document.to_json().to_string());
            let Some(Value::Seq(items)) = section.document.get("Statement") else { panic!("no statements") };
            prop_assert!(items.iter().all(|item| item.comments.len() == names.len()));
            prop_assert_eq!(section.comments.len(), if from.is_empty() { 3 } else { 2 });
        }
    }

    #[test]
    fn names_survive(names in prop::collection::vec(hostile(), 4), style in 0..3usize) {
        prop_assume!(names[3] != "Role");
        let text = template(&names, style);
        let (first, second) = (injection(&names, &names[0]), injection(&[], "plain"));
        let one = inject(text.as_bytes(), &first).unwrap().bytes;
        let mut meant = read(text.as_bytes());
        let properties = &mut meant["Resources"]["Role"]["Properties"];
        properties["ManagedPolicyArns"].as_array_mut().unwrap().remove(1);
        let section = json!({"PolicyName": "derived", "PolicyDocument": first.section.to_json()});
        properties["Policies"].as_array_mut().unwrap().push(section);
        prop_assert_eq!(read(&one).to_string(), meant.to_string());
        prop_assert!(!one.contains(&0x1b));
        prop_assert!(!inject(&one, &first).unwrap().changed);
        let other = inject(&one, &second).unwrap().bytes;
        prop_assert_eq!(&inject(&other, &first).unwrap().bytes, &one);
        let apart = attach(text.as_bytes(), &first, AttachAs::RolePolicy).unwrap().bytes;
        prop_assert_eq!(&read(&apart)["Resources"]["RoleDerivedPolicy"]["Properties"]["PolicyDocument"], &first.section.to_json());
        prop_assert_eq!(&read(&apart)["Metadata"], &meant["Metadata"]);
        prop_assert!(!attach(&apart, &first, AttachAs::RolePolicy).unwrap().changed);
    }
}
