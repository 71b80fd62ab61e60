//! The emulated platform: an embedded, deterministic stand-in for the `webchat` API and for the cloud API.
//!
//! In: HTTP requests (as [`Request`] values, or over a socket through [`serve`]), the time, a world file
//! ([`seed_from_json`]) and, over the control surface below `/_emulator`, scripted faults and people's edits.
//!
//! Out: the answers the contract describes, an audit trail, and a log of what was asked.
//!
//! Never: reads a clock, draws a random number or touches the network outside [`serve`]; shares a type with
//! the client of the API, so that a field misread on one side shows as a failing test; panics on any input.
//!
//! Start reading at [`World::handle`], which every request goes through. From there: `route` says what is
//! asked, `fault` what goes wrong with it, and `configuration`, `replication`, `audit` and `oauth` what the
//! platform does. `cloud` is the cloud API, which shares tokens, faults, settings and the log with the other.

mod actor;
mod audit;
mod call;
mod cloud;
mod configuration;
mod control;
mod error;
mod fault;
mod glob;
mod http;
mod message;
mod oauth;
mod payload;
mod rate;
mod replication;
mod request_log;
mod route;
mod seed;
mod settings;
mod text;
mod tree;
mod world;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use actor::{Actor, ActorKind};
pub use audit::{AuditAction, AuditRecord, Change};
pub use cloud::edit::{CloudEdit, CreateEdit, DeploymentEdit, DraftEdit, EditKind, OpenEdit, PublishEdit};
pub use cloud::seed::{SeedClientCloud, SeedCloud, SeedConfiguration};
pub use configuration::Configuration;
pub use fault::{DropWhen, Fault, FaultAction, FaultMatch};
pub use http::serve;
pub use message::{Handled, Request, Response};
pub use seed::{Seed, SeedClient, SeedError, SeedOrganization, seed_from_json};
pub use settings::{Settings, SettingsPatch};
pub use world::World;
