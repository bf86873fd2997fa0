//! Credentials from wherever AWS's tools take them, and errors that say how to get on.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::asked::{
    ACCOUNT, FakeAccount, KEY, SECRET, SESSION, TOKEN, bare, json as json_answer, operation, policyc, refusal, result, said,
};
use crate::http::{Request, Response};

const COVERAGE: [&str; 3] = ["coverage", "--from", "trail"];

/// An account with one trail.
fn trail(name: &str, _: &Request) -> Option<Response> {
    let arn = format!("arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main");
    let body = match name {
        "DescribeTrails" => json!({"trailList": [
            {"TrailARN": arn, "S3BucketName": "logs", "HomeRegion": "us-east-1", "IsMultiRegionTrail": true}
        ]}),
        "GetTrailStatus" => json!({"IsLogging": true}),
        "GetEventSelectors" => json!({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": true}]}),
        _ => return None,
    };
    Some(json_answer(200, &body))
}

/// The access key ids with which an operation was asked for.
fn keys(account: &FakeAccount, name: &str) -> Vec<String> {
    let of = account.asked().into_iter().filter(|request| operation(request) == name);
    let key = |request: Request| {
        let scope = request.header("authorization").split("Credential=").nth(1).unwrap_or_default().to_owned();
        scope.split('/').next().unwrap().to_owned()
    };
    of.map(key).collect()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn credentials(key: &str) -> String {
    format!(
        r#"{{"Version": 1, "AccessKeyId": "{key}", "SecretAccessKey": "{SECRET}", "SessionToken": "{TOKEN}", "Token": "{TOKEN}", "Expiration": "2099-01-01T00:00:00Z", "Code": "Success"}}"#
    )
}

#[test]
fn every_place_of_credentials_is_asked() {
    let assumed = "ASIAASSUMED000000000";
    let account = FakeAccount::start(move |name, request| match name {
        "/container" => Some(json_answer(200, &serde_json::from_str(&credentials("ASIACONTAINER0000000")).unwrap())),
        "/latest/api/token" => {
            let ttl = ("x-aws-ec2-metadata-token-ttl-seconds".to_owned(), "600".to_owned());
            Some(Response { status: 200, headers: vec![ttl], body: b"token".to_vec() })
        }
        "/latest/meta-data/iam/security-credentials/" | "/latest/meta-data/iam/security-credentials-extended/" => {
            Some(Response { status: 200, headers: vec![], body: b"role".to_vec() })
        }
        "/latest/meta-data/iam/security-credentials/role" | "/latest/meta-data/iam/security-credentials-extended/role" => {
            Some(json_answer(200, &serde_json::from_str(&credentials("ASIAINSTANCE00000000")).unwrap()))
        }
        "AssumeRole" => {
            let credentials = format!(
                "<Credentials><AccessKeyId>{assumed}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
            );
            let user = format!("arn:aws:sts::{ACCOUNT}:assumed-role/reader/policyc");
            Some(result(
                "AssumeRole",
                &format!(
                    "{credentials}<AssumedRoleUser><AssumedRoleId>AROA:policyc</AssumedRoleId><Arn>{user}</Arn></AssumedRoleUser>"
                ),
            ))
        }
        _ => trail(name, request),
    });
    let home = tempfile::tempdir().unwrap();
    let plain = |key: &str| format!("aws_access_key_id = {key}\naws_secret_access_key = {SECRET}\n");
    let profiles = format!(
        "[default]\n{}[profile other]\nregion = us-east-1\n{}[profile process]\ncredential_process = /bin/cat {}\n",
        plain("AKIADEFAULT000000000"),
        plain("AKIAOTHER00000000000"),
        home.path().join("process.json").display()
    );
    write(&home.path().join(".aws/config"), &profiles);
    write(&home.path().join("process.json"), &credentials("ASIAPROCESS000000000"));
    let container = format!("{}/container", account.url());
    let check = |set: &[(&str, &str)], arguments: &[&str], expected: &str| {
        let before = keys(&account, "GetCallerIdentity").len();
        let arguments: Vec<&str> = COVERAGE.iter().chain(arguments).copied().collect();
        let mut command = bare(home.path(), &arguments);
        command.env("AWS_ENDPOINT_URL", account.url()).env("AWS_REGION", "us-east-1").envs(set.iter().copied());
        let (code, out, told) = said(&command.output().unwrap());
        assert_eq!((code, told.as_str()), (0, ""), "{set:?} {arguments:?}");
        assert!(out.contains("21 of 41 actions are shown, 20 are blind"), "{out}");
        assert_eq!(keys(&account, "GetCallerIdentity")[before..], [expected.to_owned()], "{set:?} {arguments:?}");
    };
    let own = [("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT00000"), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    check(&own, &[], "AKIAENVIRONMENT00000");
    check(&own, &["--assume-role", "arn:aws:iam::111122223333:role/reader"], assumed);
    assert_eq!(keys(&account, "AssumeRole").last().map(String::as_str), Some("AKIAENVIRONMENT00000"));
    check(&[], &[], "AKIADEFAULT000000000");
    check(&[], &["--profile", "other"], "AKIAOTHER00000000000");
    check(&[("AWS_PROFILE", "process")], &[], "ASIAPROCESS000000000");
    let nothing = ("AWS_CONFIG_FILE", "/dev/null");
    check(&[nothing, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container)], &[], "ASIACONTAINER0000000");
    let url = account.url();
    let metadata = [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()), nothing];
    check(&metadata, &[], "ASIAINSTANCE00000000");
}

/// Names of files with tokens: SHA-1 of a session's name, or of the start address where there is no session.
const OF_SESSION: &str = "ee0bfd2552fbd840c02cc48b6e823320543c450f";
const OF_ADDRESS: &str = "a51746d4aa793ae07b25e90c3a5db96fc7832bd7";

const SINGLE_SIGN_ON: &str = "[profile dev]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = reader\n\
    [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n\
    [profile old]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\nsso_account_id = 111122223333\n\
    sso_role_name = reader\n";

/// A home with a login of IAM Identity Center, if any, that ends at a time.
fn logged_in(until: Option<&str>) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".aws/config"), SINGLE_SIGN_ON);
    if let Some(until) = until {
        let token = json!({"accessToken": TOKEN, "expiresAt": until, "region": "us-east-1",
            "startUrl": "https://corp.awsapps.com/start"});
        for name in [OF_SESSION, OF_ADDRESS] {
            write(&home.path().join(format!(".aws/sso/cache/{name}.json")), &token.to_string());
        }
    }
    home
}

