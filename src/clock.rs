//! The only reader of time.

#![expect(clippy::disallowed_methods, reason = "this module is the clock")]

use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::Date;

/// The wall clock: for records, windows and questions to servers.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The monotonic clock: for waits, expiries and rates, which a set-back wall clock must not stretch.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Today in UTC: the day on which waivers are judged everywhere alike.
pub fn today() -> Date {
    jiff::tz::TimeZone::UTC.to_datetime(now()).date()
}
