//! What injection refuses, what it says, who uses a role, and what becomes portable.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeMap;

use policyc::emit::portable::{Named, PortableNote};
use policyc::emit::references::References;
use policyc::emit::{
    Ejection, InjectError, Injection, Note, ResolveError, StackValues, Substitutions, eject, inject, portable, resolve, roles,
};
use policyc::template::{Document, TemplateError, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const ARN: &str = "arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM";

/// A template whose role has these properties, written as lines of YAML.
fn template(properties: &str) -> String {
    let lines: String = properties.lines().map(|line| format!("      {line}\n")).collect();
    format!("Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: {{}}\n{lines}")
}

fn injection() -> Injection {
    Injection {
        role: "Role".into(),
        remove_managed: vec!["AmazonEC2RoleforSSM".into()],
        policy_name: "derived".into(),
        section: Value::map([("Version", Value::text("2012-10-17")), ("Statement", Value::list([]))]),
        regional: Vec::new(),
        comments: Vec::new(),
    }
}

fn run(text: &str) -> Result<(String, Vec<Note>), InjectError> {
    let injected = inject(text.as_bytes(), &injection())?;
    Ok((String::from_utf8(injected.bytes).unwrap(), injected.notes))
}

#[test]
fn what_cannot_be_edited_faithfully_is_refused_and_explained() {
    let check = |text: &str, message: &str| assert_eq!(run(text).unwrap_err().to_string(), message, "{text}");
    check("a: [", "line 1, column 4: unclosed bracket '['");
    check("Resources: {}", "the template has no role `Role`; its roles are: none");
    check(
        "Resources:\n  A:\n    Type: AWS::IAM::Role\n  B:\n    Type: AWS::IAM::Role\n",
        "the template has no role `Role`; its roles are: `A`, `B`",
    );
    check("Resources:\n  Role:\n    Type: AWS::S3::Bucket\n", "`Role` is of type `AWS::S3::Bucket`, not `AWS::IAM::Role`");
    check("Resources:\n  Role:\n    Type: AWS::IAM::Role\n", "`Properties` of role `Role` is not written out as a mapping");
    check(
        "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties: {}\n",
        "`Properties` of role `Role` is not written out as a mapping",
    );
    check(&template("Policies: !If [A, !Ref X, []]"), "`Policies` of role `Role` is not written out as a list");
    let merge = |key: &str| {
        format!("line 6: `{key}` comes from a merge (`<<`), and belongs to every mapping that merges it; write it out here")
    };
    for (key, value) in [("ManagedPolicyArns", format!("[{ARN}]")), ("Policies", "[]".to_owned())] {
        check(&template(&format!("<<: {{{key}: {value}}}")), &merge(key));
        check(&template(&format!("<<: [{{}}, {{<<: {{{key}: {value}}}}}]")), &merge(key));
    }
    check(
        &template("Fn::Transform: {Name: AWS::Include, Parameters: {Location: x}}"),
        "the properties of role `Role` are completed by `Fn::Transform`; inject into what it includes, or write them out here",
    );
    check(
        &template(&format!("Fn::ForEach::P: [K, [ManagedPolicyArns], {{'${{K}}': [{ARN}]}}]")),
        "the properties of role `Role` are completed by the loop `Fn::ForEach::P` when the stack is deployed; write them out here",
    );
    let none = "line 6: `ManagedPolicyArns` takes a list, and this is none; write it as one: `- ARN`";
    for value in [ARN, "'x'", "{a: b}", "{}", &format!("!If [A, {ARN}, [x]]")] {
        check(&template(&format!("ManagedPolicyArns: {value}")), none);
    }
    let anchored = template(&format!("ManagedPolicyArns: [&ssm {ARN}, x]"));
    let shared = "line 6: an alias shares this with another place, and a change here would change that too";
    check(&format!("{anchored}Again: *ssm\n"), shared);
    // A second anchor of the name would silently take over.
    check(&format!("First: &ssm other\n{anchored}Again: *ssm\n"), &shared.replace('6', "7"));
    let shared = template(&format!("ManagedPolicyArns: &arns [{ARN}, x]"));
    check(
        &format!("{shared}Again: *arns\n"),
        "line 6: an alias shares this with another place, and a change here would change that too",
    );
    check(
        &format!("Arns: &arns [{ARN}]\n{}", template("ManagedPolicyArns: *arns")),
        "line 7: an alias shares this with another place, and a change here would change that too",
    );
    let parameter = "the managed policy is the default of parameter `P`; change the default, or the stack's parameter, by hand";
    for use_of in ["!Ref P", "[!Ref P]", "[!Join ['', !Ref P]]", "!Split [',', !Ref P]", "!If [A, !Ref P, []]"] {
        let parameters = format!("Parameters:\n  P:\n    Default: 'x, {ARN}'\n");
        check(&format!("{parameters}{}", template(&format!("ManagedPolicyArns: {use_of}"))), parameter);
    }
    // A policy that functions make must not stay attached unseen.
    let made = |line: usize| {
        format!(
            "line {line}: the managed policy's name goes through functions from here into `ManagedPolicyArns`; write its ARN out in the role first"
        )
    };
    for entry in [
        "!Join ['', !FindInMap [M, a, A]]",
        "!FindInMap [M, !Ref AWS::Region, A]",
        "!FindInMap [!Ref X, a, A]",
        "!Select [0, !FindInMap [M, a, A]]",
    ] {
        let maps = format!("Mappings:\n  M: {{a: {{A: {ARN}}}, b: {{A: x}}}}\n");
        for list in [format!("[{entry}, x]"), format!("!Split [',', {entry}]")] {
            check(&format!("{maps}{}", template(&format!("ManagedPolicyArns: {list}"))), &made(2));
        }
    }
    check(&template(&format!("ManagedPolicyArns: !Split [',', 'x,{ARN}']")), &made(6));
    check(&template(&format!("ManagedPolicyArns: [!Select [0, [{ARN}, x]]]")), &made(6));
    check(&template(&format!("ManagedPolicyArns: ['Fn::Join': ['', {{'Fn::If': [A, [{ARN}], [x]]}}]]")), &made(6));
    check(&template(&format!("ManagedPolicyArns: [!Join ['', !If [A, [{ARN}], [x]]]]")), &made(6));
    check(&template(&format!("ManagedPolicyArns: [!Join [':', !Split ['|', '{}']]]", ARN.replace(':', "|"))), &made(6));
    let parts = "Mappings:\n  M: {a: {A: ['arn:aws:iam::aws:policy/service-role', AmazonEC2RoleforSSM]}}\n";
    check(&format!("{parts}{}", template("ManagedPolicyArns: [!Join ['/', !FindInMap [M, a, A]]]")), &made(2));
    let name = "Parameters:\n  P:\n    Default: service-role/AmazonEC2RoleforSSM\n";
    check(&format!("{name}{}", template("ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/${P}']")), parameter);
    let twice = "role `Role` has the policy under more conditions than the section can follow, or beside another policy in one `Fn::If`; attach it under one condition, and derive again";
    let entries = |n: usize| (0..n).map(|n| format!("\n- !If [C{n}, {ARN}, x]")).collect::<String>();
    check(&template(&format!("ManagedPolicyArns:{}", entries(5))), twice);
    check(&template(&format!("ManagedPolicyArns:{}", entries(500))), twice);
    check(&template("Policies:\n- !If\n  - A\n  - PolicyName: derived\n  - PolicyName: other"), twice);
}

/// Anchors that each stand for the one before several times.
fn laughs(first: &str, next: impl Fn(&str) -> String, count: usize) -> String {
    let line = |n: usize| format!("  a{n}: &a{n} {}\n", if n == 0 { first.to_owned() } else { next(&format!("*a{}", n - 1)) });
    (0..count).map(line).collect()
}

#[test]
fn aliases_of_aliases_take_no_time() {
    let refused = |line: usize| format!("line {line}: aliases make more of this than can be followed; write it out");
    for next in ["[@, @, @]", "!Join ['', [@, @, @]]", "!If [A, @, @]"] {
        for (list, line) in [(format!("ManagedPolicyArns: [{ARN}, *a39]"), 47), ("Policies: [*a39]".to_owned(), 47)] {
            let text = format!("Metadata:\n{}{}", laughs("[x]", |alias| next.replace('@', alias), 40), template(&list));
            assert_eq!(run(&text).unwrap_err().to_string(), refused(line), "{next}");
            assert_eq!(roles(&Document::parse(text.as_bytes()).unwrap()).len(), 1);
        }
    }
    // Elsewhere they are nobody's matter, and what functions take from there is still looked into, once.
    for (first, made) in [("[x]", false), ("[AmazonEC2RoleforSSM]", true)] {
        let text = laughs(first, |alias| format!("[{alias}, {alias}, {alias}]"), 40);
        let text = format!("Mappings:\n{text}{}", template("ManagedPolicyArns: [!FindInMap [a39, x, y]]"));
        match run(&text) {
            Err(InjectError::Made { line }) => assert!(made && line == 2),
            other => assert!(!made && other.is_ok(), "{other:?}"),
        }
    }
}

#[test]
fn what_only_looks_like_the_managed_policy_stays() {
    for entry in [
        "!Ref AmazonEC2RoleforSSM",
        "!Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/AmazonEC2RoleforSSM'",
        "!Sub 'arn:${AWS::Partition}:iam::aws:policy/${P}'",
        "!FindInMap [M, a, A]",
        "!ImportValue x-AmazonEC2RoleforSSM",
    ] {
        let rest = "Parameters:\n  P:\n    Default: Other\nMappings:\n  M: {a: {A: AmazonEC2RoleforSSMplus}}\n  N: {a: {A: AmazonEC2RoleforSSM}}\n";
        let (text, notes) = run(&format!("{rest}{}", template(&format!("ManagedPolicyArns: [{entry}]")))).unwrap();
        assert!(text.contains(&format!("ManagedPolicyArns: [{entry}]")) && notes.contains(&Note::NothingReplaced), "{text}");
    }
}

#[test]
fn a_section_that_does_not_read_back_is_never_handed_out() {
    // A number that is none: the caller's mistake, caught before anything is written.
    let request = Injection { section: Value::list([Value::Number("~".into())]), ..injection() };
    let error = inject(template("Path: /").as_bytes(), &request).unwrap_err();
    assert_eq!(error, InjectError::Unfaithful("the section is not what was put in"));
}

#[test]
fn ejecting_what_is_not_there_is_refused() {
    let request = Ejection { role: "Role".into(), policy_name: "derived".into(), managed: "X".into() };
    let check = |text: &str, message: &str| assert_eq!(eject(text.as_bytes(), &request).unwrap_err().to_string(), message);
    check(&template("Path: /"), "role `Role` has no inline policy `derived`");
    check(
        &template("ManagedPolicyArns: !Ref X\nPolicies:\n- PolicyName: derived"),
        "`ManagedPolicyArns` of role `Role` is not written out as a list",
    );
    check("Resources: {}", "the template has no role `Role`; its roles are: none");
    assert!(matches!(eject(b"\xff", &request), Err(InjectError::Template(TemplateError::Encoding(0)))));
}

#[test]
fn the_section_stands_under_the_conditions_of_the_managed_policy() {
    let check = |properties: &str, conditions: &[&str], expected: Json| {
        let (text, notes) = run(&template(properties)).unwrap();
        let wanted = Note::Conditional { conditions: conditions.iter().map(|&c| c.to_owned()).collect() };
        assert_eq!(notes.contains(&wanted), !conditions.is_empty(), "{notes:?}");
        let doc = Document::parse(text.as_bytes()).unwrap();
        let role = Value::read(doc.get(&["Resources", "Role", "Properties"]).unwrap()).unwrap().to_json();
        let none = json!(null);
        let found = json!([role.get("ManagedPolicyArns").unwrap_or(&none), role["Policies"]]);
        assert_eq!(found, expected, "{text}");
        let (again, _) = run(&text).unwrap();
        assert_eq!(again, text, "injecting twice");
    };
    let section = json!({"PolicyName": "derived", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}});
    let absent = json!({"Ref": "AWS::NoValue"});
    let when = |condition: &str, yes: &Json, no: &Json| json!({"Fn::If": [condition, yes, no]});
    check(&format!("ManagedPolicyArns: [{ARN}]"), &[], json!([null, [section]]));
    check(&format!("ManagedPolicyArns: !If [A, [{ARN}], []]"), &["A"], json!([null, [when("A", &section, &absent)]]));
    check(
        &format!("ManagedPolicyArns: !If [A, [x], [y, {ARN}]]"),
        &["A"],
        json!([when("A", &json!(["x"]), &json!(["y"])), [when("A", &absent, &section)]]),
    );
    check(
        &format!("ManagedPolicyArns: [x, 'Fn::If': [A, {ARN}, y]]"),
        &["A"],
        json!([["x", when("A", &absent, &json!("y"))], [when("A", &section, &absent)]]),
    );
    let nested = format!("ManagedPolicyArns:\n- !If [A, !If [B, y, {ARN}], !Ref 'AWS::NoValue']\n- z");
    check(
        &nested,
        &["A", "B"],
        json!([[when("A", &when("B", &json!("y"), &absent), &absent), "z"], [when("A", &when("B", &absent, &section), &absent)]]),
    );
    check(
        &format!("ManagedPolicyArns: !If [A, [{ARN}, x], [{ARN}]]"),
        &[],
        json!([when("A", &json!(["x"]), &absent), [section]]),
    );
    check(&format!("ManagedPolicyArns: [!If [A, {ARN}, x], {ARN}]"), &[], json!([[when("A", &absent, &json!("x"))], [section]]));
    check(
        "Policies:\n- !If [A, {PolicyName: derived}, !Ref AWS::NoValue]",
        &["A"],
        json!([null, [when("A", &section, &absent)]]),
    );
    let other = json!({"PolicyName": "other"});
    let chosen = "Policies: !If [A, [{PolicyName: other}], !Ref AWS::NoValue]";
    check(
        &format!("ManagedPolicyArns: [!If [A, {ARN}, x], !If [B, {ARN}, x]]"),
        &["A", "B"],
        json!([
            [when("A", &absent, &json!("x")), when("B", &absent, &json!("x"))],
            [when("A", &section, &when("B", &section, &absent))]
        ]),
    );
    check(
        &format!("ManagedPolicyArns: [{ARN}]\n{chosen}"),
        &[],
        json!([null, when("A", &json!([other, section]), &json!([section]))]),
    );
    check(
        &format!("ManagedPolicyArns: !If [A, [{ARN}], [x]]\n{chosen}"),
        &["A"],
        json!([when("A", &absent, &json!(["x"])), when("A", &json!([other, section]), &absent)]),
    );
    check(
        &format!("ManagedPolicyArns: !If [B, [{ARN}], [x]]\n{chosen}"),
        &["B"],
        json!([
            when("B", &absent, &json!(["x"])),
            when("A", &json!([other, when("B", &section, &absent)]), &json!([when("B", &section, &absent)]))
        ]),
    );
    check(
        &format!(
            "ManagedPolicyArns: [{ARN}]\nPolicies:\n  Fn::If:\n  - A\n  - - PolicyName: other\n  - !If [B, [], [PolicyName: derived]]\n"
        ),
        &[],
        json!([null, when("A", &json!([other, section]), &when("B", &json!([section]), &json!([section])))]),
    );
    check("<<: {Path: /}\nPath: /x", &[], json!([null, [section]]));
    check(
        "Policies:\n- PolicyName: derived\n- PolicyName: other\n- PolicyName: derived\n",
        &[],
        json!([null, [section, {"PolicyName": "other"}]]),
    );
}

