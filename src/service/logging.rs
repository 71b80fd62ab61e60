//! The log filter and the traces of a process.

use crate::config::{Settings, file};
use crate::telemetry::{LogFormat, Options, TraceOptions};

/// The default log filter of a process: its log is its only output.
pub(super) const LOG: &str = "genesync=info";

/// Returns the options of logs and traces. `asked`, the filter of this start, overrides the settings.
pub fn logging(settings: &Settings, asked: Option<String>) -> Options {
    let controller = &settings.controller;
    Options {
        filter: Some(filter(settings, asked)),
        format: match controller.log_format {
            file::LogFormat::Json => LogFormat::Json,
            file::LogFormat::Text => LogFormat::Text,
        },
        traces: controller.otlp_endpoint.clone().map(|endpoint| TraceOptions {
            endpoint,
            headers: Vec::new(),
            proxies: settings.proxies.clone(),
        }),
    }
}

/// Returns the log filter.
pub(super) fn filter(settings: &Settings, asked: Option<String>) -> String {
    asked.or_else(|| settings.controller.log.clone()).unwrap_or_else(|| LOG.to_owned())
}
