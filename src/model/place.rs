//! Where the state is kept.

use std::path::PathBuf;

use super::Secret;

/// Where the state is kept.
#[derive(Debug, Clone)]
pub enum StorePlace {
    /// A folder of this machine: SQLite in `genesync.db`.
    Folder(PathBuf),
    /// A PostgreSQL database; its URL holds a password.
    Postgres(Secret),
}
