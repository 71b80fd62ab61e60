//! Why a process can't do its work.

use std::io;
use std::net::SocketAddr;

use super::http::HookSecretError;
use crate::config::env;
use crate::model::Fault;
use crate::notify::NotifyError;

/// Why a process can't start, or did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The client of the live API can't be set up.
    #[error("{0}")]
    Client(Fault),
    /// The address of probes and hooks is not to be had.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A secret of the webhook is no good.
    #[error("{}", env::HOOK_SECRETS)]
    HookSecrets(#[source] HookSecretError),
    /// Nothing can be sent to the receiver of notifications.
    #[error("{}", env::NOTIFY_URL)]
    Notifications(#[source] NotifyError),
    /// It was told to stop, and its time is up.
    #[error("the store did not answer within the shutdown time")]
    Overdue,
}
