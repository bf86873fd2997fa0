//! VPC endpoints: which actions a service's endpoint carries, and what is fetched through the one of S3 unsigned.

use super::Catalog;

/// The table of endpoints.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Endpoints {
    /// When the table was made.
    pub date: String,
    /// Where it is from.
    pub source: String,
    /// The largest endpoint policy, in characters with white space.
    pub limit: usize,
    /// Service names whose actions have another prefix.
    pub services: std::collections::BTreeMap<String, String>,
    /// Where that is from.
    pub services_source: String,
    /// What is not certain about the repositories.
    pub repositories_note: String,
    /// The package repositories of Amazon Linux.
    pub repositories: Vec<Repository>,
}

/// A package repository: buckets that are read without signing.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Repository {
    /// The name that `repositories` in `policyc.toml` takes.
    pub id: String,
    /// What people call the system.
    pub title: String,
    /// What the names of its images hold.
    pub images: Vec<String>,
    /// The buckets' names with `{region}`.
    pub names: Vec<String>,
    /// The partitions in which these are the names; empty for all.
    pub partitions: Vec<String>,
    /// Where they are documented.
    pub source: String,
}

/// The only action on a repository.
pub const FETCH: &str = "s3:GetObject";

impl Catalog {
    /// The prefix of the actions that an endpoint carries, by the last part of its service name, such as `ssmmessages` or
    /// `ecr.api`; `None` where no such service is known.
    #[must_use]
    pub fn endpoint_service(&self, name: &str) -> Option<&str> {
        let listed = self.endpoints.services.get(name).map(String::as_str);
        listed.or_else(|| self.reference.services().find(|prefix| *prefix == name))
    }

    /// The repositories of a region.
    pub fn repositories<'a>(&'a self, region: &str) -> impl Iterator<Item = &'a Repository> + use<'a> {
        let partition = self.partition(region).to_owned();
        self.endpoints.repositories.iter().filter(move |r| r.partitions.is_empty() || r.partitions.contains(&partition))
    }
}

impl Repository {
    /// The buckets in a region.
    pub fn buckets<'a>(&'a self, region: &'a str) -> impl Iterator<Item = String> + 'a {
        self.names.iter().map(move |name| name.replace("{region}", region))
    }
}
