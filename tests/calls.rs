//! From a record to the permissions that its call needed.

#![allow(clippy::unwrap_used)] // a test says what is wrong by panicking

use policyc::catalog::Catalog;
use policyc::ledger::Outcome;
use policyc::trail::call::{calls, outcome};
use policyc::trail::record::Record;
use serde_json::{Value, json};

const INSTANCE: &str = "i-0123456789abcdef0";

fn record(region: &str, event: &str, fields: Value) -> Record {
    let (service, name) = event.split_once(':').unwrap();
    let partition = Catalog::embedded().partition(region);
    let mut record = json!({
        "eventVersion": "1.11", "eventTime": "2026-09-01T00:00:00Z", "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name, "awsRegion": region, "sourceIPAddress": "203.0.113.7", "userAgent": "x", "eventID": "e",
        "eventType": "AwsApiCall", "recipientAccountId": "111122223333", "userIdentity": {"type": "AssumedRole",
            "arn": format!("arn:{partition}:sts::111122223333:assumed-role/web/{INSTANCE}"), "accountId": "111122223333"}
    });
    record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Record::parse(&record.to_string()).unwrap()
}

/// The needs of a call with these fields, one a line as `action resource`, `(guessed)` where the record does not name it.
#[track_caller]
fn check_in(region: &str, event: &str, fields: Value, expected: &str) {
    let found = calls(&record(region, event, fields), Catalog::embedded());
    let mut needs: Vec<String> = found
        .needs
        .iter()
        .map(|n| format!("{} {}{}", n.action.as_str(), n.resource, if n.resource_known { "" } else { " (guessed)" }))
        .collect();
    let mut expected: Vec<&str> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    needs.sort();
    expected.sort_unstable();
    assert_eq!(needs, expected, "{event}");
}

#[track_caller]
fn check(event: &str, parameters: Value, expected: &str) {
    check_in("eu-west-1", event, json!({"requestParameters": parameters}), expected);
}

#[test]
fn objects() {
    let at = |key: &str| json!({"bucketName": "b", "key": key});
    check("s3:GetObject", at("a/b.txt"), "s3:GetObject arn:aws:s3:::b/a/b.txt");
    check("s3:HeadObject", at("a"), "s3:GetObject arn:aws:s3:::b/a");
    check("s3:GetObject", json!({"bucketName": "b", "key": "a", "versionId": "v1"}), "s3:GetObjectVersion arn:aws:s3:::b/a");
    check("s3:PutObject", at("a"), "s3:PutObject arn:aws:s3:::b/a");
    let acl = json!({"bucketName": "b", "key": "a", "x-amz-acl": "bucket-owner-full-control", "x-amz-tagging": "k=v"});
    let all = "s3:PutObject arn:aws:s3:::b/a
        s3:PutObjectAcl arn:aws:s3:::b/a
        s3:PutObjectTagging arn:aws:s3:::b/a";
    check("s3:PutObject", acl.clone(), all);
    check("s3:CreateMultipartUpload", acl, all);
    check(
        "s3:UploadPart",
        json!({"bucketName": "b", "key": "a", "partNumber": "1", "uploadId": "u"}),
        "s3:PutObject arn:aws:s3:::b/a",
    );
    check("s3:CompleteMultipartUpload", at("a"), "s3:PutObject arn:aws:s3:::b/a");
    check("s3:AbortMultipartUpload", at("a"), "s3:AbortMultipartUpload arn:aws:s3:::b/a");
    check("s3:ListParts", at("a"), "s3:ListMultipartUploadParts arn:aws:s3:::b/a");
    check("s3:DeleteObject", json!({"bucketName": "b", "key": "a", "versionId": "v"}), "s3:DeleteObjectVersion arn:aws:s3:::b/a");
    check("s3:DeleteObjects", json!({"bucketName": "b", "delete": ""}), "s3:DeleteObject arn:aws:s3:::b/* (guessed)");
    let copy = |source: &str| json!({"bucketName": "b", "key": "to", "x-amz-copy-source": source});
    check(
        "s3:CopyObject",
        copy("/from/a%20b%2Bc.txt"),
        "s3:GetObject arn:aws:s3:::from/a b+c.txt\ns3:PutObject arn:aws:s3:::b/to",
    );
    check("s3:CopyObject", copy("from/a?versionId=7"), "s3:GetObjectVersion arn:aws:s3:::from/a\ns3:PutObject arn:aws:s3:::b/to");
    check("s3:UploadPartCopy", copy("from/a"), "s3:GetObject arn:aws:s3:::from/a\ns3:PutObject arn:aws:s3:::b/to");
    let point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap/object/a";
    for source in [point, "arn%3Aaws%3As3%3Aeu-west-1%3A111122223333%3Aaccesspoint%2Fap%2Fobject%2Fa"] {
        check("s3:CopyObject", copy(source), &format!("s3:GetObject {point}\ns3:PutObject arn:aws:s3:::b/to"));
    }
}

