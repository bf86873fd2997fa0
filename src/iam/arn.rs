//! Amazon Resource Names.

use std::fmt;

/// `arn:partition:service:region:account:resource`, split at its first five colons.
///
/// Source: AWS General Reference, "Amazon Resource Names (ARNs)". The resource may hold further colons and slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: &'a str,
    /// The service namespace, such as `s3`.
    pub service: &'a str,
    /// The region; empty for global resources and S3.
    pub region: &'a str,
    /// The account id; empty for S3 and for documents that AWS owns.
    pub account: &'a str,
    /// Everything after the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads an ARN; `None` where it has fewer than six fields or does not begin with `arn:`.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut fields = text.splitn(6, ':');
        let (Some("arn"), Some(partition), Some(service), Some(region), Some(account), Some(resource)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return None;
        };
        Some(Self { partition, service, region, account, resource })
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:{}:{}:{}:{}", self.partition, self.service, self.region, self.account, self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_fields_and_no_fewer() {
        let text = "arn:aws:logs:eu-west-1:111122223333:log-group:/a:log-stream:b";
        let arn = Arn::parse(text).unwrap();
        assert_eq!(arn.resource, "log-group:/a:log-stream:b");
        assert_eq!(arn.to_string(), text);
        assert!(Arn::parse("arn:aws:s3::").is_none());
        assert!(Arn::parse("urn:aws:s3:::b").is_none());
    }
}
