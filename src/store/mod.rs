//! A port: what has to outlive a process. Journal, bases, receipts, leases, what is due, history, pauses.
//!
//! In: [`crate::model::Record`]s and what runs ended with. Out: [`crate::model::record::Journal`]s and
//! leases. Never: loses a record that it said was durable, takes one from a holder whose lease is gone, keeps
//! a session's state or lock in the database (a pooler may stand before it), or decides anything.
//! Two engines behind one set of queries: SQLite, a file, and PostgreSQL where replicas share the work.
//! The live API and git are the truth; `docs/scaling.md` says what is lost with the store. Start reading at
//! [`Store`]; `engine.rs` says how the two differ.

mod baselines;
mod cause;
mod claimed;
mod ended;
mod engine;
#[cfg(test)]
mod golden;
mod group;
mod identity;
mod inheriting;
mod journal;
mod journals;
mod lease;
mod notes;
mod off;
mod openings;
mod overview;
mod precedents;
mod sealing;
mod tenants;
mod trouble;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::model::seal::Seal;
use crate::model::{StorePlace, TenantName};
use crate::private;
use engine::Engine;

pub use cause::ClaimCause;
pub use claimed::{Begin, Claim, Claimed, Lease};
pub use ended::{Asked, Finished, RunRow};
pub use journal::{Overwritten, OverwrittenObject};
pub use notes::{HeadTrouble, HistoryLine, Pause, PauseKind, RunLine};
pub use openings::{GuardOpening, Openings};
pub use overview::{FleetFigures, StatusCount, TenantRow, Which};
pub use tenants::{Advance, Judge, NewHead, NextDue};
pub use trouble::StoreTrouble;

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder of the store's file can't be made.
    #[error("cannot use the state in `{path}`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database said no.
    #[error("the store failed while {doing}{}", StoreTrouble::of(.source).map(|trouble| format!(": {trouble}")).unwrap_or_default())]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// Something else stands where the database's file belongs.
    #[error("`{path}` is {what}, not a database of genesync")]
    NotADatabase {
        /// Its path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file is no longer what was written to it.
    #[error("the database `{path}` is damaged: {found}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first thing that is wrong with it.
        found: String,
    },
    /// The database was made by a later genesync.
    #[error("the store's schema ({found}) is newer than this genesync knows ({known})")]
    Newer {
        /// The schema's version.
        found: i64,
        /// The newest that this build knows.
        known: i64,
    },
    /// A row holds what genesync never wrote.
    #[error("cannot read a row of the store, in {what}")]
    Corrupt {
        /// Which table, and whose row.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A row holds a status that this build does not know.
    #[error("the store holds the status `{word}`, which this genesync does not know")]
    Status {
        /// The word.
        word: String,
    },
    /// The store is of another repository.
    #[error("the store is of repository `{known}`, and not of `{given}`")]
    OtherRepository {
        /// The one that it is of.
        known: String,
        /// The one that was given.
        given: String,
    },
    /// The lease has gone to somebody else, or ran out.
    #[error("lost the lease on tenant `{tenant}`: another process may work on it")]
    Fenced {
        /// The tenant.
        tenant: TenantName,
    },
    /// What the run was planned from is no longer what git says, or the tenant was paused.
    #[error("tenant `{tenant}` was paused, or git moved on")]
    Superseded {
        /// The tenant.
        tenant: TenantName,
    },
    /// It is not the state any more that this process opened.
    #[error(
        "the state was exchanged under this process, which writes nothing any more: {why}; start it anew, and it takes the state as it is then"
    )]
    Exchanged {
        /// How that shows.
        why: String,
    },
    /// Something would be switched off, and something was switched off at another tenant within the last hour.
    #[error(
        "something was switched off at tenant `{other}` within the last hour, and would be at `{tenant}`"
    )]
    Off {
        /// The tenant.
        tenant: TenantName,
        /// The other one.
        other: TenantName,
    },
}

impl StoreError {
    /// What is wrong with the database as a whole, where that is the reason.
    pub fn trouble(&self) -> Option<StoreTrouble> {
        match self {
            StoreError::Database { source, .. } => StoreTrouble::of(source),
            _ => None,
        }
    }

    /// Whether the database took a transaction back whole because of others who worked on the same rows
    /// (`serialization_failure`, `deadlock_detected`): nothing is wrong with what was to be written.
    pub fn was_taken_back(&self) -> bool {
        let StoreError::Database { source, .. } = self else { return false };
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
        matches!(code.as_deref(), Some("40001" | "40P01"))
    }
}

/// The state. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    writer: Engine,
    group: std::sync::Arc<group::Group>,
    identity: std::sync::Arc<identity::Identity>,
    /// What confidential values are digested with.
    seal: Seal,
    /// Who holds the leases that this handle takes: different for every process.
    holder: std::sync::Arc<str>,
    /// The folder of a state that is kept nowhere: it goes with the last handle.
    _folder: Option<std::sync::Arc<tempfile::TempDir>>,
}

impl Store {
    /// Opens the store, and makes or migrates its tables where they are missing or older.
    ///
    /// # Errors
    /// It can't be reached, or its schema is newer than this build.
    pub async fn open(place: &StorePlace, holder: &str) -> Result<Self, StoreError> {
        if let StorePlace::Folder(path) = place {
            // What SQLite keeps beside it has the rights of this file.
            private::folder(path)
                .and_then(|()| private::file(&database_file(path)))
                .map_err(|source| StoreError::Folder { path: path.clone(), source })?;
        }
        not_something_else(place)?;
        let (engine, writer) = Engine::pair(place).await?;
        engine.check_file(place).await?;
        writer.migrate().await?;
        let identity = std::sync::Arc::new(identity::Identity::of(place));
        let store = Self {
            engine,
            writer,
            group: Default::default(),
            identity,
            seal: Seal::default(),
            holder: holder.into(),
            _folder: None,
        };
        store.count_epoch().await?;
        Ok(store)
    }

