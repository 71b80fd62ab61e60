//! Where a process can be ended, and where it can't.

use crate::workload::Workload;

/// One crash point.
pub struct Point {
    pub name: &'static str,
    /// The moment, in words.
    pub moment: &'static str,
}

const fn at(name: &'static str, moment: &'static str) -> Point {
    Point { name, moment }
}

/// Every point of this product, in the order in which a run comes by them.
pub const POINTS: &[Point] = &[
    at("C19", "store opened, no migration begun"),
    at("C19b", "schema made, nothing else"),
    at("C03", "a head is read and checked, nothing of it is stored"),
    at("C02b", "head and due tenants inserted, not committed"),
    at("C02", "head committed, this process does not know"),
    at("C01b", "leases inserted, not committed"),
    at("C01", "leases committed, no run begun"),
    at("C28", "the answer to a token request is not read"),
    at("C04", "planned, nothing intended"),
    at("C05", "intent inserted, not committed"),
    at("C06", "intent committed, request not sent"),
    at("C07", "request half sent"),
    at("C08", "the server has executed it, the answer is not read"),
    at("C09", "answer read, journal as before"),
    at("C09b", "end of the intent inserted, not committed"),
    at("C13", "between one organization of a tenant and the next"),
    at("C14", "replication job accepted, its id only in memory"),
    at("C15", "while a job is polled"),
    at("C10a", "what is in force inserted, not committed"),
    at("C16", "the answer of the audit log is not read"),
    at("C17b", "proof inserted, not committed"),
    at("C17", "proved, and nobody was told"),
    at("C10", "journal complete, status as before"),
    at("C10b", "status inserted, not committed"),
    at("C21", "told to stop, while a write is under way"),
    at("C20", "all is done, the store's connections are still open"),
];

/// Points of the catalogue that this product does not have, and why.
pub const ABSENT: &[(&str, &str)] = &[
    ("C11", "a write is one PUT: there is no draft that is published later"),
    ("C12", "a configuration is served as soon as it is stored: nothing is pinned after it"),
    ("C18", "nothing is posted to pull requests"),
    (
        "C20, vacuum",
        "there is none; SQLite writes its log back by itself, inside a commit, where kills at random times hit it",
    ),
    ("C22 to C26", "there is no message gateway"),
    ("C27", "logs go to stderr; nothing is rotated here"),
];

/// Why a point can't be reached that often in a workload.
pub fn impossible(point: &str, hit: u32, workload: Workload) -> Option<&'static str> {
    let replicas = matches!(workload, Workload::Rollout | Workload::Replicas);
    match (point, hit) {
        ("C13" | "C14" | "C15", _) if !replicas => Some("no replicas: one write a run, and no job"),
        ("C19" | "C19b", 2) => Some("a process opens its store once"),
        ("C20", 2) => Some("a process ends once"),
        _ => None,
    }
}