#[test]
fn a_managed_policy_is_known_by_name_path_or_arn() {
    let gone = |entry: &str, wanted: &str| {
        let text = template(&format!("ManagedPolicyArns: [keep, {entry}]"));
        let request = Injection { remove_managed: vec![wanted.to_owned()], ..injection() };
        let injected = inject(text.as_bytes(), &request).unwrap();
        !injected.notes.contains(&Note::NothingReplaced)
    };
    for wanted in [
        "AmazonEC2RoleforSSM",
        "amazonec2ROLEFORssm",
        "service-role/AmazonEC2RoleForSSM",
        ARN,
        "arn:aws-cn:iam::aws:policy/service-role/AmazonEC2RoleforSSM",
    ] {
        assert!(gone(ARN, wanted), "{wanted}");
        assert!(gone("!Sub 'arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonEC2RoleforSSM'", wanted), "{wanted}");
    }
    assert!(gone(
        "!Join ['/', [!Sub 'arn:${AWS::Partition}:iam::aws:policy', service-role, AmazonEC2RoleforSSM]]",
        "AmazonEC2RoleforSSM"
    ));
    assert!(gone("arn:aws:iam::123456789012:policy/team/Base", "arn:aws:iam::123456789012:policy/team/Base"));
    assert!(gone(
        "!Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/team/Base'",
        "arn:aws:iam::123456789012:policy/team/Base"
    ));
    for (entry, wanted) in [
        ("arn:aws:iam::aws:policy/NotAmazonEC2RoleforSSM", "AmazonEC2RoleforSSM"),
        ("arn:aws:iam::aws:policy/AmazonEC2RoleforSSM2", "AmazonEC2RoleforSSM"),
        // A customer's own policy of that name is another policy.
        ("arn:aws:iam::123456789012:policy/AmazonEC2RoleforSSM", "AmazonEC2RoleforSSM"),
        ("arn:aws:iam::123456789012:policy/Base", "arn:aws:iam::210987654321:policy/Base"),
        ("!Ref Somewhere", "AmazonEC2RoleforSSM"),
        ("!ImportValue x", "AmazonEC2RoleforSSM"),
    ] {
        assert!(!gone(entry, wanted), "{entry} for {wanted}");
    }
}

