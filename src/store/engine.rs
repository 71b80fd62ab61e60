//! How SQLite and PostgreSQL differ: connecting, the clock, rows that come in as JSON, locks on rows.
//!
//! Every query is written once, with `$1` for what is bound and these words for what differs:
//! `{now}`, the database's own clock in milliseconds; `{each:N}`, the JSON array bound as `$N` as rows
//! `r.value`; `{skip_locked}` and `{share}`, locks that PostgreSQL needs where SQLite has one writer anyway.

use std::time::Duration;

use sqlx::any::{AnyArguments, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor as _, Row as _, Transaction};

use super::{StoreError, database_file, failed};
use crate::crash;
use crate::model::StorePlace;

/// Every migration, oldest first.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "begin", include_str!("../../migrations/0001_begin.sql"))];

/// How long a connection is waited for.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Replicas that start together race for the first migration: losers look again.
const MIGRATE_ATTEMPTS: u32 = 20;

/// A pool and its dialect.
#[derive(Debug, Clone)]
pub struct Engine {
    pool: AnyPool,
    dialect: Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Engine {
    pub async fn connect(place: &StorePlace) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
        let (options, url, dialect) = match place {
            StorePlace::Folder(folder) => {
                let options = options.max_connections(4).after_connect(|connection, _| {
                    Box::pin(async move {
                        // An intent has to be on the disk before its write leaves: FULL syncs every commit.
                        connection
                            .execute(
                                "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
                            )
                            .await?;
                        Ok(())
                    })
                });
                (options, sqlite_url(&database_file(folder))?, Dialect::Sqlite)
            }
            StorePlace::Postgres(url) => {
                (options.max_connections(10), url.expose().to_owned(), Dialect::Postgres)
            }
        };
        let pool = options.connect(&url).await.map_err(failed("connecting"))?;
        Ok(Self { pool, dialect })
    }

    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// A transaction that may write. SQLite's begins as a writer: one that becomes one later fails at once
    /// where another writes, however long it may wait.
    pub async fn begin(&self, doing: &'static str) -> Result<Transaction<'static, Any>, StoreError> {
        let begun = match self.dialect {
            Dialect::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Dialect::Postgres => self.pool.begin().await,
        };
        begun.map_err(failed(doing))
    }

    /// One of our own texts, in this dialect.
    pub fn query(&self, text: &'static str) -> Query<'static, Any, AnyArguments> {
        sqlx::query(AssertSqlSafe(self.dialect.text(text)))
    }

    /// Brings the schema to this build's version.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let migrations = MIGRATIONS.iter().map(|(version, name, text)| {
            Migration::new(
                *version,
                (*name).into(),
                MigrationType::Simple,
                sqlx::SqlStr::from_static(text),
                false,
            )
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        // The lock that it would take is a session's, which a pooler does not keep.
        migrator.set_locking(false);
        let mut attempt = 0;
        loop {
            super::engine::check_schema(self.schema().await?)?;
            crash::point("C19");
            let error = match migrator.run(&self.pool).await {
                Ok(()) => {
                    crash::point("C19b");
                    return Ok(());
                }
                Err(error) => error,
            };
            attempt += 1;
            if attempt == MIGRATE_ATTEMPTS {
                return Err(failed("migrating its schema")(sqlx::Error::Migrate(Box::new(error))));
            }
            tokio::time::sleep(Duration::from_millis(50 * u64::from(attempt))).await;
        }
    }

    /// The version of the schema; 0 where there is none.
    pub async fn schema(&self) -> Result<i64, StoreError> {
        let exists = match self.dialect {
            Dialect::Sqlite => "SELECT COUNT(*) AS n FROM sqlite_master WHERE name = '_sqlx_migrations'",
            Dialect::Postgres => {
                "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM pg_catalog.pg_class c
                 WHERE c.relname = '_sqlx_migrations' AND pg_catalog.pg_table_is_visible(c.oid)"
            }
        };
        let row = self.query(exists).fetch_one(&self.pool).await.map_err(failed("reading its schema"))?;
        if row.try_get::<i64, _>("n").map_err(failed("reading its schema"))? == 0 {
            return Ok(0);
        }
        let newest = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS version FROM _sqlx_migrations";
        let row = self.query(newest).fetch_one(&self.pool).await.map_err(failed("reading its schema"))?;
        row.try_get("version").map_err(failed("reading its schema"))
    }
}

/// Refuses a schema that a later genesync made.
pub fn check_schema(found: i64) -> Result<(), StoreError> {
    let known = MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(()) }
}

impl Dialect {
    fn text(self, text: &str) -> String {
        let (now, skip_locked, share) = match self {
            Dialect::Sqlite => ("CAST(unixepoch('subsec') * 1000 AS INTEGER)", "", ""),
            Dialect::Postgres => (
                "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)",
                "FOR UPDATE OF t SKIP LOCKED",
                "FOR SHARE",
            ),
        };
        let mut text =
            text.replace("{now}", now).replace("{skip_locked}", skip_locked).replace("{share}", share);
        for number in 1..=9 {
            let word = format!("{{each:{number}}}");
            if text.contains(&word) {
                let rows = match self {
                    Dialect::Sqlite => format!("json_each(${number}) AS r"),
                    Dialect::Postgres => format!("json_array_elements(CAST(${number} AS json)) AS r(value)"),
                };
                text = text.replace(&word, &rows);
            }
        }
        text
    }
}

fn sqlite_url(file: &std::path::Path) -> Result<String, StoreError> {
    let absolute =
        std::path::absolute(file).map_err(|source| StoreError::Folder { path: file.to_owned(), source })?;
    // A path may hold `?`, `#` or `%`: as a URL they are escaped.
    let path = url::Url::from_file_path(&absolute).map(|url| url.path().to_owned());
    let path = path.unwrap_or_else(|()| absolute.display().to_string());
    Ok(format!("sqlite://{path}?mode=rwc"))
}
