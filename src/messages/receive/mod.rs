//! The first stage: whether a request of a custom platform is authentic.
//!
//! In: headers and the raw body of a request, the secrets of its channel, the time. Out: the bytes that the
//! sender signed, or nothing. Never: parses a body before its signature was checked, or accepts a request
//! without a secret. Start reading at [`ChannelSecrets::verify`].

mod excise;
mod signature;

pub use signature::{ChannelSecretError, ChannelSecrets, Header, Scheme};
