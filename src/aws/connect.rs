//! Which account it is, and with whose credentials: the standard chain of AWS.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers" and "Settings reference" (`AWS_ENDPOINT_URL`).

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use tokio::runtime::Runtime;

use super::discreet::told;
use super::failure::{Failure, GaveUp, tried};
use super::lookup::Patience;
use crate::iam::Arn;

/// How to connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A profile of the configuration files.
    pub profile: Option<String>,
    /// The region, where it is not the configured one.
    pub region: Option<String>,
    /// The ARN of a role to assume first.
    pub assume_role: Option<String>,
    /// With what to log in again where a login has expired, for people.
    pub login: String,
}

/// An account to ask.
#[derive(Debug)]
pub struct Account {
    /// Credentials, region and endpoints.
    pub config: SdkConfig,
    /// The account id.
    pub id: String,
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// The region.
    pub region: String,
    /// What the SDK runs on.
    pub runtime: Runtime,
}

/// Why there is no account to ask.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The system gives no threads.
    #[error("the runtime of the AWS SDK does not start: {0}")]
    Runtime(std::io::Error),
    /// Nothing says which region. The user can.
    #[error("no region is configured; say it with `--region`, `AWS_REGION`, or in the profile")]
    NoRegion,
    /// Nothing is configured that gives credentials. The user can.
    #[error(
        "no AWS credentials were found; log in (`aws sso login`, `aws configure`), name a profile with `--profile`, or set AWS_ACCESS_KEY_ID and its like"
    )]
    NoCredentials,
    /// What is configured to give credentials does not.
    #[error("there are no AWS credentials: {0}; check `--profile` and AWS_PROFILE, and whether you are still logged in")]
    Credentials(String),
    /// Nobody is logged in to IAM Identity Center, or not any more. The user can.
    #[error("the login of IAM Identity Center has expired or there is none ({reason}); log in with `{login}`")]
    LoggedOut {
        /// What is wrong with it.
        reason: String,
        /// With what to log in.
        login: String,
    },
    /// The role that was named cannot be assumed.
    #[error(
        "the role `{role}` cannot be assumed: {reason}; you need the permission sts:AssumeRole on it, and its trust policy has to name you"
    )]
    Role {
        /// The role.
        role: String,
        /// What AWS says.
        reason: String,
    },
    /// What was named as role is none. The user's fault.
    #[error("`{0}` is not the ARN of a role, such as arn:aws:iam::111122223333:role/reader")]
    NoRole(String),
    /// AWS does not accept the credentials, or does not answer.
    #[error("AWS does not say whose credentials these are: {0}")]
    NoIdentity(String),
}

impl Account {
    /// Connects, and asks whose account it is.
    ///
    /// # Errors
    /// When there is no region, or there are no credentials that AWS accepts.
    pub fn connect(wanted: &Wanted) -> Result<Self, ConnectError> {
        if let Some(role) = wanted.assume_role.as_ref().filter(|role| !is_role(role)) {
            return Err(ConnectError::NoRole(role.clone()));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(ConnectError::Runtime)?;
        let (config, arn) = runtime.block_on(async {
            let config = configured(wanted).await?;
            let arn = identity(&Client::new(&config)).await?;
            Ok::<_, ConnectError>((config, arn))
        })?;
        let region = config.region().ok_or(ConnectError::NoRegion)?.to_string();
        let parsed = Arn::parse(&arn).ok_or_else(|| ConnectError::NoIdentity("its answer has no ARN".to_owned()))?;
        Ok(Self { id: parsed.account.to_owned(), partition: parsed.partition.to_owned(), region, config, runtime })
    }
}

fn is_role(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| arn.service == "iam" && arn.resource.starts_with("role/"))
}

/// The configuration, with credentials that were there when it was asked for them.
async fn configured(wanted: &Wanted) -> Result<SdkConfig, ConnectError> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(profile) = &wanted.profile {
        loader = loader.profile_name(profile).credentials_provider(of_profile(profile, wanted.region.as_deref()).await);
    }
    if let Some(region) = &wanted.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = loader.load().await;
    let own = config.credentials_provider().ok_or(ConnectError::NoCredentials)?;
    own.provide_credentials().await.map_err(|error| match error {
        CredentialsError::CredentialsNotLoaded(_) if wanted.profile.is_none() => ConnectError::NoCredentials,
        error => without(told(&error), wanted),
    })?;
    if config.region().is_none() {
        return Err(ConnectError::NoRegion);
    }
    let Some(role) = &wanted.assume_role else { return Ok(config) };
    // The session's name is what the account's own trail shows of these calls.
    let provider = AssumeRoleProvider::builder(role).session_name("policyc").configure(&config).build().await;
    let refused = |error: CredentialsError| ConnectError::Role { role: role.clone(), reason: told(&error) };
    provider.provide_credentials().await.map_err(refused)?;
    Ok(config.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build())
}

/// The credentials of a profile that was named: what the environment holds would come first else, and be another account's.
async fn of_profile(profile: &str, region: Option<&str>) -> ProfileFileCredentialsProvider {
    let region = match region {
        Some(region) => Some(Region::new(region.to_owned())),
        None => DefaultRegionChain::builder().profile_name(profile).build().region().await,
    };
    let config = ProviderConfig::without_region().with_region(region);
    ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile).build()
}

/// Why there are no credentials. Only IAM Identity Center has a login that expires.
fn without(reason: String, wanted: &Wanted) -> ConnectError {
    let of_login = ["SSO", "sso", "UnauthorizedException"].iter().any(|word| reason.contains(word));
    if of_login { ConnectError::LoggedOut { reason, login: wanted.login.clone() } } else { ConnectError::Credentials(reason) }
}

async fn identity(client: &Client) -> Result<String, ConnectError> {
    let patience = Patience { tries: 3, ..Patience::default() };
    let asked = tried(&patience, patience.timeout, || async {
        let once = aws_sdk_sts::config::Builder::new().retry_config(RetryConfig::disabled());
        let request = client.get_caller_identity().customize().config_override(once);
        request.send().await.map_err(|error| Failure::of(&error))
    });
    let answer = asked.await.map_err(|GaveUp { failure, .. }| ConnectError::NoIdentity(failure.reason().to_owned()))?;
    Ok(answer.arn().unwrap_or_default().to_owned())
}
