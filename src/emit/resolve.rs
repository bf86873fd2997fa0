//! Evaluating a section with the values of a stack, as CloudFormation would.
//!
//! INVARIANT (resolve-portable): resolving what [`super::portable()`] made gives the policy it was made from, so that
//! the bytes that were proved and the bytes that are deployed can be compared.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::template::Value;

use super::function::{Piece, pieces};

/// The values of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StackValues {
    /// `AWS::Partition`
    pub partition: String,
    /// `AWS::Region`
    pub region: String,
    /// `AWS::AccountId`
    pub account: String,
    /// What `Ref` gives for a logical id or parameter, and `Fn::GetAtt` for `id.attribute`; also further pseudo
    /// parameters such as `AWS::StackName`.
    pub names: BTreeMap<String, String>,
    /// The `Mappings` of the template: map, top-level key, second-level key, text.
    pub mappings: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
    /// Which conditions hold.
    pub conditions: BTreeMap<String, bool>,
}

/// Why a section has no value in a stack. The caller lacks a value, or the section uses a function that is not
/// evaluated here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A reference to something whose value is not known.
    #[error("nothing is known of `{0}`")]
    Unknown(String),
    /// A function that is not evaluated here, or arguments that it does not take.
    #[error("the function `{0}` cannot be evaluated with these arguments")]
    Function(String),
}

/// Evaluates a section.
///
/// # Errors
/// When a value is missing or a function is not known; what a stack would get is never guessed.
pub fn resolve(section: &Value, stack: &StackValues) -> Result<Json, ResolveError> {
    Ok(stack.value(section)?.unwrap_or(Json::Null))
}

fn misused(name: &str) -> ResolveError {
    ResolveError::Function(name.to_owned())
}

impl StackValues {
    /// `None` is `AWS::NoValue`: the place that holds it leaves it out.
    fn value(&self, value: &Value) -> Result<Option<Json>, ResolveError> {
        Ok(Some(match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Str(_) => value.to_json(),
            Value::Seq(items) => {
                let all = items.iter().map(|item| self.value(&item.value)).collect::<Result<Vec<_>, _>>()?;
                Json::Array(all.into_iter().flatten().collect())
            }
            Value::Map(pairs) => {
                let mut object = serde_json::Map::new();
                for pair in pairs {
                    if let Some(value) = self.value(&pair.value)? {
                        object.insert(pair.key.clone(), value);
                    }
                }
                Json::Object(object)
            }
            Value::Tagged(name, argument) => return self.function(name, argument),
        }))
    }

    fn function(&self, name: &str, argument: &Value) -> Result<Option<Json>, ResolveError> {
        let parts: Vec<&Value> = argument.items().collect();
        Ok(Some(match (name, parts.as_slice()) {
            ("Ref", _) => match argument.as_str().ok_or_else(|| misused(name))? {
                "AWS::NoValue" => return Ok(None),
                id => Json::String(self.name(id)?),
            },
            ("GetAtt", [id, attribute]) => Json::String(self.name(&format!("{}.{}", self.text(id)?, self.text(attribute)?))?),
            ("Sub", []) => Json::String(self.substitute(argument.as_str().ok_or_else(|| misused(name))?, &Value::Null)?),
            ("Sub", [text, local]) => Json::String(self.substitute(text.as_str().ok_or_else(|| misused(name))?, local)?),
            ("Join", [separator, list]) => Json::String(self.texts(list)?.join(&self.text(separator)?)),
            ("Split", [separator, text]) => {
                let (separator, text) = (self.text(separator)?, self.text(text)?);
                text.split(separator.as_str()).map(|part| Json::String(part.to_owned())).collect()
            }
            ("Select", [index, list]) => {
                let index = self.text(index)?.parse::<usize>().map_err(|_| misused(name))?;
                Json::String(self.texts(list)?.get(index).cloned().ok_or_else(|| misused(name))?)
            }
            ("FindInMap", [map, top, second]) => {
                let (map, top, second) = (self.text(map)?, self.text(top)?, self.text(second)?);
                let found = self.mappings.get(&map).and_then(|tops| tops.get(&top)).and_then(|seconds| seconds.get(&second));
                Json::String(found.cloned().ok_or_else(|| ResolveError::Unknown(format!("{map}.{top}.{second}")))?)
            }
            ("If", [condition, yes, no]) => {
                let condition = condition.as_str().ok_or_else(|| misused(name))?;
                let holds = self.conditions.get(condition).ok_or_else(|| ResolveError::Unknown(condition.to_owned()))?;
                return self.value(if *holds { yes } else { no });
            }
            _ => return Err(misused(name)),
        }))
    }

    fn name(&self, id: &str) -> Result<String, ResolveError> {
        match id {
            "AWS::Partition" => Ok(self.partition.clone()),
            "AWS::Region" => Ok(self.region.clone()),
            "AWS::AccountId" => Ok(self.account.clone()),
            _ => self.names.get(id).cloned().ok_or_else(|| ResolveError::Unknown(id.to_owned())),
        }
    }

    fn text(&self, value: &Value) -> Result<String, ResolveError> {
        match self.value(value)? {
            Some(Json::String(text)) => Ok(text),
            Some(Json::Number(number)) => Ok(number.to_string()),
            _ => Err(ResolveError::Function("a text is expected".to_owned())),
        }
    }

    fn texts(&self, list: &Value) -> Result<Vec<String>, ResolveError> {
        match self.value(list)? {
            Some(Json::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Json::String(text) => Ok(text),
                    _ => Err(ResolveError::Function("a list of texts is expected".to_owned())),
                })
                .collect(),
            _ => Err(ResolveError::Function("a list is expected".to_owned())),
        }
    }

    fn substitute(&self, text: &str, local: &Value) -> Result<String, ResolveError> {
        pieces(text)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => Ok(text),
                Piece::Variable(name) => match local.get(name) {
                    Some(value) => self.text(value),
                    None => self.name(name),
                },
            })
            .collect()
    }
}
