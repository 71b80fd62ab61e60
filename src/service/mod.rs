//! The process: runs until a signal ends it, and hosts a task such as the controller.
//!
//! In: settings, an open store, the hosted task, signals, and HTTP requests. Out: probes and metrics,
//! reloaded settings, and an end in time. Never: decides what is written to a tenant, prints, or chooses an
//! exit code. Start reading at [`Process`], which is independent of the hosted task; [`Following`] hosts the
//! controller. No other module starts a controller.

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
