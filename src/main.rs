//! Parses the command line, dispatches, returns the exit code.

use std::process::ExitCode;

/// Reading manifests is making many small nodes and dropping them again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    genesync::cli::main()
}
