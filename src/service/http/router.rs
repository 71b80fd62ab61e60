//! The routes: probes and metrics, and the webhook if there are secrets.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};

use super::answer::{plain, probe};
use super::hooks::{self, Hooks};
use super::options::ServeOptions;
use super::signature::HookSecrets;
use super::surface::Surface;
use crate::telemetry::metrics::CONTENT_TYPE;

/// Returns the routes. Without secrets there is no webhook.
pub fn router(surface: Arc<dyn Surface>, secrets: Option<HookSecrets>, options: &ServeOptions) -> Router {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(&surface));
    let router = match secrets {
        Some(secrets) => {
            let hooks = Arc::new(Hooks::new(surface, secrets, options));
            router.route("/hooks/git", post(hooks::git).with_state(hooks))
        }
        None => router,
    };
    router.layer(from_fn(with_host))
}

/// Refuses HTTP/1.1 without exactly one `Host`, as RFC 9112, 3.2 requires: a proxy may read such a request
/// differently from this server.
async fn with_host(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if request.version() == Version::HTTP_11 && hosts != 1 {
        return plain(StatusCode::BAD_REQUEST, "HTTP/1.1 requires exactly one `Host`\n");
    }
    next.run(request).await
}

async fn healthz(State(surface): State<Arc<dyn Surface>>) -> Response {
    probe(surface.healthy())
}

async fn readyz(State(surface): State<Arc<dyn Surface>>) -> Response {
    probe(surface.ready())
}

async fn metrics(State(surface): State<Arc<dyn Surface>>) -> Response {
    let mut response = plain(StatusCode::OK, surface.metrics());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}
