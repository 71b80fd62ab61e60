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
}
