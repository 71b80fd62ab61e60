//! Stage 5 of 7: what the answer to a write means for what comes next.
//!
//! In: an [`crate::model::Outcome`]. Out: a [`Verdict`]. Never: sends anything, or says *send it again*: after every
//! answer but an acceptance the live configuration is read first. Start reading at [`verdict()`].
//!
//! Which write is next is decided in `reconcile/deciding.rs`, and what comes after its answer in `reconcile/answering.rs`.

pub mod verdict;

pub use verdict::{Verdict, verdict};
