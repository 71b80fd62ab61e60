//! `genesync completions`: prints the completion script of a shell.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::{Exit, Failure, Output};

/// What `completions` takes.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell of the completion script
    shell: Shell,
}

/// Prints the completion script of a shell.
pub fn run(args: &CompletionsArgs, mut whole: Command, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole, "genesync", &mut script);
    output.data(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
