//! `policyc derive`: from recorded activity to a policy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::arguments::{Format, RoleArgs, TrailArgs, only_configured};
use super::error::CliError;
use super::question::{MANAGED_POLICY_LIMIT, RoleName, baseline, question};
use super::{Outcome, Verdict, catalog, files, observe, print, stack};
use crate::catalog::Catalog;
use crate::compile::{Compiled, Facts, compile};
use crate::derive::Question;
use crate::review::render::{self, Templates, render};
use crate::review::report::Report;
use crate::review::{diff, escape};
use crate::trail::Interest;

/// Derive a scoped-down policy from recorded activity.
///
/// With `--stack`, roles, inputs and outputs come from `policyc.toml`; the policy files and the templates are written.
/// With `--trail`, the result is printed, and written only with `--out`.
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("source").required(true).args(["stack", "trail"]),
    after_help = "Examples:\n  policyc derive --stack demo\n  policyc derive --trail ./AWSLogs --role web-Role --need session-manager --out policy.json"
)]
pub(super) struct Args {
    /// A stack that `policyc.toml` configures; any other is looked for in the account, see docs/live.md
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    #[command(flatten)]
    trail: TrailArgs,
    #[command(flatten)]
    role: RoleArgs,
    /// The policy to stay inside: an AWS-managed policy by name or ARN, or a file [default: AmazonEC2RoleforSSM; of a live stack
    /// what AWS manages of what is attached]
    #[arg(long, value_name = "NAME|ARN|FILE")]
    baseline: Option<String>,
    /// Write the policy here, as IAM JSON with concrete account and region; the policies of a live stack go into a folder
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    /// Write the report here, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write here what was proved about what, for `policyc prove --certificate`
    #[arg(long, value_name = "FILE", requires = "out", conflicts_with = "stack")]
    certificate: Option<PathBuf>,
    /// Write nothing; show what would change
    #[arg(long)]
    dry_run: bool,
    /// With `--stack`: write the policies and leave the templates alone
    #[arg(long)]
    no_inject: bool,
    /// The largest size of the result, in characters without white space
    #[arg(long, value_name = "N", default_value_t = MANAGED_POLICY_LIMIT)]
    limit: usize,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// A newer reference of actions, as `tools/catalog/generate.py` writes it
    #[arg(long, value_name = "FILE", conflicts_with = "stack")]
    reference: Option<PathBuf>,
    /// The configuration of stacks
    #[arg(long, value_name = "FILE", default_value = "policyc.toml")]
    config: PathBuf,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    opinion: super::opinion::OpinionArgs,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    activity: super::fetch::ActivityArgs,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    connect: super::connect::ConnectArgs,
}

/// The baseline where none is named.
const BASELINE: &str = "AmazonEC2RoleforSSM";

pub(super) fn run(args: &Args) -> Outcome {
    match &args.stack {
        #[cfg(feature = "aws")]
        Some(name) if !stack::is_configured(name, &args.config)? => run_live(args, name),
        Some(name) => {
            if args.out.is_some() {
                return Err(CliError::usage("`--out` is for what no policyc.toml configures; the stack's files are named there"));
            }
            only_configured(&args.trail, &args.role, &args.config)?;
            let request = stack::Request { name, config: &args.config, inject: !args.no_inject, limit: args.limit };
            #[allow(unused_mut)] // IAM's opinion is added to it
            let mut result = stack::compile_stack(&request)?;
            #[cfg(feature = "aws")]
            args.opinion.ask(&args.connect, result.subjects())?;
            stack::derive(result, args.format, args.dry_run, args.report.as_deref())
        }
        None => run_trail(args),
    }
}

#[cfg(feature = "aws")]
fn run_live(args: &Args, name: &str) -> Outcome {
    if args.config.is_file() {
        print::note(&format!("`{}` configures no stack `{name}`, so it is looked for in the account", args.config.display()));
    }
    let account = args.connect.account(args.role.region.as_deref())?;
    let request = super::live::Request {
        name,
        activity: &args.activity,
        opinion: &args.opinion,
        role: &args.role,
        baseline: args.baseline.as_deref(),
        limit: args.limit,
        out: args.out.clone().filter(|_| !args.dry_run),
        report: args.report.clone().filter(|_| !args.dry_run),
        format: args.format,
    };
    super::live::run(&account, &request)
}

