//! The resources of a call: from `resources[]` where the record names them, else from the request's parameters and the
//! ARN format of the resource type.

use std::collections::BTreeSet;

use serde_json::Value;

use super::record::Record;
use crate::catalog::Catalog;
use crate::catalog::format::{ArnFormat, Piece};
use crate::catalog::reference::ActionFacts;
use crate::iam::{Action, Arn, Pattern};

/// So many ARNs are put together from the lists of one record; of more, which only a hostile one has, the type stands for them.
const MOST: usize = 10_000;

/// Finds the resources of one record.
pub(super) struct Finder<'a> {
    pub(super) record: &'a Record,
    pub(super) catalog: &'a Catalog,
}

impl Finder<'_> {
    /// The resources that an action was called on, and whether the record names them.
    pub(super) fn resources(&self, action: &Action) -> Vec<(Pattern, bool)> {
        let facts = self.catalog.reference.action(action);
        let Some(facts) = facts.filter(|f| !f.types.is_empty()) else { return vec![(Pattern::any(), true)] };
        if let Some(named) = self.by_id(action, facts) {
            return named.into_iter().map(|p| (p, true)).collect();
        }
        let mut found = Vec::new();
        for (kind, required) in &facts.types {
            let Some(format) = self.catalog.reference.service(action.service()).and_then(|s| s.types.get(kind)) else { continue };
            let built = self.of_type(action, kind, format);
            if built.is_empty() && (*required || besides_access_points(facts, kind)) && !self.alternative(facts, kind) {
                found.push((self.pinned(action, kind, format), false));
            }
            found.extend(built.into_iter().map(|p| (self.qualified(p), true)));
        }
        if found.is_empty() {
            found.extend(self.half_named(action).map(|p| (p, false)));
        }
        if found.is_empty() {
            // Only optional types, none of them named: IAM asks about `*`, unless the record leaves out what was asked.
            found.push((Pattern::any(), !self.record.request_parameters.is_null()));
        }
        found.sort();
        found.dedup();
        // A guess is not needed beside a name of the same action.
        if found.iter().any(|(_, known)| *known) && facts.types.iter().filter(|(_, required)| *required).count() <= 1 {
            found.retain(|(_, known)| *known);
        }
        found
    }

    /// The objects of a bucket, where the record names the bucket and the action knows objects only: `DeleteObjects`.
    fn half_named(&self, action: &Action) -> Option<Pattern> {
        let service = self.catalog.reference.service(action.service())?;
        let named = !self.values_of_bucket().contains('*');
        let kinds = service.action(action.name())?.types.iter();
        let mut formats = kinds.filter_map(|(kind, _)| Some((kind, service.types.get(kind)?)));
        formats.find(|(_, f)| named && f.text().contains("${BucketName}/")).map(|(kind, f)| self.pinned(action, kind, f))
    }

    /// The resources that a parameter names by their ids, where the type of every one is known.
    fn by_id(&self, action: &Action, facts: &ActionFacts) -> Option<BTreeSet<Pattern>> {
        let row = self.catalog.shapes.ids.iter().find(|row| row.service.eq_ignore_ascii_case(action.service()))?;
        let types = &self.catalog.reference.service(action.service())?.types;
        let arn = |id: &str| {
            let kind = id.split_once('-').filter(|(_, rest)| !rest.contains('-')).and_then(|(stem, _)| row.types.get(stem))?;
            let format = types.get(kind).filter(|_| facts.types.iter().any(|(known, _)| known == kind))?;
            Some(self.filled(action, format, |_| escaped(id)))
        };
        let ids = at_path(&self.record.request_parameters, &row.parameter);
        ids.into_iter().map(arn).collect::<Option<BTreeSet<_>>>().filter(|found| !found.is_empty())
    }

    /// The ARN with the version or alias that the request asks for.
    fn qualified(&self, arn: Pattern) -> Pattern {
        for row in &self.catalog.shapes.qualifiers {
            let asked = self.record.request_parameters.get(&row.parameter).and_then(Value::as_str).filter(|q| !q.is_empty());
            let Some(asked) = asked else { continue };
            let text = arn.to_string();
            let name = Arn::parse(&text).filter(|a| a.service == row.service).and_then(|a| a.resource.strip_prefix(&row.begins));
            if name.is_some_and(|name| !name.contains(':')) {
                return Pattern::parse(&format!("{text}:{}", escaped(asked)));
            }
        }
        arn
    }

    /// The partition of the record's region.
    pub(super) fn partition(&self) -> &str {
        self.catalog.partition(&self.record.aws_region)
    }

    /// Access points stand beside objects as a second way to name the same thing: one of them is enough.
    fn alternative(&self, facts: &ActionFacts, kind: &str) -> bool {
        facts.types.len() > 1 && kind.starts_with("accesspoint")
    }

    /// The resources of one type: those that the record lists; else those of the parameters, ARNs as they are and names put
    /// into the type's format; else what begins as the record says.
    fn of_type(&self, action: &Action, kind: &str, format: &ArnFormat) -> Vec<Pattern> {
        let listed = self.record.resources.iter().filter_map(|r| r.arn.clone());
        let named = self.fitting(action, kind, format, listed);
        if !named.is_empty() {
            return named;
        }
        let mut found = self.fitting(action, kind, format, self.parameter_arns());
        found.extend(self.built(action, kind, format));
        if found.is_empty() {
            let beginnings = self.record.resources.iter().filter_map(|r| r.arn_prefix.clone());
            let below = |start: Pattern| start.then(&Pattern::any());
            found.extend(self.fitting(action, kind, format, beginnings).into_iter().map(below));
        }
        found
    }

    /// Those ARNs that fit this type better than any other type of the action's service. A name with a version or an alias is
    /// still of this type where the action does not know it as one of its own.
    fn fitting(&self, action: &Action, kind: &str, format: &ArnFormat, arns: impl IntoIterator<Item = String>) -> Vec<Pattern> {
        let Some(service) = self.catalog.reference.service(action.service()) else { return Vec::new() };
        let own = service.action(action.name()).map(|facts| facts.types.as_slice()).unwrap_or_default();
        let another = |other: &str, f: &ArnFormat| !f.qualifies(format) || own.iter().any(|(known, _)| known == other);
        let fits = |text: &str| {
            let Some(arn) = Arn::parse(text) else { return false };
            let matching = service.types.iter().filter(|(other, f)| f.matches(&arn) && another(other, f));
            let best = matching.max_by_key(|(_, f)| f.literal_length());
            best.is_some_and(|(best, f)| best == kind || f.text() == format.text())
        };
        let arns: BTreeSet<String> = arns.into_iter().map(|arn| asked_about(&arn)).filter(|arn| fits(arn)).collect();
        let ending = |arn: &str| self.catalog.missing_ending(arn).unwrap_or_default();
        arns.iter().map(|arn| Pattern::parse(&(escaped(arn) + ending(arn)))).collect()
    }

    /// Parameters that are ARNs themselves, also in lists.
    fn parameter_arns(&self) -> Vec<String> {
        let others = &self.catalog.shapes.of_others.parameters;
        let members = self.record.request_parameters.as_object().into_iter().flatten().filter(|(key, _)| !others.contains(key));
        members.flat_map(|(_, value)| strings(value)).filter(|text| text.starts_with("arn:")).map(str::to_owned).collect()
    }

    /// ARNs put together from parameters: whole ones, and those that begin with the ARN of another type, as that of a log stream
    /// with its group's.
    fn built(&self, action: &Action, kind: &str, format: &ArnFormat) -> Vec<Pattern> {
        let mut built = self.completed(vec![String::new()], format.pieces(), (action, kind, format));
        let arns = self.parameter_arns();
        let service = self.catalog.reference.service(action.service()).filter(|_| !arns.is_empty());
        for (other, begins) in service.into_iter().flat_map(|service| &service.types) {
            let Some(rest) = format.beyond(begins).filter(|rest| !rest.is_empty()) else { continue };
            let begun = self.fitting(action, other, begins, arns.iter().cloned());
            let begun = begun.iter().map(ToString::to_string).collect();
            built.extend(self.completed(begun, rest, (action, kind, format)));
        }
        built.into_iter().flat_map(|text| self.variants(&text)).collect()
    }

    /// Texts with the pieces of a format after them: one for each value of a parameter that is a list.
    fn completed(&self, begun: Vec<String>, pieces: &[Piece], of: (&Action, &str, &ArnFormat)) -> Vec<String> {
        let (action, kind, format) = of;
        pieces.iter().fold(begun, |begun, piece| {
            let values: Vec<String> = match piece {
                Piece::Text(text) => vec![escaped(text)],
                Piece::Variable(name) => match self.place(action, name) {
                    Some(place) => vec![place.to_owned()],
                    None => self.values(action, kind, name, format),
                },
            };
            if begun.len().saturating_mul(values.len()) > MOST {
                return Vec::new();
            }
            begun.iter().flat_map(|b| values.iter().map(move |v| format!("{b}{v}"))).collect()
        })
    }

    /// The variables that every ARN has: where it is, and whose.
    fn place(&self, action: &Action, variable: &str) -> Option<&str> {
        match variable {
            "Partition" => Some(self.partition()),
            "Region" => Some(&self.record.aws_region),
            "Account" => Some(self.account(action)),
            _ => None,
        }
    }

    /// The values of a variable, as pattern text: `*` where the service fills it with an id of its own.
    fn values(&self, action: &Action, kind: &str, variable: &str, format: &ArnFormat) -> Vec<String> {
        let (parameters, shapes) = (&self.record.request_parameters, &self.catalog.shapes);
        let of_type = format!("{}:{kind}.{variable}", action.service().to_ascii_lowercase());
        if shapes.assigned.iter().any(|row| row.variable == of_type) {
            return vec!["*".to_owned()];
        }
        let listed = shapes.parameters.get(&of_type).or_else(|| shapes.parameters.get(variable));
        let listed = listed.map(Vec::as_slice).unwrap_or_default();
        let mut texts: Vec<&str> =
            listed.iter().map(|path| at_path(parameters, path)).find(|found| !found.is_empty()).unwrap_or_default();
        if texts.is_empty() {
            let object = parameters.as_object().into_iter().flatten();
            texts = object.filter(|(key, _)| key.eq_ignore_ascii_case(variable)).flat_map(|(_, value)| strings(value)).collect();
        }
        if texts.is_empty() && variable == "InstanceId" && action.service().eq_ignore_ascii_case("ssm") {
            texts = self.own_instance().into_iter().collect();
        }
        texts.into_iter().filter(|t| self.plausible(t, variable, format)).map(|t| self.cleaned(t, variable)).collect()
    }

    /// The instance that calls: the agent reports about its own.
    fn own_instance(&self) -> Option<&str> {
        self.record.user_identity.arn.as_deref().and_then(|a| a.rsplit('/').next()).filter(|n| n.starts_with("i-"))
    }

    /// Whether a value can be what the variable means: an instance of EC2 and a hybrid node are told apart by their ids.
    fn plausible(&self, text: &str, variable: &str, format: &ArnFormat) -> bool {
        let hybrid = format.text().contains("managed-instance/");
        !text.is_empty()
            && !text.starts_with("arn:")
            && (variable != "InstanceId" || text.starts_with(if hybrid { "mi-" } else { "i-" }))
    }

    fn cleaned(&self, text: &str, variable: &str) -> String {
        let text = match variable {
            "ParameterNameWithoutLeadingSlash" => text.trim_start_matches('/').split(':').next().unwrap_or(text),
            "QueueName" => text.rsplit('/').next().unwrap_or(text),
            "KeyId" if text.starts_with("alias/") => return "*".to_owned(), // an alias is not the key's name
            "SecretId" => return format!("{}-??????", escaped(text)),
            _ => text,
        };
        escaped(text)
    }

    /// Documents of AWS have no account; of public parameters it is not certain, so both forms are needed.
    fn variants(&self, text: &str) -> Vec<Pattern> {
        let Some(arn) = Arn::parse(text).filter(|a| a.service == "ssm") else { return vec![Pattern::parse(text)] };
        let ownerless = Arn { account: "", ..arn }.to_string();
        if arn.resource.strip_prefix("document/").is_some_and(|name| self.catalog.is_aws_document(name)) {
            return vec![Pattern::parse(&ownerless)];
        }
        if arn.resource.starts_with("parameter/aws/service/") {
            return vec![Pattern::parse(text), Pattern::parse(&ownerless)];
        }
        vec![Pattern::parse(text)]
    }

    /// The resource type of the account and region, with what the record names of it: what is left when it does not name all.
    fn pinned(&self, action: &Action, kind: &str, format: &ArnFormat) -> Pattern {
        self.filled(action, format, |name| match self.values(action, kind, name, format).as_slice() {
            [only] => only.clone(),
            _ => "*".to_owned(),
        })
    }

    /// The format where the record was made, with these values of its own variables.
    fn filled(&self, action: &Action, format: &ArnFormat, value: impl Fn(&str) -> String) -> Pattern {
        let filled = |piece: &Piece| match piece {
            Piece::Text(text) => escaped(text),
            Piece::Variable(name) => self.place(action, name).map_or_else(|| value(name), str::to_owned),
        };
        Pattern::parse(&format.pieces().iter().map(filled).collect::<String>())
    }

    /// A bucket is mostly named even where its objects are not (`DeleteObjects`).
    fn values_of_bucket(&self) -> String {
        self.record.request_parameters.get("bucketName").and_then(Value::as_str).map_or_else(|| "*".to_owned(), escaped)
    }

    /// The account that owns what was called: that of a parameter, else the caller's, else the recipient's.
    fn account(&self, action: &Action) -> &str {
        let owners = self.catalog.shapes.owners.iter().filter(|row| row.service.eq_ignore_ascii_case(action.service()));
        let mut named = owners.flat_map(|row| &row.parameters).filter_map(|p| self.record.request_parameters.get(p)?.as_str());
        let is_account = |part: &&str| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit());
        let named = named.find_map(|value| value.split('/').find(is_account));
        let identity = named.or(self.record.user_identity.account_id.as_deref());
        identity.or(self.record.recipient_account_id.as_deref()).unwrap_or("*")
    }
}

