//! Trails: log files, pages of event history, bare records, ledgers, each of them compressed or not. Skipping what cannot
//! be read reads at least what strict reading reads, and the ledger reads back.

use policyc::catalog::Catalog;
use policyc::ledger::format;
use policyc::trail::inflate::Limits;
use policyc::trail::{Input, Interest, Options, observe};

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let catalog = Catalog::embedded();
    let interest = Interest::default();
    let read = |skip_unreadable| {
        let input = Input::new("x", || Ok(bytes.to_vec()));
        let limits = Limits { size: 1 << 20, ratio: 400 };
        let options = Options { skip_unreadable, limits, names: 2, ..Options::default() };
        observe(&[input], &interest, catalog, &options)
    };
    let skipping = read(true).expect("skipping turns every error into a finding");
    match read(false) {
        Ok(strict) => assert_eq!(strict, skipping),
        Err(_) => assert!(!skipping.findings.is_empty(), "what is skipped is told"),
    }
    let file = format::write(&skipping.ledger);
    assert_eq!(format::read(&file).expect("a ledger reads back"), skipping.ledger);
}
