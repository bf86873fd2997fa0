//! A repository under review: the demo as it was before policyc, a pull request, and what the review says of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::copy::copy;

pub(crate) const NAT: &str = "policies/demo/nat-instance.json";
pub(crate) const TEMPLATE: &str = "cfn/ssm-session-mgr-example.yaml";
pub(crate) const MARKER: &str = "<!-- policyc review of demo -->";

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A repository with the demo as it was before policyc, and the comments of its pull request.
pub(crate) struct Project {
    pub(crate) home: tempfile::TempDir,
}

/// What a review said.
pub(crate) struct Review {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    /// The comments of the pull request whose author is the action.
    pub(crate) comments: Vec<String>,
}

impl Project {
    pub(crate) fn new() -> Self {
        let project = Self { home: tempfile::tempdir().unwrap() };
        fs::create_dir(project.home.path().join("web")).unwrap();
        for part in ["policyc.toml", "cfn", "policies"] {
            copy(&repository().join(part), &project.path(part));
        }
        fs::create_dir(project.home.path().join("bin")).unwrap();
        project.program("gh");
        project.program("policyc");
        project.comments(&serde_json::json!([]));
        let managed = fs::read(project.path("policies/AmazonEC2RoleforSSM.json")).unwrap();
        for name in ["nat", "public", "privatelink"] {
            fs::write(project.path(&format!("policies/demo/{name}-instance.json")), &managed).unwrap();
            fs::remove_file(project.path(&format!("policies/demo/{name}-instance.certificate.json"))).unwrap();
        }
        project.eject(TEMPLATE, &["PublicInstanceRole", "NatInstanceRole"]);
        project.eject("cfn/ssm-session-mgr-privatelink-example.yaml", &["PrivateLinkInstanceRole"]);
        project.git(&["init", "-q", "-b", "main"]);
        project.commit("the managed policy everywhere");
        project
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.home.path().join("web").join(relative)
    }

    pub(crate) fn program(&self, name: &str) {
        let program = self.home.path().join("bin").join(name);
        fs::copy(repository().join("tests/action").join(name), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn eject(&self, template: &str, roles: &[&str]) {
        let mut bytes = fs::read(self.path(template)).unwrap();
        for role in roles {
            let ejection = policyc::emit::Ejection {
                role: (*role).to_owned(),
                policy_name: policyc::emit::place::POLICY_NAME.to_owned(),
                managed: "service-role/AmazonEC2RoleforSSM".to_owned(),
            };
            bytes = policyc::emit::eject(&bytes, &ejection).unwrap().bytes;
        }
        fs::write(self.path(template), bytes).unwrap();
    }

    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let old = fs::read_to_string(self.path(path)).unwrap();
        assert!(old.contains(from), "{path} has no {from}");
        fs::write(self.path(path), old.replacen(from, to, 1)).unwrap();
    }

    pub(crate) fn comments(&self, comments: &serde_json::Value) {
        fs::write(self.home.path().join("comments.json"), comments.to_string()).unwrap();
    }

    pub(crate) fn policyc(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(self.path("")).output().unwrap()
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.path(""))
            .env("HOME", self.home.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", text(&done.stderr));
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Reviews the last commit as a pull request.
    pub(crate) fn review(&self, settings: &[(&str, &str)]) -> Review {
        let path = format!("{}:{}", self.home.path().join("bin").display(), std::env::var("PATH").unwrap());
        let comments = self.home.path().join("comments.json");
        let done = Command::new(repository().join(".ci/review.sh"))
            .current_dir(self.path("cfn"))
            .env("PATH", path)
            .env("HOME", self.home.path())
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_REPOSITORY", "acme/web")
            .env("POLICYC_BINARY", env!("CARGO_BIN_EXE_policyc"))
            .env("POLICYC_BASE", "HEAD~1")
            .env("POLICYC_PULL_REQUEST", "7")
            .env("FAKE_COMMENTS", &comments)
            .env_remove("POLICYC")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env_remove("GITHUB_OUTPUT")
            .envs(settings.iter().copied())
            .output()
            .unwrap();
        let all: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(comments).unwrap()).unwrap();
        Review {
            code: done.status.code(),
            log: text(&done.stdout) + &text(&done.stderr),
            comments: all
                .iter()
                .filter(|c| c["user"]["login"] == "github-actions[bot]")
                .map(|c| c["body"].as_str().unwrap().to_owned())
                .collect(),
        }
    }
}

impl Review {
    /// The exit code, and the one comment's lines.
    pub(crate) fn says(&self, code: i32, lines: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.log);
        assert_eq!(self.comments.len(), 1, "{}", self.log);
        assert!(self.comments[0].starts_with(MARKER));
        for line in lines {
            assert!(self.comments[0].contains(line), "no `{line}` in:\n{}\n{}", self.comments[0], self.log);
        }
    }
}
