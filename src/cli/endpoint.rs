//! VPC endpoints that `policyc.toml` configures: their policies, from those of the roles behind them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::stack::{Context, Derived, StackResult, Templates, certificate_path, values};
use super::{check, files, print, question, stack};
use crate::catalog::Catalog;
use crate::catalog::endpoints::Repository;
use crate::compile::endpoint::{CompiledEndpoint, EndpointRequest, RoleBehind, behind, compile_endpoint, prove, subjects};
use crate::derive::Baseline;
use crate::emit::StackValues;
use crate::emit::endpoint::{Endpoint, EndpointPlacement, place_endpoint, values_of};
use crate::emit::place::Placed;
use crate::emit::render::About;
use crate::emit::routes::{images, roles_behind};
use crate::finding::{Code, Finding};
use crate::iam::everyone;
use crate::prove::certificate::Subject;
use crate::review::endpoint::{EndpointReport, EndpointView};
use crate::review::{diff, escape, render};
use crate::stack::config::EndpointConfig;
use crate::template::{Document, Format};

/// One endpoint, derived.
pub(super) struct DerivedEndpoint {
    /// Where its policy is written.
    pub(super) policy: PathBuf,
    /// The template that it stands in.
    pub(super) template: PathBuf,
    pub(super) compiled: CompiledEndpoint,
    pub(super) report: EndpointReport,
    asked: Asked,
}

/// What is derived of an endpoint.
struct Asked {
    logical_id: String,
    baseline: Baseline,
    service: String,
    physical: Option<String>,
    /// The roles behind it, as indexes into those of the stack.
    roles: Vec<usize>,
    repositories: Vec<&'static Repository>,
}

fn wrong(context: &Context<'_>, wanted: &EndpointConfig, problem: impl std::fmt::Display) -> CliError {
    CliError::configuration(context.request.config, format!("endpoint `{}`: {problem}", wanted.logical_id))
}

/// Derives the policy of an endpoint and prepares its files.
pub(super) fn compile(
    context: &Context<'_>,
    wanted: &EndpointConfig,
    result: &mut StackResult,
    templates: &mut Templates,
) -> Result<(), CliError> {
    let path = context.home.join(&wanted.template);
    let bytes = match templates.get(&path) {
        Some(bytes) => bytes.clone(),
        None => files::read(&path)?,
    };
    let doc = Document::parse(&bytes).map_err(|e| CliError::input(&path, e))?;
    let found = Endpoint::find(&doc, &wanted.logical_id).map_err(|e| CliError::input(&path, e))?;
    let stack = context.description.stacks.get(&wanted.stack);
    let stack = stack.ok_or_else(|| wrong(context, wanted, format!("the description has no stack `{}`", wanted.stack)))?;
    let known = values_of(&doc, &values(context.description, stack), &wanted.stack);
    let name = found.service(&known).map_err(|e| CliError::input(&path, e))?;
    let service = Catalog::embedded().endpoint_service(&name);
    let service = service.ok_or_else(|| wrong(context, wanted, format!("which actions `{name}` carries is not known")))?;
    let policy = context.home.join(&wanted.policy);
    let (baseline, mut findings, kept) = baseline(context, wanted, &doc, &found, &known)?;
    result.outputs.extend(kept);
    let ids = roles(context, wanted, &doc, &found)?;
    let asked = Asked {
        logical_id: wanted.logical_id.clone(),
        baseline,
        service: service.to_owned(),
        physical: stack.resources.get(&wanted.logical_id).cloned(),
        roles: indexes(context, wanted, &ids, &result.roles)?,
        repositories: repositories(context, wanted, &doc, &ids)?,
    };
    let catalog = Catalog::embedded();
    let mut compiled = with_request(&asked, &result.roles, |request| compile_endpoint(request, context.ledger, catalog));
    if context.request.inject {
        let placed = inject(context, wanted, &compiled, &known, &path, &bytes)?;
        findings.extend(placed.findings);
        result.templates.entry(path.clone()).or_insert(bytes);
        templates.insert(path.clone(), placed.bytes);
    }
    compiled.findings.extend(findings);
    let (report, certificate) = with_request(&asked, &result.roles, |request| {
        let certificate = compiled.certificate(&files::name(&policy), request, &result.facts);
        (compiled.report(&wanted.stack, request, certificate.clone(), catalog), certificate.write())
    });
    result.outputs.push((policy.clone(), compiled.document.clone().into_bytes()));
    result.outputs.push((certificate_path(&policy), certificate));
    for role in &asked.roles {
        result.roles.get_mut(*role).into_iter().for_each(|role| role.report.endpoints.push(report.clone()));
    }
    result.endpoints.push(DerivedEndpoint { policy, template: path, compiled, report, asked });
    Ok(())
}

