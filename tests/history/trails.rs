//! Trails as CloudTrail describes them.

use std::collections::BTreeSet;

use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector, DataResource, EventSelector, ReadWriteType};
use policyc::aws::trails::{Trail, TrailsError, choose, find};
use policyc::ledger::Coverage;

use crate::bucket::{client as s3, patience, put, runtime};
use crate::event_history::client;
use crate::faults::{Fault, Proxy};
use crate::moto::Moto;

#[test]
fn trails_are_found_with_what_they_log() {
    let (moto, runtime) = (Moto::start(), runtime());
    put(&runtime, &s3(&moto.url, "us-east-1"), "logs", "us-east-1", &[]);
    let home = client(&moto.url, "us-east-1");
    let trails = runtime.block_on(async {
        for (name, every_region) in [("basic", false), ("advanced", true), ("stopped", true)] {
            let made =
                home.create_trail().name(name).s3_bucket_name("logs").s3_key_prefix(name).is_multi_region_trail(every_region);
            made.send().await.unwrap();
        }
        let objects = DataResource::builder().r#type("AWS::S3::Object").values("arn:aws:s3").build();
        let basic = EventSelector::builder().read_write_type(ReadWriteType::All).data_resources(objects).build();
        home.put_event_selectors().trail_name("basic").event_selectors(basic).send().await.unwrap();
        let field = |name: &str, value: &str| AdvancedFieldSelector::builder().field(name).equals(value).build().unwrap();
        let fields = [field("eventCategory", "Management"), field("readOnly", "false")];
        let advanced = AdvancedEventSelector::builder().set_field_selectors(Some(fields.to_vec())).build().unwrap();
        home.put_event_selectors().trail_name("advanced").advanced_event_selectors(advanced).send().await.unwrap();
        for name in ["basic", "advanced"] {
            home.start_logging().name(name).send().await.unwrap();
        }
        find(&home, patience()).await.unwrap()
    });
    let of = |name: &str| trails.iter().find(|t| t.arn.ends_with(&format!("/{name}"))).unwrap();
    let shown = |trail: &Trail| {
        let coverage = Coverage::of(trail.selectors.as_ref().unwrap(), None);
        (coverage.data.len(), coverage.hidden.len(), trail.every_region, trail.logging, trail.place.prefix.clone())
    };
    assert_eq!(shown(of("basic")), (1, 0, false, true, "basic/".to_owned()));
    assert_eq!(shown(of("advanced")), (0, 1, true, true, "advanced/".to_owned()));
    assert!(!of("stopped").logging);

    let check = |trails: &[Trail], regions: &[&str], expected: &str| {
        let regions: BTreeSet<String> = regions.iter().map(|r| (*r).to_owned()).collect();
        let chosen = match choose(trails, &regions) {
            Ok(chosen) => chosen.iter().map(|t| t.arn.rsplit('/').next().unwrap()).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        assert!(chosen.starts_with(expected), "{chosen}");
    };
    check(&trails, &["us-east-1", "eu-west-1"], "advanced");
    let one_region: Vec<Trail> = trails.iter().filter(|t| !t.every_region).cloned().collect();
    check(&one_region, &["us-east-1"], "basic");
    check(&one_region, &["us-east-1", "eu-west-1"], "no trail of this account logs `eu-west-1` now");
    check(&[of("stopped").clone()], &["us-east-1"], "no trail of this account logs `us-east-1` now");

    let proxy = Proxy::start(&moto.url, |number, _| (number % 2 == 0).then_some(Fault::Internal));
    let again = runtime.block_on(find(&client(&proxy.url(), "us-east-1"), patience())).unwrap();
    assert_eq!(again, trails);
    let proxy = Proxy::start(&moto.url, |_, request| {
        request.header("x-amz-target").ends_with("GetEventSelectors").then_some(Fault::Denied)
    });
    let unknown = runtime.block_on(find(&client(&proxy.url(), "us-east-1"), patience())).unwrap();
    for (trail, known) in unknown.iter().zip(&trails) {
        let reason = trail.selectors.as_ref().unwrap_err();
        assert!(reason.contains("needs the permission cloudtrail:GetEventSelectors"), "{reason}");
        assert_eq!(Trail { selectors: known.selectors.clone(), ..trail.clone() }, *known, "everything else is known");
    }
    check(&unknown, &["us-east-1"], "advanced");
    let proxy = Proxy::start(&moto.url, |_, _| Some(Fault::Cut));
    let error = runtime.block_on(find(&client(&proxy.url(), "us-east-1"), patience())).unwrap_err();
    assert!(matches!(error, TrailsError::Failed { tries: 4, .. }), "{error}");
}
