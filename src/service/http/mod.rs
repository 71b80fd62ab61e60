//! The process's own HTTP: probes, metrics, and the git webhook.
//!
//! In: connections of any client, and a [`Surface`] that knows the state of the process. Out: short answers,
//! and
//! [`Surface::hint`] if a forge reports a push. Never: trusts the content of a body, reads more than 1 MiB of
//! one,
//! or waits for a client longer than its deadline. Start reading at [`serve`], then `hooks.rs`.

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
