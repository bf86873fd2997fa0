//! A trail whose every name tries to break out of where it is shown.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

/// The role of the trail.
pub(crate) const ROLE: &str = "web-Role";

/// Names as whoever holds an instance's credentials can choose them.
pub(crate) const NAMES: [&str; 10] = [
    "<script>globalThis.hacked=1</script>",
    "\"><img src=x onerror=globalThis.hacked=1>",
    "a | b || c",
    "`rm` ``` **bold** _under_ [link](https://evil.example/) ![image](https://evil.example/x.png)",
    "\u{1b}[31mred\u{1b}[2J\u{9b}1A",
    "line\n::error file=x::forged\r\n| a | b |\n```\n# heading\n<!-- x -->",
    "::set-output name=x::y ##[error]forged",
    "{{constructor}} {{{raw}}} ${{ secrets.TOKEN }}",
    "@somebody #1 https://evil.example www.evil.example \\n \\u0022",
    "\u{202e}gpj.exe\u{2066}\u{200b}</details></code></td></tr></table>",
];

fn record(n: usize, source: &str, name: &str, fields: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAEXAMPLE:i-0123456789abcdef0",
            "arn": format!("arn:aws:sts::111122223333:assumed-role/{ROLE}/i-0123456789abcdef0"),
            "accountId": "111122223333", "accessKeyId": "ASIAEXAMPLEEXAMPLE00",
            "sessionContext": {"sessionIssuer": {"type": "Role"}, "ec2RoleDelivery": "2.0"}
        },
        "eventTime": format!("2026-09-{:02}T00:00:00Z", n % 28 + 1), "eventSource": source, "eventName": name,
        "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-sdk-go/1.55.5 (go1.22; linux) amazon-ssm-agent/", "requestParameters": null,
        "responseElements": null, "eventID": format!("e{n}"), "readOnly": true, "eventType": "AwsApiCall",
        "managementEvent": true, "recipientAccountId": "111122223333", "eventCategory": "Management"
    });
    if let (Some(all), Value::Object(more)) = (record.as_object_mut(), fields) {
        all.extend(more);
    }
    record
}

fn records() -> Vec<Value> {
    let mut records = vec![record(
        0,
        "ssm.amazonaws.com",
        "UpdateInstanceInformation",
        json!({"requestParameters": {"instanceId": "i-0123456789abcdef0", "agentVersion": "3.3.987.0", "platformType": "Linux"}}),
    )];
    for (n, name) in NAMES.iter().enumerate() {
        let put = |bucket: &str, more: Value| {
            let arn = format!("arn:aws:s3:::{bucket}/{name}");
            let mut fields = json!({
                "managementEvent": false, "eventCategory": "Data",
                "resources": [{"type": "AWS::S3::Object", "ARN": arn},
                              {"type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{bucket}"), "accountId": "111122223333"}],
                "requestParameters": {"bucketName": bucket, "key": name}
            });
            if let (Some(all), Value::Object(more)) = (fields.as_object_mut(), more) {
                all.extend(more);
            }
            fields
        };
        let at = 10 * n + 1;
        records.push(record(at, "s3.amazonaws.com", "PutObject", put(&format!("bucket-{n}"), json!({"eventID": name}))));
        records.push(record(
            at + 1,
            "s3.amazonaws.com",
            "PutObject",
            put("denied", json!({"errorCode": "AccessDenied", "errorMessage": name, "eventID": format!("{name}2")})),
        ));
        records.push(record(at + 2, "ssm.amazonaws.com", "GetParameters", json!({"requestParameters": {"names": [name]}})));
        records.push(record(at + 3, "ssm.amazonaws.com", "GetDocument", json!({"requestParameters": {"name": name}})));
        records.push(record(at + 4, "sqs.amazonaws.com", &format!("Zap{name}"), json!({})));
        records.push(record(
            at + 5,
            "s3.amazonaws.com",
            "GetObject",
            put("elsewhere", json!({"sourceIPAddress": "192.0.2.66", "eventID": format!("{name}5")})),
        ));
        records.push(record(
            at + 6,
            "s3.amazonaws.com",
            "GetObject",
            put("failed", json!({"errorCode": name, "eventID": format!("{name}6")})),
        ));
    }
    records
}

/// The path of the trail. The tests of a process read one file, which is written once.
pub(crate) fn trail() -> String {
    static PATH: OnceLock<String> = OnceLock::new();
    let write = || {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{}.json", std::process::id()));
        fs::write(&path, json!({"Records": records()}).to_string()).unwrap();
        path.to_string_lossy().into_owned()
    };
    PATH.get_or_init(write).clone()
}
