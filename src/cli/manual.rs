//! `policyc completions` and `policyc man`: what shells and `man` know of the command line.

use std::io::Error;
use std::path::PathBuf;

use super::error::CliError;
use super::{Outcome, Verdict, files, print};

/// Print the completions of a shell.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc completions bash > ~/.local/share/bash-completion/completions/policyc\n  policyc completions zsh > \"${fpath[1]}/_policyc\"\n  policyc completions fish > ~/.config/fish/completions/policyc.fish"
)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Print the manual page, or write the page of every command into a folder.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  policyc man | man -l -\n  policyc man -o ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write the pages here: policyc.1, policyc-derive.1, …
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs, mut command: clap::Command) -> Outcome {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut command, "policyc", &mut bytes);
    print::result(&String::from_utf8_lossy(&bytes));
    Ok(Verdict::Done)
}

pub(super) fn man(args: &ManArgs, mut command: clap::Command) -> Outcome {
    let Some(folder) = &args.out else {
        print::result(&String::from_utf8_lossy(&page(command).map_err(|e| CliError::output("policyc.1".as_ref(), e))?));
        return Ok(Verdict::Done);
    };
    command.build();
    let mut outputs = Vec::new();
    let pages = command.get_subcommands().filter(|c| c.get_name() != "help").map(|c| (format!("policyc-{}.1", c.get_name()), c));
    for (file, about) in std::iter::once(("policyc.1".to_owned(), &command)).chain(pages) {
        let path = folder.join(file);
        let bytes = page(about.clone()).map_err(|e| CliError::output(&path, e))?;
        outputs.push((path, bytes));
    }
    let written = files::write_all(&outputs)?;
    print::note(&format!("{} of {} pages changed", written.len(), outputs.len()));
    Ok(Verdict::Done)
}

fn page(command: clap::Command) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command).render(&mut bytes)?;
    Ok(bytes)
}
