//! Renders findings and plans as text for people, for programs and for pull requests.
//!
//! In: findings, runs, texts of files. Out: strings. Never: reads a file, makes a decision, or prints a
//! secret or an unescaped control character. Start reading at `finding.rs` and `plan.rs`.

pub mod accessibility;
pub mod applied;
pub mod document;
pub mod finding;
#[cfg(test)]
mod fixture;
pub mod management;
pub mod markdown;
pub mod opening;
pub mod page;
pub mod picture;
pub mod plan;
pub mod reports;
pub mod review;
pub mod sentence;
pub mod unmanaged;
pub mod value;
pub mod visitors;
