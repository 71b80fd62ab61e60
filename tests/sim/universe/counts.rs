//! What really happened in some seeds: a fault that never fired was never survived.

use std::collections::BTreeMap;
use std::fmt;

use genesync::model::Dialect;

/// The number of times that each event happened.
#[derive(Debug, Clone, Default)]
pub struct Counts(BTreeMap<&'static str, u64>);

/// Events that have to happen in the seeds of each dialect.
const IN_BOTH: &[&str] = &[
    "accepted",
    "crash after",
    "crash before",
    "drop after",
    "drop before",
    "edit",
    "commit",
    "garbage",
    "held back",
    "landed late",
    "left out",
    "lease lost",
    "outage",
    "refused",
    "server error",
    "stale",
    "stopped",
    "store failure",
    "superseded",
    "takeover",
    "throttle",
    "too late to leave",
];
/// Events that have to happen in the seeds of one dialect.
const IN_WEBCHAT: &[&str] = &["conflict", "fought over", "overwritten", "job failure"];
const IN_CLOUD: &[&str] = &["default", "draft", "held", "judged", "pin", "profile", "publication"];

impl Counts {
    /// Counts one event.
    pub fn hit(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    pub fn add(&mut self, other: &Counts) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    pub fn never(&self, dialect: Dialect) -> Vec<&'static str> {
        let own = match dialect {
            Dialect::Webchat => IN_WEBCHAT,
            Dialect::Cloud => IN_CLOUD,
        };
        IN_BOTH.iter().chain(own).copied().filter(|kind| !self.0.contains_key(kind)).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        f.write_str(&parts.join(", "))
    }
}
