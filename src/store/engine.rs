//! The differences of SQLite and PostgreSQL: connections, the clock, rows passed as JSON, row locks.
//!
//! Every query is written once, with `$1` for bound values and these placeholders for what differs:
//! `{now}`, the database's own clock in milliseconds; `{each:N}`, the JSON array bound as `$N` as rows
//! `r.value`; `{random}`, a random id; `{skip_locked}` and `{share}`, locks that only PostgreSQL needs.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use sqlx::any::{AnyArguments, AnyPoolOptions, AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::query::Query;
use sqlx::{
    Any, AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Either, Execute, Executor, Row as _, SqlStr,
    Transaction,
};

use super::{StoreError, StoreTrouble, database_file, failed};
use crate::crash;
use crate::model::StorePlace;

/// Every migration, oldest first.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "begin", include_str!("../../migrations/0001_begin.sql")),
    (2, "objects", include_str!("../../migrations/0002_objects.sql")),
    (3, "standing", include_str!("../../migrations/0003_standing.sql")),
    (4, "patience", include_str!("../../migrations/0004_patience.sql")),
    (5, "sightings", include_str!("../../migrations/0005_sightings.sql")),
    (6, "guards", include_str!("../../migrations/0006_guards.sql")),
    (7, "baselines", include_str!("../../migrations/0007_baselines.sql")),
    (8, "sealed", include_str!("../../migrations/0008_sealed.sql")),
];

/// Timeout for finding out why no connection could be made.
const CAUSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);
/// Attempts for a transaction that the database rolls back.
const TAKEN_BACK_MAX: u32 = 5;
/// Attempts to migrate: replicas that start together race for the first migration.
const MIGRATE_ATTEMPTS: u32 = 20;

/// Begins a transaction that the server ends after 5 s of silence. A replica that stops between two
/// statements, for example on a suspended machine, would keep its locks longer than any lease. Each
/// transaction sets the timeout, because a pooler keeps no settings of a connection. Without a pooler, the
/// driver's migrator begins its own transactions without it.
const BEGIN_POSTGRES: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 5000";

/// A pool and its dialect.
#[derive(Debug, Clone)]
pub struct Engine {
    pool: AnyPool,
    dialect: Sql,
    /// Whether a pooler is in front of the database and may give every transaction another connection.
    pooled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sql {
    Sqlite,
    Postgres,
}

impl Engine {
    /// Returns an engine for reads and one for writes. SQLite allows one writer at a time and its busy
    /// handler polls without an order, so here writers queue for one connection. PostgreSQL queues writers
    /// itself.
    pub async fn pair(place: &StorePlace) -> Result<(Self, Self), StoreError> {
        let writer = Self::connect(place, 1).await?;
        let reader = match writer.dialect {
            Sql::Sqlite => Self::connect(place, 3).await?,
            Sql::Postgres => writer.clone(),
        };
        Ok((reader, writer))
    }

