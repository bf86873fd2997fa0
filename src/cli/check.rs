//! `policyc check`: derive again, compare, prove; write nothing.

use std::path::{Path, PathBuf};

use super::error::CliError;
use super::question::MANAGED_POLICY_LIMIT;
use super::stack::Derived;
use super::{Outcome, Verdict, endpoint, print, stack};
use crate::compile::{Facts, prove, subjects};
use crate::emit::effective::beside;
use crate::finding::Severity;
use crate::prove::certificate::{Certificate, Subject};
use crate::review::{diff, escape};
use crate::template::Document;

/// Derive a stack again and compare with what is committed: exit code 1 on drift or an error finding. For CI.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  policyc check --stack demo")]
pub(super) struct Args {
    /// A stack that `policyc.toml` configures
    #[arg(long, value_name = "NAME")]
    stack: String,
    /// The configuration of stacks
    #[arg(long, value_name = "FILE", default_value = "policyc.toml")]
    config: PathBuf,
    /// The largest size of a policy, in characters without white space
    #[arg(long, value_name = "N", default_value_t = MANAGED_POLICY_LIMIT)]
    limit: usize,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    simulate: super::opinion::SimulateArgs,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    connect: super::connect::ConnectArgs,
}

pub(super) fn run(args: &Args) -> Outcome {
    let request = stack::Request { name: &args.stack, config: &args.config, inject: true, limit: args.limit };
    #[allow(unused_mut)] // IAM's opinion is added to it
    let mut result = stack::compile_stack(&request)?;
    #[cfg(feature = "aws")]
    super::opinion::OpinionArgs::from(args.simulate.clone()).ask(&args.connect, committed_subjects(&mut result)?)?;
    let mut drift = 0;
    for (path, bytes) in &result.outputs {
        let committed = committed(path)?;
        if committed != *bytes {
            drift += 1;
            print::result(&difference(path, &committed, bytes));
        }
    }
    let (mut doubtful, mut unjudged) = (0, 0);
    for role in &result.roles {
        print::findings(&role.compiled.derivation.findings, Severity::Warning);
        let problems = certificate_problems(role, &result.facts)?;
        doubtful += usize::from(!problems.is_empty());
        let path = stack::certificate_path(&role.policy);
        problems.iter().for_each(|problem| print::note(&format!("{}: {problem}", path.display())));
        for stranger in strangers(role)? {
            unjudged += 1;
            print::note(&format!(
                "{}: `{}` also has `{stranger}`, of which nothing is proved; take it off, or name it under `keeps` in {}",
                role.template.as_deref().unwrap_or(&role.policy).display(),
                role.logical_id,
                args.config.display()
            ));
        }
    }
    for endpoint in &result.endpoints {
        print::findings(&endpoint.compiled.findings, Severity::Warning);
        let problems = endpoint::certificate_problems(endpoint, &result)?;
        doubtful += usize::from(!problems.is_empty());
        let path = stack::certificate_path(&endpoint.policy);
        problems.iter().for_each(|problem| print::note(&format!("{}: {problem}", path.display())));
    }
    let certificates = result.roles.len() + result.endpoints.len();
    let (name, files, refused) = (&args.stack, result.outputs.len(), result.refused());
    let verdict = match (drift, refused, doubtful) {
        (0, false, 0) => format!("{name}: {files} files are as derived, and {certificates} certificates hold"),
        (_, true, _) => format!("{name}: an error finding forbids the policy"),
        (0, false, n) => format!("{name}: {n} of {certificates} certificates do not hold"),
        (n, _, _) => format!("{name}: {n} of {files} files differ; run `policyc derive --stack {name}`"),
    };
    print::note(&verdict);
    Ok(if drift == 0 && !refused && doubtful == 0 && unjudged == 0 { Verdict::Done } else { Verdict::No })
}

/// Every role, with the policy that is committed: that is what is attached.
#[cfg(feature = "aws")]
fn committed_subjects(result: &mut stack::StackResult) -> Result<Vec<super::opinion::Subject<'_>>, CliError> {
    let policies: Vec<PathBuf> = result.roles.iter().map(|role| role.policy.clone()).collect();
    let mut subjects = result.subjects();
    for (subject, path) in subjects.iter_mut().zip(policies) {
        subject.committed = Some(committed(&path)?).filter(|bytes| !bytes.is_empty());
    }
    Ok(subjects)
}

/// What the template gives a role beside the derived policy and what stays attached: no proof is about it.
fn strangers(role: &Derived) -> Result<Vec<String>, CliError> {
    let Some(path) = &role.template else { return Ok(Vec::new()) };
    let doc = Document::parse(&committed(path)?).map_err(|e| CliError::input(path, e))?;
    let kept = |name: &String| role.question.kept.iter().any(|kept| name.rsplit('/').next() == Some(kept.name.as_str()));
    Ok(beside(&doc, &role.logical_id).into_iter().filter(|name| !kept(name)).collect())
}

/// Checks the committed certificate of a role against everything it names, and proves the committed policy again: what
/// is attached is what is committed, whatever would be derived today.
fn certificate_problems(role: &Derived, facts: &Facts) -> Result<Vec<String>, CliError> {
    let certificate = match certificate(&role.policy)? {
        Ok(certificate) => certificate,
        Err(problem) => return Ok(vec![problem]),
    };
    let policy = committed(&role.policy)?;
    let now = subjects(Subject::of("", "", &policy), &role.question, facts);
    let again = prove(&role.question, &role.compiled.derivation.observed, &policy);
    Ok(certificate.verify(&now, &again))
}

/// The committed certificate of a policy, or why there is none.
pub(super) fn certificate(policy: &Path) -> Result<Result<Certificate, String>, CliError> {
    let bytes = committed(&stack::certificate_path(policy))?;
    if bytes.is_empty() {
        return Ok(Err("there is no certificate".to_owned()));
    }
    Ok(Certificate::read(&bytes).map_err(|e| e.to_string()))
}

/// A unified diff of a file and what it should be.
pub(super) fn difference(path: &Path, old: &[u8], new: &[u8]) -> String {
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let name = path.display().to_string();
    let text = diff::texts(&old, &name, &new, &format!("{name} (derived)"));
    format!("{}\n", diff::colour(&escape::terminal_lines(&text)))
}

/// Reads a file that may not exist yet.
pub(super) fn committed(path: &Path) -> Result<Vec<u8>, CliError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(CliError::input(path, e)),
    }
}
