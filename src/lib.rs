//! genesync keeps the web messaging configuration of many Genesys organizations equal to what a git
//! repository says, and proves it.
//!
//! ```text
//!  git ─> source ─> manifest ─> validate ─> plan ─> apply ─> replicate ─> confirm
//!         files     spans,      findings    what    one      one job,     one audit
//!         by blob   layers                  differs write    read back    entry each
//!                                           └──────── reconcile ─────────┘
//! ```
//!
//! Modules in reading order: the values, the seven stages, the core that alone knows their order, the
//! ports through which the world is met, the shells around everything: `fleet` is what git says of all tenants,
//! `driver` is where ports and core meet, `service` is the process that hosts the controller.

pub mod model;

pub mod source;
pub mod manifest;
pub mod validate;
pub mod plan;
pub mod apply;
pub mod replicate;
pub mod confirm;

pub mod reconcile;

pub mod platform;
pub mod api;
pub mod store;
pub mod config;
pub mod clock;
pub mod crash;
pub mod telemetry;
pub mod notify;
pub mod forge;

pub mod fleet;
pub mod driver;
pub mod controller;
pub mod service;
pub mod render;
pub mod emulator;
pub mod lsp;
pub mod cli;
