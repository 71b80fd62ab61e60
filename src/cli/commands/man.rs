//! `genesync man`: prints one manual page, or writes all of them.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use crate::cli::{Exit, Failure, Output};

/// What `man` takes.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Print the page of this command, such as `plan` or `rules list`; without it, the page of genesync
    /// itself
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,
    /// Write the pages of genesync and of every command into this folder, such as `/usr/share/man/man1`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints one manual page, or writes all of them. They have the texts of `--help`.
///
/// # Errors
/// The command does not exist, or the folder cannot be written.
#[expect(clippy::disallowed_methods, reason = "the operator named the folder to write")]
pub fn run(args: &ManArgs, whole: Command, output: &Output) -> Result<Exit, Failure> {
    // `genesync help` needs no page: `genesync help plan` prints the text of the page `genesync-plan`.
    let mut whole = whole.disable_help_subcommand(true);
    // Gives every command its full name and the global options.
    whole.build();
    if let Some(folder) = &args.out {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Outside, format!("cannot write `{}`: {error}", folder.display()))
                .hint("name a folder that you may write with --out")
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        return write_all(&whole, folder).map_err(failed).map(|()| Exit::Done);
    }
    let mut command = &whole;
    for name in &args.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("there is no command `{name}`")).hint(format!(
                "list the commands with `{} --help`",
                command.get_bin_name().unwrap_or("genesync")
            ))
        })?;
    }
    let mut text = Vec::new();
    // Writing into memory cannot fail.
    let _ = page(command).render(&mut text);
    output.data(&String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}

fn write_all(command: &Command, folder: &Path) -> std::io::Result<()> {
    page(command).generate_to(folder)?;
    command.get_subcommands().try_for_each(|below| write_all(below, folder))
}

/// Returns the page of a command, with genesync's version in the footer.
fn page(command: &Command) -> Man {
    Man::new(command.clone()).source(concat!("genesync ", env!("CARGO_PKG_VERSION")))
}
