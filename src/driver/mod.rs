//! Connects the core with the ports. No other module does.
//!
//! In: tenants with their desired configuration, and the ports. Out: driven runs, and their recorded results.
//! Never: decides what to write (the core does), parses a command line, or prints. Start reading at [`drive`]
//! (one run), then [`mod@pass`] (one commit for many tenants). The CLI and the controller share the pure
//! parts: `spec` (the input of a run), `rewind`, `waves`, `outcome` (the result of a run), `exit`.

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
