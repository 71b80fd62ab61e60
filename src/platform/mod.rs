//! A port: sends requests to every API of the platform, in both dialects.
//!
//! In: an [`operation::Operation`] about a target, and the operator's endpoints and OAuth clients. Out: the
//! outcome of the request. Never: sends a write twice, except after a 401, because the API did not execute
//! it; follows a redirect; interprets the body of an operation; puts a token into a log or an error.
//!
//! Start reading at [`Client::send`], the only function that sends. `account.rs` selects the token of a
//! request, `pace.rs` decides when it may be sent, and `hosts.rs` decides to which host.

mod account;
mod client;
mod hosts;
pub mod operation;
mod pace;
mod token;

use crate::model::{Fault, FaultKind, Secret};

pub use client::{Client, Heard, Options, RequestEvent, Sent};
pub use pace::Pace;

/// An OAuth client.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The id.
    pub id: String,
    /// The secret.
    pub secret: Secret,
    /// The number of tokens that genesync uses in parallel if the rate limit is per token: 1 to 10.
    pub tokens: u8,
}

/// Returns a fault of genesync itself, not of the server.
pub fn local(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Local, message)
}
