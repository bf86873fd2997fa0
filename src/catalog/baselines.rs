//! AWS-managed policies to start from, as published by AWS.

/// An embedded policy.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// Its name.
    pub name: &'static str,
    /// Its ARN in the partition `aws`.
    pub arn: &'static str,
    /// AWS's version id.
    pub version: &'static str,
    /// The document.
    pub document: &'static [u8],
}

macro_rules! policy {
    ($name:literal, $path:literal, $version:literal) => {
        Embedded {
            name: $name,
            arn: concat!("arn:aws:iam::aws:policy/", $path, $name),
            version: $version,
            document: include_bytes!(concat!("../../policies/", $name, ".json")),
        }
    };
}

/// Held to `policies/index.json` by a test.
const ALL: &[Embedded] = &[
    policy!("AmazonEC2RoleforSSM", "service-role/", "v8"),
    policy!("AmazonSSMManagedInstanceCore", "", "v2"),
    policy!("AmazonSSMManagedEC2InstanceDefaultPolicy", "", "v2"),
    policy!("AmazonSSMPatchAssociation", "", "v1"),
    policy!("AmazonSSMDirectoryServiceAccess", "", "v1"),
    policy!("CloudWatchAgentServerPolicy", "", "v3"),
    policy!("CloudWatchAgentAdminPolicy", "", "v2"),
];

/// All embedded policies.
#[must_use]
pub fn all() -> &'static [Embedded] {
    ALL
}

/// A policy by name or ARN. Case does not matter: people write both AmazonEC2RoleForSSM and AmazonEC2RoleforSSM. An ARN
/// may be of any partition.
#[must_use]
pub fn find(text: &str) -> Option<&'static Embedded> {
    let name = if text.starts_with("arn:") && text.contains(":iam::aws:policy/") {
        text.rsplit('/').next().unwrap_or(text)
    } else {
        text
    };
    ALL.iter().find(|p| p.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_by_name_and_arn_in_any_case() {
        for text in ["AmazonEC2RoleForSSM", "amazonec2roleforssm", "arn:aws-cn:iam::aws:policy/service-role/AmazonEC2RoleforSSM"]
        {
            assert_eq!(find(text).map(|p| p.version), Some("v8"), "{text}");
        }
        assert!(find("service-role/AmazonEC2RoleforSSM").is_none());
        assert!(find("arn:aws:iam::111122223333:policy/AmazonEC2RoleforSSM").is_none());
    }

    #[test]
    fn the_index_agrees() {
        let index: serde_json::Value = serde_json::from_str(include_str!("../../policies/index.json")).unwrap();
        let rows = index["policies"].as_array().unwrap();
        assert_eq!(rows.len(), ALL.len());
        for row in rows {
            let policy = find(row["name"].as_str().unwrap()).unwrap();
            assert_eq!(row["arn"], policy.arn);
            assert_eq!(row["version"], policy.version);
            let digest: String =
                <sha2::Sha256 as sha2::Digest>::digest(policy.document).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(row["sha256"], digest, "{}", policy.name);
            crate::iam::Policy::parse(policy.document).unwrap();
        }
    }
}
