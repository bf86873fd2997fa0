//! Event selectors: read or refused; what they log does not change when they are written and read again.

use policyc::ledger::selectors::{EventSelectors, LoggedRole};
use policyc::ledger::{Coverage, Coverages, Days};
use serde_json::json;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let role = LoggedRole { account: "111122223333".to_owned(), name: "web".to_owned(), partition: None };
    let read = EventSelectors::parse(bytes);
    let covered = Coverage::from_event_selectors(bytes, Some(&role));
    assert_eq!(read.is_ok(), covered.is_ok());
    let Ok(selectors) = read else { return };
    let written = json!({"AdvancedEventSelectors": selectors.to_json()}).to_string();
    let again = EventSelectors::parse(written.as_bytes()).expect("what was written reads back");
    assert_eq!(again, selectors);
    for role in [None, Some(&role)] {
        let coverage = Coverage::of(&selectors, role);
        assert_eq!(Coverage::of(&again, role), coverage);
        let days = Days::between("2026-09-01", "2026-09-10");
        let one = Coverages { declared: [(coverage.clone(), days.clone())].into(), ..Coverages::default() };
        let mut twice = one.clone();
        twice.merge(one.clone());
        assert_eq!(twice, one, "merging is idempotent");
        assert_eq!(one.throughout(&days), coverage, "a declaration holds on its days");
    }
}
