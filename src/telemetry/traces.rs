//! Spans on their way to a collector, as OTLP over HTTP.
//!
//! They wait in the SDK's bounded queue, and threads of their own send them: a collector that is slow or
//! dead costs spans, and nobody's time.

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

/// How long the collector may take for one batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where spans go.
#[derive(Debug, Clone)]
pub struct TraceOptions {
    /// The collector's base URL, such as `http://127.0.0.1:4318`; spans go to `v1/traces` under it.
    pub endpoint: Url,
    /// Headers that the collector asks for, such as `authorization`.
    pub headers: Vec<(String, Secret)>,
    /// The proxy that spans leave through.
    pub proxies: Proxies,
}

/// The running exporter.
pub struct Traces {
    provider: SdkTracerProvider,
    // Its thread runs the exporter's HTTP client, and ends when this goes.
    _running: oneshot::Sender<()>,
}

impl Traces {
    /// Starts exporting. The collector need not be there.
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

        // The SDK sends from a thread of its own, where the HTTP client finds no runtime. The program's own
        // runtimes come and go with its commands.
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| refuse(error.to_string()))?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("genesync-traces".into())
            .spawn(move || {
                // The error is the other half being dropped: the end.
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

    /// What a subscriber's layer makes spans with.
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer("genesync")
    }

    /// Sends what waits and stops, at most for `limit`.
    pub fn finish(&self, limit: Duration) {
        // Spans that can't be sent within the limit are lost: the process is about to end. A second call
        // finds it stopped.
        let _ = self.provider.shutdown_with_timeout(limit);
    }
}

fn traces_url(endpoint: &Url) -> String {
    format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'))
}

/// The OTLP exporter, run where its HTTP client can, and without known secrets in what it sends.
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
            // Told when it changes, not with every batch of a collector that is down for a day.
            match &sent {
                Err(error) if !failing.swap(true, Ordering::Relaxed) => {
                    tracing::warn!(%error, "traces can't be exported; spans are lost until they can");
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