#[test]
fn comments_of_what_goes_are_moved_or_named() {
    let (text, notes) = run(&template(&format!("ManagedPolicyArns:\n# why\n- {ARN} # when\n# other\n- x\nPath: /"))).unwrap();
    assert!(
        text.contains("# other\n      - x\n")
            && text.contains("      # why\n      # when\n      # Generated by policyc\n      - PolicyName: derived\n"),
        "{text}"
    );
    assert_eq!(notes, []);
    let (text, notes) =
        run(&template(&format!("ManagedPolicyArns:\n# why\n- {ARN}\nPolicies: [{{PolicyName: other}}]"))).unwrap();
    assert_eq!(notes, [Note::CommentsDropped(vec!["why".into()])], "{text}");
    let (_, notes) = run(&template("Policies:\n- PolicyName: derived\n  PolicyDocument: {}")).unwrap();
    assert_eq!(notes, [Note::Unmarked]);
    let (_, notes) = run(&template("Path: /")).unwrap();
    assert_eq!(notes, [Note::NothingReplaced]);
    // Entries that are commented out stand below the one that goes, and belong to somebody.
    for properties in [
        format!("ManagedPolicyArns:\n  - {ARN}\n  # - one\n  # - two\nPath: /"),
        format!("ManagedPolicyArns:\n- {ARN}\nPolicies:\n  # - one\n  # - two\nPath: /"),
        format!("ManagedPolicyArns:\n- {ARN}\nPolicies: # - one\n  # - two\nPath: /"),
        format!("Path: /\nManagedPolicyArns:\n  - {ARN}\n  # - one\n  # - two"),
    ] {
        let (text, notes) = run(&template(&properties)).unwrap();
        let kept = ["# - one\n", "# - two\n", "# Generated by policyc\n", "- PolicyName: derived\n"];
        let lines: Vec<String> = text.lines().skip_while(|l| !l.contains("one")).map(|l| format!("{}\n", l.trim())).collect();
        assert_eq!(lines[..4], kept, "{text}");
        assert_eq!((run(&text).unwrap().0, notes), (text, vec![]));
    }
}

