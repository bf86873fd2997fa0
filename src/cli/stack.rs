//! Stacks that `policyc.toml` configures: derive all their roles, write their policies and templates together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::arguments::{Format, RoleArgs, TrailArgs};
use super::endpoint::{self, DerivedEndpoint};
use super::error::CliError;
use super::question::{self, RoleName};
use super::{Outcome, Verdict, derive, files, observe, print};
use crate::catalog::Catalog;
use crate::compile::{Compiled, Facts, compile};
use crate::derive::Question;
use crate::emit::StackValues;
use crate::emit::place::{PlaceError, Placement, place};
use crate::emit::render::{About, SectionTemplates};
use crate::finding::Finding;
use crate::ledger::Ledger;
use crate::review::report::Report;
use crate::review::{render, summary};
use crate::stack::config::{ATTACHED, Config, RoleConfig, StackConfig};
use crate::stack::{Role, Stack, StackDescription};
use crate::trail::Interest;

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) name: &'a str,
    pub(super) config: &'a Path,
    pub(super) inject: bool,
    pub(super) limit: usize,
}

/// One role of the stack, derived.
pub(super) struct Derived {
    /// The stack it belongs to.
    pub(super) stack: String,
    pub(super) logical_id: String,
    /// The role's ARN.
    #[cfg_attr(not(feature = "aws"), allow(dead_code))] // only an account is asked by it
    pub(super) arn: String,
    /// Where its policy is written.
    pub(super) policy: PathBuf,
    pub(super) question: Question,
    pub(super) compiled: Compiled,
    pub(super) report: Report,
    /// The template it is injected into, where one is configured.
    pub(super) template: Option<PathBuf>,
}

/// Everything a stack's derivation gives: the roles, the endpoints, and every file as it should be.
pub(super) struct StackResult {
    pub(super) roles: Vec<Derived>,
    pub(super) endpoints: Vec<DerivedEndpoint>,
    pub(super) outputs: Vec<(PathBuf, Vec<u8>)>,
    /// The templates as they were read.
    pub(super) templates: BTreeMap<PathBuf, Vec<u8>>,
    /// What the certificates say of ledger and catalogue.
    pub(super) facts: Facts,
}

/// Where the certificate of a policy lies: beside it.
pub(super) fn certificate_path(policy: &Path) -> PathBuf {
    policy.with_extension("certificate.json")
}

impl StackResult {
    pub(super) fn refused(&self) -> bool {
        self.roles.iter().any(|r| r.compiled.derivation.refused()) || self.endpoints.iter().any(|e| e.compiled.refused())
    }

    /// Every role, to be judged by others.
    #[cfg(feature = "aws")]
    pub(super) fn subjects(&mut self) -> Vec<super::opinion::Subject<'_>> {
        let mut subjects = Vec::new();
        for Derived { arn, question, compiled, report, .. } in &mut self.roles {
            subjects.push(super::opinion::Subject { arn: arn.clone(), question, compiled, report, committed: None });
        }
        subjects
    }

    pub(super) fn reports(&self) -> BTreeMap<&str, &Report> {
        self.roles.iter().map(|r| (r.logical_id.as_str(), &r.report)).collect()
    }

    pub(super) fn show(&self, format: Format) -> Result<(), CliError> {
        if format == Format::Json {
            print::result(&String::from_utf8_lossy(&derive::json(&self.reports())?));
            return Ok(());
        }
        // An endpoint is shown once, after all roles.
        for role in &self.roles {
            let report = Report { endpoints: Vec::new(), ..role.report.clone() };
            derive::show(&role.question, &role.compiled, &report, format)?;
        }
        self.endpoints.iter().for_each(endpoint::show);
        let (roles, endpoints): (Vec<_>, Vec<_>) =
            (self.roles.iter().map(|r| &r.report).collect(), self.endpoints.iter().map(|e| &e.report).collect());
        print::result(&render::summary(&summary::overview(&roles, &endpoints)));
        Ok(())
    }
}

