//! The log of requests to the emulated API, for tests and demonstrations.
//!
//! In: one [`Entry`] for each request. Out: the entries after a number. Never: keeps more than the newest
//! [`ENTRIES_MAX`] entries, or a body.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::VecDeque;

/// The maximum number of entries in the log.
pub(super) const ENTRIES_MAX: usize = 100_000;

/// One request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub n: u64,
    pub time: Timestamp,
    pub method: String,
    pub path: String,
    /// The status; `None` if the emulator closed the connection without an answer.
    pub status: Option<u16>,
    pub organization_id: Option<String>,
    pub client_id: Option<String>,
    pub if_match: Option<String>,
    pub body_sha256: Option<String>,
    /// A remark about an unusual request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// The newest entries. Numbers start at 1 and continue when the log drops old entries.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestLog {
    entries: VecDeque<Entry>,
    newest: u64,
}

impl RequestLog {
    /// Adds an entry with the next number.
    pub fn push(&mut self, entry: Entry) {
        self.newest += 1;
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { n: self.newest, ..entry });
    }

    /// Returns the number of the newest entry; 0 if there is none.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Returns the entries after a number that are still in the log.
    pub fn since(&self, n: u64) -> impl Iterator<Item = &Entry> {
        let wanted = usize::try_from(self.newest.saturating_sub(n)).unwrap_or(usize::MAX);
        self.entries.iter().skip(self.entries.len().saturating_sub(wanted))
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::request_log::{ENTRIES_MAX, Entry, RequestLog};
    use jiff::Timestamp;

    #[test]
    fn keeps_the_newest_and_their_numbers() {
        let entry = Entry {
            n: 0,
            time: Timestamp::UNIX_EPOCH,
            method: "GET".to_owned(),
            path: String::new(),
            status: None,
            organization_id: None,
            client_id: None,
            if_match: None,
            body_sha256: None,
            note: None,
        };
        let mut log = RequestLog::default();
        (0..ENTRIES_MAX + 5).for_each(|_| log.push(entry.clone()));
        let newest = ENTRIES_MAX as u64 + 5;
        for (since, first, count) in [
            (0, Some(6), ENTRIES_MAX),
            (newest - 2, Some(newest - 1), 2),
            (newest, None, 0),
            (u64::MAX, None, 0),
        ] {
            assert_eq!(log.since(since).next().map(|entry| entry.n), first);
            assert_eq!(log.since(since).count(), count);
        }
    }
}
