//! Where genesync keeps its state.

use std::path::PathBuf;

use super::Secret;

/// Where genesync keeps its state.
#[derive(Debug, Clone)]
pub enum StorePlace {
    /// A folder on this machine, with SQLite in `genesync.db`.
    Folder(PathBuf),
    /// A PostgreSQL database; its URL holds a password.
    Postgres(Secret),
}
