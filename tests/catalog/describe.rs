//! What `policyc catalog` shows, and that unknown names are met with near ones.

use policyc::catalog::Catalog;
use policyc::catalog::description::UnknownName;
use policyc::iam::Pattern;

#[test]
fn everything_that_is_known_can_be_shown() {
    let catalog = Catalog::embedded();
    for feature in catalog.features() {
        let shown = catalog.describe_feature(&feature.name).unwrap();
        assert_eq!((shown.signs.len(), shown.needs.len()), (feature.signs.len(), feature.needs.len()), "{}", feature.name);
        assert!(shown.signs.iter().all(|s| !s.is_empty()) && !shown.date.is_empty() && !shown.source.is_empty());
        for need in &shown.needs {
            let action = catalog.describe_action(&need.action).unwrap();
            assert!(action.features.iter().any(|f| f.feature == feature.name), "{} {}", feature.name, need.action);
        }
    }
    for key in catalog.events.events.keys() {
        assert!(!catalog.describe_event(key).unwrap().actions.is_empty(), "{key}");
    }
    for region in catalog.buckets.regions.keys() {
        assert!(catalog.describe_region(region).unwrap().unknown_buckets.is_empty(), "{region}");
    }
    assert_eq!(catalog.describe_buckets("patch-manager").unwrap().len(), 34);
    assert_eq!(catalog.describe_buckets("aws-patch-manager-us-east-1-1970c647d").unwrap().len(), 1);
}

#[test]
fn an_action_is_shown_with_its_selector() {
    let check = |name: &str, selector: Option<&str>, event: &str| {
        let shown = Catalog::embedded().describe_action(name).unwrap();
        assert_eq!(shown.selector.map(|s| s.to_string()).as_deref(), selector, "{name}");
        assert_eq!(shown.events.iter().any(|e| e == event), !event.is_empty(), "{name}: {:?}", shown.events);
    };
    let object = r#"{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]}]}"#;
    check("S3:getobject", Some(object), "s3.amazonaws.com:HeadObject");
    let management = r#"{"FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}"#;
    check("ssm:PutInventory", Some(management), "ssm.amazonaws.com:PutInventory");
    check("s3:GetEncryptionConfiguration", Some(management), "s3.amazonaws.com:GetBucketEncryption");
    check("logs:PutLogEvents", None, "");
}

#[test]
fn an_unknown_name_is_met_with_near_ones() {
    fn check<T: std::fmt::Debug>(asked: Result<T, UnknownName>, first: &str) {
        let unknown = asked.unwrap_err();
        assert_eq!(unknown.near.first().map(String::as_str).unwrap_or_default(), first, "{unknown}");
        assert!(unknown.to_string().contains(&format!("`{}`", unknown.name)));
    }
    let catalog = Catalog::embedded();
    check(catalog.describe_action("s3:GetObjct"), "s3:GetObject");
    check(catalog.describe_action("GetParameter"), "ssm:GetParameter");
    check(catalog.describe_action("xxxxxxxxxxxx:y"), "");
    check(catalog.describe_event("s3:HeadObjekt"), "s3.amazonaws.com:HeadObject");
    check(catalog.describe_feature("session-manger"), "session-manager");
    check(catalog.describe_region("eu-wst-1"), "eu-west-1");
    check(catalog.describe_buckets("patchin"), "patching");
    assert_eq!(catalog.describe_region("cn-north-1").unwrap().partition, "aws-cn");
}

#[test]
fn a_log_group_has_a_second_form() {
    let group = "arn:aws:logs:eu-west-1:111122223333:log-group";
    let check = |resource: &str, second: Option<&str>| {
        let found = Catalog::embedded().second_form(&Pattern::parse(resource));
        assert_eq!(found.map(|p| p.to_string()).as_deref(), second, "{resource}");
    };
    check(&format!("{group}:/app"), Some(&format!("{group}:/app:*")));
    check(&format!("{group}:/a${{*}}"), Some(&format!("{group}:/a${{*}}:*")));
    check(&format!("{group}:/app:*"), None);
    check(&format!("{group}:/app/*"), None);
    check(&format!("{group}:/app:log-stream:s"), None);
    check(&format!("{group}:/app-*:log-stream:*"), None);
    check("*", None);
    check("arn:aws:s3:::b/log-group:x", None);
}

#[test]
fn a_newer_reference_takes_the_place_of_the_embedded_one() {
    let lines = "{\"source\":\"test\",\"date\":\"2027-01-01\"}\n{\"prefix\":\"new\",\"name\":\"New\",\"actions\":[{\"name\":\"Do\",\"level\":\"Read\"}],\"types\":{}}\n";
    let catalog = Catalog::with_reference(lines.as_bytes()).unwrap();
    let shown = catalog.describe_action("new:do").unwrap();
    assert_eq!((shown.action.as_str(), shown.date.as_str()), ("new:Do", "2027-01-01"));
    assert!(catalog.describe_action("s3:GetObject").is_err());
    assert!(Catalog::with_reference(b"nothing").is_err());
}
