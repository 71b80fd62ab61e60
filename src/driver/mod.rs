//! The only place where ports and cores meet.
//!
//! In: a run, or what runs are made of, and the ports. Out: runs driven to where they were to go. Never: decides
//! what to write: that is the core's. Start reading at [`drive`].

pub mod drive;
pub mod leases;
