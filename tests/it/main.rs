//! The integration tests: the real binary, real HTTP, real git.

mod docs;
mod house;
mod schemas;
mod story;
mod support;
