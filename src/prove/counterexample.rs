//! From choices to a concrete request, which the evaluator then has to confirm.

use std::collections::{BTreeMap, BTreeSet};

use super::automaton::Symbol;
use super::binding::bound;
use super::dimension::{Witness, value};
use super::document::{Document, Statement};
use super::evaluate::{ArnReading, Request, Value, evaluate};
use super::pattern::Variable;

/// One choice per dimension.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choices {
    action: Vec<Symbol>,
    resource: Vec<Symbol>,
    keys: BTreeMap<String, Witness>,
}

impl Choices {
    /// Remembers the choice for a dimension: 0 is the action, 1 the resource, others are `key`.
    pub(crate) fn set(&mut self, dimension: usize, key: Option<&str>, witness: &Witness) {
        match (dimension, key, witness) {
            (_, Some(key), witness) => _ = self.keys.insert(key.to_owned(), witness.clone()),
            (0, None, Witness::One(text)) => self.action.clone_from(text),
            (_, None, Witness::One(text)) => self.resource.clone_from(text),
            _ => {}
        }
    }

    /// Forgets it.
    pub(crate) fn unset(&mut self, dimension: usize, key: Option<&str>) {
        if let Some(key) = key {
            self.keys.remove(key);
        } else if dimension == 0 {
            self.action.clear();
        } else {
            self.resource.clear();
        }
    }

    fn texts(&self) -> impl Iterator<Item = &Vec<Symbol>> {
        let values = self.keys.values().flat_map(|witness| match witness {
            Witness::One(text) => std::slice::from_ref(text),
            Witness::Many(texts) => texts.as_slice(),
            Witness::Absent | Witness::Unknown => &[],
        });
        [&self.action, &self.resource].into_iter().chain(values)
    }

    /// What the variables in the statement's Resource stand for in the chosen resource, which has none itself.
    fn read_off(&self, statement: &Statement, reading: ArnReading) -> Given {
        let letter = |symbol: &Symbol| if let Symbol::Char(c) = symbol { Some(*c) } else { None };
        let Some(resource) = self.resource.iter().map(letter).collect::<Option<String>>() else { return Given::new() };
        let context = bound(Request { action: String::new(), resource, context: BTreeMap::new() }, statement, reading).context;
        context
            .into_iter()
            .filter_map(|(key, value)| if let Value::One(text) = value { Some((key, text)) } else { None })
            .collect()
    }

    fn variables(&self) -> BTreeSet<&Variable> {
        let symbols = self.texts().flatten();
        symbols.filter_map(|s| if let Symbol::Variable { variable, .. } = s { Some(variable) } else { None }).collect()
    }
}

/// How the keys are filled that only occur as variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filling {
    /// Each with a value of its own.
    Distinct,
    /// All with the same value.
    Same,
    /// Left absent where the variable has a default.
    Defaults,
}

/// A request made of the choices that the new policies allow, by `statement`, and the baseline does not. `referred` are the keys that any
/// pattern refers to: with and without a value, since a negated element needs one and is broken by none.
///
/// # Errors
/// What is not modelled exactly in it, where the evaluator does not confirm any way of filling in the rest.
pub(crate) fn confirm(
    choices: &Choices,
    referred: &BTreeSet<&str>,
    (new, statement): (&[Document], &Statement),
    baseline: &[Document],
    reading: ArnReading,
) -> Result<Request, String> {
    let gets_out =
        |request: &Request| evaluate(new, request, reading).is_allowed() && !evaluate(baseline, request, reading).is_allowed();
    let none = BTreeSet::new();
    let read_off = choices.read_off(statement, reading);
    for given in [&Given::new(), &read_off] {
        for filling in [Filling::Distinct, Filling::Same, Filling::Defaults] {
            for also in [&none, referred] {
                let Some(request) = concrete(choices, given, also, filling) else { continue };
                if gets_out(&request) {
                    return Ok(presentable(request, &gets_out));
                }
                let request = bound(request, statement, reading);
                if gets_out(&request) {
                    return Ok(request);
                }
            }
        }
    }
    let unknown = choices.keys.iter().find(|(_, witness)| **witness == Witness::Unknown);
    Err(match (unknown, choices.variables().first()) {
        (Some((key, _)), _) => format!("the condition key `{key}` is tested with operators of different types"),
        (None, Some(variable)) => format!("the values that the variable `${{{}}}` can have", variable.key),
        (None, None) => "the values of policy variables, which one pattern of the baseline or a Deny depends on".to_owned(),
    })
}

/// Values of keys that only occur as variables.
type Given = BTreeMap<String, String>;

fn concrete(choices: &Choices, given: &Given, also: &BTreeSet<&str>, filling: Filling) -> Option<Request> {
    let untested = given.iter().filter(|(key, _)| !choices.keys.contains_key(*key));
    let mut fresh: BTreeMap<&str, String> = untested.map(|(key, value)| (key.as_str(), value.clone())).collect();
    for variable in choices.variables() {
        let leave = matches!(filling, Filling::Defaults) && variable.default.is_some();
        if choices.keys.contains_key(&variable.key) || leave {
            continue;
        }
        let number = if matches!(filling, Filling::Same) { 1 } else { fresh.len() + 1 };
        fresh.entry(&variable.key).or_insert_with(|| format!("value{number}"));
    }
    for key in also.iter().filter(|key| !choices.keys.contains_key(**key)) {
        let number = if filling == Filling::Same { 1 } else { fresh.len() + 1 };
        fresh.entry(key).or_insert_with(|| format!("value{number}"));
    }
    let write = |text: &[Symbol]| write(text, choices, &fresh, 0);
    let mut context: BTreeMap<String, Value> =
        fresh.iter().map(|(key, text)| ((*key).to_owned(), Value::One(text.clone()))).collect();
    for (key, witness) in &choices.keys {
        match witness {
            Witness::Absent => {}
            Witness::One(text) => _ = context.insert(key.clone(), Value::One(write(text)?)),
            Witness::Many(texts) => {
                let texts = texts.iter().map(|text| write(text)).collect::<Option<Vec<_>>>()?;
                context.insert(key.clone(), value(texts));
            }
            Witness::Unknown => return None,
        }
    }
    Some(Request { action: write(&choices.action)?, resource: write(&choices.resource)?, context })
}

/// The text with variables replaced; `None` where a variable has no single value, or goes round in a circle.
fn write(text: &[Symbol], choices: &Choices, fresh: &BTreeMap<&str, String>, depth: usize) -> Option<String> {
    let mut written = String::new();
    for symbol in text {
        match symbol {
            Symbol::Char(c) => written.push(*c),
            Symbol::Variable { variable, .. } => match (choices.keys.get(&variable.key), fresh.get(variable.key.as_str())) {
                (Some(Witness::One(text)), _) if depth < 8 => written.push_str(&write(text, choices, fresh, depth + 1)?),
                (None, Some(text)) => written.push_str(text),
                (Some(Witness::Absent) | None, _) => written.push_str(variable.default.as_deref()?),
                _ => return None,
            },
        }
    }
    Some(written)
}

/// The same request with a resource that looks like one, where that gets out as well.
fn presentable(request: Request, gets_out: &impl Fn(&Request) -> bool) -> Request {
    if request.resource.starts_with("arn:") {
        return request;
    }
    let service = request.action.split(':').next().unwrap_or_default();
    let resources = [format!("arn:aws:{service}:us-east-1:123456789012:example"), "*".to_owned()];
    let better = resources.into_iter().map(|resource| Request { resource, ..request.clone() }).find(gets_out);
    better.unwrap_or(request)
}
