//! Why a request failed, by what to do about it.
//!
//! Source of the codes: AWS CloudTrail API Reference, "Common Errors"; Amazon S3 API Reference, "Error responses".

use aws_sdk_cloudtrail::config::http::HttpResponse;
use aws_sdk_cloudtrail::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

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
            // A connection that was too slow for S3, with a status of the caller's fault.
            _ if status.is_server_error() || code == "RequestTimeout" => Self::Passing(reason),
            _ => Self::Final(reason),
        }
    }

    /// What AWS or the connection says.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Denied(reason) | Self::Throttled(reason) | Self::Passing(reason) | Self::Final(reason) => reason,
        }
    }
}
