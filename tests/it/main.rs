//! The integration tests: the real binary, real HTTP, real git.

mod bad_input;
mod docs;
mod house;
mod schemas;
mod story;
mod support;
