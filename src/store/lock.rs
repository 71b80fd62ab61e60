//! One genesync a state folder: an advisory lock of the operating system, released when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::{StoreError, failed};

/// Keeps others out while it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

pub fn acquire(root: &Path) -> Result<Lock, StoreError> {
    let path = root.join("lock");
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(failed(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message; an unreadable file is a lock all the same.
            let _ = file.read_to_string(&mut holder);
            let holder = if holder.trim().is_empty() { "?".into() } else { holder.trim().to_owned() };
            return Err(StoreError::Busy { path: root.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(StoreError::Io { path, source }),
    }
    let note = std::process::id().to_string();
    file.rewind()
        .and_then(|()| file.set_len(0))
        .and_then(|()| file.write_all(note.as_bytes()))
        .map_err(failed(&path))?;
    Ok(Lock { _file: file })
}
