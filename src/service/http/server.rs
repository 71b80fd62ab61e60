//! Connections: their number, their lifetime, and what happens if the system cannot accept one more.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::options::ServeOptions;
use super::router::router;
use super::signature::HookSecrets;
use super::surface::Surface;

/// Largest size of a request's headers, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Largest number of headers of a request.
const HEADERS_MAX: usize = 64;
/// The wait after a failed accept: long enough not to spin, short enough for a probe.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Consecutive failures after which a connection is closed. Without a free descriptor accepting fails even if
/// no client waits, and short requests end by themselves.
const ACCEPT_FAILURES_MAX: u32 = 10;

/// Serves until `stop` ends, then ends open requests within their timeout. There is a webhook only if there
/// are `secrets`.
pub async fn serve(
    listener: TcpListener,
    surface: Arc<dyn Surface>,
    secrets: Option<HookSecrets>,
    options: ServeOptions,
    stop: impl Future<Output = ()> + Send,
) {
    let router = router(surface, secrets, &options);
    let stopping = CancellationToken::new();
    let mut stop = pin!(stop);
    let mut connections = JoinSet::new();
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    let mut failures = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        // Drops ended connections. A panic closed its connection and is in the log already.
        while connections.try_join_next().is_some() {}
        open.retain(|connection| !connection.is_finished());
        match accepted {
            Ok((stream, _)) => {
                failures = 0;
                if open.len() >= options.connections_max {
                    close_oldest(&mut open);
                }
                let connection = answer(stream, router.clone(), stopping.clone(), options.clone());
                open.push_back(connections.spawn(connection));
            }
            // The client closed the connection before it was accepted.
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                // No descriptors or no memory are left. This logs only every tenth failure, about once a
                // second.
                failures += 1;
                if failures % ACCEPT_FAILURES_MAX == 0 {
                    tracing::warn!(%error, open = open.len(), "cannot accept connections");
                    close_oldest(&mut open);
                }
                tokio::select! {
                    biased;
                    () = &mut stop => break,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
    drop(listener);
    stopping.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(options.stop_timeout, ended).await.is_err() {
        connections.shutdown().await;
    }
}

fn close_oldest(open: &mut VecDeque<AbortHandle>) {
    if let Some(oldest) = open.pop_front() {
        oldest.abort();
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn answer(stream: TcpStream, router: Router, stopping: CancellationToken, options: ServeOptions) {
    // A failure only makes it slower.
    let _ = stream.set_nodelay(true);
    // Only HTTP/1.1: probes, scrapers and forges support it, and it has no streams to open and reset.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        // Counts from the end of the last request, so it also ends idle connections.
        .header_read_timeout(options.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // Errors of the connection concern only the client.
        _ = connection.as_mut() => return,
        () = stopping.cancelled() => {}
        () = tokio::time::sleep(options.connection_age_max) => {}
    }
    connection.as_mut().graceful_shutdown();
    // The connection of a client that does not read its answer is dropped.
    let _ = tokio::time::timeout(options.stop_timeout, connection).await;
}