fn inject(
    context: &Context<'_>,
    wanted: &EndpointConfig,
    compiled: &CompiledEndpoint,
    known: &StackValues,
    path: &Path,
    bytes: &[u8],
) -> Result<Placed, CliError> {
    let command = format!("policyc derive --stack {}", context.request.name);
    let baseline = baseline_name(wanted);
    let about = About { id: &wanted.logical_id, endpoint: true, baseline: &baseline, command: &command, ..About::default() };
    let placement = EndpointPlacement {
        endpoint: &wanted.logical_id,
        policy: &compiled.policy,
        reasons: &compiled.reasons,
        about,
        templates: context.sections,
        values: known,
    };
    place_endpoint(bytes, &placement, Catalog::embedded()).map_err(|e| stack::unplaced(e, context.request.config, path))
}

/// What the baseline is called: its file, relative to the configuration.
pub(super) fn baseline_name(wanted: &EndpointConfig) -> String {
    let beside = || Path::new(&wanted.policy).with_extension("baseline.json").to_string_lossy().into_owned();
    wanted.baseline.clone().unwrap_or_else(beside)
}

type Kept = Option<(PathBuf, Vec<u8>)>;

/// What the policy stays inside: the file that is configured; else what the endpoint had before policyc wrote its policy,
/// which is kept in a file beside the policy: without it, each derivation would stay inside the last one.
fn baseline(
    context: &Context<'_>,
    wanted: &EndpointConfig,
    doc: &Document,
    endpoint: &Endpoint<'_>,
    known: &StackValues,
) -> Result<(Baseline, Vec<Finding>, Kept), CliError> {
    let name = baseline_name(wanted);
    let path = context.home.join(&name);
    let ours = endpoint.is_ours() || (doc.format() == Format::Json && path.is_file());
    let mut findings = Vec::new();
    let bytes = if wanted.baseline.is_some() || ours {
        if wanted.baseline.is_none() && !path.is_file() {
            let problem = "which says what the endpoint had before, is gone; restore it, or name another file with `baseline`";
            return Err(wrong(context, wanted, format!("the template has a policy of policyc, and `{name}`, {problem}")));
        }
        files::read(&path)?
    } else {
        let now = endpoint.policy(known);
        let now = now.map_err(|e| wrong(context, wanted, format!("{e}; name a file with `baseline` that says what it is")))?;
        let what = if now.is_some() { "the policy that the template has" } else { "everything: the template has no policy" };
        let message = format!("the baseline of `{}` is {what}; it is kept in {name}", wanted.logical_id);
        findings.push(Finding::new(Code::TemplateNote, message));
        match now {
            Some(json) => format!("{json:#}\n").into_bytes(),
            None => format!("{}\n", everyone::FULL_ACCESS).into_bytes(),
        }
    };
    let json = serde_json::from_slice(&bytes).map_err(|e| CliError::input(&path, e))?;
    let baseline = Baseline {
        name: files::name(&path),
        version: String::new(),
        sha256: question::digest(&bytes),
        policy: everyone::read(&json).map_err(|e| wrong(context, wanted, format!("its baseline: {e}")))?.modern(),
        bytes: bytes.clone(),
    };
    Ok((baseline, findings, wanted.baseline.is_none().then_some((path, bytes))))
}

/// The roles behind the endpoint: those that the template shows, or all that are configured.
fn roles(
    context: &Context<'_>,
    wanted: &EndpointConfig,
    doc: &Document,
    endpoint: &Endpoint<'_>,
) -> Result<BTreeSet<String>, CliError> {
    let named: BTreeSet<String> = wanted.roles.iter().cloned().collect();
    match roles_behind(doc, &wanted.logical_id, endpoint) {
        Ok(shown) if named.is_empty() => Ok(shown),
        Ok(shown) => match shown.difference(&named).next() {
            Some(role) => {
                Err(wrong(context, wanted, format!("the template shows that `{role}` is behind it too; add it to `roles`")))
            }
            None => Ok(named),
        },
        Err(_) if !named.is_empty() => Ok(named),
        Err(why) => Err(wrong(
            context,
            wanted,
            format!(
                "which roles are behind it is not to be seen: {why}; its policy limits all of them, so name them with `roles`"
            ),
        )),
    }
}

