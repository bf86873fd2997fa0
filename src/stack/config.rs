//! `policyc.toml`: which stack is derived from what, and into which files.

use std::collections::BTreeMap;

/// The baseline of a stack whose recording says what is attached: of each role what AWS manages of it.
pub const ATTACHED: &str = "attached";

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The stacks by the name that `--stack` takes.
    #[serde(default)]
    pub stack: BTreeMap<String, StackConfig>,
}

/// One stack.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StackConfig {
    /// The stack description, a JSON file.
    pub description: String,
    /// Trail files and folders.
    pub trail: Vec<String>,
    /// The baseline: a name, an ARN or a file; or [`ATTACHED`].
    pub baseline: String,
    /// A coverage declaration, a JSON file.
    #[serde(default)]
    pub coverage: Option<String>,
    /// A folder with Handlebars templates for the sections of templates.
    #[serde(default)]
    pub section_templates: Option<String>,
    /// The roles to derive.
    pub role: Vec<RoleConfig>,
    /// The VPC endpoints whose policies are derived from those of the roles behind them.
    #[serde(default)]
    pub endpoint: Vec<EndpointConfig>,
}

/// One VPC endpoint of a stack.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EndpointConfig {
    /// The stack it belongs to, as named in the description.
    pub stack: String,
    /// Its logical id in the template.
    pub logical_id: String,
    /// The template that it stands in, and that its policy is put into.
    pub template: String,
    /// The policy file to write.
    pub policy: String,
    /// What the policy stays inside, a file; else what the template has, which is kept beside the policy.
    #[serde(default)]
    pub baseline: Option<String>,
    /// The logical ids of all roles behind it, where the template does not tell them.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The package repositories that instances read through it, where their images do not tell.
    #[serde(default)]
    pub repositories: Option<Vec<String>>,
}

/// One role of a stack.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RoleConfig {
    /// The stack it belongs to, as named in the description.
    pub stack: String,
    /// Its logical id in the template.
    pub logical_id: String,
    /// The template to inject into; none for a policy file only.
    #[serde(default)]
    pub template: Option<String>,
    /// What the policy becomes in the template.
    #[serde(default)]
    pub attach_as: AttachAs,
    /// The policy file to write.
    pub policy: String,
    /// Declared features, as for `--need`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Policies that stay attached, as for `--keep`.
    #[serde(default)]
    pub keeps: Vec<String>,
    /// The permissions boundary, as for `--boundary`; else the one that the description has.
    #[serde(default)]
    pub boundary: Option<String>,
    /// Whether sessions that are not the stack's may use the role.
    #[serde(default)]
    pub allow_shared_role: bool,
}

/// What a derived policy becomes in a template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttachAs {
    /// An inline policy under `Policies` of the role.
    #[default]
    Inline,
    /// An `AWS::IAM::RolePolicy` beside the role.
    RolePolicy,
    /// An `AWS::IAM::ManagedPolicy` beside the role.
    ManagedPolicy,
}

/// Why `policyc.toml` cannot be used. Its author is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or not of this schema; the message names line and column.
    #[error("{0}")]
    Malformed(String),
}

impl Config {
    /// Reads the file's text.
    ///
    /// # Errors
    /// When the text is not TOML or has keys that are not known.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|e| ConfigError::Malformed(e.to_string().trim_end().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_their_line() {
        let error = Config::parse("[stack.demo]\nbaseline = 1\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        let error = Config::parse("[stack.demo]\ntypo = 1\n").unwrap_err().to_string();
        assert!(error.contains("typo"), "{error}");
    }
}