    /// Opens a store that is kept nowhere: it goes with its last handle.
    ///
    /// # Errors
    /// No folder can be made for it.
    pub async fn open_for_now(holder: &str) -> Result<Self, StoreError> {
        let made = tempfile::Builder::new().prefix("genesync-").tempdir();
        let folder = made.map_err(|source| StoreError::Folder { path: std::env::temp_dir(), source })?;
        let store = Self::open(&StorePlace::Folder(folder.path().to_owned()), holder).await?;
        Ok(Self { _folder: Some(std::sync::Arc::new(folder)), ..store })
    }

    /// Looks at a store without making or migrating it: none where there is none yet. Enough for a plan.
    ///
    /// # Errors
    /// It can't be reached, or its schema is not this build's.
    pub async fn look(place: &StorePlace) -> Result<Option<Self>, StoreError> {
        if let StorePlace::Folder(path) = place
            && !database_file(path).exists()
        {
            return Ok(None);
        }
        not_something_else(place)?;
        let (engine, writer) = Engine::pair(place).await?;
        let found = engine.schema().await?;
        if found == 0 {
            return Ok(None);
        }
        engine::check_schema(found)?;
        if found < engine::newest_schema() {
            // Looking migrates nothing: whoever writes next does.
            tracing::warn!(
                "the state is of an earlier genesync, and is not read before an `apply` or a `run` of this one has migrated it"
            );
            return Ok(None);
        }
        let identity = std::sync::Arc::new(identity::Identity::of(place));
        Ok(Some(Self {
            engine,
            writer,
            group: Default::default(),
            identity,
            seal: Seal::default(),
            holder: "".into(),
            _folder: None,
        }))
    }

    /// Who holds the leases that this handle takes.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.engine.query("SELECT 1").fetch_one(&self.engine).await.map_err(failed("asking it"))?;
        Ok(())
    }

    /// Closes every connection, after what is under way.
    pub async fn close(&self) {
        self.writer.pool().close().await;
        self.engine.pool().close().await;
    }

    /// Forgets what is past its use: ended intents, runs and history older than `days`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn prune(&self, days: i64) -> Result<(), StoreError> {
        let age_ms = days.saturating_mul(24 * 3_600_000);
        // The newest intent of a tenant stays: its number is where the next one's comes from.
        let texts = [
            "DELETE FROM intents WHERE resolved_at < {now} - $1
               AND id < (SELECT MAX(last.id) FROM intents last WHERE last.tenant = intents.tenant)",
            "DELETE FROM runs WHERE ended_at < {now} - $1",
            "DELETE FROM history WHERE at < {now} - $1",
            "DELETE FROM receipts WHERE sent_at < {now} - $1",
            "DELETE FROM confirmations WHERE confirmed_at < {now} - $1",
        ];
        for text in texts {
            let deleted = self.engine.query(text).bind(age_ms).execute(&self.writer).await;
            deleted.map_err(failed("forgetting what is old"))?;
        }
        Ok(())
    }
}

/// Refuses a file that is no database before the driver tries it for long. An empty one becomes a database.
#[expect(clippy::disallowed_methods, reason = "the file is the store's own, unless it is somebody else's")]
fn not_something_else(place: &StorePlace) -> Result<(), StoreError> {
    let StorePlace::Folder(folder) = place else { return Ok(()) };
    let path = database_file(folder);
    if path.is_dir() {
        return Err(StoreError::NotADatabase { path, what: "a folder" });
    }
    let mut begin = Vec::new();
    let read = std::fs::File::open(&path)
        .and_then(|file| file.take(SQLITE_MAGIC.len() as u64).read_to_end(&mut begin));
    match read {
        // Whoever opens it says what is wrong.
        Err(_) => Ok(()),
        Ok(0) => Ok(()),
        Ok(_) if begin == SQLITE_MAGIC => Ok(()),
        Ok(_) => Err(StoreError::NotADatabase { path, what: "another file" }),
    }
}

/// What every database file begins with (<https://www.sqlite.org/fileformat2.html>, 1.3).
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// The file that a folder's state is in.
pub fn database_file(folder: &Path) -> PathBuf {
    folder.join("genesync.db")
}

fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { doing, source }
}

fn corrupt(what: impl Into<String>) -> impl FnOnce(serde_json::Error) -> StoreError {
    let what = what.into();
    move |source| StoreError::Corrupt { what, source }
}

/// A column of a row that our own query named.
fn text(row: &AnyRow, column: &str) -> Result<String, StoreError> {
    row.try_get(column).map_err(failed("reading a row"))
}

fn number(row: &AnyRow, column: &str) -> Result<i64, StoreError> {
    row.try_get(column).map_err(failed("reading a row"))
}

fn optional(row: &AnyRow, column: &str) -> Result<Option<i64>, StoreError> {
    row.try_get(column).map_err(failed("reading a row"))
}

fn text_or_none(row: &AnyRow, column: &str) -> Result<Option<String>, StoreError> {
    row.try_get(column).map_err(failed("reading a row"))
}

/// A value as the text that a query takes apart again.
fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(corrupt("what was to be written"))
}

/// Names as rows for a query to join with.
fn names<'a>(tenants: impl IntoIterator<Item = &'a TenantName>) -> Result<String, StoreError> {
    let rows: Vec<serde_json::Value> =
        tenants.into_iter().map(|tenant| serde_json::json!({"name": tenant.as_str()})).collect();
    json(&rows)
}
