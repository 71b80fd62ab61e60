//! The tenants: their desired configuration, when they are due, and their status.

use std::time::Duration;

use futures::FutureExt as _;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, Transaction};

pub use super::cause::ClaimCause;
use super::engine::again_if_taken_back;
use super::notes::Pause;
use super::{Store, StoreError, failed, json, number, optional, text};
use crate::crash;
use crate::model::standing::Standing;
use crate::model::{Revision, Status, TenantName, Wanted};

/// A due time that never comes.
pub const NEVER: i64 = i64::MAX / 4;

/// Inserts rows of tenants from git. An invalid tenant is never due.
macro_rules! insert_wanted {
    () => {
        "INSERT INTO tenants (name, wanted, applied, revision, enforced, credentials, wave, removed,
     due_at, cause, failures, status, reason, trouble, since, checked_at, synced_at, drifted_at,
     standing, unavailable_since)
   SELECT r.value->>'name', r.value->>'wanted', '', $2, CAST(r.value->>'enforced' AS BIGINT),
     r.value->>'credentials', CAST(r.value->>'wave' AS BIGINT),
     CASE WHEN $4 = 1 AND EXISTS (SELECT 1 FROM heads) THEN 1 ELSE 0 END,
     CASE WHEN r.value->>'wanted' = '' THEN $3 ELSE {now} END, 'commit', 0,
     r.value->>'status', r.value->>'reason', r.value->>'trouble', {now}, 0, 0, 0, r.value->>'standing', 0
   FROM {each:1} WHERE true ORDER BY 1"
    };
}

/// When the next tenant is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextDue {
    /// The time until then; none if no tenant is due without an event.
    pub left: Option<Duration>,
    /// The head that the replicas agree on.
    pub head: Option<Revision>,
}

/// Returns why a head may not change so many tenants; none if it may.
pub type Judge<'a> = dyn Fn(usize) -> Option<Pause> + Send + Sync + 'a;

/// A head that a replica has read.
#[derive(Clone, Copy)]
pub struct NewHead<'a> {
    /// The repository.
    pub repository: &'a str,
    /// The head that the new one was compared with.
    pub known: Option<&'a Revision>,
    /// The new head.
    pub revision: &'a Revision,
    /// The tenants that changed, or all.
    pub rows: &'a [Wanted],
    /// Tenants that were removed; none if `rows` holds all tenants.
    pub gone: Option<&'a [TenantName]>,
    /// Decides whether a number of existing tenants may change; if not, the changed tenants are held. Without
    /// it, holds of guards stay.
    pub judge: Option<&'a Judge<'a>>,
}

/// The result of taking a new head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// The number of tenants that are due because of it.
    Taken(usize),
    /// Another replica has taken this head meanwhile: the caller must compare again.
    Moved(Revision),
}

impl Store {
    /// Returns the head of a repository that the replicas agree on.
    ///
    /// # Errors
    /// The database failed.
    pub async fn head(&self, repository: &str) -> Result<Option<Revision>, StoreError> {
        let row = self
            .engine
            .query("SELECT revision FROM heads WHERE repository = $1")
            .bind(repository.to_owned())
            .fetch_optional(&self.engine);
        let row = row.await.map_err(failed("reading the head"))?;
        row.map(|row| text(&row, "revision").map(Revision::new)).transpose()
    }

    /// Returns the last head of a repository of which something was applied; none if there is none.
    ///
    /// # Errors
    /// The database failed.
    pub async fn written_head(&self, repository: &str) -> Result<Option<Revision>, StoreError> {
        let row = self
            .engine
            .query("SELECT written FROM heads WHERE repository = $1 AND written <> ''")
            .bind(repository.to_owned())
            .fetch_optional(&self.engine);
        let row = row.await.map_err(failed("reading the head"))?;
        row.map(|row| text(&row, "written").map(Revision::new)).transpose()
    }