#[test]
fn buckets() {
    let bucket = json!({"bucketName": "b", "prefix": "p/"});
    for event in ["s3:ListObjects", "s3:ListObjectsV2", "s3:HeadBucket"] {
        check(event, bucket.clone(), "s3:ListBucket arn:aws:s3:::b");
    }
    let resources = json!([{"type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::b/"},
                           {"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b", "accountId": "111122223333"}]);
    check_in(
        "eu-west-1",
        "s3:ListObjects",
        json!({"requestParameters": bucket, "resources": resources}),
        "s3:ListBucket arn:aws:s3:::b",
    );
    check("s3:GetBucketEncryption", json!({"bucketName": "b", "encryption": ""}), "s3:GetEncryptionConfiguration arn:aws:s3:::b");
    check("s3:GetBucketLocation", json!({"bucketName": "b", "location": ""}), "s3:GetBucketLocation arn:aws:s3:::b");
    check("s3:ListBuckets", json!({}), "s3:ListAllMyBuckets *");
    let missing = json!({"requestParameters": {"bucketName": "b", "key": "a"}, "errorCode": "NoSuchKey"});
    check_in("eu-west-1", "s3:GetObject", missing, "s3:GetObject arn:aws:s3:::b/a\ns3:ListBucket arn:aws:s3:::b");
    let missing = json!({"requestParameters": {"bucketName": "b", "key": "a"}, "errorCode": "AccessDenied"});
    check_in("eu-west-1", "s3:GetObject", missing, "s3:GetObject arn:aws:s3:::b/a");
    let point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap/object/a";
    check_in(
        "eu-west-1",
        "s3:GetObject",
        json!({"resources": [{"type": "AWS::S3::Object", "ARN": point}]}),
        &format!("s3:GetObject {point}"),
    );
}

#[test]
fn logs() {
    let group = "arn:aws:logs:eu-west-1:111122223333:log-group:/app/web";
    let named = json!({"logGroupName": "/app/web", "logStreamName": "s"});
    check("logs:CreateLogStream", named.clone(), &format!("logs:CreateLogStream {group}:log-stream:s"));
    check("logs:CreateLogGroup", json!({"logGroupName": "/app/web"}), &format!("logs:CreateLogGroup {group}"));
    check("logs:DescribeLogStreams", json!({"logGroupName": "/app/web"}), &format!("logs:DescribeLogStreams {group}"));
    check("logs:PutRetentionPolicy", json!({"logGroupName": "/app/web"}), &format!("logs:PutRetentionPolicy {group}"));
    let query = format!("logs:StartQuery {group}");
    check("logs:StartQuery", json!({"logGroupNames": ["/app/web"]}), &query);
    check("logs:StartQuery", json!({"logGroupIdentifiers": [format!("{group}:*")]}), &query);
    let theirs = "arn:aws:logs:eu-west-1:999900001111:log-group:/app/db";
    for (named, of) in [("/app/web", group), (group, group), (theirs, theirs)] {
        let events = json!({"logGroupIdentifier": named, "logStreamName": "s"});
        check("logs:GetLogEvents", events, &format!("logs:GetLogEvents {of}:log-stream:s"));
    }
    let guess = format!("logs:GetLogEvents {group}:log-stream:* (guessed)");
    check("logs:GetLogEvents", json!({"logGroupName": "/app/web"}), &guess);
}

