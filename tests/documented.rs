//! Every command in README.md and docs/ is executed, page by page, in a copy of the demo and of a project that is not.
//!
//! A block that cannot run here says so and why: `sh no-run: needs an AWS account`. A command that is shown because it
//! says no has the comment `# ends with 1`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "support/copy.rs"]
mod copy;

use copy::copy;

/// How many commands of the documentation may go unexecuted.
const NOT_RUN: usize = 21;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<_> = fs::read_dir(repository().join("docs")).unwrap().map(|e| e.unwrap().path()).collect();
    pages.retain(|p| p.extension().is_some_and(|e| e == "md"));
    pages.push(repository().join("README.md"));
    pages.sort();
    pages
}

/// A command of a page.
struct Shown {
    page: String,
    line: usize,
    command: String,
    /// Why it is not run.
    not_run: Option<String>,
}

impl Shown {
    fn ends_with(&self) -> i32 {
        let code = self.command.split_once("# ends with ").map(|(_, rest)| rest);
        code.map_or(0, |rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap())
    }
}

/// The commands of a page's shell blocks; a line that ends with `\` goes on.
fn commands(page: &Path) -> Vec<Shown> {
    let name = page.strip_prefix(repository()).unwrap().display().to_string();
    let (mut shown, mut block, mut open): (Vec<Shown>, Option<String>, bool) = (Vec::new(), None, false);
    for (n, line) in fs::read_to_string(page).unwrap().lines().enumerate() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(info.to_owned()) };
            continue;
        }
        let Some(info) = block.as_ref().filter(|i| i.split(' ').next() == Some("sh")) else {
            let indented = line.strip_prefix("    ").and_then(|l| l.split(' ').next());
            let first = indented.filter(|_| block.is_none());
            assert!(!matches!(first, Some("policyc" | "aws" | "cargo")), "{name}:{}: a command outside a fence", n + 1);
            continue;
        };
        let not_run = info.strip_prefix("sh ").map(|rest| {
            let reason = rest.strip_prefix("no-run: ").unwrap_or_else(|| panic!("{name}:{}: `{rest}`", n + 1));
            reason.to_owned()
        });
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match shown.last_mut().filter(|_| open) {
            Some(last) => last.command += &format!("\n{line}"),
            None => shown.push(Shown { page: name.clone(), line: n + 1, command: line.to_owned(), not_run }),
        }
        open = line.ends_with('\\');
    }
    assert!(block.is_none(), "{name}: a fence is not closed");
    shown
}

/// The records of the NAT instance's role, as those of a role that is called `web-Role`.
fn renamed(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_stem().unwrap());
        if path.is_dir() {
            renamed(&path, to);
        } else if path.extension().is_some_and(|e| e == "gz") {
            let mut text = String::new();
            flate2::read::MultiGzDecoder::new(fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
            fs::write(target, text.replace(ROLE, "web-Role")).unwrap();
        }
    }
}

/// The physical name of the NAT instance's role in the recording.
const ROLE: &str = "ssm-demo-NatInstanceRole-hY6uB1oVn3Ge";

/// A trail of management events, as `aws cloudtrail get-event-selectors` shows it.
const SELECTORS: &str = r#"{"TrailARN": "arn:aws:cloudtrail:us-east-1:111122223333:trail/my-trail", "EventSelectors":
    [{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": [], "ExcludeManagementEventSources": []}]}"#;

/// What the pages presuppose: the demo, and beside it somebody's trail, policies and template.
fn project(home: &Path) {
    for part in ["policyc.toml", "cfn", "policies", "examples/workflows", ".ci"] {
        copy(&repository().join(part), &home.join(part));
    }
    let bin = home.join("bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_policyc"), bin.join("policyc")).unwrap();
    let logs = home.join("AWSLogs/111122223333/CloudTrail/us-east-1");
    fs::create_dir_all(&logs).unwrap();
    renamed(&home.join("cfn/recording/AWSLogs/111122223333/CloudTrail"), &logs);
    let template = fs::read_to_string(home.join("cfn/ssm-session-mgr-example.yaml")).unwrap();
    let git = "git init -q -b main && git add policies cfn policyc.toml && git -c user.name=t -c user.email=t@example.com commit -qm one";
    assert!(Command::new("bash").args(["-c", git]).current_dir(home).status().unwrap().success());
    fs::write(home.join("selectors.json"), SELECTORS).unwrap();
    fs::write(home.join("template.yaml"), template.replace("NatInstanceRole", "InstanceRole")).unwrap();
}

#[test]
fn every_command_runs() {
    let (mut run, mut left) = (0, 0);
    for page in pages() {
        let home = tempfile::tempdir().unwrap();
        project(home.path());
        let path = format!("{}:{}", home.path().join("bin").display(), std::env::var("PATH").unwrap());
        for shown in commands(&page) {
            let place = format!("{}:{}", shown.page, shown.line);
            if let Some(reason) = &shown.not_run {
                println!("not run: {place}: {reason}: {}", shown.command);
                left += 1;
                continue;
            }
            let done = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &shown.command.replace("cargo run -- ", "policyc ")])
                .current_dir(home.path())
                .env("PATH", &path)
                .env("HOME", home.path())
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(shown.ends_with()), "{place}: {}\n{told}", shown.command);
            run += 1;
        }
    }
    assert!(run > 30, "{run} commands were run");
    assert!(left <= NOT_RUN, "{left} commands are not run");
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let folder = page.parent().unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{}: {link}", page.display());
            }
        }
    }
}
