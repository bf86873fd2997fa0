//! The review of a change, as the action runs it: a repository, a pull request, one comment, an exit code.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

#[path = "support/copy.rs"]
mod copy;
#[path = "action/project.rs"]
mod project;

use project::{MARKER, NAT, Project, Review, TEMPLATE, repository, text};

/// The three changes of a policy's life, one pull request, one comment that is updated.
#[test]
fn narrowed_unchanged_and_widened_are_told_apart() {
    let project = Project::new();
    let derived = project.policyc(&["derive", "--stack", "demo"]);
    assert!(derived.status.success(), "{}", text(&derived.stderr));
    project.commit("narrowed");
    project.review(&[]).says(
        0,
        &[
            "### policyc: access was narrowed, nothing was gained",
            "| `policies/demo/nat-instance.json` | narrowed |",
            "| `cfn/ssm-session-mgr-example.yaml` | narrowed |",
            "**As derived, and proved:** stack `demo`.",
        ],
    );

    project.edit(TEMPLATE, "\nResources:", "\n# A remark.\nResources:");
    project.commit("nothing changed");
    project.review(&[]).says(0, &["### policyc: access stays as it was", "| `cfn/ssm-session-mgr-example.yaml` | same access |"]);

    project.edit(NAT, "\"s3:PutObject\"", "\"s3:*\"");
    project.commit("widened");
    let widened = [
        "### policyc: access was gained",
        "| `policies/demo/nat-instance.json` | access gained |",
        "a certificate beside the policies is about another policy",
        "**Drift:**",
        "**Not proved:**",
    ];
    project.review(&[]).says(1, &widened);
    for (fail_on, code) in [("", 0), ("gained", 1), ("drift", 1), ("proof", 1), ("drift proof", 1)] {
        project.review(&[("POLICYC_FAIL_ON", fail_on)]).says(code, &widened);
    }

    project.commit("nothing at all");
    project.review(&[("POLICYC_FAIL_ON", "gained")]).says(0, &["No policy and no template differs"]);
}

#[test]
fn a_change_of_nothing_says_nothing() {
    let project = Project::new();
    assert!(project.policyc(&["derive", "--stack", "demo"]).status.success());
    project.commit("narrowed");
    project.commit("nothing");
    let review = project.review(&[]);
    assert_eq!((review.code, review.comments.len()), (Some(0), 0), "{}", review.log);
}

/// Whoever writes the marker first could rewrite the verdict afterwards.
#[test]
fn a_comment_of_somebody_else_is_not_taken() {
    let project = Project::new();
    assert!(project.policyc(&["derive", "--stack", "demo"]).status.success());
    project.commit("narrowed");
    let theirs = serde_json::json!([{"id": 1, "user": {"login": "mallory"}, "body": format!("{MARKER}\nall is well")}]);
    project.comments(&theirs);
    project.review(&[]).says(0, &["access was narrowed"]);
    let kept = fs::read_to_string(project.home.path().join("comments.json")).unwrap();
    assert!(kept.contains("all is well"), "{kept}");
}

#[test]
fn a_new_policy_is_compared_with_nothing_or_with_the_baseline() {
    let project = Project::new();
    assert!(project.policyc(&["derive", "--stack", "demo"]).status.success());
    project.commit("narrowed");
    fs::copy(project.path(NAT), project.path("policies/new.json")).unwrap();
    project.commit("another policy");
    project.review(&[]).says(1, &["| `policies/new.json` | access gained |"]);
    for baseline in ["AmazonEC2RoleforSSM", "policies/AmazonEC2RoleforSSM.json"] {
        project.review(&[("POLICYC_BASELINE", baseline)]).says(0, &["| `policies/new.json` | narrowed |"]);
    }
}

#[test]
fn what_cannot_be_compared_does_not_pass() {
    let project = Project::new();
    assert!(project.policyc(&["derive", "--stack", "demo"]).status.success());
    project.commit("narrowed");
    fs::write(project.path("policies/broken.json"), "{\"Statement\": [").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", project.path("policies/link.json")).unwrap();
    let commit = "160000,0123456789012345678901234567890123456789,policies/sub.json";
    project.git(&["add", "-A"]);
    project.git(&["update-index", "--add", "--cacheinfo", commit]);
    project.git(&["commit", "-q", "-m", "not policies"]);
    project.review(&[("POLICYC_FAIL_ON", "")]).says(
        3,
        &[
            "something could not be judged",
            "| `policies/broken.json` | not compared |",
            "| `policies/link.json` | not compared |",
            "| `policies/sub.json` | not compared |",
        ],
    );
}

