//! Makes folders and files that only their owner may read, whatever the umask is.
//!
//! In: paths. Out: folders and files. Never: changes the mode of an existing file or folder, because a user
//! may have set it on purpose. Start reading at [`folder`].

#![expect(clippy::disallowed_methods, reason = "this module makes what the ports keep")]

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

#[cfg(unix)]
const FOLDER_MODE: u32 = 0o700;
#[cfg(unix)]
const FILE_MODE: u32 = 0o600;

/// Makes a folder and its missing parents.
///
/// # Errors
/// The system refused.
pub fn folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        folder(above)?;
    }
    match make(path) {
        // Another process made it in between.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

#[cfg(unix)]
fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    fs::DirBuilder::new().mode(FOLDER_MODE).create(path)?;
    // The umask may have cleared bits of the mode.
    fs::set_permissions(path, fs::Permissions::from_mode(FOLDER_MODE))
}

#[cfg(not(unix))]
fn make(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().create(path)
}

/// Makes an empty file, unless it exists.
///
/// # Errors
/// The system refused.
pub fn file(path: &Path) -> io::Result<()> {
    match created(fs::OpenOptions::new().write(true).create_new(true), path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Writes a whole file. An existing file keeps its mode.
///
/// # Errors
/// The system refused.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link may point to a file that does not exist yet: the system makes that file with the mode of the
    // umask.
    if path.is_symlink() || path.exists() {
        return fs::write(path, bytes);
    }
    created(fs::OpenOptions::new().write(true).create_new(true), path)?.write_all(bytes)
}

#[cfg(unix)]
fn created(options: &mut fs::OpenOptions, path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let file = options.mode(FILE_MODE).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

#[cfg(not(unix))]
fn created(options: &mut fs::OpenOptions, path: &Path) -> io::Result<fs::File> {
    options.open(path)
}

/// Returns the mode of a folder that other users may enter, such as `0755`; none if only its owner may, or if
/// the system has no modes.
pub fn rights_of_others(folder: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder).ok()?.permissions().mode() & 0o7777;
        (mode & 0o077 != 0).then(|| format!("{mode:04o}"))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}
