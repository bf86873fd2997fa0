//! The policy of a VPC endpoint in a template: what it is today, and another one in its place.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::catalog::Catalog;
use crate::finding::{Code, Finding};
use crate::iam::{Policy, everyone};
use crate::template::{Document, Edit, Entry, Node, Pair, Place, Span, Style, TemplateError, Value};

use super::cloudformation::{InjectError, complete, merged, unshared};
use super::managed::owned;
use super::mapping::{Maps, mappings};
use super::place::{PlaceError, Placed, kept_literal, substitutions};
use super::portable::portable;
use super::references::References;
use super::render::{About, Section, SectionTemplates};
use super::resolve::{ResolveError, StackValues, resolve};
use super::section::{marked, split_comments};

/// The resource type.
pub(super) const ENDPOINT: &str = "AWS::EC2::VPCEndpoint";

/// The property that holds the policy.
const POLICY: &str = "PolicyDocument";

/// Why an endpoint's policy cannot be read. The template, or what is known of its stack, is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The template cannot be read or edited.
    #[error(transparent)]
    Template(#[from] InjectError),
    /// No endpoint has the logical id.
    #[error("the template has no VPC endpoint `{endpoint}`; its endpoints are: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    NoSuchEndpoint {
        /// The logical id asked for.
        endpoint: String,
        /// The endpoints there are.
        known: Vec<String>,
    },
    /// The policy is not written out.
    #[error("`PolicyDocument` of endpoint `{0}` is not written out as a mapping")]
    Shape(String),
    /// Something that the endpoint's properties refer to is not known.
    #[error("{place} of endpoint `{endpoint}` cannot be read: {why}")]
    Unknown {
        /// The logical id.
        endpoint: String,
        /// The property.
        place: &'static str,
        /// What is not known.
        why: ResolveError,
    },
}

/// An endpoint of a template.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'d> {
    doc: &'d Document,
    id: &'d str,
    properties: Node<'d>,
    policy: Option<(usize, Node<'d>)>,
}

impl<'d> Endpoint<'d> {
    /// Finds an endpoint by its logical id.
    ///
    /// # Errors
    /// When the template has none of that id, or brings its properties by a merge or a macro.
    pub fn find(doc: &'d Document, id: &str) -> Result<Self, EndpointError> {
        let resources = doc.get(&["Resources"]);
        let all = || resources.into_iter().flat_map(Node::entries);
        let is = |resource: Node<'_>| resource.get("Type").and_then(Node::as_str) == Some(ENDPOINT);
        let found = all().find(|(key, resource)| key.as_str() == Some(id) && is(*resource));
        let Some((key, resource)) = found else {
            let known = all().filter(|(_, r)| is(*r)).filter_map(|(key, _)| key.as_str().map(str::to_owned)).collect();
            return Err(EndpointError::NoSuchEndpoint { endpoint: id.to_owned(), known });
        };
        merged(resource, &["Properties"])?;
        let properties = resource.get("Properties").filter(|node| node.is_mapping() && node.tag().is_none());
        let properties = properties.ok_or_else(|| EndpointError::Shape(id.to_owned()))?;
        merged(properties, &[POLICY])?;
        complete(properties, id)?;
        let at = properties.entries().position(|(key, _)| key.as_str() == Some(POLICY));
        let policy = at.zip(properties.get(POLICY));
        Ok(Self { doc, id: key.as_str().unwrap_or(""), properties, policy })
    }

