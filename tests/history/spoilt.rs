//! What goes wrong on the way: the result is the same, or there is a clear error.

use policyc::aws::bucket::BucketError;
use policyc::aws::event_history::{Fetched, Options};
use policyc::aws::fetch::Load;
use policyc::aws::lookup::Patience;

use crate::bucket::{client, log_files, on_disk, put, read, runtime, wanted};
use crate::event_history::{expected, options, question, quick, run};
use crate::faults::{Fault, PATIENCE, Proxy};
use crate::lookup_server::LookupServer;
use crate::moto::Moto;
use crate::records::{ledger, ledger_of, records};

fn patient() -> Options {
    let patience = Patience { timeout: PATIENCE, ..options().patience };
    Options { patience, ..options() }
}

#[test]
fn event_history_through_a_bad_connection() {
    let records = records();
    let expected = ledger_of(&expected(&records));
    let server = LookupServer::start(&records, quick());
    let same = |fetched: &Fetched| ledger(&fetched.inputs()) == expected;
    let check = |fault: Fault, says: &str| {
        let now_and_then = Proxy::start(&server.url(), move |number, _| (number % 5 == 2).then_some(fault));
        let folder = tempfile::tempdir().unwrap();
        let fetched = run(&now_and_then.url(), &question(), folder.path(), &patient()).unwrap();
        assert!(same(&fetched), "{fault:?}");

        let from_now_on = Proxy::start(&server.url(), move |number, _| (number >= 7).then_some(fault));
        let folder = tempfile::tempdir().unwrap();
        let few = Options { patience: Patience { tries: 2, ..patient().patience }, ..patient() };
        let error = run(&from_now_on.url(), &question(), folder.path(), &few).unwrap_err().to_string();
        assert!(error.contains("was not answered after 2 tries") && error.contains(says), "{fault:?}: {error}");
        let before = server.answered();
        let fetched = run(&server.url(), &question(), folder.path(), &patient()).unwrap();
        assert!(same(&fetched) && server.answered() > before, "{fault:?}: what is there is taken up");
    };
    check(Fault::Throttled, "ThrottlingException");
    check(Fault::Internal, "InternalError");
    check(Fault::Cut, "");
    check(Fault::CutBody, "");
    check(Fault::HalfBody, "cannot be read");
    check(Fault::Slow, "no answer within");
    check(Fault::Silent, "no answer within");
}

#[test]
fn log_files_through_a_bad_connection() {
    let (moto, runtime) = (Moto::start(), runtime());
    let files = log_files();
    put(&runtime, &client(&moto.url, "us-east-1"), "trail", "us-east-1", &files);
    let expected = on_disk(&files);
    let third = files[files.len() / 2].0.clone();
    let load = Load { at_once: 4, bytes: 4096, ..Load::default() };
    let check = |fault: Fault, says: &str| {
        let is_file = |path: &str| path.contains(".json.gz");
        let now_and_then = Proxy::start(&moto.url, move |number, request| {
            // A listing has no digest, so a byte that changes under way does not show; TLS sees to that.
            let may = fault != Fault::OtherByte || is_file(&request.path);
            (number % 3 == 1 && may).then_some(fault)
        });
        let found = read(&runtime, &client(&now_and_then.url(), "us-east-1"), "s3://trail", &wanted(), load, PATIENCE);
        assert!(found.unwrap() == expected, "{fault:?}");
        assert!(now_and_then.requests() > files.len());

        let bad = third.clone();
        let one_file = Proxy::start(&moto.url, move |_, request| request.path.contains(&bad).then_some(fault));
        let found = read(&runtime, &client(&one_file.url(), "us-east-1"), "s3://trail", &wanted(), load, PATIENCE);
        let error = found.unwrap_err();
        assert!(matches!(error, BucketError::Failed { .. }), "{fault:?}: {error}");
        let error = error.to_string();
        assert!(error.contains(&format!("`s3://trail/{third}` could not be fetched in 4 tries")), "{fault:?}: {error}");
        assert!(error.contains(says), "{fault:?}: {error}");
    };
    check(Fault::Throttled, "SlowDown");
    check(Fault::Internal, "InternalError");
    check(Fault::Cut, "");
    check(Fault::CutBody, "did not come whole");
    check(Fault::HalfBody, "bytes");
    check(Fault::OtherByte, "not those of its entity tag");
    check(Fault::Slow, "no answer within");
    check(Fault::Silent, "no answer within");
}
