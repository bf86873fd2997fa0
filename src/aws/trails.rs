//! The trails of an account: where they deliver to and what they log.
//!
//! Source: AWS CloudTrail API Reference, DescribeTrails, GetTrailStatus and GetEventSelectors.

use std::collections::BTreeSet;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
use aws_sdk_cloudtrail::types::{AdvancedFieldSelector, EventSelector};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::bucket::Place;
use super::failure::{Failure, GaveUp, tried};
use super::lookup::Patience;
use crate::ledger::selectors::EventSelectors;

/// A trail that delivers to a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Its ARN.
    pub arn: String,
    /// The region that it was made in.
    pub home: String,
    /// Whether it logs every region.
    pub every_region: bool,
    /// Whether it is an organisation's.
    pub organisation: bool,
    /// Where its log files are.
    pub place: Place,
    /// Whether it logs now. Of an organisation's trail that may be nobody's business here; then it counts as logging.
    pub logging: bool,
    /// Since when; what came before it does not show.
    pub since: Option<Timestamp>,
    /// What CloudTrail says about its last delivery, where that failed.
    pub delivery_error: Option<String>,
    /// What it logs, or why that is not known: it is the organisation's trail and this is a member's account, or a permission is
    /// missing. Its log files can be read all the same.
    pub selectors: Result<EventSelectors, String>,
}

/// Why trails could not be found.
#[derive(Debug, thiserror::Error)]
pub enum TrailsError {
    /// The caller may not ask. The account's administrator can change that.
    #[error("CloudTrail refuses to describe its trails ({reason}); it needs the permission {permission}")]
    Denied {
        /// What AWS says.
        reason: String,
        /// What is needed.
        permission: &'static str,
    },
    /// CloudTrail does not answer, or not so that it can be used.
    #[error("CloudTrail did not describe `{what}` in {tries} tries: {reason}")]
    Failed {
        /// What was asked for.
        what: String,
        /// How often.
        tries: u32,
        /// The last failure.
        reason: String,
    },
    /// There is no trail to read.
    #[error("no trail of this account logs `{0}` now; give `s3://BUCKET/PREFIX`, or use event history")]
    None(String),
}

/// Every trail that the region knows, those of other regions that log it and the organisation's among them.
///
/// # Errors
/// When CloudTrail refuses or does not answer.
pub async fn find(client: &Client, patience: Patience) -> Result<Vec<Trail>, TrailsError> {
    let asked = tried(&patience, patience.timeout, || async {
        client.describe_trails().send().await.map_err(|error| Failure::of(&error))
    });
    let described = asked.await.map_err(|e| failed(e, "the trails", "cloudtrail:DescribeTrails"))?;
    let mut found = Vec::new();
    for trail in described.trail_list() {
        let (Some(arn), Some(bucket)) = (trail.trail_arn(), trail.s3_bucket_name()) else { continue };
        let prefix = trail.s3_key_prefix().map(|p| format!("{}/", p.trim_end_matches('/'))).unwrap_or_default();
        let organisation = trail.is_organization_trail().unwrap_or_default();
        let status = tried(&patience, patience.timeout, || async {
            client.get_trail_status().name(arn).send().await.map_err(|error| Failure::of(&error))
        });
        let status = match status.await {
            Ok(status) => Some(status),
            Err(GaveUp { failure: Failure::Denied(_) | Failure::Final(_), .. }) if organisation => None,
            Err(error) => return Err(failed(error, arn, "cloudtrail:GetTrailStatus")),
        };
        let status = status.as_ref();
        found.push(Trail {
            arn: arn.to_owned(),
            home: trail.home_region().unwrap_or_default().to_owned(),
            every_region: trail.is_multi_region_trail().unwrap_or_default(),
            organisation,
            place: Place { bucket: bucket.to_owned(), prefix, organisation: None, account: None },
            logging: status.is_none_or(|status| status.is_logging().unwrap_or_default()),
            since: status.and_then(|s| s.start_logging_time()).and_then(|t| Timestamp::from_second(t.secs()).ok()),
            delivery_error: status.and_then(|s| s.latest_delivery_error()).filter(|e| !e.is_empty()).map(str::to_owned),
            selectors: selectors(client, arn, patience).await?,
        });
    }
    found.sort_by(|a, b| a.arn.cmp(&b.arn));
    Ok(found)
}

