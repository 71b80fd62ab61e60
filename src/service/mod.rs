//! The process: what runs until a signal ends it, and what it hosts.
//!
//! In: settings, an open store, what is hosted, signals, and requests over HTTP. Out: probes and metrics, settings
//! that are read again, and an end in time. Never: decides what is written to a tenant, prints, or chooses an exit
//! code. Start reading at [`Process`], which works the same for everything that it hosts; [`Following`] is the
//! controller in it. Nothing else starts a controller.

mod error;
mod following;
pub mod http;
mod logging;
mod process;
mod reload;
mod requests;
mod signals;
#[cfg(test)]
mod tests;

pub use crate::controller::head::Origin;
pub use error::ServiceError;
pub use following::Following;
pub use logging::logging;
pub use process::Process;
pub use signals::stopped;
