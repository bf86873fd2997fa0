//! A fleet that is too large to be kept in memory: its event history and its trail are made while they are asked for.
//!
//! Each instance reports every five minutes, and EC2 assumes its role for it twelve times as seldom; or all of it is as much slower as
//! a test says.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use md5::{Digest, Md5};
use rayon::prelude::*;
use serde_json::Value;

use crate::event_history::{REGION, now};
use crate::lookup_server::http::{Request, Response, Server, plain};
use crate::records::ACCOUNT;

pub(crate) const ROLE: &str = "fleet";
const DAY: i64 = 86_400;

/// How large.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(crate) struct Fleet {
    pub(crate) instances: i64,
    pub(crate) days: i64,
    /// So many seconds lie between two reports of an instance.
    pub(crate) every: i64,
}

pub(crate) fn role_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}")
}

pub(crate) fn id(number: i64) -> String {
    format!("i-{number:017x}")
}

/// The agent's report about an instance.
fn report(number: i64, time: i64) -> String {
    let (id, at) = (id(number), Timestamp::from_second(time).unwrap());
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAFLEETFLEETFLEETFL:{id}","arn":"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/{id}","accountId":"{ACCOUNT}","accessKeyId":"ASIAFLEETFLEETFLEETF","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAFLEETFLEETFLEETFL","arn":"arn:aws:iam::{ACCOUNT}:role/{ROLE}","accountId":"{ACCOUNT}","userName":"{ROLE}"}},"attributes":{{"creationDate":"{at}","mfaAuthenticated":"false"}},"ec2RoleDelivery":"2.0"}}}},"eventTime":"{at}","eventSource":"ssm.amazonaws.com","eventName":"UpdateInstanceInformation","awsRegion":"{REGION}","sourceIPAddress":"203.0.113.{}","userAgent":"aws-sdk-go/1.55.5 (go1.22; linux; amd64) amazon-ssm-agent/","requestParameters":{{"instanceId":"{id}","agentVersion":"3.3.987.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.0.0.1","computerName":"ip-10-0-0-1.ec2.internal","agentName":"amazon-ssm-agent","availabilityZone":"us-east-1a","availabilityZoneId":"use1-az1"}},"responseElements":null,"requestID":"{number:08x}-0000-4000-8000-{time:012x}","eventID":"{number:08x}-0000-4000-9000-{time:012x}","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{ACCOUNT}","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"ssm.us-east-1.amazonaws.com"}}}}"#,
        number % 250
    )
}

/// EC2 assumes the role for an instance.
fn assumed(number: i64, time: i64) -> String {
    let (id, at) = (id(number), Timestamp::from_second(time).unwrap());
    let arn = role_arn();
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}},"eventTime":"{at}","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","awsRegion":"{REGION}","sourceIPAddress":"ec2.amazonaws.com","userAgent":"ec2.amazonaws.com","requestParameters":{{"roleArn":"{arn}","roleSessionName":"{id}"}},"responseElements":{{"credentials":{{"accessKeyId":"ASIAFLEETFLEETFLEETF","sessionToken":"…","expiration":"{at}"}}}},"requestID":"{number:08x}-0000-4000-a000-{time:012x}","eventID":"{number:08x}-0000-4000-b000-{time:012x}","readOnly":true,"resources":[{{"accountId":"{ACCOUNT}","type":"AWS::IAM::Role","ARN":"{arn}"}}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{ACCOUNT}","eventCategory":"Management"}}"#
    )
}