/// Shows and writes what `policyc derive --stack NAME` gives.
pub(super) fn derive(mut result: StackResult, format: Format, dry_run: bool, report: Option<&Path>) -> Outcome {
    result.show(format)?;
    if result.refused() {
        print::note("nothing was written: an error finding forbids it (see above)");
        return Ok(Verdict::No);
    }
    if let Some(path) = report {
        result.outputs.push((path.to_owned(), derive::json(&result.reports())?));
    }
    if dry_run {
        return Ok(Verdict::Done);
    }
    let changed = files::write_over(&result.outputs, &result.templates)?;
    let names: String = changed.iter().map(|p| format!(" {}", p.display())).collect();
    print::note(&format!(
        "{} of {} files changed{}{names}",
        changed.len(),
        result.outputs.len(),
        if changed.is_empty() { "" } else { ":" }
    ));
    Ok(Verdict::Done)
}

/// What all roles and endpoints of a stack share.
pub(super) struct Context<'a> {
    pub(super) request: &'a Request<'a>,
    config: &'a StackConfig,
    pub(super) home: &'a Path,
    pub(super) description: &'a StackDescription,
    pub(super) ledger: &'a Ledger,
    /// What renders the sections.
    pub(super) sections: &'a SectionTemplates,
    /// What reading the trail found.
    found: Vec<Finding>,
}

/// The templates as they will be, by path.
pub(super) type Templates = BTreeMap<PathBuf, Vec<u8>>;

/// Derives every role of a stack and prepares every file; writes nothing.
pub(super) fn compile_stack(request: &Request<'_>) -> Result<StackResult, CliError> {
    let (config, home) = load_config(request.name, request.config)?;
    let path = home.join(&config.description);
    let description: StackDescription =
        serde_json::from_slice(&files::read(&path)?).map_err(|e| CliError::configuration(&path, e))?;
    let trail = TrailArgs {
        trail: config.trail.iter().map(|t| home.join(t)).collect(),
        skip_unreadable: false,
        coverage: config.coverage.as_ref().map(|c| home.join(c)),
    };
    let roles = config.role.iter().map(|r| find(&description, r, request.config)).collect::<Result<Vec<_>, _>>()?;
    let interest =
        Interest { account: Some(description.account.clone()), roles: roles.iter().map(|(_, r)| r.name.clone()).collect() };
    let (ledger, found) = observe::observe(&trail, interest, Catalog::embedded())?;

    let sections = section_templates(config.section_templates.as_ref().map(|folder| home.join(folder)).as_deref())?;
    let mut result = StackResult {
        roles: Vec::new(),
        endpoints: Vec::new(),
        outputs: Vec::new(),
        templates: BTreeMap::new(),
        facts: Facts::of(&ledger, Catalog::embedded()),
    };
    let context =
        Context { request, config: &config, home: &home, description: &description, ledger: &ledger, sections: &sections, found };
    let mut templates = Templates::new();
    for (wanted, (stack, role)) in config.role.iter().zip(&roles) {
        compile_role(&context, wanted, (stack, role), &mut result, &mut templates)?;
    }
    for wanted in &config.endpoint {
        endpoint::compile(&context, wanted, &mut result, &mut templates)?;
    }
    result.outputs.extend(templates);
    Ok(result)
}

