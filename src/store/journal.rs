//! The journal: intents before their writes, what became of them, what is in force, what is proved.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use sqlx::{Any, Transaction};

use super::engine::again_if_taken_back;
use super::lease::Lease;
use super::{Store, StoreError, corrupt, failed, json, names, number, text};
use crate::clock;
use crate::crash;
use crate::model::record::{Ending, Intent, IntentAction, Journal, Over};
use crate::model::{Base, ObjectRef, Receipt, Record, Revision, Target, TenantName};

/// The platform's real-time audit view goes back this far: what is older can't be proved any more.
const AUDIT_MEMORY_MS: i64 = 14 * 24 * 3_600_000;
/// How far back it is known which fields were set back.
const REVERTS_MEMORY_MS: i64 = 24 * 3_600_000;

/// What a write went over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overwritten {
    /// When it left.
    pub at: Timestamp,
    /// The object.
    pub target: Target,
    /// What was there, or in its draft.
    pub before: Arc<Map<String, Value>>,
    /// Who had changed that last, where it was not we ourselves.
    pub by: Option<String>,
    /// What was sent.
    pub after: Arc<Map<String, Value>>,
    /// What became of it; what was not executed went over nothing.
    pub ending: Ending,
}

impl Store {
    /// What writes to a tenant went over, newest first, where the platform itself keeps nothing of it.
    ///
    /// # Errors
    /// The database failed, or a row can't be read.
    pub async fn overwritten(&self, tenant: &TenantName, limit: u32) -> Result<Vec<Overwritten>, StoreError> {
        let rows = self
            .engine
            .query(
                "SELECT intent, ending FROM intents WHERE tenant = $1 AND intent LIKE '%\"over\":{%' AND ending <> $3
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
            // One that has no end yet may have been executed.
            let ending =
                Ending::ALL.into_iter().find(|known| known.name() == named).unwrap_or(Ending::Unknown);
            if let IntentAction::Put { target, body: after, over: Some(over), .. } = intent.action {
                let Over { body: before, by } = over;
                all.push(Overwritten { at: intent.sent_at, target, before, by, after, ending });
            }
        }
        Ok(all)
    }

    /// One tenant's journal.
    ///
    /// # Errors
    /// The database failed, or a row can't be read.
    pub async fn journal(&self, tenant: &TenantName) -> Result<Journal, StoreError> {
        Ok(self.journals([tenant]).await?.remove(tenant).unwrap_or_default())
    }

