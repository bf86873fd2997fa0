//! Why a request failed, by what to do about it.
//!
//! Source of the codes: AWS CloudTrail API Reference, "Common Errors"; Amazon S3 API Reference, "Error responses".

use std::time::Duration;

use aws_sdk_cloudtrail::config::http::HttpResponse;
use aws_sdk_cloudtrail::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::lookup::Patience;
use super::pace::{backoff, chance};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The caller may not: it stays so.
    Denied(String),
    /// Too fast: slower, for all who share the limit.
    Throttled(String),
    /// It may pass when tried again.
    Passing(String),
    /// It stays so.
    Final(String),
}

const DENIED: [&str; 10] = [
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidSignatureException",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

const THROTTLED: [&str; 5] =
    ["RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException"];

impl Failure {
    /// Takes an error of the SDK for what it is.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let SdkError::ServiceError(service) = error else {
            let reason = DisplayErrorContext(error).to_string();
            return match error {
                SdkError::ConstructionFailure(_) => Self::Final(reason),
                _ => Self::Passing(reason),
            };
        };
        let status = service.raw().status();
        let code = service.err().code().unwrap_or_default();
        let reason = match service.err().message() {
            Some(message) => format!("{code}: {message}"),
            None if code.is_empty() => format!("HTTP status {}", status.as_u16()),
            None => code.to_owned(),
        };
        match status.as_u16() {
            _ if THROTTLED.contains(&code) => Self::Throttled(reason),
            429 => Self::Throttled(reason),
            401 | 403 => Self::Denied(reason),
            _ if DENIED.contains(&code) => Self::Denied(reason),
            // An answer that cannot be read was cut or spoilt on its way.
            200..300 => Self::Passing(format!("the answer cannot be read: {}", DisplayErrorContext(error))),
            // A connection that was too slow for S3 has a status that blames the caller.
            _ if status.is_server_error() || code == "RequestTimeout" => Self::Passing(reason),
            _ => Self::Final(reason),
        }
    }

    /// No answer came in time.
    pub(super) fn late(limit: Duration) -> Self {
        Self::Passing(format!("no answer within {} s", limit.as_secs_f32()))
    }

    /// What AWS or the connection says.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Denied(reason) | Self::Throttled(reason) | Self::Passing(reason) | Self::Final(reason) => reason,
        }
    }
}

/// Why trying ended without an answer.
pub(super) struct GaveUp {
    /// The last failure.
    pub(super) failure: Failure,
    /// How often it was tried.
    pub(super) tries: u32,
}

/// Asks until there is an answer, it is clear that there will be none, or patience ends. Each answer has to come within `limit`.
pub(super) async fn tried<T, F>(patience: &Patience, limit: Duration, ask: impl Fn() -> F) -> Result<T, GaveUp>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = tokio::time::timeout(limit, ask()).await;
        let failure = match answer {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::late(limit),
        };
        if matches!(failure, Failure::Denied(_) | Failure::Final(_)) || tries >= patience.tries {
            return Err(GaveUp { failure, tries });
        }
        tokio::time::sleep(backoff(patience.base, tries, chance())).await;
    }
}
