//! The phases of a run, and its counters.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::End;
use crate::model::record::IntentId;
use crate::model::write::{Job, StartJob};
use crate::model::{Fault, Target, Write};

/// A write or a job that was or will be sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pending {
    /// Writes of different objects, each with its intent.
    Puts(Vec<(IntentId, Write)>),
    /// One replication job with its intent, and the version that each target was seen at.
    Job(IntentId, StartJob, Vec<Option<u64>>),
}

impl Pending {
    /// How many intents it has.
    pub fn intents(&self) -> usize {
        match self {
            Pending::Puts(writes) => writes.len(),
            Pending::Job(..) => 1,
        }
    }

    /// The targets of its requests. The primary's organization runs jobs.
    pub fn targets(&self) -> Vec<Target> {
        match self {
            Pending::Puts(writes) => writes.iter().map(|(_, write)| write.target.clone()).collect(),
            Pending::Job(_, start, _) => vec![start.source.clone()],
        }
    }
}

/// A replication job that is running.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Copying {
    /// The job.
    pub job: Job,
    /// The request.
    pub start: StartJob,
    /// The version that each target was seen at.
    pub seen: Vec<Option<u64>>,
    /// When it was requested.
    pub asked_at: Timestamp,
    /// How often it was polled.
    pub polls: u32,
    /// The intent of the job.
    pub intent: IntentId,
}

/// What follows after the results of intents are saved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum After {
    /// Continue with other objects, and read later.
    GoOn,
    /// Read at once.
    Read,
    /// Wait, then read.
    WaitUntil(Timestamp),
    /// Continue without the organization of the n-th target.
    LeaveOut(usize, Fault),
    /// Wait until the unanswered write can no longer take effect, then read.
    WaitOut(Timestamp),
    /// End the run.
    Settle(End),
}

impl After {
    /// Returns what follows two writes of one batch: the step with the higher gravity.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (After::WaitUntil(one), After::WaitUntil(other)) => After::WaitUntil(one.max(other)),
            (After::WaitOut(one), After::WaitOut(other)) => After::WaitOut(one.max(other)),
            (one, other) if other.gravity() > one.gravity() => other,
            (one, _) => one,
        }
    }

    /// The priority of a step. While a write is unanswered nothing is read, so only the end of the run comes
    /// before that.
    fn gravity(&self) -> u8 {
        match self {
            After::GoOn => 0,
            After::Read => 1,
            After::WaitUntil(_) => 2,
            After::LeaveOut(..) => 3,
            After::WaitOut(_) => 4,
            After::Settle(_) => 5,
        }
    }
}

/// The phase of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not begun.
    Fresh,
    /// Waits until unresolved intents can no longer take effect.
    Settling,
    /// Waits before reading again.
    Waiting,
    /// Reads.
    Reading(ReadSpan),
    /// Saves the results of unresolved intents after reading back.
    Resolving,
    /// Asks the audit log who changed what.
    Attributing,
    /// Has a plan, and waits for approval.
    Planned,
    /// Saves intents.
    Intending(Pending),
    /// Sends the writes of its intents.
    Sending(Pending),
    /// Saves the results of intents.
    Closing(After),
    /// Polls a replication job, or waits to.
    Polling(Copying),
    /// Reads back a target that a job reported as copied.
    ReadingCopy(Copying, usize),
    /// Saves the configuration in force.
    Keeping,
    /// Queries the audit log, or waits to.
    Confirming {
        /// How many queries were made.
        attempt: u32,
        /// When to stop.
        deadline: Timestamp,
    },
    /// Saves which receipts the audit log confirms.
    Witnessing {
        /// How many queries were made.
        attempt: u32,
        /// When to stop.
        deadline: Timestamp,
    },
    /// Ended.
    Settled(End),
}

/// Which targets are read, by their places in [`Run::targets`](super::Run::targets).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadSpan {
    /// The first target of this read.
    pub from: usize,
    /// The place after the last target of this read: objects of one organization are read together.
    pub to: usize,
    /// The place after the last target of the round.
    pub end: usize,
}

/// An object that this run wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Made {
    /// Its id.
    pub id: Option<Arc<str>>,
    /// When the write was sent, by the local clock.
    pub at: Timestamp,
    /// How often it was read again because the platform was not ready.
    pub polls: u32,
    /// The written body, until a read shows it. Only for an object that counts by content.
    pub unseen: Option<Arc<Map<String, Value>>>,
}

/// The kind of a write, by how long the platform takes for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrote {
    /// A draft, which visitors do not get.
    Draft,
    /// What visitors get.
    Served,
}

/// An object that the platform still processes, or that does not show the last write yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// The start of the wait.
    pub since: Timestamp,
    /// The last read; none since the write if the duration of the platform is known.
    pub looked_at: Option<Timestamp>,
    /// The next read.
    pub look_at: Timestamp,
    /// The number of waits between reads: each wait is longer than the one before.
    pub polls: u32,
    /// The kind of the last write.
    pub made: Wrote,
}

/// How often writes of one object failed while others succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tries {
    /// Without a good answer, or not sent.
    pub faults: u32,
    /// Refused while the platform may still process an earlier write; `ready_ms` limits that.
    pub refusals: u32,
}

/// Counters of exceptional outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tally {
    /// Writes refused because another user wrote first.
    pub conflicts: u32,
    /// Rounds of reads that failed, in a row.
    pub rounds: u32,
    /// Writes in a row without an answer or not executed: a successful read does not reset them.
    pub write_faults: u32,
    /// Writes refused by the rate limit, in a row.
    pub write_throttles: u32,
    /// Writes in a row refused while the platform may still process an earlier write.
    pub refusals: u32,
    /// Writes accepted.
    pub writes: u32,
    /// Objects that a listing shows and that are not found by id.
    pub vanished: u32,
    /// Waits so far: each gets its own jitter.
    pub waits: u32,
}