    /// Makes a revision the head, whatever the head was, also if the repository had another name: for an
    /// operator.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_head(&self, repository: &str, revision: &Revision) -> Result<(), StoreError> {
        again_if_taken_back(|| self.try_keep_head(repository, revision).boxed()).await
    }

    async fn try_keep_head(&self, repository: &str, revision: &Revision) -> Result<(), StoreError> {
        let doing = "storing the head";
        let mut transaction = self.writer.begin(doing).await?;
        let forgotten = self
            .engine
            .query("DELETE FROM heads WHERE repository <> $1")
            .bind(repository.to_owned())
            .execute(&mut *transaction);
        forgotten.await.map_err(failed(doing))?;
        self.write_head(&mut transaction, repository, revision, doing).await?;
        transaction.commit().await.map_err(failed(doing))
    }

    async fn write_head(
        &self,
        transaction: &mut Transaction<'static, Any>,
        repository: &str,
        revision: &Revision,
        doing: &'static str,
    ) -> Result<(), StoreError> {
        let kept = self
            .engine
            .query(
                "INSERT INTO heads (repository, revision, seq, seen_at) VALUES ($1, $2, 1, {now})
                 ON CONFLICT (repository) DO UPDATE SET
                   revision = excluded.revision, seq = heads.seq + 1, seen_at = excluded.seen_at
                 WHERE heads.revision <> excluded.revision",
            )
            .bind(repository.to_owned())
            .bind(revision.to_string())
            .execute(&mut **transaction);
        kept.await.map(drop).map_err(failed(doing))
    }

    /// Takes a new head: the tenants that it changes are due.
    ///
    /// # Errors
    /// The database failed, or it belongs to another repository; the head did not change.
    pub async fn advance(&self, head: &NewHead<'_>) -> Result<Advance, StoreError> {
        again_if_taken_back(|| self.try_advance(head).boxed()).await
    }

    async fn try_advance(&self, head: &NewHead<'_>) -> Result<Advance, StoreError> {
        let NewHead { repository, known, revision, rows, gone, judge } = *head;
        let doing = "taking a new head";
        let mut transaction = self.writer.begin(doing).await?;
        // This locks the row, so that two replicas take heads one after the other.
        let held = self
            .engine
            .query(
                "INSERT INTO heads (repository, revision, seq, seen_at) VALUES ($1, $2, 0, 0)
                 ON CONFLICT (repository) DO UPDATE SET seq = heads.seq RETURNING revision, seq",
            )
            .bind(repository.to_owned())
            .bind(revision.to_string())
            .fetch_one(&mut *transaction);
        let held = held.await.map_err(failed(doing))?;
        let current = Revision::new(text(&held, "revision")?);
        let first = number(&held, "seq")? == 0;
        if first {
            let other = self.another_repository(repository).fetch_optional(&mut *transaction);
            is_none_but(repository, other.await.map_err(failed(doing))?.as_ref())?;
        }
        if !first && current != *revision && Some(&current) != known {
            return Ok(Advance::Moved(current));
        }
        self.write_head(&mut transaction, repository, revision, doing).await?;
        if first {
            let begun = self
                .engine
                .query("UPDATE heads SET seq = 1, seen_at = {now} WHERE repository = $1")
                .bind(repository.to_owned())
                .execute(&mut *transaction);
            begun.await.map_err(failed(doing))?;
        }
        let due = self.write_wanted(&mut transaction, revision, rows, judge).await?;
        let gone = match gone {
            None => (
                "UPDATE tenants SET removed = 1 WHERE removed = 0 AND name NOT IN (SELECT r.value->>'name' FROM {each:1})",
                super::names(rows.iter().map(|row| &row.tenant))?,
            ),
            Some(gone) => (
                "UPDATE tenants SET removed = 1 WHERE removed = 0 AND name IN (SELECT r.value->>'name' FROM {each:1})",
                super::names(gone)?,
            ),
        };
        let removed = self.engine.query(gone.0).bind(gone.1).execute(&mut *transaction);
        removed.await.map_err(failed(doing))?;
        crash::point("C02b");
        transaction.commit().await.map_err(failed(doing))?;
        Ok(Advance::Taken(due))
    }

    async fn write_wanted(
        &self,
        transaction: &mut Transaction<'static, Any>,
        revision: &Revision,
        rows: &[Wanted],
        judge: Option<&Judge<'_>>,
    ) -> Result<usize, StoreError> {
        let doing = "taking a new head";
        let rows: Vec<_> = rows.iter().map(row_of).collect();
        let rows = json(&rows)?;
        // A change in git ends a hold. The hold of a guard ends only by a person, or if git returns to the
        // applied configuration: another commit on top does not end it.
        let released = self
            .engine
            .query(
                "DELETE FROM pauses WHERE kind = 'hold' AND tenant IN (
                   SELECT t.name FROM {each:1} JOIN tenants t ON t.name = r.value->>'name'
                   WHERE t.wanted <> r.value->>'wanted'
                     AND (pauses.paused_by NOT LIKE 'guard %' OR t.applied = r.value->>'wanted'))",
            )
            .bind(rows.clone())
            .execute(&mut **transaction);
        released.await.map_err(failed(doing))?;
        if let Some(judge) = judge {
            self.hold_what_changes(transaction, &rows, judge).await?;
        }
        let written = self
            .engine
            .query(
                concat!(
                    insert_wanted!(),
                    " ON CONFLICT (name) DO UPDATE SET
                   wanted = excluded.wanted, revision = excluded.revision, removed = 0,
                   enforced = CASE WHEN excluded.enforced < 0 THEN tenants.enforced ELSE excluded.enforced END,
                   credentials = CASE WHEN excluded.enforced < 0 THEN tenants.credentials ELSE excluded.credentials END,
                   wave = CASE WHEN excluded.enforced < 0 THEN tenants.wave ELSE excluded.wave END,
                   standing = CASE WHEN excluded.enforced < 0 AND tenants.enforced = 0 THEN 'aside'
                                   WHEN excluded.standing = 'pending' AND tenants.standing = 'unavailable'
                                   THEN 'unavailable' ELSE excluded.standing END,
                   waits_for = -1,
                   due_at = excluded.due_at, cause = 'commit', failures = 0,
                   status = excluded.status, reason = excluded.reason, trouble = excluded.trouble,
                   since = CASE WHEN tenants.status = excluded.status THEN tenants.since ELSE {now} END
                 WHERE tenants.wanted <> excluded.wanted OR tenants.removed = 1
                   OR excluded.wanted = '' AND (tenants.reason <> excluded.reason OR excluded.enforced >= 0
                     AND (tenants.enforced <> excluded.enforced OR tenants.wave <> excluded.wave))"
                ),
            )
            .bind(rows)
            .bind(revision.to_string())
            .bind(NEVER)
            .bind(0_i64)
            .execute(&mut **transaction);
        let written = written.await.map_err(failed(doing))?.rows_affected();
        Ok(usize::try_from(written).unwrap_or(usize::MAX))
    }

    /// Inserts the tenants of a commit that the store does not know yet, without taking the commit as the
    /// head. Existing rows do not change. If there is a head, an inserted tenant counts as removed until a
    /// head holds it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn know(&self, revision: &Revision, rows: &[Wanted]) -> Result<(), StoreError> {
        let rows: Vec<_> = rows.iter().map(row_of).collect();
        let known = self
            .engine
            .query(concat!(insert_wanted!(), " ON CONFLICT (name) DO NOTHING"))
            .bind(json(&rows)?)
            .bind(revision.to_string())
            .bind(NEVER)
            .bind(1_i64)
            .execute(&self.writer);
        known.await.map(drop).map_err(failed("recording the tenants of a commit"))
    }

    /// Holds the tenants that a head changes if the guard says that they are too many. Tenants that the guard
    /// holds already count too, so that many small commits equal one large commit. New tenants do not count
    /// but are held too, because the guard refuses the whole head.
    async fn hold_what_changes(
        &self,
        transaction: &mut Transaction<'static, Any>,
        rows: &str,
        judge: &Judge<'_>,
    ) -> Result<(), StoreError> {
        let doing = "taking a new head";
        let counted = self
            .engine
            .query(
                "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM (
                   SELECT t.name FROM {each:1} JOIN tenants t ON t.name = r.value->>'name'
                   WHERE t.applied <> '' AND r.value->>'wanted' <> '' AND r.value->>'wanted' <> t.applied
                     AND (t.wanted <> r.value->>'wanted' OR t.removed = 1)
                   UNION
                   SELECT t.name FROM pauses p JOIN tenants t ON t.name = p.tenant
                   WHERE p.kind = 'hold' AND p.paused_by LIKE 'guard %' AND t.applied <> '') AS changing",
            )
            .bind(rows.to_owned())
            .fetch_one(&mut **transaction);
        let changing = number(&counted.await.map_err(failed(doing))?, "n")?;
        let Some(hold) = judge(usize::try_from(changing).unwrap_or_default()) else {
            // A new tenant was held only because the whole head was refused, so there is nothing to decide.
            let released = self
                .engine
                .query(
                    "DELETE FROM pauses WHERE kind = 'hold' AND paused_by LIKE 'guard %'
                       AND tenant IN (SELECT t.name FROM tenants t WHERE t.applied = '')",
                )
                .execute(&mut **transaction);
            return released.await.map(drop).map_err(failed(doing));
        };
        let held = self
            .engine
            .query(
                "INSERT INTO pauses (tenant, kind, paused_by, reason, since, until)
                 SELECT t.name, 'hold', $2, $3, {now}, CAST(NULL AS BIGINT)
                 FROM {each:1} JOIN tenants t ON t.name = r.value->>'name'
                 WHERE r.value->>'wanted' <> '' AND r.value->>'wanted' <> t.applied
                   AND (t.wanted <> r.value->>'wanted' OR t.removed = 1)
                 UNION ALL
                 SELECT r.value->>'name', 'hold', $2, $3, {now}, CAST(NULL AS BIGINT)
                 FROM {each:1} WHERE r.value->>'wanted' <> ''
                   AND NOT EXISTS (SELECT 1 FROM tenants t WHERE t.name = r.value->>'name')
                 ON CONFLICT (tenant) DO NOTHING",
            )
            .bind(rows.to_owned())
            .bind(hold.by.clone())
            .bind(hold.reason.clone())
            .execute(&mut **transaction);
        held.await.map(drop).map_err(failed(doing))
    }

    /// Checks that the store belongs to this repository. Under another name the last head is unknown, so an
    /// old commit could become the head; another repository has other tenants.
    ///
    /// # Errors
    /// The store belongs to another repository, or the database failed.
    pub async fn check_repository(&self, repository: &str) -> Result<(), StoreError> {
        if self.head(repository).await?.is_some() {
            return Ok(());
        }
        let other = self.another_repository(repository).fetch_optional(&self.engine);
        is_none_but(repository, other.await.map_err(failed("reading the head"))?.as_ref())
    }

    fn another_repository(&self, repository: &str) -> Query<'static, Any, AnyArguments> {
        self.engine
            .query("SELECT repository FROM heads WHERE repository <> $1 ORDER BY seen_at DESC LIMIT 1")
            .bind(repository.to_owned())
    }

    /// Makes the named tenants, or all, due now. Returns their number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn poke(&self, tenants: Option<&[TenantName]>, cause: ClaimCause) -> Result<u64, StoreError> {
        again_if_taken_back(|| self.try_poke(tenants, cause).boxed()).await
    }

    async fn try_poke(&self, tenants: Option<&[TenantName]>, cause: ClaimCause) -> Result<u64, StoreError> {
        let poked = match tenants {
            None => self
                .engine
                .query("UPDATE tenants SET due_at = {now}, cause = $1, failures = 0 WHERE removed = 0 AND wanted <> ''")
                .bind(cause.name().to_owned()),
            Some(tenants) => self
                .engine
                .query(
                    "UPDATE tenants SET due_at = {now}, cause = $1, failures = 0
                     WHERE removed = 0 AND wanted <> '' AND name IN (SELECT r.value->>'name' FROM {each:2})",
                )
                .bind(cause.name().to_owned())
                .bind(super::names(tenants)?),
        };
        let poked = poked.execute(&self.writer).await;
        Ok(poked.map_err(failed("making tenants due"))?.rows_affected())
    }

    /// Returns when the next tenant is due. Leased tenants count, because their holder may die.
    ///
    /// # Errors
    /// The database failed.
    pub async fn next_due(&self, repository: &str) -> Result<NextDue, StoreError> {
        let doing = "reading what is due";
        let row = self
            .engine
            .query(
                "SELECT MIN(t.due_at) - {now} AS left_ms,
                        (SELECT h.revision FROM heads h WHERE h.repository = $2) AS head
                 FROM tenants t WHERE t.removed = 0 AND t.due_at < $1",
            )
            .bind(NEVER)
            .bind(repository.to_owned())
            .fetch_one(&self.engine);
        let row = row.await.map_err(failed(doing))?;
        let head: Option<String> = sqlx::Row::try_get(&row, "head").map_err(failed(doing))?;
        Ok(NextDue {
            left: optional(&row, "left_ms")?.map(|ms| Duration::from_millis(ms.max(0).unsigned_abs())),
            head: head.map(Revision::new),
        })
    }
}