#[test]
fn a_section_among_the_arguments_of_a_function_has_its_comments_above() {
    let properties = format!(
        "ManagedPolicyArns:\n- {ARN} # TICKET\nPolicies:\n  Fn::If:\n  - B\n  # nothing\n  - !Ref AWS::NoValue\n  - - PolicyName: other"
    );
    let (one, notes) = run(&template(&properties)).unwrap();
    let above = "# nothing\n        # TICKET\n        # Generated by policyc\n        - - PolicyName: derived\n";
    assert!(one.contains(above) && notes.is_empty(), "{one}");
    assert_eq!(run(&one).unwrap(), (one.clone(), vec![]));
    let other = Injection { comments: vec!["of another".into()], section: Value::map([("a", Value::Null)]), ..injection() };
    let other = String::from_utf8(inject(one.as_bytes(), &other).unwrap().bytes).unwrap();
    assert!(other.contains("# TICKET\n        # Generated by policyc\n        # of another\n        - - PolicyName"), "{other}");
    assert_eq!(run(&other).unwrap().0, one);
}

#[test]
fn injecting_again_finds_the_style_that_it_found_before() {
    let quoted = "Description: \"for web servers\"";
    for policies in ["!If [C, [{PolicyName: other, PolicyDocument: {}}], !Ref AWS::NoValue]", "!If [C, [], [{PolicyName: x-y}]]"]
    {
        let (text, _) = run(&template(&format!("{quoted}\nManagedPolicyArns: [{ARN}]\nPolicies: {policies}"))).unwrap();
        assert_eq!(run(&text).unwrap().0, text, "{policies}");
    }
}

