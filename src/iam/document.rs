//! Policy documents: reading, writing, and the sizes that IAM counts.

use serde_json::{Map, Value};

use super::{Conditions, Pattern};

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Effect {
    /// `"Effect": "Allow"`.
    Allow,
    /// `"Effect": "Deny"`.
    Deny,
}

/// The actions of a statement. Patterns match without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionSpec {
    /// `Action`: any of these.
    Only(Vec<Pattern>),
    /// `NotAction`: all but these, services yet to come included.
    AllBut(Vec<Pattern>),
}

/// The resources of a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceSpec {
    /// `Resource`: any of these.
    Only(Vec<Pattern>),
    /// `NotResource`: all but these.
    AllBut(Vec<Pattern>),
}

/// One statement of an identity policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statement {
    /// `Sid`; empty where there is none.
    pub sid: String,
    /// Allow or deny.
    pub effect: Effect,
    /// Which actions.
    pub actions: ActionSpec,
    /// Which resources.
    pub resources: ResourceSpec,
    /// Under which conditions.
    pub conditions: Conditions,
}

/// An identity policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `true` for version 2012-10-17, `false` for 2008-10-17 (also when `Version` is missing).
    pub variables: bool,
    /// The statements in their order.
    pub statements: Vec<Statement>,
}

/// Why a document is not an identity policy. The author of the document is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not JSON at all.
    #[error("not JSON: {0}")]
    Json(String),
    /// A place holds something that the grammar does not allow there.
    #[error("{at}: {problem}")]
    Grammar {
        /// The place, such as `Statement[2].Action`.
        at: String,
        /// What is wrong with it.
        problem: String,
    },
}

pub(super) fn wrong(at: &str, problem: impl Into<String>) -> PolicyError {
    PolicyError::Grammar { at: at.to_owned(), problem: problem.into() }
}

impl Policy {
    /// A policy of version 2012-10-17 with these statements.
    #[must_use]
    pub fn new(statements: Vec<Statement>) -> Self {
        Self { variables: true, statements }
    }

    /// Reads a policy document.
    ///
    /// # Errors
    /// When the bytes are not JSON or the JSON is not an identity policy; the error names the place.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| PolicyError::Json(e.to_string()))?;
        Self::from_value(&value)
    }

    /// Reads a policy from JSON that is parsed already.
    ///
    /// # Errors
    /// As for [`Policy::parse`].
    pub fn from_value(value: &Value) -> Result<Self, PolicyError> {
        let object = value.as_object().ok_or_else(|| wrong("document", "expected an object"))?;
        let variables = match object.get("Version").map(|v| v.as_str()) {
            Some(Some("2012-10-17")) => true,
            None | Some(Some("2008-10-17")) => false,
            Some(_) => return Err(wrong("Version", "expected `2012-10-17` or `2008-10-17`")),
        };
        if let Some(key) = object.keys().find(|k| !["Version", "Id", "Statement"].contains(&k.as_str())) {
            return Err(wrong("document", format!("unknown element `{key}`")));
        }
        let statements = match object.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err(wrong("Statement", "expected a statement or a list of statements")),
        };
        let statements =
            statements.into_iter().enumerate().map(|(n, s)| read_statement(n, s, variables)).collect::<Result<_, _>>()?;
        Ok(Self { variables, statements })
    }

    /// The document as JSON, elements in the customary order, actions and resources always as lists.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut object = Map::new();
        object.insert("Version".into(), Value::from(if self.variables { "2012-10-17" } else { "2008-10-17" }));
        object.insert("Statement".into(), self.statements.iter().map(|one| one.to_value(self.variables)).collect());
        Value::Object(object)
    }

    /// The same policy in version 2012-10-17, for what knows no other: what would become a variable is written so that
    /// it does not.
    #[must_use]
    pub fn modern(&self) -> Self {
        if self.variables {
            return self.clone();
        }
        let plain = |statement: &Statement| {
            let tests = statement.conditions.iter();
            let conditions = tests.fold(Conditions::none(), |all, (operator, key, values)| {
                all.and(operator, key, values.iter().map(|value| value.replace("${", "${$}{")))
            });
            Statement { conditions, ..statement.clone() }
        };
        Self::new(self.statements.iter().map(plain).collect())
    }

    /// The document as people read it: two spaces, one entry a line, a line end at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        format!("{:#}\n", self.to_value())
    }

    /// How many characters IAM counts against a quota: all but white space.
    ///
    /// Source: IAM User Guide, "IAM and AWS STS quotas": white space is not counted.
    #[must_use]
    pub fn size(&self) -> usize {
        self.to_value().to_string().chars().filter(|c| !c.is_whitespace()).count()
    }
}

impl Statement {
    /// The statement as JSON, for a document with or without variables.
    #[must_use]
    pub fn to_value(&self, variables: bool) -> Value {
        let text = |pattern: &Pattern| if variables { pattern.to_string() } else { pattern.to_2008() };
        let list = |patterns: &[Pattern]| -> Value { patterns.iter().map(|p| Value::from(text(p))).collect() };
        let mut object = Map::new();
        if !self.sid.is_empty() {
            object.insert("Sid".into(), Value::from(self.sid.as_str()));
        }
        object.insert("Effect".into(), Value::from(if self.effect == Effect::Allow { "Allow" } else { "Deny" }));
        match &self.actions {
            ActionSpec::Only(p) => object.insert("Action".into(), list(p)),
            ActionSpec::AllBut(p) => object.insert("NotAction".into(), list(p)),
        };
        match &self.resources {
            ResourceSpec::Only(p) => object.insert("Resource".into(), list(p)),
            ResourceSpec::AllBut(p) => object.insert("NotResource".into(), list(p)),
        };
        if !self.conditions.is_empty() {
            let mut block = Map::new();
            for (operator, key, values) in self.conditions.iter() {
                let tests = block.entry(operator).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(tests) = tests {
                    let value = if let [one] = values { Value::from(one.as_str()) } else { Value::from(values.to_vec()) };
                    tests.insert(key.to_owned(), value);
                }
            }
            object.insert("Condition".into(), Value::Object(block));
        }
        Value::Object(object)
    }
}

