//! A port: logs on stderr, traces to a collector, and the metrics, where the operator asks for them.
//!
//! In: spans and events of `tracing`, and secrets that must not be seen. Out: lines, OTLP requests, Prometheus
//! text. Never: makes whoever logs wait, or lets a known secret or a control character pass. Start reading at
//! [`start`], then `writer.rs`.

mod labels;
mod mask;
pub mod metrics;
mod process;
mod traces;
mod writer;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

pub use mask::{mask, mask_token, masked};
pub use metrics::Metrics;
pub use traces::TraceOptions;
use traces::Traces;
use writer::{Lines, ToLines};

/// How long the end of the program waits for lines and for spans, each.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for a collector.
    Json,
}

/// What the operator asks for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What is logged, such as `info` or `genesync::api=debug`; nothing where it is none.
    pub filter: Option<String>,
    /// How.
    pub format: LogFormat,
    /// Where traces go; there are none where it is none.
    pub traces: Option<TraceOptions>,
}

/// Why telemetry can't be started or changed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter can't be read.
    #[error("`{given}` is no log filter: {reason}")]
    Filter {
        /// As given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing is logged, so there is no filter to change.
    #[error("logging was not started")]
    NotLogging,
    /// The thread that writes lines can't be started.
    #[error("the log can't be written")]
    Lines(#[source] io::Error),
    /// The exporter can't be set up.
    #[error("traces can't be exported: {reason}")]
    Traces {
        /// Why.
        reason: String,
    },
}

type FilterHandle = reload::Handle<EnvFilter, Registry>;

/// What was started. The default is nothing, and does nothing.
#[derive(Default)]
pub struct Telemetry {
    filter: Option<FilterHandle>,
    lines: Option<Arc<Lines>>,
    traces: Option<Traces>,
}

/// Starts what is asked for, for the whole process. A second start keeps the first subscriber: that happens
/// in tests alone.
///
/// # Errors
/// The filter can't be read, or a thread can't be started.
pub fn start(options: &Options) -> Result<Telemetry, TelemetryError> {
    if options.filter.is_none() && options.traces.is_none() {
        return Ok(Telemetry::default());
    }
    let (dispatch, telemetry) = build(options, stderr())?;
    let _ = dispatch.try_init();
    Ok(telemetry)
}

/// Sends what panics say through the log instead of writing it to stderr, where a full pipe would block the
/// panicking thread. For a process that outlives a panic of one of its tasks.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        tracing::error!(target: "genesync::panic", place, message);
    }));
}

fn build(
    options: &Options,
    sink: impl Write + Send + 'static,
) -> Result<(Dispatch, Telemetry), TelemetryError> {
    let traces = options.traces.as_ref().map(Traces::start).transpose()?;
    let mut telemetry = Telemetry { traces, ..Telemetry::default() };
    let mut log = None;
    if let Some(text) = &options.filter {
        let lines = Lines::start(sink, options.format).map_err(TelemetryError::Lines)?;
        let (filter, handle) = reload::Layer::new(filter(text)?);
        let layer = fmt::layer().with_writer(ToLines(Arc::clone(&lines))).with_ansi(false);
        let layer = match options.format {
            LogFormat::Text => layer.boxed(),
            LogFormat::Json => layer.json().with_current_span(true).with_span_list(false).boxed(),
        };
        log = Some(layer.with_filter(filter));
        telemetry.lines = Some(lines);
        telemetry.filter = Some(handle);
    }
    let spans = telemetry.traces.as_ref().map(|traces| {
        // Ours alone: the exporter's own HTTP client speaks of itself with every batch.
        let ours = filter_fn(|metadata| {
            *metadata.level() <= Level::INFO && metadata.target().split("::").next() == Some("genesync")
        });
        tracing_opentelemetry::layer()
            .with_tracer(traces.tracer())
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
    });
    Ok((Dispatch::new(tracing_subscriber::registry().with(log).with(spans)), telemetry))
}

fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let refuse = |reason: String| TelemetryError::Filter { given: text.into(), reason };
    EnvFilter::try_new(text).map_err(|error| refuse(error.to_string()))
}

/// A handle of its own: the standard one is locked while it writes, and a full pipe would lock everybody out.
fn stderr() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        if let Ok(own) = io::stderr().as_fd().try_clone_to_owned() {
            return Box::new(std::fs::File::from(own));
        }
    }
    Box::new(io::stderr())
}

impl Telemetry {
    /// Logs what this filter asks for from now on.
    ///
    /// # Errors
    /// It can't be read, in which case the one before stays, or nothing was logged from the start.
    pub fn set_filter(&self, text: &str) -> Result<(), TelemetryError> {
        let handle = self.filter.as_ref().ok_or(TelemetryError::NotLogging)?;
        handle.reload(filter(text)?).map_err(|_| TelemetryError::NotLogging)
    }

    /// Log lines that never left.
    pub fn dropped(&self) -> u64 {
        self.lines.as_ref().map_or(0, |lines| lines.dropped())
    }

    /// Sends the spans and writes the lines that wait, for at most a few seconds: the last thing that a
    /// program does. Spans that come later are lost; lines are written still.
    pub fn flush(&self) {
        if let Some(traces) = &self.traces {
            traces.finish(FLUSH_LIMIT);
        }
        if let Some(lines) = &self.lines {
            lines.flush(FLUSH_LIMIT);
        }
    }
}

#[cfg(test)]
mod tests;
