//! What a source of records could show.

use std::collections::BTreeSet;

use serde_json::Value;

/// What a source of records could show. Without a declaration, management events are assumed, and data events as far as
/// they were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Coverage {
    /// CloudFormation-style resource types whose data events were seen or declared, such as `AWS::S3::Object`.
    pub data: BTreeSet<String>,
    /// Event sources whose management events the trail leaves out, such as `kms.amazonaws.com`.
    pub excluded: BTreeSet<String>,
    /// Whether somebody declared the coverage (`--coverage`) instead of it being inferred from what was seen.
    pub declared: bool,
}

/// Why a coverage file cannot be used. Its author is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoverageError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// Neither kind of selectors is there.
    #[error("expected `EventSelectors` or `AdvancedEventSelectors`, as `aws cloudtrail get-event-selectors` prints them")]
    NoSelectors,
}

impl Coverage {
    /// Folds another source's coverage into this one.
    pub fn merge(&mut self, other: Self) {
        self.data.extend(other.data);
        self.excluded.extend(other.excluded);
        self.declared |= other.declared;
    }

    /// Reads the output of `aws cloudtrail get-event-selectors`.
    ///
    /// A selector counts as showing a resource type only if it shows all of it: reads and writes, on every resource. A
    /// narrower one is left out, because what it leaves out would count as not used.
    ///
    /// Source: AWS CloudTrail API Reference, GetEventSelectors, EventSelector and AdvancedEventSelector.
    ///
    /// # Errors
    /// When the bytes are not JSON or hold no selectors.
    pub fn from_event_selectors(bytes: &[u8]) -> Result<Self, CoverageError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| CoverageError::Json(e.to_string()))?;
        let list = |key: &str| value.get(key).and_then(Value::as_array);
        if list("EventSelectors").is_none() && list("AdvancedEventSelectors").is_none() {
            return Err(CoverageError::NoSelectors);
        }
        let mut coverage = Self { declared: true, ..Self::default() };
        for selector in list("EventSelectors").into_iter().flatten() {
            coverage.basic(selector);
        }
        for selector in list("AdvancedEventSelectors").into_iter().flatten() {
            coverage.advanced(selector);
        }
        Ok(coverage)
    }

    fn basic(&mut self, selector: &Value) {
        self.excluded.extend(texts(selector.get("ExcludeManagementEventSources")));
        if selector.get("ReadWriteType").and_then(Value::as_str).is_some_and(|t| t != "All") {
            return;
        }
        for resource in selector.get("DataResources").and_then(Value::as_array).into_iter().flatten() {
            let everything =
                |v: &String| matches!(v.rsplit(':').next(), Some("" | "s3" | "lambda" | "table")) || v.ends_with(":::");
            if texts(resource.get("Values")).iter().any(everything) {
                self.data.extend(resource.get("Type").and_then(Value::as_str).map(str::to_owned));
            }
        }
    }

    fn advanced(&mut self, selector: &Value) {
        let fields = || selector.get("FieldSelectors").and_then(Value::as_array).into_iter().flatten();
        let field = |name: &str| fields().find(|f| f.get("Field").and_then(Value::as_str) == Some(name));
        let equals = |name: &str| field(name).map(|f| texts(f.get("Equals"))).unwrap_or_default();
        if equals("eventCategory").iter().any(|c| c == "Management") {
            self.excluded.extend(field("eventSource").map(|f| texts(f.get("NotEquals"))).unwrap_or_default());
        }
        let narrowing = |f: &Value| !matches!(f.get("Field").and_then(Value::as_str), Some("eventCategory" | "resources.type"));
        if equals("eventCategory").iter().any(|c| c == "Data") && !fields().any(narrowing) {
            self.data.extend(equals("resources.type"));
        }
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, data: &[&str], excluded: &[&str]) {
        let coverage = Coverage::from_event_selectors(text.as_bytes()).unwrap();
        let set = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!((coverage.data, coverage.excluded), (set(data), set(excluded)), "{text}");
    }

    #[test]
    fn only_whole_resource_types_count() {
        check(
            r#"{"EventSelectors":[{"ReadWriteType":"All","DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3"]}]}]}"#,
            &["AWS::S3::Object"],
            &[],
        );
        check(
            r#"{"EventSelectors":[{"ReadWriteType":"All","DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::one/"]}]}]}"#,
            &[],
            &[],
        );
        check(
            r#"{"EventSelectors":[{"ReadWriteType":"ReadOnly","DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::"]}]}]}"#,
            &[],
            &[],
        );
        check(
            r#"{"EventSelectors":[{"ReadWriteType":"All","ExcludeManagementEventSources":["kms.amazonaws.com"]}]}"#,
            &[],
            &["kms.amazonaws.com"],
        );
        check(
            r#"{"AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]}]}]}"#,
            &["AWS::S3::Object"],
            &[],
        );
        check(
            r#"{"AdvancedEventSelectors":[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]},{"Field":"readOnly","Equals":["false"]}]}]}"#,
            &[],
            &[],
        );
    }

    #[test]
    fn something_else_is_refused() {
        assert_eq!(Coverage::from_event_selectors(b"{}"), Err(CoverageError::NoSelectors));
    }
}
