//! The messages of the channels that the configuration describes.
//!
//! ```text
//!  custom platform ─> receive ─> lane ─> deliver ─> settle ─> outbox
//! ```
//!
//! In: requests as bytes, secrets, the time. Out: decisions as values. Never: reads a clock, a socket or a
//! store, or imports anything but `model`. Start reading at [`receive`], the only stage that exists so far;
//! no command uses it yet.

pub mod receive;
