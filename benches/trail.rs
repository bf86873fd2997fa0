//! What reading a trail costs, beside what it must cost at least (inflating it) and what it costs the plain way (a tree of
//! JSON values for every record). Rates are bytes of uncompressed JSON.

#![allow(missing_docs)] // criterion's macros write functions without
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::num::NonZeroUsize;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use policyc::catalog::Catalog;
use policyc::trail::inflate::{Limits, inflate};
use policyc::trail::{Input, Interest, Options, observe};

const FILES: u64 = 8;
const RECORDS: u64 = 1500;

/// A file of records of about 1.5 KB, of which one in `every` is the role's.
fn file(number: u64, every: u64) -> String {
    let mut text = String::from("{\"Records\":[");
    for n in 0..RECORDS {
        let id = number * RECORDS + n;
        let role = if n % every == 0 { "web-Role".to_owned() } else { format!("other-{}", n % 40) };
        let (comma, instance) = (if n == 0 { "" } else { "," }, id % 5);
        let noise = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        write!(text, r#"{comma}{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROA{noise:020}:i-{instance:017x}","arn":"arn:aws:sts::111122223333:assumed-role/{role}/i-{instance:017x}","accountId":"111122223333","accessKeyId":"ASIA{noise:016X}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{noise:020}","arn":"arn:aws:iam::111122223333:role/{role}","accountId":"111122223333","userName":"{role}"}},"attributes":{{"creationDate":"2026-09-01T00:00:00Z","mfaAuthenticated":"false"}},"ec2RoleDelivery":"2.0"}}}},"eventTime":"2026-09-01T{:02}:{:02}:{:02}Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.{instance}","userAgent":"[aws-sdk-go/1.55.5 (go1.22.12; linux; amd64)]","requestParameters":{{"bucketName":"acme-data","Host":"acme-data.s3.eu-west-1.amazonaws.com","key":"in/{}/part-{:05}.json"}},"responseElements":null,"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{noise:064x}","bytesTransferredOut":{}}},"requestID":"{noise:016X}","eventID":"{noise:08x}-0000-4000-8000-{id:012x}","readOnly":true,"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::acme-data/in/{}/part-{:05}.json"}},{{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::acme-data"}}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"acme-data.s3.eu-west-1.amazonaws.com"}}}}"#,
            id / 3600 % 24, id / 60 % 60, id % 60, id % 30, id % 7, noise % 100_000, id % 30, id % 7).unwrap();
    }
    text.push_str("]}");
    text
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn read(files: &[Vec<u8>], catalog: &Catalog, threads: usize) -> usize {
    let inputs: Vec<Input<'_>> = files.iter().map(|bytes| Input::new("x", || Ok(bytes.clone()))).collect();
    let interest = Interest { account: None, roles: BTreeSet::from(["web-Role".to_owned()]) };
    let options = Options { threads: NonZeroUsize::new(threads), ..Options::default() };
    observe(&inputs, &interest, catalog, &options).unwrap().ledger.uses.len()
}

fn trail(c: &mut Criterion) {
    let catalog = Catalog::embedded();
    let mut group = c.benchmark_group("trail");
    group.sample_size(10);
    for every in [50, 1] {
        let texts: Vec<String> = (0..FILES).map(|number| file(number, every)).collect();
        let files: Vec<Vec<u8>> = texts.iter().map(|text| gzip(text)).collect();
        group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
        let share = format!("one in {every} is the role's");
        group.bench_with_input(BenchmarkId::new("inflate alone", &share), &files, |b, files| {
            b.iter(|| files.iter().map(|file| inflate(file.clone(), &Limits::default()).unwrap().len()).sum::<usize>());
        });
        group.bench_with_input(BenchmarkId::new("observe, one thread", &share), &files, |b, files| {
            b.iter(|| read(files, catalog, 1));
        });
        group.bench_with_input(BenchmarkId::new("observe, two threads", &share), &files, |b, files| {
            b.iter(|| read(files, catalog, 2));
        });
        group.bench_with_input(BenchmarkId::new("JSON values", &share), &files, |b, files| {
            let one = |file: &Vec<u8>| {
                let text = inflate(file.clone(), &Limits::default()).unwrap();
                serde_json::from_slice::<serde_json::Value>(&text).unwrap()["Records"].as_array().unwrap().len()
            };
            b.iter(|| files.iter().map(one).sum::<usize>());
        });
    }
    group.finish();
}

criterion_group!(benches, trail);
criterion_main!(benches);
