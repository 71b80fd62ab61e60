//! What happens to a run, and what it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::write::{Accepted, Job, StartJob};
use crate::model::{
    Entry, Fault, Look, ObjectRef, OrganizationId, Outcome, Record, Refusal, Seen, Target, Write,
};

use super::Note;

/// What happened outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The run may begin.
    Begin,
    /// A configuration was read.
    Observed(Seen),
    /// The writes of a batch were answered, or not: in their order.
    Answered(Vec<Outcome<Accepted>>),
    /// The request to start a job was answered, or not.
    JobAnswered(Outcome<Job>),
    /// A job was polled.
    Job(Job),
    /// The audit log answered.
    Entries(Entries),
    /// The records are durable.
    Saved,
    /// A read, a poll, a query or a save failed.
    Failed(Fault),
    /// The time that was waited for has come.
    Woke,
    /// The plan may be applied.
    Proceed,
    /// The plan may be applied once this lower wave has its change.
    HeldBack(u32),
    /// A guard of the whole run, or of the history, refuses it: before it began, once it was planned, or as its intents
    /// were to be saved.
    Refused(Vec<Refusal>),
    /// The operator wants it to end.
    Cancelled,
    /// Another replica works on the tenant now, or may: the lease could not be renewed, or the store refused
    /// a record because of its fencing token.
    LeaseLost,
    /// What the run set out to do is no longer asked for: git moved on, or the tenant was paused. For a run
    /// that [`Run::may_be_superseded`](super::Run::may_be_superseded) only.
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

/// What a query of the audit log returned: all pages, up to a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Entries {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether the log holds more than the port was willing to read.
    pub truncated: bool,
    /// Names of those that the question knew by their ids alone, as far as they could be looked up.
    pub names: BTreeMap<String, String>,
}

/// A question to the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuditQuery {
    /// The objects, each with the credentials to ask with.
    pub targets: Vec<Target>,
    /// Their ids on the platform, where they have such.
    pub ids: BTreeMap<ObjectRef, Arc<str>>,
    /// People who are known by their ids alone.
    pub unnamed: BTreeSet<String>,
    /// From when, by the server's clock.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
}

impl AuditQuery {
    /// The organizations alone.
    pub fn organizations(&self) -> impl Iterator<Item = &OrganizationId> {
        self.targets.iter().map(|target| &target.organization)
    }
}

/// What a run asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Read a configuration.
    Observe(Look),
    /// Make records durable, in this order, before anything else is done.
    Save(Vec<Record>),
    /// Send writes of different objects side by side, each once.
    Write(Vec<Write>),
    /// Ask for a replication job, once.
    StartJob(StartJob),
    /// Ask how a job is doing.
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
    /// Tell whoever watches.
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
