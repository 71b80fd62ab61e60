//! Results of runs: what the store records of them, and when their tenants are due again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;
use sqlx::{Any, Transaction};

use super::claimed::Lease;
use super::engine::again_if_taken_back;
use super::lease::{RELEASE, tokens};
use super::tenants::{ClaimCause, NEVER};
use super::{Store, StoreError, failed, json, text};
use crate::crash;
use crate::model::standing::Standing;
use crate::model::unmanaged::Noticed;
use crate::model::{Guard, Precedents, Revision, Status, TenantName};

const DOING: &str = "recording the results of runs";

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Its lease.
    pub lease: Lease,
    /// The digest of the desired configuration that the run was planned from.
    pub wanted: Arc<str>,
    /// The status of its tenant; none if the status before the run stays.
    pub status: Option<Status>,
    /// The reason for the status; may be empty.
    pub reason: String,
    /// What it means for later waves; none if that did not change.
    pub standing: Option<Standing>,
    /// The wave that its change waits for.
    pub waits_for: Option<u32>,
    /// Whether the live configuration equals git now.
    pub in_sync: bool,
    /// Whether a write of genesync took effect in this run, or the run found one that had.
    pub touched: bool,
    /// Whether a change of another user is in force; none if unknown.
    pub drifted: Option<bool>,
    /// Whether the run read any of its organizations.
    pub looked: bool,
    /// Changes in fields that git does not name; none if the run found out nothing about them.
    pub unmanaged: Option<Vec<Noticed>>,
    /// Failures in a row.
    pub failures: u32,
    /// The wait until the next run, and its cause.
    pub again: (Duration, ClaimCause),
    /// The guard settings of the commit for its organizations, if the organizations equal the commit and the
    /// store has other settings.
    pub said: Precedents,
    /// Its commit, if something of it is in force or recorded as applied. A head of which nothing was applied
    /// may be replaced.
    pub came_of: Option<Revision>,
    /// Guards that were open for the run.
    pub opened: BTreeSet<Guard>,
    /// The row of the run; none if it neither did nor found anything.
    pub run: Option<RunRow>,
    /// Lines for the history: kind and displayed text.
    pub history: Vec<(&'static str, String)>,
}

/// A row of the table `runs`.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// When the run began.
    pub started_at: Timestamp,
    /// The commit.
    pub revision: Revision,
    /// The cause of the run.
    pub cause: ClaimCause,
    /// Writes that the API accepted.
    pub writes: usize,
    /// Writes that the API refused because another user wrote first.
    pub conflicts: u32,
    /// The name of the status.
    pub status: &'static str,
    /// Who ran it by hand, and why; none for the controller and for scheduled jobs.
    pub asked: Option<Asked>,
}

/// Who ran a command by hand, as the process claims, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// A user and a machine, such as `mara@ops-1`.
    pub by: String,
    /// The opened guards and the given reason; may be empty.
    pub why: String,
}

impl Store {
    /// Records the results of runs and when their tenants are due again, and releases their leases. A tenant
    /// that became due meanwhile stays due.
    ///
    /// # Errors
    /// The database failed; the tenants are due again when their leases expire.
    pub async fn finish(&self, finished: &[Finished]) -> Result<(), StoreError> {
        again_if_taken_back(|| self.try_finish(finished).boxed()).await
    }

