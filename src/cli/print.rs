//! Printing: results to stdout, everything else to stderr, colours only where they are wanted.

use std::io::Write;

use super::error::CliError;
use crate::finding::{Finding, Severity};
use crate::review::escape::{terminal, terminal_lines};

/// Prints a result. A reader that went away (`| head`) is no error.
pub(super) fn result(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Prints a line about what is happening.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", terminal(text));
}

/// Prints why the command could not run.
pub(super) fn error(error: &CliError) {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    let _ = writeln!(anstream::stderr().lock(), "{style}error{style:#}: {}", terminal_lines(&error.to_string()));
}

/// Prints findings of at least a severity.
pub(super) fn findings(findings: &[Finding], least: Severity) {
    for finding in findings.iter().filter(|f| f.severity() <= least) {
        note(&finding.to_string());
    }
}
