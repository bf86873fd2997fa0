//! Buckets of Systems Manager, partitions and baselines.

use policyc::catalog::{Catalog, baselines};
use policyc::iam::Pattern;

use super::{check, rows};

/// Source: AWS Systems Manager User Guide, "Amazon S3 buckets for patching operations".
const PER_REGION: &str = include_str!("tables/buckets.txt");

/// Kinds whose names follow the region. Source: the same guide, "SSM Agent technical details".
const FOLLOWING: &str = "
windows-downloads aws-windows-downloads-{region}
agent-update amazon-ssm-{region}
ssm-modules aws-ssm-{region}
distributor-birdwatcher {region}-birdwatcher-prod
distributor-file aws-ssm-distributor-file-{region}
document-attachments aws-ssm-document-attachments-{region}
agent-packages-legacy amazon-ssm-packages-{region}
global-downloads ec2-downloads-windows
";

#[test]
fn every_region_has_its_three_buckets() {
    let names = &Catalog::embedded().buckets.regions;
    assert_eq!(names.len(), 34);
    let data = names.iter().map(|(region, names)| {
        assert_eq!(names.len(), 3, "{region}");
        format!("{region} {} {} {}", names["patch-manager"], names["patch-manager-macos"], names["patch-snapshot"])
    });
    check("buckets of a region", rows(PER_REGION), data);
}

#[test]
fn the_other_names_follow_the_region() {
    let kinds = &Catalog::embedded().buckets.buckets;
    check("names", rows(FOLLOWING), kinds.iter().filter_map(|k| Some(format!("{} {}", k.id, k.name.as_ref()?))));
    let listed = kinds.iter().filter(|k| k.name.is_none()).map(|k| format!("{} {}", k.id, k.per_region.as_ref().unwrap()));
    let table = ["patch-manager patch-manager", "patch-manager-macos patch-manager-macos", "patch-snapshot patch-snapshot"];
    check("kinds with a name of their own in each region", table, listed);
    assert_eq!(Catalog::embedded().buckets.action, "s3:GetObject");
    assert!(kinds.iter().all(|k| k.source.starts_with("https://docs.aws.amazon.com/systems-manager/")));
}

/// A feature reads from these kinds of buckets in a region, and of these the names are not known.
#[track_caller]
fn reads(feature: &str, region: &str, platforms: &[&str], names: &str, unknown: &str) {
    let found = Catalog::embedded().service_buckets(feature, region, platforms);
    let mut buckets: Vec<&str> = found.buckets.iter().map(|b| b.name.as_str()).collect();
    let mut expected: Vec<&str> = names.split_whitespace().collect();
    buckets.sort_unstable();
    expected.sort_unstable();
    assert_eq!(buckets, expected, "{feature} in {region} on {platforms:?}");
    assert_eq!(found.unknown, unknown.split_whitespace().collect::<Vec<_>>(), "{feature} in {region} on {platforms:?}");
}

#[test]
fn features_read_from_their_buckets_on_every_platform() {
    for row in rows(PER_REGION) {
        let [region, manager, macos, snapshot] = row.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{row}") };
        let (modules, windows) = (format!("aws-ssm-{region}"), format!("aws-windows-downloads-{region}"));
        let patching = |platforms: &[&str], more: &[&str]| {
            let names = [&[modules.as_str(), snapshot], more].concat().join(" ");
            reads("patching", region, platforms, &names, "");
        };
        patching(&["Linux"], &[manager]);
        patching(&["Windows"], &[manager, &windows]);
        patching(&["MacOS"], &[macos]);
        patching(&["Linux", "MacOS"], &[manager, macos]);
        patching(&[], &[manager, macos, &windows]);
        for platforms in [&[][..], &["Linux"], &["Windows"], &["MacOS"]] {
            reads("agent-update", region, platforms, &format!("amazon-ssm-{region} {modules}"), "");
            let older = if matches!(region, "af-south-1" | "eu-south-1") {
                format!("aws-ssm-distributor-file-{region}")
            } else {
                String::new()
            };
            reads("distributor", region, platforms, &format!("{region}-birdwatcher-prod {older}"), "");
        }
    }
}

