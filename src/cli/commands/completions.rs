//! `genesync completions`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::{Cli, Exit, Failure, Output};

/// What `completions` takes.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the completion script of a shell.
pub fn run(args: &CompletionsArgs, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "genesync", &mut script);
    output.data(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
