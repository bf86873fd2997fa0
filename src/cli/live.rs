//! `policyc derive --stack NAME` for a stack that no policyc.toml configures: everything comes from the account.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::arguments::{Format, RoleArgs};
use super::error::CliError;
use super::fetch::{self, ActivityArgs};
use super::question::{self, RoleName};
use super::{Outcome, Verdict, derive, files, print};
use crate::aws::connect::Account;
use crate::aws::discover::{Discovery, Where, discover};
use crate::aws::lookup::Patience;
use crate::catalog::Catalog;
use crate::compile::{Facts, compile};
use crate::derive::Question;
use crate::emit::place::POLICY_NAME;
use crate::emit::separate;
use crate::finding::Finding;
use crate::ledger::Ledger;
use crate::review::report::Report;
use crate::stack::attached::AttachedError;
use crate::stack::{Role, Stack, StackDescription};

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) name: &'a str,
    pub(super) activity: &'a ActivityArgs,
    pub(super) opinion: &'a super::opinion::OpinionArgs,
    /// What applies to every role: `--need`, `--keep`, `--address`, `--instance`, `--allow-shared-role`.
    pub(super) role: &'a RoleArgs,
    /// The policy to stay inside; otherwise what AWS manages of what is attached.
    pub(super) baseline: Option<&'a str>,
    pub(super) limit: usize,
    /// The folder for the policies.
    pub(super) out: Option<PathBuf>,
    pub(super) report: Option<PathBuf>,
    pub(super) format: Format,
}

/// Describes stacks through the account.
pub(super) fn described(account: &Account, names: &BTreeSet<String>) -> Result<Discovery, CliError> {
    let (partition, id, region) = (account.partition.clone(), account.id.clone(), account.region.clone());
    let place = Where { partition, account: id, region };
    let found = account.runtime.block_on(discover(names, &place, &account.config, Patience::default()));
    let found = found.map_err(|e| CliError::Aws(e.to_string()))?;
    for other in &found.others {
        print::note(&format!("{other}: a role that no instance uses; it is left out"));
    }
    for (stack, listed) in &found.description.stacks {
        for (id, role) in &listed.roles {
            let running = found.machines.iter().filter(|m| m.role == role.name && m.running).count();
            let attached: Vec<&str> = role.policies.iter().map(|p| p.name.as_str()).collect();
            print::note(&format!("{stack}: role {id}, {running} instance(s) running, attached: {}", attached.join(", ")));
        }
    }
    Ok(found)
}

/// The names of what an earlier derivation put on a role.
pub(super) fn own(id: &str, stack: &Stack) -> Vec<String> {
    let beside = stack.resources.get(&separate::policy_id(id)).cloned();
    [POLICY_NAME.to_owned()].into_iter().chain(beside).collect()
}

/// Derives every role of the stack.
pub(super) fn run(account: &Account, request: &Request<'_>) -> Outcome {
    let mut found = described(account, &BTreeSet::from([request.name.to_owned()]))?;
    let mut seen = fetch::fetch(account, &mut found, request.activity, request.name)?;
    let catalog = Catalog::embedded();
    let facts = Facts::of(&seen.ledger, catalog);
    let (mut outputs, mut reports, mut refused) = (Vec::new(), BTreeMap::new(), false);
    for (stack, listed) in &found.description.stacks {
        for (id, role) in &listed.roles {
            let Some((question, told)) = ask(request, &found.description, listed, id, role, &seen.ledger)? else { continue };
            let mut compiled = compile(&question, &seen.ledger, catalog);
            compiled.tell(seen.findings.iter().cloned().chain(told).collect());
            let mut report = Report::new(&question, &seen.ledger, &compiled.derivation, compiled.proof.clone());
            let file = format!("{id}.json");
            let certificate = compiled.certificate(&file, &question, &facts);
            report.certificate = Some(certificate.clone());
            report.logical_id = Some(id.clone());
            let subject = super::opinion::Subject {
                arn: role.arn.clone(),
                question: &question,
                compiled: &mut compiled,
                report: &mut report,
                committed: None,
            };
            request.opinion.ask_in(account, vec![subject])?;
            if request.format == Format::Text {
                print::note("");
                print::note(&format!("{stack}: {id}"));
                derive::show(&question, &compiled, &report, request.format)?;
            }
            refused |= compiled.derivation.refused();
            if let Some(folder) = &request.out {
                let path = folder.join(file);
                outputs.push((super::stack::certificate_path(&path), certificate.write()));
                outputs.push((path, compiled.document.clone().into_bytes()));
            }
            reports.insert(id.clone(), report);
        }
    }
    finish(request, outputs, &reports, refused)?;
    seen.tidy()?;
    Ok(if refused { Verdict::No } else { Verdict::Done })
}