    /// A property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<Node<'d>> {
        self.properties.get(name)
    }

    /// The last part of the service name: `s3` of `com.amazonaws.us-east-1.s3`.
    ///
    /// # Errors
    /// When the name is not known, or is not that of a service of AWS in the region.
    pub fn service(&self, stack: &StackValues) -> Result<String, EndpointError> {
        let unknown = |why| EndpointError::Unknown { endpoint: self.id.to_owned(), place: "`ServiceName`", why };
        let name = self.property("ServiceName").and_then(Value::read).unwrap_or(Value::Null);
        let text = resolve(&name, stack).map_err(unknown)?;
        let text = text.as_str().unwrap_or_default();
        match text.split_once(&format!("amazonaws.{}.", stack.region)) {
            Some(("com." | "cn.com." | "aws.", service)) if !service.is_empty() => Ok(service.to_owned()),
            _ => Err(unknown(ResolveError::Unknown(text.to_owned()))),
        }
    }

    /// Whether the route to the service is in route tables; else it is an address in the VPC.
    #[must_use]
    pub fn is_gateway(&self) -> bool {
        self.property("VpcEndpointType").is_none_or(|kind| kind.as_str() == Some("Gateway"))
    }

    /// The policy as it is, with the stack's values; nothing where it has none and lets everything through.
    ///
    /// # Errors
    /// When it is not written out, or refers to something that is not known.
    pub fn policy(&self, stack: &StackValues) -> Result<Option<Json>, EndpointError> {
        let Some((_, node)) = self.policy else { return Ok(None) };
        if super::function::is_absent(node) {
            return Ok(None);
        }
        let value = self.written_out(node)?;
        let known = resolve(&value, stack);
        known.map(Some).map_err(|why| EndpointError::Unknown { endpoint: self.id.to_owned(), place: "`PolicyDocument`", why })
    }

    /// The first and the last line of the policy, counted from 1; of all properties where the endpoint has none.
    #[must_use]
    pub fn lines(&self) -> (usize, usize) {
        let own = self.policy.and_then(|(index, _)| self.doc.child_span(self.properties, index));
        let span = own.unwrap_or_else(|| self.properties.full_span());
        (self.doc.position(span.start).0, self.doc.position(span.end.saturating_sub(1)).0)
    }

    fn written_out(&self, node: Node<'_>) -> Result<Value, EndpointError> {
        let value = Value::read(node).filter(|value| matches!(value, Value::Map(_)));
        value.ok_or_else(|| EndpointError::Shape(self.id.to_owned()))
    }

    /// Whether policyc wrote the policy; where the format has no comments, that cannot be told.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.policy.is_some_and(|(index, _)| split_comments(self.properties, index).1.is_some())
    }
}

/// What a stack knows beside the names of its resources: the defaults of parameters, ARNs that follow from names, pseudo
/// parameters.
#[must_use]
pub fn values_of(doc: &Document, stack: &StackValues, stack_name: &str) -> StackValues {
    let mut values = StackValues { mappings: mappings(doc), ..stack.clone() };
    let suffix = if stack.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    values.names.insert("AWS::URLSuffix".to_owned(), suffix.to_owned());
    values.names.insert("AWS::StackName".to_owned(), stack_name.to_owned());
    for (key, parameter) in doc.get(&["Parameters"]).into_iter().flat_map(Node::entries) {
        if let (Some(name), Some(default)) = (key.as_str(), parameter.get("Default").and_then(Node::scalar)) {
            values.names.entry(name.to_owned()).or_insert_with(|| default.to_owned());
        }
    }
    let (partition, region, account) = (&stack.partition, &stack.region, &stack.account);
    for (key, resource) in doc.get(&["Resources"]).into_iter().flat_map(Node::entries) {
        let (Some(id), Some(kind)) = (key.as_str(), resource.get("Type").and_then(Node::as_str)) else { continue };
        let Some(name) = stack.names.get(id) else { continue };
        let arn = match kind {
            "AWS::S3::Bucket" => format!("arn:{partition}:s3:::{name}"),
            "AWS::IAM::Role" => format!("arn:{partition}:iam::{account}:role/{name}"),
            "AWS::Logs::LogGroup" => format!("arn:{partition}:logs:{region}:{account}:log-group:{name}:*"),
            _ => continue,
        };
        values.names.entry(format!("{id}.Arn")).or_insert(arn);
    }
    values
}