/// The derived roles of these logical ids: those of the endpoint's own stack first.
fn indexes(
    context: &Context<'_>,
    wanted: &EndpointConfig,
    ids: &BTreeSet<String>,
    derived: &[Derived],
) -> Result<Vec<usize>, CliError> {
    let one = |id: &String| {
        let same: Vec<usize> = (0..derived.len()).filter(|n| derived.get(*n).is_some_and(|d| d.logical_id == *id)).collect();
        let own = same.iter().copied().find(|n| derived.get(*n).is_some_and(|d| d.stack == wanted.stack));
        match (own, same.as_slice()) {
            (Some(own), _) => Ok(own),
            (None, [other]) if wanted.roles.contains(id) => Ok(*other),
            _ => Err(wrong(
                context,
                wanted,
                format!(
                    "`{id}` is behind it, and what that role needs is not known; configure it as a `[[stack.{}.role]]`",
                    context.request.name
                ),
            )),
        }
    };
    ids.iter().map(one).collect()
}

/// The package repositories that the instances read from: the configured ones, those of their images, or all there are.
fn repositories(
    context: &Context<'_>,
    wanted: &EndpointConfig,
    doc: &Document,
    roles: &BTreeSet<String>,
) -> Result<Vec<&'static Repository>, CliError> {
    let all: Vec<&'static Repository> = Catalog::embedded().repositories(&context.description.region).collect();
    if let Some(named) = &wanted.repositories {
        let known: BTreeSet<&str> = Catalog::embedded().endpoints.repositories.iter().map(|r| r.id.as_str()).collect();
        if let Some(name) = named.iter().find(|name| !known.contains(name.as_str())) {
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(wrong(context, wanted, format!("`{name}` is no package repository that is known; there are {known}")));
        }
        return Ok(all.into_iter().filter(|r| named.contains(&r.id)).collect());
    }
    let of = |image: &String| all.iter().copied().find(|r| r.images.iter().any(|part| image.contains(part.as_str())));
    let told: Option<Vec<&'static Repository>> = images(doc, roles).and_then(|images| images.iter().map(of).collect());
    Ok(match told {
        Some(told) => all.into_iter().filter(|r| told.iter().any(|other| other.id == r.id)).collect(),
        None => all,
    })
}

fn with_request<T>(asked: &Asked, roles: &[Derived], use_it: impl FnOnce(&EndpointRequest<'_>) -> T) -> T {
    let roles: Vec<&Derived> = asked.roles.iter().filter_map(|n| roles.get(*n)).collect();
    let names: Vec<String> = roles.iter().map(|r| files::name(&r.policy)).collect();
    let behind: Vec<RoleBehind<'_>> = roles
        .iter()
        .zip(&names)
        .map(|(r, policy)| RoleBehind { id: &r.logical_id, policy, question: &r.question, compiled: &r.compiled })
        .collect();
    use_it(&EndpointRequest {
        id: &asked.logical_id,
        endpoint: asked.physical.as_deref(),
        service: &asked.service,
        baseline: &asked.baseline,
        roles: &behind,
        repositories: asked.repositories.clone(),
    })
}

/// Prints what became of an endpoint: what was proved, and the difference to its baseline.
pub(super) fn show(derived: &DerivedEndpoint) {
    let view = EndpointView::of(1, &derived.report);
    print::result(&render::summary(&view.summary));
    print::result(&format!("\n{}\n\n", diff::colour(&escape::terminal_lines(&derived.report.difference))));
}

/// Checks the committed certificate of an endpoint's policy against everything it names, and proves the committed policy
/// again.
pub(super) fn certificate_problems(derived: &DerivedEndpoint, result: &StackResult) -> Result<Vec<String>, CliError> {
    let certificate = match check::certificate(&derived.policy)? {
        Ok(certificate) => certificate,
        Err(problem) => return Ok(vec![problem]),
    };
    let policy = check::committed(&derived.policy)?;
    Ok(with_request(&derived.asked, &result.roles, |request| {
        let now = subjects(Subject::of("", "", &policy), request, &result.facts);
        certificate.verify_endpoint(&now, &behind(request), &prove(request, &policy))
    }))
}
