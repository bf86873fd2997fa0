//! Printing: results to stdout, everything else to stderr, colours only where they are wanted.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::OnceLock;

use super::error::CliError;
use crate::finding::{Finding, Severity};
use crate::review::escape::{terminal, terminal_lines};

/// Why a result did not arrive, the first time that one did not.
static LOST: OnceLock<String> = OnceLock::new();

/// Prints a result. A reader that went away (`| head`) is no error; a full disk is one, and [`lost`] tells it at the end.
pub(super) fn result(text: &str) {
    let mut out = anstream::stdout().lock();
    let done = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = done.map_err(|error| (error.kind(), error.to_string()))
        && error.0 != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.1);
    }
}

/// Whether a result was lost on its way to standard output.
pub(super) fn lost() -> Option<CliError> {
    LOST.get().map(|why| CliError::output(Path::new("standard output"), why))
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
