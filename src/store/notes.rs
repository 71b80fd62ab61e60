//! Pauses, history, runs, and notes that the replicas share.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::{Store, StoreError, failed, json, names, number, optional, text};
use crate::model::{Guard, Status, TenantName};

/// Why genesync watches a tenant and does not write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PauseKind {
    /// A person paused it. Only a person or the end date ends the pause.
    Pause,
    /// genesync waits for a person, until the tenant is resumed or its desired configuration changes in git.
    Hold,
}

/// A pause or a hold of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// Pause or hold.
    pub kind: PauseKind,
    /// Who set it.
    pub by: String,
    /// The reason, in the words of who set it.
    pub reason: String,
    /// When it began.
    pub since: Timestamp,
    /// When it ends; none if only `resume` ends it.
    pub until: Option<Timestamp>,
}

/// The prefix of a guard's name in [`Pause::by`].
const GUARD: &str = "guard ";

impl Pause {
    /// Returns the value of [`Pause::by`] for a guard's hold.
    pub fn guard(guard: Guard) -> String {
        format!("{GUARD}{}", guard.name())
    }

    /// Returns the guard of the hold, if a guard set it.
    pub fn guard_of(&self) -> Option<Guard> {
        Guard::from_name(self.by.strip_prefix(GUARD)?)
    }

    /// Whether a person paused the tenant. A hold waits for a person instead.
    pub fn is_a_persons(&self) -> bool {
        self.kind == PauseKind::Pause
    }

    /// Returns the displayed reason of the pause or hold.
    pub fn words(&self) -> String {
        let until = self.until.map(|until| format!(" until {until}")).unwrap_or_default();
        match self.kind {
            PauseKind::Hold => self.reason.clone(),
            PauseKind::Pause => format!("paused by {}{until}: {}", self.by, self.reason),
        }
    }
}

/// Why genesync does not take the newest head of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadTrouble {
    /// The repository.
    #[serde(default)]
    pub repository: String,
    /// The displayed reason.
    pub message: String,
    /// When it began.
    pub since: Timestamp,
    /// The process that reported it.
    pub replica: String,
}

/// One line of a tenant's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryLine {
    /// The tenant.
    pub tenant: TenantName,
    /// When.
    pub at: Timestamp,
    /// The kind of line, such as `status`, `write`, `drift` or `paused`.
    pub kind: String,
    /// The displayed text.
    pub detail: String,
}

/// A run that did or found something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunLine {
    /// The tenant.
    pub tenant: TenantName,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The commit.
    pub revision: String,
    /// The cause of the run.
    pub cause: String,
    /// The status of the tenant after it.
    pub status: String,
    /// The reason for the status.
    pub reason: String,
    /// Writes that the API accepted.
    pub writes: u64,
    /// Writes that the API refused because another user wrote first.
    pub conflicts: u64,
    /// The process that ran it.
    pub replica: String,
    /// Who ran it by hand, as that process claimed; empty for the controller.
    pub asked_by: String,
    /// The guards that were opened for it, and the given reason.
    pub asked_why: String,
}

/// Returns the timestamp of a stored value, in milliseconds since 1970.
pub fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns the pause that a query joined, if there is one.
pub fn pause(row: &AnyRow) -> Result<Option<Pause>, StoreError> {
    use sqlx::Row as _;
    let kind: Option<String> = row.try_get("kind").map_err(failed("reading a row"))?;
    let Some(kind) = kind else { return Ok(None) };
    Ok(Some(Pause {
        kind: if kind == "hold" { PauseKind::Hold } else { PauseKind::Pause },
        by: text(row, "paused_by")?,
        reason: text(row, "pause_reason")?,
        since: moment(number(row, "pause_since")?),
        until: optional(row, "until")?.map(moment),
    }))
}

impl PauseKind {
    /// Returns the name in the store.
    fn name(self) -> &'static str {
        match self {
            PauseKind::Pause => "pause",
            PauseKind::Hold => "hold",
        }
    }
}

