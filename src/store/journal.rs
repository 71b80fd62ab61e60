//! Writes the journal: intents before their writes, their endings, bases, receipts and confirmations.

use std::sync::Arc;

use futures::FutureExt as _;
use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::{Any, Transaction};

use super::claimed::Lease;
use super::engine::again_if_taken_back;
use super::{Store, StoreError, corrupt, failed, json, text};
use crate::crash;
use crate::model::record::{Ending, Intent, IntentAction, Over, Revert};
use crate::model::{Base, ObjectRef, Receipt, Record, Target, TenantName};

/// What a write overwrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overwritten {
    /// When the write was sent.
    pub at: Timestamp,
    /// The whole object, if the platform keeps no earlier version of it.
    pub whole: Option<OverwrittenObject>,
    /// Fields that another user had set, with both values. Writes of early versions of genesync have no
    /// values.
    pub fields: Vec<Revert>,
    /// The ending of the write; a write that was not executed overwrote nothing.
    pub ending: Ending,
}

/// An object that a write overwrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverwrittenObject {
    /// The object.
    pub target: Target,
    /// The body before the write, or its draft.
    pub before: Arc<Map<String, Value>>,
    /// Who had changed it last; none if genesync had.
    pub by: Option<String>,
    /// The body of the write.
    pub after: Arc<Map<String, Value>>,
}

impl Store {
    /// Returns what writes to a tenant overwrote, newest first: fields that other users had set, and whole
    /// objects if the platform keeps no earlier version.
    ///
    /// # Errors
    /// The database failed, or a row cannot be read.
    pub async fn overwritten(&self, tenant: &TenantName, limit: u32) -> Result<Vec<Overwritten>, StoreError> {
        let rows = self
            .engine
            .query(
                "SELECT intent, ending FROM intents WHERE tenant = $1 AND (reverting > 0 OR intent LIKE '%\"over\":{%') AND ending <> $3
                 ORDER BY id DESC LIMIT $2",
            )
            .bind(tenant.to_string())
            .bind(i64::from(limit))
            .bind(Ending::NotExecuted.name())
            .fetch_all(&self.engine);
        let mut all = Vec::new();
        for row in rows.await.map_err(failed("reading the journal"))? {
            let intent: Intent = serde_json::from_str(&text(&row, "intent")?)
                .map_err(corrupt(format!("the intents of `{tenant}`")))?;
            let named = text(&row, "ending")?;
            // A write without an ending may have been executed.
            let ending =
                Ending::ALL.into_iter().find(|known| known.name() == named).unwrap_or(Ending::Unknown);
            let whole = match intent.action {
                IntentAction::Put { target, body: after, over: Some(Over { body: before, by }), .. } => {
                    Some(OverwrittenObject { target, before, by, after })
                }
                IntentAction::Put { over: None, .. } | IntentAction::Job { .. } => None,
            };
            all.push(Overwritten { at: intent.sent_at, whole, fields: intent.reverts, ending });
        }
        Ok(all)
    }

