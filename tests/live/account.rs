//! The demo as it would be in an account: deployed on moto, its recording retold with moto's names and as of last week.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::moto::Moto;
use crate::python;

pub(crate) const ROLES: [(&str, &str); 3] =
    [("ssm-demo", "NatInstanceRole"), ("ssm-demo", "PublicInstanceRole"), ("ssm-demo-privatelink", "PrivateLinkInstanceRole")];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The account, and a folder for the files of a test.
pub(crate) struct Account {
    moto: Moto,
    /// What moto made of the templates.
    pub(crate) deployed: Value,
    /// Where policyc runs; the trail's files are in `AWSLogs` of it.
    pub(crate) home: tempfile::TempDir,
}

impl Account {
    /// Deploys the demo and retells its recording.
    pub(crate) fn with_demo() -> Self {
        let moto = Moto::start_as("111122223333");
        let script = root().join("tests/emulators/live_demo.py");
        let text = python::run(Command::new(python::python()).arg(&script).arg(&moto.url).arg(root().join("cfn")));
        let deployed: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let home = tempfile::tempdir().unwrap();
        retold(&root().join("cfn/recording/AWSLogs"), &home.path().join("AWSLogs"), &renamed(&deployed));
        Self { moto, deployed, home }
    }

    /// An account with the stack `fleet` alone; its trail is the demo's, with these names.
    pub(crate) fn with_fleet(names: impl Fn(&Value) -> Vec<(String, String)>) -> Self {
        let moto = Moto::start_as("111122223333");
        let script = root().join("tests/emulators/live_demo.py");
        let text = python::run(Command::new(python::python()).arg(&script).args([&moto.url, "--fleet"]));
        let deployed: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let home = tempfile::tempdir().unwrap();
        retold(&root().join("cfn/recording/AWSLogs"), &home.path().join("AWSLogs"), &names(&deployed));
        Self { moto, deployed, home }
    }

    /// Puts the trail's files into a bucket, in their true layout, with a trail that delivers there.
    pub(crate) fn upload(&self, bucket: &str) {
        let script = root().join("tests/emulators/live_demo.py");
        let staged = self.home.path().join("staged");
        copy(&self.home.path().join("AWSLogs"), &staged.join("AWSLogs"));
        python::run(Command::new(python::python()).arg(script).args([&self.moto.url, "--upload", bucket]).arg(staged));
    }

    /// AWS publishes a new version of a policy that it manages: the embedded one's actions, changed.
    pub(crate) fn publish(&self, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let embedded = policyc::catalog::baselines::find(name).unwrap();
        let mut document: Value = serde_json::from_slice(embedded.document).unwrap();
        let statements = document["Statement"].as_array_mut().unwrap();
        let holds = |statement: &&mut Value| statement["Action"].to_string().contains("ssm:PutInventory");
        change(statements.iter_mut().find(holds).unwrap()["Action"].as_array_mut().unwrap());
        let file = self.home.path().join("published.json");
        fs::write(&file, document.to_string()).unwrap();
        let script = root().join("tests/emulators/live_demo.py");
        python::run(Command::new(python::python()).arg(script).args([&self.moto.url, "--publish", embedded.arn]).arg(file));
    }

    /// Where the account is.
    pub(crate) fn url(&self) -> &str {
        &self.moto.url
    }

    /// The command with the account's credentials.
    pub(crate) fn policyc(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_policyc"));
        command.args(args).current_dir(self.home.path()).env_clear().env("HOME", self.home.path());
        command.env("AWS_ENDPOINT_URL", &self.moto.url).env("AWS_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret-of-the-operator");
        command
    }

    /// A command that has to succeed; gives its output.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        done(self.policyc(args))
    }

    pub(crate) fn role(&self, stack: &str, id: &str) -> &Value {
        &self.deployed[stack]["roles"][id]
    }

    /// The stack's description as somebody would have written it who knows what was deployed.
    pub(crate) fn description(&self) -> Value {
        let mut description: Value = serde_json::from_slice(&fs::read(root().join("cfn/recording/stack.json")).unwrap()).unwrap();
        for (stack, listed) in description["stacks"].as_object_mut().unwrap() {
            listed["resources"] = self.deployed[stack]["resources"].clone();
            for (id, role) in listed["roles"].as_object_mut().unwrap() {
                let made = &self.deployed[stack]["roles"][id];
                role["name"] = made["name"].clone();
                role["arn"] = made["arn"].clone();
                role["instances"] = vec![made["instance"].clone()].into();
                let public = if id.starts_with("Nat") { made["nat"][0].clone() } else { made["public"].clone() };
                let addresses: Vec<Value> = [made["private"].clone(), public].into_iter().filter(Value::is_string).collect();
                role["addresses"] = addresses.into();
                let resources = &self.deployed[stack]["resources"];
                let ends = resources.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("Endpoint"));
                role["endpoints"] = ends.map(|(_, id)| id.clone()).collect::<Vec<_>>().into();
            }
        }
        description
    }

    /// Writes a policyc.toml for the three roles.
    pub(crate) fn configure(&self, folder: &str, description: &str, trail: &str, baseline: &str) -> PathBuf {
        let mut text =
            format!("[stack.demo]\ndescription = \"{description}\"\ntrail = [\"{trail}\"]\nbaseline = \"{baseline}\"\n");
        for (stack, id) in ROLES {
            text +=
                &format!("[[stack.demo.role]]\nstack = \"{stack}\"\nlogical-id = \"{id}\"\npolicy = \"policies/{id}.json\"\n");
        }
        let folder = self.home.path().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("policyc.toml");
        fs::write(&file, text).unwrap();
        file
    }

    /// The policies that derive from files on disk, by logical id.
    pub(crate) fn derived_from_disk(&self, folder: &str, trail: &Path, coverage: Option<&str>) -> BTreeMap<String, String> {
        let file = self.configure(folder, "stack.json", trail.to_str().unwrap(), "AmazonEC2RoleforSSM");
        if let Some(coverage) = coverage {
            fs::write(file.with_file_name("selectors.json"), coverage).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replacen("baseline", "coverage = \"selectors.json\"\nbaseline", 1)).unwrap();
        }
        fs::write(file.with_file_name("stack.json"), self.description().to_string()).unwrap();
        self.run(&["derive", "--stack", "demo", "--config", file.to_str().unwrap()]);
        policies(&file.with_file_name("policies"))
    }
}

