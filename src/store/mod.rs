//! A port: the journal, and what a run has to remember.
//!
//! In: [`Record`]s. Out: a [`Journal`]. Never: loses a record that it said was durable, or decides anything.
//! One file a tenant, one JSON line a record, `fsync` before the next step. Deleting it loses history,
//! never safety: the live API and git are the truth. Start reading at [`Store`].

#![expect(clippy::disallowed_methods, reason = "this module keeps files")]

mod lock;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};

use crate::model::record::Journal;
use crate::model::{Record, Revision, TenantName};

pub use lock::Lock;

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system said no.
    #[error("the state under `{path}` can't be used")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A journal holds a line that is none.
    #[error("`{path}`, line {line}, is no journal record")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Another genesync works with the same state.
    #[error("another genesync (process {holder}) uses the state under `{path}`")]
    Busy {
        /// The folder.
        path: PathBuf,
        /// Its process id, or `?`.
        holder: String,
    },
}

/// The state folder.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Looks at a folder without making or changing anything in it: enough for a plan.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Uses a folder, and makes it where it is missing.
    ///
    /// # Errors
    /// It can't be made.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let store = Self::at(root);
        let tenants = store.root.join("tenants");
        fs::create_dir_all(&tenants).map_err(failed(&tenants))?;
        Ok(store)
    }

    /// Keeps other processes out until the lock is dropped.
    ///
    /// # Errors
    /// Somebody else holds it.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        lock::acquire(&self.root)
    }

    fn file(&self, tenant: &TenantName) -> PathBuf {
        // A tenant's name is a DNS label: it can't leave the folder.
        self.root.join("tenants").join(format!("{tenant}.jsonl"))
    }

    /// Reads a tenant's journal. A last line that a crash cut short was never acknowledged and is passed over.
    ///
    /// # Errors
    /// The file can't be read, or holds a broken line elsewhere.
    pub fn journal(&self, tenant: &TenantName) -> Result<Journal, StoreError> {
        let path = self.file(tenant);
        let mut journal = Journal::default();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(journal),
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if reader.read_until(b'\n', &mut line).map_err(failed(&path))? == 0 {
                break;
            }
            match serde_json::from_slice::<Record>(&line) {
                Ok(record) => journal.absorb(record),
                Err(_) if line.last() != Some(&b'\n') => break,
                Err(source) => return Err(StoreError::Corrupt { path, line: number, source }),
            }
        }
        Ok(journal)
    }

    /// Makes records durable, in this order. Returns once they are on the disk.
    ///
    /// # Errors
    /// They may not be durable; whoever asked must not go on.
    pub fn append(&self, tenant: &TenantName, records: &[Record]) -> Result<(), StoreError> {
        let path = self.file(tenant);
        let bytes = lines(records, &path)?;
        let existed = path.exists();
        let mut file =
            OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(failed(&path))?;
        if ends_within_a_line(&path)? {
            // The cut line was never acknowledged; dropped, it can't be read as a broken one.
            truncate_to_last_line(&mut file, &path)?;
        }
        file.write_all(&bytes).map_err(failed(&path))?;
        file.sync_all().map_err(failed(&path))?;
        if !existed {
            self.sync_folder()?;
        }
        Ok(())
    }

    fn sync_folder(&self) -> Result<(), StoreError> {
        let folder = self.root.join("tenants");
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed(&folder))
    }

    /// The revision of a repository that was applied last.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn applied_head(&self, repository: &str) -> Result<Option<Revision>, StoreError> {
        let path = self.head_file(repository);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(Revision::new)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// Remembers the revision of a repository that was applied.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn keep_applied_head(&self, repository: &str, revision: &Revision) -> Result<(), StoreError> {
        let path = self.head_file(repository);
        let fresh = path.with_extension("new");
        let write = |path: &Path| {
            let mut file = File::create(path)?;
            file.write_all(revision.as_str().as_bytes())?;
            file.sync_all()
        };
        write(&fresh).map_err(failed(&fresh))?;
        fs::rename(&fresh, &path).map_err(failed(&path))
    }

    fn head_file(&self, repository: &str) -> PathBuf {
        let digest = crate::model::json::digest_bytes(repository.as_bytes());
        let name: String = digest.trim_start_matches("sha256:").chars().take(24).collect();
        self.root.join(format!("head-{name}"))
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

fn lines(records: &[Record], path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    for record in records {
        serde_json::to_writer(&mut bytes, record)
            .map_err(|error| StoreError::Io { path: path.to_owned(), source: error.into() })?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn ends_within_a_line(path: &Path) -> Result<bool, StoreError> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = File::open(path).map_err(failed(path))?;
    let length = file.seek(SeekFrom::End(0)).map_err(failed(path))?;
    if length == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1)).map_err(failed(path))?;
    let mut last = [0_u8];
    file.read_exact(&mut last).map_err(failed(path))?;
    Ok(last != *b"\n")
}

fn truncate_to_last_line(file: &mut File, path: &Path) -> Result<(), StoreError> {
    let text = fs::read(path).map_err(failed(path))?;
    let keep = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    file.set_len(keep as u64).map_err(failed(path))
}

#[cfg(test)]
mod tests;
