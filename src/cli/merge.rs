//! `policyc merge`: ledgers → one ledger.

use std::path::PathBuf;

use super::error::CliError;
use super::{Outcome, Verdict, files, print};
use crate::ledger::{Ledger, format};

/// Merge ledgers. Merging is idempotent: the same ledger twice counts once.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  policyc merge monday.json tuesday.json -o week.json")]
pub(super) struct Args {
    /// The ledgers
    #[arg(required = true, value_name = "LEDGER")]
    ledgers: Vec<PathBuf>,
    /// Where to write the merged ledger; `-` for standard output
    #[arg(short, long, value_name = "LEDGER")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Outcome {
    let mut all = Ledger::default();
    for path in &args.ledgers {
        let ledger = format::read(&files::read(path)?).map_err(|e| CliError::input(path, e))?;
        all.merge(ledger);
    }
    write_ledger(&args.output, &all)
}

/// Writes a ledger to a file or standard output.
pub(super) fn write_ledger(path: &std::path::Path, ledger: &Ledger) -> Outcome {
    let bytes = format::write(ledger);
    if path.as_os_str() == "-" {
        print::result(&String::from_utf8_lossy(&bytes));
    } else {
        files::write_all(&[(path.to_owned(), bytes)])?;
    }
    Ok(Verdict::Done)
}
