//! What git says, for many tenants.
//!
//! In: a source and a revision, or a folder and the texts an editor has not saved. Out: every tenant read, checked
//! and lowered, with the findings. Never: asks the live API, opens the store, or writes. Start reading at
//! [`load()`]; `known.rs` keeps a whole fleet small enough for the controller, `desk.rs` serves an editor.

pub mod desk;
pub mod known;
mod load;
mod moved;
mod parent;
mod shared;

pub use load::{Fleet, Loaded, Options, PROJECT_IS_BROKEN, load, load_snapshot, manifests};
pub use moved::{Moved, ProjectMoved, changed_layers, moved};
pub use parent::{parent, said_at};
