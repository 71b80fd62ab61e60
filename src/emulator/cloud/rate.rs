//! The limits of the cloud API: fixed windows of a minute, one for each token and one for each client that
//! requests tokens.
//!
//! In: the caller, the limit, the time. Out: whether a request exceeds the limit, and the headers.
//! Never: counts across windows. A window starts with the first request after the one before it ended.

use crate::emulator::message::Response;
use jiff::Timestamp;
use std::collections::BTreeMap;

const WINDOW_S: i64 = 60;

/// The limit in the header if there is no limit.
const UNLIMITED: u64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
struct Window {
    from: Timestamp,
    count: u64,
}

impl Window {
    fn ends_in_s(&self, now: Timestamp) -> i64 {
        let passed_ms = now.as_millisecond().saturating_sub(self.from.as_millisecond());
        let left_ms = (WINDOW_S * 1000).saturating_sub(passed_ms);
        left_ms.saturating_add(999).div_euclid(1000).clamp(0, WINDOW_S)
    }
}

/// The open windows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Windows {
    open: BTreeMap<String, Window>,
}

impl Windows {
    /// Counts a request. If it exceeds the limit, `Err` has the whole seconds until the next window.
    pub fn count(&mut self, key: &str, per_minute: u64, now: Timestamp) -> Result<(), i64> {
        if self.open.len() > 10_000 {
            self.open.retain(|_, window| window.ends_in_s(now) > 0);
        }
        let fresh = Window { from: now, count: 0 };
        let window = self.open.entry(key.to_owned()).or_insert(fresh);
        if window.ends_in_s(now) == 0 || now < window.from {
            *window = fresh;
        }
        window.count = window.count.saturating_add(1);
        if per_minute > 0 && window.count > per_minute { Err(window.ends_in_s(now).max(1)) } else { Ok(()) }
    }

    /// Adds the headers with the state of a token's window.
    pub fn tell(&self, key: &str, per_minute: u64, now: Timestamp, response: Response) -> Response {
        let Some(window) = self.open.get(key) else { return response };
        let allowed = if per_minute == 0 { UNLIMITED } else { per_minute };
        response
            .with_header("inin-ratelimit-count", window.count.min(allowed).to_string())
            .with_header("inin-ratelimit-allowed", allowed.to_string())
            .with_header("inin-ratelimit-reset", window.ends_in_s(now).to_string())
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::cloud::rate::Windows;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn windows_are_fixed_and_apart() {
        let mut windows = Windows::default();
        for (key, ms, expected) in [
            ("a", 0, Ok(())),
            ("a", 59_000, Ok(())),
            ("a", 59_500, Err(1)),
            ("b", 59_500, Ok(())),
            ("a", 60_000, Ok(())),
            ("a", 60_000, Ok(())),
            ("a", 60_001, Err(60)),
        ] {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms);
            assert_eq!(windows.count(key, 2, now), expected, "{key} {ms}");
        }
        for now in [Timestamp::MAX, Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(windows.count("c", 1, now), Ok(()));
        }
    }
}
