//! Real and realistic recordings, where they lie beside the repository; without them nothing is tested here, and said so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use policyc::ledger::Session;
use policyc::trail::{Input, Interest, Observation, Options, observe};

use crate::made::catalog;

fn shared() -> Option<PathBuf> {
    let path = std::env::var_os("POLICYC_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let there = path.is_dir();
    #[allow(clippy::print_stdout)] // a test that has nothing to do says so
    if !there {
        println!("nothing tested: no recordings at {}", path.display());
    }
    there.then_some(path)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
    found.sort();
}

fn seen(paths: &[PathBuf], interest: &Interest) -> Observation {
    let inputs: Vec<Input<'_>> =
        paths.iter().map(|path| Input::new(path.display().to_string(), move || std::fs::read(path))).collect();
    observe(&inputs, interest, catalog(), &Options::default()).unwrap()
}

fn sessions(seen: &Observation) -> Vec<&Session> {
    let mut sessions: Vec<&Session> = seen.ledger.uses.keys().map(|used| &used.session).collect();
    sessions.dedup();
    sessions
}

#[test]
fn scenarios_if_present() {
    let Some(shared) = shared() else { return };
    let mut folders: Vec<_> =
        std::fs::read_dir(shared.join("acceptance/scenarios")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let text = std::fs::read_to_string(folder.join("scenario.json")).unwrap();
        let scenario: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expect: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("expect.json")).unwrap()).unwrap();
        let text = |name: &str| scenario[name].as_str().unwrap().to_owned();
        let mut paths = vec![];
        files(&folder.join("trail"), &mut paths);
        let seen = seen(&paths, &Interest { account: Some(text("account")), roles: [text("role")].into() });
        let name = folder.display();
        assert!(seen.findings.is_empty(), "{name}: {:?}", seen.findings);
        assert_eq!(seen.ledger.sources.len(), paths.len(), "{name}");
        assert!(!seen.ledger.heartbeats.is_empty(), "{name}");
        let instances: Vec<&str> = scenario["instances"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        assert!(sessions(&seen).iter().all(|session| session.role == text("role")), "{name}");
        assert!(instances.iter().all(|id| sessions(&seen).iter().any(|session| session.name == *id)), "{name}");
        let uses = seen.ledger.uses.iter().filter(|(used, _)| instances.contains(&used.session.name.as_str()));
        let ids: BTreeSet<&str> = uses.flat_map(|(_, seen)| seen.samples.iter().map(|(_, id)| id.as_str())).collect();
        for id in expect["suspicious"].as_array().into_iter().flatten() {
            assert!(ids.contains(id.as_str().unwrap()), "{name}: suspicious call {id} is among the uses");
        }
        for id in expect["ignore"].as_array().into_iter().flatten() {
            assert!(!ids.contains(id.as_str().unwrap()), "{name}: {id} is somebody else's");
        }
    }
}

#[test]
fn real_records_if_present() {
    let Some(shared) = shared() else { return };
    let mut paths = vec![];
    files(&shared.join("records"), &mut paths);
    let all = seen(&paths, &Interest::default());
    assert!(all.findings.is_empty(), "{:?}", all.findings);
    let records: u64 = all.ledger.sources.values().flat_map(|source| source.records.values()).sum();
    assert_eq!(records, 312 + 103 + 2900);
    assert!(all.ledger.operator_addresses.len() > 2, "{:?}", all.ledger.operator_addresses);

    let invictus: Vec<PathBuf> = paths.iter().filter(|path| path.to_string_lossy().contains("invictus")).cloned().collect();
    let instances = seen(&invictus, &Interest::default());
    let names: BTreeSet<&str> =
        sessions(&instances).into_iter().filter(|session| session.is_instance()).map(|session| session.name.as_str()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(instances.ledger.heartbeats.keys().all(|beat| beat.agent_version == "3.1.1732.0" && beat.platform == "Linux"));
    assert!(instances.ledger.signs.keys().any(|sign| sign.document == "AWS-RunShellScript"));
}
