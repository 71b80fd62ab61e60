//! One file a command: its arguments and what it does.

pub mod accessibility;
pub mod apply;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod emulate;
pub mod explain;
pub mod import;
pub mod init;
pub mod pause;
pub mod picture;
pub mod plan;
pub mod pr_comment;
pub mod rules;
pub mod run;
pub mod schema;
pub mod status;
pub mod validate;
