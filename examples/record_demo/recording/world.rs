//! Who and what there is: the account, the two stacks as deployed, the people and the other roles.

/// The account, one of those that AWS uses in its documentation.
pub(super) const ACCOUNT: &str = "111122223333";
/// The region of both stacks.
pub(super) const REGION: &str = "us-east-1";
/// The trail and the bucket it delivers to.
pub(super) const TRAIL: &str = "demo-trail";
/// The bucket that the trail delivers to.
pub(super) const TRAIL_BUCKET: &str = "amzn-s3-demo-trail-111122223333";
/// The agent version of current Amazon Linux 2023 images: above 3.3.40.0, so it needs no `ec2messages`.
pub(super) const AGENT_VERSION: &str = "3.3.3050.0";
/// How the agent signs its requests.
pub(super) const AGENT: &str = "aws-sdk-go/1.55.5 (go1.24.6; linux; amd64) amazon-ssm-agent/";
/// The folder of session logs in both templates.
pub(super) const LOG_PREFIX: &str = "sessions";

/// A stack as deployed: its name and the names that CloudFormation gave to what the policies refer to.
pub(super) struct Deployed {
    pub(super) name: &'static str,
    pub(super) bucket: &'static str,
    pub(super) log_group: &'static str,
}

/// The stack of `ssm-session-mgr-example.yaml`.
pub(super) const DEMO: Deployed = Deployed {
    name: "ssm-demo",
    bucket: "ssm-demo-sessionlogbucket-q7w2m4xk9zpd",
    log_group: "ssm-demo-SessionLogGroup-8VbT3nKqZ5Yc",
};

/// The stack of `ssm-session-mgr-privatelink-example.yaml`.
pub(super) const PRIVATELINK: Deployed = Deployed {
    name: "ssm-demo-privatelink",
    bucket: "ssm-demo-privatelink-sessionlogbucket-h3n8r5tj1vcy",
    log_group: "ssm-demo-privatelink-SessionLogGroup-2KfW9pLsD7Xa",
};

impl Deployed {
    /// The Session document with the stack's preferences.
    pub(super) fn preferences(&self) -> String {
        format!("{}-SessionPreferences", self.name)
    }
}

/// One of the three demo instances.
pub(super) struct Instance {
    /// Logical ids in the template.
    pub(super) logical_id: &'static str,
    pub(super) role_logical_id: &'static str,
    pub(super) stack: &'static Deployed,
    pub(super) id: &'static str,
    pub(super) role: &'static str,
    pub(super) private_address: &'static str,
    /// What the internet sees: its own address, or that of the NAT gateway; nothing behind VPC endpoints.
    pub(super) public_address: Option<&'static str>,
}

/// The instance in the public subnet.
pub(super) const PUBLIC: Instance = Instance {
    logical_id: "PublicInstance",
    role_logical_id: "PublicInstanceRole",
    stack: &DEMO,
    id: "i-0a7d3c91e5b2f4081",
    role: "ssm-demo-PublicInstanceRole-4RkT9wLx2ZcQ",
    private_address: "10.10.0.21",
    public_address: Some("203.0.113.21"),
};

/// The instance behind the NAT gateway.
pub(super) const NAT: Instance = Instance {
    logical_id: "NatInstance",
    role_logical_id: "NatInstanceRole",
    stack: &DEMO,
    id: "i-0b4e8f26d1c3a5972",
    role: "ssm-demo-NatInstanceRole-hY6uB1oVn3Ge",
    private_address: "10.10.0.75",
    public_address: Some("203.0.113.77"),
};

/// The instance behind VPC endpoints.
pub(super) const LINKED: Instance = Instance {
    logical_id: "PrivateLinkInstance",
    role_logical_id: "PrivateLinkInstanceRole",
    stack: &PRIVATELINK,
    id: "i-0c9f15a7e3d8b6240",
    role: "ssm-demo-privatelink-PrivateLinkInstanceRole-7dJs5MfPq0Ru",
    private_address: "10.20.0.12",
    public_address: None,
};

/// The VPC endpoints of the second stack: logical id, the service they lead to, physical id.
pub(super) const ENDPOINTS: [(&str, &str, &str); 4] = [
    ("SsmEndpoint", "ssm", "vpce-0d1a5e8b3c7f24960"),
    ("SsmMessagesEndpoint", "ssmmessages", "vpce-0e2b6f9c4d8a35071"),
    ("LogsEndpoint", "logs", "vpce-0f3c7a0d5e9b46182"),
    ("S3Endpoint", "s3", "vpce-0a4d8b1e6f0c57293"),
];

impl Instance {
    /// Where the trail sees a call to `service` come from, and through which endpoint.
    pub(super) fn origin(&self, service: &str) -> (&'static str, Option<&'static str>) {
        match self.public_address {
            Some(address) => (address, None),
            None => (self.private_address, ENDPOINTS.iter().find(|(_, s, _)| *s == service).map(|(_, _, id)| *id)),
        }
    }

    /// The host name that EC2 derives from the private address.
    pub(super) fn host(&self) -> String {
        format!("ip-{}.ec2.internal", self.private_address.replace('.', "-"))
    }

    /// The ARN of the instance.
    pub(super) fn arn(&self) -> String {
        format!("arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{}", self.id)
    }
}