/// Event history of the fleet. Of `tests/lookup_server` it keeps the pages, their order, and the tokens.
pub(crate) fn history(fleet: Fleet) -> Server {
    Server::answering(move |request| {
        let query: Value = serde_json::from_slice(&request.body).unwrap();
        let attribute = &query["LookupAttributes"][0];
        let value = attribute["AttributeValue"].as_str().unwrap();
        let (from, to) = (query["StartTime"].as_f64().unwrap() as i64, query["EndTime"].as_f64().unwrap() as i64);
        let from = from.max(now() - fleet.days * DAY);
        let begin: i64 = query["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        // So many events at each tick of the clock, newest first.
        let (each, every) = match attribute["AttributeKey"].as_str().unwrap() {
            "Username" => (1, fleet.every),
            "ResourceName" if value == role_arn() => (fleet.instances, fleet.every * 12),
            _ => (0, fleet.every),
        };
        let last = to.div_euclid(every) * every;
        let all = if last < from { 0 } else { ((last - from) / every + 1) * each };
        let mut body = String::from("{\"Events\":[");
        for at in begin..all.min(begin + 50) {
            let time = last - at / each * every;
            let (name, record) = match each {
                1 if every == fleet.every => ("r", report(i64::from_str_radix(&value[2..], 16).unwrap(), time)),
                _ => ("a", assumed(at % each, time)),
            };
            let record = serde_json::to_string(&record).unwrap();
            let comma = if at == begin { "" } else { "," };
            write!(body, r#"{comma}{{"EventId":"{name}{value}-{at}","EventTime":{time}.0,"CloudTrailEvent":{record}}}"#).unwrap();
        }
        body.push(']');
        if all > begin + 50 {
            write!(body, r#","NextToken":"{}""#, begin + 50).unwrap();
        }
        body.push('}');
        let kind = ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned());
        Response { status: 200, headers: vec![kind], body: body.into_bytes() }
    })
}

/// An object of the trail.
struct Object {
    key: String,
    path: PathBuf,
    size: u64,
    etag: String,
}

/// Writes the trail below a folder, a file for every so many seconds, and serves it as the bucket `trail`.
pub(crate) fn trail(fleet: Fleet, every: i64, folder: &Path) -> Server {
    let begin = (now() - fleet.days * DAY).div_euclid(every) * every;
    let times: Vec<i64> = (0..fleet.days * DAY / every).map(|n| begin + n * every).collect();
    let objects: Vec<Object> = times.par_iter().map(|time| object(fleet, *time, every, folder)).collect();
    Server::answering(move |request| answer(&objects, request))
}

fn object(fleet: Fleet, time: i64, every: i64, folder: &Path) -> Object {
    let at = Timestamp::from_second(time).unwrap();
    let name = at.strftime("%Y/%m/%d/111122223333_CloudTrail_us-east-1_%Y%m%dT%H%MZ_0123456789abcdef.json.gz");
    let key = format!("AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{name}");
    let path = folder.join(time.to_string());
    let bytes = std::fs::read(&path).unwrap_or_else(|_| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(b"{\"Records\":[").unwrap();
        for n in 0..every / fleet.every * fleet.instances {
            let comma = if n == 0 { "" } else { "," };
            write!(out, "{comma}{}", report(n % fleet.instances, time + n / fleet.instances * fleet.every)).unwrap();
        }
        out.write_all(b"]}").unwrap();
        let bytes = out.finish().unwrap();
        std::fs::write(&path, &bytes).unwrap();
        bytes
    });
    let etag = Md5::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    Object { key, path, size: bytes.len() as u64, etag }
}

fn answer(objects: &[Object], request: &Request) -> Response {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let xml = |status: u16, body: String| {
        let kind = ("content-type".to_owned(), "application/xml".to_owned());
        Response { status, headers: vec![kind], body: body.into_bytes() }
    };
    if request.method == "HEAD" {
        return Response { headers: vec![("x-amz-bucket-region".to_owned(), REGION.to_owned())], ..xml(200, String::new()) };
    }
    if let Some(key) = path.strip_prefix("/trail/").filter(|key| !key.is_empty()) {
        let key = plain(key);
        let at = objects.binary_search_by(|object| object.key.cmp(&key)).unwrap();
        let etag = ("etag".to_owned(), format!("\"{}\"", objects[at].etag));
        return Response { status: 200, headers: vec![etag], body: std::fs::read(&objects[at].path).unwrap() };
    }
    let given = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(plain);
    let prefix = given("prefix").unwrap_or_default();
    let after = given("continuation-token").or_else(|| given("start-after")).unwrap_or_default();
    let begin = objects.partition_point(|object| object.key <= after);
    let mut found = objects[begin..].iter().filter(|object| object.key.starts_with(&prefix));
    let page: Vec<&Object> = found.by_ref().take(1000).collect();
    let entry = |object: &&Object| {
        let (key, etag, size) = (&object.key, &object.etag, object.size);
        format!("<Contents><Key>{key}</Key><ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Contents>")
    };
    let more = found.next().and(page.last()).map(|last| format!("<NextContinuationToken>{}</NextContinuationToken>", last.key));
    let contents: String = page.iter().map(entry).collect();
    let more = more.unwrap_or_default();
    xml(200, format!("<ListBucketResult>{contents}{more}</ListBucketResult>"))
}
