//! The only place where ports and cores meet.
//!
//! In: what git says of tenants, and the ports. Out: runs driven to where they were to go, and what is written down
//! of them. Never: decides what to write: that is the core's; parses a command line, or prints. Start reading at
//! [`drive`] (one run), then [`mod@pass`] (one commit over many tenants). What both shells decide, they decide with the
//! pure pieces: `spec` (what a run is about), `rewind`, `waves`, `outcome` (what a run leaves behind), `exit`.

pub mod clients;
pub mod counting;
pub mod drive;
pub mod exit;
mod guarding;
mod history;
pub mod leases;
pub mod notes;
pub mod outcome;
pub mod pass;
pub mod planning;
pub mod ports;
pub mod rewind;
pub mod slots;
pub mod spec;
pub mod spread;
pub mod waves;
