//! Guards that a person opened for the next run of a tenant: the controller's, or a scheduled job's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::{Any, Transaction};

use super::claimed::Claimed;
use super::{Store, StoreError, failed, json, names, text};
use crate::model::{Guard, TenantName};

/// A guard that a person opened for one tenant's next run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardOpening {
    /// The guard.
    pub guard: Guard,
    /// Who opened it, as that process claimed.
    pub by: String,
    /// The given reason.
    pub reason: String,
}

/// The open guards of each tenant.
pub type Openings = BTreeMap<TenantName, Vec<GuardOpening>>;

impl Claimed {
    /// Applies the guards that a person opened for this tenant: to the checks of each intent, and to its
    /// pause or hold.
    pub fn open(&mut self, guards: &BTreeSet<Guard>) {
        self.lease.over_pause |= guards.contains(&Guard::Pause);
        self.lease.over_off |= guards.contains(&Guard::RunOff);
        self.pause.take_if(|pause| match pause.guard_of() {
            Some(guard) => guards.contains(&guard),
            None => pause.is_a_persons() && guards.contains(&Guard::Pause),
        });
    }
}

impl Store {
    /// Opens guards for the next run of a tenant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn open_for_next_run(
        &self,
        tenant: &TenantName,
        openings: &[GuardOpening],
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let row = |opening: &GuardOpening| serde_json::json!({"guard": opening.guard.name(), "by": opening.by, "reason": opening.reason});
        let opened = self
            .engine
            .query(
                "INSERT INTO openings (tenant, guard, opened_by, reason, until)
                 SELECT $1, r.value->>'guard', r.value->>'by', r.value->>'reason', $3 FROM {each:2} WHERE true
                 ON CONFLICT (tenant, guard) DO UPDATE SET
                   opened_by = excluded.opened_by, reason = excluded.reason, until = excluded.until",
            )
            .bind(tenant.to_string())
            .bind(json(&openings.iter().map(row).collect::<Vec<_>>())?)
            .bind(until.as_millisecond())
            .execute(&self.writer);
        opened.await.map(drop).map_err(failed("opening a guard"))
    }

    /// Returns the guards that are open for the next run of some tenants.
    ///
    /// # Errors
    /// The database failed.
    pub async fn openings<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantName>,
    ) -> Result<Openings, StoreError> {
        let rows = self
            .engine
            .query(
                "SELECT tenant, guard, opened_by, reason FROM openings
                 WHERE until > {now} AND tenant IN (SELECT r.value->>'name' FROM {each:1})
                 ORDER BY tenant, guard",
            )
            .bind(names(tenants)?)
            .fetch_all(&self.engine);
        let mut all = Openings::new();
        for row in rows.await.map_err(failed("reading the open guards"))? {
            // This build does not know guards of later versions, so it does not open them.
            let Some(guard) = Guard::from_name(&text(&row, "guard")?) else { continue };
            let opening = GuardOpening { guard, by: text(&row, "opened_by")?, reason: text(&row, "reason")? };
            all.entry(TenantName::new(text(&row, "tenant")?)).or_default().push(opening);
        }
        Ok(all)
    }

    /// Closes guards that a run used: it wrote something, or its tenant is in sync.
    pub(super) async fn end_openings(
        &self,
        transaction: &mut Transaction<'_, Any>,
        used: &[(&TenantName, Guard)],
    ) -> Result<(), StoreError> {
        let row = |(tenant, guard): &(&TenantName, Guard)| serde_json::json!({"name": tenant.as_str(), "guard": guard.name()});
        let ended = self
            .engine
            .query(
                "DELETE FROM openings WHERE (tenant, guard) IN (
                   SELECT r.value->>'name', r.value->>'guard' FROM {each:1})",
            )
            .bind(json(&used.iter().map(row).collect::<Vec<_>>())?)
            .execute(&mut **transaction);
        ended.await.map(drop).map_err(failed("closing used guards"))
    }
}