/// Derives one role and prepares its files.
fn compile_role(
    context: &Context<'_>,
    wanted: &RoleConfig,
    (stack, role): (&Stack, &Role),
    result: &mut StackResult,
    templates: &mut Templates,
) -> Result<(), CliError> {
    let question = ask(context, wanted, role)?;
    let mut compiled = compile(&question, context.ledger, Catalog::embedded());
    compiled.tell(context.found.iter().cloned().chain(role.findings()).collect());
    let template = wanted.template.as_ref().map(|t| context.home.join(t));
    if let Some(path) = template.as_ref().filter(|_| context.request.inject) {
        let bytes = match templates.remove(path) {
            Some(bytes) => bytes,
            None => {
                let bytes = files::read(path)?;
                result.templates.insert(path.clone(), bytes.clone());
                bytes
            }
        };
        templates.insert(path.clone(), inject(context, wanted, stack, &question, &mut compiled, (path, &bytes))?);
    }
    let policy = context.home.join(&wanted.policy);
    let certificate = compiled.certificate(&files::name(&policy), &question, &result.facts);
    result.outputs.push((policy.clone(), compiled.document.clone().into_bytes()));
    result.outputs.push((certificate_path(&policy), certificate.write()));
    let mut report = Report::new(&question, context.ledger, &compiled.derivation, compiled.proof.clone());
    report.certificate = Some(certificate);
    report.logical_id = Some(wanted.logical_id.clone());
    let (stack, logical_id, arn) = (wanted.stack.clone(), wanted.logical_id.clone(), role.arn.clone());
    result.roles.push(Derived { stack, logical_id, arn, policy, question, compiled, report, template });
    Ok(())
}

/// What a configured stack is judged by.
pub(super) struct Sources {
    pub(super) description: PathBuf,
    pub(super) baseline: String,
    pub(super) coverage: Option<PathBuf>,
}

/// Reads which description, baseline and coverage `policyc.toml` gives a stack.
pub(super) fn sources(name: &str, file: &Path) -> Result<Sources, CliError> {
    let (config, home) = load_config(name, file)?;
    let (description, baseline) = (home.join(&config.description), policy_name(&config.baseline, &home));
    Ok(Sources { description, baseline, coverage: config.coverage.map(|c| home.join(c)) })
}

/// A policy as the configuration names it: a file beside it, else a name or ARN.
fn policy_name(named: &str, home: &Path) -> String {
    let file = home.join(named);
    if file.is_file() { file.to_string_lossy().into_owned() } else { named.to_owned() }
}

/// Whether the configuration has a stack of this name.
#[cfg(feature = "aws")]
pub(super) fn is_configured(name: &str, file: &Path) -> Result<bool, CliError> {
    if !file.is_file() {
        return Ok(false);
    }
    let text = String::from_utf8_lossy(&files::read(file)?).into_owned();
    let config = Config::parse(&text).map_err(|e| CliError::configuration(file, e))?;
    Ok(config.stack.contains_key(name))
}

/// What renders sections: the templates of a folder in the place of policyc's own.
pub(super) fn section_templates(folder: Option<&Path>) -> Result<SectionTemplates, CliError> {
    let mut templates = SectionTemplates::default();
    if let Some(folder) = folder {
        files::templates(folder, |name, text| templates.replace(name, text))?;
    }
    Ok(templates)
}

/// Why a policy cannot be placed: the templates of sections are configuration, and the template is input.
pub(super) fn unplaced(error: PlaceError, config: &Path, template: &Path) -> CliError {
    match error {
        PlaceError::Render(error) => CliError::configuration(config, error),
        error => CliError::input(template, error),
    }
}

pub(super) fn load_config(name: &str, file: &Path) -> Result<(StackConfig, PathBuf), CliError> {
    if !file.is_file() {
        return Err(CliError::usage(format!(
            "`{}` does not exist; stacks are configured there, or use `--trail` and `--role`",
            file.display()
        )));
    }
    let text = String::from_utf8_lossy(&files::read(file)?).into_owned();
    let mut config = Config::parse(&text).map_err(|e| CliError::configuration(file, e))?;
    let known: Vec<String> = config.stack.keys().cloned().collect();
    let stack = config.stack.remove(name);
    let stack = stack.ok_or_else(|| {
        CliError::usage(format!("`{}` configures no stack `{name}`; it has {}", file.display(), known.join(", ")))
    })?;
    let home = file.parent().map(Path::to_owned).unwrap_or_default();
    Ok((stack, home))
}