fn run_trail(args: &Args) -> Outcome {
    let name = args.out.as_deref().map(files::name).unwrap_or_default();
    #[allow(unused_mut)] // IAM's opinion is added to them
    let (question, mut compiled, mut report) = compile_trail(
        &args.trail,
        &args.role,
        args.baseline.as_deref().unwrap_or(BASELINE),
        args.limit,
        args.reference.as_deref(),
        &name,
    )?;
    #[cfg(feature = "aws")]
    args.opinion.ask(&args.connect, vec![subject(&args.role, &question, &mut compiled, &mut report)])?;
    show(&question, &compiled, &report, args.format)?;
    write(args, &compiled, &report)?;
    let refused = compiled.derivation.refused();
    if refused {
        print::note("nothing was granted: an error finding forbids it (see above)");
    }
    Ok(if refused { Verdict::No } else { Verdict::Done })
}

/// Derives the role of some records, without configuration; writes nothing. `name` is what the policy's file is called.
pub(super) fn compile_trail(
    trail: &TrailArgs,
    asked: &RoleArgs,
    within: &str,
    limit: usize,
    reference: Option<&Path>,
    name: &str,
) -> Result<(Question, Compiled, Report), CliError> {
    let text = asked.role.as_deref().ok_or_else(|| CliError::usage("`--trail` needs `--role NAME|ARN`"))?;
    let role = RoleName::parse(text)?;
    let newer = catalog::reference(reference)?;
    let catalog = newer.as_ref().unwrap_or_else(|| Catalog::embedded());
    let baseline = baseline(within)?;
    let account = asked.account.clone().or_else(|| role.account.clone());
    let interest = Interest { account, roles: BTreeSet::from([role.name.clone()]) };
    let (ledger, found) = observe::observe(trail, interest, catalog)?;
    let question = question(asked, &role, baseline, limit, &ledger, catalog)?;
    let mut compiled = compile(&question, &ledger, catalog);
    compiled.tell(found);
    let mut report = Report::new(&question, &ledger, &compiled.derivation, compiled.proof.clone());
    report.certificate = Some(compiled.certificate(name, &question, &Facts::of(&ledger, catalog)));
    Ok((question, compiled, report))
}

/// A derivation, to be judged by others.
#[cfg(feature = "aws")]
pub(super) fn subject<'a>(
    asked: &RoleArgs,
    question: &'a Question,
    compiled: &'a mut Compiled,
    report: &'a mut Report,
) -> super::opinion::Subject<'a> {
    // Only the ARN that was given has the role's path.
    let given = asked.role.as_ref().filter(|role| role.starts_with("arn:"));
    let plain = || format!("arn:{}:iam::{}:role/{}", question.partition, question.account, question.role);
    super::opinion::Subject { arn: given.cloned().unwrap_or_else(plain), question, compiled, report, committed: None }
}

/// The policy is written only when nothing forbids it; the report says why when something does.
fn write(args: &Args, compiled: &Compiled, report: &Report) -> Result<(), CliError> {
    if args.dry_run {
        return Ok(());
    }
    let mut outputs = Vec::new();
    if let Some(path) = args.out.as_ref().filter(|_| !compiled.derivation.refused()) {
        outputs.push((path.clone(), compiled.document.clone().into_bytes()));
    }
    let certificate = report.certificate.as_ref().filter(|_| !compiled.derivation.refused());
    if let (Some(path), Some(certificate)) = (&args.certificate, certificate) {
        outputs.push((path.clone(), certificate.write()));
    }
    if let Some(path) = &args.report {
        outputs.push((path.clone(), json(report)?));
    }
    files::write_all(&outputs).map(|_| ())
}

/// A report as JSON, with a line end.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, CliError> {
    let text =
        serde_json::to_string_pretty(value).map_err(|e| CliError::usage(format!("the report cannot be written as JSON: {e}")))?;
    Ok(format!("{}\n", escape::json_document(&text)).into_bytes())
}

/// Prints a result: the summary and the diff for people, the report for programs.
pub(super) fn show(question: &Question, compiled: &Compiled, report: &Report, format: Format) -> Result<(), CliError> {
    if format == Format::Json {
        print::result(&String::from_utf8_lossy(&json(report)?));
        return Ok(());
    }
    let text = render(std::slice::from_ref(report), render::Format::Text, &Templates::default());
    let text = text.map_err(|e| CliError::usage(e.to_string()))?;
    print::result(&text);
    let difference = diff::unified(
        &question.baseline.policy,
        &question.baseline.name,
        &compiled.derivation.policy,
        &format!("{} (derived)", question.role),
    );
    print::result(&format!("\n{}\n\n", diff::colour(&escape::terminal_lines(&difference))));
    Ok(())
}
