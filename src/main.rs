//! Parses the command line, dispatches, returns the exit code.

use std::process::ExitCode;

/// mimalloc, because reading manifests allocates and frees many small nodes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    genesync::cli::main()
}
