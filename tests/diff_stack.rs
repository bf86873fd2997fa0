//! `policyc diff --stack --base`: what changed because the activity did is told apart from what policyc or its catalogue
//! did, and from edits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test says what is wrong by panicking

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

#[path = "support/copy.rs"]
mod copy;

use copy::copy;

const NAT: &str = "policies/demo/nat-instance.json";
const CERTIFICATE: &str = "policies/demo/nat-instance.certificate.json";
/// The only day on which the public instance reads a parameter.
const DAY: &str = "cfn/recording/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/17";

struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        for part in ["policyc.toml", "cfn", "policies"] {
            copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(part), &project.0.path().join(part));
        }
        project.git(&["init", "-q"]);
        project
    }

    fn git(&self, arguments: &[&str]) {
        let all = [&["-c", "user.name=t", "-c", "user.email=t@example.com"], arguments].concat();
        let done = Command::new("git").args(all).current_dir(self.0.path()).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", "state"]);
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap()
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(file), text).unwrap();
    }

    fn policyc(&self, arguments: &[&str]) -> (i32, String, String) {
        let done = Command::new(env!("CARGO_BIN_EXE_policyc"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
    }

    /// The comparison with HEAD, as JSON: for a policy the causes as a whole, and the causes of each action that moved.
    fn causes(&self, policy: &str) -> (Vec<String>, Vec<(String, String)>) {
        let (_, out, err) = self.policyc(&["diff", "--stack", "demo", "--base", "HEAD", "--format", "json"]);
        let all: Json = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
        let one = all.as_array().unwrap().iter().find(|m| m["new"] == policy).unwrap_or_else(|| panic!("{out}"));
        let texts = |json: &Json| -> Vec<String> {
            json.as_array().into_iter().flatten().map(|t| t.as_str().unwrap().to_owned()).collect()
        };
        let rows = one["changes"].as_array().unwrap().iter().filter(|row| row["fate"] != "unchanged");
        let moved = rows.flat_map(|row| {
            let because = texts(&row["because"]).join("; ");
            texts(&row["actions"]).into_iter().map(move |action| (action, because.clone()))
        });
        (texts(&one["causes"]), moved.collect())
    }
}

/// A policy as another policyc would have derived and certified it: with an action more.
fn of_another_policyc(project: &Project) {
    let mut policy: Json = serde_json::from_str(&project.read(NAT)).unwrap();
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.push(serde_json::json!({"Sid": "Old", "Effect": "Allow", "Action": ["ssm:ListAssociations"], "Resource": ["*"]}));
    let text = format!("{policy:#}\n");
    let mut certificate: Json = serde_json::from_str(&project.read(CERTIFICATE)).unwrap();
    let digest = Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>();
    certificate["policy"]["sha256"] = digest.into();
    certificate["policyc"] = "0.0.9".into();
    project.write(NAT, text);
    project.write(CERTIFICATE, certificate.to_string());
}

#[test]
fn each_change_is_told_from_the_others() {
    let project = Project::new();
    of_another_policyc(&project);
    project.commit();
    fs::remove_dir_all(project.0.path().join(DAY)).unwrap();
    assert_eq!(project.policyc(&["derive", "--stack", "demo"]).0, 0);

    let (causes, moved) = project.causes("policies/demo/public-instance.json");
    assert_eq!(
        causes,
        ["because policyc or its catalogue changed: no access changed", "because the observed activity changed: 1 gone"]
    );
    assert_eq!(moved, [("ssm:GetParameters".to_owned(), "because the observed activity changed".to_owned())]);

    let edited = project.read(NAT).replace("\"ssm:GetDocument\"", "\"ssm:GetDocument\", \"ssm:DescribeDocument\"");
    project.write(NAT, edited);
    let (causes, moved) = project.causes(NAT);
    assert_eq!(
        causes,
        [
            "because policyc or its catalogue changed: 1 gone",
            "because the observed activity changed: no access changed",
            "because it was edited, or not derived again: 1 gained"
        ]
    );
    assert_eq!(
        moved,
        [
            ("ssm:DescribeDocument".to_owned(), "because it was edited, or not derived again".to_owned()),
            ("ssm:ListAssociations".to_owned(), "because policyc or its catalogue changed".to_owned()),
        ]
    );
    let (code, out, _) = project.policyc(&["diff", "--stack", "demo", "--base", "HEAD"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("access gained: 1 action is allowed on more than before"), "{out}");
    assert!(out.contains("same access, proved"), "{out}");
}

#[test]
fn settings_and_edits_of_the_past_are_causes_too() {
    let project = Project::new();
    // Nobody derived what was there.
    let edited = project.read(NAT).replace("\"ssm:GetDocument\"", "\"ssm:GetDocument\", \"ssm:DescribeDocument\"");
    project.write(NAT, edited);
    project.commit();
    let config = project.read("policyc.toml");
    let role = config.find("logical-id = \"NatInstanceRole\"").unwrap();
    project.write("policyc.toml", format!("{}needs = [\"cloudwatch-metrics\"]\n{}", &config[..role], &config[role..]));
    assert_eq!(project.policyc(&["derive", "--stack", "demo"]).0, 0);
    let (_, moved) = project.causes(NAT);
    assert_eq!(
        moved,
        [
            ("cloudwatch:PutMetricData".to_owned(), "because the settings in policyc.toml changed".to_owned()),
            ("ssm:DescribeDocument".to_owned(), "because it had been edited, or derived by another policyc".to_owned()),
        ]
    );
    // Certificates alone say which inputs changed.
    let (_, out, _) = project.policyc(&["diff", "--base", "HEAD", "policies/demo/public-instance.json"]);
    assert!(out.contains("same access, proved"), "{out}");
}

#[test]
fn what_cannot_be_derived_again_is_said() {
    let project = Project::new();
    fs::write(project.0.path().join(".gitignore"), "cfn/recording/AWSLogs\n").unwrap();
    project.commit();
    let (code, out, err) = project.policyc(&["diff", "--stack", "demo", "--base", "HEAD"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("what each change did is not told apart"), "{err}");
    for (arguments, says) in [
        (&["--stack", "demo", "--base", "nowhere"][..], "`nowhere` is not a git revision here"),
        (&["--stack", "other", "--base", "HEAD"], "`HEAD` has no stack `other`"),
        (&["--stack", "demo"], "--base <REVISION>"),
    ] {
        let (code, _, err) = project.policyc(&[&["diff"], arguments].concat());
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(says), "{err}");
    }
    // The working tree and its index are as they were.
    let status = Command::new("git").args(["status", "--porcelain"]).current_dir(project.0.path()).output().unwrap();
    assert!(status.stdout.is_empty(), "{}", String::from_utf8_lossy(&status.stdout));
}
