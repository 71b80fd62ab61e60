//! The arguments of `genesync run`.

use std::net::SocketAddr;

use clap::Args;

use crate::cli::Format;

/// What `run` takes.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Configuration repository: a folder, or an https, ssh or file URL of a git repository
    #[arg(default_value = ".", value_name = "PATH|URL")]
    pub(super) path: String,
    /// Follow this branch, tag or commit instead of HEAD
    #[arg(long, value_name = "REV")]
    pub(super) rev: Option<String>,
    /// Make one pass over every tenant, wait for confirmations, and exit, for a scheduled job
    #[arg(long)]
    pub(super) once: bool,
    /// Serve /healthz, /readyz, /metrics and /hooks/git on this address
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<SocketAddr>,
    /// With --once: exit with 3 if git has changes left to apply, and with 8 if only the live configuration
    /// changed
    #[arg(long, requires = "once")]
    pub(super) detailed_exitcode: bool,
    /// With --once: exit with 6 if a write has no audit entry in time
    #[arg(long, requires = "once")]
    pub(super) require_confirmed: bool,
    /// Format of the result of --once
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
