//! Shapes of names: partitions, what lives for a short time, parameters that name resources.

use std::collections::BTreeMap;

use super::Catalog;
use crate::iam::{Action, Arn, Pattern};

/// The table of shapes.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Shapes {
    /// When the table was made.
    pub date: String,
    /// Partitions by the beginning of their regions' names; `aws` is all the others.
    pub partitions: Vec<PartitionOf>,
    /// Where that is from.
    pub partitions_source: String,
    /// Resource names that live for a short time.
    pub ephemeral: Vec<Ephemeral>,
    /// Resources that services ask for in a second form.
    pub also_written: Vec<SecondForm>,
    /// Actions whose resources may share the root of their name space.
    pub open_at_root: Vec<String>,
    /// Condition keys worth narrowing an action by.
    pub narrowing_keys: BTreeMap<String, Vec<String>>,
    /// Where that is from.
    pub narrowing_source: String,
    /// Documents that belong to AWS.
    pub aws_owned_documents: OwnedDocuments,
    /// How statements of a service are titled.
    pub titles: BTreeMap<String, String>,
    /// Resources of CloudFormation whose name stands in ARNs.
    pub template_names: Vec<TemplateName>,
    /// Where that is from.
    pub template_names_source: String,
    /// Variables of ARN formats → request parameters that fill them. `service:type.Variable` is of one resource type only.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Variables that the service fills with an id of its own beside the name that a caller gives.
    pub assigned: Vec<Assigned>,
    /// Request parameters that say which version or alias of a resource is meant.
    pub qualifiers: Vec<Qualifier>,
    /// Resources whose ARN ends in characters that the service chose, which a caller may leave out.
    pub random_endings: Vec<RandomEnding>,
    /// Request parameters that say whose the resource is.
    pub owners: Vec<Owner>,
    /// Request parameters that name resources of many types by their ids.
    pub ids: Vec<Ids>,
    /// Request parameters that name what another action of the same call works on.
    pub of_others: OfOthers,
}

/// A partition.
#[derive(Debug, serde::Deserialize)]
pub struct PartitionOf {
    /// The beginning of its regions' names.
    pub prefix: String,
    /// Its name in ARNs.
    pub partition: String,
    /// How the names of its endpoints end.
    pub dns_suffix: String,
}

/// A kind of name that lives for a short time.
#[derive(Debug, serde::Deserialize)]
pub struct Ephemeral {
    /// The service in the ARN.
    pub service: String,
    /// What stands before the name.
    pub before: String,
    /// Why it does not last.
    pub why: String,
}

/// A second form of a resource's ARN, with something appended.
#[derive(Debug, serde::Deserialize)]
pub struct SecondForm {
    /// The service in the ARN.
    pub service: String,
    /// How the resource part begins.
    pub begins: String,
    /// What it must not hold.
    pub without: String,
    /// What is appended.
    pub suffix: String,
    /// Why there are two forms.
    pub why: String,
    /// Where that is documented.
    pub source: String,
}

/// Names that only AWS may give to documents.
#[derive(Debug, Default, serde::Deserialize)]
pub struct OwnedDocuments {
    /// Beginnings, without regard to case.
    pub prefixes: Vec<String>,
    /// Where that is documented.
    pub source: String,
}

/// A variable that the service fills with an id of its own.
#[derive(Debug, serde::Deserialize)]
pub struct Assigned {
    /// The variable, as `service:type.Variable`.
    pub variable: String,
    /// Where it is documented that policies have a wildcard there.
    pub source: String,
}

/// A request parameter that says which version or alias of a resource is meant.
#[derive(Debug, serde::Deserialize)]
pub struct Qualifier {
    /// The service in the ARN.
    pub service: String,
    /// How the resource part begins.
    pub begins: String,
    /// The parameter, which stands after a colon in the qualified ARN.
    pub parameter: String,
    /// Where it is documented that the qualified ARN is asked about and the other is not.
    pub source: String,
}

/// Characters that a service chose for the end of an ARN.
#[derive(Debug, serde::Deserialize)]
pub struct RandomEnding {
    /// The service in the ARN.
    pub service: String,
    /// How the resource part begins.
    pub begins: String,
    /// The end as a pattern, `?` for each letter or digit.
    pub ending: String,
    /// Where that is documented.
    pub source: String,
}

/// Request parameters that say whose a resource is.
#[derive(Debug, serde::Deserialize)]
pub struct Owner {
    /// The service prefix of the action.
    pub service: String,
    /// The parameters: an account, or a path that holds one.
    pub parameters: Vec<String>,
    /// Where that is documented.
    pub source: String,
}

