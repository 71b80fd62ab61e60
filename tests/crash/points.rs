//! The points at which a process can be killed, and those at which it cannot.

use genesync::model::Dialect;

use crate::rig::Kind;
use crate::workload::Workload;

/// One crash point.
pub struct Point {
    pub name: &'static str,
    /// A description of the moment.
    pub moment: &'static str,
}

const fn at(name: &'static str, moment: &'static str) -> Point {
    Point { name, moment }
}

/// Every point of this product, in the order of a run.
pub const POINTS: &[Point] = &[
    at("C19", "store opened, no migration begun"),
    at("C19b", "schema created, nothing else"),
    at("C03", "a head is read and checked, nothing of it is stored"),
    at("C02b", "head and due tenants inserted, not committed"),
    at("C02", "head committed, this process does not know"),
    at("C01b", "leases inserted, not committed"),
    at("C01", "leases committed, no run begun"),
    at("C28", "the answer to a token request is not read"),
    at("C04", "planned, no intent yet"),
    at("C05", "intent inserted, not committed"),
    at("C06", "intent committed, request not sent"),
    at("C07", "request half sent"),
    at("C08", "the server has executed it, the answer is not read"),
    at("C09", "answer read, journal as before"),
    at("C09b", "outcome of the intent inserted, not committed"),
    at("C11", "a draft is stored, no intent for its publication yet"),
    at("C12", "a version is published, the deployment serves the one before"),
    at("C13", "between one object or organization of a tenant and the next"),
    at("C14", "replication job accepted, its id only in memory"),
    at("C15", "while a job is polled"),
    at("C10a", "the applied value, or our own draft, inserted, not committed"),
    at("C16", "the answer of the audit log is not read"),
    at("C17b", "proof inserted, not committed"),
    at("C17", "confirmed, not reported yet"),
    at("C10", "journal complete, status as before"),
    at("C10b", "status inserted, not committed"),
    at("C21", "stop signal while a write is under way"),
    at("C20", "everything is done, the store's connections are still open"),
];

/// Points of the catalogue that this product does not have, and why.
pub const ABSENT: &[(&str, &str)] = &[
    ("C18", "nothing is posted to pull requests"),
    (
        "C20, vacuum",
        "there is none; SQLite writes its log back by itself, inside a commit, where kills at random times hit it",
    ),
    ("C22 to C26", "there is no message gateway"),
    ("C27", "logs go to stderr; nothing is rotated here"),
];

/// Points that a run reaches once for each writing request.
const OF_A_WRITE: [&str; 6] = ["C05", "C06", "C07", "C08", "C09", "C09b"];
/// Points that a run reaches once for each request of a batch.
const OF_ONE_REQUEST: [&str; 4] = ["C06", "C07", "C08", "C09"];
/// Points before a run; only a run knows the dialect.
const BEFORE_A_RUN: [&str; 9] = ["C19", "C19b", "C03", "C02b", "C02", "C01b", "C01", "C28", "C20"];

/// Returns why a point cannot be reached that often in a workload, or is not covered there.
pub fn impossible(point: &str, hit: u32, workload: Workload) -> Option<&'static str> {
    let replicas = matches!(workload, Workload::Rollout | Workload::Replicas);
    match (workload.dialect(), point, hit) {
        (Dialect::Webchat, "C11" | "C12", _) => {
            Some("in the webchat dialect a write is one PUT, and what it stores is served at once")
        }
        (Dialect::Webchat, "C13" | "C14" | "C15", _) if !replicas => {
            Some("no replicas: one write per run, and no job")
        }
        (Dialect::Cloud, "C14" | "C15", _) => Some("the cloud dialect has no replication jobs"),
        (_, "C11" | "C12", _) if workload == Workload::CloudProfiles => {
            Some("profiles have no drafts, and no object pins a version of them")
        }
        (Dialect::Cloud, point, _) if BEFORE_A_RUN.contains(&point) => {
            Some("only a run knows the dialect: covered in webchat only")
        }
        (_, "C19" | "C19b", 2) => Some("a process opens its store once"),
        (_, "C20", 2) => Some("a process ends once"),
        _ => None,
    }
}

/// Returns the hits at which a process dies at a point in a workload, and the store. In the `cloud` dialect
/// the points of a write are covered at each of its three requests, or within each of the three batches. The
/// other points are covered once in each workload, with alternating stores.
pub fn times(point: &str, workload: Workload) -> Vec<(u32, Kind)> {
    let (hits, turn) = match workload {
        // Six parallel writes of one kind: within the first, the second and the third batch.
        Workload::CloudMany if OF_ONE_REQUEST.contains(&point) => (vec![2, 9, 15], true),
        Workload::CloudMany if OF_A_WRITE.contains(&point) => (vec![1, 2, 3], true),
        Workload::CloudMany => (vec![1], true),
        Workload::CloudCreate | Workload::CloudChange if OF_A_WRITE.contains(&point) => (vec![1, 2, 3], true),
        // Two profiles, then the two defaults with one call each.
        Workload::CloudProfiles if OF_A_WRITE.contains(&point) => (vec![1, 2, 3, 4], true),
        Workload::CloudCreate | Workload::CloudProfiles => (vec![1], true),
        Workload::CloudChange => (vec![2], true),
        Workload::Rollout
        | Workload::Commit
        | Workload::Replicas
        | Workload::Drift
        | Workload::LostAnswer => (vec![1, 2], false),
    };
    let possible = hits.into_iter().filter(|hit| impossible(point, *hit, workload).is_none());
    let stores = |nth: usize| match turn {
        true => vec![Kind::ALL[(workload as usize + nth) % Kind::ALL.len()]],
        false => Kind::ALL.to_vec(),
    };
    possible.enumerate().flat_map(|(nth, hit)| stores(nth).into_iter().map(move |kind| (hit, kind))).collect()
}
