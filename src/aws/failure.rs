//! Why a request failed, by what to do about it.
//!
//! Source of the codes: AWS CloudTrail API Reference, "Common Errors"; Amazon S3 API Reference, "Error responses".

use std::time::Duration;

use aws_sdk_cloudtrail::config::http::HttpResponse;
use aws_sdk_cloudtrail::error::{ProvideErrorMetadata, SdkError};

use super::discreet::{discreet, told};
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

const DENIED: [&str; 12] = [
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
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
            let reason = unreached(told(error));
            return match error {
                SdkError::ConstructionFailure(_) => Self::Final(reason),
                _ => Self::Passing(reason),
            };
        };
        let status = service.raw().status();
        let code = service.err().code().unwrap_or_default();
        let reason = match service.err().message() {
            Some(message) => format!("{code}: {}", discreet(message)),
            None if code.is_empty() => format!("HTTP status {}", status.as_u16()),
            None => code.to_owned(),
        };
        let reason = match remedy(code, service.err().message().unwrap_or_default()) {
            Some(remedy) => format!("{reason} -- {remedy}"),
            None => reason,
        };
        match status.as_u16() {
            _ if THROTTLED.contains(&code) => Self::Throttled(reason),
            429 => Self::Throttled(reason),
            401 | 403 => Self::Denied(reason),
            _ if DENIED.contains(&code) => Self::Denied(reason),
            // An answer that cannot be read was cut or spoilt on its way.
            200..300 => Self::Passing(format!("the answer cannot be read: {}", told(error))),
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

/// What to do about a refusal that no permission would change.
fn remedy(code: &str, message: &str) -> Option<&'static str> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "the credentials have expired: log in again (`aws sso login`), or set new ones"
        }
        "AuthFailure" | "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "AWS does not know these credentials: check `--profile` and AWS_ACCESS_KEY_ID, and that a session token is set where the \
             key is a temporary one; they may be of another partition, or the region is not enabled for the account"
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => {
            "the secret key is not the one of the access key, or this machine's clock is wrong"
        }
        "OptInRequired" => "the region is not enabled for the account: say another with `--region`, or enable it",
        _ if message.contains("service control policy") => {
            "a policy of the organisation forbids it, which no permission in the account changes"
        }
        _ if message.contains("explicit deny") => "a policy denies it explicitly, which no further permission changes",
        _ => return None,
    })
}

/// Adds what to look at where no answer came.
fn unreached(reason: String) -> String {
    let connection = ["dispatch failure", "connect", "timeout", "dns"].iter().any(|word| reason.contains(word));
    if connection {
        format!("{reason} -- check the network, the name of the region, and AWS_ENDPOINT_URL where it is set")
    } else {
        reason
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
