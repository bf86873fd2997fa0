//! What is at hand for a newcomer: `init`, completions, manual pages, help with examples.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

#[path = "support/copy.rs"]
mod copy;

use copy::copy;

fn policyc(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_init_writes_derives_the_demo() {
    let home = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cfn"), &home.path().join("cfn"));
    let shown = policyc(home.path(), &["init", "--dry-run"]);
    assert!(shown.status.success() && !home.path().join("policyc.toml").exists());
    let done = policyc(home.path(), &["init"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let written = fs::read_to_string(home.path().join("policyc.toml")).unwrap();
    assert_eq!(written, text(&shown.stdout));
    insta::assert_snapshot!("init", written);

    let derived = policyc(home.path(), &["derive", "--stack", "main"]);
    assert!(derived.status.success(), "{}", text(&derived.stderr));
    let policy = fs::read_to_string(home.path().join("policies/NatInstanceRole.json")).unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/demo/nat-instance.json");
    assert_eq!(policy, fs::read_to_string(committed).unwrap());

    fs::write(home.path().join("policyc.toml"), "mine").unwrap();
    let again = policyc(home.path(), &["init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("overwrites nothing"));
    assert_eq!(fs::read_to_string(home.path().join("policyc.toml")).unwrap(), "mine");
}

#[test]
fn init_of_templates_alone_says_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let nothing = policyc(home.path(), &["init"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(text(&nothing.stderr).contains("no template below `.` has a role"), "{}", text(&nothing.stderr));

    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates");
    copy(&templates.join("several.yaml"), &home.path().join("several.yaml"));
    fs::write(home.path().join("broken.yaml"), "a: [").unwrap();
    let done = policyc(home.path(), &["init", "--dry-run"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let config = policyc::stack::config::Config::parse(&text(&done.stdout)).unwrap();
    assert!(config.stack["main"].role.len() > 1);
    assert!(text(&done.stdout).contains("# missing: `policyc record` writes it too") && text(&done.stdout).contains("a guess"));
}

/// A template whose role has no managed policy that policyc carries: what is written says how to go on.
#[test]
fn init_sketches_what_it_cannot_set_up() {
    let home = tempfile::tempdir().unwrap();
    let template = "Resources:\n  Own:\n    Type: AWS::IAM::Role\n    Properties: {AssumeRolePolicyDocument: {}}\n";
    fs::write(home.path().join("own.yaml"), template).unwrap();
    let done = policyc(home.path(), &["init", "--dry-run"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let written = text(&done.stdout);
    assert!(written.contains("Own in own.yaml"), "{written}");
    // Its lines, uncommented, are a configuration.
    let sketch = written.split("look like:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let lines: Vec<&str> = sketch.lines().map(|l| l.trim_start_matches('#').trim_start()).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|l| l.starts_with('[') || l.contains(" = ")).collect();
    let config = policyc::stack::config::Config::parse(&lines.join("\n")).unwrap();
    assert_eq!(config.stack["main"].role[0].logical_id, "Own");
}

/// The names of all commands.
fn commands() -> Vec<String> {
    let help = text(&policyc(Path::new("."), &["--help"]).stdout);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter_map(|l| l.strip_prefix("  ").filter(|l| !l.starts_with(' '))?.split(' ').next());
    names.filter(|n| *n != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_teaches_with_an_example() {
    let all = commands();
    assert!(all.len() >= 12 && all.iter().any(|c| c == "report"), "{all:?}");
    for command in &all {
        let help = text(&policyc(Path::new("."), &[command, "--help"]).stdout);
        assert!(help.contains(&format!("  policyc {command}")), "`{command} --help` has no example:\n{help}");
    }
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let all = commands();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&policyc(Path::new("."), &["completions", shell]).stdout);
        for command in &all {
            assert!(script.contains(command.as_str()), "{shell} does not know {command}");
        }
    }
    let script = policyc(Path::new("."), &["completions", "bash"]).stdout;
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("policyc.bash"), script).unwrap();
    let asked = "source ./policyc.bash; COMP_WORDS=(policyc report --for); COMP_CWORD=2; _policyc policyc --for report; echo ${COMPREPLY[@]}";
    let offered = Command::new("bash").args(["-c", asked]).current_dir(home.path()).output().unwrap();
    assert_eq!(text(&offered.stdout).trim(), "--format", "{}", text(&offered.stderr));

    let done = policyc(home.path(), &["man", "-o", "man1"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    for command in &all {
        let page = fs::read_to_string(home.path().join(format!("man1/policyc-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains("Example"), "{command}");
    }
    assert!(text(&policyc(home.path(), &["man"]).stdout).contains(".TH policyc 1"));
}