#[test]
fn names_beside_ids_that_the_service_assigns() {
    let (auto, stack) = ("arn:aws:autoscaling:eu-west-1:111122223333", "arn:aws:cloudformation:eu-west-1:111122223333");
    let group = format!("autoscaling:CompleteLifecycleAction {auto}:autoScalingGroup:*:autoScalingGroupName/web");
    check("autoscaling:CompleteLifecycleAction", json!({"autoScalingGroupName": "web", "instanceId": INSTANCE}), &group);
    let signal = format!("cloudformation:SignalResource {stack}:stack/web/*");
    check("cloudformation:SignalResource", json!({"stackName": "web", "uniqueId": INSTANCE}), &signal);
    let whole = format!("{stack}:stack/web/0a1b");
    check("cloudformation:SignalResource", json!({"stackName": whole}), &format!("cloudformation:SignalResource {whole}"));
    check("cloudformation:SignalResource", json!({}), &format!("cloudformation:SignalResource {stack}:stack/*/* (guessed)"));
}

#[test]
fn analytics_and_zones() {
    let athena = "arn:aws:athena:eu-west-1:111122223333:workgroup/wg";
    check("athena:StartQueryExecution", json!({"workGroup": "wg"}), &format!("athena:StartQueryExecution {athena}"));
    let glue = "arn:aws:glue:eu-west-1:111122223333";
    let needs = |action: &str, table: &str| {
        let all = [format!("{glue}:catalog"), format!("{glue}:database/d"), format!("{glue}:table/d/{table}")];
        all.map(|arn| format!("glue:{action} {arn}")).join("\n")
    };
    check("glue:GetTable", json!({"databaseName": "d", "name": "t"}), &needs("GetTable", "t"));
    check("glue:GetPartitions", json!({"databaseName": "d", "tableName": "t"}), &needs("GetPartitions", "t"));
    // Each name of one list with each of the other would be a hundred million.
    let many: Vec<String> = (0..10_000).map(|n| format!("n{n}")).collect();
    let found = calls(
        &record("eu-west-1", "glue:GetTable", json!({"requestParameters": {"databaseName": many, "name": many}})),
        Catalog::embedded(),
    );
    let tables = found.needs.iter().filter(|need| need.resource.to_string().contains(":table/"));
    let tables: Vec<(String, bool)> = tables.map(|need| (need.resource.to_string(), need.resource_known)).collect();
    assert_eq!(tables, [(format!("{glue}:table/*/*"), false)]);
    check("glue:GetTables", json!({"databaseName": "d"}), &needs("GetTables", "* (guessed)"));
    let database = format!("glue:GetDatabase {glue}:catalog\nglue:GetDatabase {glue}:database/d");
    check("glue:GetDatabase", json!({"name": "d"}), &database);
    let zone = "route53:ChangeResourceRecordSets arn:aws:route53:::hostedzone/Z1";
    check("route53:ChangeResourceRecordSets", json!({"hostedZoneId": "Z1", "changeBatch": {}}), zone);
    check("route53:GetChange", json!({"id": "C1"}), "route53:GetChange arn:aws:route53:::change/C1");
}

#[test]
fn tags_by_id() {
    let ids =
        |ids: &[&str]| json!({"resourcesSet": {"items": ids.iter().map(|id| json!({"resourceId": id})).collect::<Vec<_>>()}});
    let all = ["instance/i-1", "volume/vol-1", "network-interface/eni-1", "security-group/sg-1", "subnet/subnet-1", "vpc/vpc-1"];
    let all = all.map(|resource| format!("ec2:CreateTags arn:aws:ec2:eu-west-1:111122223333:{resource}"));
    let ownerless =
        ["snapshot/snap-1", "image/ami-1"].map(|resource| format!("ec2:CreateTags arn:aws:ec2:eu-west-1::{resource}"));
    check(
        "ec2:CreateTags",
        ids(&["i-1", "vol-1", "snap-1", "eni-1", "sg-1", "subnet-1", "vpc-1", "ami-1"]),
        &[all.join("\n"), ownerless.join("\n")].join("\n"),
    );
    check("ec2:DeleteTags", ids(&["i-*"]), "ec2:DeleteTags arn:aws:ec2:eu-west-1:111122223333:instance/i-${*}");
    check("ec2:CreateTags", ids(&["i-1", "other-1"]), "ec2:CreateTags *");
    check("ec2:CreateTags", ids(&["vpc-other-1"]), "ec2:CreateTags *");
}

