//! Leases: one holder a tenant at a time, decided by the database's clock, with a token that grows.
//!
//! A lease saves work; it does not make writes safe. A holder that is paused past its end may still send what
//! it had ready: the version that the write names, and the wait of the next holder before it reads, are what
//! keeps that from doing harm. The token keeps it out of the journal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;

use super::engine::again_if_taken_back;
use super::notes::{Pause, pause};
use super::tenants::Cause;
use super::{Store, StoreError, failed, json, names, number, text};
use crate::crash;
use crate::model::{CredentialsName, Revision, TenantName};

/// The right to work on a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The tenant.
    pub tenant: TenantName,
    /// Grows with every holder.
    pub token: i64,
    /// The digest of what git says, that the run is planned from; with one, the journal takes no intent
    /// once git says otherwise or the tenant is paused.
    pub wanted: Option<Arc<str>>,
}

/// A question for tenants that are due.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// Most tenants.
    pub limit: usize,
    /// How long each is leased.
    pub lease: Duration,
    /// Credentials that have enough runs already.
    pub saturated: &'a BTreeSet<CredentialsName>,
    /// The repository and the head that this replica has read: at any other than the one agreed on it claims
    /// nothing, because it does not know what git says.
    pub head: (&'a str, &'a Revision),
}

/// A tenant that is ours to work on.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The lease.
    pub lease: Lease,
    /// Digest of what git says.
    pub wanted: Arc<str>,
    /// Whether the last run that was in sync was at that digest.
    pub applied: bool,
    /// Why it was due.
    pub cause: Cause,
    /// Failures in a row.
    pub failures: u32,
    /// The status that the last run ended with.
    pub status: String,
    /// Whether it is watched only, and why.
    pub pause: Option<Pause>,
}

