//! Log files in a bucket, laid out as CloudTrail lays them out.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use jiff::civil::date;
use policyc::aws::bucket::{Bucket, BucketError, Place, Wanted};
use policyc::aws::fetch::{Batches, Load, ReadError};
use policyc::aws::lookup::Patience;
use policyc::catalog::Catalog;
use policyc::ledger::Ledger;
use policyc::trail::{Input, Observer, Options};
use tokio::runtime::Runtime;

use crate::moto::Moto;
use crate::records::{ACCOUNT, files, interest, ledger, plain};

pub(crate) fn client(url: &str, region: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new("AKIAEXAMPLE", "secret", None, None, "test"))
        .endpoint_url(url);
    Client::from_conf(config.build())
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(crate) fn patience() -> Patience {
    Patience { timeout: Duration::from_secs(5), tries: 4, base: Duration::from_millis(4) }
}

/// The account and region of the recording, over all its days.
pub(crate) fn wanted() -> Wanted {
    let set = |text: &str| BTreeSet::from([text.to_owned()]);
    Wanted { accounts: set(ACCOUNT), regions: set("us-east-1"), from: date(2026, 11, 1), to: date(2026, 11, 30) }
}

pub(crate) fn put(runtime: &Runtime, client: &Client, bucket: &str, region: &str, objects: &[(String, Vec<u8>)]) {
    runtime.block_on(async {
        let elsewhere = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build();
        let elsewhere = (region != "us-east-1").then_some(elsewhere);
        client.create_bucket().bucket(bucket).set_create_bucket_configuration(elsewhere).send().await.unwrap();
        for (key, bytes) in objects {
            // CloudTrail's files need not have a checksum of their own.
            let plain = Config::builder().request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
            let file = client.put_object().bucket(bucket).key(key).body(bytes.clone().into());
            file.customize().config_override(plain).send().await.unwrap();
        }
    });
}

/// What is read from a bucket, as `policyc` reads it: batch by batch.
pub(crate) fn read(
    runtime: &Runtime,
    client: &Client,
    place: &str,
    wanted: &Wanted,
    load: Load,
    timeout: Duration,
) -> Result<Ledger, BucketError> {
    let place = Place::parse(place)?;
    let batches = runtime.block_on(async {
        let bucket = Bucket::open(client, &place.bucket, Patience { timeout, ..patience() }).await?;
        let listing = bucket.list(&place, wanted).await?;
        Ok::<_, BucketError>(Batches::begin(bucket, listing, load))
    })?;
    let interest = interest();
    let mut observer = Observer::new(&interest, Catalog::embedded(), Options::default());
    batches.observe(&mut observer, &|_| {}).map_err(|error| match error {
        ReadError::Bucket(error) => error,
        ReadError::Trail { source, .. } => panic!("{source}"),
    })?;
    Ok(plain(observer.finish().ledger))
}

/// The recording's files that hold calls.
pub(crate) fn log_files() -> Vec<(String, Vec<u8>)> {
    let mut all = files();
    all.retain(|(name, _)| name.contains("/CloudTrail/") || name.contains("/CloudTrail-NetworkActivity/"));
    all
}

pub(crate) fn on_disk(files: &[(String, Vec<u8>)]) -> Ledger {
    let inputs: Vec<_> = files.iter().map(|(name, bytes)| Input::new(name.clone(), || Ok(bytes.clone()))).collect();
    ledger(&inputs)
}

#[test]
fn it_equals_the_same_files_on_disk() {
    let (moto, runtime) = (Moto::start(), runtime());
    let client = client(&moto.url, "us-east-1");
    let expected = on_disk(&log_files());
    let small = Load { at_once: 3, bytes: 1, files: 2, ..Load::default() };
    let mut number = 0;
    let mut check = |prefix: &str, organisation: &str, place: &str, load: Load| {
        number += 1;
        let bucket = format!("trail-{number}");
        let under = format!("{prefix}AWSLogs/{organisation}");
        let mut objects: Vec<_> =
            files().into_iter().map(|(name, bytes)| (name.replacen("AWSLogs/", &under, 1), bytes)).collect();
        // What is not asked for would not even be read: it is no log file.
        for other in [
            format!("{under}{ACCOUNT}/CloudTrail/eu-west-1/2026/11/17/x.json.gz"),
            format!("{under}{ACCOUNT}/CloudTrail/us-east-1/2026/10/31/x.json.gz"),
            format!("{under}{ACCOUNT}/CloudTrail/us-east-1/2026/12/02/x.json.gz"),
            format!("{under}444455556666/CloudTrail/us-east-1/2026/11/17/x.json.gz"),
        ] {
            objects.push((other, b"no log file".to_vec()));
        }
        put(&runtime, &client, &bucket, "us-east-1", &objects);
        let place = place.replace("BUCKET", &bucket);
        assert!(read(&runtime, &client, &place, &wanted(), load, patience().timeout).unwrap() == expected, "{place}");
    };
    check("", "", "s3://BUCKET", Load::default());
    check("", "", "s3://BUCKET/", small);
    check("logs/of/all/", "", "s3://BUCKET/logs/of/all", Load::default());
    check("", "o-abcdef1234/", "s3://BUCKET", small);
    check("org/", "o-abcdef1234/", "s3://BUCKET/org/AWSLogs/o-abcdef1234/", Load::default());
    check("org/", "o-abcdef1234/", &format!("s3://BUCKET/org/AWSLogs/o-abcdef1234/{ACCOUNT}"), Load::default());
    assert!(!expected.uses.is_empty());
}

#[test]
fn files_that_do_not_come_are_missed() {
    let (moto, files) = (Moto::start(), log_files());
    put(&runtime(), &client(&moto.url, "us-east-1"), "trail", "us-east-1", &files);
    // With its runtime the task ends that fetches them.
    let batches = runtime().block_on(async {
        let bucket = Bucket::open(&client(&moto.url, "us-east-1"), "trail", patience()).await.unwrap();
        let listing = bucket.list(&Place::parse("s3://trail").unwrap(), &wanted()).await.unwrap();
        Batches::begin(bucket, listing, Load { files: 1, ..Load::default() })
    });
    let interest = interest();
    let mut observer = Observer::new(&interest, Catalog::embedded(), Options::default());
    let error = batches.observe(&mut observer, &|_| {}).unwrap_err().to_string();
    assert_eq!(error, "fetching from `s3://trail` ended before its time, so log files are missing");
}
