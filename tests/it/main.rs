//! Tests over the library's and the binary's whole width.

mod bad_input;