/// A policy with the function's own ARN denies requests for a version or an alias of it.
#[test]
fn functions_with_a_version_or_an_alias() {
    let function = "arn:aws:lambda:eu-west-1:111122223333:function:f";
    let listed = |arn: &str| json!([{"type": "AWS::Lambda::Function", "ARN": arn, "accountId": "111122223333"}]);
    let invoked = |arn: &str, parameters: Value, expected: &str| {
        let fields = json!({"resources": listed(arn), "requestParameters": parameters});
        check_in("eu-west-1", "lambda:Invoke", fields, &format!("lambda:InvokeFunction {expected}"));
    };
    let live = format!("{function}:live");
    invoked(function, json!({"functionName": function}), function);
    invoked(&live, json!({"functionName": live}), &live);
    invoked(function, json!({"functionName": function, "qualifier": "live"}), &live);
    invoked(&live, json!({"functionName": function, "qualifier": "live"}), &live);
    invoked(function, json!({"functionName": "f", "qualifier": "$LATEST"}), &format!("{function}:${{$}}LATEST"));
    check("lambda:Invoke", json!({"functionName": "f", "qualifier": "7"}), &format!("lambda:InvokeFunction {function}:7"));
    let point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap";
    let missing =
        json!({"resources": [{"type": "AWS::S3::Object", "ARN": format!("{point}/object/a")}], "errorCode": "NoSuchKey"});
    check_in("eu-west-1", "s3:GetObject", missing, &format!("s3:GetObject {point}/object/a"));
}

#[test]
fn sessions_with_tags_and_a_source_identity() {
    let role = "arn:aws:iam::999900001111:role/deploy";
    let assumed = |extra: Value, also: &[&str]| {
        let mut parameters = json!({"roleArn": role, "roleSessionName": "x"});
        parameters.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let needs: Vec<String> = ["sts:AssumeRole"].iter().chain(also).map(|action| format!("{action} {role}")).collect();
        check("sts:AssumeRole", parameters, &needs.join("\n"));
    };
    assumed(json!({}), &[]);
    assumed(json!({"tags": [], "sourceIdentity": null}), &[]);
    assumed(json!({"tags": [{"key": "a", "value": "b"}]}), &["sts:TagSession"]);
    assumed(json!({"tags": [{"key": "a", "value": "b"}], "sourceIdentity": "me"}), &["sts:TagSession", "sts:SetSourceIdentity"]);
}

#[test]
fn what_other_accounts_own() {
    let theirs = "arn:aws:sqs:eu-west-1:999900001111:jobs";
    check(
        "sqs:GetQueueAttributes",
        json!({"queueUrl": "https://sqs.eu-west-1.amazonaws.com/999900001111/jobs"}),
        &format!("sqs:GetQueueAttributes {theirs}"),
    );
    check(
        "sqs:GetQueueUrl",
        json!({"queueName": "jobs", "queueOwnerAWSAccountId": "999900001111"}),
        &format!("sqs:GetQueueUrl {theirs}"),
    );
    let image = json!({"repositoryName": "app", "registryId": "999900001111"});
    check("ecr:BatchGetImage", image, "ecr:BatchGetImage arn:aws:ecr:eu-west-1:999900001111:repository/app");
    check(
        "ecr:BatchGetImage",
        json!({"repositoryName": "app"}),
        "ecr:BatchGetImage arn:aws:ecr:eu-west-1:111122223333:repository/app",
    );
}

