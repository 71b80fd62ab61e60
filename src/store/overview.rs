//! The status of the fleet, for `status`, the metrics and the notifications.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::notes::{Pause, moment, pause};
use super::tenants::NEVER;
use super::{Store, StoreError, failed, number, optional, text, text_or_none};
use crate::model::unmanaged::Noticed;
use crate::model::{Status, TenantName};

/// One tenant as `status` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantRow {
    /// Its name.
    pub tenant: TenantName,
    /// Its status.
    pub status: Status,
    /// The reason for the status.
    pub reason: String,
    /// Changes of other users in fields that git does not name.
    pub unmanaged: Vec<Noticed>,
    /// The problem that a notification reports; empty if there is none.
    pub trouble: &'static str,
    /// When it got this status.
    pub since: Timestamp,
    /// The commit that last changed it.
    pub revision: String,
    /// Whether its desired configuration has been applied.
    pub applied: bool,
    /// Whether genesync may write; true if its settings were never readable.
    pub enforced: bool,
    /// Its wave.
    pub wave: u32,
    /// When genesync last read it.
    pub checked_at: Option<Timestamp>,
    /// When it was last seen in sync.
    pub synced_at: Option<Timestamp>,
    /// When its drift was first seen.
    pub drifted_at: Option<Timestamp>,
    /// When it is due; none if it waits for a commit.
    pub due_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// The process that works on it now.
    pub holder: Option<String>,
    /// Why genesync only watches it; none if it is managed.
    pub pause: Option<Pause>,
}

/// A selection of tenants.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// All tenants in git.
    All,
    /// The named tenants in git.
    Named(&'a [TenantName]),
    /// The tenants in git that have something to notify about.
    Troubled,
}

/// Figures of the whole fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetFigures {
    /// The number of tenants by status.
    pub by_status: Vec<StatusCount>,
    /// The tenants that were not in sync for the longest time, oldest first, and when they last were. For a
    /// tenant that never was in sync: when it got its status.
    pub oldest: Vec<(TenantName, Timestamp)>,
    /// The number of tenants that drift.
    pub drifted: usize,
    /// When the first of them began to drift.
    pub drifted_at: Option<Timestamp>,
}

/// The number of tenants with one status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCount {
    /// The status.
    pub status: Status,
    /// The number of tenants.
    pub tenants: usize,
}

impl Store {
    /// Returns the figures of the fleet, with at most `oldest` tenants in [`FleetFigures::oldest`].
    ///
    /// # Errors
    /// The database failed.
    pub async fn figures(&self, oldest: usize) -> Result<FleetFigures, StoreError> {
        let doing = "counting the tenants";
        let count =
            |row: &AnyRow, column| number(row, column).map(|n| usize::try_from(n).unwrap_or_default());
        let by_status = self
            .engine
            .query(
                "SELECT t.status, t.trouble, p.kind, CAST(COUNT(*) AS BIGINT) AS n
                 FROM tenants t LEFT JOIN pauses p
                   ON p.tenant = t.name AND p.kind = 'pause' AND (p.until IS NULL OR p.until > {now})
                 WHERE t.removed = 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            )
            .fetch_all(&self.engine);
        let by_status = by_status.await.map_err(failed(doing))?;
        let ages = self
            .engine
            .query(
                "SELECT t.name, CASE WHEN t.synced_at > 0 THEN t.synced_at ELSE t.since END AS seen_at
                 FROM tenants t WHERE t.removed = 0 ORDER BY 2, 1 LIMIT $1",
            )
            .bind(i64::try_from(oldest).unwrap_or(i64::MAX))
            .fetch_all(&self.engine);
        let ages = ages.await.map_err(failed(doing))?;
        let drifts = self
            .engine
            .query(
                "SELECT CAST(COUNT(*) AS BIGINT) AS n, MIN(drifted_at) AS first
                 FROM tenants WHERE removed = 0 AND drifted_at > 0",
            )
            .fetch_one(&self.engine);
        let drifts = drifts.await.map_err(failed(doing))?;
        let by_status = by_status.iter().map(|row| {
            let paused = text_or_none(row, "kind")?.is_some();
            let status = if paused { Status::Paused } else { status(row)? };
            Ok(StatusCount { status, tenants: count(row, "n")? })
        });
        let ages =
            ages.iter().map(|row| Ok((TenantName::new(text(row, "name")?), moment(number(row, "seen_at")?))));
        Ok(FleetFigures {
            by_status: by_status.collect::<Result<_, StoreError>>()?,
            oldest: ages.collect::<Result<_, StoreError>>()?,
            drifted: count(&drifts, "n")?,
            drifted_at: optional(&drifts, "first")?.map(moment),
        })
    }

    /// Returns the selected tenants, sorted by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tenants(&self, which: Which<'_>) -> Result<Vec<TenantRow>, StoreError> {
        let (named, troubled) = match which {
            Which::All => (None, false),
            Which::Named(names) => (Some(names), false),
            Which::Troubled => (None, true),
        };
        let rows = self
            .engine
            .query(
                "SELECT t.name, t.status, t.reason, t.trouble, t.since, t.revision, t.wanted, t.applied, t.enforced,
                        t.checked_at, t.synced_at, t.drifted_at, t.due_at, t.failures, t.wave, t.unmanaged, l.holder,
                        p.kind, p.paused_by, p.reason AS pause_reason, p.since AS pause_since, p.until
                 FROM tenants t
                 LEFT JOIN leases l ON l.name = t.name AND l.expires_at > {now}
                 LEFT JOIN pauses p ON p.tenant = t.name AND (p.until IS NULL OR p.until > {now})
                 WHERE t.removed = 0 AND ($1 = 0 OR t.name IN (SELECT r.value->>'name' FROM {each:2}))
                   AND ($3 = 0 OR t.trouble <> '' OR t.unmanaged <> '')
                 ORDER BY t.name",
            )
            .bind(i64::from(named.is_some()))
            .bind(super::names(named.unwrap_or_default())?)
            .bind(i64::from(troubled))
            .fetch_all(&self.engine);
        let rows = rows.await.map_err(failed("reading the tenants"))?;
        rows.iter()
            .map(|row| {
                let some = |ms: i64| (ms > 0).then(|| moment(ms));
                let due_at = number(row, "due_at")?;
                let pause = pause(row)?;
                let (enforced, applied) =
                    (number(row, "enforced")? != 0, text(row, "applied")? == text(row, "wanted")?);
                let (status, reason) = match &pause {
                    Some(pause) if pause.is_a_persons() => (Status::Paused, pause.words()),
                    Some(_) | None => (status(row)?, text(row, "reason")?),
                };
                Ok(TenantRow {
                    tenant: TenantName::new(text(row, "name")?),
                    status,
                    reason,
                    unmanaged: noticed(row)?,
                    trouble: status.row().trouble,
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
                    wave: u32::try_from(number(row, "wave")?).unwrap_or_default(),
                    pause,
                })
            })
            .collect()
    }
}

/// Returns the status of a row, from the columns `status` and `trouble`.
pub fn status(row: &AnyRow) -> Result<Status, StoreError> {
    let word = text(row, "status")?;
    Status::from_words(&word, &text(row, "trouble")?).ok_or(StoreError::Status { word })
}

/// Returns a row's changes in fields that git does not name. A text of a build with another format counts as
/// empty, and the next run finds the changes again.
pub fn noticed(row: &AnyRow) -> Result<Vec<Noticed>, StoreError> {
    Ok(serde_json::from_str(&text(row, "unmanaged")?).unwrap_or_default())
}
