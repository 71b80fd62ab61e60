//! A port: the way to every API of the platform, which both dialects and both wings share.
//!
//! In: an [`operation::Operation`] about a target, the operator's endpoints and OAuth clients. Out: what became of the
//! request. Never: sends a write again, but for a 401, which was not executed; follows a redirect; knows what the body of
//! an operation means; lets a token into a log or an error.
//! Start reading at [`Client::send`], the one send function; `account.rs` says whose token a request carries,
//! `pace.rs` when it may leave, `hosts.rs` where it may go.

mod account;
mod client;
mod hosts;
pub mod operation;
mod pace;
mod token;

use crate::model::{Fault, FaultKind, Secret};

pub use client::{Client, Heard, Options, Sent, Told};
pub use pace::Pace;

/// An OAuth client.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
    /// How many of its tokens are used side by side where the limit is by token: 1 to 10.
    pub tokens: u8,
}

/// A fault of ours rather than of the server.
pub fn local(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Local, message)
}
