//! `policyc prove`: nothing beyond the baseline, and nothing observed lost, for any two policies.

use std::path::PathBuf;

use serde::Serialize;

use super::arguments::{Format, RoleArgs, TrailArgs};
use super::documents::Named;
use super::error::CliError;
use super::{Outcome, Verdict, activity, derive, documents, files, print};
use crate::catalog::Catalog;
use crate::compile::Facts;
use crate::ledger::Ledger;
use crate::prove::certificate::{Certificate, Subjects};
use crate::prove::document::{is_nothing, reader};
use crate::prove::observed::calls;
use crate::prove::proof::{Answer, Proof, Side, prove};
use crate::prove::replay::Call;
use crate::prove::subset::Budget;
use crate::review::proved;

/// Prove that policies allow nothing beyond others, and that they deny no observed call.
///
/// The answer is `proved`, `not proved` with a request that gets through, or `refused` with what is not modelled.
/// Exit code 1 unless everything asked for is proved.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc prove policy.json --within AmazonEC2RoleforSSM\n  policyc prove policy.json --within old.json --covers week.ledger --role web-Role\n  policyc prove a.json b.json --within old-a.json --within old-b.json --format json"
)]
pub(super) struct Args {
    /// The policies, all together: files, or AWS-managed policies by name or ARN
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<String>,
    /// What they must stay inside, all together (repeatable)
    #[arg(long, required = true, value_name = "NAME|ARN|FILE")]
    within: Vec<String>,
    /// Observed calls that they must not deny as far as the baseline allows them: ledgers, records, folders (repeatable)
    #[arg(long, value_name = "LEDGER")]
    covers: Vec<PathBuf>,
    #[command(flatten)]
    role: RoleArgs,
    /// Check this certificate as well: what it names, and what it says
    #[arg(long, value_name = "FILE", requires = "covers")]
    certificate: Option<PathBuf>,
    /// How many steps the prover may take before it refuses
    #[arg(long, value_name = "STEPS", default_value_t = Budget::default().steps)]
    budget: u64,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Answered<'a> {
    schema: u32,
    policies: Vec<&'a str>,
    baseline: Vec<&'a str>,
    proved: bool,
    within_baseline: Answer,
    reason: &'a str,
    counterexample: Option<&'a crate::prove::proof::Witness>,
    #[serde(skip_serializing_if = "Option::is_none")]
    covers_observed: Option<&'a crate::prove::proof::Covers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'a [String]>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let policies = documents::load(&args.policies)?;
    let baseline = documents::load(&args.within)?;
    let kept = documents::load(&args.role.keep)?;
    let boundary = documents::boundary(args.role.boundary.as_deref())?;
    let all = [&policies, &baseline, &kept];
    let read = reader(policies.iter().chain(&baseline).map(|named| named.bytes.as_slice()));
    for named in all.into_iter().flatten().filter(|n| !is_nothing(&n.bytes)) {
        read(&named.bytes).map_err(|e| CliError::input(&named.path, e))?;
    }
    let (calls, ledger) = observed(args)?;
    let [new, old, beside] = all.map(|named| named.iter().map(|n| n.bytes.as_slice()).collect::<Vec<_>>());
    let side = Side { policies: &new, kept: &beside, boundary: boundary.as_ref().map(|b| b.bytes.as_slice()) };
    let proof = prove(side, &old, &calls, &Budget { steps: args.budget });
    let problems = match &args.certificate {
        Some(path) => Some(certificate_problems(path, [&policies, &baseline, &kept], boundary.as_ref(), &ledger, &proof)?),
        None => None,
    };
    let asked = !args.covers.is_empty();
    let holds = proof.within_baseline == Answer::Proved
        && (!asked || proof.covers_observed.verdict == Answer::Proved)
        && problems.as_ref().is_none_or(Vec::is_empty);
    show(args, [&policies, &baseline], &proof, problems.as_deref(), holds)?;
    Ok(if holds { Verdict::Done } else { Verdict::No })
}

fn observed(args: &Args) -> Result<(Vec<Call>, Ledger), CliError> {
    if args.covers.is_empty() {
        return Ok((Vec::new(), Ledger::default()));
    }
    let trail = TrailArgs { trail: args.covers.clone(), ..TrailArgs::default() };
    let activity = activity::read(&trail, &args.role)?;
    if activity.uses.is_empty() {
        return Err(CliError::usage("there is no observed call in `--covers`, so nothing would be shown; check it and `--role`"));
    }
    if activity.elsewhere > 0 {
        print::note(&format!("calls from somewhere else are left out: {}", activity.elsewhere));
    }
    Ok((activity.uses.iter().flat_map(|(used, _)| calls(used)).collect(), activity.ledger))
}

fn certificate_problems(
    path: &std::path::Path,
    [policies, baseline, kept]: [&[Named]; 3],
    boundary: Option<&Named>,
    ledger: &Ledger,
    proof: &Proof,
) -> Result<Vec<String>, CliError> {
    let certificate = Certificate::read(&files::read(path)?).map_err(|e| CliError::input(path, e))?;
    let ([policy], [baseline]) = (policies, baseline) else {
        return Err(CliError::usage("a certificate is about one policy and one baseline; policies beside it go to `--keep`"));
    };
    let facts = Facts::of(ledger, Catalog::embedded());
    let now = Subjects {
        policy: policy.subject(),
        baseline: baseline.subject(),
        kept: kept.iter().map(Named::subject).collect(),
        boundary: boundary.map(Named::subject),
        ledger: facts.ledger,
        catalogue: facts.catalogue,
    };
    Ok(certificate.verify(&now, proof))
}

fn show(
    args: &Args,
    [policies, baseline]: [&[Named]; 2],
    proof: &Proof,
    problems: Option<&[String]>,
    holds: bool,
) -> Result<(), CliError> {
    let names = |named: &'_ [Named]| -> Vec<String> { named.iter().map(|n| n.name.clone()).collect() };
    let (policy_names, baseline_names) = (names(policies), names(baseline));
    let covers = Some(&proof.covers_observed).filter(|_| !args.covers.is_empty());
    if args.format == Format::Json {
        let answered = Answered {
            schema: 1,
            policies: policy_names.iter().map(String::as_str).collect(),
            baseline: baseline_names.iter().map(String::as_str).collect(),
            proved: holds,
            within_baseline: proof.within_baseline,
            reason: &proof.reason,
            counterexample: proof.counterexample.as_ref(),
            covers_observed: covers,
            certificate: problems,
        };
        print::result(&String::from_utf8_lossy(&derive::json(&answered)?));
        return Ok(());
    }
    let granting = proof.counterexample.as_ref().and_then(|w| policies.get(w.document - 1).map(|p| (w, p)));
    let granting = granting.map(|(w, p)| proved::statement(&p.bytes, w.statement));
    print::result(&proved::render(&policy_names, &baseline_names, proof, covers, granting.as_deref(), problems));
    Ok(())
}
