//! What another tenant applied of an object belongs to whichever tenant names its organization now.

use sqlx::{Any, Transaction};

use super::journals::{Journals, READING, base_of};
use super::{Store, StoreError, failed, json, text};
use crate::model::record::Journal;
use crate::model::{ObjectRef, TenantName};

/// The keys of an object and of its draft, as rows for a query to join with.
fn keys_of(object: &ObjectRef) -> impl Iterator<Item = serde_json::Value> + use<> {
    let keys = [Some(object.clone()), object.draft()].into_iter().flatten();
    keys.map(|object| serde_json::json!({"name": object.key()}))
}

impl Store {
    /// Adds to a tenant's journal what others are known to have applied of these objects, as far as it has nothing of its own:
    /// protection and adoption belong to an object, whatever folder names it.
    ///
    /// # Errors
    /// The database failed, or a row can't be read.
    pub async fn inherit(
        &self,
        tenant: &TenantName,
        journal: &mut Journal,
        objects: &[ObjectRef],
    ) -> Result<(), StoreError> {
        let unknown = objects.iter().filter(|object| !journal.bases.contains_key(object));
        let keys: Vec<_> = unknown.flat_map(keys_of).collect();
        if keys.is_empty() {
            return Ok(());
        }
        // Where several had it, whoever saw the newest version.
        let rows = self
            .engine
            .query(
                "SELECT tenant, object, version, revision, body, id, onto, drafted_at, ignored FROM bases
                 WHERE object IN (SELECT r.value->>'name' FROM {each:1}) AND tenant <> $2
                 ORDER BY version, tenant",
            )
            .bind(json(&keys)?)
            .bind(tenant.to_string())
            .fetch_all(&self.engine);
        let rows = rows.await.map_err(failed(READING))?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut named = Vec::new();
        for row in &rows {
            let (object, whose) = (ObjectRef::from_key(&text(row, "object")?), text(row, "tenant")?);
            if !object.draft {
                journal.inherited.insert(object.clone());
            }
            journal.bases.insert(object, base_of(row, &whose)?);
            named.push(serde_json::json!({ "name": whose }));
        }
        let mut theirs = Journals::new();
        self.read_baselines(&json(&named)?, &mut theirs).await?;
        for (object, baseline) in theirs.into_values().flat_map(|theirs| theirs.baselines) {
            if journal.inherited.contains(&object) {
                journal.baselines.insert(object, baseline);
            }
        }
        Ok(())
    }

    /// Forgets what other tenants applied of an object.
    pub(super) async fn forget_elsewhere(
        &self,
        transaction: &mut Transaction<'_, Any>,
        tenant: &str,
        object: &ObjectRef,
    ) -> Result<(), StoreError> {
        let keys: Vec<_> = keys_of(object).collect();
        for gone in [
            "DELETE FROM bases WHERE object IN (SELECT r.value->>'name' FROM {each:1}) AND tenant <> $2",
            "DELETE FROM baselines WHERE object IN (SELECT r.value->>'name' FROM {each:1}) AND tenant <> $2",
        ] {
            let gone = self.engine.query(gone).bind(json(&keys)?).bind(tenant.to_owned());
            gone.execute(&mut **transaction).await.map_err(failed("writing the journal"))?;
        }
        Ok(())
    }
}
