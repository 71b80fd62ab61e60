//! Ends or stops the process at a named point, so that tests can show what the next one makes of it.
//!
//! In: the name of a point that was reached. Out: nothing. Never: part of a release build. A test arms one
//! point by `GENESYNC_CRASH_AT`: `C06` is the first time that it is reached, `C06:2` the second, and
//! `C06:1:stop` stops the process there until somebody continues it.

/// Reached a point: where it is armed, the process ends as a power cut would end it. Nothing is dropped,
/// flushed or told.
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
    // Below zero it wraps: a point fires once.
    if armed.left.fetch_sub(1, Ordering::SeqCst) != 1 {
        return;
    }
    if !armed.stops {
        std::process::abort();
    }
    // No safe call stops a process, and whoever is asked to is done once the signal is sent: on a busy machine this
    // thread could go on for a while. So it waits for one who waits until every thread stands still. Where somebody
    // continues the process before that was seen, there is an end to it as well.
    let script = "kill -STOP \"$0\"; n=0; \
        while [ $n -lt 500 ] && cut -d')' -f2- /proc/\"$0\"/task/*/stat | grep -qv '^ T'; \
        do n=$((n+1)); sleep 0.01; done";
    let id = std::process::id().to_string();
    let stopped = std::process::Command::new("sh").args(["-c", script, &id]).status();
    tracing::warn!(?stopped, point = name, "went on after a stop");
}

/// Nothing, in a release.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_name: &str) {}
