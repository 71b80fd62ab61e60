//! Reads the clocks. No other module does.

#![expect(clippy::disallowed_methods, reason = "this module is the clock")]

use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::Date;

/// Returns the time of the wall clock, for records, change windows and API queries.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns the monotonic time, for waits, expiries and rates: they ignore changes of the wall clock.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Returns today's date in UTC, so that a waiver ends at the same moment on every machine.
pub fn today() -> Date {
    jiff::tz::TimeZone::UTC.to_datetime(now()).date()
}