const ELEMENTS: [&str; 8] = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal"];

fn read_statement(number: usize, value: &Value, variables: bool) -> Result<Statement, PolicyError> {
    let at = |element: &str| format!("Statement[{number}]{}{element}", if element.is_empty() { "" } else { "." });
    let object = value.as_object().ok_or_else(|| wrong(&at(""), "expected an object"))?;
    if let Some(key) = object.keys().find(|k| !ELEMENTS.contains(&k.as_str()) || *k == "Principal") {
        return Err(wrong(&at(""), format!("`{key}` does not belong in an identity policy")));
    }
    let effect = match object.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err(wrong(&at("Effect"), "expected `Allow` or `Deny`")),
    };
    let either = |yes: &str, no: &str| -> Result<(bool, Vec<Pattern>), PolicyError> {
        match (object.get(yes), object.get(no)) {
            (Some(v), None) => Ok((true, read_patterns(&at(yes), v, variables)?)),
            (None, Some(v)) => Ok((false, read_patterns(&at(no), v, variables)?)),
            _ => Err(wrong(&at(""), format!("expected either `{yes}` or `{no}`"))),
        }
    };
    let actions = match either("Action", "NotAction")? {
        (true, p) => ActionSpec::Only(p),
        (false, p) => ActionSpec::AllBut(p),
    };
    let resources = match either("Resource", "NotResource")? {
        (true, p) => ResourceSpec::Only(p),
        (false, p) => ResourceSpec::AllBut(p),
    };
    let sid = match object.get("Sid") {
        None => String::new(),
        Some(Value::String(s)) => s.clone(),
        Some(_) => return Err(wrong(&at("Sid"), "expected text")),
    };
    let conditions = object.get("Condition").map_or(Ok(Conditions::none()), |v| read_conditions(&at("Condition"), v))?;
    Ok(Statement { sid, effect, actions, resources, conditions })
}

fn read_patterns(at: &str, value: &Value, variables: bool) -> Result<Vec<Pattern>, PolicyError> {
    let read = |text: &str| if variables { Pattern::parse(text) } else { Pattern::parse_2008(text) };
    texts(at, value).map(|list| list.iter().map(|t| read(t)).collect())
}

/// One text or a list of texts; numbers and booleans are read as their text, as IAM does.
fn texts(at: &str, value: &Value) -> Result<Vec<String>, PolicyError> {
    let one = |v: &Value| match v {
        Value::String(s) => Ok(s.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(v.to_string()),
        _ => Err(wrong(at, "expected text")),
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        other => Ok(vec![one(other)?]),
    }
}

fn read_conditions(at: &str, value: &Value) -> Result<Conditions, PolicyError> {
    let block = value.as_object().ok_or_else(|| wrong(at, "expected an object"))?;
    let mut conditions = Conditions::none();
    for (operator, tests) in block {
        let at = format!("{at}.{operator}");
        for (key, values) in tests.as_object().ok_or_else(|| wrong(&at, "expected an object"))? {
            conditions = conditions.and(operator, key, texts(&format!("{at}.{key}"), values)?);
        }
    }
    Ok(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","NotResource":["a","b"],
            "Condition":{"Bool":{"aws:SecureTransport":true}}}}"#;
        let policy = Policy::parse(text.as_bytes()).unwrap();
        let again = Policy::parse(policy.to_json().as_bytes()).unwrap();
        assert_eq!(policy, again);
        assert!(policy.to_json().contains(r#""aws:SecureTransport": "true""#), "{}", policy.to_json());
    }

    #[test]
    fn old_documents_keep_their_text() {
        let text = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["a/${aws:username}/$?"],"Condition":{"StringLike":{"k":"${x}$"}}}]}"#;
        let policy = Policy::parse(text.as_bytes()).unwrap();
        assert_eq!(policy.to_value().to_string(), text);
        let modern = policy.modern();
        assert_eq!(modern.statements[0].resources, policy.statements[0].resources);
        let written = modern.to_value().to_string();
        assert!(written.contains(r#""a/${$}{aws:username}/${$}?""#) && written.contains(r#""${$}{x}$""#), "{written}");
        assert_eq!(modern.modern(), modern);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let check = |text: &str, want: &str| {
            let error = Policy::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        };
        check("[", "not JSON");
        check(r#"{"Version":"2020","Statement":[]}"#, "Version");
        check(r#"{"Statement":[{"Effect":"allow"}]}"#, "Statement[0].Effect");
        check(
            r#"{"Statement":[{"Effect":"Allow","Action":"a","NotAction":"b","Resource":"*"}]}"#,
            "either `Action` or `NotAction`",
        );
        check(r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"a:b","Resource":"*"}]}"#, "`Principal`");
        check(r#"{"Statement":[{"Effect":"Allow","Action":[1,{}],"Resource":"*"}]}"#, "Statement[0].Action");
    }
}