fn is_none_but(repository: &str, other: Option<&sqlx::any::AnyRow>) -> Result<(), StoreError> {
    match other {
        None => Ok(()),
        Some(row) => {
            Err(StoreError::OtherRepository { known: text(row, "repository")?, given: repository.to_owned() })
        }
    }
}

/// Returns a tenant's row. It marks unreadable settings with -1, so that the query keeps the last known ones.
/// A tenant that was never readable counts as failed.
fn row_of(row: &Wanted) -> serde_json::Value {
    let status = if row.digest.is_some() { Status::OutOfSync } else { Status::Invalid }.row();
    let (enforced, wave, credentials) = match &row.settings {
        Some(settings) => (i64::from(settings.enforced), settings.wave, settings.credentials.as_str()),
        None => (-1, 0, "-"),
    };
    let standing = match (enforced, &row.digest) {
        (0, _) => Standing::Aside,
        (_, None) => Standing::Failed,
        (_, Some(_)) => Standing::Pending,
    };
    serde_json::json!({
        "name": row.tenant.as_str(),
        "wanted": row.digest.as_deref().unwrap_or_default(),
        "enforced": enforced,
        "credentials": credentials,
        "wave": i64::from(wave),
        "standing": standing.name(),
        "status": status.word,
        "trouble": status.trouble,
        "reason": row.invalid.as_deref().unwrap_or_default(),
    })
}