/// What is put where.
#[derive(Debug, Clone, Copy)]
pub struct EndpointPlacement<'a> {
    /// The logical id of the endpoint.
    pub endpoint: &'a str,
    /// The policy, without the principal, which is everyone.
    pub policy: &'a Policy,
    /// Why each statement is there, by `Sid`.
    pub reasons: &'a BTreeMap<String, Vec<String>>,
    /// What the policy says of itself.
    pub about: About<'a>,
    /// What renders it.
    pub templates: &'a SectionTemplates,
    /// The real values of the stack.
    pub values: &'a StackValues,
}

/// Puts the policy into the endpoint of the template.
///
/// INVARIANT (placed-endpoint-is-derived): the policy read back from the bytes that are returned and evaluated with the
/// stack's values is exactly the policy. Placing one after another leaves what the last one alone would have left.
///
/// # Errors
/// When the template cannot be edited, or what stands there would not give the policy.
pub fn place_endpoint(bytes: &[u8], placement: &EndpointPlacement<'_>, catalog: &Catalog) -> Result<Placed, PlaceError> {
    let document = Document::parse(bytes)?;
    let endpoint = Endpoint::find(&document, placement.endpoint)?;
    let references = References::of(&document);
    let json = everyone::write(placement.policy);
    let portable =
        portable(&json, &substitutions(&document, placement.endpoint, placement.values, &references, Vec::new(), catalog));
    let section = placement.templates.render(&placement.about, &portable.section, placement.reasons)?;
    let maps = Maps::find(&document, endpoint.id);
    let own = endpoint.policy.and_then(|(index, _)| document.child_span(endpoint.properties, index));
    let skip: Vec<Span> = own.into_iter().chain(maps.skip()).collect();
    let style = Style::around(endpoint.properties, &skip);
    let mut edits = endpoint.edits(section, &style)?;
    edits.extend(maps.edits(&portable.regional, &style)?);
    unshared(&document, &edits)?;
    let written = document.apply(edits)?;

    let values = StackValues { mappings: mappings(&written), ..placement.values.clone() };
    let again = Endpoint::find(&written, placement.endpoint)?;
    let read = again.policy.and_then(|(_, node)| Value::read(node)).ok_or(PlaceError::Unfaithful)?;
    if resolve(&read, &values)? != json {
        return Err(PlaceError::Unfaithful);
    }
    let mut findings = kept_literal(placement.endpoint, &portable);
    let gone = endpoint.policy.and_then(|(index, _)| document.replaced_span(endpoint.properties, index));
    let gone = gone.map_or(0, |gone| document.comments_within(gone).count());
    if gone > 0 && !endpoint.is_ours() {
        let message = format!("in `{}`, {gone} comment line(s) of the replaced policy went with it", placement.endpoint);
        findings.push(Finding::new(Code::TemplateNote, message));
    }
    Ok(Placed { bytes: written.bytes().to_vec(), findings })
}

impl Endpoint<'_> {
    fn edits(&self, section: Section, style: &Style) -> Result<Vec<Edit>, PlaceError> {
        let resources = self.doc.get(&["Resources"]);
        let above = [resources, resources.and_then(|all| all.get(self.id)), Some(self.properties)];
        above.into_iter().flatten().try_for_each(owned)?;
        let pair = Pair { comments: marked(&section.comments), key: POLICY.to_owned(), value: section.document };
        let place = match self.policy {
            Some((index, node)) => {
                owned(node)?;
                if !super::function::is_absent(node) {
                    self.written_out(node)?;
                }
                let from = split_comments(self.properties, index).1.map(|comment| comment.start);
                Place::Over { index, from }
            }
            None => Place::End,
        };
        let edits: Result<Vec<Edit>, TemplateError> = self.doc.put(self.properties, place, Entry::Pair(&pair), style);
        Ok(edits?)
    }
}

impl From<EndpointError> for PlaceError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Template(inject) => Self::Inject(inject),
            other => Self::Endpoint(other),
        }
    }
}
