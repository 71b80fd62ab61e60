//! One file a command: its arguments and what it does.
//!
//! In: parsed arguments, settings. Out: what is printed, and an exit code. Never: decides a message's colour or a
//! failure's hint; those are `output.rs` and `failure.rs`. Start reading at `plan.rs`, the command most people meet
//! first.

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
