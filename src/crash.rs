//! Aborts or stops the process at a named point, so that tests can check how the next process recovers.
//!
//! In: the name of the point that was reached. Out: nothing. Never: part of a release build. A test arms one
//! point by `GENESYNC_CRASH_AT`: `C06` fires the first time that the point is reached, `C06:2` the second
//! time, and `C06:1:stop` stops the process there until a SIGCONT.

/// Aborts or stops the process if this point is armed. An abort is like a power cut: nothing is dropped,
/// flushed or logged.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Armed {
        name: String,
        left: AtomicU32,
        stops: bool,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let text = crate::config::env::crash_at()?;
        let mut parts = text.split(':');
        let name = parts.next()?.to_owned();
        let hit = parts.next().and_then(|hit| hit.parse().ok()).unwrap_or(1);
        Some(Armed { name, left: AtomicU32::new(hit), stops: parts.next() == Some("stop") })
    });

    let Some(armed) = ARMED.as_ref().filter(|armed| armed.name == name) else { return };
    // The counter wraps below zero, so a point fires once.
    if armed.left.fetch_sub(1, Ordering::SeqCst) != 1 {
        return;
    }
    if !armed.stops {
        std::process::abort();
    }
    // The standard library cannot stop a process, and `kill` returns once the signal is sent: on a busy
    // machine this thread could still run for a while. So it waits for a shell that polls until every thread
    // is stopped. The shell gives up after 500 polls, because a test may continue the process earlier.
    let script = "kill -STOP \"$0\"; n=0; \
        while [ $n -lt 500 ] && cut -d')' -f2- /proc/\"$0\"/task/*/stat | grep -qv '^ T'; \
        do n=$((n+1)); sleep 0.01; done";
    let id = std::process::id().to_string();
    let stopped = std::process::Command::new("sh").args(["-c", script, &id]).status();
    tracing::warn!(?stopped, point = name, "went on after a stop");
}

/// Does nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_name: &str) {}
