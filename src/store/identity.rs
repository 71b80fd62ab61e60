//! The identity of the store: whether it is still the one that the process opened.
//!
//! A state that is deleted, restored from a backup, failed over to a lagging copy, or created again while a
//! process runs has lost writes that may still take effect. So the store checks its identity with each
//! intent: the id never changes, the epoch only grows, and the SQLite file is the one that was opened.
//! Another id, a lower epoch or another file ends all writes of the process; a restarted process accepts the
//! store as it is then.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use sqlx::{Any, Executor, Transaction};

use super::{Store, StoreError, database_file, failed, number, text};
use crate::model::StorePlace;

const DOING: &str = "reading the identity of the store";

/// The store that a process opened.
#[derive(Debug, Default)]
pub struct Identity {
    /// Its id; empty until it is read.
    id: RwLock<String>,
    /// The largest epoch that the process has read.
    epoch: AtomicI64,
    /// The path of the SQLite file, and the id of the file when it was opened.
    file: Option<(PathBuf, FileId)>,
    /// Why the store is another one now.
    exchanged: OnceLock<String>,
}

/// The id of a file in the file system, independent of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
fn file_id(path: &std::path::Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    Some(FileId { device: metadata.dev(), inode: metadata.ino() })
}

/// Other systems have no such id; the check uses the store's id and epoch alone.
#[cfg(not(unix))]
fn file_id(_: &std::path::Path) -> Option<FileId> {
    None
}

impl Identity {
    /// Returns the identity of the open store at a place.
    pub fn of(place: &StorePlace) -> Self {
        let file = match place {
            StorePlace::Folder(folder) => {
                let path = database_file(folder);
                file_id(&path).map(|id| (path, id))
            }
            StorePlace::Postgres(_) => None,
        };
        Self { file, ..Self::default() }
    }

    /// Returns why the store is no longer the one that was opened.
    pub fn exchanged(&self) -> Option<&str> {
        self.exchanged.get().map(String::as_str)
    }

    /// Returns the largest epoch that was read before a query. Answers of several connections may arrive in
    /// another order, so each is compared with the epoch that was known when its query began.
    fn floor(&self) -> i64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Compares the id and epoch of the store with the known ones.
    fn check(&self, id: &str, epoch: i64, floor: i64) -> Result<(), StoreError> {
        let mut known = self.id.write().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            id.clone_into(&mut known);
        }
        self.epoch.fetch_max(epoch, Ordering::SeqCst);
        let why = if *known != id {
            Some(format!("it is another store than the one that this process opened (id {id}, not {known})"))
        } else if epoch < floor {
            Some(format!("it is an older copy (epoch {epoch}, but {floor} was read before)"))
        } else {
            self.file_exchanged()
        };
        if let Some(why) = why {
            let _ = self.exchanged.set(why);
        }
        match self.exchanged() {
            None => Ok(()),
            Some(why) => Err(StoreError::Exchanged { why: why.to_owned() }),
        }
    }

    fn file_exchanged(&self) -> Option<String> {
        let (path, opened) = self.file.as_ref()?;
        match file_id(path) {
            Some(now) if now == *opened => None,
            Some(_) => {
                Some(format!("`{}` is another file than the one that this process opened", path.display()))
            }
            None => Some(format!("`{}` is gone", path.display())),
        }
    }
}

impl Store {
    /// Returns why the state is no longer the one that this process opened. Then it accepts no intents until
    /// the process restarts.
    pub fn exchanged(&self) -> Option<String> {
        self.identity.exchanged().map(str::to_owned)
    }

    /// Creates the id of a store that has none, and increments the epoch.
    ///
    /// # Errors
    /// The database failed, or it is another store than before.
    pub async fn count_epoch(&self) -> Result<(), StoreError> {
        let floor = self.identity.floor();
        let counted = self
            .engine
            .query(
                "INSERT INTO identity (one, id, epoch) VALUES (1, {random}, 1)
                 ON CONFLICT (one) DO UPDATE SET epoch = identity.epoch + 1 RETURNING id, epoch",
            )
            .fetch_one(&self.writer);
        let row = counted.await.map_err(failed(DOING))?;
        self.identity.check(&text(&row, "id")?, number(&row, "epoch")?, floor)
    }

    /// Refuses an intent if the state is another one than was opened.
    pub(super) async fn check_identity(
        &self,
        transaction: &mut Transaction<'_, Any>,
    ) -> Result<(), StoreError> {
        let floor = self.identity.floor();
        let asked =
            transaction.fetch_optional(self.engine.query("SELECT id, epoch FROM identity WHERE one = 1"));
        match asked.await.map_err(failed(DOING))? {
            Some(row) => self.identity.check(&text(&row, "id")?, number(&row, "epoch")?, floor),
            None => self.identity.check("none", 0, floor),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "these tests replace files")]
mod tests {
    use super::*;

    #[test]
    fn another_id_a_lower_epoch_and_another_file_end_all_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = database_file(folder.path());
        std::fs::write(&path, "").unwrap();
        let place = StorePlace::Folder(folder.path().to_owned());
        let opened = || {
            let identity = Identity::of(&place);
            identity.check("a", 3, 0).unwrap();
            identity.check("a", 7, identity.floor()).unwrap();
            // A late answer to an earlier query is no sign of an older copy.
            identity.check("a", 5, 3).unwrap();
            assert_eq!(identity.floor(), 7);
            identity
        };
        for (id, epoch, reported) in [
            ("b", 9, "another store"),
            ("a", 6, "an older copy (epoch 6, but 7"),
            ("none", 0, "another store"),
        ] {
            let identity = opened();
            let error = identity.check(id, epoch, 7).unwrap_err().to_string();
            assert!(error.contains(reported), "{error}");
            assert!(identity.check("a", 8, 7).is_err(), "a refused store stays refused");
        }
        let replaced = opened();
        std::fs::rename(&path, folder.path().join("aside")).unwrap();
        assert!(replaced.check("a", 8, 7).unwrap_err().to_string().contains("is gone"));
        let replaced = {
            std::fs::rename(folder.path().join("aside"), &path).unwrap();
            opened()
        };
        std::fs::write(folder.path().join("other"), "").unwrap();
        std::fs::rename(folder.path().join("other"), &path).unwrap();
        assert!(replaced.check("a", 8, 7).unwrap_err().to_string().contains("is another file"));
        assert!(opened().exchanged().is_none());
    }

    /// SQLite's driver returns the first row of a statement before it commits the statement.
    #[tokio::test]
    async fn a_counted_epoch_is_visible_to_every_connection() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(&StorePlace::Folder(folder.path().to_owned()), "a").await.unwrap();
            for epoch in 1..=5 {
                let asked = store.engine.query("SELECT epoch FROM identity").fetch_all(&store.engine);
                let rows = asked.await.unwrap();
                assert_eq!(rows.iter().map(|row| number(row, "epoch").unwrap()).collect::<Vec<_>>(), [epoch]);
                store.count_epoch().await.unwrap();
            }
        }
    }
}