/// Whether a type is what an action works on, and access points the only other way to name it: the reference calls both
/// optional then.
fn besides_access_points(facts: &ActionFacts, kind: &str) -> bool {
    let mut others = facts.types.iter().map(|(other, _)| other).filter(|other| !other.starts_with("accesspoint"));
    facts.types.len() > 1 && others.next().is_some_and(|only| only == kind) && others.next().is_none()
}

/// The resource that IAM is asked about: a parameter without the version or label of its selector, a log group without what
/// stands for its streams.
fn asked_about(arn: &str) -> String {
    let whole = arn.strip_suffix(":*").unwrap_or(arn);
    match Arn::parse(whole) {
        Some(parsed) if parsed.service == "ssm" && parsed.resource.starts_with("parameter/") => {
            let resource = parsed.resource.split(':').next().unwrap_or(parsed.resource);
            Arn { resource, ..parsed }.to_string()
        }
        _ => whole.to_owned(),
    }
}

/// The text of a literal as a pattern, with what IAM cannot hold in a document as `?`.
///
/// Source: IAM API Reference, PolicyDocument: tab, line feed, carriage return and U+0020 to U+00FF.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'$' | b'*' | b'?');
    if text.bytes().all(plain) {
        return text.to_owned(); // nearly every name
    }
    let one = |c: char| {
        if matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}') {
            Pattern::literal(c.encode_utf8(&mut [0; 4])).to_string()
        } else {
            "?".to_owned()
        }
    };
    text.chars().map(one).collect()
}

/// The texts at a path such as `instancesSet.items.instanceId`; lists are walked.
fn at_path<'v>(value: &'v Value, path: &str) -> Vec<&'v str> {
    let Some((first, rest)) = path.split_once('.') else {
        return value.get(path).map(strings).unwrap_or_default();
    };
    match value.get(first) {
        Some(Value::Array(list)) => list.iter().flat_map(|v| at_path(v, rest)).collect(),
        Some(inner) => at_path(inner, rest),
        None => Vec::new(),
    }
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
