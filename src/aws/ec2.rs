//! EC2, as far as discovery asks it: five reading operations of its query protocol, signed and sent by the SDK's own parts.
//!
//! The SDK's crate of EC2 has every operation there is. It took the compiler up to 8 GB and most of the time of a first build,
//! twice where lints are checked; what is asked here is a form, and answered with a list.
//!
//! Source: Amazon EC2 API Reference, "Query requests" and the pages of the operations.

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::discover::{DiscoverError, asked};
use super::failure::Failure;
use super::lookup::Patience;
use super::xml::Element;
use crate::catalog::Catalog;

/// The version of the API that is spoken.
const VERSION: &str = "2016-11-15";

/// What is asked for, beside the operation: a filter with its values, or a parameter.
#[derive(Debug, Clone)]
pub(super) enum About<'a> {
    /// A filter and the values that it lets through.
    Filter(&'a str, &'a [String]),
    /// A parameter of the operation.
    Parameter(&'a str, &'a str),
}

/// A refusal of EC2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(ErrorMetadata);

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// EC2 in one region.
#[derive(Debug, Clone)]
pub(super) struct Client {
    config: SdkConfig,
    endpoint: String,
    region: String,
}

impl Client {
    /// EC2 where the configuration says, which may name an endpoint for EC2 or for all services.
    pub(super) fn new(config: &SdkConfig) -> Self {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let key = ServiceConfigKey::builder().service_id("EC2").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        let own = config.service_config().zip(key.ok()).and_then(|(service, key)| service.load_config(key));
        let named = own.or_else(|| config.endpoint_url().map(str::to_owned));
        let suffix = Catalog::embedded().dns_suffix(&region);
        let endpoint = named.unwrap_or_else(|| format!("https://ec2.{region}.{suffix}"));
        Self { config: config.clone(), endpoint: format!("{}/", endpoint.trim_end_matches('/')), region }
    }

    pub(super) async fn describe_instances(&self, about: About<'_>, token: Option<String>) -> Result<Element, Failure> {
        self.ask("DescribeInstances", about, token).await
    }

    pub(super) async fn describe_launch_template_versions(
        &self,
        about: About<'_>,
        token: Option<String>,
    ) -> Result<Element, Failure> {
        self.ask("DescribeLaunchTemplateVersions", about, token).await
    }

    pub(super) async fn describe_nat_gateways(&self, about: About<'_>, token: Option<String>) -> Result<Element, Failure> {
        self.ask("DescribeNatGateways", about, token).await
    }

    pub(super) async fn describe_route_tables(&self, about: About<'_>, token: Option<String>) -> Result<Element, Failure> {
        self.ask("DescribeRouteTables", about, token).await
    }

    pub(super) async fn describe_vpc_endpoints(&self, about: About<'_>, token: Option<String>) -> Result<Element, Failure> {
        self.ask("DescribeVpcEndpoints", about, token).await
    }

