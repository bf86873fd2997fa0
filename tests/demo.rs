//! The demo, end to end, through the binary: what is committed is what is derived.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "support/copy.rs"]
mod copy;

use copy::copy;

const OUTPUTS: [&str; 11] = [
    "policies/demo/public-instance.json",
    "policies/demo/nat-instance.json",
    "policies/demo/privatelink-instance.json",
    "policies/demo/public-instance.certificate.json",
    "policies/demo/nat-instance.certificate.json",
    "policies/demo/privatelink-instance.certificate.json",
    "cfn/ssm-session-mgr-example.yaml",
    "cfn/ssm-session-mgr-privatelink-example.yaml",
    "policies/demo/s3-endpoint.json",
    "policies/demo/s3-endpoint.baseline.json",
    "policies/demo/s3-endpoint.certificate.json",
];

/// A copy of what the demo needs, so that nothing of the repository is written.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        for part in ["policyc.toml", "cfn", "policies"] {
            copy(&repository().join(part), &home.path().join(part));
        }
        Self(home)
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    fn policyc(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    /// Every output's bytes.
    fn bytes(&self) -> Vec<Vec<u8>> {
        OUTPUTS.iter().map(|o| fs::read(self.path(o)).unwrap()).collect()
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_is_derived_is_what_is_committed() {
    let demo = Copy::new();
    let done = demo.policyc(&["derive", "--stack", "demo"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("0 of 11 files changed"), "{}", text(&done.stderr));
    let overview = "\
        PublicInstanceRole        24 gone   11 narrowed    6 kept  proved  1 warning\n\
        NatInstanceRole           23 gone   11 narrowed    7 kept  proved\n\
        PrivateLinkInstanceRole   29 gone    7 narrowed    5 kept  proved  1 warning\n\
        S3Endpoint               endpoint, 3 statements          proved\n";
    assert!(text(&done.stdout).ends_with(&format!("\n\n{overview}")), "what is read last is the overview");
    let committed: Vec<_> = OUTPUTS.iter().map(|o| fs::read(repository().join(o)).unwrap()).collect();
    assert!(demo.bytes() == committed);
    assert!(demo.policyc(&["check", "--stack", "demo"]).status.success());
}

/// What else a template gives a role no proof is about.
#[test]
fn a_role_with_more_than_the_derived_policy_fails_the_check() {
    let check = |after: &str, added: &str, says: &str| {
        let demo = Copy::new();
        let template = demo.path(OUTPUTS[6]);
        let text_of = fs::read_to_string(&template).unwrap();
        let changed = text_of.replacen(after, &format!("{after}{added}"), 1);
        assert_ne!(changed, text_of, "{after}");
        fs::write(&template, changed).unwrap();
        let done = demo.policyc(&["check", "--stack", "demo"]);
        assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
        assert!(text(&done.stderr).contains(says), "{}", text(&done.stderr));
    };
    let role = "  PublicInstanceRole:\n    Type: AWS::IAM::Role\n";
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let says = |what: &str| format!("`PublicInstanceRole` also has `{what}`, of which nothing is proved");
    let resource = |kind: &str, whose: &str| {
        format!(
            "  Wide:\n    Type: {kind}\n    Properties:\n      {whose}\n      PolicyName: wide\n      PolicyDocument:\n        Version: '2012-10-17'\n        Statement: {{Effect: Allow, Action: '*', Resource: '*'}}\n"
        )
    };
    check(&format!("{role}    Properties:\n"), &format!("      ManagedPolicyArns: ['{admin}']\n"), &says(admin));
    check("\nResources:\n", &resource("AWS::IAM::Policy", "Roles: [!Ref PublicInstanceRole]"), &says("Wide"));
    check("\nResources:\n", &resource("AWS::IAM::RolePolicy", "RoleName: !Ref PublicInstanceRole"), &says("Wide"));
}

/// What would change nothing is not taken in silence.
#[test]
fn options_of_a_role_are_not_for_configured_stacks() {
    let demo = Copy::new();
    for (command, option) in [("derive", "--need"), ("report", "--role"), ("derive", "--account")] {
        let done = demo.policyc(&[command, "--stack", "demo", option, "x"]);
        assert_eq!(done.status.code(), Some(2), "{command} {option}");
        assert!(text(&done.stderr).contains(&format!("`{option}` would change nothing here")), "{}", text(&done.stderr));
    }
}

/// A result that did not arrive is no success.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_policyc"));
    let done = command.args(["catalog", "action", "s3:GetObject"]).stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(3));
    assert!(text(&done.stderr).contains("`standard output` was not written"), "{}", text(&done.stderr));
}

#[test]
fn the_templates_with_the_managed_policy_give_the_committed_ones() {
    let demo = Copy::new();
    let committed = demo.bytes();
    for (template, roles) in
        [(OUTPUTS[6], &["PublicInstanceRole", "NatInstanceRole"][..]), (OUTPUTS[7], &["PrivateLinkInstanceRole"][..])]
    {
        let mut bytes = fs::read(demo.path(template)).unwrap();
        for role in roles {
            let ejection = policyc::emit::Ejection {
                role: (*role).to_owned(),
                policy_name: policyc::emit::place::POLICY_NAME.to_owned(),
                managed: "service-role/AmazonEC2RoleforSSM".to_owned(),
            };
            bytes = policyc::emit::eject(&bytes, &ejection).unwrap().bytes;
        }
        assert_eq!(text(&bytes).matches("policy/service-role/AmazonEC2RoleforSSM").count(), roles.len(), "{template}");
        assert!(!text(&bytes).contains("PolicyName: policyc"), "{template}");
        fs::write(demo.path(template), bytes).unwrap();
    }
    let drift = demo.policyc(&["check", "--stack", "demo"]);
    assert_eq!(drift.status.code(), Some(1));
    assert!(
        text(&drift.stdout).contains("-        - !Sub arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonEC2RoleforSSM"),
        "{}",
        text(&drift.stdout)
    );
    assert!(demo.policyc(&["derive", "--stack", "demo"]).status.success());
    assert!(demo.bytes() == committed);
}

#[test]
fn a_broken_record_stops_the_run_and_nothing_is_written() {
    let demo = Copy::new();
    fs::remove_file(demo.path(OUTPUTS[0])).unwrap();
    let broken = demo.path("cfn/recording/AWSLogs/broken.json");
    fs::write(&broken, "{\"Records\":[{\"eventVersion\":\"1.11\",}]}").unwrap();
    let done = demo.policyc(&["derive", "--stack", "demo"]);
    assert_eq!(done.status.code(), Some(3), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("broken.json") && text(&done.stderr).contains("record 0"), "{}", text(&done.stderr));
    assert!(!demo.path(OUTPUTS[0]).exists());
}

#[test]
fn a_dry_run_writes_nothing() {
    let demo = Copy::new();
    fs::remove_file(demo.path(OUTPUTS[0])).unwrap();
    assert!(demo.policyc(&["derive", "--stack", "demo", "--dry-run"]).status.success());
    assert!(!demo.path(OUTPUTS[0]).exists());
    let left: Vec<_> = fs::read_dir(demo.path("policies/demo")).unwrap().collect();
    assert_eq!(left.len(), 8, "something was left behind");
}

#[test]
fn a_certificate_that_does_not_hold_is_told() {
    let check = |what: &str, change: &dyn Fn(&Copy), want: &str| {
        let demo = Copy::new();
        change(&demo);
        let done = demo.policyc(&["check", "--stack", "demo"]);
        assert_eq!(done.status.code(), Some(1), "{what}: {}", text(&done.stderr));
        assert!(text(&done.stderr).contains(want), "{what}: {}", text(&done.stderr));
    };
    let edit = |file: &'static str, from: &'static str, to: &'static str| {
        move |demo: &Copy| {
            let old = fs::read_to_string(demo.path(file)).unwrap();
            assert!(old.contains(from), "{file} has no {from}");
            fs::write(demo.path(file), old.replacen(from, to, 1)).unwrap();
        }
    };
    let certificate = "policies/demo/public-instance.certificate.json";
    check("gone", &|demo| fs::remove_file(demo.path(certificate)).unwrap(), "there is no certificate");
    check("no JSON", &|demo| fs::write(demo.path(certificate), "{").unwrap(), "not a certificate");
    check("another format", &edit(certificate, "\"schema\": 1", "\"schema\": 2"), "schema 2");
    check("another baseline", &edit(certificate, "2162d48d5734", "2162d48d5735"), "it names a baseline 2162d48d5735");
    check(
        "another ledger",
        &edit("policyc.toml", "cfn/recording/AWSLogs\"", "cfn/recording/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/16\""),
        "it names a ledger",
    );
    check("a verdict that is not proved", &edit(certificate, "\"proved\"", "\"refused\""), "it says `refused`");
    check("a count", &edit(certificate, "\"calls_replayed\": 19", "\"calls_replayed\": 20"), "it counts 20 replayed calls");
    let policy = "policies/demo/public-instance.json";
    check(
        "a policy that grants more",
        &edit(policy, "ssm:UpdateInstanceInformation", "ssm:*"),
        "proved again, `within the baseline` is `not proved`",
    );
    check(
        "a policy that grants less",
        &edit(policy, "ssm:UpdateInstanceInformation", "ssm:GetParameter"),
        "proved again, `covers the observed calls` is `not proved`",
    );
    check(
        "a policy with a key twice",
        &edit(policy, "\"Version\": ", "\"Version\": \"2012-10-17\", \"Version\": "),
        "proved again, `within the baseline` is `refused`",
    );
}

