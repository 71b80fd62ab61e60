//! The store's part of the guard `run-off`: processes that share the store switch off one tenant an hour.

use sqlx::{Any, Transaction};

use super::claimed::Lease;
use super::{Store, StoreError, failed, text};
use crate::model::TenantName;

const DOING: &str = "reading what was switched off";

impl Store {
    /// Refuses an intent that switches something off if another tenant has such an intent of the last hour
    /// that was executed, or may have been.
    pub(super) async fn check_off(
        &self,
        transaction: &mut Transaction<'_, Any>,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        if lease.over_off {
            return Ok(());
        }
        // The latch serializes two checks, which would both find nothing otherwise.
        let latched = self
            .engine
            .query("UPDATE latches SET taken = taken + 1 WHERE name = 'run-off'")
            .execute(&mut **transaction);
        latched.await.map_err(failed(DOING))?;
        let other = self
            .engine
            .query(
                "SELECT tenant FROM intents
                 WHERE off = 1 AND recorded_at > {now} - 3600000 AND tenant <> $1 AND ending <> 'not executed'
                 ORDER BY recorded_at DESC LIMIT 1",
            )
            .bind(lease.tenant.to_string())
            .fetch_optional(&mut **transaction);
        match other.await.map_err(failed(DOING))? {
            None => Ok(()),
            Some(row) => {
                let other = TenantName::new(text(&row, "tenant")?);
                Err(StoreError::Off { tenant: lease.tenant.clone(), other })
            }
        }
    }
}
