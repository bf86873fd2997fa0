//! `policyc inject` on whole templates: the fixtures beside this file, and the real ones of `POLICYC_SHARED` (or
//! `../shared`) where they exist; without those that half has nothing to do. What changed is judged by other programs'
//! eyes: PyYAML and json for the meaning, cfn-lint for what CloudFormation would say.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/python.rs"]
mod python;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use policyc::catalog::Catalog;
use policyc::emit::StackValues;
use policyc::emit::place::{Placement, place};
use policyc::emit::render::{About, SectionTemplates};
use policyc::iam::Policy;
use policyc::stack::config::AttachAs;
use serde_json::{Value as Json, json};
use similar::{ChangeTag, TextDiff};
use tempfile::TempDir;

const SSM: &str = "ec2roleforssm";

const FIRST: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Sid": "Parameters", "Effect": "Allow", "Action": "ssm:GetParameter",
     "Resource": "arn:aws:ssm:us-east-1:123456789012:parameter/a/*"},
    {"Sid": "Logs", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::the-logs/*",
     "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]}"#;

const SECOND: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Sid": "Agent", "Effect": "Allow", "Action": "ssm:UpdateInstanceInformation", "Resource": "*"}]}"#;

/// The section that [`FIRST`] becomes.
fn portable() -> Json {
    json!([
        {"Sid": "Parameters", "Effect": "Allow", "Action": ["ssm:GetParameter"],
         "Resource": [{"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/a/*"}]},
        {"Sid": "Logs", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
         "Resource": [{"Fn::Sub": "arn:${AWS::Partition}:s3:::the-logs/*"}],
         "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
    ])
}

/// A template as it was, with LF only, and what independent readers see in it.
struct Sample {
    name: String,
    text: String,
    meaning: Json,
}

impl Sample {
    /// The logical ids of its roles.
    fn roles(&self) -> Vec<String> {
        let resources = self.meaning["Resources"].as_object().unwrap();
        resources.iter().filter(|(_, r)| r["Type"] == "AWS::IAM::Role").map(|(id, _)| id.clone()).collect()
    }
}

fn samples() -> Vec<Sample> {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates");
    let shared = std::env::var_os("POLICYC_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from).join("templates");
    let mut paths = Vec::new();
    for folder in [fixtures, shared] {
        let Ok(entries) = fs::read_dir(&folder) else {
            println!("{} does not exist: nothing to do there", folder.display());
            continue;
        };
        paths.extend(entries.map(|e| e.unwrap().path()).filter(|p| p.is_file() && !p.ends_with("manifest.json")));
    }
    paths.sort();
    let meanings = read(&paths);
    let samples = paths.iter().zip(meanings).map(|(path, meaning)| Sample {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        text: fs::read_to_string(path).unwrap().replace("\r\n", "\n"),
        meaning,
    });
    let samples: Vec<Sample> = samples.filter(|s| !s.roles().is_empty()).collect();
    assert!(samples.len() >= 7, "the fixtures are gone");
    samples
}

/// What PyYAML, or json where that is the format, sees in files.
fn read(paths: &[PathBuf]) -> Vec<Json> {
    let reader = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/template_reader.py");
    let output = python::run(Command::new(python::python()).arg(reader).args(paths));
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder with the two policies, where the command is run.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("first.json"), FIRST).unwrap();
        fs::write(folder.path().join("second.json"), SECOND).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Injects and gives the exit code, what was printed, and the file's text afterwards.
    fn inject(&self, policy: &str, template: &Path, more: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_policyc"));
        command.current_dir(self.0.path()).args(["inject", policy]).arg(template);
        command.args(["--account", "123456789012", "--region", "us-east-1"]).args(more);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap(), fs::read_to_string(template).unwrap())
    }

    fn must_inject(&self, policy: &str, template: &Path, role: &str) -> String {
        let (code, said, text) = self.inject(policy, template, &["--role", role]);
        assert_eq!(code, 0, "{}: {role}: {said}", template.display());
        text
    }
}

/// The lines of the first text that the second has not, and the other way round.
fn changed_lines<'t>(old: &'t str, new: &'t str) -> (Vec<&'t str>, Vec<&'t str>) {
    let diff = TextDiff::from_lines(old, new);
    let of = |tag: ChangeTag| {
        let all = diff.iter_all_changes().filter(|c| c.tag() == tag);
        all.map(|c| c.as_str().unwrap()).collect::<Vec<_>>()
    };
    (of(ChangeTag::Delete), of(ChangeTag::Insert))
}

/// Every ARN, condition and branch of `ManagedPolicyArns`, without the managed policy and what became empty with it.
fn without_ssm(value: &Json) -> Json {
    let is_ssm = |v: &Json| {
        let text = v.to_string().to_lowercase();
        text.contains(SSM) && v.get("Fn::If").is_none()
    };
    match value {
        Json::Array(items) => {
            let kept: Vec<Json> = items.iter().filter(|i| !is_ssm(i)).map(without_ssm).filter(|i| !is_empty(i)).collect();
            json!(kept)
        }
        Json::Object(map) if map.contains_key("Fn::If") => {
            let choice = map["Fn::If"].as_array().unwrap();
            let branch = |v: &Json| if !v.is_array() && is_ssm(v) { json!([]) } else { without_ssm(v) };
            let (yes, no) = (branch(&choice[1]), branch(&choice[2]));
            if is_empty(&yes) && is_empty(&no) { json!([]) } else { json!({"Fn::If": [choice[0], yes, no]}) }
        }
        other if is_empty(other) => json!([]),
        other => other.clone(),
    }
}

fn is_empty(value: &Json) -> bool {
    value.is_null() || *value == json!([]) || *value == json!({"Ref": "AWS::NoValue"})
}

/// The named section in `Policies`, and the others.
fn split_policies(policies: &Json) -> (Vec<Json>, Vec<Json>) {
    let all = if is_empty(policies) { Vec::new() } else { policies.as_array().unwrap().clone() };
    all.into_iter().partition(|p| p.to_string().contains(r#""PolicyName":"policyc""#))
}

/// Exactly the intended change and nothing else: the managed policy is gone, the section is there, all else is equal.
fn assert_intended(before: &Json, after: &Json, role: &str, at: &str) {
    let (mut left, mut right) = (before.clone(), after.clone());
    let take = |json: &mut Json, name: &str| {
        let properties = json.pointer_mut(&format!("/Resources/{role}/Properties")).unwrap().as_object_mut().unwrap();
        properties.shift_remove(name).unwrap_or_default()
    };
    let (managed, now) = (take(&mut left, "ManagedPolicyArns"), take(&mut right, "ManagedPolicyArns"));
    assert_eq!(without_ssm(&managed), without_ssm(&now), "{at}");
    assert!(!now.to_string().to_lowercase().contains(SSM), "{at}: {now}");
    assert!(now.is_null() || !is_empty(&now), "{at}: an emptied list stays");
    let (before_policies, after_policies) = (take(&mut left, "Policies"), take(&mut right, "Policies"));
    let (_, others) = split_policies(&before_policies);
    let (sections, others_now) = split_policies(&after_policies);
    assert_eq!(others, others_now, "{at}");
    assert_eq!(sections.len(), 1, "{at}");
    let plain = sections[0].get("PolicyDocument");
    let section = plain.or_else(|| {
        let branches = sections[0]["Fn::If"].as_array().unwrap();
        branches.iter().find_map(|b| b.get("PolicyDocument"))
    });
    assert_eq!(section.unwrap(), &json!({"Version": "2012-10-17", "Statement": portable()}), "{at}");
    // Not only equal: also in the same order.
    assert_eq!(left.to_string(), right.to_string(), "{at}");
}

/// Whether a line that went belongs to what was to go.
fn may_go(line: &str, whole_removed: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || whole_removed.to_lowercase().contains(SSM)
        || line.starts_with("Policies:")
        || line.starts_with("\"Policies\"")
        || line.starts_with('}')
        || line.starts_with(']')
}

#[test]
fn every_role_of_every_template() {
    let desk = Desk::new();
    let (mut cases, mut files) = (Vec::new(), Vec::new());
    for sample in samples() {
        for (n, role) in sample.roles().into_iter().enumerate() {
            let at = format!("{}: {role}", sample.name);
            let path = desk.put(&format!("{n}-{}", sample.name), &sample.text);
            let one = desk.must_inject("first.json", &path, &role);
            let (gone, come) = changed_lines(&sample.text, &one);
            let whole = gone.concat();
            assert!(gone.iter().all(|line| may_go(line, &whole)), "{at} lost:\n{whole}");
            assert!(come.concat().contains("policyc"), "{at}");
            // A template with CRLF comes out as the one with LF, with CRLF.
            let crlf = desk.put("crlf", &sample.text.replace('\n', "\r\n"));
            assert_eq!(desk.must_inject("first.json", &crlf, &role), one.replace('\n', "\r\n"), "{at}");
            // Injecting again changes nothing; another policy and then the first give the first file.
            assert_eq!(desk.must_inject("first.json", &path, &role), one, "{at}: again");
            assert_ne!(desk.must_inject("second.json", &path, &role), one, "{at}");
            assert_eq!(desk.must_inject("first.json", &path, &role), one, "{at}: back");
            files.push(path);
            cases.push((at, role, sample.meaning.clone()));
        }
    }
    assert!(cases.len() >= 9, "only {} roles were seen", cases.len());
    for ((at, role, before), after) in cases.iter().zip(read(&files)) {
        assert_intended(before, &after, role, at);
    }
}

/// The other two forms, through the library: the command does nothing else with them.
fn separately(text: &str, role: &str, policy: &str, form: AttachAs) -> Result<String, String> {
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    let values = StackValues {
        partition: "aws".to_owned(),
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
        ..StackValues::default()
    };
    let placement = Placement {
        role,
        replaces: "AmazonEC2RoleforSSM",
        attach_as: form,
        policy: &policy,
        reasons: &BTreeMap::new(),
        about: About::default(),
        templates: &SectionTemplates::default(),
        values: &values,
    };
    let placed = place(text.as_bytes(), &placement, Catalog::embedded()).map_err(|e| e.to_string())?;
    Ok(String::from_utf8(placed.bytes).unwrap())
}

/// Exactly the intended change: the managed policy is gone, one resource has come, and who waits for it.
fn assert_apart(before: &Json, after: &Json, role: &str, form: AttachAs, at: &str) {
    let (mut left, mut right) = (before.clone(), after.clone());
    let resource = right["Resources"].as_object_mut().unwrap().shift_remove(&format!("{role}DerivedPolicy")).unwrap();
    let kind = if form == AttachAs::RolePolicy { "AWS::IAM::RolePolicy" } else { "AWS::IAM::ManagedPolicy" };
    assert_eq!(resource["Type"], kind, "{at}");
    assert_eq!(resource["Properties"]["PolicyDocument"], json!({"Version": "2012-10-17", "Statement": portable()}), "{at}");
    let names = |value: Option<Json>| -> Vec<Json> {
        match value {
            Some(Json::Array(items)) => items,
            Some(one) => vec![one],
            None => Vec::new(),
        }
    };
    for (id, own) in right["Resources"].as_object_mut().unwrap() {
        let now = names(own.as_object_mut().unwrap().shift_remove("DependsOn"));
        let then = names(left["Resources"][id].as_object_mut().unwrap().shift_remove("DependsOn"));
        let come: Vec<&Json> = now.iter().filter(|name| !then.contains(name)).collect();
        assert!(then.iter().all(|name| now.contains(name)), "{at}: {id} no longer waits for something");
        assert!(come.iter().all(|name| **name == json!(format!("{role}DerivedPolicy"))), "{at}: {id} waits for {come:?}");
    }
    for json in [&mut left, &mut right] {
        let properties = json.pointer_mut(&format!("/Resources/{role}/Properties")).unwrap().as_object_mut().unwrap();
        let managed = properties.shift_remove("ManagedPolicyArns").unwrap_or_default();
        let (ours, others) = split_policies(&properties.shift_remove("Policies").unwrap_or_default());
        assert!(ours.is_empty(), "{at}: an inline section stays");
        properties.insert("kept".to_owned(), json!([without_ssm(&managed), others]));
    }
    assert!(!after["Resources"][role]["Properties"]["ManagedPolicyArns"].to_string().to_lowercase().contains(SSM), "{at}");
    assert_eq!(left.to_string(), right.to_string(), "{at}");
}

#[test]
fn every_role_of_every_template_in_the_other_two_forms() {
    let desk = Desk::new();
    let (mut cases, mut files, mut refused) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (n, sample) in samples().into_iter().enumerate() {
        let ending = Path::new(&sample.name).extension().unwrap().to_string_lossy().into_owned();
        let before = desk.put(&format!("{n}-before.{ending}"), &sample.text);
        for (m, role) in sample.roles().into_iter().enumerate() {
            for form in [AttachAs::RolePolicy, AttachAs::ManagedPolicy] {
                let at = format!("{}: {role} as {form:?}", sample.name);
                let put = |text: &str, policy: &str| separately(text, &role, policy, form);
                let one = match put(&sample.text, FIRST) {
                    Ok(one) => one,
                    Err(why) => {
                        refused.insert(format!("{role}: {why}"));
                        continue;
                    }
                };
                let crlf = put(&sample.text.replace('\n', "\r\n"), FIRST).unwrap();
                assert_eq!(crlf, one.replace('\n', "\r\n"), "{at}");
                assert_eq!(put(&one, FIRST).unwrap(), one, "{at}: again");
                let two = put(&one, SECOND).unwrap();
                assert_ne!(two, one, "{at}");
                assert_eq!(put(&two, FIRST).unwrap(), one, "{at}: back");
                let (gone, _) = changed_lines(&sample.text, &one);
                let own = |line: &&str| line.contains("DependsOn") || line.trim_start().starts_with("- ");
                let rest: Vec<&str> = gone.iter().filter(|line| !own(line)).copied().collect();
                assert!(rest.iter().all(|line| may_go(line, &gone.concat())), "{at} lost:\n{}", gone.concat());
                let after = desk.put(&format!("{n}-{m}-{form:?}-after.{ending}"), &one);
                cases.push((at, role.clone(), form, sample.meaning.clone(), before.clone()));
                files.push(after);
            }
        }
    }
    let waits = |why: &String| why.contains("which has to wait for it, does not; attach it inline");
    assert!(refused.iter().all(waits), "{refused:#?}");
    assert!(cases.len() >= 14, "only {} were seen", cases.len());
    for ((at, role, form, before, _), after) in cases.iter().zip(read(&files)) {
        assert_apart(before, &after, role, *form, at);
    }
    // A role whose own id is none for CloudFormation gives its policy such an id.
    let linted: Vec<_> = cases.iter().zip(&files).filter(|(case, _)| case.1.bytes().all(|b| b.is_ascii_alphanumeric())).collect();
    let both: BTreeSet<PathBuf> = linted.iter().flat_map(|(case, after)| [case.4.clone(), (*after).clone()]).collect();
    let found = lint(&both.into_iter().collect::<Vec<_>>());
    let of = |path: &Path| found.get(path.to_str().unwrap()).cloned().unwrap_or_default();
    for ((at, .., before), after) in linted {
        let before = of(before);
        for (message, times) in of(after) {
            assert!(times <= before.get(&message).copied().unwrap_or(0), "{at}: {message:?}, {times} times");
        }
    }
}

/// What cfn-lint says of files: how often it has each message of a rule, by file.
fn lint(paths: &[PathBuf]) -> BTreeMap<String, BTreeMap<(String, String), usize>> {
    let mut command = Command::new(python::python().with_file_name("cfn-lint"));
    command.args(["--format", "json", "--include-checks", "I", "--"]).args(paths);
    // Its exit code tells which severities there were.
    let output = command.output().unwrap();
    let found: Vec<Json> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let mut by_file: BTreeMap<String, BTreeMap<(String, String), usize>> = BTreeMap::new();
    for row in found {
        let text = |v: &Json| v.as_str().unwrap().to_owned();
        let messages = by_file.entry(text(&row["Filename"])).or_default();
        *messages.entry((text(&row["Rule"]["Id"]), text(&row["Message"]))).or_default() += 1;
    }
    by_file
}

#[test]
fn cfn_lint_reports_nothing_new() {
    let desk = Desk::new();
    let mut pairs = Vec::new();
    for (n, sample) in samples().iter().enumerate() {
        let ending = Path::new(&sample.name).extension().unwrap().to_string_lossy().into_owned();
        let before = desk.put(&format!("{n}-before.{ending}"), &sample.text);
        let after = desk.put(&format!("{n}-after.{ending}"), &sample.text);
        for role in sample.roles() {
            desk.must_inject("first.json", &after, &role);
        }
        pairs.push((sample.name.clone(), before, after));
    }
    let paths: Vec<PathBuf> = pairs.iter().flat_map(|(_, before, after)| [before.clone(), after.clone()]).collect();
    let found = lint(&paths);
    for (name, before, after) in pairs {
        let of = |path: &Path| found.get(path.to_str().unwrap()).cloned().unwrap_or_default();
        let before = of(&before);
        for (message, times) in of(&after) {
            assert!(times <= before.get(&message).copied().unwrap_or(0), "{name}: {message:?}, {times} times");
        }
    }
}

const ROLE: &str = "Resources:\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: {}\n      ManagedPolicyArns:\n      - arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM\n";

/// Injects into a good template and another at once, and checks that neither changes.
fn check_untouched(other: &str, prepare: impl Fn(&Path), code: i32, expected: &str) {
    let desk = Desk::new();
    let (good, bad) = (desk.put("good.yaml", ROLE), desk.put("bad.yaml", other));
    prepare(&bad);
    let (got, said, text) = desk.inject("first.json", &good, &["bad.yaml"]);
    assert_eq!(got, code, "{said}");
    assert!(said.contains(expected), "{said}");
    assert_eq!(text, ROLE);
    assert_eq!(fs::read_to_string(&bad).unwrap(), other);
    assert_eq!(fs::read_dir(desk.0.path()).unwrap().count(), 4, "something was left behind");
}

#[test]
fn several_templates_are_written_or_none() {
    check_untouched("a: [", |_| {}, 3, "`bad.yaml`: line 1, column 4: unclosed bracket");
    check_untouched("Resources: {}", |_| {}, 3, "`bad.yaml`: the template has no role of its own");
    let read_only = |path: &Path| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(path, permissions).unwrap();
    };
    check_untouched(ROLE, read_only, 3, "`bad.yaml` was not written: it is read-only");
}

#[test]
fn checking_and_trying_write_nothing() {
    let desk = Desk::new();
    let path = desk.put("role.yaml", ROLE);
    for (option, code) in [("--check", 1), ("--dry-run", 0)] {
        let (got, said, text) = desk.inject("first.json", &path, &[option]);
        assert_eq!((got, text.as_str()), (code, ROLE), "{said}");
        assert!(said.contains("-      ManagedPolicyArns:\n") && said.contains("+      - PolicyName: policyc\n"), "{said}");
    }
    let (_, _, written) = desk.inject("first.json", &path, &[]);
    let (got, said, text) = desk.inject("first.json", &path, &["--check"]);
    assert_eq!((got, said.as_str(), text), (0, "", written));
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_mode_stays() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let desk = Desk::new();
    let target = desk.put("target.yaml", ROLE);
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    let link = desk.path("link.yaml");
    symlink("target.yaml", &link).unwrap();
    let (_, _, text) = desk.inject("first.json", &link, &[]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && fs::read_to_string(&target).unwrap() == text);
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_policy_is_a_resource_of_its_own_where_asked() {
    let desk = Desk::new();
    let uses = "  Profile:\n    Type: AWS::IAM::InstanceProfile\n    Properties:\n      Roles:\n      - !Ref Role\n  Server:\n    Type: AWS::EC2::Instance\n    \
                Properties:\n      ImageId: ami-0123456789abcdef0\n      IamInstanceProfile: !Ref Profile\n";
    for (form, kind) in [("role-policy", "AWS::IAM::RolePolicy"), ("managed-policy", "AWS::IAM::ManagedPolicy")] {
        let before = desk.put("before.yaml", &format!("{ROLE}{uses}"));
        let path = desk.put("role.yaml", &format!("{ROLE}{uses}"));
        let (code, said, text) = desk.inject("first.json", &path, &["--attach-as", form, "--role", "Server"]);
        assert_eq!(code, 0, "{said}");
        let resources = &read(std::slice::from_ref(&path))[0]["Resources"];
        let policy = &resources["RoleDerivedPolicy"];
        assert_eq!(policy["Type"], kind);
        assert_eq!(policy["Properties"]["PolicyDocument"]["Statement"], portable());
        assert_eq!(resources["Server"]["DependsOn"], "RoleDerivedPolicy");
        assert_eq!(resources["Role"]["Properties"], json!({"AssumeRolePolicyDocument": {}}));
        let found = lint(&[before.clone(), path.clone()]);
        let of = |path: &Path| found.get(path.to_str().unwrap()).cloned().unwrap_or_default();
        assert_eq!(of(&path), of(&before), "{form}");
        let (_, _, again) = desk.inject("first.json", &path, &["--attach-as", form, "--role", "Server"]);
        assert_eq!(again, text);
        let (code, said, _) = desk.inject("first.json", &path, &[]);
        assert_eq!(code, 0, "{said}");
        let resources = &read(&[path])[0]["Resources"];
        assert!(resources.get("RoleDerivedPolicy").is_none() && resources["Server"].get("DependsOn").is_none());
        assert_eq!(resources["Role"]["Properties"]["Policies"][0]["PolicyName"], "policyc");
    }
}
