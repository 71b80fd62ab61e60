//! Reads the journal: what a run has to know of earlier runs.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sqlx::any::AnyRow;

use super::{Store, StoreError, corrupt, failed, names, number, optional, text};
use crate::clock;
use crate::model::record::{Intent, Journal};
use crate::model::seal::may_hold_digests;
use crate::model::{Base, ObjectRef, Revision, TenantName};

/// The platform's real-time audit view goes back this far: older writes can no longer be confirmed.
const AUDIT_MEMORY_MS: i64 = 14 * 24 * 3_600_000;
/// How far back reverted fields are read.
const REVERTS_MEMORY_MS: i64 = 24 * 3_600_000;

pub(super) const READING: &str = "reading the journal";

pub(super) type Journals = BTreeMap<TenantName, Journal>;

impl Store {
    /// Returns one tenant's journal.
    ///
    /// # Errors
    /// The database failed, or a row cannot be read.
    pub async fn journal(&self, tenant: &TenantName) -> Result<Journal, StoreError> {
        Ok(self.journals([tenant]).await?.remove(tenant).unwrap_or_default())
    }

    /// Returns the journals of some tenants; a tenant without one is left out.
    ///
    /// # Errors
    /// As [`Store::journal`].
    pub async fn journals<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantName>,
    ) -> Result<Journals, StoreError> {
        let rows = names(tenants)?;
        let mut journals = Journals::new();
        self.read_intents(&rows, &mut journals).await?;
        self.read_last_ids(&rows, &mut journals).await?;
        self.read_bases(&rows, &mut journals).await?;
        self.read_baselines(&rows, &mut journals).await?;
        self.read_owed(&rows, &mut journals).await?;
        let named = journals.iter().filter(|(_, journal)| needs_proofs(journal)).map(|(tenant, _)| tenant);
        let needing = names(named)?;
        if journals.values().any(needs_proofs) {
            self.read_proofs(&needing, &mut journals).await?;
        }
        Ok(journals)
    }

    /// Returns the journals of some tenants. If one cannot be read, it reads each alone, so that a damaged
    /// row fails its own tenant only. If all can be read, a tenant without a journal is left out.
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

    async fn read_intents(&self, rows: &str, journals: &mut Journals) -> Result<(), StoreError> {
        let read_at = clock::now();
        let intents = self
            .engine
            .query(
                "SELECT tenant, intent, resolved_at, {now} - recorded_at AS age_ms FROM intents
                 WHERE tenant IN (SELECT r.value->>'name' FROM {each:1})
                   AND (resolved_at IS NULL OR (reverting > 0 AND accepted > 0 AND sent_at > {now} - $2))
                 ORDER BY tenant, id",
            )
            .bind(rows.to_owned())
            .bind(REVERTS_MEMORY_MS)
            .fetch_all(&self.engine);
        for row in intents.await.map_err(failed(READING))? {
            let tenant = text(&row, "tenant")?;
            let kept = text(&row, "intent")?;
            let mut intent: Intent =
                serde_json::from_str(&kept).map_err(corrupt(format!("the intents of `{tenant}`")))?;
            let journal = journals.entry(TenantName::new(tenant)).or_default();
            journal.seal = journal.seal.or(may_hold_digests(&kept).then_some(self.seal));
            match optional(&row, "resolved_at")? {
                None => {
                    intent.deadline = deadline_here(&intent, number(&row, "age_ms")?, read_at);
                    journal.unresolved.push(intent);
                }
                Some(_) => journal.reverts.extend(intent.reverts),
            }
        }
        Ok(())
    }

    async fn read_last_ids(&self, rows: &str, journals: &mut Journals) -> Result<(), StoreError> {
        let last = self
            .engine
            .query(
                "SELECT tenant, CAST(MAX(id) AS BIGINT) AS id FROM intents
                 WHERE tenant IN (SELECT r.value->>'name' FROM {each:1}) GROUP BY tenant",
            )
            .bind(rows.to_owned())
            .fetch_all(&self.engine);
        for row in last.await.map_err(failed(READING))? {
            let journal = journals.entry(TenantName::new(text(&row, "tenant")?)).or_default();
            journal.last_intent = number(&row, "id")?.unsigned_abs();
        }
        Ok(())
    }

    async fn read_bases(&self, rows: &str, journals: &mut Journals) -> Result<(), StoreError> {
        let bases = self
            .engine
            .query(
                "SELECT tenant, object, version, revision, body, id, onto, drafted_at, ignored FROM bases
                 WHERE tenant IN (SELECT r.value->>'name' FROM {each:1})",
            )
            .bind(rows.to_owned())
            .fetch_all(&self.engine);
        for row in bases.await.map_err(failed(READING))? {
            let tenant = text(&row, "tenant")?;
            let base = base_of(&row, &tenant)?;
            let holds_digests = may_hold_digests(&text(&row, "body")?);
            let journal = journals.entry(TenantName::new(tenant)).or_default();
            journal.seal = journal.seal.or(holds_digests.then_some(self.seal));
            journal.bases.insert(ObjectRef::from_key(&text(&row, "object")?), base);
        }
        Ok(())
    }

    async fn read_owed(&self, rows: &str, journals: &mut Journals) -> Result<(), StoreError> {
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
            .bind(rows.to_owned())
            .bind(AUDIT_MEMORY_MS)
            .fetch_all(&self.engine);
        for row in owed.await.map_err(failed(READING))? {
            let tenant = text(&row, "tenant")?;
            let receipt = serde_json::from_str(&text(&row, "receipt")?)
                .map_err(corrupt(format!("the receipts of `{tenant}`")))?;
            journals.entry(TenantName::new(tenant)).or_default().owed.push(receipt);
        }
        Ok(())
    }

    async fn read_proofs(&self, rows: &str, journals: &mut Journals) -> Result<(), StoreError> {
        let proofs = self
            .engine
            .query(
                "SELECT tenant, object, version, entry FROM confirmations
                 WHERE tenant IN (SELECT r.value->>'name' FROM {each:1})
                   AND confirmed_at > {now} - $2",
            )
            .bind(rows.to_owned())
            .bind(AUDIT_MEMORY_MS)
            .fetch_all(&self.engine);
        for row in proofs.await.map_err(failed(READING))? {
            let journal = journals.entry(TenantName::new(text(&row, "tenant")?)).or_default();
            let object = ObjectRef::from_key(&text(&row, "object")?);
            if object.object.kind.capabilities().audit_names_versions {
                continue;
            }
            let version = number(&row, "version")?.unsigned_abs();
            journal.proofs.insert(text(&row, "entry")?, (object, version));
        }
        Ok(())
    }
}

