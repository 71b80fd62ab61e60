//! Baselines: the values with which genesync compares fields that git does not name, if the base of their
//! object does not hold them.

use futures::FutureExt as _;
use sqlx::{Any, Transaction};

use super::claimed::Lease;
use super::engine::again_if_taken_back;
use super::journal::signed;
use super::journals::{Journals, READING};
use super::{Store, StoreError, corrupt, failed, json, number, text};
use crate::model::seal::may_hold_digests;
use crate::model::unmanaged::Noticed;
use crate::model::{Baseline, ObjectRef, Record, TenantName};

impl Store {
    /// Writes in one transaction what a person accepted for a tenant, the noticed changes that are left, and
    /// a line of the history.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn accept(
        &self,
        lease: &Lease,
        records: &[Record],
        left: &[Noticed],
        reported: &str,
    ) -> Result<(), StoreError> {
        again_if_taken_back(|| self.try_accept(lease, records, left, reported).boxed()).await
    }

    async fn try_accept(
        &self,
        lease: &Lease,
        records: &[Record],
        left: &[Noticed],
        reported: &str,
    ) -> Result<(), StoreError> {
        let doing = "accepting the live values";
        let mut transaction = self.writer.begin(doing).await?;
        self.append_within(&mut transaction, lease, records).await?;
        let left = if left.is_empty() { String::new() } else { json(&left)? };
        let kept = self.engine.query("UPDATE tenants SET unmanaged = $2 WHERE name = $1");
        let kept = kept.bind(lease.tenant.to_string()).bind(left).execute(&mut *transaction);
        kept.await.map_err(failed(doing))?;
        let line = self
            .engine
            .query("INSERT INTO history (tenant, at, kind, detail) VALUES ($1, {now}, 'accepted', $2)")
            .bind(lease.tenant.to_string())
            .bind(reported.to_owned())
            .execute(&mut *transaction);
        line.await.map_err(failed(doing))?;
        transaction.commit().await.map_err(failed(doing))
    }

    /// Writes a baseline, or deletes it for `None`.
    pub(super) async fn write_baseline(
        &self,
        transaction: &mut Transaction<'_, Any>,
        tenant: &str,
        object: &ObjectRef,
        baseline: Option<&Baseline>,
    ) -> Result<(), StoreError> {
        let doing = "writing the journal";
        let Some(baseline) = baseline else {
            let gone = self.engine.query("DELETE FROM baselines WHERE tenant = $1 AND object = $2");
            let gone = gone.bind(tenant.to_owned()).bind(object.key()).execute(&mut **transaction);
            return gone.await.map(drop).map_err(failed(doing));
        };
        let query = self.engine.query(
            "INSERT INTO baselines (tenant, object, version, body, id) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant, object) DO UPDATE SET
               version = excluded.version, body = excluded.body, id = excluded.id",
        );
        let written = query
            .bind(tenant.to_owned())
            .bind(object.key())
            .bind(signed(baseline.version))
            .bind(json(&*self.seal.sealed(&baseline.body))?)
            .bind(baseline.id.as_deref().unwrap_or_default().to_owned())
            .execute(&mut **transaction);
        written.await.map(drop).map_err(failed(doing))
    }

    pub(super) async fn read_baselines(&self, rows: &str, journals: &mut Journals) -> Result<(), StoreError> {
        let kept = self
            .engine
            .query(
                "SELECT tenant, object, version, body, id FROM baselines
                 WHERE tenant IN (SELECT r.value->>'name' FROM {each:1})",
            )
            .bind(rows.to_owned())
            .fetch_all(&self.engine);
        for row in kept.await.map_err(failed(READING))? {
            let tenant = text(&row, "tenant")?;
            let kept = text(&row, "body")?;
            let body =
                serde_json::from_str(&kept).map_err(corrupt(format!("the baselines of `{tenant}`")))?;
            let baseline = Baseline {
                version: number(&row, "version")?.unsigned_abs(),
                body,
                id: Some(text(&row, "id")?).filter(|id| !id.is_empty()).map(Into::into),
            };
            let journal = journals.entry(TenantName::new(tenant)).or_default();
            journal.seal = journal.seal.or(may_hold_digests(&kept).then_some(self.seal));
            journal.baselines.insert(ObjectRef::from_key(&text(&row, "object")?), baseline);
        }
        Ok(())
    }
}