#[test]
fn the_last_line_may_go_where_another_comes() {
    let end = format!("      ManagedPolicyArns: [{ARN}]");
    for (policies, come) in [
        ("Policies:\n  - PolicyName: x", "        - PolicyName: derived\n"),
        ("Policies:\n- PolicyName: x", "      - PolicyName: derived\n"),
        ("Policies: [PolicyName: x]", "PolicyName: derived, "),
        ("Policies: []", "- PolicyName: derived\n"),
    ] {
        let begin = template(policies);
        for break_of in ["\n", "\r\n"] {
            let text = format!("{begin}{end}").replace('\n', break_of);
            let (open, _) = run(&text).unwrap_or_else(|e| panic!("{policies}: {e}"));
            let (closed, _) = run(&format!("{text}{break_of}")).unwrap();
            assert_eq!(format!("{open}{break_of}"), closed, "{policies}");
            assert!(closed.replace("\r\n", "\n").contains(come) && !closed.contains("ManagedPolicyArns"), "{closed}");
            assert_eq!(run(&open).unwrap().0, open, "again");
        }
    }
}

#[test]
fn a_role_is_found_through_those_who_use_it() {
    let text = format!(
        "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Condition: C\n    Properties:\n      RoleName: named\n      ManagedPolicyArns: [!If [A, {ARN}, !Ref X]]\n      Policies: [PolicyName: p]\n  \
         Profile:\n    Type: AWS::IAM::InstanceProfile\n    Properties:\n      Roles: [{{Ref: Role}}]\n  \
         Server:\n    Type: AWS::EC2::Instance\n    Properties:\n      IamInstanceProfile: !Ref Profile\n  \
         Template:\n    Type: AWS::EC2::LaunchTemplate\n    Properties:\n      LaunchTemplateData: {{IamInstanceProfile: {{Arn: {{'Fn::GetAtt': [Profile, Arn]}}}}}}\n  \
         Other:\n    Type: AWS::EC2::Instance\n    Properties:\n      IamInstanceProfile: !GetAtt Elsewhere.Arn\n"
    );
    let doc = Document::parse(text.as_bytes()).unwrap();
    let found = roles(&doc);
    assert_eq!(found.len(), 1);
    let role = &found[0];
    assert_eq!(
        (role.id.as_str(), role.line, role.condition.as_deref(), role.role_name.as_deref()),
        ("Role", 2, Some("C"), Some("named"))
    );
    assert_eq!(
        (&role.profiles, &role.instances, &role.policies),
        (&vec!["Profile".to_owned()], &vec!["Server".to_owned(), "Template".to_owned()], &vec!["p".to_owned()])
    );
    let managed: Vec<_> = role.managed.iter().map(|m| (m.arn.as_deref(), m.conditions.join("."))).collect();
    assert_eq!(managed, [(Some(ARN), "A".to_owned()), (Some("${X}"), "!A".to_owned())]);
}

