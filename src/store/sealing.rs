//! Stores confidential values as digests: sets the key, and rewrites rows of earlier versions, which hold the
//! values.

use futures::FutureExt as _;
use sqlx::{Any, Transaction};

use super::engine::again_if_taken_back;
use super::{Store, StoreError, corrupt, failed, json, text};
use crate::model::Secret;
use crate::model::record::Intent;
use crate::model::seal::Seal;

const DOING: &str = "replacing confidential values with digests";

impl Store {
    /// Sets the key of the digests of confidential values. Without a key of the operator, the state's own id
    /// is the key: then a person who has the state can check guesses of a value.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sealed_with(mut self, key: Option<&Secret>) -> Result<Self, StoreError> {
        if let Some(key) = key {
            self.seal = Seal::of(key);
            return Ok(self);
        }
        let asked = self.engine.query("SELECT id FROM identity WHERE one = 1").fetch_optional(&self.engine);
        // A store that is open for reading may have no id yet; then nothing is written to it.
        if let Some(row) = asked.await.map_err(failed(DOING))? {
            self.seal = Seal::of(&Secret::new(text(&row, "id")?));
        }
        Ok(self)
    }

    /// Rewrites, once, the rows of an earlier genesync that hold the values themselves.
    ///
    /// # Errors
    /// The database failed, or a row cannot be read.
    pub async fn seal_old_rows(&self) -> Result<(), StoreError> {
        let asked = self.engine.query("SELECT sealed FROM identity WHERE one = 1 AND sealed = 0");
        if asked.fetch_optional(&self.engine).await.map_err(failed(DOING))?.is_none() {
            return Ok(());
        }
        again_if_taken_back(|| self.try_seal_old_rows().boxed()).await?;
        self.engine.wipe(DOING).await?;
        let done = self.engine.query("UPDATE identity SET sealed = 1 WHERE one = 1").execute(&self.engine);
        done.await.map(drop).map_err(failed(DOING))
    }

    async fn try_seal_old_rows(&self) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin(DOING).await?;
        // Locks the row: of processes that start at once, one rewrites and the others wait here.
        let alone = self.engine.query("UPDATE identity SET sealed = sealed WHERE one = 1");
        alone.execute(&mut *transaction).await.map_err(failed(DOING))?;
        self.seal_bodies(&mut transaction, BASES).await?;
        self.seal_bodies(&mut transaction, BASELINES).await?;
        self.seal_intents(&mut transaction).await?;
        transaction.commit().await.map_err(failed(DOING))
    }

    async fn seal_bodies(
        &self,
        transaction: &mut Transaction<'_, Any>,
        (read, write): (&'static str, &'static str),
    ) -> Result<(), StoreError> {
        let rows = self.engine.query(read).fetch_all(&mut **transaction).await.map_err(failed(DOING))?;
        for row in rows {
            let (tenant, object) = (text(&row, "tenant")?, text(&row, "object")?);
            let before = text(&row, "body")?;
            let body: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&before).map_err(corrupt(format!("the bases of `{tenant}`")))?;
            if let std::borrow::Cow::Owned(sealed) = self.seal.sealed(&body) {
                let query =
                    self.engine.query(write).bind(tenant).bind(object).bind(json(&sealed)?).bind(before);
                query.execute(&mut **transaction).await.map_err(failed(DOING))?;
            }
        }
        Ok(())
    }

    async fn seal_intents(&self, transaction: &mut Transaction<'_, Any>) -> Result<(), StoreError> {
        let rows = self.engine.query("SELECT tenant, id, intent FROM intents").fetch_all(&mut **transaction);
        for row in rows.await.map_err(failed(DOING))? {
            let tenant = text(&row, "tenant")?;
            let before = text(&row, "intent")?;
            let intent: Intent =
                serde_json::from_str(&before).map_err(corrupt(format!("the intents of `{tenant}`")))?;
            if let Some(sealed) = intent.sealed(&self.seal) {
                let query = self
                    .engine
                    .query("UPDATE intents SET intent = $3 WHERE tenant = $1 AND id = $2 AND intent = $4");
                let query =
                    query.bind(tenant).bind(super::number(&row, "id")?).bind(json(&sealed)?).bind(before);
                query.execute(&mut **transaction).await.map_err(failed(DOING))?;
            }
        }
        Ok(())
    }
}

/// The queries that read the bodies of a table and replace one. A body that another process has replaced
/// meanwhile stays.
const BASES: (&str, &str) = (
    "SELECT tenant, object, body FROM bases",
    "UPDATE bases SET body = $3 WHERE tenant = $1 AND object = $2 AND body = $4",
);
const BASELINES: (&str, &str) = (
    "SELECT tenant, object, body FROM baselines",
    "UPDATE baselines SET body = $3 WHERE tenant = $1 AND object = $2 AND body = $4",
);
