//! Times of the emulated platform.
//!
//! In: a time and a delay. Out: a later time. Never: reads a clock.

use jiff::{SignedDuration, Timestamp};

/// When the objects of a world file were made: 2026-01-01, because a world has no clock of its own.
pub(super) const SEEDED_AT: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Adds milliseconds to a time; a time beyond the calendar becomes the last moment of the calendar.
pub(super) fn later(time: Timestamp, ms: u64) -> Timestamp {
    let duration = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}
