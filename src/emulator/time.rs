//! Times of the emulated platform.
//!
//! In: a time and a delay. Out: a later time. Never: reads a clock.

use jiff::{SignedDuration, Timestamp};

/// The creation time of the objects of a world file: 2026-01-01 UTC, because a world has no clock.
pub(super) const SEEDED_AT: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Adds milliseconds to a time, up to the latest time that [`Timestamp`] supports.
pub(super) fn later(time: Timestamp, ms: u64) -> Timestamp {
    let duration = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}