    async fn try_finish(&self, finished: &[Finished]) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin(DOING).await?;
        let held = self.still_held(&mut transaction, finished).await?;
        let finished: Vec<&Finished> =
            finished.iter().filter(|done| held.contains(done.lease.tenant.as_str())).collect();
        // Before the tenants' rows, because `advance` locks in that order.
        self.mark_written(&mut transaction, &finished).await?;
        let rows: Vec<_> = finished.iter().map(|done| row_of(done)).collect();
        let runs: Vec<_> = finished.iter().filter_map(|done| run_of(done)).collect();
        let history: Vec<_> = finished.iter().flat_map(|done| history_of(done)).collect();
        self.write_standing(&mut transaction, &rows).await?;
        self.end_holds(&mut transaction, &rows).await?;
        if !runs.is_empty() {
            self.write_runs(&mut transaction, &runs).await?;
        }
        if !history.is_empty() {
            self.write_history(&mut transaction, &history).await?;
        }
        let mut said = Vec::new();
        for (organization, of_it) in finished.iter().flat_map(|done| &done.said) {
            said.push((organization.clone(), json(of_it)?));
        }
        // A guard that was used closes, also if the run did not finish: the next write asks a person again.
        let used = finished.iter().filter(|done| done.touched || done.in_sync && !done.said.is_empty());
        let used: Vec<(&TenantName, Guard)> =
            used.flat_map(|done| done.opened.iter().map(|guard| (&done.lease.tenant, *guard))).collect();
        if !used.is_empty() {
            self.end_openings(&mut transaction, &used).await?;
        }
        if !said.is_empty() {
            self.write_precedents(&mut transaction, &said).await?;
        }
        self.release_held(&mut transaction, &finished).await?;
        crash::point("C10b");
        transaction.commit().await.map_err(failed(DOING))
    }

    async fn still_held(
        &self,
        transaction: &mut Transaction<'_, Any>,
        finished: &[Finished],
    ) -> Result<BTreeSet<String>, StoreError> {
        // Keeps only tenants whose lease this process holds, and locks these leases until the commit: another
        // holder's view is newer. A released lease is of a run that is recorded already but whose answer was
        // lost.
        let held = self
            .engine
            .query(
                "UPDATE leases SET expires_at = expires_at
                 WHERE holder = $1 AND expires_at > 0 AND name IN (SELECT r.value->>'name' FROM {each:2})
                   AND (name, token) IN (
                     SELECT r.value->>'name', CAST(r.value->>'token' AS BIGINT) FROM {each:2})
                 RETURNING name",
            )
            .bind(self.holder().to_owned())
            .bind(tokens(finished.iter().map(|done| &done.lease))?)
            .fetch_all(&mut **transaction);
        let held = held.await.map_err(failed(DOING))?;
        held.iter().map(|row| text(row, "name")).collect()
    }

    async fn write_standing(
        &self,
        transaction: &mut Transaction<'_, Any>,
        rows: &[serde_json::Value],
    ) -> Result<(), StoreError> {
        // `partly`: some writes of the commit are in force and others are not, so a revert changes this
        // tenant too. If `wanted` changed during the run, the tenant may even be invalid now, and the run
        // does not set its status.
        let updated = self
            .engine
            .query(
                "WITH f AS MATERIALIZED (
                   SELECT r.value->>'name' AS name, r.value->>'status' AS status, r.value->>'reason' AS reason,
                     r.value->>'wanted' AS wanted, r.value->>'cause' AS cause, r.value->>'trouble' AS trouble,
                     CAST(r.value->>'token' AS BIGINT) AS token, CAST(r.value->>'failures' AS BIGINT) AS failures,
                     CAST(r.value->>'inSync' AS BIGINT) AS in_sync, CAST(r.value->>'drifted' AS BIGINT) AS drifted,
                     CAST(r.value->>'hasStatus' AS BIGINT) AS has_status, CAST(r.value->>'looked' AS BIGINT) AS looked,
                     CAST(r.value->>'touched' AS BIGINT) AS touched, CAST(r.value->>'again' AS BIGINT) AS again,
                     r.value->>'unmanaged' AS unmanaged, CAST(r.value->>'noticed' AS BIGINT) AS noticed,
                     r.value->>'standing' AS standing, CAST(r.value->>'waitsFor' AS BIGINT) AS waits_for
                   FROM {each:1})
                 UPDATE tenants SET
                   status = CASE WHEN tenants.wanted <> f.wanted OR f.has_status = 0 THEN tenants.status ELSE f.status END,
                   reason = CASE WHEN tenants.wanted <> f.wanted OR f.has_status = 0 THEN tenants.reason ELSE f.reason END,
                   trouble = CASE WHEN tenants.wanted <> f.wanted OR f.has_status = 0 THEN tenants.trouble ELSE f.trouble END,
                   failures = f.failures,
                   unmanaged = CASE WHEN f.noticed = 1 THEN f.unmanaged ELSE tenants.unmanaged END,
                   since = CASE WHEN tenants.wanted <> f.wanted OR f.has_status = 0 OR tenants.status = f.status
                                THEN tenants.since ELSE {now} END,
                   standing = CASE WHEN tenants.wanted <> f.wanted OR f.standing = '' THEN tenants.standing
                                   ELSE f.standing END,
                   unavailable_since = CASE WHEN f.standing = '' THEN tenants.unavailable_since
                                            WHEN f.standing <> 'unavailable' THEN 0
                                            WHEN tenants.unavailable_since = 0 THEN {now}
                                            ELSE tenants.unavailable_since END,
                   waits_for = CASE WHEN tenants.wanted <> f.wanted THEN tenants.waits_for ELSE f.waits_for END,
                   released = CASE WHEN f.in_sync = 1 THEN '' ELSE tenants.released END,
                   applied = CASE WHEN f.in_sync = 1 THEN f.wanted
                                  WHEN f.touched = 1 AND tenants.applied <> f.wanted THEN 'partly'
                                  ELSE tenants.applied END,
                   checked_at = CASE WHEN f.looked = 1 THEN {now} ELSE tenants.checked_at END,
                   synced_at = CASE WHEN f.in_sync = 1 THEN {now} ELSE tenants.synced_at END,
                   drifted_at = CASE WHEN f.drifted = 0 THEN 0 WHEN f.drifted < 0 OR tenants.drifted_at > 0
                                     THEN tenants.drifted_at
                                     ELSE {now} END,
                   due_at = CASE WHEN tenants.wanted = '' THEN $2 WHEN tenants.cause = 'running' THEN {now} + f.again ELSE tenants.due_at END,
                   cause = CASE WHEN tenants.cause = 'running' THEN f.cause ELSE tenants.cause END
                 FROM f
                 WHERE tenants.name = f.name",
            )
            .bind(json(&rows)?)
            .bind(NEVER)
            .execute(&mut **transaction);
        updated.await.map(drop).map_err(failed(DOING))
    }

    /// Marks the heads of which something was applied.
    async fn mark_written(
        &self,
        transaction: &mut Transaction<'_, Any>,
        finished: &[&Finished],
    ) -> Result<(), StoreError> {
        let revisions: BTreeSet<&Revision> =
            finished.iter().filter_map(|done| done.came_of.as_ref()).collect();
        if revisions.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> =
            revisions.iter().map(|revision| serde_json::json!({"name": revision.as_str()})).collect();
        let marked = self
            .engine
            .query(
                "UPDATE heads SET written = revision
                 WHERE written <> revision AND revision IN (SELECT r.value->>'name' FROM {each:1})",
            )
            .bind(json(&rows)?)
            .execute(&mut **transaction);
        marked.await.map(drop).map_err(failed(DOING))
    }

    async fn end_holds(
        &self,
        transaction: &mut Transaction<'_, Any>,
        rows: &[serde_json::Value],
    ) -> Result<(), StoreError> {
        // A hold waits for a person to decide about a difference. If the difference is gone, because the
        // commit was reverted or applied by hand, the hold would only keep genesync from reverting the next
        // drift.
        let settled = self
            .engine
            .query(
                "DELETE FROM pauses WHERE kind = 'hold' AND tenant IN (
                   SELECT t.name FROM {each:1} JOIN tenants t ON t.name = r.value->>'name'
                     AND t.wanted = r.value->>'wanted'
                   JOIN leases l ON l.name = t.name AND l.holder = $2
                     AND l.token = CAST(r.value->>'token' AS BIGINT)
                   WHERE CAST(r.value->>'inSync' AS BIGINT) = 1)",
            )
            .bind(json(&rows)?)
            .bind(self.holder().to_owned())
            .execute(&mut **transaction);
        settled.await.map(drop).map_err(failed(DOING))
    }

    async fn write_runs(
        &self,
        transaction: &mut Transaction<'_, Any>,
        runs: &[serde_json::Value],
    ) -> Result<(), StoreError> {
        let written = self
            .engine
            .query(
                "INSERT INTO runs (tenant, token, started_at, ended_at, revision, cause, status, reason,
                   writes, conflicts, asked_by, asked_why, replica)
                 SELECT r.value->>'name', CAST(r.value->>'token' AS BIGINT),
                   CAST(r.value->>'startedAt' AS BIGINT), {now}, r.value->>'revision', r.value->>'cause',
                   r.value->>'status', r.value->>'reason', CAST(r.value->>'writes' AS BIGINT),
                   CAST(r.value->>'conflicts' AS BIGINT), r.value->>'askedBy', r.value->>'askedWhy', $2
                 FROM {each:1} WHERE true ON CONFLICT (tenant, started_at, token) DO NOTHING",
            )
            .bind(json(&runs)?)
            .bind(self.holder().to_owned())
            .execute(&mut **transaction);
        written.await.map(drop).map_err(failed(DOING))
    }

    async fn write_history(
        &self,
        transaction: &mut Transaction<'_, Any>,
        history: &[serde_json::Value],
    ) -> Result<(), StoreError> {
        let written = self
            .engine
            .query(
                "INSERT INTO history (tenant, at, kind, detail)
                 SELECT r.value->>'name', {now}, r.value->>'kind', r.value->>'detail' FROM {each:1}",
            )
            .bind(json(&history)?)
            .execute(&mut **transaction);
        written.await.map(drop).map_err(failed(DOING))
    }

    async fn release_held(
        &self,
        transaction: &mut Transaction<'_, Any>,
        finished: &[&Finished],
    ) -> Result<(), StoreError> {
        let released = self
            .engine
            .query(RELEASE)
            .bind(self.holder().to_owned())
            .bind(tokens(finished.iter().map(|done| &done.lease))?)
            .execute(&mut **transaction);
        released.await.map(drop).map_err(failed(DOING))
    }
}

