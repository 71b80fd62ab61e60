//! The controller: claims due tenants and runs them, one run for each tenant at a time.
//!
//! In: a git repository that changes, a store, tunables. Out: runs under leases, and their records. Never:
//! decides
//! what to write (the core does), or performs an effect (the driver does). Start reading at
//! [`Controller::run`].

pub mod head;
mod job;
mod run;
mod state;

pub use state::{Controller, Tunables};