impl Store {
    /// Pauses or holds a tenant. A hold never replaces a person's pause.
    ///
    /// # Errors
    /// The database failed.
    pub async fn pause(&self, tenant: &TenantName, pause: &Pause) -> Result<(), StoreError> {
        let paused = self
            .engine
            .query(
                "INSERT INTO pauses (tenant, kind, paused_by, reason, since, until)
                 VALUES ($1, $2, $3, $4, {now}, $5)
                 ON CONFLICT (tenant) DO UPDATE SET
                   kind = excluded.kind, paused_by = excluded.paused_by, reason = excluded.reason,
                   since = excluded.since, until = excluded.until
                 WHERE pauses.kind = 'hold' OR excluded.kind = 'pause' OR pauses.until <= {now}",
            )
            .bind(tenant.to_string())
            .bind(pause.kind.name())
            .bind(pause.by.clone())
            .bind(pause.reason.clone())
            .bind(pause.until.map(Timestamp::as_millisecond))
            .execute(&self.writer);
        paused.await.map(drop).map_err(failed("pausing a tenant"))
    }

    /// Ends the holds of guards that an operator opened.
    ///
    /// # Errors
    /// The database failed.
    pub async fn open_guards<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantName>,
        guards: impl IntoIterator<Item = &'a Guard>,
    ) -> Result<(), StoreError> {
        let holders: Vec<_> =
            guards.into_iter().map(|guard| serde_json::json!({"name": Pause::guard(*guard)})).collect();
        let opened = self
            .engine
            .query(
                "DELETE FROM pauses WHERE kind = 'hold' AND tenant IN (SELECT r.value->>'name' FROM {each:1})
                   AND paused_by IN (SELECT r.value->>'name' FROM {each:2})",
            )
            .bind(names(tenants)?)
            .bind(json(&holders)?)
            .execute(&self.writer);
        opened.await.map(drop).map_err(failed("ending holds"))
    }

    /// Ends a pause or hold. A guard that held the tenant does not count this change again. The tenant is out
    /// of sync until its next run, which the caller must request. Returns false if there was no pause or
    /// hold.
    ///
    /// # Errors
    /// The database failed.
    pub async fn resume(&self, tenant: &TenantName) -> Result<bool, StoreError> {
        let released = self
            .engine
            .query(
                "UPDATE tenants SET status = $2, reason = '', trouble = $3,
                   released = CASE WHEN EXISTS (SELECT 1 FROM pauses p WHERE p.tenant = $1 AND p.kind = 'hold'
                     AND p.paused_by LIKE 'guard %') THEN wanted ELSE released END
                 WHERE name = $1 AND wanted <> ''
                   AND EXISTS (SELECT 1 FROM pauses p WHERE p.tenant = $1 AND p.kind = 'hold')",
            )
            .bind(tenant.to_string())
            .bind(Status::OutOfSync.word().to_owned())
            .bind(Status::OutOfSync.row().trouble.to_owned())
            .execute(&self.writer);
        released.await.map_err(failed("resuming a tenant"))?;
        let resumed = self
            .engine
            .query("DELETE FROM pauses WHERE tenant = $1")
            .bind(tenant.to_string())
            .execute(&self.writer);
        let resumed = resumed.await.map_err(failed("resuming a tenant"))?.rows_affected() > 0;
        // Earlier reverts no longer count towards flapping.
        let forgiven = self
            .engine
            .query("UPDATE intents SET reverting = 0 WHERE tenant = $1 AND reverting > 0")
            .bind(tenant.to_string())
            .execute(&self.writer);
        forgiven.await.map_err(failed("resuming a tenant"))?;
        Ok(resumed)
    }

    /// Adds a line of a kind and a displayed text to a tenant's history.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tell(&self, tenant: &TenantName, kind: &str, detail: &str) -> Result<(), StoreError> {
        let reported = self
            .engine
            .query("INSERT INTO history (tenant, at, kind, detail) VALUES ($1, {now}, $2, $3)")
            .bind(tenant.to_string())
            .bind(kind.to_owned())
            .bind(detail.to_owned())
            .execute(&self.writer);
        reported.await.map(drop).map_err(failed("writing the history"))
    }

    /// Returns a tenant's history, newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn history(&self, tenant: &TenantName, limit: u32) -> Result<Vec<HistoryLine>, StoreError> {
        let doing = "reading the history";
        let rows = self
            .engine
            .query("SELECT at, kind, detail FROM history WHERE tenant = $1 ORDER BY at DESC LIMIT $2")
            .bind(tenant.to_string())
            .bind(i64::from(limit))
            .fetch_all(&self.engine);
        let rows = rows.await.map_err(failed(doing))?;
        rows.iter()
            .map(|row| {
                Ok(HistoryLine {
                    tenant: tenant.clone(),
                    at: moment(number(row, "at")?),
                    kind: text(row, "kind")?,
                    detail: text(row, "detail")?,
                })
            })
            .collect()
    }

    /// Returns a tenant's runs that did or found something, newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn runs(&self, tenant: &TenantName, limit: u32) -> Result<Vec<RunLine>, StoreError> {
        let rows = self
            .engine
            .query(
                "SELECT started_at, ended_at, revision, cause, status, reason, writes, conflicts, replica, asked_by,
                        asked_why
                 FROM runs WHERE tenant = $1 ORDER BY started_at DESC LIMIT $2",
            )
            .bind(tenant.to_string())
            .bind(i64::from(limit))
            .fetch_all(&self.engine);
        let rows = rows.await.map_err(failed("reading the runs"))?;
        rows.iter()
            .map(|row| {
                Ok(RunLine {
                    tenant: tenant.clone(),
                    started_at: moment(number(row, "started_at")?),
                    ended_at: moment(number(row, "ended_at")?),
                    revision: text(row, "revision")?,
                    cause: text(row, "cause")?,
                    status: text(row, "status")?,
                    reason: text(row, "reason")?,
                    writes: number(row, "writes")?.unsigned_abs(),
                    conflicts: number(row, "conflicts")?.unsigned_abs(),
                    replica: text(row, "replica")?,
                    asked_by: text(row, "asked_by")?,
                    asked_why: text(row, "asked_why")?,
                })
            })
            .collect()
    }

    /// Stores why the newest head of a repository is not taken; `None` if it is taken.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_trouble(
        &self,
        repository: &str,
        trouble: Option<(&str, Timestamp)>,
    ) -> Result<(), StoreError> {
        let text = match trouble {
            None => String::new(),
            Some((message, since)) => json(&HeadTrouble {
                repository: repository.to_owned(),
                message: message.to_owned(),
                since,
                replica: self.holder().to_owned(),
            })?,
        };
        self.keep_note(&format!("trouble/{repository}"), &text).await
    }

    /// Returns why the newest heads of repositories are not taken.
    ///
    /// # Errors
    /// The database failed.
    pub async fn troubles(&self) -> Result<Vec<HeadTrouble>, StoreError> {
        let rows = self
            .engine
            .query("SELECT value FROM notes WHERE name LIKE 'trouble/%' AND value <> '' ORDER BY name")
            .fetch_all(self.engine.pool());
        let rows = rows.await.map_err(failed("reading notes"))?;
        // Skips a note of a build with another format; that build writes it again.
        rows.iter()
            .map(|row| Ok(serde_json::from_str(&text(row, "value")?).ok()))
            .filter_map(Result::transpose)
            .collect()
    }

    /// Returns a note by its name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = self
            .engine
            .query("SELECT value FROM notes WHERE name = $1")
            .bind(name.to_owned())
            .fetch_optional(&self.engine);
        row.await.map_err(failed("reading a note"))?.map(|row| text(&row, "value")).transpose()
    }

    /// Writes a note.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_note(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let kept = self
            .engine
            .query(
                "INSERT INTO notes (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )
            .bind(name.to_owned())
            .bind(value.to_owned())
            .execute(&self.writer);
        kept.await.map(drop).map_err(failed("writing a note"))
    }
}