/// File names are chosen by whoever opens the pull request.
#[test]
fn names_neither_run_nor_leave_their_place() {
    let project = Project::new();
    assert!(project.policyc(&["derive", "--stack", "demo"]).status.success());
    project.commit("narrowed");
    let mark = project.home.path().join("ran");
    let names = [
        format!("$(touch {}).json", mark.display()).replace('/', "_"),
        "`touch ran`.json".to_owned(),
        "-rf.json".to_owned(),
        "a\n::set-output name=x::y\n.json".to_owned(),
        "|`| <script>alert(1)<_script> @everyone.json".to_owned(),
    ];
    for name in &names {
        fs::copy(project.path(NAT), project.path("policies").join(name)).unwrap();
    }
    project.commit("names");
    let review = project.review(&[]);
    review.says(1, &["| `policies/-rf.json` | access gained |"]);
    assert!(!mark.exists() && !project.path("ran").exists() && !project.path("policies/ran").exists());
    let comment = &review.comments[0];
    for hostile in ["<script>", "\n::", "`touch", "$("] {
        assert!(!comment.contains(hostile), "{hostile:?} in:\n{comment}");
    }
    let lines: Vec<_> = review.log.lines().filter(|l| l.starts_with("::")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let token = lines[0].strip_prefix("::stop-commands::").unwrap();
    assert_eq!(lines[1], format!("::{token}::"));
}

/// The stand-in for `gh` refuses what GitHub refuses: more than 65,536 characters.
#[test]
fn many_files_fit_into_one_comment() {
    let project = Project::new();
    assert!(project.policyc(&["derive", "--stack", "demo"]).status.success());
    project.commit("narrowed");
    let count = 110;
    for n in 0..count {
        let name = format!("policies/{n:03}{}.json", "x".repeat(240));
        fs::copy(project.path("policies/AmazonSSMPatchAssociation.json"), project.path(&name)).unwrap();
    }
    fs::write(project.path("policies/zz.json"), "`".repeat(100_000)).unwrap();
    project.commit("many");
    let review = project.review(&[]);
    review.says(3, &["| `policies/zz.json` | not compared |", "and 11 more.", "There is no room here for all of them"]);
}

#[test]
fn a_token_that_only_reads_changes_the_verdict_of_nothing() {
    let project = Project::new();
    assert!(project.policyc(&["derive", "--stack", "demo"]).status.success());
    project.commit("narrowed");
    let summary = project.home.path().join("summary.md");
    let review = project.review(&[("FAKE_READ_ONLY", "1"), ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())]);
    assert_eq!((review.code, review.comments.len()), (Some(0), 0), "{}", review.log);
    assert!(review.log.contains("::warning::policyc could not comment"), "{}", review.log);
    assert!(fs::read_to_string(summary).unwrap().contains("access was narrowed"));
}

#[test]
fn sarif_is_written_where_asked() {
    let project = Project::new();
    assert!(project.policyc(&["derive", "--stack", "demo"]).status.success());
    project.commit("narrowed");
    let sarif = project.home.path().join("policyc.sarif");
    let output = project.home.path().join("output");
    let settings = [("POLICYC_SARIF", sarif.to_str().unwrap()), ("GITHUB_OUTPUT", output.to_str().unwrap())];
    project.review(&settings).says(0, &[]);
    assert_eq!(fs::read_to_string(output).unwrap(), format!("sarif={}\n", sarif.display()));
    let written: serde_json::Value = serde_json::from_slice(&fs::read(sarif).unwrap()).unwrap();
    assert_eq!(written["version"], "2.1.0");
}

#[test]
fn wrong_settings_are_told() {
    let project = Project::new();
    for (setting, told) in [
        (("POLICYC_BASE", "nowhere"), "the revision `nowhere` is not here"),
        (("POLICYC_BASE", "--output=x"), "is not here"),
        (("POLICYC_FAIL_ON", "gained everything"), "`everything` is none of"),
        (("POLICYC_STACK", "x; true"), "a stack has a name of"),
        (("POLICYC", "no-such-binary"), "policyc is not installed"),
    ] {
        let review = project.review(&[setting]);
        assert_eq!(review.code, Some(2), "{setting:?}: {}", review.log);
        assert!(review.log.contains(told), "{setting:?}: {}", review.log);
    }
}

/// Runs a shell line in a folder.
fn shell(folder: &Path, line: &str) {
    assert!(Command::new("bash").args(["-euc", line]).current_dir(folder).status().unwrap().success(), "{line}");
}

