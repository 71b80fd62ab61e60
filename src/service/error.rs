//! Errors of the process.

use std::io;
use std::net::SocketAddr;

use super::http::HookSecretError;
use crate::config::env;
use crate::model::Fault;
use crate::notify::NotifyError;

/// Why a process cannot start, or did not end in time.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The client of the live API cannot be set up.
    #[error("{0}")]
    Client(Fault),
    /// The process cannot listen on the address of probes and hooks.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A secret of the webhook is unusable.
    #[error("{}", env::HOOK_SECRETS)]
    HookSecrets(#[source] HookSecretError),
    /// The receiver of notifications is unusable.
    #[error("{}", env::NOTIFY_URL)]
    Notifications(#[source] NotifyError),
    /// The process had to stop and exceeded its shutdown time.
    #[error("the store did not answer within the shutdown time")]
    Overdue,
}