fn finish(
    request: &Request<'_>,
    mut outputs: Vec<(PathBuf, Vec<u8>)>,
    reports: &BTreeMap<String, Report>,
    refused: bool,
) -> Result<(), CliError> {
    if reports.is_empty() {
        return Err(CliError::usage(format!(
            "nothing that AWS manages is attached to the roles of `{}`; say with `--baseline` what the policies have to stay inside",
            request.name
        )));
    }
    if request.format == Format::Json {
        print::result(&String::from_utf8_lossy(&derive::json(reports)?));
    }
    if refused {
        outputs.clear();
        print::note("no policy was written: an error finding forbids it (see above)");
    }
    if let Some(path) = &request.report {
        outputs.push((path.clone(), derive::json(reports)?));
    }
    files::write_all(&outputs).map(drop)
}

/// The question of one role; `None` where nothing says what its policy has to stay inside.
fn ask(
    request: &Request<'_>,
    description: &StackDescription,
    stack: &Stack,
    id: &str,
    role: &Role,
    ledger: &Ledger,
) -> Result<Option<(Question, Vec<Finding>)>, CliError> {
    let mut role = role.clone();
    role.mark(request.baseline, &request.role.keep, &own(id, stack));
    let baseline = match request.baseline {
        Some(named) => question::baseline(named)?,
        None => match role.replaced() {
            Ok(document) => question::read(document)?,
            Err(error @ AttachedError::NothingReplaced(_)) => {
                print::note(&format!("{id}: {error}; it is left out"));
                return Ok(None);
            }
            Err(error) => return Err(CliError::Aws(error.to_string())),
        },
    };
    let mut question = asked(request.role, description, stack, &role, baseline, request.limit, ledger)?;
    question.kept = kept(&role)?;
    if question.boundary.is_none() {
        question.boundary = question::boundary(&role)?;
    }
    Ok(Some((question, role.findings())))
}

/// What stays attached to a role.
pub(super) fn kept(role: &Role) -> Result<Vec<crate::derive::Baseline>, CliError> {
    let kept = role.kept().map_err(|e| CliError::usage(e.to_string()))?;
    kept.into_iter().map(question::read).collect()
}

fn asked(
    given: &RoleArgs,
    description: &StackDescription,
    stack: &Stack,
    role: &Role,
    baseline: crate::derive::Baseline,
    limit: usize,
    ledger: &Ledger,
) -> Result<Question, CliError> {
    let addresses = role.addresses.iter().chain(&role.endpoints).chain(&given.address);
    let args = RoleArgs {
        account: Some(description.account.clone()),
        region: Some(description.region.clone()),
        address: addresses.cloned().collect(),
        keep: Vec::new(),
        ..given.clone()
    };
    let name = RoleName::parse(&role.arn)?;
    let mut question = question::question(&args, &name, baseline, limit, ledger, Catalog::embedded())?;
    question.partition.clone_from(&description.partition);
    question.silent.clone_from(&role.silent);
    question.names = stack.resources.iter().map(|(id, name)| (name.clone(), id.clone())).collect();
    Ok(question)
}
