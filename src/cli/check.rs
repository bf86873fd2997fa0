//! `policyc check`: derive again, compare, prove; write nothing.

use std::path::{Path, PathBuf};

use similar::TextDiff;

use super::error::CliError;
use super::question::MANAGED_POLICY_LIMIT;
use super::{Outcome, Verdict, print, stack};
use crate::finding::Severity;
use crate::review::{diff, escape};

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
}

pub(super) fn run(args: &Args) -> Outcome {
    let request = stack::Request { name: &args.stack, config: &args.config, inject: true, limit: args.limit };
    let result = stack::compile_stack(&request)?;
    let mut drift = 0;
    for (path, bytes) in &result.outputs {
        let committed = committed(path)?;
        if committed != *bytes {
            drift += 1;
            print::result(&difference(path, &committed, bytes));
        }
    }
    for role in &result.roles {
        print::findings(&role.compiled.derivation.findings, Severity::Warning);
    }
    let refused = result.refused();
    let verdict = match (drift, refused) {
        (0, false) => format!("{}: {} files are as derived", args.stack, result.outputs.len()),
        (0, true) => format!("{}: an error finding forbids the policy", args.stack),
        (n, _) => {
            format!("{}: {n} of {} files differ; run `policyc derive --stack {}`", args.stack, result.outputs.len(), args.stack)
        }
    };
    print::note(&verdict);
    Ok(if drift == 0 && !refused { Verdict::Done } else { Verdict::No })
}

/// A unified diff of a file and what it should be.
pub(super) fn difference(path: &Path, old: &[u8], new: &[u8]) -> String {
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let name = path.display().to_string();
    let text = TextDiff::from_lines(old.as_ref(), new.as_ref())
        .unified_diff()
        .context_radius(3)
        .header(&name, &format!("{name} (derived)"))
        .to_string();
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
