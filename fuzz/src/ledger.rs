//! A ledger that reads is written and read back the same; merging and collapsing twice change nothing.

use policyc::ledger::collapse::collapse;
use policyc::ledger::format;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let Ok(ledger) = format::read(bytes) else { return };
    let file = format::write(&ledger);
    assert_eq!(format::read(&file).expect("a ledger reads back"), ledger);
    let mut twice = ledger.clone();
    twice.merge(ledger.clone());
    assert_eq!(twice, ledger, "merging is idempotent");
    collapse(&mut twice, 2);
    let once = twice.clone();
    collapse(&mut twice, 2);
    assert_eq!(twice, once, "collapsing is idempotent");
}