#[test]
fn systems_manager() {
    let instance = format!("arn:aws:ec2:eu-west-1:111122223333:instance/{INSTANCE}");
    let ssm = "arn:aws:ssm:eu-west-1:111122223333";
    check(
        "ssm:GetDocument",
        json!({"name": "AWS-RunShellScript"}),
        "ssm:GetDocument arn:aws:ssm:eu-west-1::document/AWS-RunShellScript",
    );
    check(
        "ssm:GetDocument",
        json!({"name": "AmazonCloudWatch-ManageAgent"}),
        "ssm:GetDocument arn:aws:ssm:eu-west-1::document/AmazonCloudWatch-ManageAgent",
    );
    check("ssm:GetDocument", json!({"name": "mine"}), &format!("ssm:GetDocument {ssm}:document/mine"));
    let shared = "arn:aws:ssm:eu-west-1:444455556666:document/theirs";
    check("ssm:GetDocument", json!({"name": shared}), &format!("ssm:GetDocument {shared}"));
    check("ssm:GetParameter", json!({"name": "/app/key"}), &format!("ssm:GetParameter {ssm}:parameter/app/key"));
    check("ssm:GetParameter", json!({"name": "key:3"}), &format!("ssm:GetParameter {ssm}:parameter/key"));
    let two = format!("ssm:GetParameters {ssm}:parameter/a\nssm:GetParameters {ssm}:parameter/b/c");
    check("ssm:GetParameters", json!({"names": ["a", "/b/c"], "withDecryption": true}), &two);
    for path in ["/app/prod", "/app/prod/", "/"] {
        let asked = format!("ssm:GetParametersByPath {ssm}:parameter{path}");
        check("ssm:GetParametersByPath", json!({"path": path, "recursive": true}), &asked);
    }
    let public = "parameter/aws/service/ami-amazon-linux-latest/x";
    let both = format!("ssm:GetParameter {ssm}:{public}\nssm:GetParameter arn:aws:ssm:eu-west-1::{public}");
    check("ssm:GetParameter", json!({"name": "/aws/service/ami-amazon-linux-latest/x"}), &both);
    let status =
        format!("ssm:UpdateInstanceAssociationStatus {ssm}:association/a-1\nssm:UpdateInstanceAssociationStatus {instance}");
    check("ssm:UpdateInstanceAssociationStatus", json!({"associationId": "a-1", "instanceId": INSTANCE}), &status);
    check("ssm:UpdateInstanceInformation", json!({"instanceId": INSTANCE}), &format!("ssm:UpdateInstanceInformation {instance}"));
    check("ssm:UpdateInstanceInformation", Value::Null, &format!("ssm:UpdateInstanceInformation {instance}"));
    check("ssm:PutComplianceItems", json!({"resourceId": INSTANCE}), &format!("ssm:PutComplianceItems {instance}"));
    check("ssm:PutInventory", json!({"instanceId": INSTANCE}), "ssm:PutInventory *");
    check("ssm:CreateControlChannel", json!({"channelId": INSTANCE}), "ssmmessages:CreateControlChannel *");
    check(
        "ssm:GetDeployablePatchSnapshotForInstance",
        json!({"instanceId": INSTANCE}),
        "ssm:GetDeployablePatchSnapshotForInstance *",
    );
}

#[test]
fn other_services() {
    let (home, account) = ("eu-west-1", "111122223333");
    let arn = |service: &str, resource: &str| format!("arn:aws:{service}:{home}:{account}:{resource}");
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    check("kms:Decrypt", json!({"keyId": id}), &format!("kms:Decrypt {}", arn("kms", &format!("key/{id}"))));
    check("kms:Decrypt", json!({"keyId": "alias/app"}), &format!("kms:Decrypt {}", arn("kms", "key/*")));
    check(
        "secretsmanager:GetSecretValue",
        json!({"secretId": "db"}),
        &format!("secretsmanager:GetSecretValue {}", arn("secretsmanager", "secret:db-??????")),
    );
    let full = arn("secretsmanager", "secret:db-AbCdEf");
    check("secretsmanager:GetSecretValue", json!({"secretId": full}), &format!("secretsmanager:GetSecretValue {full}"));
    let partial = arn("secretsmanager", "secret:prod/db");
    let completed = format!("secretsmanager:GetSecretValue {partial}-??????");
    check("secretsmanager:GetSecretValue", json!({"secretId": partial}), &completed);
    let url = json!({"queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/jobs"});
    check("sqs:SendMessage", url, &format!("sqs:SendMessage {}", arn("sqs", "jobs")));
    check("dynamodb:GetItem", json!({"tableName": "t"}), &format!("dynamodb:GetItem {}", arn("dynamodb", "table/t")));
    let functions = format!("lambda:GetFunction {}", arn("lambda", "function:f"));
    check("lambda:GetFunction20150331v2", json!({"functionName": "f"}), &functions);
    check("iam:GetRole", json!({"roleName": "r"}), "iam:GetRole arn:aws:iam::111122223333:role/r");
    check("ec2:DescribeInstances", json!({"instancesSet": {}}), "ec2:DescribeInstances *");
    check("ec2:DescribeInstanceStatus", json!({}), "ec2:DescribeInstanceStatus *");
    let stop = json!({"instancesSet": {"items": [{"instanceId": INSTANCE}]}});
    check("ec2:StopInstances", stop, &format!("ec2:StopInstances {}", arn("ec2", &format!("instance/{INSTANCE}"))));
    check("monitoring:PutMetricData", json!({"namespace": "App"}), "cloudwatch:PutMetricData *");
    check(
        "ds:CreateComputer",
        json!({"directoryId": "d-1234567890"}),
        &format!("ds:CreateComputer {}", arn("ds", "directory/d-1234567890")),
    );
}

