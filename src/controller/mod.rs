//! The shell around the core: the only place where ports and core meet.
//!
//! In: a source, settings, what the operator asked for. Out: runs driven to where they were to go. Never:
//! decides what to write: that is the core's. Start reading at [`drive`], then `fleet.rs`.

pub mod desk;
pub mod drive;
pub mod fleet;
pub mod head;
mod job;
pub mod known;
pub mod leases;
pub mod outcome;
pub mod run;
mod shared;
pub mod slots;
mod spread;
