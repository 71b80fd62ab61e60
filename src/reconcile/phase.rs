//! Where a run is, and what it has counted on the way.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::End;
use crate::model::record::IntentId;
use crate::model::write::{Job, StartJob};
use crate::model::{Fault, Target, Write};

/// A write or a job on its way.
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

    /// Whom its requests are about. It is the primary's organization that runs jobs.
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
    /// What was asked for.
    pub start: StartJob,
    /// The version that each target was seen at.
    pub seen: Vec<Option<u64>>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// How often it was polled.
    pub polls: u32,
    /// The intent that it stands for.
    pub intent: IntentId,
}

/// What happens after the ends of some intents are saved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum After {
    /// Go on with others, and read later.
    GoOn,
    /// Read at once.
    Read,
    /// Wait, then read.
    WaitUntil(Timestamp),
    /// Go on without the organization of the n-th target.
    LeaveOut(usize, Fault),
    /// Wait until what was not answered can no longer take effect, then read.
    WaitOut(Timestamp),
    /// End the run.
    Settle(End),
}

impl After {
    /// What happens after two writes of one batch: what the graver answer asks for.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (After::WaitUntil(one), After::WaitUntil(other)) => After::WaitUntil(one.max(other)),
            (After::WaitOut(one), After::WaitOut(other)) => After::WaitOut(one.max(other)),
            (one, other) if other.gravity() > one.gravity() => other,
            (one, _) => one,
        }
    }

    /// While something is not answered, nothing is read, so that nothing but the end of the run goes before that.
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

/// Where a run is.
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
    /// Saves what reading back said of unresolved intents.
    Resolving,
    /// Asks the audit log who moved what.
    Attributing,
    /// Has a plan, and waits for the word to go on.
    Planned,
    /// Saves intents.
    Intending(Pending),
    /// Sends what was intended.
    Sending(Pending),
    /// Saves how intents ended.
    Closing(After),
    /// Polls a replication job, or waits to.
    Polling(Copying),
    /// Reads back a target that a job says it copied.
    ReadingCopy(Copying, usize),
    /// Saves what is now in force.
    Keeping,
    /// Queries the audit log, or waits to.
    Confirming {
        /// How many queries were made.
        attempt: u32,
        /// When to stop.
        deadline: Timestamp,
    },
    /// Saves which receipts the audit log proves.
    Witnessing {
        /// How many queries were made.
        attempt: u32,
        /// When to stop.
        deadline: Timestamp,
    },
    /// Over.
    Settled(End),
}

/// Which targets are read, by their places in [`Run::targets`](super::Run::targets).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadSpan {
    /// The first one that was asked for.
    pub from: usize,
    /// The one after the last that was asked for: objects of one organization are asked for together.
    pub to: usize,
    /// The one after the last that is to be read.
    pub end: usize,
}

/// What this run made of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Made {
    /// Its id.
    pub id: Option<Arc<str>>,
    /// When we asked for it, by our clock.
    pub at: Timestamp,
    /// How often it was asked for since, because the platform was not done with it.
    pub polls: u32,
    /// What was written, until a read shows it. Only of an object that nothing but its content tells from an earlier state.
    pub unseen: Option<Arc<Map<String, Value>>>,
}

/// What the platform takes its time with: of each kind of object, as long for each of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrote {
    /// A draft, which visitors are not served.
    Draft,
    /// What visitors are served.
    Served,
}

/// What the platform is not done with, or does not show yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// Since when it is waited for.
    pub since: Timestamp,
    /// When it was last looked at; never since it was written, where it is known how long the platform takes.
    pub looked_at: Option<Timestamp>,
    /// When it is to be looked at again.
    pub look_at: Timestamp,
    /// How many waits there were between looks: each is longer than the one before.
    pub polls: u32,
    /// What was written last.
    pub made: Wrote,
}

/// How often writes of one object came to nothing while others went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tries {
    /// Not answered well, or not sent.
    pub faults: u32,
    /// Refused for what the platform may not be done with: how long that may be is bound elsewhere.
    pub refusals: u32,
}

/// How often things went other than planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tally {
    /// Writes refused because somebody else wrote.
    pub conflicts: u32,
    /// Rounds of reads that failed, in a row.
    pub rounds: u32,
    /// Writes that were not answered or not executed, in a row: reading well does not make up for them.
    pub write_faults: u32,
    /// Writes refused by the rate limit, in a row.
    pub write_throttles: u32,
    /// Writes refused for what the platform may not be done with, in a row.
    pub refusals: u32,
    /// Writes accepted.
    pub writes: u32,
    /// Objects that were listed and not found by their ids.
    pub vanished: u32,
    /// Waits so far: each gets its own jitter.
    pub waits: u32,
}
