//! What the trails of an account could show, and the selectors that would show more.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::asked::{bare, policyc, said};
use crate::moto::Moto;
use crate::python;

/// Trails, as an administrator makes them: a basic one of one region, an advanced one of the organisation, one that is stopped.
const TRAILS: &str = r#"
import boto3, sys
client = lambda name: boto3.client(name, region_name="us-east-1", endpoint_url=sys.argv[1])
client("s3").create_bucket(Bucket="logs")
client("organizations").create_organization(FeatureSet="ALL")
trail = client("cloudtrail")
for name, more in [("basic", {}), ("whole", {"IsMultiRegionTrail": True, "IsOrganizationTrail": True}), ("stopped", {"IsMultiRegionTrail": True})]:
    trail.create_trail(Name=name, S3BucketName="logs", S3KeyPrefix=name, **more)
objects = {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}
trail.put_event_selectors(TrailName="basic", EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [objects]}])
fields = [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "readOnly", "Equals": ["false"]}]
trail.put_event_selectors(TrailName="whole", AdvancedEventSelectors=[{"Name": "writes", "FieldSelectors": fields}])
for name in ["basic", "whole"]:
    trail.start_logging(Name=name)
"#;

fn deploy(url: &str, home: &Path) {
    let mut made = Command::new(python::python());
    made.args(["-c", TRAILS, url]).current_dir(home).env("AWS_ACCESS_KEY_ID", "k").env("AWS_SECRET_ACCESS_KEY", "s");
    python::run(&mut made);
}

#[test]
fn the_selectors_of_a_trail_are_asked_for() {
    let (moto, home) = (Moto::start(), tempfile::tempdir().unwrap());
    deploy(&moto.url, home.path());
    let ask = |arguments: &[&str]| {
        let all: Vec<&str> =
            ["coverage", "--role", "web-Role", "--account", "111122223333"].iter().chain(arguments).copied().collect();
        said(&policyc(home.path(), &moto.url, &all).output().unwrap())
    };
    let (code, text, _) = ask(&["--from", "basic"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with(
            "the trail arn:aws:cloudtrail:us-east-1:123456789012:trail/basic logs events of us-east-1 to s3://logs/basic/\n"
        ),
        "{text}"
    );
    assert!(
        text.contains(
            "put-event-selectors --region us-east-1 --trail-name arn:aws:cloudtrail:us-east-1:123456789012:trail/basic"
        ),
        "{text}"
    );

    // The one that logs every region is the one that is read; what it leaves out is blind.
    let (code, text, _) = ask(&["--from", "trail"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with(
            "the organisation's trail arn:aws:cloudtrail:us-east-1:123456789012:trail/whole logs events of every region"
        ),
        "{text}"
    );
    assert!(text.contains("in the organisation's management account"), "{text}");
    let (_, text, _) = ask(&["--from", "arn:aws:cloudtrail:us-east-1:123456789012:trail/stopped"]);
    assert!(text.contains("does NOT log now"), "{text}");
    let (code, _, told) = ask(&["--from", "nobody"]);
    assert!(code == 2 && told.contains("`nobody` is no trail of the account 123456789012 in us-east-1; it has arn:"), "{told}");

    let blind = |arguments: &[&str]| {
        let all: Vec<&str> = ["--format", "json"].iter().chain(arguments).copied().collect();
        let (_, text, told) = ask(&all);
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {told}"));
        report["blind"].as_array().unwrap().iter().map(|b| b["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (basic, whole) = (blind(&["--from", "basic"]), blind(&["--from", "whole"]));
    assert!(
        !basic.contains(&"s3:GetObject".to_owned()) && basic.contains(&"ssmmessages:OpenDataChannel".to_owned()),
        "{basic:?}"
    );
    assert!(whole.contains(&"s3:GetObject".to_owned()) && whole.contains(&"ssm:DescribeAssociation".to_owned()), "{whole:?}");
}

/// The account takes the selectors that are printed, and nothing is blind any more that they were to show.
#[test]
fn what_is_printed_can_be_put_into_the_trail() {
    let (moto, home) = (Moto::start(), tempfile::tempdir().unwrap());
    deploy(&moto.url, home.path());
    let report = || -> Value {
        let arguments = ["coverage", "--from", "whole", "--format", "json"];
        serde_json::from_str(&said(&policyc(home.path(), &moto.url, &arguments).output().unwrap()).1).unwrap()
    };
    let before = report();
    let shown_by = |report: &Value| report["blind"].as_array().unwrap().iter().filter(|b| b["shown_by"].is_string()).count();
    assert!(shown_by(&before) > 0, "{before}");
    let put = "import boto3, json, sys\nboto3.client('cloudtrail', region_name='us-east-1', endpoint_url=sys.argv[1]).put_event_selectors(TrailName='whole', AdvancedEventSelectors=json.loads(sys.argv[2]))";
    let mut command = Command::new(python::python());
    command
        .args(["-c", put, &moto.url, &before["selectors"].to_string()])
        .env("AWS_ACCESS_KEY_ID", "k")
        .env("AWS_SECRET_ACCESS_KEY", "s");
    python::run(&mut command);
    let after = report();
    assert_eq!(shown_by(&after), 0, "{after}");
    assert!(after["shown"].as_array().unwrap().len() > before["shown"].as_array().unwrap().len());
}

#[test]
fn without_from_nobody_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let (code, out, _) = said(&bare(home.path(), &["coverage"]).output().unwrap());
    assert!(code == 0 && out.contains("21 of 41 actions are shown, 20 are blind"), "{out}");
}
