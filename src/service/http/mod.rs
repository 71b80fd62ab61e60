//! The process's own HTTP: probes, metrics, and the git webhook.
//!
//! In: connections of anybody, and a [`Surface`] that knows how the process is. Out: short answers, and
//! [`Surface::hint`] where a forge says that something was pushed. Never: believes anything in a body, reads
//! more than a mebibyte of one, or waits for a client longer than its deadline. Start reading at [`serve`],
//! then `hooks.rs`.

mod answer;
mod hooks;
mod options;
mod router;
mod server;
mod signature;
mod surface;

pub use options::ServeOptions;
pub use server::serve;
pub use signature::{HookSecretError, HookSecrets};
pub use surface::Surface;