/// The policies in a folder, by the names of their files.
pub(crate) fn policies(folder: &Path) -> BTreeMap<String, String> {
    let ids = ROLES.iter().map(|(_, id)| (*id).to_owned());
    let read = |id: String| fs::read_to_string(folder.join(format!("{id}.json"))).ok().map(|text| (id, text));
    ids.filter_map(read).collect()
}

pub(crate) fn done(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    output
}

/// What the recording's names are in the account.
fn renamed(deployed: &Value) -> Vec<(String, String)> {
    let before: Value = serde_json::from_slice(&fs::read(root().join("cfn/recording/stack.json")).unwrap()).unwrap();
    let mut names = Vec::new();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for (stack, listed) in before["stacks"].as_object().unwrap() {
        for (id, name) in listed["resources"].as_object().unwrap() {
            names.extend(text(&deployed[stack]["resources"][id]).map(|new| (text(name).unwrap(), new)));
        }
        for (id, role) in listed["roles"].as_object().unwrap() {
            let made = &deployed[stack]["roles"][id];
            for old in role["addresses"].as_array().unwrap().iter().map(|a| text(a).unwrap()) {
                let new = match (old.starts_with("10."), id.starts_with("Nat")) {
                    (true, _) => text(&made["private"]),
                    (false, true) => text(&made["nat"][0]),
                    (false, false) => text(&made["public"]),
                };
                names.push((format!("\"{old}\""), format!("\"{}\"", new.unwrap())));
            }
        }
    }
    names.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
    names
}

const LAST: Date = jiff::civil::date(2026, 11, 19);

/// The recording's days, and which days of last week they are now.
fn days() -> Vec<(Date, Date)> {
    let yesterday = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().yesterday().unwrap();
    // The clock of the day goes on, so later days have to be renamed first.
    (0..5).map(|ago: i64| (LAST - ago.days(), yesterday - ago.days())).collect()
}

fn dated(text: &str) -> String {
    // Through a form that no date has, so that no day is moved twice.
    let forms = ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%dT", "%b %d, %Y"];
    let mut text = text.to_owned();
    for (n, (old, _)) in days().into_iter().enumerate() {
        for (f, form) in forms.iter().enumerate() {
            text = text.replace(&old.strftime(form).to_string(), &format!("\u{1}{n}.{f}\u{1}"));
        }
    }
    for (n, (_, new)) in days().into_iter().enumerate() {
        for (f, form) in forms.iter().enumerate() {
            text = text.replace(&format!("\u{1}{n}.{f}\u{1}"), &new.strftime(form).to_string());
        }
    }
    text
}

/// Retells the log files below a folder.
fn retold(from: &Path, to: &Path, names: &[(String, String)]) {
    for path in files(from) {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        let text = names.iter().fold(text, |text, (old, new)| text.replace(old, new));
        let below = path.strip_prefix(from).unwrap().to_str().unwrap();
        let target = to.join(dated(below));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(dated(&text).as_bytes()).unwrap();
        fs::write(target, out.finish().unwrap()).unwrap();
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
}

/// The records of the trail's log files.
pub(crate) fn records(account: &Account) -> Vec<Value> {
    let mut all = Vec::new();
    for path in files(&account.home.path().join("AWSLogs")) {
        if path.to_str().unwrap().contains("/CloudTrail/") {
            let mut text = Vec::new();
            flate2::read::MultiGzDecoder::new(fs::File::open(&path).unwrap()).read_to_end(&mut text).unwrap();
            let file: Value = serde_json::from_slice(&text).unwrap();
            all.extend(file["Records"].as_array().unwrap().iter().cloned());
        }
    }
    all
}

/// Compares policies, and shows the first line that differs.
#[track_caller]
pub(crate) fn same(found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>, what: &str) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (id, text) in found {
        let lines = text.lines().zip(expected[id].lines()).enumerate().find(|(_, (a, b))| a != b);
        assert_eq!(lines, None, "{what}: {id}");
        assert_eq!(text.len(), expected[id].len(), "{what}: {id}");
    }
}