fn find<'a>(description: &'a StackDescription, wanted: &RoleConfig, config: &Path) -> Result<(&'a Stack, &'a Role), CliError> {
    let stack = description.stacks.get(&wanted.stack);
    let found = stack.and_then(|s| s.roles.get(&wanted.logical_id).map(|r| (s, r)));
    found.ok_or_else(|| {
        CliError::configuration(
            config,
            format!("the description has no role `{}` in a stack `{}`", wanted.logical_id, wanted.stack),
        )
    })
}

fn ask(context: &Context<'_>, wanted: &RoleConfig, role: &Role) -> Result<Question, CliError> {
    let Context { request, config, home, description, ledger, .. } = context;
    let baseline = if config.baseline == ATTACHED {
        question::read(
            role.replaced()
                .map_err(|e| CliError::usage(format!("`{}`: {e}; record the stack, or name a baseline", wanted.logical_id)))?,
        )?
    } else {
        question::baseline(&policy_name(&config.baseline, home))?
    };
    let args = RoleArgs {
        account: Some(description.account.clone()),
        region: Some(description.region.clone()),
        need: wanted.needs.clone(),
        keep: wanted.keeps.clone(),
        boundary: wanted.boundary.as_deref().map(|named| policy_name(named, home)),
        address: role.addresses.iter().chain(&role.endpoints).cloned().collect(),
        allow_shared_role: wanted.allow_shared_role,
        ..RoleArgs::default()
    };
    let mut question =
        question::question(&args, &RoleName::parse(&role.arn)?, baseline, request.limit, ledger, Catalog::embedded())?;
    question.partition.clone_from(&description.partition);
    question.silent.clone_from(&role.silent);
    let kept = role.kept().map_err(|e| CliError::usage(e.to_string()))?;
    let kept = kept.into_iter().map(question::read).collect::<Result<Vec<_>, _>>()?;
    let new = kept.into_iter().filter(|k| !question.kept.iter().any(|named| named.name == k.name)).collect::<Vec<_>>();
    question.kept.extend(new);
    if question.boundary.is_none() {
        question.boundary = question::boundary(role)?;
    }
    let stack = description.stacks.get(&wanted.stack);
    question.names = stack.into_iter().flat_map(|s| &s.resources).map(|(id, name)| (name.clone(), id.clone())).collect();
    Ok(question)
}

/// What is known of a deployed stack.
pub(super) fn values(description: &StackDescription, stack: &Stack) -> StackValues {
    StackValues {
        partition: description.partition.clone(),
        region: description.region.clone(),
        account: description.account.clone(),
        names: stack.resources.iter().chain(&stack.parameters).map(|(k, v)| (k.clone(), v.clone())).collect(),
        ..StackValues::default()
    }
}

fn inject(
    context: &Context<'_>,
    wanted: &RoleConfig,
    stack: &Stack,
    question: &Question,
    compiled: &mut Compiled,
    (path, bytes): (&Path, &[u8]),
) -> Result<Vec<u8>, CliError> {
    let Context { request, sections, .. } = context;
    let values = values(context.description, stack);
    let baseline = format!("{} {}", question.baseline.name, question.baseline.version);
    let command = format!("policyc derive --stack {}", request.name);
    let about = About { id: &wanted.logical_id, baseline: baseline.trim_end(), command: &command, ..About::default() };
    let placed = place(
        bytes,
        &Placement {
            role: &wanted.logical_id,
            replaces: &question.baseline.name,
            attach_as: wanted.attach_as,
            policy: &compiled.derivation.policy,
            reasons: &compiled.reasons(),
            about,
            templates: sections,
            values: &values,
        },
        Catalog::embedded(),
    )
    .map_err(|e| unplaced(e, request.config, path))?;
    compiled.tell(placed.findings);
    Ok(placed.bytes)
}
