//! When a role last used what, from IAM's last-accessed information.
//!
//! `GenerateServiceLastAccessedDetails` starts the making of a report and changes nothing in the account; the report is fetched by its
//! job's id, as soon as it is there.
//!
//! Source: AWS IAM API Reference, GenerateServiceLastAccessedDetails and GetServiceLastAccessedDetails.

use std::time::Duration;

use aws_sdk_iam::Client;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::operation::get_service_last_accessed_details::GetServiceLastAccessedDetailsOutput;
use aws_sdk_iam::primitives::DateTime;
use aws_sdk_iam::types::{AccessAdvisorUsageGranularityType, JobStatusType, ServiceLastAccessed};
use jiff::Timestamp;

use super::discreet::discreet;
use super::failure::{Failure, GaveUp, tried};
use super::lookup::Patience;
use super::pace::{backoff, chance};
use crate::stack::last_used::{LastUsed, ServiceUse};

/// Why there is no last-accessed information.
#[derive(Debug, thiserror::Error)]
pub enum LastAccessedError {
    /// The caller may not ask. The account's administrator can change that.
    #[error("IAM refuses to say when `{role}` was last used ({reason}); it needs the permission {permission}")]
    Denied {
        /// The role.
        role: String,
        /// What AWS says.
        reason: String,
        /// What is needed.
        permission: &'static str,
    },
    /// IAM does not answer, or does not accept the question.
    #[error("IAM did not say in {tries} tries when `{role}` was last used: {reason}")]
    Failed {
        /// The role.
        role: String,
        /// How often.
        tries: u32,
        /// The last failure.
        reason: String,
    },
    /// The report was not made.
    #[error("IAM's report of when `{role}` was last used failed: {reason}")]
    Job {
        /// The role.
        role: String,
        /// What AWS says.
        reason: String,
    },
}

/// So often it is asked whether the report is there; with the waits between, some minutes.
const POLLS: u32 = 20;

/// Asks for a role, by its ARN.
///
/// # Errors
/// When IAM refuses or does not answer, and when it does not make the report.
pub async fn last_used(client: &Client, role: &str, patience: Patience) -> Result<LastUsed, LastAccessedError> {
    let failed = |permission: &'static str| {
        move |GaveUp { failure, tries }: GaveUp| match failure {
            Failure::Denied(reason) => LastAccessedError::Denied { role: role.to_owned(), reason, permission },
            other => LastAccessedError::Failed { role: role.to_owned(), tries, reason: other.reason().to_owned() },
        }
    };
    let begun = tried(&patience, patience.timeout, || begin(client, role));
    let job = begun.await.map_err(failed("iam:GenerateServiceLastAccessedDetails"))?;
    let (mut found, mut marker, mut polls) = (LastUsed::default(), None::<String>, 0);
    loop {
        let asked = tried(&patience, patience.timeout, || page(client, &job, marker.clone()));
        let page = asked.await.map_err(failed("iam:GetServiceLastAccessedDetails"))?;
        let reason = match page.job_status() {
            JobStatusType::Completed => {
                found.services.extend(page.services_last_accessed().iter().map(service));
                marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
                if marker.is_none() {
                    return Ok(found);
                }
                continue;
            }
            JobStatusType::InProgress if polls < POLLS => {
                polls += 1;
                let wait = backoff(patience.base, polls.min(6), chance());
                tokio::time::sleep(wait.min(Duration::from_secs(10))).await;
                continue;
            }
            JobStatusType::InProgress => "it is still in progress; try again later".to_owned(),
            _ => page.error().map(|e| discreet(e.message())).unwrap_or_default(),
        };
        return Err(LastAccessedError::Job { role: role.to_owned(), reason });
    }
}

async fn begin(client: &Client, role: &str) -> Result<String, Failure> {
    let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
    let request =
        (client.generate_service_last_accessed_details()).arn(role).granularity(AccessAdvisorUsageGranularityType::ActionLevel);
    let answer = request.customize().config_override(once).send().await.map_err(|error| Failure::of(&error))?;
    answer.job_id().map(str::to_owned).ok_or_else(|| Failure::Passing("the answer has no job id".to_owned()))
}

async fn page(client: &Client, job: &str, marker: Option<String>) -> Result<GetServiceLastAccessedDetailsOutput, Failure> {
    let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
    let request = client.get_service_last_accessed_details().job_id(job).set_marker(marker);
    request.customize().config_override(once).send().await.map_err(|error| Failure::of(&error))
}

fn service(service: &ServiceLastAccessed) -> (String, ServiceUse) {
    let actions = service.tracked_actions_last_accessed().iter();
    let found = ServiceUse {
        name: service.service_name().to_owned(),
        at: time(service.last_authenticated()),
        region: service.last_authenticated_region().unwrap_or_default().to_owned(),
        actions: actions.filter_map(|a| Some((a.action_name()?.to_owned(), time(a.last_accessed_time())))).collect(),
    };
    (service.service_namespace().to_ascii_lowercase(), found)
}

fn time(at: Option<&DateTime>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::from_second(at.secs()).ok())
}