#[test]
fn several_actions_of_one_call() {
    let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/t";
    let fields = |parameters: Value| json!({"requestParameters": parameters, "resources": [{"type": "AWS::DynamoDB::Table", "ARN": table}]});
    let transact = json!({"transactItems": [{"put": {}}, {"conditionCheck": {}}]});
    let both = format!("dynamodb:ConditionCheckItem {table}\ndynamodb:PutItem {table}");
    check_in("eu-west-1", "dynamodb:TransactWriteItems", fields(transact), &both);
    let verb = |statement: &str, action: &str| {
        let expected = format!("dynamodb:{action} {table}");
        check_in("eu-west-1", "dynamodb:ExecuteStatement", fields(json!({"statement": statement})), &expected);
    };
    verb("SELECT * FROM t", "PartiQLSelect");
    verb("insert into t value {}", "PartiQLInsert");
}

#[test]
fn partitions_and_missing_parameters() {
    let get = json!({"requestParameters": {"bucketName": "b", "key": "a"}});
    check_in("cn-north-1", "s3:GetObject", get.clone(), "s3:GetObject arn:aws-cn:s3:::b/a");
    check_in("us-gov-west-1", "s3:GetObject", get, "s3:GetObject arn:aws-us-gov:s3:::b/a");
    let document = json!({"requestParameters": {"name": "AWS-RunShellScript"}});
    check_in("cn-north-1", "ssm:GetDocument", document, "ssm:GetDocument arn:aws-cn:ssm:cn-north-1::document/AWS-RunShellScript");
    check("s3:GetObject", Value::Null, "s3:GetObject arn:aws:s3:::*/* (guessed)");
    check("s3:ListObjects", Value::Null, "s3:ListBucket arn:aws:s3:::* (guessed)");
    check("ec2:CreateTags", Value::Null, "ec2:CreateTags * (guessed)");
    let below = json!([{"type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::b/x/"}, {"type": "AWS::S3::Bucket"}]);
    let fields = json!({"resources": below, "requestParameters": null});
    check_in("eu-west-1", "s3:GetObject", fields, "s3:GetObject arn:aws:s3:::b/x/*");
    check(
        "logs:CreateLogStream",
        Value::Null,
        "logs:CreateLogStream arn:aws:logs:eu-west-1:111122223333:log-group:*:log-stream:* (guessed)",
    );
    check("kms:Decrypt", Value::Null, "kms:Decrypt arn:aws:kms:eu-west-1:111122223333:key/* (guessed)");
}

/// Parameters of other accounts go by their ARN, alone or beside names; a selector is no part of what IAM is asked about.
#[test]
fn parameters_by_arn() {
    let theirs = |rest: &str| format!("arn:aws:ssm:eu-west-1:999900001111:parameter/{rest}");
    let own = "arn:aws:ssm:eu-west-1:111122223333:parameter";
    check("ssm:GetParameter", json!({"name": theirs("x:2")}), &format!("ssm:GetParameter {}", theirs("x")));
    check("ssm:GetParameters", json!({"names": [theirs("x")]}), &format!("ssm:GetParameters {}", theirs("x")));
    let names = json!({"names": [theirs("shared/x"), theirs("y:label"), "/own/z", "plain:3"]});
    let expected = format!(
        "ssm:GetParameters {}\nssm:GetParameters {}\nssm:GetParameters {own}/own/z\nssm:GetParameters {own}/plain",
        theirs("shared/x"),
        theirs("y")
    );
    check("ssm:GetParameters", names, &expected);
}

