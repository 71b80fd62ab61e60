//! Notes: the progress messages of a run, for progress bars, logs, metrics and the demo.

use std::fmt;

use jiff::Timestamp;

use crate::model::author::Deed;
use crate::model::{Actor, Counting, Fault, Object, ObjectRef, Region};

/// One progress message of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Note {
    /// Unresolved writes of an earlier run may still take effect.
    Settling {
        /// How many.
        intents: usize,
        /// The end of the wait.
        until: Timestamp,
    },
    /// A write of unknown outcome is in force.
    Landed {
        /// The object.
        object: ObjectRef,
        /// Its version.
        version: u64,
    },
    /// A write of unknown outcome was not executed.
    NotLanded {
        /// The object.
        object: ObjectRef,
        /// The version that it would have made.
        version: u64,
    },
    /// Another user's later change may hide a write of unknown outcome; only the audit log shows it.
    Unclear {
        /// The object.
        object: ObjectRef,
        /// The first version that it may have made.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// The answer was older than an acknowledged version.
    Stale {
        /// The object.
        object: ObjectRef,
        /// The version that is known to exist.
        known: u64,
    },
    /// The base holds digests under another key: genesync treats the live values as applied.
    OtherKey {
        /// The object.
        object: ObjectRef,
    },
    /// An object may not show yet what was last written to it.
    NotShown {
        /// The object.
        object: ObjectRef,
    },
    /// A request failed and is retried.
    Retrying {
        /// What happened.
        fault: Fault,
        /// Milliseconds until the retry.
        wait_ms: u64,
    },
    /// The rate limit refused a request.
    Throttled {
        /// Milliseconds until the next request.
        wait_ms: u64,
    },
    /// Another user wrote between genesync's read and its write.
    Conflict {
        /// The object.
        object: ObjectRef,
    },
    /// Another user changed managed fields of an object.
    ForeignEdit {
        /// The object.
        object: ObjectRef,
        /// The user.
        by: Actor,
        /// What the user did.
        deed: Deed,
        /// The managed fields that differ because of it.
        fields: Vec<String>,
    },
    /// The answer to a write was lost; genesync waits until it can no longer take effect, then reads back.
    AnswerLost {
        /// The object.
        object: ObjectRef,
        /// What happened.
        fault: Fault,
    },
    /// A write was accepted.
    Wrote {
        /// The object.
        object: ObjectRef,
        /// Its version.
        version: u64,
    },
    /// A replication job started.
    JobStarted {
        /// Its id.
        id: String,
        /// How many organizations it copies to.
        targets: usize,
    },
    /// A job did not copy to one organization; genesync writes it directly.
    JobFell {
        /// The object.
        object: ObjectRef,
        /// The reason.
        error: String,
    },
    /// A job could not be started or did not end in time; genesync writes the rest directly.
    JobGone {
        /// The reason.
        reason: String,
    },
    /// A write without an enforced version overwrote a change that another user made after the read.
    Overwrote {
        /// The object.
        object: ObjectRef,
        /// The version that was read.
        seen: Option<u64>,
        /// The version that the write made.
        made: u64,
    },
    /// The live configuration of an organization equals git.
    Served {
        /// The object.
        object: ObjectRef,
        /// Its region.
        region: Region,
        /// Milliseconds from the write to the first matching read.
        latency_ms: u64,
    },
    /// The query for the authors of changes failed.
    NoAudit {
        /// The reason.
        fault: Fault,
    },
    /// Audit log entries are awaited.
    AwaitingAudit {
        /// The number of receipts without an entry.
        missing: usize,
        /// The number of earlier queries.
        polls: u32,
    },
    /// A version was published with a change that another user made just before.
    Mixed {
        /// The fields and the user.
        reason: String,
    },
    /// A draft was stored; visitors do not get it before it is published.
    Stored {
        /// The object.
        object: ObjectRef,
    },
    /// The platform still processes the last write.
    NotReady {
        /// The object.
        object: ObjectRef,
    },
    /// The run continues without a region.
    LeftOut {
        /// The region and the reason.
        fault: Fault,
    },
    /// The run ended on a fault.
    GaveUp {
        /// The fault.
        fault: Fault,
    },
    /// The phase does not accept the event: a defect of the driver.
    OutOfPlace {
        /// The event.
        event: &'static str,
    },
}

