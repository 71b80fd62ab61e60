//! Parses the command line, dispatches, returns the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    genesync::cli::main()
}