#[test]
fn hostile_names_stay_names() {
    let key = |name: &str, written: &str| {
        check("s3:PutObject", json!({"bucketName": "b", "key": name}), &format!("s3:PutObject arn:aws:s3:::b/{written}"));
    };
    key("*", "${*}");
    key("a?b$c", "a${?}b${$}c");
    key("${aws:username}", "${$}{aws:username}");
    key("\"},{\"Effect\":\"Allow", "\"},{\"Effect\":\"Allow");
    key("Zürich", "Zürich");
    key("東京\u{202e}", "???");
    key("a\u{0}b\u{7f}", "a?b\u{7f}");
    let parameter = json!({"name": "/a*"});
    check("ssm:GetParameter", parameter, "ssm:GetParameter arn:aws:ssm:eu-west-1:111122223333:parameter/a${*}");
}

#[test]
fn refusals_name_action_and_resource() {
    let fields = json!({"errorCode": "AccessDenied", "errorMessage": "User: arn:aws:sts::111122223333:assumed-role/web/i is not authorized to \
        perform: logs:DescribeLogStreams on resource: arn:aws:logs:eu-west-1:111122223333:log-group:g:log-stream: because no \
        identity-based policy allows the logs:DescribeLogStreams action"});
    let expected = "logs:DescribeLogStreams arn:aws:logs:eu-west-1:111122223333:log-group:g:log-stream:";
    check_in("eu-west-1", "logs:DescribeLogStreams", fields.clone(), expected);
    let refused = record("eu-west-1", "logs:DescribeLogStreams", fields);
    assert_eq!(outcome(&refused, Catalog::embedded()), Outcome::Denied("AccessDenied".to_owned()));
    let check = |rest: &str, expected: &str| {
        let message =
            format!("User: arn:aws:sts::111122223333:assumed-role/web/i is not authorized to perform: s3:GetObject{rest}");
        let parameters = json!({"bucketName": "b", "key": "k l"});
        let fields = json!({"errorCode": "AccessDenied", "errorMessage": message, "requestParameters": parameters});
        check_in("eu-west-1", "s3:GetObject", fields, &format!("s3:GetObject {expected}"));
    };
    let why = "because no identity-based policy allows the s3:GetObject action";
    check(&format!(" on resource: \"arn:aws:s3:::b/k l\" {why}"), "arn:aws:s3:::b/k l");
    check(&format!(" on resource: arn:aws:s3:::b/k l {why}"), "arn:aws:s3:::b/k l");
    check(" on resource: arn:aws:s3:::b/k l with an explicit deny in a permissions boundary", "arn:aws:s3:::b/k l");
    check(" on resource: arn:aws:s3:::b/k.", "arn:aws:s3:::b/k");
    check(" on resource: \"arn:aws:s3:::b/k", "arn:aws:s3:::b/k l");
    check(&format!(" {why}"), "arn:aws:s3:::b/k l");
}

/// A baseline that names a log group only with `:*` after it grants calls on the group, and so does the result.
#[test]
fn a_baseline_with_the_second_form_of_a_log_group_keeps_it() {
    use policyc::derive::{Need, cap};
    use policyc::iam::{Action, Pattern, Policy};
    let group = "arn:aws:logs:eu-west-1:111122223333:log-group:g";
    let check = |granted: &str, expected: &str| {
        let baseline =
            json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": granted}});
        let need = Need {
            action: Action::parse("logs:DescribeLogStreams").unwrap(),
            resource: Pattern::literal(group),
            regions: [].into(),
            context: [].into(),
            because: [].into(),
            evidence: None,
        };
        let baseline = Policy::parse(baseline.to_string().as_bytes()).unwrap();
        let needs = cap::accepted(&baseline, vec![need], Catalog::embedded());
        assert_eq!(needs.iter().map(|n| n.resource.to_string()).collect::<Vec<_>>(), [expected], "{granted}");
    };
    check(&format!("{group}:*"), &format!("{group}:*"));
    check(group, group);
    check("*", group);
    check(&format!("{group}-other:*"), group);
}
