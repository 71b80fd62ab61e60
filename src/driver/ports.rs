//! The ports of a run. In the program these are the API's client, the store and the clock; in a simulation
//! they are a world in memory with virtual time. The core and this folder are the same in both.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use super::leases::Held;
use crate::api::{Api, ReadApi};
use crate::clock;
use crate::model::write::{Accepted, Job, StartJob};
use crate::model::{Fault, Look, Outcome, Record, Seen, Target, Write};
use crate::reconcile::{AuditQuery, Entries};
use crate::store::StoreError;

/// Reads the API and the clock. It has no method that writes.
pub trait Reads: Send + Sync {
    /// Reads one organization's objects, or one of them.
    fn observe(&self, look: &Look) -> impl Future<Output = Result<Seen, Fault>> + Send;
    /// Polls a replication job.
    fn job(&self, source: &Target, id: &str) -> impl Future<Output = Result<Job, Fault>> + Send;
    /// Queries the audit log.
    fn entries(&self, query: &AuditQuery) -> impl Future<Output = Result<Entries, Fault>> + Send;
    /// Returns the time.
    fn now(&self) -> Timestamp;
    /// Ends after a duration.
    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send;
}

/// Reads and writes the API.
pub trait Ports: Reads {
    /// Sends a write, once.
    fn write(&self, write: &Write) -> impl Future<Output = Outcome<Accepted>> + Send;
    /// Starts a replication job, once.
    fn start_job(&self, start: &StartJob) -> impl Future<Output = Outcome<Job>> + Send;
    /// Reserves what writes to these targets need of their rate limits, or returns how long to wait before
    /// the next request. Without rate limits it returns none.
    fn reserve(&self, _: &[Target]) -> Option<Duration> {
        None
    }
}

/// Writes one tenant's journal under a lease.
pub trait Keeps: Send + Sync {
    /// Whether this process still holds the lease.
    fn is_ours(&self) -> bool;
    /// Writes records, all or none. Returns once they are durable.
    fn append(&self, records: &[Record]) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Reads for ReadApi {
    async fn observe(&self, look: &Look) -> Result<Seen, Fault> {
        ReadApi::observe(self, look).await
    }

    async fn job(&self, source: &Target, id: &str) -> Result<Job, Fault> {
        ReadApi::job(self, source, id).await
    }

    async fn entries(&self, query: &AuditQuery) -> Result<Entries, Fault> {
        let (entries, truncated) =
            ReadApi::entries(self, &query.targets, &query.ids, query.from, query.to).await?;
        let is_reported =
            |id: &String| entries.iter().any(|entry| entry.actor.id == *id && !entry.actor.name.is_empty());
        let unnamed: BTreeSet<String> = query.unnamed.iter().filter(|id| !is_reported(id)).cloned().collect();
        let names = ReadApi::people(self, &query.targets, &unnamed).await;
        Ok(Entries { entries, truncated, names })
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn sleep(&self, wait: Duration) {
        // Uses the monotonic clock, so that setting back the wall clock does not prolong the sleep.
        tokio::time::sleep(wait).await;
    }
}

impl Reads for Api {
    async fn observe(&self, look: &Look) -> Result<Seen, Fault> {
        Reads::observe(self.read(), look).await
    }

    async fn job(&self, source: &Target, id: &str) -> Result<Job, Fault> {
        Reads::job(self.read(), source, id).await
    }

    async fn entries(&self, query: &AuditQuery) -> Result<Entries, Fault> {
        Reads::entries(self.read(), query).await
    }

    fn now(&self) -> Timestamp {
        Reads::now(self.read())
    }

    async fn sleep(&self, wait: Duration) {
        Reads::sleep(self.read(), wait).await;
    }
}

impl Ports for Api {
    async fn write(&self, write: &Write) -> Outcome<Accepted> {
        Api::write(self, write).await
    }

    async fn start_job(&self, start: &StartJob) -> Outcome<Job> {
        Api::start_job(self, start).await
    }

    fn reserve(&self, targets: &[Target]) -> Option<Duration> {
        Api::reserve(self, targets)
    }
}

impl Keeps for Held {
    fn is_ours(&self) -> bool {
        Held::is_ours(self)
    }

    async fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        Held::append(self, records).await
    }
}
