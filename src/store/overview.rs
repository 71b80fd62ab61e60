//! How the fleet is: what `status`, the metrics and the notifications read.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row as _;

use super::notes::{Pause, moment, pause};
use super::tenants::NEVER;
use super::{Store, StoreError, failed, number, optional, text};
use crate::model::TenantName;

/// One tenant as `status` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantRow {
    /// Its name.
    pub tenant: TenantName,
    /// The word for its status.
    pub status: String,
    /// Why.
    pub reason: String,
    /// What a notification would be about; empty where all is well.
    pub trouble: String,
    /// Since when.
    pub since: Timestamp,
    /// The commit that last changed it.
    pub revision: String,
    /// Whether what git says has been applied.
    pub applied: bool,
    /// Whether genesync may write.
    pub enforced: bool,
    /// When it was last looked at.
    pub checked_at: Option<Timestamp>,
    /// When it was last seen in sync.
    pub synced_at: Option<Timestamp>,
    /// When its drift was first seen.
    pub drifted_at: Option<Timestamp>,
    /// When it is due; none where it waits for git.
    pub due_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// Who works on it now.
    pub holder: Option<String>,
    /// Whether it is watched only, and why.
    pub pause: Option<Pause>,
}

/// The fleet in a few numbers, by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Tenants by status.
    pub by_status: Vec<(String, u64)>,
    /// Tenants that are due and not leased.
    pub due: u64,
    /// Tenants whose change is not applied yet.
    pub behind: u64,
    /// Milliseconds since the longest-unsynced tenant was in sync; tenants never in sync count from their
    /// status' beginning.
    pub oldest_sync_ms: u64,
    /// Milliseconds since the oldest drift was seen.
    pub oldest_drift_ms: u64,
    /// Tenants with drift.
    pub drifted: u64,
    /// Milliseconds since the oldest intent without an end was sent.
    pub oldest_intent_ms: u64,
    /// Receipts without an audit entry.
    pub owed: u64,
}

