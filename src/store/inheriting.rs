//! Inheritance: the bases of an object belong to the tenant that names its organization now, also if another
//! tenant wrote them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Any, Transaction};

use super::journals::{Journals, READING, base_of};
use super::{Store, StoreError, failed, json, names, text};
use crate::model::record::Journal;
use crate::model::{ObjectRef, TenantName};

/// Returns the keys of an object and of its draft, as rows for a query to join with.
fn keys_of(object: &ObjectRef) -> impl Iterator<Item = serde_json::Value> + use<> {
    let keys = [Some(object.clone()), object.draft()].into_iter().flatten();
    keys.map(|object| serde_json::json!({"name": object.key()}))
}

impl Store {
    /// Adds to a tenant's journal the bases that other tenants applied of these objects, if it has none of
    /// its own: protection and adoption belong to an object, not to the folder that names it. `is_applied`
    /// says whether genesync may write the tenant.
    ///
    /// # Errors
    /// The database failed, or a row cannot be read.
    pub async fn inherit(
        &self,
        tenant: &TenantName,
        journal: &mut Journal,
        objects: &[ObjectRef],
        is_applied: bool,
    ) -> Result<(), StoreError> {
        // A watched tenant keeps no bases: a baseline is enough.
        let is_known = |object: &&ObjectRef| {
            journal.bases.contains_key(*object) || !is_applied && journal.baselines.contains_key(*object)
        };
        let unknown = objects.iter().filter(|object| !is_known(object));
        let keys: Vec<_> = unknown.flat_map(keys_of).collect();
        if keys.is_empty() {
            return Ok(());
        }
        // If several tenants have a base, the newest version comes last and wins.
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
        let mut theirs = BTreeMap::new();
        for row in &rows {
            let (object, whose) = (ObjectRef::from_key(&text(row, "object")?), text(row, "tenant")?);
            theirs.insert(object, (base_of(row, &whose)?, TenantName::new(whose)));
        }
        journal.seal = journal.seal.or(Some(self.seal));
        let owners: BTreeSet<&TenantName> = theirs.values().map(|(_, whose)| whose).collect();
        let mut kept = Journals::new();
        self.read_baselines(&names(owners)?, &mut kept).await?;
        for (object, (base, whose)) in theirs {
            // The tenant's own base is newer.
            if journal.bases.contains_key(&object) {
                continue;
            }
            let baseline = kept.get(&whose).and_then(|kept| kept.baselines.get(&object));
            if let (Some(baseline), false) = (baseline, journal.baselines.contains_key(&object)) {
                journal.baselines.insert(object.clone(), baseline.clone());
            }
            if !object.draft {
                journal.inherited.insert(object.clone());
            }
            journal.bases.insert(object, base);
        }
        Ok(())
    }

    /// Deletes what other tenants applied of an object.
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