impl Store {
    /// Leases tenants that are due and free, the longest waiting first. A tenant whose change waits for a
    /// lower wave is not due. While it is leased it is due again when the lease ends: a holder that dies
    /// is followed by another.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        again_if_taken_back(|| self.try_claim(claim).boxed()).await
    }

    async fn try_claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        let doing = "claiming tenants";
        let saturated: Vec<_> =
            claim.saturated.iter().map(|name| serde_json::json!({"name": name.as_str()})).collect();
        let lease_ms = i64::try_from(claim.lease.as_millis()).unwrap_or(i64::MAX);
        let mut transaction = self.writer.begin(doing).await?;
        let leased = self
            .engine
            .query(
                "INSERT INTO leases (name, holder, token, expires_at)
                 SELECT due.name, $1, 1, {now} + $2 FROM (
                   SELECT t.name FROM tenants t
                   WHERE t.due_at <= {now} AND t.removed = 0
                     AND EXISTS (SELECT 1 FROM heads h WHERE h.repository = $5 AND h.revision = $6)
                     AND (t.applied = t.wanted OR t.enforced = 0 OR t.wave <= COALESCE((
                       SELECT e.wave FROM tenants e
                       WHERE e.removed = 0 AND e.enforced = 1 AND e.applied <> e.wanted
                         AND NOT EXISTS (SELECT 1 FROM pauses p WHERE p.tenant = e.name AND p.kind = 'pause'
                           AND (p.until IS NULL OR p.until > {now}))
                       ORDER BY e.wave LIMIT 1), t.wave))
                     AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.name = t.name AND l.expires_at > {now})
                     AND t.credentials NOT IN (SELECT r.value->>'name' FROM {each:3})
                   ORDER BY t.due_at, t.name LIMIT $4 {skip_locked}) AS due
                 WHERE true
                 ON CONFLICT (name) DO UPDATE SET
                   holder = excluded.holder, token = leases.token + 1, expires_at = excluded.expires_at
                   WHERE leases.expires_at <= {now}
                 RETURNING name, token",
            )
            .bind(self.holder().to_owned())
            .bind(lease_ms)
            .bind(json(&saturated)?)
            .bind(i64::try_from(claim.limit).unwrap_or(i64::MAX))
            .bind(claim.head.0.to_owned())
            .bind(claim.head.1.to_string())
            .fetch_all(&mut *transaction);
        let leased = leased.await.map_err(failed(doing))?;
        if leased.is_empty() {
            return Ok(Vec::new());
        }
        let mut tokens = std::collections::BTreeMap::new();
        for row in leased {
            tokens.insert(TenantName::new(text(&row, "name")?), number(&row, "token")?);
        }
        let rows = names(tokens.keys())?;
        let details = self
            .engine
            .query(
                "SELECT t.name, t.wanted, t.applied, t.cause, t.failures, t.status,
                        p.kind, p.paused_by, p.reason AS pause_reason, p.since AS pause_since, p.until
                 FROM tenants t LEFT JOIN pauses p
                   ON p.tenant = t.name AND (p.until IS NULL OR p.until > {now})
                 WHERE t.name IN (SELECT r.value->>'name' FROM {each:1})
                 ORDER BY t.due_at, t.name",
            )
            .bind(rows.clone())
            .fetch_all(&mut *transaction);
        let details = details.await.map_err(failed(doing))?;
        let marked = self
            .engine
            .query(
                "UPDATE tenants SET cause = 'running', due_at = {now} + $2
                 WHERE name IN (SELECT r.value->>'name' FROM {each:1})",
            )
            .bind(rows)
            .bind(lease_ms)
            .execute(&mut *transaction);
        marked.await.map_err(failed(doing))?;
        crash::point("C01b");
        transaction.commit().await.map_err(failed(doing))?;
        let mut claimed = Vec::with_capacity(details.len());
        for row in details {
            let tenant = TenantName::new(text(&row, "name")?);
            let Some(token) = tokens.get(&tenant).copied() else { continue };
            let wanted: Arc<str> = text(&row, "wanted")?.into();
            claimed.push(Claimed {
                lease: Lease { tenant, token, wanted: Some(Arc::clone(&wanted)) },
                applied: text(&row, "applied")? == *wanted,
                wanted,
                cause: Cause::from_name(&text(&row, "cause")?),
                failures: u32::try_from(number(&row, "failures")?).unwrap_or_default(),
                status: text(&row, "status")?,
                pause: pause(&row)?,
            });
        }
        Ok(claimed)
    }

    /// Leases named tenants, due or not; those that somebody else holds are left out.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantName>,
        lease: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        let rows = names(tenants)?;
        again_if_taken_back(|| self.try_take(&rows, lease).boxed()).await
    }

    async fn try_take(&self, rows: &str, lease: Duration) -> Result<Vec<Lease>, StoreError> {
        let doing = "taking leases";
        let taken = self
            .engine
            .query(
                "INSERT INTO leases (name, holder, token, expires_at)
                 SELECT wished.name, $1, 1, {now} + $2
                 FROM (SELECT r.value->>'name' AS name FROM {each:3} ORDER BY 1) AS wished
                 WHERE true
                 ON CONFLICT (name) DO UPDATE SET
                   holder = excluded.holder, token = leases.token + 1, expires_at = excluded.expires_at
                   WHERE leases.expires_at <= {now}
                 RETURNING name, token",
            )
            .bind(self.holder().to_owned())
            .bind(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
            .bind(rows.to_owned())
            .fetch_all(&self.writer);
        let rows = taken.await.map_err(failed(doing))?;
        rows.iter()
            .map(|row| {
                let tenant = TenantName::new(text(row, "name")?);
                Ok(Lease { tenant, token: number(row, "token")?, wanted: None })
            })
            .collect()
    }

    /// Who holds a tenant's lease now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn holder_of(&self, tenant: &TenantName) -> Result<Option<String>, StoreError> {
        let row = self
            .engine
            .query("SELECT holder FROM leases WHERE name = $1 AND expires_at > {now}")
            .bind(tenant.to_string())
            .fetch_optional(&self.engine);
        row.await.map_err(failed("looking at a lease"))?.map(|row| text(&row, "holder")).transpose()
    }

    /// Renews leases. Returns the tenants whose lease is still ours; the others' runs have to end.
    ///
    /// # Errors
    /// The database failed: nothing is known, and time goes on.
    pub async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<BTreeSet<TenantName>, StoreError> {
        again_if_taken_back(|| self.try_renew(leases, lease).boxed()).await
    }

    async fn try_renew(&self, leases: &[Lease], lease: Duration) -> Result<BTreeSet<TenantName>, StoreError> {
        let doing = "renewing leases";
        let renewed = self
            .engine
            .query(
                "UPDATE leases SET expires_at = {now} + $2
                 WHERE holder = $1 AND expires_at > {now}
                   AND name IN (SELECT r.value->>'name' FROM {each:3})
                   AND (name, token) IN (
                     SELECT r.value->>'name', CAST(r.value->>'token' AS BIGINT) FROM {each:3})
                 RETURNING name",
            )
            .bind(self.holder().to_owned())
            .bind(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
            .bind(tokens(leases)?)
            .fetch_all(&self.writer);
        let rows = renewed.await.map_err(failed(doing))?;
        rows.iter().map(|row| Ok(TenantName::new(text(row, "name")?))).collect()
    }

    /// Gives leases back. One that has gone to somebody else is left alone.
    ///
    /// # Errors
    /// The database failed; the leases then run out by themselves.
    pub async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        again_if_taken_back(|| self.try_release(leases).boxed()).await
    }

    async fn try_release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let released = self
            .engine
            .query(super::lease::RELEASE)
            .bind(self.holder().to_owned())
            .bind(tokens(leases)?)
            .execute(&self.writer);
        released.await.map(drop).map_err(failed("releasing leases"))
    }
}

/// Ends leases of ours: the row stays, for its token. The names stand there twice so that the rows are
/// looked up by them: a condition on both columns alone would be tried on every lease there is.
pub const RELEASE: &str = "UPDATE leases SET expires_at = 0
    WHERE holder = $1 AND name IN (SELECT r.value->>'name' FROM {each:2})
      AND (name, token) IN (SELECT r.value->>'name', CAST(r.value->>'token' AS BIGINT) FROM {each:2})";

/// Leases as rows for a query to join with.
pub fn tokens<'a>(leases: impl IntoIterator<Item = &'a Lease>) -> Result<String, StoreError> {
    let rows: Vec<_> = leases
        .into_iter()
        .map(|lease| serde_json::json!({"name": lease.tenant.as_str(), "token": lease.token}))
        .collect();
    json(&rows)
}