    async fn connect(place: &StorePlace, sqlite_connections: u32) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let options =
            AnyPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).before_acquire(|connection, _| {
                // SQLite ends a transaction itself if it cannot write, and then the driver's rollback fails.
                // The driver then believes that the transaction is still open and cannot begin another, so
                // the pool replaces this connection.
                let usable = !connection.is_in_transaction();
                Box::pin(async move { Ok(usable) })
            });
        let (options, url, dialect) = match place {
            StorePlace::Folder(folder) => {
                let options = options.max_connections(sqlite_connections).after_connect(|connection, _| {
                    Box::pin(async move {
                        // An intent must be on the disk before its write leaves: FULL syncs every commit.
                        connection
                            .execute(
                                "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
                            )
                            .await?;
                        Ok(())
                    })
                });
                (options, sqlite_url(&database_file(folder))?, Sql::Sqlite)
            }
            StorePlace::Postgres(url) => {
                (options.max_connections(10), url.expose().to_owned(), Sql::Postgres)
            }
        };
        // A pool would wait until its timeout for a damaged file.
        if dialect == Sql::Sqlite
            && let Err(error) = connect_alone(&url, dialect).await
            && matches!(StoreTrouble::of(&error), Some(StoreTrouble::Damaged | StoreTrouble::NotADatabase))
        {
            return Err(failed("connecting")(error));
        }
        let pooled = dialect == Sql::Postgres && keeps_no_statements(&url);
        let pool = match options.connect(&url).await {
            Ok(pool) => pool,
            // A pool reports every cause as a timeout.
            Err(sqlx::Error::PoolTimedOut) => {
                let alone = tokio::time::timeout(CAUSE_TIMEOUT, connect_alone(&url, dialect)).await;
                let cause = alone.map(Result::err).ok().flatten().unwrap_or(sqlx::Error::PoolTimedOut);
                return Err(failed("connecting")(cause));
            }
            Err(error) => return Err(failed("connecting")(error)),
        };
        Ok(Self { pool, dialect, pooled })
    }

    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Removes old row contents from the free space of a SQLite file. The vacuum of PostgreSQL does that
    /// itself.
    pub async fn wipe(&self, doing: &'static str) -> Result<(), StoreError> {
        if self.dialect == Sql::Sqlite {
            for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
                self.pool.execute(statement).await.map_err(failed(doing))?;
            }
        }
        Ok(())
    }

    /// Whether to group concurrent commits into one. PostgreSQL does that itself.
    pub fn groups_commits(&self) -> bool {
        self.dialect == Sql::Sqlite
    }

    /// Begins a transaction that may write. In SQLite it begins as a writer: a reader that becomes a writer
    /// later fails at once if another writer is active, without waiting.
    pub async fn begin(&self, doing: &'static str) -> Result<Transaction<'static, Any>, StoreError> {
        let begun = match self.dialect {
            Sql::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Sql::Postgres => self.pool.begin_with(BEGIN_POSTGRES).await,
        };
        begun.map_err(failed(doing))
    }

    /// Returns a query of genesync in this dialect.
    pub fn query(&self, text: &'static str) -> Query<'static, Any, AnyArguments> {
        // An unnamed statement lasts for one transaction. Behind a pooler a named one would stay on the
        // connection, and its next user has other statements of that name.
        sqlx::query(AssertSqlSafe(self.dialect.text(text))).persistent(!self.pooled)
    }

    /// Refuses a damaged SQLite file. PostgreSQL checks its own files.
    pub async fn check_file(&self, place: &StorePlace) -> Result<(), StoreError> {
        let StorePlace::Folder(folder) = place else { return Ok(()) };
        let doing = "checking its file";
        let row = self.query("PRAGMA quick_check(1)").fetch_one(self).await.map_err(failed(doing))?;
        let found: String = row.try_get(0).map_err(failed(doing))?;
        if found == "ok" { Ok(()) } else { Err(StoreError::Damaged { path: database_file(folder), found }) }
    }

    /// Migrates the schema to the version of this build.
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
        // The migrator's lock belongs to a session, which a pooler does not keep.
        migrator.set_locking(false);
        let mut attempt = 0;
        loop {
            super::engine::check_schema(self.schema().await?)?;
            crash::point("C19");
            let error = match self.run_migrations(&migrator).await {
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

    async fn run_migrations(&self, migrator: &Migrator) -> Result<(), MigrateError> {
        if !self.pooled {
            return migrator.run(&self.pool).await;
        }
        // The migrator names its statements. One transaction keeps one connection, so this drops all named
        // statements before and after.
        let mut transaction = self.pool.begin_with(BEGIN_POSTGRES).await?;
        transaction.execute("DEALLOCATE ALL").await?;
        migrator.run(&mut *transaction).await?;
        transaction.execute("DEALLOCATE ALL").await?;
        Ok(transaction.commit().await?)
    }

    /// Returns the version of the schema; 0 if there is none.
    pub async fn schema(&self) -> Result<i64, StoreError> {
        let exists = match self.dialect {
            Sql::Sqlite => "SELECT COUNT(*) AS n FROM sqlite_master WHERE name = '_sqlx_migrations'",
            Sql::Postgres => {
                "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM pg_catalog.pg_class c
                 WHERE c.relname = '_sqlx_migrations' AND pg_catalog.pg_table_is_visible(c.oid)"
            }
        };
        let row = self.query(exists).fetch_one(self).await.map_err(failed("reading its schema"))?;
        if row.try_get::<i64, _>("n").map_err(failed("reading its schema"))? == 0 {
            return Ok(0);
        }
        let newest = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS version FROM _sqlx_migrations";
        let row = self.query(newest).fetch_one(self).await.map_err(failed("reading its schema"))?;
        row.try_get("version").map_err(failed("reading its schema"))
    }
}

/// Connects without a pool and reads from SQLite, which opens a file without reading it.
async fn connect_alone(url: &str, dialect: Sql) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect(url).await?;
    if dialect == Sql::Sqlite {
        connection.fetch_optional("SELECT name FROM sqlite_master").await?;
    }
    Ok(())
}

/// Repeats a transaction that the database rolled back because of a deadlock or a serialization failure with
/// other transactions on the same rows.
pub async fn again_if_taken_back<'a, T>(
    mut transaction: impl FnMut() -> BoxFuture<'a, Result<T, StoreError>>,
) -> Result<T, StoreError> {
    for attempt in 1..TAKEN_BACK_MAX {
        match transaction().await {
            Err(error) if error.was_taken_back() => {
                tokio::time::sleep(Duration::from_millis(20 * u64::from(attempt))).await;
            }
            result => return result,
        }
    }
    transaction().await
}

/// Runs single queries. Behind a pooler each is a transaction of its own: a query takes two steps, and
/// outside of a transaction the pooler may give the connection to another client between them.
impl<'c> Executor<'c> for &'c Engine {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<AnyQueryResult, AnyRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        if !self.pooled {
            return (&self.pool).fetch_many(query);
        }
        let answers = async {
            let mut transaction = self.pool.begin_with(BEGIN_POSTGRES).await?;
            let answers: Vec<_> = transaction.fetch_many(query).try_collect().await?;
            transaction.commit().await?;
            Ok(stream::iter(answers.into_iter().map(Ok)))
        };
        answers.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        // Reads all rows: SQLite commits a single statement with its last step, and the driver returns the
        // first row before that.
        async move { Ok(self.fetch_all(query).await?.into_iter().next()) }.boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        (&self.pool).prepare_with(sql, parameters)
    }
}

