//! Input that is broken, or made to break something.

use policyc::finding::Code;
use policyc::iam::Pattern;
use policyc::trail::inflate::Limits;
use policyc::trail::{Observation, Options, TrailError};
use serde_json::json;

use crate::made::{self, get, gzip, heartbeat, read};

fn skipping(bytes: &[u8]) -> Observation {
    let options = Options { skip_unreadable: true, ..Options::default() };
    read(&[("bad.json", bytes.to_vec())], &options).unwrap()
}

/// Reading stops with an error that says all of this; when skipping, so many api-calls are left and it is told.
fn check(bytes: &[u8], says: &[&str], left: u64) {
    let error = read(&[("bad.json", bytes.to_vec())], &Options::default()).unwrap_err();
    let text = error.to_string();
    for part in says.iter().chain(&["`bad.json`"]) {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    assert!(!text.contains('\n') && text.len() < 500, "{text}");
    assert!(error.advice().contains("--skip-unreadable"));
    let seen = skipping(bytes);
    let calls = seen.ledger.sources.values().flat_map(|source| source.records.get("api-call")).sum::<u64>();
    assert_eq!(calls, left, "{:?}", seen.findings);
    assert!(seen.findings.iter().any(|finding| finding.code == Code::UnreadableInput));
}

#[test]
fn broken_records_are_placed_and_skipped() {
    let (a, b) = (get("e1", "a").to_string(), heartbeat("e2").to_string());
    let cut = &a[..a.len() - 5];
    let place = "record 1 of `bad.json`";
    check(format!(r#"{{"Records":[{a},{{"eventType":[]}},{b}]}}"#).as_bytes(), &[place, "line 1"], 2);
    check(
        format!("{{\"Records\":[\n{a},\n{{\"eventType\":nonsense, \"x\":\"}}\\\"\"}},\n{b}]}}").as_bytes(),
        &[place, "line 3"],
        2,
    );
    check(format!("[{a},3,{b}]").as_bytes(), &[place, "object"], 2);
    check(format!("[{a},{{}},{b}]").as_bytes(), &[place, "no field of a CloudTrail record"], 2);
    check(format!("{a}\n{cut}\n{b}\n").as_bytes(), &[place, "line 2"], 2);
    check(format!("{a}\nrubbish\n{b}\n").as_bytes(), &[place, "line 2"], 2);
    check(format!(r#"{{"Records":[{a},{cut}"#).as_bytes(), &[place], 1);
    check(format!(r#"{{"Records":[{a}"#).as_bytes(), &["record 1", "cut short"], 1);
    check(format!(r#"{{"Records":[{a}]"#).as_bytes(), &["record 1", "cut short"], 1);
    check(format!(r#"{{"Records":[{a} {b}]}}"#).as_bytes(), &["record 1", "comma"], 1);
    check(br#"{"Records":{"a":1}}"#, &["record 0", "list"], 0);
    check(br#"{"Events":[{"EventId":"x","CloudTrailEvent":"{\"eventType\":"}]}"#, &["record 0", "CloudTrailEvent"], 0);
}

#[test]
fn what_is_no_trail() {
    check(b"", &["empty"], 0);
    check(b" \n ", &["empty"], 0);
    check(b"{\"hello\":\"world\"}", &["no field of a CloudTrail record"], 0);
    check(b"hello", &["JSON"], 0);
    check(b"\xff\xfe{\0}\0", &["UTF-16"], 0);
    check(b"\x28\xb5\x2f\xfd....", &["zstd"], 0);
    check(b"{\"policyc\":\"ledger\",\"schema\":99}\n", &["schema is 99"], 0);
}

#[test]
fn records_that_matter_are_read_in_full() {
    for (field, value) in
        [("eventTime", json!("soon")), ("eventTime", json!(null)), ("eventName", json!("")), ("eventSource", json!(""))]
    {
        let mut record = get("e1", "a");
        record[field] = value;
        check(format!("[{},{record}]", heartbeat("e2")).as_bytes(), &["record 1"], 2);
    }
}

#[test]
fn bytes_that_are_no_text() {
    let mut bad = get("e1", "KEY").to_string().into_bytes();
    let at = bad.windows(3).position(|three| three == b"KEY").unwrap();
    bad[at] = 0xff;
    let whole = [b"[", bad.as_slice(), b",", heartbeat("e2").to_string().as_bytes(), b"]"].concat();
    check(&whole, &["record 0", "UTF-8"], 1);
}

#[test]
fn gzip_cut_short() {
    let whole = gzip(format!("[{}]", get("e1", "a")).as_bytes());
    check(&whole[..whole.len() - 9], &["damaged or cut short"], 0);
    check(&whole[..20], &["damaged or cut short"], 0);
}

#[test]
fn bombs() {
    check(&gzip(&vec![b' '; Limits::HARMLESS + 1]), &["400 times"], 0);
    let options = Options { limits: Limits { size: 1000, ratio: 400 }, ..Options::default() };
    let bytes = format!("[{}]", get("e1", &"x".repeat(1000)));
    for file in [bytes.clone().into_bytes(), gzip(bytes.as_bytes())] {
        let error = read(&[("bad.json", file)], &options).unwrap_err();
        assert!(matches!(error, TrailError::Inflate { .. }), "{error}");
    }
}

#[test]
fn nesting() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(1_000_000), close.repeat(1_000_000));
    check(deep("[", "]").as_bytes(), &["nested too deep"], 0);
    check(deep("{\"Records\":[", "]}").as_bytes(), &["nested too deep"], 0);
    check(deep("{\"Events\":[", "").as_bytes(), &["nested too deep"], 0);
    // Inside a record that matters: refused. Inside one that does not: passed over in constant stack.
    let nested = deep("[", "]");
    let mine = get("e1", "a").to_string().replace("\"requestParameters\":{", &format!("\"requestParameters\":{{\"x\":{nested},"));
    assert!(mine.len() > nested.len());
    check(format!("[{mine},{}]", heartbeat("e2")).as_bytes(), &["record 0", "recursion"], 2);
    let other = mine.replace(made::ROLE, "other");
    let seen = skipping(other.as_bytes());
    assert!(seen.findings.is_empty(), "{:?}", seen.findings);
}

#[test]
fn endless_records() {
    let long = "x".repeat(9 << 20);
    check(format!("{}\n{}\n", get("e1", &long), heartbeat("e2")).as_bytes(), &["longer than 8388608 bytes"], 1);
    check(format!("{{\"a\":\"{long}").as_bytes(), &["record 0"], 0);
    check(long.as_bytes(), &["record 0"], 0);
}

#[test]
fn many_broken_records_are_told_briefly() {
    let seen = skipping("{\"eventType\":[]}\n".repeat(1000).as_bytes());
    assert_eq!(seen.findings.len(), 21);
    assert!(seen.findings.iter().any(|finding| finding.message.contains("980 more")), "{:?}", seen.findings);
    assert_eq!(seen.ledger.sources.values().next().unwrap().records["unreadable"], 1000);
}

#[test]
fn names_keep_their_characters() {
    let name = "a\u{1b}[31m\"\\\n\u{0}</script>é${x}*?";
    let seen = crate::made::one(format!("[{}]", get("e1", name)).as_bytes()).ledger;
    // What IAM cannot write becomes `?`; what it would read as a wildcard or a variable stands for itself.
    let covers = |name: &str| {
        let literal = Pattern::literal(&format!("arn:aws:s3:::bucket/{name}"));
        seen.uses.keys().any(|used| used.resource.covers_arn(&literal))
    };
    assert!(covers(name), "{:?}", seen.uses.keys());
    assert!(!covers(&name.replace('*', "anything")) && !covers(&name.replace("${x}", "x")));
    let file = policyc::ledger::format::write(&seen);
    assert!(!file.contains(&0x1b) && !file.contains(&0), "control characters are escaped in the file");
    assert_eq!(policyc::ledger::format::read(&file).unwrap(), seen);
}

#[test]
fn access_keys_and_secrets_do_not_reach_the_ledger() {
    let file = policyc::ledger::format::write(&crate::made::one(format!("[{}]", get("e1", "a")).as_bytes()).ledger);
    assert!(!String::from_utf8(file).unwrap().contains("ASIA"));
}

#[test]
fn what_cannot_be_opened_is_told() {
    let input = policyc::trail::Input::new("gone.json", || Err(std::io::Error::from(std::io::ErrorKind::NotFound)));
    let (interest, catalog) = (made::interest(), made::catalog());
    let error = policyc::trail::observe(&[input], &interest, catalog, &Options::default()).unwrap_err();
    assert!(error.to_string().starts_with("`gone.json` cannot be opened"), "{error}");
}

#[test]
fn the_first_of_several_errors_is_told() {
    let files: Vec<(String, Vec<u8>)> =
        (0..50).map(|n| (format!("{n}.json"), if n < 7 { b"[]".to_vec() } else { b"x".to_vec() })).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    for _ in 0..20 {
        assert!(read(&files, &Options::default()).unwrap_err().to_string().contains("`7.json`"));
    }
}