/// What a trail logs, or why CloudTrail does not say so.
async fn selectors(client: &Client, arn: &str, patience: Patience) -> Result<Result<EventSelectors, String>, TrailsError> {
    let asked = tried(&patience, patience.timeout, || async {
        client.get_event_selectors().trail_name(arn).send().await.map_err(|error| Failure::of(&error))
    });
    let refused = |gave_up| failed(gave_up, arn, "cloudtrail:GetEventSelectors");
    match asked.await {
        Ok(answer) => {
            let failed = |reason| TrailsError::Failed { what: arn.to_owned(), tries: 1, reason };
            Ok(Ok(read(&answer).map_err(failed)?))
        }
        Err(error @ GaveUp { failure: Failure::Denied(_) | Failure::Final(_), .. }) => Ok(Err(refused(error).to_string())),
        Err(error) => Err(refused(error)),
    }
}

/// The trails to read for some regions: one that logs all of them, else as many as it takes. Of several the one is taken that logs
/// data events too, then the one that has been logging longest.
///
/// # Errors
/// When a region is left that no trail logs.
pub fn choose<'a>(trails: &'a [Trail], regions: &BTreeSet<String>) -> Result<Vec<&'a Trail>, TrailsError> {
    let rank = |trail: &&Trail| {
        let known = trail.selectors.iter().flat_map(|selectors| &selectors.selectors);
        let data = known.filter(|s| s.category() == "Data").count();
        (std::cmp::Reverse(data), trail.since, trail.arn.clone())
    };
    let logging: Vec<&Trail> = trails.iter().filter(|trail| trail.logging).collect();
    if let Some(all) = logging.iter().copied().filter(|trail| trail.every_region).min_by_key(rank) {
        return Ok(vec![all]);
    }
    let of = |region: &String| {
        let own = logging.iter().copied().filter(|trail| trail.home == *region).min_by_key(rank);
        own.ok_or_else(|| TrailsError::None(region.clone()))
    };
    regions.iter().map(of).collect()
}

fn failed(gave_up: GaveUp, what: &str, permission: &'static str) -> TrailsError {
    let GaveUp { failure, tries } = gave_up;
    match failure {
        Failure::Denied(reason) => TrailsError::Denied { reason, permission },
        other => TrailsError::Failed { what: what.to_owned(), tries, reason: other.reason().to_owned() },
    }
}

/// The SDK's selectors in the form that the command line of AWS prints.
fn read(answer: &GetEventSelectorsOutput) -> Result<EventSelectors, String> {
    let basic: Vec<Value> = answer.event_selectors().iter().map(basic).collect();
    let advanced = answer.advanced_event_selectors().iter();
    let advanced: Vec<Value> = advanced
        .map(|selector| {
            let fields: Vec<Value> = selector.field_selectors().iter().map(field).collect();
            json!({ "Name": selector.name().unwrap_or_default(), "FieldSelectors": fields })
        })
        .collect();
    let text = json!({ "EventSelectors": basic, "AdvancedEventSelectors": advanced }).to_string();
    EventSelectors::parse(text.as_bytes()).map_err(|e| e.to_string())
}

fn basic(selector: &EventSelector) -> Value {
    let resources = selector.data_resources().iter();
    let resources: Vec<Value> =
        resources.map(|r| json!({ "Type": r.r#type().unwrap_or_default(), "Values": r.values() })).collect();
    json!({
        "ReadWriteType": selector.read_write_type().map_or("All", |kind| kind.as_str()),
        "IncludeManagementEvents": selector.include_management_events().unwrap_or(true),
        "ExcludeManagementEventSources": selector.exclude_management_event_sources(),
        "DataResources": resources,
    })
}

fn field(field: &AdvancedFieldSelector) -> Value {
    json!({
        "Field": field.field(),
        "Equals": field.equals(),
        "StartsWith": field.starts_with(),
        "EndsWith": field.ends_with(),
        "NotEquals": field.not_equals(),
        "NotStartsWith": field.not_starts_with(),
        "NotEndsWith": field.not_ends_with(),
    })
}