    /// Writes records, all or none. Returns once they are durable.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: the lease is lost, and nothing was written. [`StoreError::Superseded`]: the
    /// desired configuration of an intent changed in git, or the tenant was paused. [`StoreError::Off`]: an
    /// intent switches something off within an hour of another tenant. After any other error the records may
    /// or may not be durable, and the caller must stop.
    pub async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        if self.writer.groups_commits() {
            return self.append_in_group(lease, records).await;
        }
        again_if_taken_back(|| self.append_alone(lease, records).boxed()).await
    }

    /// Writes records in a transaction of their own.
    pub(super) async fn append_alone(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        let doing = "writing the journal";
        let mut transaction = self.writer.begin(doing).await?;
        self.append_within(&mut transaction, lease, records).await?;
        transaction.commit().await.map_err(failed(doing))
    }

    /// Writes records in a transaction of the caller. A refusal comes before any row.
    pub(super) async fn append_within(
        &self,
        transaction: &mut Transaction<'_, Any>,
        lease: &Lease,
        records: &[Record],
    ) -> Result<(), StoreError> {
        let doing = "writing the journal";
        // Locks the lease's row until the commit, so that a claim of another process comes after this write.
        let held = self
            .engine
            .query(
                "UPDATE leases SET expires_at = expires_at
                 WHERE name = $1 AND token = $2 AND holder = $3 AND expires_at > {now}",
            )
            .bind(lease.tenant.to_string())
            .bind(lease.token)
            .bind(self.holder().to_owned())
            .execute(&mut **transaction);
        if held.await.map_err(failed(doing))?.rows_affected() != 1 {
            return Err(StoreError::Fenced { tenant: lease.tenant.clone() });
        }
        if records.iter().any(|record| matches!(record, Record::Intent(_))) {
            self.check_identity(transaction).await?;
            self.check_still_wanted(transaction, lease).await?;
        }
        if records.iter().any(|record| matches!(record, Record::Intent(intent) if intent.off)) {
            self.check_off(transaction, lease).await?;
        }
        for record in records {
            self.write(transaction, lease, record).await?;
            crash::point(match record {
                Record::Intent(_) => "C05",
                Record::Resolved { .. } => "C09b",
                Record::Applied { .. } | Record::Baseline { .. } | Record::Inherited { .. } => "C10a",
                Record::Confirmed { .. } => "C17b",
            });
        }
        Ok(())
    }

    async fn check_still_wanted(
        &self,
        transaction: &mut Transaction<'_, Any>,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        let paused = self
            .engine
            .query(
                "SELECT tenant FROM pauses WHERE tenant = $1 AND (until IS NULL OR until > {now})
                   AND (kind = 'hold' OR $2 = 0)",
            )
            .bind(lease.tenant.to_string())
            .bind(i64::from(lease.over_pause))
            .fetch_optional(&mut **transaction);
        if paused.await.map_err(failed("writing the journal"))?.is_some() {
            return Err(StoreError::Superseded { tenant: lease.tenant.clone() });
        }
        let Some(wanted) = &lease.wanted else { return Ok(()) };
        let row = self
            .engine
            .query("SELECT wanted FROM tenants WHERE name = $1 AND wanted = $2 AND removed = 0 {share}")
            .bind(lease.tenant.to_string())
            .bind(wanted.to_string())
            .fetch_optional(&mut **transaction);
        match row.await.map_err(failed("writing the journal"))? {
            Some(_) => Ok(()),
            None => Err(StoreError::Superseded { tenant: lease.tenant.clone() }),
        }
    }

    async fn write(
        &self,
        transaction: &mut Transaction<'_, Any>,
        lease: &Lease,
        record: &Record,
    ) -> Result<(), StoreError> {
        let tenant = lease.tenant.as_str();
        match record {
            Record::Intent(intent) => self.write_intent(transaction, lease, intent).await,
            Record::Resolved { intent, receipts, ending } => {
                self.write_ending(transaction, tenant, *intent, receipts, *ending).await
            }
            Record::Applied { object, base } => self.write_base(transaction, tenant, object, base).await,
            Record::Baseline { object, baseline } => {
                self.write_baseline(transaction, tenant, object, baseline.as_ref()).await
            }
            Record::Inherited { object } => self.forget_elsewhere(transaction, tenant, object).await,
            Record::Confirmed { object, version, entry } => {
                self.write_confirmation(transaction, tenant, object, *version, entry).await
            }
        }
    }

    async fn write_intent(
        &self,
        transaction: &mut Transaction<'_, Any>,
        lease: &Lease,
        intent: &Intent,
    ) -> Result<(), StoreError> {
        let query = self.engine.query(
            "INSERT INTO intents (tenant, id, token, sent_at, recorded_at, intent, reverting, accepted, off)
             VALUES ($1, $2, $3, $4, {now}, $5, $6, 0, $7)",
        );
        let written = query
            .bind(lease.tenant.to_string())
            .bind(signed(intent.id))
            .bind(lease.token)
            .bind(intent.sent_at.as_millisecond())
            .bind(json(intent.sealed(&self.seal).as_ref().unwrap_or(intent))?)
            .bind(signed(intent.reverts.len() as u64))
            .bind(i64::from(intent.off))
            .execute(&mut **transaction);
        written.await.map(drop).map_err(failed("writing the journal"))
    }

    async fn write_ending(
        &self,
        transaction: &mut Transaction<'_, Any>,
        tenant: &str,
        intent: u64,
        receipts: &[Receipt],
        ending: Ending,
    ) -> Result<(), StoreError> {
        for receipt in receipts {
            self.write_receipt(transaction, tenant, intent, receipt).await?;
        }
        let query = self.engine.query(
            "UPDATE intents SET resolved_at = {now}, accepted = $3, ending = $4 WHERE tenant = $1 AND id = $2",
        );
        let written = query
            .bind(tenant.to_owned())
            .bind(signed(intent))
            .bind(signed(receipts.len() as u64))
            .bind(ending.name())
            .execute(&mut **transaction);
        written.await.map(drop).map_err(failed("writing the journal"))
    }

    async fn write_base(
        &self,
        transaction: &mut Transaction<'_, Any>,
        tenant: &str,
        object: &ObjectRef,
        base: &Base,
    ) -> Result<(), StoreError> {
        let query = self.engine.query(
            "INSERT INTO bases (tenant, object, version, revision, body, id, onto, drafted_at, ignored)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (tenant, object) DO UPDATE SET
               version = excluded.version, revision = excluded.revision, body = excluded.body,
               id = excluded.id, onto = excluded.onto, drafted_at = excluded.drafted_at,
               ignored = excluded.ignored",
        );
        let written = query
            .bind(tenant.to_owned())
            .bind(object.key())
            .bind(signed(base.version))
            .bind(base.revision.to_string())
            .bind(json(&*self.seal.sealed(&base.body))?)
            .bind(base.id.as_deref().unwrap_or_default().to_owned())
            .bind(signed(base.onto))
            .bind(signed(base.drafted_at))
            .bind(if base.ignored.is_empty() { String::new() } else { json(&base.ignored)? })
            .execute(&mut **transaction);
        written.await.map(drop).map_err(failed("writing the journal"))
    }

    async fn write_confirmation(
        &self,
        transaction: &mut Transaction<'_, Any>,
        tenant: &str,
        object: &ObjectRef,
        version: u64,
        entry: &str,
    ) -> Result<(), StoreError> {
        let query = self.engine.query(
            "INSERT INTO confirmations (tenant, object, version, entry, confirmed_at)
             VALUES ($1, $2, $3, $4, {now})
             ON CONFLICT (tenant, object, version) DO UPDATE SET
               entry = excluded.entry, confirmed_at = excluded.confirmed_at",
        );
        let written = query
            .bind(tenant.to_owned())
            .bind(object.key())
            .bind(signed(version))
            .bind(entry.to_owned())
            .execute(&mut **transaction);
        written.await.map(drop).map_err(failed("writing the journal"))
    }

    async fn write_receipt(
        &self,
        transaction: &mut Transaction<'_, Any>,
        tenant: &str,
        intent: u64,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        let query = self.engine.query(
            "INSERT INTO receipts (tenant, object, version, sent_at, intent, receipt)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, object, version, sent_at) DO NOTHING",
        );
        let written = query
            .bind(tenant.to_owned())
            .bind(receipt.target.object_ref().key())
            .bind(signed(receipt.version))
            .bind(receipt.sent_at.as_millisecond())
            .bind(signed(intent))
            .bind(json(receipt)?)
            .execute(&mut **transaction);
        written.await.map(drop).map_err(failed("writing the journal"))
    }
}

/// Returns a number as a database stores it. Versions and ids of intents never reach the limit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
