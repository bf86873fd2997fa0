//! `policyc report`: what a derivation found out, for people and for programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::arguments::{RoleArgs, TrailArgs, only_configured};
use super::error::CliError;
use super::question::MANAGED_POLICY_LIMIT;
use super::{Outcome, Verdict, check, derive, files, print, stack};
use crate::emit::endpoint::Endpoint;
use crate::emit::place::POLICY_NAME;
use crate::emit::section_lines;
use crate::review::render::{self, Templates, render};
use crate::review::report::{PlaceReport, Report};
use crate::template::Document;

/// Write the report of a derivation; policies and templates stay as they are.
///
/// The exit code tells whether the report could be written, whatever it says: `policyc check` is the command that judges.
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("source").required(true).args(["stack", "trail"]),
    after_help = "Examples:\n  policyc report --stack demo --format html -o report.html\n  policyc report --stack demo --format markdown > comment.md\n  policyc report --stack demo --format sarif -o policyc.sarif\n  policyc report --trail ./AWSLogs --role web-Role --format html -o report.html"
)]
pub(super) struct Args {
    /// A stack that `policyc.toml` configures
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    #[command(flatten)]
    trail: TrailArgs,
    #[command(flatten)]
    role: RoleArgs,
    /// The policy to stay inside: an AWS-managed policy by name or ARN, or a file
    #[arg(long, value_name = "NAME|ARN|FILE", default_value = "AmazonEC2RoleforSSM")]
    baseline: String,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write it here instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Templates that replace those of policyc with the same file name, such as `markdown.hbs`
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// The largest size of the result, in characters without white space
    #[arg(long, value_name = "N", default_value_t = MANAGED_POLICY_LIMIT)]
    limit: usize,
    /// The configuration of stacks
    #[arg(long, value_name = "FILE", default_value = "policyc.toml")]
    config: PathBuf,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    opinion: super::opinion::OpinionArgs,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    connect: super::connect::ConnectArgs,
}

/// What the report is written as.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Format {
    /// The summary, for a terminal.
    #[default]
    Text,
    /// For a comment on a pull request; never longer than GitHub allows.
    Markdown,
    /// One page that needs nothing else, for a browser.
    Html,
    /// For programs; `docs/report.schema.json` describes it.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands, which GitHub Actions shows as annotations.
    Github,
}

impl From<Format> for render::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Markdown => Self::Markdown,
            Format::Html => Self::Html,
            Format::Json => Self::Json,
            Format::Sarif => Self::Sarif,
            Format::Github => Self::Github,
        }
    }
}

pub(super) fn run(args: &Args) -> Outcome {
    let templates = templates(args.templates.as_deref())?;
    let reports = match &args.stack {
        Some(name) => {
            only_configured(&args.trail, &args.role, &args.config)?;
            of_stack(args, &stack::Request { name, config: &args.config, inject: true, limit: args.limit })?
        }
        None => {
            #[allow(unused_mut, unused_variables)] // IAM's opinion is added to them
            let (question, mut compiled, mut report) =
                derive::compile_trail(&args.trail, &args.role, &args.baseline, args.limit, None, "")?;
            #[cfg(feature = "aws")]
            args.opinion.ask(&args.connect, vec![derive::subject(&args.role, &question, &mut compiled, &mut report)])?;
            vec![report]
        }
    };
    let text = render(&reports, args.format.into(), &templates).map_err(|e| CliError::usage(e.to_string()))?;
    match &args.out {
        Some(path) => {
            let bytes = anstream::adapter::strip_str(&text).to_string().into_bytes();
            files::write_all(&[(path.clone(), bytes)])?;
        }
        None => print::result(&text),
    }
    Ok(Verdict::Done)
}

#[cfg_attr(not(feature = "aws"), allow(unused_variables, unused_mut))] // IAM's opinion is added to it
fn of_stack(args: &Args, request: &stack::Request<'_>) -> Result<Vec<Report>, CliError> {
    let mut reports = Vec::new();
    let mut result = stack::compile_stack(request)?;
    #[cfg(feature = "aws")]
    args.opinion.ask(&args.connect, result.subjects())?;
    let mut behind = BTreeMap::new();
    for endpoint in &result.endpoints {
        let mut places: Vec<PlaceReport> = of_endpoint(&endpoint.template, &endpoint.report.logical_id)?.into_iter().collect();
        places.extend(in_policy(&endpoint.policy)?);
        behind.insert((endpoint.report.stack.clone(), endpoint.report.logical_id.clone()), places);
    }
    for role in result.roles {
        let mut report = role.report;
        for endpoint in &mut report.endpoints {
            let places = behind.get(&(endpoint.stack.clone(), endpoint.logical_id.clone()));
            endpoint.places = places.cloned().unwrap_or_default();
        }
        // The stack's own findings, of the template too, are known only now.
        report.tell(&role.compiled.derivation.findings);
        if let Some(template) = &role.template {
            report.places.extend(in_template(template, &role.logical_id)?);
        }
        report.places.extend(in_policy(&role.policy)?);
        reports.push(report);
    }
    Ok(reports)
}

/// Where the role's own section stands in the template as it is committed.
fn in_template(path: &Path, role: &str) -> Result<Option<PlaceReport>, CliError> {
    let bytes = check::committed(path)?;
    let document = Document::parse(&bytes).map_err(|e| CliError::input(path, e))?;
    let lines = section_lines(&document, role, POLICY_NAME);
    Ok(lines.map(|(line, end_line)| place(path, document.text(), line, end_line)))
}

/// Where the endpoint's policy stands in the template as it is committed.
fn of_endpoint(path: &Path, endpoint: &str) -> Result<Option<PlaceReport>, CliError> {
    let bytes = check::committed(path)?;
    let document = Document::parse(&bytes).map_err(|e| CliError::input(path, e))?;
    let lines = Endpoint::find(&document, endpoint).ok().map(|found| found.lines());
    Ok(lines.map(|(line, end_line)| place(path, document.text(), line, end_line)))
}

fn in_policy(path: &Path) -> Result<Option<PlaceReport>, CliError> {
    let bytes = check::committed(path)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok((!bytes.is_empty()).then(|| place(path, &text, 1, text.lines().count())))
}

fn place(path: &Path, text: &str, line: usize, end_line: usize) -> PlaceReport {
    let mut actions = BTreeMap::new();
    for (n, content) in text.lines().enumerate().take(end_line).skip(line - 1) {
        let word = content.trim().trim_start_matches("- ").trim_matches(['"', '\'', ',']);
        if word.contains(':') && !word.contains(' ') {
            actions.entry(word.to_owned()).or_insert(n + 1);
        }
    }
    PlaceReport { file: path.to_string_lossy().into_owned(), line, end_line, actions }
}

fn templates(folder: Option<&Path>) -> Result<Templates, CliError> {
    let mut templates = Templates::default();
    if let Some(folder) = folder {
        files::templates(folder, |name, text| templates.replace(name, text))?;
    }
    Ok(templates)
}
