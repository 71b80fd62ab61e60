//! A port: logs, on stderr, where the operator asks for them.

use std::io;

use tracing_subscriber::EnvFilter;

/// Starts logging what `filter` asks for; nothing where it is none or can't be read.
pub fn start(filter: Option<&str>) {
    let Some(filter) = filter.and_then(|filter| EnvFilter::try_new(filter).ok()) else { return };
    // A second start, in a test, keeps the first: that is no fault.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).try_init();
}