#[test]
fn usage_errors_say_what_to_do() {
    let demo = Copy::new();
    let check = |arguments: &[&str], code: i32, want: &str| {
        let done = demo.policyc(arguments);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {}", text(&done.stderr));
        assert!(text(&done.stderr).contains(want), "{arguments:?}: {}", text(&done.stderr));
    };
    check(&["check", "--stack", "nope"], 2, "configures no stack `nope`; it has demo");
    check(&["derive", "--trail", "cfn/recording/AWSLogs"], 2, "--role");
    check(&["derive", "--trail", "missing", "--role", "r"], 3, "`missing`");
    check(&["derive", "--trail", "cfn/recording/AWSLogs", "--role", "nobody"], 2, "no call of the role `nobody`");
    check(&["derive", "--trail", "cfn/recording/AWSLogs", "--role", "nobody", "--account", "1"], 2, "");
    check(&["derive", "--trail", "cfn/recording/AWSLogs", "--role", "r", "--need", "patchng"], 2, "");
    check(
        &["derive", "--trail", "cfn/recording/AWSLogs", "--role", "r", "--baseline", "Nope"],
        2,
        "neither a file nor one of AmazonEC2RoleforSSM",
    );
}

#[test]
fn the_report_has_the_keys_that_scripts_rely_on() {
    let demo = Copy::new();
    let role = "ssm-demo-NatInstanceRole-hY6uB1oVn3Ge";
    let report = demo.path("report.json");
    let policy = demo.path("policy.json");
    let (report_path, policy_path) = (report.to_string_lossy().into_owned(), policy.to_string_lossy().into_owned());
    let done = demo.policyc(&[
        "derive",
        "--trail",
        "cfn/recording/AWSLogs",
        "--role",
        role,
        "--report",
        &report_path,
        "--out",
        &policy_path,
    ]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let keys = [
        "schema",
        "baseline",
        "window",
        "coverage",
        "actions",
        "outside",
        "denied",
        "failed",
        "suspicious",
        "unmapped",
        "findings",
        "proof",
        "size",
    ];
    for key in keys {
        assert!(report.get(key).is_some(), "the report lacks `{key}`");
    }
    for key in ["action", "verdict", "granted", "resources", "because", "evidence"] {
        assert!(report["actions"][0].get(key).is_some(), "an action lacks `{key}`");
    }
    assert_eq!(report["actions"].as_array().unwrap().len(), 41);
    // Without the stack's description, statements are named after physical names; all else is the same.
    let without_names = |path: &Path| -> Vec<serde_json::Value> {
        let mut policy: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let mut statements = policy["Statement"].as_array_mut().map(std::mem::take).unwrap();
        statements.iter_mut().for_each(|s| drop(s.as_object_mut().unwrap().remove("Sid")));
        statements.sort_by_key(ToString::to_string);
        statements
    };
    assert_eq!(without_names(&policy), without_names(&repository().join(OUTPUTS[1])));
}
