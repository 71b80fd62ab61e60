//! The commands, one file each, with their arguments.
//!
//! In: parsed arguments, settings. Out: printed text and an exit code. Never: decides the colour of a message
//! (`output.rs`) or the hints of an error of another module (`failure.rs`). Start reading at `plan.rs`, the
//! command that most users run first.

pub mod accept;
pub mod accessibility;
pub mod allow;
pub mod apply;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod emulate;
pub mod explain;
pub mod import;
pub mod init;
pub mod man;
pub mod pause;
pub mod picture;
pub mod plan;
pub mod pr_comment;
pub mod rules;
pub mod run;
pub mod schema;
pub mod status;
pub mod validate;
