//! The controller: who is due, one run per tenant.
//!
//! In: a source that moves, a store, tunables. Out: runs under leases, one at a time for each tenant, and what is
//! written down of them. Never: decides what to write: that is the core's; performs an effect: that is the driver's.
//! Start reading at [`Controller::run`].

pub mod head;
mod job;
mod run;
mod state;

pub use state::{Controller, Tunables};