    /// The journals of some tenants; a tenant without one is left out.
    ///
    /// # Errors
    /// As [`Store::journal`].
    pub async fn journals<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantName>,
    ) -> Result<BTreeMap<TenantName, Journal>, StoreError> {
        let rows = names(tenants)?;
        let mut journals: BTreeMap<TenantName, Journal> = BTreeMap::new();
        let doing = "reading the journal";
        let pool = &self.engine;
        let read_at = clock::now();
        let intents = self
            .engine
            .query(
                "SELECT tenant, intent, resolved_at, {now} - recorded_at AS age_ms FROM intents
                 WHERE tenant IN (SELECT r.value->>'name' FROM {each:1})
                   AND (resolved_at IS NULL OR (reverting > 0 AND accepted > 0 AND sent_at > {now} - $2))
                 ORDER BY tenant, id",
            )
            .bind(rows.clone())
            .bind(REVERTS_MEMORY_MS)
            .fetch_all(pool);
        for row in intents.await.map_err(failed(doing))? {
            let tenant = text(&row, "tenant")?;
            let mut intent: Intent = serde_json::from_str(&text(&row, "intent")?)
                .map_err(corrupt(format!("the intents of `{tenant}`")))?;
            let journal = journals.entry(TenantName::new(tenant)).or_default();
            match super::optional(&row, "resolved_at")? {
                None => {
                    intent.deadline = deadline_here(&intent, number(&row, "age_ms")?, read_at);
                    journal.unresolved.push(intent);
                }
                Some(_) => journal.reverts.extend(intent.reverts),
            }
        }
        let last = self
            .engine
            .query(
                "SELECT tenant, CAST(MAX(id) AS BIGINT) AS id FROM intents
                 WHERE tenant IN (SELECT r.value->>'name' FROM {each:1}) GROUP BY tenant",
            )
            .bind(rows.clone())
            .fetch_all(pool);
        for row in last.await.map_err(failed(doing))? {
            let journal = journals.entry(TenantName::new(text(&row, "tenant")?)).or_default();
            journal.last_intent = number(&row, "id")?.unsigned_abs();
        }
        let bases = self
            .engine
            .query(
                "SELECT tenant, object, version, revision, body, id, onto FROM bases
                 WHERE tenant IN (SELECT r.value->>'name' FROM {each:1})",
            )
            .bind(rows.clone())
            .fetch_all(pool);
        for row in bases.await.map_err(failed(doing))? {
            let tenant = text(&row, "tenant")?;
            let body = serde_json::from_str(&text(&row, "body")?)
                .map_err(corrupt(format!("the bases of `{tenant}`")))?;
            let base = Base {
                version: number(&row, "version")?.unsigned_abs(),
                body,
                revision: Revision::new(text(&row, "revision")?),
                id: Some(text(&row, "id")?).filter(|id| !id.is_empty()).map(Into::into),
                onto: number(&row, "onto")?.unsigned_abs(),
            };
            let journal = journals.entry(TenantName::new(tenant)).or_default();
            journal.bases.insert(ObjectRef::from_key(&text(&row, "object")?), base);
        }
        let owed = self
            .engine
            .query(
                "SELECT p.tenant, p.receipt FROM receipts p
                 LEFT JOIN confirmations c ON c.tenant = p.tenant AND c.object = p.object
                   AND c.version = p.version AND c.confirmed_at + 600000 >= p.sent_at
                 WHERE p.tenant IN (SELECT r.value->>'name' FROM {each:1})
                   AND c.tenant IS NULL AND p.sent_at > {now} - $2
                 ORDER BY p.tenant, p.sent_at",
            )
            .bind(rows.clone())
            .bind(AUDIT_MEMORY_MS)
            .fetch_all(pool);
        for row in owed.await.map_err(failed(doing))? {
            let tenant = text(&row, "tenant")?;
            let receipt = serde_json::from_str(&text(&row, "receipt")?)
                .map_err(corrupt(format!("the receipts of `{tenant}`")))?;
            journals.entry(TenantName::new(tenant)).or_default().owed.push(receipt);
        }
        // Entries of the `webchat` dialect name versions: only tenants of the other one have to be asked for.
        let of_objects =
            |journal: &Journal| journal.bases.keys().any(|object| !object.object.is_web_messaging());
        if !journals.values().any(of_objects) {
            return Ok(journals);
        }
        let proofs = self
            .engine
            .query(
                "SELECT tenant, object, version, entry FROM confirmations
                 WHERE tenant IN (SELECT r.value->>'name' FROM {each:1})
                   AND object LIKE '%/%' AND confirmed_at > {now} - $2",
            )
            .bind(rows)
            .bind(AUDIT_MEMORY_MS)
            .fetch_all(pool);
        for row in proofs.await.map_err(failed(doing))? {
            let journal = journals.entry(TenantName::new(text(&row, "tenant")?)).or_default();
            let object = ObjectRef::from_key(&text(&row, "object")?);
            let version = number(&row, "version")?.unsigned_abs();
            journal.proofs.insert(text(&row, "entry")?, (object, version));
        }
        Ok(journals)
    }

    /// The journals of some tenants, each by itself where one can't be read: a row that is damaged is its own tenant's
    /// trouble. A tenant without one is left out, as far as all can be read.
    pub async fn journals_each<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantName> + Clone,
    ) -> BTreeMap<TenantName, Result<Journal, StoreError>> {
        if let Ok(journals) = self.journals(tenants.clone()).await {
            return journals.into_iter().map(|(tenant, journal)| (tenant, Ok(journal))).collect();
        }
        let mut journals = BTreeMap::new();
        for tenant in tenants {
            journals.insert(tenant.clone(), self.journal(tenant).await);
        }
        journals
    }

    /// Makes records durable, all or none. Returns once they are on the disk.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: the lease is gone, and nothing was written down. [`StoreError::Superseded`]:
    /// an intent was to be written for what git no longer says, or for a tenant that was paused. Else they
    /// may or may not be durable, and whoever asked must not go on.
    pub async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        if self.writer.groups_commits() {
            return self.append_in_group(lease, records).await;
        }
        let doing = "writing the journal";
        let once = || async move {
            let mut transaction = self.writer.begin(doing).await?;
            self.append_within(&mut transaction, lease, records).await?;
            transaction.commit().await.map_err(failed(doing))
        };
        again_if_taken_back(|| once().boxed()).await
    }

    /// The same, within a transaction that its caller ends.
    pub(super) async fn append_within(
        &self,
        transaction: &mut Transaction<'_, Any>,
        lease: &Lease,
        records: &[Record],
    ) -> Result<(), StoreError> {
        let doing = "writing the journal";
        // Holds the row until the end: a claim by somebody else waits, and then this one was before it.
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
            self.check_still_wanted(transaction, lease).await?;
        }
        for record in records {
            self.write(transaction, lease, record).await?;
            crash::point(match record {
                Record::Intent(_) => "C05",
                Record::Resolved { .. } => "C09b",
                Record::Applied { .. } => "C10a",
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
        let tenant = lease.tenant.to_string();
        let doing = "writing the journal";
        let written = match record {
            Record::Intent(intent) => {
                let query = self.engine.query(
                    "INSERT INTO intents (tenant, id, token, sent_at, recorded_at, intent, reverting, accepted)
                     VALUES ($1, $2, $3, $4, {now}, $5, $6, 0)",
                );
                query
                    .bind(tenant)
                    .bind(signed(intent.id))
                    .bind(lease.token)
                    .bind(intent.sent_at.as_millisecond())
                    .bind(json(intent)?)
                    .bind(signed(intent.reverts.len() as u64))
                    .execute(&mut **transaction)
                    .await
            }
            Record::Resolved { intent, receipts, ending } => {
                for receipt in receipts {
                    self.write_receipt(transaction, &tenant, *intent, receipt).await?;
                }
                let query = self.engine.query(
                    "UPDATE intents SET resolved_at = {now}, accepted = $3, ending = $4 WHERE tenant = $1 AND id = $2",
                );
                query
                    .bind(tenant)
                    .bind(signed(*intent))
                    .bind(signed(receipts.len() as u64))
                    .bind(ending.name())
                    .execute(&mut **transaction)
                    .await
            }
            Record::Applied { object, base } => {
                let query = self.engine.query(
                    "INSERT INTO bases (tenant, object, version, revision, body, id, onto)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)
                     ON CONFLICT (tenant, object) DO UPDATE SET
                       version = excluded.version, revision = excluded.revision, body = excluded.body,
                       id = excluded.id, onto = excluded.onto",
                );
                query
                    .bind(tenant)
                    .bind(object.key())
                    .bind(signed(base.version))
                    .bind(base.revision.to_string())
                    .bind(json(&base.body)?)
                    .bind(base.id.as_deref().unwrap_or_default().to_owned())
                    .bind(signed(base.onto))
                    .execute(&mut **transaction)
                    .await
            }
            Record::Confirmed { object, version, entry } => {
                let query = self.engine.query(
                    "INSERT INTO confirmations (tenant, object, version, entry, confirmed_at)
                     VALUES ($1, $2, $3, $4, {now})
                     ON CONFLICT (tenant, object, version) DO UPDATE SET
                       entry = excluded.entry, confirmed_at = excluded.confirmed_at",
                );
                query
                    .bind(tenant)
                    .bind(object.key())
                    .bind(signed(*version))
                    .bind(entry.clone())
                    .execute(&mut **transaction)
                    .await
            }
        };
        written.map(drop).map_err(failed(doing))
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

/// When an intent can no longer take effect, by the clock of whoever reads it. Its own deadline was made by
/// another clock: how long it had is taken from there, how much of that is over from the database's.
fn deadline_here(intent: &Intent, age_ms: i64, read_at: Timestamp) -> Timestamp {
    let window_ms = intent.deadline.duration_since(intent.sent_at).as_millis();
    let left_ms = window_ms.saturating_sub(age_ms.max(0).into()).max(0);
    let left = SignedDuration::from_millis(i64::try_from(left_ms).unwrap_or(i64::MAX));
    read_at.checked_add(left).unwrap_or(Timestamp::MAX)
}

/// A number as databases know them. Versions and intents never come near the limit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::record::IntentAction;
    use crate::model::{Act, CredentialsName, Object, OrganizationId, Region, Target};

    #[test]
    fn a_deadline_is_carried_over_from_one_clock_to_another() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let target = Target {
            organization: OrganizationId::new("o"),
            region: Region::EuWest1,
            credentials: CredentialsName::new("c"),
            object: Object::web_messaging(),
        };
        // Written by a clock that is an hour ahead of the reader's.
        let intent = Intent {
            id: 1,
            revision: Revision::new("r"),
            action: IntentAction::Put {
                target,
                if_match: None,
                body: Arc::default(),
                act: Act::Store,
                over: None,
            },
            sent_at: at(3_600),
            deadline: at(3_612),
            reverts: Vec::new(),
        };
        for (age_ms, left_s) in [(0, 12), (5_000, 7), (12_000, 0), (900_000, 0), (-3_000, 12)] {
            assert_eq!(deadline_here(&intent, age_ms, at(0)), at(left_s), "recorded {age_ms} ms ago");
        }
    }
}
