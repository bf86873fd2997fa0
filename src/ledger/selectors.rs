//! Event selectors of a trail: which events it logs.
//!
//! Source: AWS CloudTrail API Reference, GetEventSelectors, EventSelector, DataResource, AdvancedEventSelector and
//! AdvancedFieldSelector.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::coverage::CoverageError;

/// What a trail logs: an event that any of these selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventSelectors {
    /// The selectors, basic ones in the form of advanced ones.
    pub selectors: Vec<Selector>,
}

/// One selector: an event has to fit every field.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Selector {
    /// Its name, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The fields.
    pub field_selectors: Vec<Field>,
}

/// What one field of an event has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Field {
    /// Its name.
    pub field: String,
    /// One of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equals: Vec<String>,
    /// It begins with one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts_with: Vec<String>,
    /// It ends with one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends_with: Vec<String>,
    /// None of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_equals: Vec<String>,
    /// It begins with none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_starts_with: Vec<String>,
    /// It ends with none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_ends_with: Vec<String>,
}

impl Field {
    /// A field that is one of some values.
    #[must_use]
    pub fn equals(field: &str, values: &[&str]) -> Self {
        Self { field: field.to_owned(), equals: values.iter().map(|v| (*v).to_owned()).collect(), ..Self::default() }
    }

    /// Whether nothing but `equals` is asked.
    fn only_equals(&self) -> bool {
        *self == Self { field: self.field.clone(), equals: self.equals.clone(), ..Self::default() }
    }

    /// Whether nothing but `not_equals` is asked.
    fn only_not_equals(&self) -> bool {
        *self == Self { field: self.field.clone(), not_equals: self.not_equals.clone(), ..Self::default() }
    }

    /// Whether nothing but `starts_with` is asked.
    fn only_starts_with(&self) -> bool {
        *self == Self { field: self.field.clone(), starts_with: self.starts_with.clone(), ..Self::default() }
    }
}

/// A role whose sessions' calls matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRole {
    /// Its account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its partition, where that is known.
    pub partition: Option<String>,
}

impl LoggedRole {
    /// How the ARNs of its sessions begin.
    #[must_use]
    pub fn sessions(&self, partition: &str) -> String {
        format!("arn:{partition}:sts::{}:assumed-role/{}/", self.account, self.name)
    }

    /// Whether the ARNs of all of its sessions begin so.
    fn sessions_begin(&self, start: &str) -> bool {
        let partition = start.split(':').nth(1).unwrap_or_default();
        self.sessions(partition).starts_with(start)
    }
}

/// What a selector logs of one kind of events, where it logs all of it, or all of it on some resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Resource types of data events; empty for management events.
    pub types: BTreeSet<String>,
    /// How the ARNs of the resources begin; `None` for every resource.
    pub places: Option<BTreeSet<String>>,
    /// Event sources that are left out.
    pub excluded: BTreeSet<String>,
    /// Reading events too.
    pub reads: bool,
    /// Writing events too.
    pub writes: bool,
}

impl EventSelectors {
    /// Reads the output of `aws cloudtrail get-event-selectors`.
    ///
    /// # Errors
    /// When the bytes are not JSON or hold no selectors.
    pub fn parse(bytes: &[u8]) -> Result<Self, CoverageError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| CoverageError::Json(e.to_string()))?;
        let list = |key: &str| value.get(key).and_then(Value::as_array);
        if list("EventSelectors").is_none() && list("AdvancedEventSelectors").is_none() {
            return Err(CoverageError::NoSelectors);
        }
        let mut selectors: Vec<Selector> = list("EventSelectors").into_iter().flatten().flat_map(advanced).collect();
        for selector in list("AdvancedEventSelectors").into_iter().flatten() {
            selectors.push(serde_json::from_value(selector.clone()).map_err(|e| CoverageError::Selector(e.to_string()))?);
        }
        Ok(Self { selectors })
    }

    /// As `aws cloudtrail put-event-selectors --advanced-event-selectors` takes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!(self.selectors)
    }
}

impl Selector {
    /// Its category: `Management`, `Data`, `NetworkActivity`.
    #[must_use]
    pub fn category(&self) -> &str {
        let field = self.field_selectors.iter().find(|f| f.field == "eventCategory");
        field.and_then(|f| f.equals.first()).map(String::as_str).unwrap_or_default()
    }

