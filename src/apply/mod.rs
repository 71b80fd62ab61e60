//! Stage 5 of 7: maps the answer to a write to the next step.
//!
//! In: an [`crate::model::Outcome`]. Out: a [`Verdict`]. Never: sends anything, or sends a write again: after
//! every answer but an acceptance the live configuration is read first. Start reading at [`verdict()`].
//!
//! `reconcile/deciding.rs` decides which write is next, and `reconcile/answering.rs` what follows its answer.

pub mod verdict;

pub use verdict::{Verdict, verdict};