/// An account that gives the credentials of a role to who shows the right token.
fn identity_center(key: &'static str, known: bool) -> FakeAccount {
    FakeAccount::start(move |name, request| {
        let asked = name.split_once('?').filter(|(path, _)| *path == "/federation/credentials");
        let Some((_, query)) = asked else { return trail(name, request) };
        let right = query.contains("role_name=reader") && query.contains("account_id=111122223333");
        if !known || !right || request.header("x-amz-sso_bearer_token") != TOKEN {
            let kind = ("x-amzn-errortype".to_owned(), "UnauthorizedException".to_owned());
            let refused = json_answer(401, &json!({"message": "Session token not found or invalid"}));
            return Some(Response { headers: [refused.headers, vec![kind]].concat(), ..refused });
        }
        let credentials = json!({"accessKeyId": key, "secretAccessKey": SECRET, "sessionToken": TOKEN,
            "expiration": 4_070_908_800_000_i64});
        Some(json_answer(200, &json!({"roleCredentials": credentials})))
    })
}

#[test]
fn who_is_logged_in_to_identity_center_needs_nothing_else() {
    let account = identity_center("ASIASINGLESIGNON0000", true);
    let home = logged_in(Some("2099-01-01T00:00:00Z"));
    for (profile, by_name) in [("dev", true), ("dev", false), ("old", true)] {
        let more: &[&str] = if by_name { &["--profile", profile] } else { &[] };
        let mut command = bare(home.path(), &[&COVERAGE, more].concat());
        command.env("AWS_ENDPOINT_URL", account.url()).env("AWS_REGION", "us-east-1");
        if by_name {
            // A profile that was named goes before what the environment holds.
            command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
        } else {
            command.env("AWS_PROFILE", profile);
        }
        let (code, out, told) = said(&command.output().unwrap());
        assert_eq!((code, told.as_str()), (0, ""), "{profile}");
        assert!(out.contains("20 are blind"), "{out}");
    }
    assert_eq!(keys(&account, "GetCallerIdentity"), ["ASIASINGLESIGNON0000"; 3]);
}

#[test]
fn an_expired_login_says_how_to_log_in() {
    let check = |until: Option<&str>, known: bool, profile: &str, by_name: bool| {
        let account = identity_center("ASIASINGLESIGNON0000", known);
        let home = logged_in(until);
        let more: &[&str] = if by_name { &["--profile", profile] } else { &[] };
        let mut command = bare(home.path(), &[&COVERAGE, more].concat());
        command.env("AWS_ENDPOINT_URL", account.url()).env("AWS_REGION", "us-east-1");
        if !by_name {
            command.env("AWS_PROFILE", profile);
        }
        let (code, out, told) = said(&command.output().unwrap());
        assert_eq!((code, out.as_str()), (4, ""), "{told}");
        assert!(told.contains("the login of IAM Identity Center has expired or there is none"), "{until:?} {known}: {told}");
        assert!(told.contains(&format!("log in with `aws sso login --profile {profile}`")), "{until:?} {known}: {told}");
    };
    check(Some("2020-01-01T00:00:00Z"), true, "dev", true);
    check(Some("2020-01-01T00:00:00Z"), true, "dev", false);
    check(Some("2020-01-01T00:00:00Z"), false, "old", true);
    check(None, true, "dev", true);
    check(None, true, "old", true);
    check(Some("2099-01-01T00:00:00Z"), false, "dev", true);
}

