//! Watches a local folder or repository for changes.
//!
//! In: a folder or git directory. Out: a call of `on_change`. The call is only a signal: the caller reads the
//! change from the folder or repository, and also polls it.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// The quiet time after which the writes of one commit count as complete.
const SETTLE: Duration = Duration::from_millis(50);

/// The quiet time after which the writes of one save in an editor count as complete.
const SAVE_SETTLE: Duration = Duration::from_millis(15);

/// A watch on a folder; dropping it ends the watch.
pub struct Watch {
    _watcher: RecommendedWatcher,
}

/// Calls `on_change` after files of a folder changed. The caller must read the folder again, because the
/// system can miss events for files in a new folder.
///
/// # Errors
/// The system cannot watch the folder.
pub fn watch_folder(folder: &Path, on_change: impl Fn() + Send + 'static) -> Result<Watch, notify::Error> {
    let (sender, changes) = mpsc::channel::<()>();
    let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
        let inside_git = |path: &PathBuf| path.components().any(|part| part.as_os_str() == ".git");
        let Ok(event) = event else { return };
        if !matches!(event.kind, EventKind::Access(_)) && !event.paths.iter().all(inside_git) {
            // After the watch is dropped, no thread receives.
            let _ = sender.send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    std::thread::spawn(move || {
        while changes.recv().is_ok() {
            // An editor writes a file in several steps.
            while changes.recv_timeout(SAVE_SETTLE).is_ok() {}
            on_change();
        }
    });
    Ok(Watch { _watcher: watcher })
}

/// Calls `on_change` after the branches of a repository moved.
///
/// # Errors
/// The system cannot watch the folder. Polling is sufficient then.
pub fn watch(git_dir: &Path, on_change: impl Fn() + Send + 'static) -> Result<Watch, notify::Error> {
    let (sender, changes) = mpsc::channel::<()>();
    let root = git_dir.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
        let Ok(event) = event else { return };
        if !matches!(event.kind, EventKind::Access(_))
            && event.paths.iter().any(|path| is_branch(&root, path))
        {
            // After the watch is dropped, no thread receives.
            let _ = sender.send(());
        }
    })?;
    watcher.watch(git_dir, RecursiveMode::NonRecursive)?;
    watcher.watch(&git_dir.join("refs"), RecursiveMode::Recursive)?;
    std::thread::spawn(move || {
        while changes.recv().is_ok() {
            while changes.recv_timeout(SETTLE).is_ok() {}
            on_change();
        }
    });
    Ok(Watch { _watcher: watcher })
}

/// Returns whether a path is `HEAD`, `packed-refs` or under `refs/`, and not a lock.
fn is_branch(root: &Path, path: &Path) -> bool {
    let inside: PathBuf = path.strip_prefix(root).map(Path::to_owned).unwrap_or_default();
    let lock = inside.extension().is_some_and(|extension| extension == "lock");
    !lock && (inside.starts_with("refs") || inside == Path::new("HEAD") || inside == Path::new("packed-refs"))
}
