//! Wakes whoever waits for a local repository: its branches moved. Only a hint: what changed is read from
//! the repository, and it is read again in any case after a while.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// A commit writes several files: they are one change.
const SETTLE: Duration = Duration::from_millis(50);

/// How long a save is waited out.
const SAVE_SETTLE: Duration = Duration::from_millis(15);

/// Watches until it is dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
}

/// Calls `on_change` after files of a folder changed. What changed is read from the folder: a new folder's own files
/// may go unseen.
///
/// # Errors
/// The system can't watch the folder.
pub fn watch_folder(folder: &Path, on_change: impl Fn() + Send + 'static) -> Result<Watch, notify::Error> {
    let (sender, changes) = mpsc::channel::<()>();
    let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
        let inside_git = |path: &PathBuf| path.components().any(|part| part.as_os_str() == ".git");
        let Ok(event) = event else { return };
        if !matches!(event.kind, EventKind::Access(_)) && !event.paths.iter().all(inside_git) {
            // Nobody listens once the watch is dropped.
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
/// The system can't watch the folder; polling alone is enough.
pub fn watch(git_dir: &Path, on_change: impl Fn() + Send + 'static) -> Result<Watch, notify::Error> {
    let (sender, changes) = mpsc::channel::<()>();
    let root = git_dir.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
        let Ok(event) = event else { return };
        if !matches!(event.kind, EventKind::Access(_))
            && event.paths.iter().any(|path| is_branch(&root, path))
        {
            // Nobody listens once the watch is dropped.
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

/// `HEAD`, `packed-refs` and what lies under `refs/`, but no lock of any of them.
fn is_branch(root: &Path, path: &Path) -> bool {
    let inside: PathBuf = path.strip_prefix(root).map(Path::to_owned).unwrap_or_default();
    let lock = inside.extension().is_some_and(|extension| extension == "lock");
    !lock && (inside.starts_with("refs") || inside == Path::new("HEAD") || inside == Path::new("packed-refs"))
}