impl Store {
    /// Every tenant that git holds, or only some, by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tenants(&self, only: &[TenantName]) -> Result<Vec<TenantRow>, StoreError> {
        let rows = self
            .engine
            .query(
                "SELECT t.name, t.status, t.reason, t.trouble, t.since, t.revision, t.wanted, t.applied, t.enforced,
                        t.checked_at, t.synced_at, t.drifted_at, t.due_at, t.failures, t.wave, l.holder,
                        (SELECT MIN(e.wave) FROM tenants e WHERE e.removed = 0 AND e.enforced = 1
                           AND e.applied <> e.wanted
                           AND NOT EXISTS (SELECT 1 FROM pauses o WHERE o.tenant = e.name AND o.kind = 'pause'
                             AND (o.until IS NULL OR o.until > {now}))) AS current_wave,
                        p.kind, p.paused_by, p.reason AS pause_reason, p.since AS pause_since, p.until
                 FROM tenants t
                 LEFT JOIN leases l ON l.name = t.name AND l.expires_at > {now}
                 LEFT JOIN pauses p ON p.tenant = t.name AND (p.until IS NULL OR p.until > {now})
                 WHERE t.removed = 0 AND ($1 = 0 OR t.name IN (SELECT r.value->>'name' FROM {each:2}))
                 ORDER BY t.name",
            )
            .bind(i64::from(!only.is_empty()))
            .bind(super::names(only)?)
            .fetch_all(&self.engine);
        let rows = rows.await.map_err(failed("reading the tenants"))?;
        rows.iter()
            .map(|row| {
                let some = |ms: i64| (ms > 0).then(|| moment(ms));
                let due_at = number(row, "due_at")?;
                let (enforced, applied) =
                    (number(row, "enforced")? == 1, text(row, "applied")? == text(row, "wanted")?);
                let mut reason = text(row, "reason")?;
                // It was not run yet, so nothing else could have been written down of it.
                if let (true, true, false, Some(wave)) =
                    (reason.is_empty(), enforced, applied, optional(row, "current_wave")?)
                    && wave < number(row, "wave")?
                {
                    reason = format!("waits for wave {wave}");
                }
                Ok(TenantRow {
                    tenant: TenantName::new(text(row, "name")?),
                    status: text(row, "status")?,
                    reason,
                    trouble: text(row, "trouble")?,
                    since: moment(number(row, "since")?),
                    revision: text(row, "revision")?,
                    applied,
                    enforced,
                    checked_at: some(number(row, "checked_at")?),
                    synced_at: some(number(row, "synced_at")?),
                    drifted_at: some(number(row, "drifted_at")?),
                    due_at: (due_at < NEVER).then(|| moment(due_at)),
                    failures: u32::try_from(number(row, "failures")?).unwrap_or_default(),
                    holder: row.try_get("holder").map_err(failed("reading a row"))?,
                    pause: pause(row)?,
                })
            })
            .collect()
    }

    /// The fleet in a few numbers.
    ///
    /// # Errors
    /// The database failed.
    pub async fn summary(&self) -> Result<Summary, StoreError> {
        let doing = "counting the tenants";
        let by_status = self
            .engine
            .query(
                "SELECT CASE WHEN p.kind = 'pause' THEN 'Paused' ELSE t.status END AS word,
                        CAST(COUNT(*) AS BIGINT) AS n
                 FROM tenants t LEFT JOIN pauses p ON p.tenant = t.name AND (p.until IS NULL OR p.until > {now})
                 WHERE t.removed = 0 GROUP BY 1 ORDER BY 1",
            )
            .fetch_all(&self.engine);
        let mut summary = Summary::default();
        for row in by_status.await.map_err(failed(doing))? {
            summary.by_status.push((text(&row, "word")?, number(&row, "n")?.unsigned_abs()));
        }
        let row = self
            .engine
            .query(
                "SELECT
                   CAST(COALESCE(SUM(CASE WHEN t.due_at <= {now} AND t.cause <> 'running' THEN 1 ELSE 0 END), 0) AS BIGINT) AS due,
                   CAST(COALESCE(SUM(CASE WHEN t.applied <> t.wanted THEN 1 ELSE 0 END), 0) AS BIGINT) AS behind,
                   CAST(COALESCE(SUM(CASE WHEN t.drifted_at > 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS drifted,
                   {now} - MIN(CASE WHEN t.synced_at > 0 THEN t.synced_at ELSE t.since END) AS oldest_sync,
                   {now} - MIN(CASE WHEN t.drifted_at > 0 THEN t.drifted_at END) AS oldest_drift
                 FROM tenants t WHERE t.removed = 0",
            )
            .fetch_one(&self.engine);
        let row = row.await.map_err(failed(doing))?;
        let age = |name: &str| optional(&row, name).map(|ms| ms.unwrap_or_default().max(0).unsigned_abs());
        summary.due = age("due")?;
        summary.behind = age("behind")?;
        summary.drifted = age("drifted")?;
        summary.oldest_sync_ms = age("oldest_sync")?;
        summary.oldest_drift_ms = age("oldest_drift")?;
        let row = self
            .engine
            .query(
                "SELECT (SELECT {now} - MIN(sent_at) FROM intents WHERE resolved_at IS NULL) AS oldest_intent,
                        (SELECT CAST(COUNT(*) AS BIGINT) FROM receipts p WHERE NOT EXISTS (
                           SELECT 1 FROM confirmations c WHERE c.tenant = p.tenant
                             AND c.organization = p.organization AND c.version = p.version)) AS owed",
            )
            .fetch_one(&self.engine);
        let row = row.await.map_err(failed(doing))?;
        summary.oldest_intent_ms = optional(&row, "oldest_intent")?.unwrap_or_default().max(0).unsigned_abs();
        summary.owed = number(&row, "owed")?.unsigned_abs();
        Ok(summary)
    }
}
