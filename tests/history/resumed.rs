//! Event history, cut off at any request and begun again.

use std::fs;
use std::path::{Path, PathBuf};

use crate::event_history::{expected, options, question, quick, run};
use crate::lookup_server::{Behaviour, LookupServer};
use crate::records::{ledger, ledger_of, records};

/// INVARIANT (history-resume): cut off at any request, event history gives the same when it is begun again, and asks for nothing
/// that it has.
#[test]
fn cut_off_anywhere_it_gives_the_same() {
    let records = records();
    let expected = ledger_of(&expected(&records));
    let whole = {
        let server = LookupServer::start(&records, quick());
        run(&server.url(), &question(), tempfile::tempdir().unwrap().path(), &options()).unwrap();
        server.answered()
    };
    let check = |cut: usize, behaviour: Behaviour, extra: usize| {
        let server = LookupServer::start(&records, Behaviour { deny_from: cut, ..behaviour });
        let folder = tempfile::tempdir().unwrap();
        let error = run(&server.url(), &question(), folder.path(), &options()).unwrap_err().to_string();
        assert!(error.contains("needs the permission cloudtrail:LookupEvents"), "{error}");
        server.behave(|b| b.deny_from = usize::MAX);
        let fetched = run(&server.url(), &question(), folder.path(), &options()).unwrap();
        assert!(ledger(&fetched.inputs()) == expected, "cut off at {cut}");
        assert!(server.answered() <= whole + extra, "{} instead of {whole} pages, cut off at {cut}", server.answered());
    };
    for cut in 0..whole {
        // An answer that is under way when the run ends is lost with it.
        check(cut, quick(), options().workers);
    }
    for cut in (0..whole).step_by(3) {
        // Tokens that died meanwhile: the page that is in the middle of a look-up is asked for by time.
        check(cut, Behaviour { token_life: 3, ..quick() }, whole);
    }
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(pages(&path)) } else { found.push(path) }
    }
    found.retain(|path| path.extension().is_some_and(|end| end == "gz"));
    found.sort();
    found
}

/// Power fails: files lose their end, or have only a name.
#[test]
fn damaged_pages_are_asked_for_again() {
    let records = records();
    let server = LookupServer::start(&records, Behaviour { token_life: 2, ..quick() });
    let folder = tempfile::tempdir().unwrap();
    drop(run(&server.url(), &question(), folder.path(), &options()).unwrap());
    let last_of = |pages: &[PathBuf]| -> Vec<PathBuf> {
        let ends = pages.windows(2).filter(|two| two[0].parent() != two[1].parent()).map(|two| two[0].clone());
        ends.chain(pages.last().cloned()).collect()
    };
    for (number, page) in last_of(&pages(folder.path())).into_iter().enumerate() {
        let bytes = fs::read(&page).unwrap();
        fs::write(&page, &bytes[..if number.is_multiple_of(2) { 0 } else { bytes.len() / 2 }]).unwrap();
    }
    let fetched = run(&server.url(), &question(), folder.path(), &options()).unwrap();
    assert!(ledger(&fetched.inputs()) == ledger_of(&expected(&records)));
}
