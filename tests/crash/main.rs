//! The real binary, killed, stopped, disconnected and given false answers. After any fault of a controller or
//! of its environment, the next process brings every tenant to what git says, and no write has an effect
//! twice.
//!
//! Each test is its own world: an emulator, a repository, a store, one or more processes of `genesync run`.
//! `rig` sets it up and judges it (`cloud` is the part for that dialect), `proxy` is between a process and
//! the emulator, `matrix` covers every crash point, `report` writes docs/reliability.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unreachable,
    clippy::use_debug,
    missing_docs,
    reason = "a test ends with a panic, and sets the stage itself"
)]

#[allow(dead_code, reason = "shared with the integration tests: each uses a part of it")]
#[path = "../it/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "shared with the integration tests: each uses a part of it")]
#[path = "../it/support.rs"]
mod support;

mod cloud;
mod git_faults;
mod kills;
mod matrix;
mod mutants;
mod points;
mod profiles;
mod proxy;
mod replicas;
mod report;
mod rig;
mod store_faults;
mod wire;
mod workload;
