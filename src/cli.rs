//! The command line: arguments in, the library called, printed, exit code.
//!
//! Files, standard streams and the environment are touched here and nowhere else. stdout carries the result, stderr
//! everything else. Exit codes: 0 done; 1 a check said no; 2 usage or configuration; 3 unreadable or malformed input;
//! 4 AWS.

mod activity;
mod arguments;
mod attribute;
mod catalog;
mod check;
#[cfg(feature = "aws")]
mod connect;
mod coverage;
mod derive;
mod diff;
mod documents;
mod emit;
mod endpoint;
mod error;
mod evaluate;
mod explain;
#[cfg(feature = "aws")]
mod fetch;
mod files;
mod init;
mod inject;
#[cfg(feature = "aws")]
mod live;
mod manual;
mod merge;
mod observe;
#[cfg(feature = "aws")]
mod opinion;
mod permissions;
mod print;
mod prove;
mod question;
#[cfg(feature = "aws")]
mod record;
mod replay;
mod report;
mod stack;
#[cfg(feature = "aws")]
mod trails;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use error::CliError;

/// What a newcomer types first, and what scripts rely on.
const AFTER_HELP: &str = "\
Start here:
  policyc derive --trail ./AWSLogs --role web-Role      what does this role need? (prints; writes nothing)
  policyc init                                          a first policyc.toml from the templates of this folder
  policyc derive --stack main                           write the policies, put them into the templates
  policyc report --stack main --format html -o report.html
  policyc check --stack main                            in CI: is everything as derived, and proved?

Exit codes: 0 done · 1 a check said no · 2 usage or configuration · 3 unreadable input · 4 AWS";

#[derive(Parser)]
#[command(name = "policyc", version, about = "A least-privilege IAM policy compiler", max_term_width = 120)]
#[command(after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Derive a scoped-down policy from recorded activity
    Derive(Box<derive::Args>),
    /// Record a stack of a live account: its description and a ledger, for the repository
    #[cfg(feature = "aws")]
    Record(Box<record::Args>),
    /// Fold records into a ledger
    Observe(observe::Args),
    /// Merge ledgers
    Merge(merge::Args),
    /// Prove that policies allow nothing beyond others, and deny no observed call
    Prove(Box<prove::Args>),
    /// Replay observed calls on a policy: what would break?
    Replay(Box<replay::Args>),
    /// Say what policies decide about one request, and which statement does
    Evaluate(evaluate::Args),
    /// Say what a change of policies means: access gained, gone, narrowed
    Diff(diff::Args),
    /// Say why an action is granted, or is not
    Explain(Box<explain::Args>),
    /// Write a policy for another tool: Terraform, CDK
    Emit(emit::Args),
    /// Put a policy into CloudFormation templates
    Inject(inject::Args),
    /// Derive again, compare, prove; write nothing (for CI)
    Check(check::Args),
    /// Say which of a baseline's actions a trail cannot show, and what would show them
    Coverage(coverage::Args),
    /// Print the policy that policyc itself needs for a command
    Permissions(permissions::Args),
    /// Write the report: text, Markdown, HTML, JSON, SARIF
    Report(Box<report::Args>),
    /// Show what is known of an action, event, feature or region
    Catalog(catalog::Args),
    /// Write a first policyc.toml after looking at the templates
    Init(init::Args),
    /// Print the completions of a shell
    Completions(manual::CompletionsArgs),
    /// Print the manual page
    Man(manual::ManArgs),
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Derive(args) => derive::run(&args),
        #[cfg(feature = "aws")]
        Command::Record(args) => record::run(&args),
        Command::Observe(args) => observe::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Prove(args) => prove::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Emit(args) => emit::run(&args),
        Command::Inject(args) => inject::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Coverage(args) => coverage::run(&args),
        Command::Permissions(args) => permissions::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Catalog(args) => catalog::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Completions(args) => manual::completions(&args, Cli::command()),
        Command::Man(args) => manual::man(&args, Cli::command()),
    };
    match done.and_then(|verdict| print::lost().map_or(Ok(verdict), Err)) {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::No) => ExitCode::from(1),
        Err(error) => {
            print::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// How a command ended that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Everything is in order: exit code 0.
    Done,
    /// A check said no: exit code 1.
    No,
}

type Outcome = Result<Verdict, CliError>;
