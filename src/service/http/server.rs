//! Connections: how many, for how long, and what happens when the system has no room for one more.

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

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// The wait after an accept that failed: long enough not to spin, short enough for a probe.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// After so many failures in a row connections are closed. Without a free descriptor accepting fails even
/// where nobody waits, and short requests end by themselves.
const ACCEPT_FAILURES_MAX: u32 = 10;

/// Serves until `stop` is done, then ends what is open within its time. There is a webhook where there are
/// `secrets`.
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
        // What ended is forgotten, and a panic with it: its connection has gone, and the log has told.
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
            // The client was gone again before it was its turn.
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                // No descriptors or no memory are left. A log that says so ten times a second helps nobody.
                failures += 1;
                if failures % ACCEPT_FAILURES_MAX == 0 {
                    tracing::warn!(%error, open = open.len(), "connections can't be accepted");
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
    // Only slower without it.
    let _ = stream.set_nodelay(true);
    // HTTP/1.1 alone: probes, scrapers and forges speak it, and it has no streams to open and reset.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        // Counts from the end of the last request: an idle connection ends by it as well.
        .header_read_timeout(options.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // How it ended is the client's affair.
        _ = connection.as_mut() => return,
        () = stopping.cancelled() => {}
        () = tokio::time::sleep(options.connection_age_max) => {}
    }
    connection.as_mut().graceful_shutdown();
    // A client that does not take its answer is left.
    let _ = tokio::time::timeout(options.stop_timeout, connection).await;
}
