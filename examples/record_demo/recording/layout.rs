//! Events become files: their folders, names and compression, and the digest that vouches for them.

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::labels;
use super::record::Event;
use super::world::{ACCOUNT, REGION, TRAIL, TRAIL_BUCKET};

/// CloudTrail delivers about every five minutes. So few events would be a file each; they are gathered over four hours.
const WINDOW: i64 = 4 * 3600;

/// The log files, Insight and network activity files, and one digest.
pub(super) fn log_files(events: &[Event]) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut windows: BTreeMap<(&str, i64), Vec<&Event>> = BTreeMap::new();
    for event in events {
        windows.entry((event.folder, event.time.as_second().div_euclid(WINDOW))).or_default().push(event);
    }
    let mut files = BTreeMap::new();
    let mut last: Option<(String, Value)> = None;
    for ((folder, window), mut events) in windows {
        // A log file has no order. Event ids look random, so this is one that is none, and always the same.
        events.sort_by_key(|e| (id(&e.value), e.time));
        let records: Vec<&Value> = events.iter().map(|e| &e.value).collect();
        let text = serde_json::to_vec(&json!({"Records": records}))?;
        let delivered = Timestamp::from_second((window + 1) * WINDOW - 5 * 60).map_err(io::Error::other)?;
        let name = path(folder, folder, delivered, &labels::file(&format!("{folder} {window}")));
        if folder == "CloudTrail" {
            last = Some((name.clone(), entry(&name, &text, &events)));
        }
        files.insert(name, compressed(&text)?);
    }
    if let Some((_, entry)) = last {
        let (name, text) = digest(entry)?;
        files.insert(name, compressed(&text)?);
    }
    Ok(files)
}

fn id(record: &Value) -> String {
    record.get("eventID").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// `AWSLogs/ACCOUNT/FOLDER/REGION/YYYY/MM/DD/ACCOUNT_KIND_REGION_TIME_UNIQUE.json.gz`
fn path(folder: &str, kind: &str, time: Timestamp, unique: &str) -> String {
    let (day, minute) = (time.strftime("%Y/%m/%d"), time.strftime("%Y%m%dT%H%MZ"));
    format!("AWSLogs/{ACCOUNT}/{folder}/{REGION}/{day}/{ACCOUNT}_{kind}_{REGION}_{minute}_{unique}.json.gz")
}

/// A log file in a digest: its name and the SHA-256 of what is in it.
fn entry(name: &str, text: &[u8], events: &[&Event]) -> Value {
    let times = || events.iter().filter_map(|e| e.value.get("eventTime").and_then(Value::as_str));
    json!({
        "s3Bucket": TRAIL_BUCKET,
        "s3Object": name,
        "hashValue": hex(&Sha256::digest(text)),
        "hashAlgorithm": "SHA-256",
        "newestEventTime": times().max(),
        "oldestEventTime": times().min(),
    })
}

/// The digest of the last hour, in which the last file was delivered.
fn digest(entry: Value) -> io::Result<(String, Vec<u8>)> {
    let end: Timestamp = "2026-11-19T23:58:31Z".parse().map_err(io::Error::other)?;
    let name = |end: Timestamp| {
        let (day, second) = (end.strftime("%Y/%m/%d"), end.strftime("%Y%m%dT%H%M%SZ"));
        format!(
            "AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/{day}/{ACCOUNT}_CloudTrail-Digest_{REGION}_{TRAIL}_{REGION}_{second}.json.gz"
        )
    };
    let start = Timestamp::from_second(end.as_second() - 3600).map_err(io::Error::other)?;
    let text = serde_json::to_vec(&json!({
        "awsAccountId": ACCOUNT,
        "digestStartTime": start.to_string(),
        "digestEndTime": end.to_string(),
        "digestS3Bucket": TRAIL_BUCKET,
        "digestS3Object": name(end),
        "digestPublicKeyFingerprint": labels::hex("public key", 32),
        "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": entry.get("newestEventTime"),
        "oldestEventTime": entry.get("oldestEventTime"),
        "previousDigestS3Bucket": TRAIL_BUCKET,
        "previousDigestS3Object": name(start),
        "previousDigestHashValue": format!("{}{}", labels::hex("previous 1", 32), labels::hex("previous 2", 32)),
        "previousDigestHashAlgorithm": "SHA-256",
        "previousDigestSignature": labels::hex("signature", 32),
        "logFiles": [entry],
    }))?;
    Ok((name(end), text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Gzip. libdeflate's result depends on nothing but its input and version, unlike that of compressors that choose their
/// hash function by processor.
fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::best());
    let mut out = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor.gzip_compress(text, &mut out).map_err(io::Error::other)?;
    out.truncate(length);
    Ok(out)
}