/// Returns the base of a row.
pub(super) fn base_of(row: &AnyRow, tenant: &str) -> Result<Base, StoreError> {
    let unreadable = || format!("the bases of `{tenant}`");
    Ok(Base {
        version: number(row, "version")?.unsigned_abs(),
        body: serde_json::from_str(&text(row, "body")?).map_err(corrupt(unreadable()))?,
        revision: Revision::new(text(row, "revision")?),
        id: Some(text(row, "id")?).filter(|id| !id.is_empty()).map(Into::into),
        onto: number(row, "onto")?.unsigned_abs(),
        drafted_at: number(row, "drafted_at")?.unsigned_abs(),
        ignored: match text(row, "ignored")?.as_str() {
            "" => Default::default(),
            listed => serde_json::from_str(listed).map_err(corrupt(unreadable()))?,
        },
    })
}

/// Whether audit entries of some objects name no version: then the journal also needs the known
/// confirmations.
fn needs_proofs(journal: &Journal) -> bool {
    journal.bases.keys().any(|object| !object.object.kind.capabilities().audit_names_versions)
}

/// Returns the time after which an intent cannot take effect, by the clock of this process. The intent's
/// deadline comes from the clock of another process, so only its length counts; the database's clock says how
/// much of it has passed.
fn deadline_here(intent: &Intent, age_ms: i64, read_at: Timestamp) -> Timestamp {
    let window_ms = intent.deadline.duration_since(intent.sent_at).as_millis();
    let left_ms = window_ms.saturating_sub(age_ms.max(0).into()).max(0);
    let left = SignedDuration::from_millis(i64::try_from(left_ms).unwrap_or(i64::MAX));
    read_at.checked_add(left).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::record::IntentAction;
    use crate::model::{Act, CredentialsName, Object, OrganizationId, Region, Target};

    #[test]
    fn a_deadline_is_converted_from_one_clock_to_another() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let target = Target {
            organization: OrganizationId::new("o"),
            region: Region::EuWest1,
            credentials: CredentialsName::new("c"),
            object: Object::implied(),
        };
        // The writer's clock is an hour ahead of the reader's.
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
            off: false,
        };
        for (age_ms, left_s) in [(0, 12), (5_000, 7), (12_000, 0), (900_000, 0), (-3_000, 12)] {
            assert_eq!(deadline_here(&intent, age_ms, at(0)), at(left_s), "recorded {age_ms} ms ago");
        }
    }
}
