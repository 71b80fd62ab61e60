//! The events that a run receives and the effects that it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::write::{Accepted, Job, StartJob};
use crate::model::{
    Entry, Fault, Look, ObjectRef, OrganizationId, Outcome, Record, Refusal, Seen, Target, Write,
};

use super::Note;

/// What happened outside the run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The run may begin.
    Begin,
    /// A configuration was read.
    Observed(Seen),
    /// The writes of a batch have outcomes, in their order. An outcome may be a lost answer.
    Answered(Vec<Outcome<Accepted>>),
    /// The request to start a job has an outcome.
    JobAnswered(Outcome<Job>),
    /// A job was polled.
    Job(Job),
    /// The audit log answered.
    Entries(Entries),
    /// The records are durable.
    Saved,
    /// A read, a poll, a query or a save failed.
    Failed(Fault),
    /// The time of the wait is reached.
    Woke,
    /// The plan may be applied.
    Proceed,
    /// The plan may be applied once this lower wave has its change.
    HeldBack(u32),
    /// A guard of the whole run, or of the history, refuses it: before it began, after it was planned, or
    /// when its intents were to be saved.
    Refused(Vec<Refusal>),
    /// The operator stops the run.
    Cancelled,
    /// Another replica may work on the tenant now: the lease could not be renewed, or the store refused a
    /// record because of its fencing token.
    LeaseLost,
    /// The plan of the run is outdated: git has a newer commit, or the tenant was paused. Only for a run for
    /// which [`Run::may_be_superseded`](super::Run::may_be_superseded) is true.
    Superseded,
}

impl Event {
    /// Its name, for a report.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Begin => "begin",
            Event::Observed(_) => "observed",
            Event::Answered(_) => "answered",
            Event::JobAnswered(_) => "job-answered",
            Event::Job(_) => "job",
            Event::Entries(_) => "entries",
            Event::Saved => "saved",
            Event::Failed(_) => "failed",
            Event::Woke => "woke",
            Event::Proceed => "proceed",
            Event::HeldBack(_) => "held-back",
            Event::Refused(_) => "refused",
            Event::Cancelled => "cancelled",
            Event::LeaseLost => "lease-lost",
            Event::Superseded => "superseded",
        }
    }
}

/// The result of an audit log query: all pages, up to a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Entries {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether the log has more entries than the port reads.
    pub truncated: bool,
    /// Names of the people that the query gave by id, if they could be read.
    pub names: BTreeMap<String, String>,
}

/// A query of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuditQuery {
    /// The objects, each with the credentials for the query.
    pub targets: Vec<Target>,
    /// Their ids on the platform, for objects that have one.
    pub ids: BTreeMap<ObjectRef, Arc<str>>,
    /// The ids of people without a known name.
    pub unnamed: BTreeSet<String>,
    /// The start, by the server's clock.
    pub from: Timestamp,
    /// The end, by the server's clock.
    pub to: Timestamp,
}

impl AuditQuery {
    /// The organizations of the objects.
    pub fn organizations(&self) -> impl Iterator<Item = &OrganizationId> {
        self.targets.iter().map(|target| &target.organization)
    }
}

/// What the driver has to do for a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Read objects of an organization.
    Observe(Look),
    /// Make records durable, in this order, before anything else is done.
    Save(Vec<Record>),
    /// Send writes of different objects in parallel, each once.
    Write(Vec<Write>),
    /// Start a replication job, once.
    StartJob(StartJob),
    /// Ask for the state of a job.
    PollJob {
        /// The organization that it copies from.
        source: Target,
        /// The job.
        id: String,
    },
    /// Query the audit log.
    ReadAudit(AuditQuery),
    /// Wake the run at this time.
    WakeAt(Timestamp),
    /// Report a note.
    Report(Note),
}

impl Effect {
    /// Its name, for traces.
    pub fn name(&self) -> &'static str {
        match self {
            Effect::Observe(_) => "observe",
            Effect::Save(_) => "save",
            Effect::Write(_) => "write",
            Effect::StartJob(_) => "start-job",
            Effect::PollJob { .. } => "poll-job",
            Effect::ReadAudit(_) => "read-audit",
            Effect::WakeAt(_) => "wait",
            Effect::Report(_) => "report",
        }
    }
}