#[test]
fn no_other_feature_reads_from_buckets_of_the_service() {
    let all = Catalog::embedded().buckets.buckets.iter().flat_map(|k| k.features.iter().map(|f| format!("{f} {}", k.id)));
    let table = "
        agent-update agent-update
        agent-update ssm-modules
        patching ssm-modules
        patching windows-downloads
        patching patch-snapshot
        patching patch-manager
        patching patch-manager-macos
        distributor distributor-birdwatcher
        distributor distributor-file";
    check("feature and bucket", rows(table), all);
}

#[test]
fn in_an_unknown_region_names_are_not_made_up() {
    let (linux, region) = (&["Linux"], "xx-north-9");
    reads("patching", region, linux, "aws-ssm-xx-north-9", "patch-snapshot patch-manager");
    reads("patching", region, &["MacOS"], "aws-ssm-xx-north-9", "patch-snapshot patch-manager-macos");
    reads("patching", "cn-north-1", linux, "aws-ssm-cn-north-1", "patch-snapshot patch-manager");
    reads("agent-update", region, linux, "amazon-ssm-xx-north-9 aws-ssm-xx-north-9", "");
    reads("session-manager", "eu-west-1", linux, "", "");
}

#[test]
fn buckets_of_the_service_are_told_from_others() {
    let check = |arn: &str, service: bool| {
        assert_eq!(Catalog::embedded().is_service_bucket(&Pattern::parse(arn)), service, "{arn}");
    };
    for row in rows(PER_REGION) {
        let mut words = row.split_whitespace();
        let region = words.next().unwrap();
        let following = [format!("aws-ssm-{region}"), format!("amazon-ssm-{region}"), format!("{region}-birdwatcher-prod")];
        for name in words.map(str::to_owned).chain(following) {
            check(&format!("arn:aws:s3:::{name}/*"), true);
            check(&format!("arn:aws:s3:::{name}x/*"), false);
            check(&format!("arn:aws:s3:::my-{name}/a"), false);
        }
    }
    check("arn:aws:s3:::aws-ssm-*/*", false);
    check("arn:aws:s3:::aws-ssm-mine/*", false);
    check("arn:aws:s3:::logs/aws-ssm-eu-west-1/a", false);
    check("arn:aws:sqs:eu-west-1:111122223333:aws-ssm-eu-west-1", false);
}

#[test]
fn partitions() {
    let check = |partition: &str, regions: &[&str]| {
        for region in regions {
            assert_eq!(Catalog::embedded().partition(region), partition, "{region}");
        }
    };
    check("aws-cn", &["cn-north-1", "cn-northwest-1"]);
    check("aws-us-gov", &["us-gov-east-1", "us-gov-west-1"]);
    check("aws-iso", &["us-iso-east-1", "us-iso-west-1"]);
    check("aws-iso-b", &["us-isob-east-1", "us-isob-west-1"]);
    check("aws-iso-e", &["eu-isoe-west-1"]);
    check("aws-iso-f", &["us-isof-east-1", "us-isof-south-1"]);
    check("aws-eusc", &["eusc-de-east-1"]);
    check("aws", &rows(PER_REGION).iter().map(|r| r.split(' ').next().unwrap()).collect::<Vec<_>>());
    assert_eq!(Catalog::embedded().shapes.partitions.len(), 7);
}

#[test]
fn embedded_baselines() {
    let table = "
        AmazonEC2RoleforSSM arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM v8
        AmazonSSMManagedInstanceCore arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore v2
        AmazonSSMManagedEC2InstanceDefaultPolicy arn:aws:iam::aws:policy/AmazonSSMManagedEC2InstanceDefaultPolicy v2
        AmazonSSMPatchAssociation arn:aws:iam::aws:policy/AmazonSSMPatchAssociation v1
        AmazonSSMDirectoryServiceAccess arn:aws:iam::aws:policy/AmazonSSMDirectoryServiceAccess v1
        CloudWatchAgentServerPolicy arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy v3
        CloudWatchAgentAdminPolicy arn:aws:iam::aws:policy/CloudWatchAgentAdminPolicy v2";
    check("baselines", rows(table), baselines::all().iter().map(|p| format!("{} {} {}", p.name, p.arn, p.version)));
}
