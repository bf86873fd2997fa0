//! Records of the recorded demo, and what the library makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use policyc::catalog::Catalog;
use policyc::ledger::Ledger;
use policyc::trail::{Input, Interest, Options, observe};
use serde_json::Value;

pub(crate) const ACCOUNT: &str = "111122223333";

/// Every file below the recording's folder, with its path inside `AWSLogs/..`.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cfn/recording");
    let mut found = Vec::new();
    below(&root.join("AWSLogs"), &mut found);
    found.sort();
    let name = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    found.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { below(&path, found) } else { found.push(path) }
    }
}

/// The records of the log files.
pub(crate) fn records() -> Vec<Value> {
    let mut all = Vec::new();
    for (name, bytes) in files() {
        if name.contains("/CloudTrail/") {
            let mut text = Vec::new();
            flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut text).unwrap();
            let file: Value = serde_json::from_slice(&text).unwrap();
            all.extend(file["Records"].as_array().unwrap().iter().cloned());
        }
    }
    all
}

/// All roles of the account.
pub(crate) fn interest() -> Interest {
    Interest { account: Some(ACCOUNT.to_owned()), roles: BTreeSet::new() }
}

/// The ledger of inputs.
pub(crate) fn ledger(inputs: &[Input<'_>]) -> Ledger {
    plain(observe(inputs, &interest(), Catalog::embedded(), &Options::default()).unwrap().ledger)
}

/// A ledger without the names of the files, which differ by where they are from.
pub(crate) fn plain(mut ledger: Ledger) -> Ledger {
    ledger.sources.clear();
    let evidence = (ledger.uses.values_mut())
        .chain(ledger.bare.values_mut())
        .chain(ledger.heartbeats.values_mut())
        .chain(ledger.signs.values_mut());
    evidence.chain(ledger.unmapped.values_mut()).for_each(|seen| seen.counts.clear());
    ledger
}

/// The ledger of records as they would lie on disk.
pub(crate) fn ledger_of(records: &[Value]) -> Ledger {
    let bytes = serde_json::to_vec(&serde_json::json!({ "Records": records })).unwrap();
    ledger(&[Input::new("all.json", move || Ok(bytes.clone()))])
}
