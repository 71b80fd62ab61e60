//! What a process logs and traces unless the operator says otherwise.

use crate::config::{Settings, file};
use crate::telemetry::{LogFormat, Options, TraceOptions};

/// What a process logs unless told otherwise: whoever starts it reads of it only there.
pub(super) const LOG: &str = "genesync=info";

/// What a process logs and traces. What the operator `asked` for with this start comes before the settings.
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

/// Which lines are logged.
pub(super) fn filter(settings: &Settings, asked: Option<String>) -> String {
    asked.or_else(|| settings.controller.log.clone()).unwrap_or_else(|| LOG.to_owned())
}
