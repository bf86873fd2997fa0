//! The catalogue's facts, each written out a second time in `tables/` and compared both ways: a row that the data lacks, has
//! otherwise or has beside the table fails. A fact is changed in two places, knowingly.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

mod buckets;
mod describe;
mod events;
mod features;
mod visibility;

use std::collections::BTreeSet;

/// The rows of a table: lines without comments and empty ones.
fn rows(table: &str) -> Vec<&str> {
    table.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).collect()
}

/// The table and the data say the same, row for row.
fn check<'a>(what: &str, table: impl IntoIterator<Item = &'a str>, data: impl IntoIterator<Item = String>) {
    let (mut known, mut there) = (BTreeSet::new(), BTreeSet::new());
    for row in table {
        assert!(known.insert(row.trim().to_owned()), "{what}: `{row}` stands twice in the table");
    }
    for row in data {
        assert!(there.insert(row.trim().to_owned()), "{what}: `{row}` stands twice in the data");
    }
    let lacking: Vec<_> = known.difference(&there).collect();
    let unknown: Vec<_> = there.difference(&known).collect();
    assert!(
        lacking.is_empty() && unknown.is_empty(),
        "{what}: the data lacks {lacking:#?} and has beside the table {unknown:#?}"
    );
    assert!(!known.is_empty(), "{what}: the table is empty");
}

#[test]
fn a_wrong_a_missing_and_a_further_fact_fail() {
    let fails = |data: &[&str]| {
        let data: Vec<String> = data.iter().map(|&row| row.to_owned()).collect();
        std::panic::catch_unwind(|| check("x", ["a 1", "b 2"], data)).is_err()
    };
    assert!(!fails(&["b 2", "a 1"]));
    assert!(fails(&["a 1", "b 3"]));
    assert!(fails(&["a 1"]));
    assert!(fails(&["a 1", "b 2", "c 3"]));
    assert!(fails(&["a 1", "b 2", "b 2"]));
    assert!(std::panic::catch_unwind(|| check("x", [], [])).is_err());
}
