//! Leases: one holder for each tenant at a time, by the database's clock, with a fencing token that grows.
//!
//! A lease saves work; it does not make writes safe. A process that stops until its lease has expired may
//! still send a prepared write. The version that the write names, and the wait of the next holder before it
//! reads, keep that from doing harm. The token keeps the process out of the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::claimed::{Begin, Claim, Claimed, Lease};
use super::engine::again_if_taken_back;
use super::notes::{moment, pause};
use super::overview::{noticed, status};
use super::tenants::{ClaimCause, NEVER};
use super::{Store, StoreError, failed, json, names, number, optional, text};
use crate::crash;
use crate::model::standing::Standing;
use crate::model::{Status, TenantName};

/// The lowest wave that later waves wait for, as [`crate::model::gate`] computes it: `$P` is the patience in
/// milliseconds.
macro_rules! gate {
    ($patience:literal) => {
        concat!(
            "(SELECT MIN(e.wave) FROM tenants e
               WHERE e.removed = 0 AND (e.applied <> e.wanted OR e.wanted = '')
                 AND (e.standing IN ('pending', 'failed')
                   OR (e.standing = 'unavailable' AND {now} - e.unavailable_since < ",
            $patience,
            "))
                 AND NOT EXISTS (SELECT 1 FROM pauses o WHERE o.tenant = e.name AND o.kind = 'pause'
                   AND (o.until IS NULL OR o.until > {now})))"
        )
    };
}

impl Store {
    /// Leases tenants that are due and free, the longest waiting first. Tenants whose change waits for a
    /// lower wave come last, and genesync only reads them: [`Claimed::waits_for`]. Such a tenant is due again
    /// when that wave is applied. A leased tenant is due again when its lease expires, so another process
    /// takes over from a dead holder.
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
        let lease_ms = milliseconds(claim.lease);
        let patience_ms = milliseconds(claim.patience);
        let mut transaction = self.writer.begin(doing).await?;
        let leased = self
            .engine
            .query(concat!(
                "INSERT INTO leases (name, holder, token, expires_at)
                 SELECT due.name, $1, 1, {now} + $2 FROM (
                   SELECT t.name FROM tenants t
                   WHERE t.removed = 0 AND t.wanted <> '' AND (t.due_at <= {now} OR (t.waits_for >= 0 AND t.due_at < $8
                       AND t.wave <= COALESCE(",
                gate!("$7"),
                ", t.wave)))
                     AND EXISTS (SELECT 1 FROM heads h WHERE h.repository = $5 AND h.revision = $6)
                     AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.name = t.name AND l.expires_at > {now})
                     AND t.credentials NOT IN (SELECT r.value->>'name' FROM {each:3})
                   ORDER BY CASE WHEN t.applied = t.wanted OR t.enforced = 0
                       OR t.wave <= COALESCE(",
                gate!("$7"),
                ", t.wave) THEN 0 ELSE 1 END, t.due_at, t.name LIMIT $4 {skip_locked}) AS due
                 WHERE true
                 ON CONFLICT (name) DO UPDATE SET
                   holder = excluded.holder, token = leases.token + 1, expires_at = excluded.expires_at
                   WHERE leases.expires_at <= {now}
                 RETURNING name, token",
            ))
            .bind(self.holder().to_owned())
            .bind(lease_ms)
            .bind(json(&saturated)?)
            .bind(i64::try_from(claim.limit).unwrap_or(i64::MAX))
            .bind(claim.head.0.to_owned())
            .bind(claim.head.1.to_string())
            .bind(patience_ms)
            .bind(NEVER)
            .fetch_all(&mut *transaction);
        let leased = leased.await.map_err(failed(doing))?;
        if leased.is_empty() {
            return Ok(Vec::new());
        }
        let mut tokens = BTreeMap::new();
        for row in leased {
            tokens.insert(TenantName::new(text(&row, "name")?), number(&row, "token")?);
        }
        let rows = names(tokens.keys())?;
        let claimed = self.begin_within(&mut transaction, &tokens, rows, lease_ms, patience_ms).await?;
        crash::point("C01b");
        transaction.commit().await.map_err(failed(doing))?;
        Ok(claimed)
    }

    /// Marks leased tenants as running and returns what the store knows of each. The commit of `tenants` may
    /// differ from the head. Tenants that the store does not know are left out.
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin(
        &self,
        tenants: &[Begin<'_>],
        lease: Duration,
        patience: Duration,
    ) -> Result<Vec<Claimed>, StoreError> {
        let tokens: BTreeMap<TenantName, i64> =
            tenants.iter().map(|one| (one.lease.tenant.clone(), one.lease.token)).collect();
        let rows: Vec<_> = tenants.iter().map(Begin::row).collect();
        let rows = json(&rows)?;
        again_if_taken_back(|| self.try_begin(&tokens, &rows, lease, patience).boxed()).await
    }

    async fn try_begin(
        &self,
        tokens: &BTreeMap<TenantName, i64>,
        rows: &str,
        lease: Duration,
        patience: Duration,
    ) -> Result<Vec<Claimed>, StoreError> {
        let mut transaction = self.writer.begin("beginning runs").await?;
        let (lease_ms, patience_ms) = (milliseconds(lease), milliseconds(patience));
        let rows = rows.to_owned();
        let claimed = self.begin_within(&mut transaction, tokens, rows, lease_ms, patience_ms).await?;
        transaction.commit().await.map_err(failed("beginning runs"))?;
        Ok(claimed)
    }

    /// Returns what [`Store::begin`] would, but marks nothing: for tenants that another process works on.
    ///
    /// # Errors
    /// The database failed.
    pub async fn glance(&self, tenants: &[Begin<'_>]) -> Result<Vec<Claimed>, StoreError> {
        let rows: Vec<_> = tenants.iter().map(Begin::row).collect();
        let rows = json(&rows)?;
        let tokens: BTreeMap<TenantName, i64> =
            tenants.iter().map(|one| (one.lease.tenant.clone(), one.lease.token)).collect();
        let mut transaction = self.writer.begin("reading tenants").await?;
        self.known_of(&mut transaction, &tokens, &rows, 0).await
    }

    async fn begin_within(
        &self,
        transaction: &mut Transaction<'static, Any>,
        tokens: &BTreeMap<TenantName, i64>,
        rows: String,
        lease_ms: i64,
        patience_ms: i64,
    ) -> Result<Vec<Claimed>, StoreError> {
        let claimed = self.known_of(transaction, tokens, &rows, patience_ms).await?;
        let marked = self
            .engine
            .query(
                "UPDATE tenants SET cause = 'running',
                   due_at = CASE WHEN wanted = '' THEN due_at ELSE {now} + $2 END
                 WHERE name IN (SELECT r.value->>'name' FROM {each:1})",
            )
            .bind(rows)
            .bind(lease_ms)
            .execute(&mut **transaction);
        marked.await.map_err(failed("beginning runs"))?;
        Ok(claimed)
    }

    async fn known_of(
        &self,
        transaction: &mut Transaction<'static, Any>,
        tokens: &BTreeMap<TenantName, i64>,
        rows: &str,
        patience_ms: i64,
    ) -> Result<Vec<Claimed>, StoreError> {
        let doing = "beginning runs";
        let details = self
            .engine
            .query(concat!(
                "SELECT t.name, t.wanted AS known, COALESCE(r.value->>'wanted', t.wanted) AS wanted, t.applied, t.cause,
                        t.failures, t.status, t.trouble, t.reason, t.standing, t.unavailable_since, t.released,
                        t.unmanaged,
                        COALESCE(CAST(r.value->>'wave' AS BIGINT), t.wave) AS wave,
                        CASE WHEN t.applied = t.wanted OR t.wanted = '' OR t.enforced = 0 THEN NULL ELSE ",
                gate!("$2"),
                " END AS gate,
                        p.kind, p.paused_by, p.reason AS pause_reason, p.since AS pause_since, p.until
                 FROM {each:1} JOIN tenants t ON t.name = r.value->>'name'
                 LEFT JOIN pauses p ON p.tenant = t.name AND (p.until IS NULL OR p.until > {now})
                   AND NOT (p.kind = 'hold' AND COALESCE(CAST(r.value->>'head' AS BIGINT), 0) = 1
                     AND t.wanted <> r.value->>'wanted'
                     AND (p.paused_by NOT LIKE 'guard %' OR t.applied = r.value->>'wanted'))
                 ORDER BY t.due_at, t.name",
            ))
            .bind(rows.to_owned())
            .bind(patience_ms)
            .fetch_all(&mut **transaction);
        let details = details.await.map_err(failed(doing))?;
        let mut claimed = Vec::with_capacity(details.len());
        for row in &details {
            let tenant = TenantName::new(text(row, "name")?);
            if let Some(token) = tokens.get(&tenant).copied() {
                claimed.push(claimed_of(row, tenant, token)?);
            }
        }
        Ok(claimed)
    }

    /// Leases named tenants, due or not; those that another process holds are left out.
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
                Ok(Lease {
                    tenant,
                    token: number(row, "token")?,
                    wanted: None,
                    over_pause: false,
                    over_off: false,
                })
            })
            .collect()
    }

    /// Returns the current holder of a tenant's lease.
    ///
    /// # Errors
    /// The database failed.
    pub async fn holder_of(&self, tenant: &TenantName) -> Result<Option<String>, StoreError> {
        let row = self
            .engine
            .query("SELECT holder FROM leases WHERE name = $1 AND expires_at > {now}")
            .bind(tenant.to_string())
            .fetch_optional(&self.engine);
        row.await.map_err(failed("reading a lease"))?.map(|row| text(&row, "holder")).transpose()
    }

    /// Renews leases. Returns the tenants whose lease this process still holds; the runs of the others must
    /// end.
    ///
    /// # Errors
    /// The database failed: it is unknown whether the leases were renewed, and they go on expiring.
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

    /// Releases leases. A lease that another process holds now does not change.
    ///
    /// # Errors
    /// The database failed; the leases then expire.
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

fn claimed_of(row: &AnyRow, tenant: TenantName, token: i64) -> Result<Claimed, StoreError> {
    let wanted: Arc<str> = text(row, "wanted")?.into();
    let wave = u32::try_from(number(row, "wave")?).unwrap_or_default();
    let gate = optional(row, "gate")?.and_then(|gate| u32::try_from(gate).ok());
    let since = number(row, "unavailable_since")?;
    let applied = text(row, "applied")?;
    // Returns what `advance` would write: status, reason and failures of another change do not apply to this
    // one.
    let is_known = text(row, "known")? == *wanted;
    let failures = u32::try_from(number(row, "failures")?).unwrap_or_default();
    Ok(Claimed {
        lease: Lease { tenant, token, wanted: Some(Arc::clone(&wanted)), over_pause: false, over_off: false },
        is_new: !is_known,
        applied: applied == *wanted,
        was_applied: !applied.is_empty(),
        released: !wanted.is_empty() && text(row, "released")? == *wanted,
        wanted,
        cause: if is_known { ClaimCause::from_name(&text(row, "cause")?) } else { ClaimCause::Commit },
        failures: if is_known { failures } else { 0 },
        status: if is_known { status(row)? } else { Status::OutOfSync },
        reason: if is_known { text(row, "reason")? } else { String::new() },
        unmanaged: noticed(row)?,
        standing: Standing::from_name(&text(row, "standing")?),
        unavailable_since: (since > 0).then(|| moment(since)),
        wave,
        waits_for: gate.filter(|gate| wave > *gate),
        pause: pause(row)?,
    })
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Ends leases of this process; the row stays, for its token. The query names the tenants twice so that it
/// uses the index: a condition on both columns alone would scan all leases.
pub const RELEASE: &str = "UPDATE leases SET expires_at = 0
    WHERE holder = $1 AND name IN (SELECT r.value->>'name' FROM {each:2})
      AND (name, token) IN (SELECT r.value->>'name', CAST(r.value->>'token' AS BIGINT) FROM {each:2})";

/// Returns leases as rows for a query to join with.
pub fn tokens<'a>(leases: impl IntoIterator<Item = &'a Lease>) -> Result<String, StoreError> {
    let rows: Vec<_> = leases
        .into_iter()
        .map(|lease| serde_json::json!({"name": lease.tenant.as_str(), "token": lease.token}))
        .collect();
    json(&rows)
}