/// Bucket → Topic → (depends on) Role: naming the bucket in the role would close a cycle; naming the log group not.
const CYCLE: &str = "Resources:
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
  Topic: {Type: AWS::SNS::Topic, DependsOn: [Role]}
  Bucket: {Type: AWS::S3::Bucket, Properties: {X: !Sub ['${T}-${!Role}', {T: !GetAtt Topic.TopicName}]}}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {X: !Sub '${AWS::Region}'}}
";

fn named(service: &str, before: &str, name: &str, id: &str) -> Named {
    Named { service: service.into(), before: before.into(), name: name.into(), id: id.into(), attribute: None }
}

fn substitutions<'a>(cycles: Option<(&'a References, &'a str)>) -> Substitutions<'a> {
    Substitutions {
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account: "123456789012".into(),
        names: vec![
            named("s3", "", "the-bucket", "Bucket"),
            named("logs", "log-group:", "/ssm/sessions", "Logs"),
            Named { attribute: Some("Name".into()), ..named("ssm", "document/", "prefs", "Document") },
        ],
        follows_region: ["aws-ssm-eu-west-1".to_owned()].into(),
        cycles,
        ..Substitutions::default()
    }
}

#[test]
fn names_become_references_but_close_no_cycle() {
    let doc = Document::parse(CYCLE.as_bytes()).unwrap();
    let references = References::of(&doc);
    assert!(references.direct("Bucket", "Topic") && references.reaches("Bucket", "Role") && !references.reaches("Logs", "Role"));
    assert!(!references.direct("Bucket", "Role"), "`${{!Role}}` is no reference");
    let check = |with: &Substitutions<'_>, text: &str, expected: Json, notes: usize| {
        let made = portable(&json!(text), with);
        assert_eq!((made.section.to_json(), made.notes.len()), (expected, notes), "{text}");
    };
    let (free, bound) = (substitutions(None), substitutions(Some((&references, "Role"))));
    let sub = |text: &str| json!({ "Fn::Sub": text });
    check(&free, "arn:aws:s3:::the-bucket", sub("arn:${AWS::Partition}:s3:::${Bucket}"), 0);
    check(&bound, "arn:aws:s3:::the-bucket", sub("arn:${AWS::Partition}:s3:::the-bucket"), 1);
    check(&free, "arn:aws:s3:::the-bucket/a/*", sub("arn:${AWS::Partition}:s3:::${Bucket}/a/*"), 0);
    check(&free, "arn:aws:s3:::the-bucket-2/a", sub("arn:${AWS::Partition}:s3:::the-bucket-2/a"), 0);
    check(
        &bound,
        "arn:aws:logs:eu-west-1:123456789012:log-group:/ssm/sessions:*",
        sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Logs}:*"),
        0,
    );
    check(
        &free,
        "arn:aws:ssm:eu-west-1:123456789012:document/prefs",
        sub("arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:document/${Document.Name}"),
        0,
    );
    check(&free, "arn:aws:ssm:eu-west-1::document/AWS-Run", sub("arn:${AWS::Partition}:ssm:${AWS::Region}::document/AWS-Run"), 0);
    check(&free, "arn:aws:s3:::aws-ssm-eu-west-1/*", sub("arn:${AWS::Partition}:s3:::aws-ssm-${AWS::Region}/*"), 0);
    check(&free, "arn:aws:s3:::mine-eu-west-1/*", sub("arn:${AWS::Partition}:s3:::mine-eu-west-1/*"), 1);
    check(&free, "arn:aws:s3:::eu-west-10/*", sub("arn:${AWS::Partition}:s3:::eu-west-10/*"), 0);
    check(&free, "arn:aws:s3:::logs-123456789012/*", sub("arn:${AWS::Partition}:s3:::logs-${AWS::AccountId}/*"), 0);
    check(&free, "arn:aws-cn:s3:::x", json!("arn:aws-cn:s3:::x"), 0);
    check(&free, "*", json!("*"), 0);
    check(&free, "${aws:username}", json!("${aws:username}"), 0);
    check(&free, "123456789012", json!({"Ref": "AWS::AccountId"}), 0);
    let join = json!({"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::", {"Ref": "Bucket"}, "/${aws:username}/*"]]});
    check(&free, "arn:aws:s3:::the-bucket/${aws:username}/*", join, 0);
    let via = portable(
        &json!({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com", "x": "s3.eu-west-1.amazonaws.com"}}),
        &free,
    );
    assert_eq!(
        via.section.to_json()["StringEquals"],
        json!({"kms:ViaService": {"Fn::Sub": "s3.${AWS::Region}.amazonaws.com"}, "x": "s3.eu-west-1.amazonaws.com"})
    );
    let notes = portable(&json!(["arn:aws:s3:::the-bucket", "arn:aws:s3:::mine-eu-west-1/*"]), &bound).notes;
    let expected = [
        PortableNote::RegionInName { text: "mine-eu-west-1/*".into() },
        PortableNote::Cycle { name: "the-bucket".into(), id: "Bucket".into() },
    ];
    assert_eq!(notes.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn functions_are_evaluated_as_cloudformation_does() {
    let stack = StackValues {
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account: "123456789012".into(),
        names: BTreeMap::from([("B".into(), "bucket".into()), ("D.Arn".into(), "arn".into())]),
        mappings: [("M".into(), [("eu-west-1".into(), [("k".into(), "v".into())].into())].into())].into(),
        conditions: [("Yes".into(), true), ("No".into(), false)].into(),
    };
    let value = |yaml: &str| Value::read(Document::parse(yaml.as_bytes()).unwrap().root()).unwrap();
    let check = |yaml: &str, expected: Json| assert_eq!(resolve(&value(yaml), &stack).unwrap(), expected, "{yaml}");
    check("!Sub '${AWS::Partition}-${B}-${D.Arn}-${!aws:username}-$-${'", json!("aws-bucket-arn-${aws:username}-$-${"));
    check("!Sub ['${x}${B}', {x: !Ref AWS::Region}]", json!("eu-west-1bucket"));
    check("!Join ['/', [a, !GetAtt D.Arn, '${x}']]", json!("a/arn/${x}"));
    check("!Select [1, !Split [',', 'a,b']]", json!("b"));
    check("!FindInMap [M, !Ref AWS::Region, k]", json!("v"));
    check("[!If [Yes, a, b], !If [No, a, !Ref AWS::NoValue], {c: !Ref AWS::NoValue, d: 1}]", json!(["a", {"d": 1}]));
    let fails = |yaml: &str, error: ResolveError| assert_eq!(resolve(&value(yaml), &stack).unwrap_err(), error, "{yaml}");
    fails("!Ref Nobody", ResolveError::Unknown("Nobody".into()));
    fails("!Sub '${Nobody.Arn}'", ResolveError::Unknown("Nobody.Arn".into()));
    fails("!FindInMap [M, us-east-1, k]", ResolveError::Unknown("M.us-east-1.k".into()));
    fails("!If [Maybe, a, b]", ResolveError::Unknown("Maybe".into()));
    fails("!ImportValue x", ResolveError::Function("ImportValue".into()));
    fails("!Select [9, [a]]", ResolveError::Function("Select".into()));
}

fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "arn:aws:s3:::",
        "arn:aws:logs:eu-west-1:123456789012:log-group:",
        "the-bucket",
        "/ssm/sessions",
        "eu-west-1",
        "123456789012",
        "${",
        "}",
        "${!",
        "!",
        "$",
        "${aws:username}",
        "${AWS::Region}",
        "${*}",
        "/",
        ":",
        "-",
        "*",
        "?",
        "a",
        "'",
        "\"",
        "\n",
        "#",
        "é",
        "\u{1b}",
        "AWS::Region",
        "{",
        ",",
        "]",
        " ",
    ]);
    prop::collection::vec(parts, 0..7).prop_map(|parts| parts.concat())
}

