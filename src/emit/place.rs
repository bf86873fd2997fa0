//! A derived policy at its place in a template: made portable, put in, read back, and compared with what was derived.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::finding::{Code, Finding};
use crate::iam::Policy;
use crate::stack::config::AttachAs;
use crate::template::{Document, Node, TemplateError};

use super::cloudformation::{self, InjectError, Injection, Note};
use super::mapping::{RegionalName, map_name, mappings};
use super::portable::{Named, Portable, PortableNote, Substitutions, portable};
use super::references::References;
use super::render::{About, RenderError, SectionTemplates};
use super::resolve::{ResolveError, StackValues, resolve};
use super::role::{Attached, managed};
use super::separate;

/// The name of the inline policy that policyc writes.
pub const POLICY_NAME: &str = "policyc";

/// What is put where.
#[derive(Debug, Clone, Copy)]
pub struct Placement<'a> {
    /// The logical id of the role.
    pub role: &'a str,
    /// The managed policy that it replaces, by name or ARN; nothing where the baseline is not attached. Of several, all of them with
    /// ` + ` between: no name of a policy has a space.
    pub replaces: &'a str,
    /// What the policy becomes.
    pub attach_as: AttachAs,
    /// The policy.
    pub policy: &'a Policy,
    /// Why each statement is there, by `Sid`.
    pub reasons: &'a BTreeMap<String, Vec<String>>,
    /// What the section says of itself.
    pub about: About<'a>,
    /// What renders it.
    pub templates: &'a SectionTemplates,
    /// The real values of the stack.
    pub values: &'a StackValues,
}

/// A template with the policy in it.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The template.
    pub bytes: Vec<u8>,
    /// What there is to tell.
    pub findings: Vec<Finding>,
}

/// Why a template is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The template cannot be read, or not edited.
    #[error(transparent)]
    Inject(#[from] InjectError),
    /// There is no such endpoint, or its policy is written in another way.
    #[error(transparent)]
    Endpoint(super::endpoint::EndpointError),
    /// The templates that render the section are at fault.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The section cannot be evaluated with the stack's values.
    #[error("the section cannot be compared with the derived policy: {0}")]
    Resolve(#[from] ResolveError),
    /// The section, with the stack's values, is not the policy. This indicates a bug in policyc.
    #[error("the section in the template does not give the derived policy; this is a bug in policyc, please report it")]
    Unfaithful,
}

impl From<TemplateError> for PlaceError {
    fn from(error: TemplateError) -> Self {
        Self::Inject(error.into())
    }
}

/// Puts the policy into the template.
///
/// INVARIANT (placed-is-derived): the section read back from the bytes that are returned and evaluated with the stack's
/// values is exactly the policy.
///
/// # Errors
/// When the template cannot be edited, or the section would not give the policy.
pub fn place(bytes: &[u8], placement: &Placement<'_>, catalog: &Catalog) -> Result<Placed, PlaceError> {
    let document = Document::parse(bytes)?;
    let references = References::of(&document);
    let json = placement.policy.to_value();
    let waiting = match placement.attach_as {
        AttachAs::Inline => Vec::new(),
        _ => separate::waiting(&document, placement.role),
    };
    let portable = portable(&json, &substitutions(&document, placement.role, placement.values, &references, waiting, catalog));
    let section = placement.templates.render(&placement.about, &portable.section, placement.reasons)?;
    let replaced = placement.replaces.split(" + ").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let request = Injection {
        role: placement.role.to_owned(),
        remove_managed: replaced,
        policy_name: POLICY_NAME.to_owned(),
        section: section.document,
        regional: portable.regional.clone(),
        comments: section.comments,
    };
    let (written, notes) = match placement.attach_as {
        AttachAs::Inline => {
            let detached = separate::detach_from(&document, placement.role)?;
            let (written, mut notes) = cloudformation::inject_into(detached.as_ref().unwrap_or(&document), &request)?;
            // What stood there in another form was replaced.
            notes.retain(|note| detached.is_none() || *note != Note::NothingReplaced);
            (written, notes)
        }
        kind => separate::attach_to(&document, &request, kind)?,
    };
    let read = match placement.attach_as {
        AttachAs::Inline => cloudformation::section_of(&written, placement.role, POLICY_NAME)?,
        _ => separate::section_of(&written, placement.role),
    };
    let read = read.ok_or(PlaceError::Unfaithful)?;
    let mut values = StackValues { mappings: mappings(&written), ..placement.values.clone() };
    values.names.extend(parameters(&document, placement.values));
    if resolve(&read, &values)? != json {
        return Err(PlaceError::Unfaithful);
    }
    let mut findings = findings(placement.role, &portable, &notes);
    if notes.contains(&Note::NothingReplaced) && !request.remove_managed.is_empty() {
        findings.push(nothing_replaced(placement, &written));
    }
    Ok(Placed { bytes: written.bytes().to_vec(), findings })
}

/// Every text of the template's own names that may stand in the policy of this role or endpoint, and the buckets whose
/// names follow the region.
pub(super) fn substitutions<'a>(
    document: &Document,
    owner: &'a str,
    values: &StackValues,
    references: &'a References,
    waiting: Vec<String>,
    catalog: &Catalog,
) -> Substitutions<'a> {
    let kind = |id: &str| document.get(&["Resources", id, "Type"]).and_then(Node::as_str);
    let named = |(id, name): (&String, &String)| {
        let row = catalog.shapes.template_names.iter().find(|row| kind(id) == Some(row.kind.as_str()))?;
        Some(Named {
            service: row.service.clone(),
            before: row.before.clone(),
            name: name.clone(),
            id: id.clone(),
            attribute: row.attribute.clone(),
        })
    };
    let names: Vec<Named> = values.names.iter().filter_map(named).collect();
    let given = given_names(document, values, catalog).into_iter().filter(|own| names.iter().all(|n| n.name != own.name));
    let follows: BTreeSet<String> = catalog
        .features()
        .iter()
        .flat_map(|f| catalog.service_buckets(&f.name, &values.region, &[]).buckets)
        .filter(|bucket| bucket.follows_region)
        .map(|bucket| bucket.name)
        .chain(catalog.repositories(&values.region).flat_map(|r| r.buckets(&values.region)))
        .collect();
    Substitutions {
        partition: values.partition.clone(),
        region: values.region.clone(),
        account: values.account.clone(),
        names: names.iter().cloned().chain(given).collect(),
        follows_region: follows,
        by_region: by_region(catalog),
        map: map_name(owner),
        cycles: Some((references, owner)),
        waiting,
    }
}

