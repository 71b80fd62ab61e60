//! Reads and writes the files that the operator names.

use std::path::Path;

use super::{Exit, Failure};
use crate::private;

/// Writes a file.
#[expect(clippy::disallowed_methods, reason = "the operator named the file to write")]
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| {
        Failure::new(Exit::Outside, format!("`{}` cannot be written: {error}", path.display()))
    })
}

/// Writes a file that only its owner may read, because it contains the live configuration.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    private::write(path, bytes).map_err(|error| {
        Failure::new(Exit::Outside, format!("`{}` cannot be written: {error}", path.display()))
    })
}

/// Replaces the content of a file. If this fails, the old content stays.
#[expect(clippy::disallowed_methods, reason = "the operator named the file to write")]
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Outside, format!("`{}` cannot be written: {error}", path.display()))
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.genesync"));
    let permissions = std::fs::metadata(path).map_err(failed)?.permissions();
    let written = std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::set_permissions(&beside, permissions))
        .and_then(|()| std::fs::File::open(&beside)?.sync_all())
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // A partly written file is useless.
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}

/// Reads a text file of at most `bytes_max` bytes.
#[expect(clippy::disallowed_methods, reason = "the operator named the file to read")]
pub fn read_text(path: &Path, bytes_max: usize) -> Result<String, Failure> {
    let unreadable =
        |error: String| Failure::new(Exit::Usage, format!("`{}` cannot be read: {error}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > bytes_max as u64 {
        return Err(unreadable(format!("it has {size} bytes, but the limit is {bytes_max} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}