/// A request parameter that names resources of many types by their ids.
#[derive(Debug, serde::Deserialize)]
pub struct Ids {
    /// The service prefix of the action.
    pub service: String,
    /// The path of the parameter.
    pub parameter: String,
    /// What stands before the hyphen of an id → the resource type.
    pub types: BTreeMap<String, String>,
    /// Where that is documented.
    pub source: String,
}

/// Request parameters that name what another action of the same call works on.
#[derive(Debug, Default, serde::Deserialize)]
pub struct OfOthers {
    /// Their names.
    pub parameters: Vec<String>,
    /// Where that is documented.
    pub source: String,
}

/// A resource of CloudFormation whose name stands in ARNs.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct TemplateName {
    /// The resource type, such as `AWS::S3::Bucket`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The service of the ARNs.
    pub service: String,
    /// What stands before the name in their resource part.
    pub before: String,
    /// The attribute that gives the name; `Ref` where there is none.
    #[serde(default)]
    pub attribute: Option<String>,
}

impl Catalog {
    /// The partition of a region.
    #[must_use]
    pub fn partition(&self, region: &str) -> &str {
        self.shapes.partitions.iter().find(|p| region.starts_with(&p.prefix)).map_or("aws", |p| p.partition.as_str())
    }

    /// How the names of a region's endpoints end.
    #[must_use]
    pub fn dns_suffix(&self, region: &str) -> &str {
        self.shapes.partitions.iter().find(|p| region.starts_with(&p.prefix)).map_or("amazonaws.com", |p| p.dns_suffix.as_str())
    }

    /// The ARN up to a name that lives for a short time; `None` where it has none.
    #[must_use]
    pub fn without_ephemeral_name<'a>(&self, text: &'a str) -> Option<&'a str> {
        let arn = Arn::parse(text)?;
        let row = self.shapes.ephemeral.iter().find(|e| e.service == arn.service && arn.resource.contains(&e.before))?;
        let at = text.len() - arn.resource.len() + arn.resource.find(&row.before)? + row.before.len();
        text.get(..at)
    }

    /// The second form of a resource, where services ask for either.
    #[must_use]
    pub fn second_form(&self, resource: &Pattern) -> Option<Pattern> {
        let text = resource.to_string();
        let arn = Arn::parse(&text)?;
        let fits = |f: &&SecondForm| {
            f.service == arn.service && arn.resource.starts_with(&f.begins) && !arn.resource.contains(&f.without)
        };
        let form = self.shapes.also_written.iter().find(fits).filter(|f| !text.ends_with(&f.suffix))?;
        let second = Pattern::parse(&format!("{text}{}", form.suffix));
        (!resource.covers(&second)).then_some(second)
    }

    /// What the service chose for the end of an ARN that lacks it, as a pattern; `None` where the ARN is whole.
    ///
    /// A name that ends like one of those ends cannot be told from a whole ARN.
    #[must_use]
    pub fn missing_ending(&self, arn: &str) -> Option<&str> {
        let parsed = Arn::parse(arn)?;
        let mut rows = self.shapes.random_endings.iter();
        let row = rows.find(|r| r.service == parsed.service && parsed.resource.starts_with(&r.begins))?;
        let same = |(c, e): (u8, u8)| if e == b'?' { c.is_ascii_alphanumeric() } else { c == e };
        let end = arn.len().checked_sub(row.ending.len()).and_then(|at| arn.get(at..));
        let whole = end.is_some_and(|end| end.bytes().zip(row.ending.bytes()).all(same));
        (!whole).then_some(&row.ending)
    }

    /// Whether the resources of an action may share the root of their name space: objects of a bucket may.
    #[must_use]
    pub fn opens_at_root(&self, action: &Action) -> bool {
        self.shapes.open_at_root.iter().any(|p| Pattern::parse(p).matches_action(action))
    }

    /// Condition keys by which an action without resources may be narrowed when the records give their values.
    #[must_use]
    pub fn narrowing_keys(&self, action: &Action) -> &[String] {
        self.shapes
            .narrowing_keys
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(action.as_str()))
            .map_or(&[], |(_, keys)| keys)
    }

    /// Whether a document of this name belongs to AWS, so that its ARN has no account.
    #[must_use]
    pub fn is_aws_document(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        self.shapes.aws_owned_documents.prefixes.iter().any(|p| lower.starts_with(p.as_str()))
    }

    /// How statements of a service are titled in a `Sid`.
    #[must_use]
    pub fn service_title(&self, prefix: &str) -> String {
        self.shapes.titles.get(prefix).cloned().unwrap_or_else(|| {
            let words = prefix.split(|c: char| !c.is_ascii_alphanumeric());
            words
                .map(|w| w.chars().enumerate().map(|(n, c)| if n == 0 { c.to_ascii_uppercase() } else { c }).collect::<String>())
                .collect()
        })
    }
}