/// Returns the newest schema version that this build knows.
pub fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

/// Refuses the schema of a later genesync.
pub fn check_schema(found: i64) -> Result<(), StoreError> {
    let known = newest_schema();
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(()) }
}

impl Sql {
    fn text(self, text: &str) -> String {
        let (now, skip_locked, share, random) = match self {
            Sql::Sqlite => {
                ("CAST(unixepoch('subsec') * 1000 AS INTEGER)", "", "", "lower(hex(randomblob(16)))")
            }
            Sql::Postgres => (
                "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)",
                "FOR UPDATE OF t SKIP LOCKED",
                "FOR SHARE",
                "md5(CAST(random() AS TEXT) || CAST(clock_timestamp() AS TEXT))",
            ),
        };
        let mut text = text
            .replace("{random}", random)
            .replace("{now}", now)
            .replace("{skip_locked}", skip_locked)
            .replace("{share}", share);
        for number in 1..=9 {
            let word = format!("{{each:{number}}}");
            if text.contains(&word) {
                let rows = match self {
                    Sql::Sqlite => format!("json_each(${number}) AS r"),
                    Sql::Postgres => format!("json_array_elements(CAST(${number} AS json)) AS r(value)"),
                };
                text = text.replace(&word, &rows);
            }
        }
        text
    }
}

/// Whether a URL turns off prepared statements, which marks a pooler.
fn keeps_no_statements(url: &str) -> bool {
    let parsed = url::Url::parse(url);
    parsed.is_ok_and(|url| {
        url.query_pairs().any(|(name, value)| name == "statement-cache-capacity" && value == "0")
    })
}

fn sqlite_url(file: &std::path::Path) -> Result<String, StoreError> {
    let absolute =
        std::path::absolute(file).map_err(|source| StoreError::Folder { path: file.to_owned(), source })?;
    // A path may hold `?`, `#` or `%`: a URL escapes them.
    let path = url::Url::from_file_path(&absolute).map(|url| url.path().to_owned());
    let path = path.unwrap_or_else(|()| absolute.display().to_string());
    Ok(format!("sqlite://{path}?mode=rwc"))
}
