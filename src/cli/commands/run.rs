//! `genesync run`: runs the controller, or one pass with `--once`.
//!
//! In: arguments and settings. Out: a process that follows the repository, or one pass. Never: uses the
//! controller directly, because `service` hosts it. Start reading at [`run`].

mod args;
mod once;

use std::sync::Arc;

use crate::cli::{Exit, Failure, Output};
use crate::cli::{place, session};
use crate::config::Flags;
use crate::service::{Following, Process};
use crate::telemetry::Telemetry;
pub use args::RunArgs;

/// Follows a repository, and keeps the live configuration equal to it.
pub async fn run(
    args: &RunArgs,
    flags: Flags,
    output: &Output,
    telemetry: &Arc<Telemetry>,
) -> Result<Exit, Failure> {
    let settings = session::settings(flags.clone())?;
    let origin = place::origin(&args.path, args.rev.as_deref(), &settings)?;
    let store = match args.once {
        true => session::open_store_or_none(&settings, output).await?,
        false => session::open_store(&settings, output).await?,
    };
    let listen = args.listen.or(settings.controller.listen);
    let process = Process::start(settings, flags, store, telemetry);
    let following = Arc::new(Following::new(process, origin)?);
    let work = async {
        if args.once {
            once::run(args, &following, output).await
        } else {
            following.follow().await;
            Ok(Exit::Done)
        }
    };
    following.host(listen, work).await?
}