/// The values of a template's parameters of type `String`, by name: what the stack has, or the default.
pub(super) fn parameters(document: &Document, values: &StackValues) -> BTreeMap<String, String> {
    let all = document.get(&["Parameters"]).into_iter().flat_map(Node::entries);
    let value = |(key, parameter): (Node<'_>, Node<'_>)| {
        let id = key.as_str()?;
        let default = || parameter.get("Default").and_then(Node::scalar).map(str::to_owned);
        let plain = parameter.get("Type").and_then(Node::as_str) == Some("String");
        plain.then(|| values.names.get(id).cloned().or_else(default)).flatten().map(|value| (id.to_owned(), value))
    };
    all.filter_map(value).collect()
}

/// The shortest value of a parameter that is taken for the name of a resource whatever the parameter is called.
const TELLING: usize = 8;

/// Names of resources that parameters hold: a value that no other parameter has, and that is long enough not to be the
/// same by chance, or whose parameter is called after the kind of resource.
fn given_names(document: &Document, values: &StackValues, catalog: &Catalog) -> Vec<Named> {
    let parameters = parameters(document, values);
    let mut found = Vec::new();
    for (id, value) in &parameters {
        if value.is_empty() || parameters.values().filter(|other| *other == value).count() > 1 {
            continue;
        }
        for row in &catalog.shapes.template_names {
            let kind = row.kind.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
            if value.len() >= TELLING || id.to_ascii_lowercase().contains(&kind) {
                let (service, before) = (row.service.clone(), row.before.clone());
                found.push(Named { service, before, name: value.clone(), id: id.clone(), attribute: None });
            }
        }
    }
    found
}

/// The buckets whose names follow no rule, for a `Mappings` entry: kind → region → name.
fn by_region(catalog: &Catalog) -> Vec<RegionalName> {
    let mut kinds: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for (region, names) in &catalog.buckets.regions {
        for (kind, name) in names {
            kinds.entry(kind).or_default().insert(region.clone(), name.clone());
        }
    }
    let key = |kind: &str| -> String {
        let capital = |word: &str| {
            word.chars().enumerate().map(|(n, c)| if n == 0 { c.to_ascii_uppercase() } else { c }).collect::<String>()
        };
        kind.split('-').map(capital).collect()
    };
    kinds.into_iter().map(|(kind, names)| RegionalName { key: key(kind), names }).collect()
}

/// What stays as it is in the template, and why.
pub(super) fn kept_literal(role: &str, portable: &Portable) -> Vec<Finding> {
    let stays = |note: &PortableNote| match note {
        PortableNote::RegionInName { text } => Finding::new(
            Code::RegionInName,
            format!(
                "in `{role}`, `{text}` holds a region and does not exist under that rule in every region, so it stays as it is"
            ),
        )
        .advise("derive again for a stack in another region"),
        PortableNote::Cycle { name, id } => Finding::new(
            Code::RegionInName,
            format!("in `{role}`, `{name}` stays literal: a reference to `{id}` would close a dependency cycle"),
        ),
    };
    portable.notes.iter().map(stays).collect()
}

/// The managed policy was not there, and what is there stays.
fn nothing_replaced(placement: &Placement<'_>, written: &Document) -> Finding {
    let lacks = format!("`{}` does not have `{}`, so nothing was taken off it", placement.role, placement.replaces);
    let named = |attached: Attached| attached.arn.map_or_else(|| "one that functions make".to_owned(), |arn| format!("`{arn}`"));
    let kept: BTreeSet<String> = written.get(&["Resources", placement.role]).into_iter().flat_map(managed).map(named).collect();
    if kept.is_empty() {
        return Finding::new(Code::TemplateNote, format!("{lacks}; it has no managed policy at all"));
    }
    let kept = kept.into_iter().collect::<Vec<_>>().join(", ");
    Finding::new(Code::NothingReplaced, format!("{lacks}; it still has: {kept}"))
        .advise("name what goes: with `--replaces` of `inject`, or as the role's `baseline` in `policyc.toml`")
}

fn findings(role: &str, portable: &Portable, notes: &[Note]) -> Vec<Finding> {
    let told = |note: &Note| match note {
        Note::Conditional { conditions } => Some(format!(
            "in `{role}`, the policy stands under the condition {} as the managed policy did",
            conditions.join(" and ")
        )),
        Note::Unmarked => {
            Some(format!("in `{role}`, an inline policy of the name `{POLICY_NAME}` without policyc's comment was replaced"))
        }
        Note::CommentsDropped(lines) => Some(format!("in `{role}`, {} comment line(s) had no place any more", lines.len())),
        Note::NothingReplaced => None,
    };
    let notes = notes.iter().filter_map(told).map(|text| Finding::new(Code::TemplateNote, text));
    kept_literal(role, portable).into_iter().chain(notes).collect()
}