fn row_of(done: &Finished) -> serde_json::Value {
    let (again, cause) = done.again;
    let noticed = done.unmanaged.as_deref().filter(|noticed| !noticed.is_empty());
    let noticed = noticed.and_then(|noticed| serde_json::to_string(noticed).ok()).unwrap_or_default();
    let status = done.status.map(Status::row);
    serde_json::json!({
        "name": done.lease.tenant.as_str(),
        "token": done.lease.token,
        "wanted": &*done.wanted,
        "status": status.map_or("", |row| row.word),
        "reason": done.reason,
        "trouble": status.map_or("", |row| row.trouble),
        "standing": done.standing.map_or("", Standing::name),
        "waitsFor": done.waits_for.map_or(-1, i64::from),
        "failures": i64::from(done.failures),
        "noticed": i64::from(done.unmanaged.is_some()),
        "unmanaged": noticed,
        "inSync": i64::from(done.in_sync),
        "drifted": done.drifted.map_or(-1, i64::from),
        "hasStatus": i64::from(done.status.is_some()),
        "looked": i64::from(done.looked),
        "touched": i64::from(done.touched),
        "again": i64::try_from(again.as_millis()).unwrap_or(NEVER),
        "cause": cause.name(),
    })
}

fn run_of(done: &Finished) -> Option<serde_json::Value> {
    let run = done.run.as_ref()?;
    Some(serde_json::json!({
        "name": done.lease.tenant.as_str(),
        "token": done.lease.token,
        "startedAt": run.started_at.as_millisecond(),
        "revision": run.revision.as_str(),
        "cause": run.cause.name(),
        "status": run.status,
        "reason": done.reason,
        "askedBy": run.asked.as_ref().map_or("", |asked| asked.by.as_str()),
        "askedWhy": run.asked.as_ref().map_or("", |asked| asked.why.as_str()),
        "writes": i64::try_from(run.writes).unwrap_or(i64::MAX),
        "conflicts": i64::from(run.conflicts),
    }))
}

fn history_of(done: &Finished) -> impl Iterator<Item = serde_json::Value> {
    let tenant = &done.lease.tenant;
    done.history.iter().map(
        move |(kind, detail)| serde_json::json!({"name": tenant.as_str(), "kind": kind, "detail": detail}),
    )
}