    /// What it logs in whole. `None` where it leaves out something in a way that cannot be told by event source, by reading and
    /// writing, or by how ARNs begin; what it logs then is not relied on.
    ///
    /// A selector that logs one role only leaves out nothing of `role`.
    #[must_use]
    pub fn whole(&self, role: Option<&LoggedRole>) -> Option<Logged> {
        let mut logged = Logged { types: BTreeSet::new(), places: None, excluded: BTreeSet::new(), reads: true, writes: true };
        for field in &self.field_selectors {
            match field.field.as_str() {
                "eventCategory" if field.only_equals() => {}
                "resources.type" if field.only_equals() => logged.types.extend(field.equals.iter().cloned()),
                "readOnly" if field.only_equals() => {
                    logged.reads = field.equals.iter().any(|v| v == "true");
                    logged.writes = field.equals.iter().any(|v| v == "false");
                }
                "eventSource" if field.only_not_equals() => logged.excluded.extend(field.not_equals.iter().cloned()),
                // Every call of a program is one, and no instance has its credentials from the console.
                "eventType" if field.only_equals() && field.equals.iter().any(|v| v == "AwsApiCall") => {}
                "sessionCredentialFromConsole" if field.only_not_equals() && field.not_equals == ["true"] => {}
                "userIdentity.arn" if field.only_starts_with() => {
                    role.filter(|role| field.starts_with.iter().any(|start| role.sessions_begin(start)))?;
                }
                "resources.ARN" if field.only_starts_with() && field.starts_with.iter().any(|start| is_all(start)) => {}
                "resources.ARN" if field.only_starts_with() && logged.places.is_none() => {
                    logged.places = Some(field.starts_with.iter().cloned().collect());
                }
                _ => return None,
            }
        }
        Some(logged)
    }
}

/// Whether every ARN of a service begins so: `arn:aws:s3`, `arn:aws:s3:::`, `arn:aws:lambda`, `arn:aws:dynamodb`.
fn is_all(start: &str) -> bool {
    let mut parts = start.split(':');
    parts.next() == Some("arn") && parts.by_ref().take(2).count() == 2 && parts.all(str::is_empty)
}

/// The advanced selectors that a basic one is.
fn advanced(basic: &Value) -> Vec<Selector> {
    let kind = basic.get("ReadWriteType").and_then(Value::as_str).unwrap_or("All");
    let read_only = match kind {
        "ReadOnly" => Some(Field::equals("readOnly", &["true"])),
        "WriteOnly" => Some(Field::equals("readOnly", &["false"])),
        _ => None,
    };
    let mut found = Vec::new();
    // Without the field they are included: that is the API's default.
    if basic.get("IncludeManagementEvents").and_then(Value::as_bool).unwrap_or(true) {
        let excluded = texts(basic.get("ExcludeManagementEventSources"));
        let excluded =
            (!excluded.is_empty()).then(|| Field { field: "eventSource".to_owned(), not_equals: excluded, ..Field::default() });
        let fields = [Field::equals("eventCategory", &["Management"])].into_iter().chain(read_only.clone()).chain(excluded);
        found.push(Selector { name: "Management events".to_owned(), field_selectors: fields.collect() });
    }
    for resource in basic.get("DataResources").and_then(Value::as_array).into_iter().flatten() {
        let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
        let values = texts(resource.get("Values"));
        // Objects are named by how their ARNs begin, everything else as a whole.
        let (equals, starts_with) =
            if kind == "AWS::S3::Object" { (Vec::new(), values.clone()) } else { (values.clone(), Vec::new()) };
        let arn = (!values.iter().any(|value| is_all(value))).then(|| Field {
            field: "resources.ARN".to_owned(),
            equals,
            starts_with,
            ..Field::default()
        });
        let fields = [Field::equals("eventCategory", &["Data"]), Field::equals("resources.type", &[kind])];
        let fields = fields.into_iter().chain(read_only.clone()).chain(arn).collect();
        found.push(Selector { name: format!("Data events of {kind}"), field_selectors: fields });
    }
    found
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