#[test]
fn a_release_is_installed_if_it_is_the_published_one() {
    let project = Project::new();
    let release = project.home.path().join("release");
    fs::create_dir(&release).unwrap();
    fs::write(release.join("policyc"), "#!/bin/sh\necho policyc 0.1.0\n").unwrap();
    shell(
        &release,
        "chmod +x policyc; for t in {x86_64,aarch64}-unknown-linux-musl aarch64-apple-darwin; do
        tar -czf policyc-$t.tar.gz policyc; sha256sum policyc-$t.tar.gz >policyc-$t.tar.gz.sha256; done",
    );
    let path = project.home.path().join("path");
    let install = |version: &str| {
        let _ = fs::remove_file(&path);
        let programs = format!("{}:{}", project.home.path().join("bin").display(), std::env::var("PATH").unwrap());
        let done = Command::new(repository().join(".ci/install.sh"))
            .env("PATH", programs)
            .env("TMPDIR", project.home.path())
            .env("GITHUB_PATH", &path)
            .env("POLICYC_VERSION", version)
            .env("POLICYC_REPOSITORY", "acme/policyc")
            .env("FAKE_RELEASE", &release)
            .env("FAKE_COMMENTS", project.home.path().join("comments.json"))
            .output()
            .unwrap();
        (done.status.code(), fs::read_to_string(&path).ok())
    };
    let (code, folder) = install("v0.1.0");
    assert_eq!(code, Some(0));
    let installed = Command::new(Path::new(folder.unwrap().trim()).join("policyc")).output().unwrap();
    assert_eq!(text(&installed.stdout), "policyc 0.1.0\n");
    for version in ["", "main", "0.1.0", "../v0.1.0"] {
        assert_eq!(install(version), (Some(2), None), "{version}");
    }
    shell(&release, "for f in *.tar.gz; do echo more >>$f; done");
    let (code, folder) = install("v0.1.0");
    assert!(code != Some(0) && folder.is_none(), "{code:?}");
}

/// GitLab's API, until the test ends.
struct GitLab {
    server: Child,
    port: String,
}

impl GitLab {
    fn new(notes: &Path) -> Self {
        let mut server = Command::new("python3")
            .arg(repository().join("tests/action/gitlab.py"))
            .arg(notes)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { server, port: port.trim().to_owned() }
    }
}

impl Drop for GitLab {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_merge_request_has_one_comment_too() {
    if ["curl", "jq"].iter().any(|tool| Command::new(tool).arg("--version").output().is_err()) {
        println!("the review needs curl and jq on GitLab, and this machine lacks one");
        return;
    }
    let project = Project::new();
    assert!(project.policyc(&["derive", "--stack", "demo"]).status.success());
    project.commit("narrowed");
    let theirs: Vec<_> = (0..130)
        .map(|n| serde_json::json!({"id": n, "author": {"username": "mallory"}, "body": format!("{MARKER} {n}")}))
        .collect();
    project.comments(&serde_json::Value::Array(theirs));
    let notes = project.home.path().join("comments.json");
    let gitlab = GitLab::new(&notes);
    let api = format!("http://127.0.0.1:{}/api/v4", gitlab.port);
    let settings = [
        ("GITHUB_ACTIONS", ""),
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", api.as_str()),
        ("CI_PROJECT_ID", "3"),
        ("CI_MERGE_REQUEST_IID", "7"),
    ];
    let review = |more: &[(&str, &str)]| {
        let review = project.review(&[&settings, more].concat());
        let all: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(&notes).unwrap()).unwrap();
        let own = all.iter().filter(|n| n["author"]["username"] == "policyc-bot");
        let comments = own.map(|n| n["body"].as_str().unwrap().to_owned()).collect();
        Review { comments, ..review }
    };
    assert!(review(&[]).log.contains("POLICYC_GITLAB_TOKEN is not set"));
    let refused = review(&[("POLICYC_GITLAB_TOKEN", "wrong")]);
    assert!(refused.code == Some(0) && refused.log.contains("policyc could not comment"), "{}", refused.log);
    let token = ("POLICYC_GITLAB_TOKEN", "glpat-EXAMPLE");
    review(&[token]).says(0, &["access was narrowed"]);
    project.edit(NAT, "\"s3:PutObject\"", "\"s3:*\"");
    project.commit("widened");
    let widened = review(&[token]);
    widened.says(1, &["access was gained"]);
    assert!(!widened.log.contains("glpat-EXAMPLE"));
}

/// What follows each `start` in a text, as long as it is a name.
fn names(text: &str, start: &str) -> BTreeSet<String> {
    let is_name = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.split(start).skip(1).map(|rest| rest.chars().take_while(is_name).collect()).collect()
}

#[test]
fn the_action_gives_what_its_scripts_read_and_the_page_tells() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let action = read("action.yml");
    let scripts = read(".ci/review.sh") + &read(".ci/install.sh");
    for name in names(&action, " POLICYC_") {
        assert!(scripts.contains(&format!("POLICYC_{name}")), "no script reads POLICYC_{name}");
    }
    let section = action.split("\nruns:").next().unwrap().split("\ninputs:").nth(1).unwrap();
    let keys = section.lines().filter_map(|l| l.strip_prefix("  ")).filter(|l| !l.starts_with(' '));
    let inputs: BTreeSet<String> = keys.map(|l| l.trim_end_matches(':').to_owned()).collect();
    assert_eq!(names(&action, "inputs."), inputs);
    let page = read("docs/ci.md");
    for input in &inputs {
        assert!(page.contains(&format!("`{input}`")), "docs/ci.md lacks the input {input}");
    }
    for path in ["action.yml", ".github/workflows/ci.yml", ".github/workflows/release.yml", "examples/workflows/policyc.yml"] {
        for line in read(path).lines().filter(|l| l.trim_start().trim_start_matches("- ").starts_with("run:")) {
            assert!(!line.contains("${{"), "{path}: a value becomes text of a script: {line}");
        }
    }
}