    /// Asks once: what may be tried again the caller tries again.
    async fn ask(&self, operation: &'static str, about: About<'_>, token: Option<String>) -> Result<Element, Failure> {
        let body = form(operation, &about, token.as_deref());
        let credentials = self.config.credentials_provider().ok_or_else(|| Failure::Denied("no credentials".to_owned()))?;
        let identity = identity(&credentials).await?;
        let (endpoint, region) = (self.endpoint.clone(), self.region.clone());
        let mut sending = Operation::builder()
            .service_name("EC2")
            .operation_name(operation)
            .endpoint_url(&self.endpoint)
            .no_auth() // it comes signed
            .no_retry()
            .timeout_config(self.config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .serializer(move |body: String| signed(&endpoint, &region, &identity, body))
            .deserializer(read);
        if let Some(http) = self.config.http_client() {
            sending = sending.http_client(http);
        }
        if let Some(sleep) = self.config.sleep_impl() {
            sending = sending.sleep_impl(sleep);
        }
        if let Some(time) = self.config.time_source() {
            sending = sending.time_source(time);
        }
        sending.build().invoke(body).await.map_err(|error| Failure::of(&error))
    }
}

/// Asks for page after page until there is no next one.
pub(super) async fn every<F: Future<Output = Result<Element, Failure>>>(
    patience: &Patience,
    what: &str,
    permission: &'static str,
    ask: impl Fn(Option<String>) -> F,
    mut take: impl FnMut(&Element),
) -> Result<(), DiscoverError> {
    let mut token = None;
    loop {
        let page = asked(patience, what, permission, || ask(token.clone())).await?;
        take(&page);
        token = page.text("nextToken").map(str::to_owned);
        if token.is_none() {
            return Ok(());
        }
    }
}

async fn identity(credentials: &SharedCredentialsProvider) -> Result<Identity, Failure> {
    let given = credentials.provide_credentials().await;
    given.map(Identity::from).map_err(|error| Failure::Denied(format!("there are no credentials any more: {error}")))
}

/// The body of a request.
fn form(operation: &str, about: &About<'_>, token: Option<&str>) -> String {
    let mut pairs = vec![("Action".to_owned(), operation), ("Version".to_owned(), VERSION)];
    match about {
        About::Filter(name, values) => {
            pairs.push(("Filter.1.Name".to_owned(), name));
            let numbered = values.iter().enumerate();
            pairs.extend(numbered.map(|(at, value)| (format!("Filter.1.Value.{}", at + 1), value.as_str())));
        }
        About::Parameter(name, value) => pairs.push(((*name).to_owned(), value)),
    }
    pairs.extend(token.map(|token| ("NextToken".to_owned(), token)));
    let written = pairs.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    written.collect::<Vec<_>>().join("&")
}

fn signed(endpoint: &str, region: &str, identity: &Identity, body: String) -> Result<HttpRequest, BoxError> {
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    let parameters = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name("ec2")
        .time(std::time::SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let headers = std::iter::once(("content-type", kind));
    let signable = SignableRequest::new("POST", endpoint, headers, SignableBody::Bytes(body.as_bytes()))?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let request = http::Request::builder().method("POST").uri("/").header("content-type", kind);
    let mut request = request.body(SdkBody::from(body))?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.try_into()?)
}

/// Reads an answer. One that is no whole document is no answer; a refusal says why.
fn read(response: &HttpResponse) -> Result<Element, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    let read = Element::read(body);
    if response.status().is_success() {
        return read.map_err(|e| OrchestratorError::response(format!("the answer was cut or spoilt on its way: {e}").into()));
    }
    let read = read.unwrap_or_default();
    let error = read.items("Errors").next();
    let text = |name: &str| error.and_then(|e| e.text(name)).map(str::to_owned);
    let mut refusal = ErrorMetadata::builder();
    if let Some(code) = text("Code") {
        refusal = refusal.code(code);
    }
    if let Some(message) = text("Message") {
        refusal = refusal.message(message);
    }
    Err(OrchestratorError::operation(Refused(refusal.build())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_forms() {
        let values = ["a b".to_owned(), "c&d=é".to_owned()];
        let filtered = form("DescribeInstances", &About::Filter("tag:x", &values), Some("t/+"));
        let expected = "Action=DescribeInstances&Version=2016%2D11%2D15&Filter.1.Name=tag%3Ax&Filter.1.Value.1=a%20b\
                        &Filter.1.Value.2=c%26d%3D%C3%A9&NextToken=t%2F%2B";
        assert_eq!(filtered, expected);
        assert!(form("X", &About::Parameter("LaunchTemplateId", "lt-1"), None).ends_with("&LaunchTemplateId=lt%2D1"));
    }

    #[test]
    fn endpoints_follow_the_partition_unless_one_is_named() {
        let check = |region: &'static str, named: Option<&str>, expected: &str| {
            let mut config = SdkConfig::builder().region(aws_config::Region::from_static(region));
            config.set_endpoint_url(named.map(str::to_owned));
            assert_eq!(Client::new(&config.build()).endpoint, expected);
        };
        check("eu-west-1", None, "https://ec2.eu-west-1.amazonaws.com/");
        check("cn-north-1", None, "https://ec2.cn-north-1.amazonaws.com.cn/");
        check("us-gov-west-1", None, "https://ec2.us-gov-west-1.amazonaws.com/");
        check("eu-west-1", Some("http://127.0.0.1:5000"), "http://127.0.0.1:5000/");
    }
}
