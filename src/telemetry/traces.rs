//! Sends spans to a collector, as OTLP over HTTP.
//!
//! Spans wait in the SDK's bounded queue, and separate threads send them. A slow or dead collector loses
//! spans, but does not slow genesync down.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use reqwest::redirect;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use url::Url;

use super::TelemetryError;
use super::mask::masked;
use crate::model::Secret;
use crate::model::proxies::Proxies;

/// Time limit for one batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// The destination of spans.
#[derive(Debug, Clone)]
pub struct TraceOptions {
    /// The collector's base URL, such as `http://127.0.0.1:4318`; spans are sent to `v1/traces` under it.
    pub endpoint: Url,
    /// Headers for the collector, such as `authorization`.
    pub headers: Vec<(String, Secret)>,
    /// The proxy for spans.
    pub proxies: Proxies,
}

/// The running exporter.
pub struct Traces {
    provider: SdkTracerProvider,
    // Its thread runs the exporter's HTTP client, and ends when this is dropped.
    _running: oneshot::Sender<()>,
}

impl Traces {
    /// Starts the exporter. The collector does not have to be reachable.
    pub fn start(options: &TraceOptions) -> Result<Self, TelemetryError> {
        let refuse = |reason: String| TelemetryError::Traces { reason };
        let proxies = options.proxies.clone();
        let http = reqwest::Client::builder()
            .proxy(reqwest::Proxy::custom(move |url| proxies.of(url)))
            .redirect(redirect::Policy::none())
            .timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        let headers: HashMap<String, String> =
            options.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(http)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(traces_url(&options.endpoint))
            .with_timeout(EXPORT_TIMEOUT)
            .with_headers(headers)
            .build()
            .map_err(|error| refuse(error.to_string()))?;

        // The SDK sends from its own thread, which has no async runtime for the HTTP client. The program's
        // own runtimes exist only during a command.
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| refuse(error.to_string()))?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("genesync-traces".into())
            .spawn(move || {
                // An error means that the sender was dropped, which ends the thread.
                let _ = runtime.block_on(ended);
            })
            .map_err(|error| refuse(error.to_string()))?;

        let resource = Resource::builder_empty()
            .with_service_name("genesync")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let exporter = Exporter { inner: Arc::new(exporter), handle, failing: Arc::default() };
        let provider =
            SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        Ok(Self { provider, _running: running })
    }

    /// Returns the tracer for a subscriber's layer.
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer("genesync")
    }

    /// Sends waiting spans and stops, after at most `limit`.
    pub fn finish(&self, limit: Duration) {
        // Spans that cannot be sent within the limit are lost, because the process is about to end. A
        // second call has no effect.
        let _ = self.provider.shutdown_with_timeout(limit);
    }
}

fn traces_url(endpoint: &Url) -> String {
    format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'))
}

/// The OTLP exporter, run in a runtime for its HTTP client, with known secrets masked.
#[derive(Debug)]
struct Exporter {
    inner: Arc<opentelemetry_otlp::SpanExporter>,
    handle: Handle,
    failing: Arc<AtomicBool>,
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let (inner, failing) = (Arc::clone(&self.inner), Arc::clone(&self.failing));
        let task = self.handle.spawn(async move {
            let batch = batch.into_iter().map(without_secrets).collect();
            let sent = tokio::time::timeout(EXPORT_TIMEOUT, inner.export(batch)).await;
            let sent = sent.unwrap_or(Err(OTelSdkError::Timeout(EXPORT_TIMEOUT)));
            // Logged only when it changes, not with every batch of a collector that is down for a day.
            match &sent {
                Err(error) if !failing.swap(true, Ordering::Relaxed) => {
                    tracing::warn!(%error, "cannot export traces, so spans are lost");
                }
                Ok(()) if failing.swap(false, Ordering::Relaxed) => {
                    tracing::info!("traces are exported again")
                }
                _ => {}
            }
            sent
        });
        task.await.unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())))
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}

fn without_secrets(mut span: SpanData) -> SpanData {
    let mask = |attributes: &mut Vec<KeyValue>| {
        for attribute in attributes {
            if let Value::String(text) = &attribute.value {
                attribute.value = Value::String(StringValue::from(masked(text.as_str()).into_owned()));
            }
        }
    };
    mask(&mut span.attributes);
    for event in &mut span.events.events {
        event.name = masked(&event.name).into_owned().into();
        mask(&mut event.attributes);
    }
    if let opentelemetry::trace::Status::Error { description } = &mut span.status {
        *description = masked(description).into_owned().into();
    }
    span
}