/// Counted versions stay below this value; moments, in milliseconds since 1970, are above it.
const MOMENTS_FROM: u64 = 100_000_000_000;

/// Returns a version as text. Drafts have none; objects without versions use the moment of their last change.
pub(super) fn version_of(object: &Object, version: u64) -> String {
    let moment = || Timestamp::from_millisecond(i64::try_from(version).ok()?).ok();
    match version {
        0 if object.kind.has_drafts() => "a draft".into(),
        _ if object.kind.counting() == Counting::Contents => "the last write".into(),
        MOMENTS_FROM.. if object.kind.has_drafts() || !object.kind.counts_versions() => {
            moment().map_or_else(String::new, |at| format!("the write of {at}"))
        }
        _ => format!("version {version}"),
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Settling { intents, until } => {
                write!(f, "waiting until {until} for {intents} write(s) of unknown outcome before reading")
            }
            Note::Landed { object, version } => {
                let version = version_of(&object.object, *version);
                write!(f, "the write to {object} whose answer was lost is in force as {version}")
            }
            Note::NotLanded { object, version: _ } => {
                write!(f, "the write to {object} whose answer was lost was not executed")
            }
            Note::Unclear { object, from, to } => {
                write!(
                    f,
                    "another user changed {object} after a write of unknown outcome (possible versions {from} to {to})"
                )
            }
            Note::Stale { object, known } => {
                let known = version_of(&object.object, *known);
                write!(f, "the API returned an older state of {object} than {known}; reading again")
            }
            Note::OtherKey { object } => f.write_str(&other_key(object)),
            Note::NotShown { object } => write!(f, "{object} may not show the last write yet; reading again"),
            Note::Retrying { fault, wait_ms } => write!(f, "{fault}; trying again in {wait_ms} ms"),
            Note::Throttled { wait_ms } => write!(f, "the rate limit is reached; continuing in {wait_ms} ms"),
            Note::Conflict { object } => {
                write!(f, "another user changed {object} after the read; reading and planning again")
            }
            Note::ForeignEdit { object, by, deed, fields } => {
                let (who, did, fields) = (by.label(), deed.verb(), fields.join(", "));
                write!(f, "{who} {did} {object}, in fields that git manages: {fields}")
            }
            Note::AnswerLost { object, fault } => {
                write!(
                    f,
                    "the answer to the write to {object} was lost ({fault}); waiting until it can no longer take effect, then reading back"
                )
            }
            Note::Wrote { object, version } if object.object.kind.counts_versions() => {
                write!(f, "{object} accepted version {version}")
            }
            Note::Wrote { object, .. } => write!(f, "{object}: the change is accepted"),
            Note::JobStarted { id, targets } => {
                write!(f, "replication job {id} copies to {targets} organization(s)")
            }
            Note::JobFell { object, error } => {
                write!(f, "replication did not reach {object}: {error}; writing it directly")
            }
            Note::JobGone { reason } => {
                write!(f, "no replication job: {reason}; writing each organization directly")
            }
            Note::Overwrote { object, seen, made } => f.write_str(&overwrote(object, *seen, *made)),
            Note::Served { object, region, latency_ms } => {
                write!(f, "{object} in {region} serves the change after {latency_ms} ms")
            }
            Note::NoAudit { fault } => {
                write!(f, "the audit log could not be queried for the authors of the changes: {fault}")
            }
            Note::AwaitingAudit { missing, polls: _ } => {
                write!(f, "waiting for the audit log to show {missing} write(s)")
            }
            Note::Mixed { reason } => f.write_str(reason),
            Note::Stored { object } => write!(f, "{object}: the draft is stored"),
            Note::NotReady { object } => write!(f, "waiting for {object} to become active"),
            Note::LeftOut { fault } | Note::GaveUp { fault } => write!(f, "{fault}"),
            Note::OutOfPlace { event } => write!(f, "the event `{event}` came out of place"),
        }
    }
}

fn other_key(object: &ObjectRef) -> String {
    format!(
        "the state key was changed: genesync treats the live confidential values of {object} as applied, regardless of who set them"
    )
}

fn overwrote(object: &ObjectRef, seen: Option<u64>, made: u64) -> String {
    format!(
        "version {made} of {object} overwrote a change of another user after version {}; see the audit log for its author",
        seen.unwrap_or(0)
    )
}
