//! The integration tests: the real binary, real HTTP, real git.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::use_debug,
    missing_docs,
    reason = "a test ends with a panic, and sets the stage itself"
)]

mod adoption;
mod bad_input;
mod cloud;
mod controller;
mod deploy;
mod differential;
mod docs;
mod pages;
mod drift;
mod examples;
mod explaining;
mod forge;
mod guarantees;
mod house;
mod import;
mod kept;
mod lsp;
mod management;
mod fixing;
mod messages;
mod met;
mod openapi;
#[allow(dead_code, reason = "shared with the crash tests: each uses a part of it")]
mod postgres;
mod reviewed;
mod schemas;
mod serve;
mod store;
mod story;
mod support;
mod reported;
mod trust;
mod unmanaged;
mod wording;
mod workflows;
