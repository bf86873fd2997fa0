//! Features of Systems Manager: how each shows itself, what it needs, and why.

use super::Catalog;

/// The table of features.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Features {
    /// When the table was made.
    pub date: String,
    /// The older message channel.
    pub legacy_channel: LegacyChannel,
    /// The features.
    pub features: Vec<Feature>,
}

/// When `ec2messages` is needed.
#[derive(Debug, Default, serde::Deserialize)]
pub struct LegacyChannel {
    /// Agents from this version on do without.
    pub agent_version: String,
    /// Regions in which the channel does not exist.
    pub regions_without: Vec<String>,
    /// Where that is documented.
    pub source: String,
    /// Why it is needed.
    pub why: String,
    /// The actions of the channel.
    pub actions: Vec<String>,
}

/// One feature.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
pub struct Feature {
    /// The name that `--need` takes.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Where it is documented.
    pub source: String,
    /// Whether it works through the SSM Agent, so that the agent's own needs come with it.
    pub through_agent: bool,
    /// How it shows itself.
    pub signs: Vec<SignRule>,
    /// What it needs.
    pub needs: Vec<FeatureNeed>,
}

/// How a feature shows itself: any one rule is enough.
#[derive(Debug, Clone, Default, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignRule {
    /// The instance itself used this action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Somebody made this call, `source:name`, on the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Only with one of these documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
    /// Only calls of the agent itself.
    #[serde(default)]
    pub by_agent: bool,
    /// Only when the call names such a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Place>,
}

/// A place that a call names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A name that ends in the id of a session.
    SessionLog,
    /// An object below the id of a command or association and that of the instance, as the agent names output.
    CommandOutput,
    /// A bucket for output.
    OutputBucket,
    /// A log group for output.
    OutputLogGroup,
    /// A bucket whose encryption the agent looked up, which it does before it writes there.
    CheckedBucket,
}

/// One permission of a feature.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
pub struct FeatureNeed {
    /// The action.
    pub action: String,
    /// On what.
    pub on: On,
    /// Why, as half a sentence.
    pub why: String,
    /// Whether one call does for longer than any window: then its absence shows nothing, whatever the source shows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lasts: bool,
}

/// On what a feature needs a permission.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// The action knows no resources.
    Any,
    /// The instances themselves.
    Instance,
    /// State Manager associations of the account.
    Associations,
    /// A document that AWS owns.
    Document(String),
    /// The buckets of the service for this feature.
    Buckets,
    /// Objects below the output's prefix.
    OutputObjects,
    /// The output's bucket.
    OutputBucket,
    /// The log group of the output.
    LogGroup,
    /// The streams of that group.
    LogStreams,
    /// A document that has to be named.
    GivenDocument,
    /// A parameter that has to be named.
    GivenParameter,
    /// A directory that has to be named.
    GivenDirectory,
}

impl<'de> serde::Deserialize<'de> for On {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "any" => Self::Any,
            "instance" => Self::Instance,
            "associations" => Self::Associations,
            "buckets" => Self::Buckets,
            "output-objects" => Self::OutputObjects,
            "output-bucket" => Self::OutputBucket,
            "log-group" => Self::LogGroup,
            "log-streams" => Self::LogStreams,
            "given-document" => Self::GivenDocument,
            "given-parameter" => Self::GivenParameter,
            "given-directory" => Self::GivenDirectory,
            other => match other.strip_prefix("document:") {
                Some(name) => Self::Document(name.to_owned()),
                None => return Err(serde::de::Error::custom(format!("`{other}` is not a kind of resource"))),
            },
        })
    }
}

impl Catalog {
    /// All features.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features.features
    }

    /// A feature by its name.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.features.iter().find(|f| f.name == name)
    }
}