#[test]
fn a_web_identity_is_taken_for_a_role() {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/reader");
    let asked_for = role.clone();
    let account = FakeAccount::start(move |name, request| {
        if name != "AssumeRoleWithWebIdentity" {
            return trail(name, request);
        }
        let given = crate::asked::parameters(request);
        assert_eq!((&given["RoleArn"], given["WebIdentityToken"].as_str()), (&asked_for, TOKEN));
        Some(result(
            "AssumeRoleWithWebIdentity",
            &format!(
                "<Credentials><AccessKeyId>ASIAWEBIDENTITY00000</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
            ),
        ))
    });
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    write(&file, TOKEN);
    let mut command = bare(home.path(), &COVERAGE);
    command.env("AWS_ENDPOINT_URL", account.url()).env("AWS_REGION", "us-east-1");
    command.env("AWS_WEB_IDENTITY_TOKEN_FILE", &file).env("AWS_ROLE_ARN", &role);
    let (code, _, told) = said(&command.output().unwrap());
    assert_eq!((code, told.as_str()), (0, ""));
    assert_eq!(keys(&account, "GetCallerIdentity"), ["ASIAWEBIDENTITY00000"]);
}

#[test]
fn without_credentials_or_region_it_says_what_to_set() {
    let account = FakeAccount::start(trail);
    let home = tempfile::tempdir().unwrap();
    let check = |set: &[(&str, &str)], arguments: &[&str], expected: (i32, &str)| {
        let arguments: Vec<&str> = COVERAGE.iter().chain(arguments).copied().collect();
        let mut command = bare(home.path(), &arguments);
        command.env("AWS_ENDPOINT_URL", account.url()).envs(set.iter().copied());
        let (code, _, told) = said(&command.output().unwrap());
        assert!(code == expected.0 && told.contains(expected.1), "{arguments:?}: {code} {told}");
    };
    let own = [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    check(&[("AWS_REGION", "us-east-1")], &[], (4, "no AWS credentials were found; log in"));
    check(&[("AWS_REGION", "us-east-1")], &["--profile", "nobody"], (4, "there are no AWS credentials"));
    check(&own, &[], (4, "no region is configured; say it with `--region`"));
    check(&own, &["--assume-role", "reader", "--region", "us-east-1"], (2, "`reader` is not the ARN of a role"));
    assert_eq!(account.asked().len(), 0);
    check(&own, &["--region", "us-east-1"], (0, ""));
}

/// What is said when one operation is refused.
fn refused(name: &'static str, arguments: &[&str], answer: impl Fn() -> Response + Send + Sync + 'static) -> String {
    let account = FakeAccount::start(move |asked, request| if asked == name { Some(answer()) } else { trail(asked, request) });
    let home = tempfile::tempdir().unwrap();
    let arguments: Vec<&str> = COVERAGE.iter().chain(arguments).copied().collect();
    let (code, out, told) = said(&policyc(home.path(), &account.url(), &arguments).output().unwrap());
    assert_eq!((code, out.as_str()), (4, ""), "{told}");
    told.trim_end().to_owned()
}

#[test]
fn a_refusal_says_what_is_missing_and_names_nobody() {
    let user = format!("User: arn:aws:sts::{ACCOUNT}:assumed-role/Reader/{SESSION}");
    let signature =
        format!("The request signature does not match.\n\nThe Canonical String was x-amz-security-token:{TOKEN} {KEY}");
    let role = "arn:aws:iam::444455556666:role/reader";
    let denied = |action: &str| format!("{user} is not authorized to perform: {action}");
    let (not_assumed, not_described) = (denied("sts:AssumeRole"), denied("cloudtrail:DescribeTrails"));
    let forbidden = format!("{not_described} with an explicit deny in a service control policy");
    let said = [
        refused("GetCallerIdentity", &[], || {
            refusal(403, "ExpiredToken", "The security token included in the request is expired")
        }),
        refused("GetCallerIdentity", &[], || refusal(403, "InvalidClientTokenId", "The security token is invalid")),
        refused("GetCallerIdentity", &[], move || refusal(403, "SignatureDoesNotMatch", &signature)),
        refused("GetCallerIdentity", &[], || refusal(400, "Throttling", "Rate exceeded")),
        refused("AssumeRole", &["--assume-role", role], move || refusal(403, "AccessDenied", &not_assumed)),
        refused("DescribeTrails", &[], move || {
            json_answer(400, &json!({"__type": "AccessDeniedException", "message": not_described}))
        }),
        refused("DescribeTrails", &[], move || {
            json_answer(400, &json!({"__type": "AccessDeniedException", "message": forbidden}))
        }),
        refused("GetEventSelectors", &[], || {
            json_answer(400, &json!({"__type": "TrailNotFoundException", "message": "Unknown trail: main"}))
        }),
    ];
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn where_nobody_answers_it_says_where_to_look() {
    let home = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, _, told) = said(&policyc(home.path(), &format!("http://{free}"), &COVERAGE).output().unwrap());
    assert_eq!(code, 4);
    assert!(told.contains("AWS does not say whose credentials these are: dispatch failure"), "{told}");
    assert!(told.contains("check the network, the name of the region, and AWS_ENDPOINT_URL"), "{told}");
}
