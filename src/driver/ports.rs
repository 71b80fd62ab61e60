//! What a run meets the world through. Live, this is the API's client, the store and the clock; in a proof it is a
//! world in memory under virtual time. The core and everything in this folder are the same in both.

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

/// Looks at the world, and at the clock. Has no way to write.
pub trait Reads: Send + Sync {
    /// Reads one organization's objects, or one of them.
    fn observe(&self, look: &Look) -> impl Future<Output = Result<Seen, Fault>> + Send;
    /// Polls a replication job.
    fn job(&self, source: &Target, id: &str) -> impl Future<Output = Result<Job, Fault>> + Send;
    /// Queries the audit log.
    fn entries(&self, query: &AuditQuery) -> impl Future<Output = Result<Entries, Fault>> + Send;
    /// The time.
    fn now(&self) -> Timestamp;
    /// Ends after so long.
    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send;
}

/// Looks at the world and writes to it.
pub trait Ports: Reads {
    /// Sends a write, once.
    fn write(&self, write: &Write) -> impl Future<Output = Outcome<Accepted>> + Send;
    /// Starts a replication job, once.
    fn start_job(&self, start: &StartJob) -> impl Future<Output = Outcome<Job>> + Send;
    /// Sets aside what writes to these targets need of their rate limits, or says how long to wait before that is asked
    /// again. A world without limits has nothing to set aside.
    fn reserve(&self, _: &[Target]) -> Option<Duration> {
        None
    }
}

/// Keeps one tenant's journal under a lease.
pub trait Keeps: Send + Sync {
    /// Whether the lease is still ours.
    fn is_ours(&self) -> bool;
    /// Makes records durable, all or none.
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
        let is_told =
            |id: &String| entries.iter().any(|entry| entry.actor.id == *id && !entry.actor.name.is_empty());
        let unnamed: BTreeSet<String> = query.unnamed.iter().filter(|id| !is_told(id)).cloned().collect();
        let names = ReadApi::people(self, &query.targets, &unnamed).await;
        Ok(Entries { entries, truncated, names })
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn sleep(&self, wait: Duration) {
        // By the monotonic clock: a wall clock that is set back meanwhile does not stretch it.
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
