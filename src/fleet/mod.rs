//! The desired state of many tenants, from git.
//!
//! In: a source and a revision, or a folder with the unsaved texts of an editor. Out: every tenant parsed,
//! checked and lowered, with the findings. Never: calls the live API, opens the store, or writes. Start
//! reading at [`load()`]; `known.rs` keeps a whole fleet in little memory for the controller, `desk.rs`
//! serves an editor.

pub mod desk;
pub mod known;
mod load;
mod moved;
mod parent;
mod shared;

pub use load::{Fleet, Loaded, Options, PROJECT_IS_BROKEN, load, load_snapshot, manifests};
pub use moved::{Moved, ProjectMoved, changed_layers, moved};
pub use parent::{parent, said_at};
