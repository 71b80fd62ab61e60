//! The emulated platform: an embedded, deterministic emulator of the `webchat` API and of the cloud API.
//!
//! In: HTTP requests (as [`Request`] values, or over a socket through [`serve`]), the time, a world file
//! ([`seed_from_json`]) and, over the control surface below `/_emulator`, scripted faults and people's edits.
//!
//! Out: the answers that the contract describes, an audit trail, and a log of the requests.
//!
//! Never: reads a clock, draws a random number or touches the network outside [`serve`]; shares a type with
//! the client of the API, so that a test fails if one of them misreads a field; panics on any input.
//!
//! Start reading at [`World::handle`], which handles every request. It uses `route` to find the API, `fault`
//! to find a scripted failure, and `oauth` to find the caller. `webchat` and `cloud` are the two APIs. They
//! share tokens, faults, settings and the log, and neither imports the other.

mod actor;
mod call;
mod cloud;
mod control;
mod edit;
mod error;
mod fault;
mod glob;
mod http;
mod message;
mod oauth;
mod request_log;
mod route;
mod seed;
mod settings;
mod text;
mod time;
mod tree;
mod webchat;
mod world;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use actor::{Actor, ActorKind};
pub use cloud::edit::CloudEdit;
pub use cloud::seed::{SeedClientCloud, SeedCloud, SeedConfiguration};
pub use fault::{DropWhen, Fault, FaultAction, FaultMatch};
pub use http::serve;
pub use message::{Handled, Request, Response};
pub use seed::{Seed, SeedClient, SeedError, SeedOrganization, seed_from_json};
pub use settings::{Settings, SettingsPatch};
pub use tree::Change;
pub use webchat::audit::{AuditAction, AuditRecord};
pub use webchat::configuration::Configuration;
pub use world::World;