proptest! {
    /// INVARIANT (resolve-portable): also after the section was written into a template and read back from it.
    #[test]
    fn what_was_made_portable_resolves_to_what_it_was(texts in prop::collection::vec(hostile(), 1..5), json_format in any::<bool>()) {
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": texts[0], "Effect": "Allow", "Resource": texts}]});
        let made = portable(&policy, &substitutions(None));
        let stack = StackValues {
            partition: "aws".into(),
            region: "eu-west-1".into(),
            account: "123456789012".into(),
            names: [("Bucket", "the-bucket"), ("Logs", "/ssm/sessions"), ("Document.Name", "prefs")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..StackValues::default()
        };
        prop_assert_eq!(resolve(&made.section, &stack).unwrap(), policy.clone());
        let text = if json_format {
            r#"{"Resources":{"Role":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{}}}}}"#.to_owned()
        } else {
            template("Path: /")
        };
        let injected = inject(text.as_bytes(), &Injection { section: made.section, comments: texts, ..injection() }).unwrap();
        let doc = Document::parse(&injected.bytes).unwrap();
        let section = policyc::emit::section_of(&doc, "Role", "derived").unwrap().unwrap();
        prop_assert_eq!(resolve(&section, &stack).unwrap(), policy);
        let escapes = injected.bytes.contains(&0x1b);
        prop_assert!(!escapes);
    }
}
