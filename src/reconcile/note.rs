//! What a run tells whoever watches: progress bars, logs, metrics, the demo.

use std::fmt;

use jiff::Timestamp;

use crate::model::author::Deed;
use crate::model::{Actor, Counting, Fault, Object, ObjectRef, Region};

/// One thing worth telling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Note {
    /// Unresolved writes of an earlier run may still take effect.
    Settling {
        /// How many.
        intents: usize,
        /// Until then.
        until: Timestamp,
    },
    /// A write of unknown outcome was found in force.
    Landed {
        /// Where.
        object: ObjectRef,
        /// Its version.
        version: u64,
    },
    /// A write of unknown outcome was not found.
    NotLanded {
        /// Where.
        object: ObjectRef,
        /// The version that it would have made.
        version: u64,
    },
    /// A write of unknown outcome may lie under somebody's later change; only the audit log knows.
    Unclear {
        /// Where.
        object: ObjectRef,
        /// The first version that it may have made.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// The answer was older than what was acknowledged already.
    Stale {
        /// Where.
        object: ObjectRef,
        /// The version that is known to exist.
        known: u64,
    },
    /// What was applied is kept as digests under another key: what is live is taken for it.
    OtherKey {
        /// Of which object.
        object: ObjectRef,
    },
    /// An object may not show yet what was last written to it.
    NotShown {
        /// Where.
        object: ObjectRef,
    },
    /// A request failed and will be tried again.
    Retrying {
        /// What happened.
        fault: Fault,
        /// How long until then.
        wait_ms: u64,
    },
    /// The rate limit refused a request.
    Throttled {
        /// How long until the next.
        wait_ms: u64,
    },
    /// Somebody wrote between our read and our write.
    Conflict {
        /// Where.
        object: ObjectRef,
    },
    /// The configuration that we meant to write was touched by somebody else.
    ForeignEdit {
        /// Where.
        object: ObjectRef,
        /// By whom.
        by: Actor,
        /// What they did.
        deed: Deed,
        /// The managed fields that differ because of it.
        fields: Vec<String>,
    },
    /// The answer to a write was lost; it is waited out and read back.
    AnswerLost {
        /// Where.
        object: ObjectRef,
        /// What happened.
        fault: Fault,
    },
    /// A write was accepted.
    Wrote {
        /// Where.
        object: ObjectRef,
        /// Its version.
        version: u64,
    },
    /// A replication job runs.
    JobStarted {
        /// Its id.
        id: String,
        /// How many organizations it copies to.
        targets: usize,
    },
    /// A job did not copy to one organization; it gets a plain write.
    JobFell {
        /// Where.
        object: ObjectRef,
        /// Why.
        error: String,
    },
    /// A job could not be started or did not end in time; the rest is written plainly.
    JobGone {
        /// Why.
        reason: String,
    },
    /// A write of ours, which the server did not hold against a version, went over a change that somebody made
    /// after we had read.
    Overwrote {
        /// Where.
        object: ObjectRef,
        /// The version that was read.
        seen: Option<u64>,
        /// The version that the write made.
        made: u64,
    },
    /// An organization serves what git says.
    Served {
        /// Where.
        object: ObjectRef,
        /// In which region.
        region: Region,
        /// How long after it was asked for.
        latency_ms: u64,
    },
    /// The audit log could not be asked who moved what.
    NoAudit {
        /// Why.
        fault: Fault,
    },
    /// Entries are awaited.
    AwaitingAudit {
        /// How many receipts have none yet.
        missing: usize,
        /// How often the log was asked before.
        polls: u32,
    },
    /// A version was published with what somebody had changed in the last moment.
    Mixed {
        /// What, and who.
        reason: String,
    },
    /// A draft was stored; nobody is served it before it is published.
    Stored {
        /// Where.
        object: ObjectRef,
    },
    /// The platform is not done with the last write.
    NotReady {
        /// Where.
        object: ObjectRef,
    },
    /// The run goes on without a region.
    LeftOut {
        /// Which, and why.
        fault: Fault,
    },
    /// The run ended on a fault.
    GaveUp {
        /// The fault.
        fault: Fault,
    },
    /// An event came that this phase does not wait for: a defect of whoever drives the run.
    OutOfPlace {
        /// Which.
        event: &'static str,
    },
}

/// No version that is counted gets this far; moments, in milliseconds since 1970, have long been past it.
const MOMENTS_FROM: u64 = 100_000_000_000;

/// A version in words: drafts have none, and for what has no versions the moment of its last change stands for one.
pub(super) fn version_of(object: &Object, version: u64) -> String {
    let moment = || Timestamp::from_millisecond(i64::try_from(version).ok()?).ok();
    match version {
        0 if object.kind.has_drafts() => "a draft".into(),
        _ if object.kind.counting() == Counting::Contents => "what was written last".into(),
        MOMENTS_FROM.. if object.kind.has_drafts() || !object.kind.counts_versions() => {
            moment().map_or_else(String::new, |at| format!("what was written at {at}"))
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
                    "somebody changed {object} after a write of unknown outcome (version {from} to {to}, if it was made)"
                )
            }
            Note::Stale { object, known } => {
                let known = version_of(&object.object, *known);
                write!(f, "{object} answered with something older than {known}; reading again")
            }
            Note::OtherKey { object } => f.write_str(&other_key(object)),
            Note::NotShown { object } => write!(f, "{object} may not show our last write yet; reading again"),
            Note::Retrying { fault, wait_ms } => write!(f, "{fault}; trying again in {wait_ms} ms"),
            Note::Throttled { wait_ms } => write!(f, "the rate limit is reached; going on in {wait_ms} ms"),
            Note::Conflict { object } => {
                write!(f, "somebody changed {object} after it was read; reading and planning again")
            }
            Note::ForeignEdit { object, by, deed, fields } => {
                let (who, did, fields) = (by.label(), deed.verb(), fields.join(", "));
                write!(f, "{who} {did} {object}, in fields that git manages: {fields}")
            }
            Note::AnswerLost { object, fault } => {
                write!(
                    f,
                    "the answer to the write to {object} was lost ({fault}); waiting it out, then reading back"
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
                write!(f, "replication did not reach {object}: {error}; writing it plainly")
            }
            Note::JobGone { reason } => {
                write!(f, "no replication job: {reason}; writing each organization plainly")
            }
            Note::Overwrote { object, seen, made } => f.write_str(&overwrote(object, *seen, *made)),
            Note::Served { object, region, latency_ms } => {
                write!(f, "{object} in {region} serves it after {latency_ms} ms")
            }
            Note::NoAudit { fault } => {
                write!(f, "the audit log could not be asked who made the changes: {fault}")
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
        "the state key was changed: the confidential values that {object} holds now count as applied, whoever set them"
    )
}

fn overwrote(object: &ObjectRef, seen: Option<u64>, made: u64) -> String {
    format!(
        "version {made} of {object}, which is ours, went over a change that came after version {}; see the audit log for its author",
        seen.unwrap_or(0)
    )
}
