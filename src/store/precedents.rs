//! Precedents: the guard settings of the commit that was applied last.

use std::collections::BTreeSet;

use sqlx::{Any, Transaction};

use super::{Store, StoreError, corrupt, failed, json, text};
use crate::model::precedent::RunLimits;
use crate::model::{OrganizationId, Precedents};

impl Store {
    /// Returns the guard settings of the last applied commit for some organizations. Unknown organizations
    /// are left out.
    ///
    /// # Errors
    /// The database failed, or a row cannot be read.
    pub async fn precedents(
        &self,
        organizations: &BTreeSet<OrganizationId>,
    ) -> Result<Precedents, StoreError> {
        let doing = "reading the guard settings of applied commits";
        let names: Vec<_> = organizations.iter().map(|id| serde_json::json!({"name": id.as_str()})).collect();
        let rows = self
            .engine
            .query(
                "SELECT organization, said FROM precedents
                 WHERE organization IN (SELECT r.value->>'name' FROM {each:1})",
            )
            .bind(json(&names)?)
            .fetch_all(&self.engine);
        let rows = rows.await.map_err(failed(doing))?;
        let of_row = |row| {
            let organization = text(row, "organization")?;
            let what = format!("precedents, of organization {organization}");
            let said = serde_json::from_str(&text(row, "said")?).map_err(corrupt(what))?;
            Ok((OrganizationId::new(organization), said))
        };
        rows.iter().map(of_row).collect()
    }

    /// Returns the run limits of the last head that they did not hold.
    ///
    /// # Errors
    /// The database failed, or a row cannot be read.
    pub async fn run_limits(&self, repository: &str) -> Result<Option<RunLimits>, StoreError> {
        let row = self
            .engine
            .query("SELECT limits FROM heads WHERE repository = $1")
            .bind(repository.to_owned())
            .fetch_optional(&self.engine);
        let row = row.await.map_err(failed("reading the limits of the last head"))?;
        let limits = row.map(|row| text(&row, "limits")).transpose()?.filter(|limits| !limits.is_empty());
        limits.map(|limits| serde_json::from_str(&limits).map_err(corrupt("heads, in limits"))).transpose()
    }

    /// Stores the run limits of a head that they did not hold.
    ///
    /// # Errors
    /// The database failed; the earlier limits stay.
    pub async fn keep_run_limits(&self, repository: &str, limits: RunLimits) -> Result<(), StoreError> {
        let kept = self
            .engine
            .query("UPDATE heads SET limits = $2 WHERE repository = $1 AND limits <> $2")
            .bind(repository.to_owned())
            .bind(json(&limits)?)
            .execute(&self.writer);
        kept.await.map(drop).map_err(failed("storing the limits of the head"))
    }

    /// Stores the guard settings of a commit for organizations that equal it.
    pub(super) async fn write_precedents(
        &self,
        transaction: &mut Transaction<'_, Any>,
        said: &[(OrganizationId, String)],
    ) -> Result<(), StoreError> {
        let rows: Vec<_> =
            said.iter().map(|(id, said)| serde_json::json!({"name": id.as_str(), "said": said})).collect();
        let written = self
            .engine
            .query(
                "INSERT INTO precedents (organization, said)
                 SELECT r.value->>'name', r.value->>'said' FROM {each:1} WHERE true ORDER BY 1
                 ON CONFLICT (organization) DO UPDATE SET said = excluded.said",
            )
            .bind(json(&rows)?)
            .execute(&mut **transaction);
        written.await.map(drop).map_err(failed("storing the guard settings of a commit"))
    }
}
