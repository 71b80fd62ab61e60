//! A port: the state that outlives a process. Journal, bases, receipts, leases, due times, history, pauses.
//!
//! In: [`crate::model::Record`]s and results of runs. Out: [`crate::model::record::Journal`]s and leases.
//! Never: loses a record that it reported as durable, accepts one from a holder whose lease is lost, keeps
//! state or locks of a session in the database (a pooler may be in front of it), or decides anything.
//! Two engines behind one set of queries: SQLite, a file, and PostgreSQL if replicas share the work.
//! The live API and git are the truth; `docs/scaling.md` says what is lost with the store. Start reading at
//! [`Store`]; `engine.rs` says how the two engines differ.

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

/// Why the store failed or refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder of the store's file cannot be created.
    #[error("cannot use the state in `{path}`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
    /// A query or a connection failed.
    #[error("the store failed while {doing}{}", StoreTrouble::of(.source).map(|trouble| format!(": {trouble}")).unwrap_or_default())]
    Database {
        /// What the store was doing, as a participle: `reading the journal`.
        doing: &'static str,
        /// The error of the database.
        #[source]
        source: sqlx::Error,
    },
    /// The path of the database's file holds something else.
    #[error("`{path}` is {what}, not a database of genesync")]
    NotADatabase {
        /// Its path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file is damaged.
    #[error("the database `{path}` is damaged: {found}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first problem that SQLite found.
        found: String,
    },
    /// The database was made by a later genesync.
    #[error("the store's schema ({found}) is newer than this genesync knows ({known})")]
    Newer {
        /// The schema's version.
        found: i64,
        /// The newest version that this build knows.
        known: i64,
    },
    /// A row holds a value that genesync cannot have written.
    #[error("cannot read a row of the store, in {what}")]
    Corrupt {
        /// The kind of row, and its tenant.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A row holds a status that this build does not know.
    #[error("the store holds the status `{word}`, which this genesync does not know")]
    Status {
        /// The status in the store.
        word: String,
    },
    /// The store belongs to another repository.
    #[error("the store belongs to repository `{known}`, not to `{given}`")]
    OtherRepository {
        /// The repository of the store.
        known: String,
        /// The given repository.
        given: String,
    },
    /// Another process holds the lease now, or it expired.
    #[error("lost the lease on tenant `{tenant}`: another process may work on it")]
    Fenced {
        /// The tenant.
        tenant: TenantName,
    },
    /// The desired configuration changed in git since the plan, or the tenant was paused.
    #[error("tenant `{tenant}` was paused, or its desired configuration changed in git")]
    Superseded {
        /// The tenant.
        tenant: TenantName,
    },
    /// The state is no longer the one that this process opened. A restarted process accepts it.
    #[error(
        "the state was replaced while this process ran, so it writes nothing until it is restarted: {why}"
    )]
    Exchanged {
        /// The difference that the store found.
        why: String,
    },
    /// The intent switches something off, and something was switched off at another tenant within the last
    /// hour.
    #[error(
        "cannot switch something off at tenant `{tenant}`, because tenant `{other}` had something switched off within the last hour"
    )]
    Off {
        /// The tenant.
        tenant: TenantName,
        /// The other tenant.
        other: TenantName,
    },
}

impl StoreError {
    /// Returns the problem of the database as a whole, if that caused the error.
    pub fn trouble(&self) -> Option<StoreTrouble> {
        match self {
            StoreError::Database { source, .. } => StoreTrouble::of(source),
            _ => None,
        }
    }

    /// Whether the database rolled a transaction back because of other transactions on the same rows
    /// (`serialization_failure`, `deadlock_detected`). The caller may repeat it.
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
    /// Digests confidential values.
    seal: Seal,
    /// The name under which this handle holds leases: different for every process.
    holder: std::sync::Arc<str>,
    /// The folder of a temporary state: deleted with the last handle.
    _folder: Option<std::sync::Arc<tempfile::TempDir>>,
}

impl Store {
    /// Opens the store, and creates or migrates its tables if they are missing or older.
    ///
    /// # Errors
    /// The store is unreachable, or its schema is newer than this build.
    pub async fn open(place: &StorePlace, holder: &str) -> Result<Self, StoreError> {
        if let StorePlace::Folder(path) = place {
            // SQLite gives its other files the permissions of this one.
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

    /// Opens a temporary store, which is deleted with its last handle.
    ///
    /// # Errors
    /// Its folder cannot be created.
    pub async fn open_for_now(holder: &str) -> Result<Self, StoreError> {
        let made = tempfile::Builder::new().prefix("genesync-").tempdir();
        let folder = made.map_err(|source| StoreError::Folder { path: std::env::temp_dir(), source })?;
        let store = Self::open(&StorePlace::Folder(folder.path().to_owned()), holder).await?;
        Ok(Self { _folder: Some(std::sync::Arc::new(folder)), ..store })
    }

    /// Opens a store for reading, without creating or migrating it; none if there is none yet. Enough for a
    /// plan.
    ///
    /// # Errors
    /// The store is unreachable, or its schema is newer than this build.
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
            // A reader migrates nothing; the next writer does.
            tracing::warn!(
                "the state is of an earlier genesync, and is ignored until an `apply` or a `run` of this version migrates it"
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

    /// Returns the name under which this handle holds leases.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.engine
            .query("SELECT 1")
            .fetch_one(&self.engine)
            .await
            .map_err(failed("checking its connection"))?;
        Ok(())
    }

    /// Closes every connection, after the running queries.
    pub async fn close(&self) {
        self.writer.pool().close().await;
        self.engine.pool().close().await;
    }

    /// Deletes ended intents, runs, history, receipts and confirmations older than `days`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn prune(&self, days: i64) -> Result<(), StoreError> {
        let age_ms = days.saturating_mul(24 * 3_600_000);
        // The newest intent of a tenant stays, because the id of the next one counts on from it.
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
            deleted.map_err(failed("deleting old rows"))?;
        }
        Ok(())
    }
}

/// Refuses a file that is no database, because the driver would try it for long. An empty file becomes a
/// database.
#[expect(clippy::disallowed_methods, reason = "the file belongs to the store, or is refused")]
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
        // The driver reports the error when it opens the file.
        Err(_) => Ok(()),
        Ok(0) => Ok(()),
        Ok(_) if begin == SQLITE_MAGIC => Ok(()),
        Ok(_) => Err(StoreError::NotADatabase { path, what: "another file" }),
    }
}

/// The first bytes of every database file (<https://www.sqlite.org/fileformat2.html>, 1.3).
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Returns the path of the database in a folder.
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

/// Returns a column of a row.
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

/// Returns a value as JSON text, which a query splits again.
fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(corrupt("a value to write"))
}

/// Returns names as rows for a query to join with.
fn names<'a>(tenants: impl IntoIterator<Item = &'a TenantName>) -> Result<String, StoreError> {
    let rows: Vec<serde_json::Value> =
        tenants.into_iter().map(|tenant| serde_json::json!({"name": tenant.as_str()})).collect();
    json(&rows)
}
