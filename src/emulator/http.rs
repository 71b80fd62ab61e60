//! Serves the world over a socket.
//!
//! In: TCP connections. Out: the answers of [`World::handle`] after their delay, and a closed connection if
//! there is no answer. Never: refuses a request, except one whose body is too large. Start reading at
//! [`serve`].

use crate::emulator::message::{Handled, Request, Response};
use crate::emulator::world::World;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::serve::{IncomingStream, Listener};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Serves the world over HTTP/1.1 and HTTP/2 until `shutdown` completes and all open requests have an answer.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    world: Arc<Mutex<World>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = Router::new().fallback(answer).with_state(world);
    let service = service.into_make_service_with_connect_info::<Peer>();
    axum::serve(CuttableListener(listener), service).with_graceful_shutdown(shutdown).await
}

async fn answer(
    State(world): State<Arc<Mutex<World>>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: HttpRequest,
) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let mut headers = BTreeMap::new();
    for (name, value) in &parts.headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        let place: &mut String = headers.entry(name.as_str().to_owned()).or_default();
        if !place.is_empty() {
            place.push_str(", ");
        }
        place.push_str(&text);
    }
    headers.entry("x-forwarded-for".to_owned()).or_insert_with(|| peer.address.ip().to_string());
    let mut request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
    };
    let body = to_bytes(body, BODY_BYTES_MAX).await;
    let handled = {
        // A world is consistent between calls and no call panics, so a poisoned lock is safe to use.
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        // Reads the clock under the lock, so that the world gets times in order.
        let now = crate::clock::now();
        match body {
            Ok(body) => {
                request.body = body.into();
                world.handle(&request, now)
            }
            Err(_) => world.refuse_body(&request, now),
        }
    };
    let Handled { response, delay_ms } = handled;
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    match response {
        Some(response) => to_http(response),
        None => {
            // The empty answer wakes the connection. The connection cannot write the answer, so it closes.
            peer.cut.store(true, Ordering::Release);
            axum::response::Response::new(Body::empty())
        }
    }
}

fn to_http(response: Response) -> axum::response::Response {
    let mut answer = axum::response::Response::new(Body::from(Bytes::from_owner(response.body)));
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

/// The connection of a handler.
#[derive(Clone, Debug)]
struct Peer {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Connected<IncomingStream<'_, CuttableListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Peer {
        Peer { address: *stream.remote_addr(), cut: stream.io().cut.clone() }
    }
}

/// Accepts connections that a handler can cut.
struct CuttableListener(TcpListener);

impl Listener for CuttableListener {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (CuttableStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Without this option the connection is only slower.
        let _ = stream.set_nodelay(true);
        (CuttableStream { stream, cut: Arc::new(AtomicBool::new(false)) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection that fails after it was cut, so that the server closes it.
struct CuttableStream {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl CuttableStream {
    /// Returns the stream, unless it was cut.
    fn open(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.cut.load(Ordering::Acquire) {
            return Err(io::Error::from(io::ErrorKind::ConnectionReset));
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.open()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.open()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::{Seed, World, serve};
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::{Arc, Mutex};

    /// Sends bytes and reads until the server closes.
    fn exchange(address: SocketAddr, sent: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        // If the server wrongly keeps the connection, the test fails instead of waiting for ever.
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        // The server can close before it has read everything.
        let _ = stream.write_all(sent.as_bytes());
        let mut received = Vec::new();
        match stream.read_to_end(&mut received) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
            // A reset also closes the connection.
            _ => {}
        }
        String::from_utf8_lossy(&received).into_owned()
    }

    fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!("{method} {target} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n{body}")
    }

    #[test]
    fn answers_drops_and_refuses_over_a_socket() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let world = Arc::new(Mutex::new(World::new(&Seed::unconfigured("c", "s"))));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = runtime.spawn(serve(listener, world.clone(), async {
            let _ = stopped.await;
        }));

        let close = "connection: close\r\n";
        let form = "grant_type=client_credentials&client_id=c&client_secret=s";
        let answer = exchange(address, &request("POST", "/oauth/token", close, form));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("emulator-token-1"), "{answer}");

        let faults = r#"{"faults":[{"match":{"method":"PUT"},"do":{"drop":"before"}},
            {"match":{"method":"PUT"},"nth":2,"do":{"drop":"after"}},
            {"match":{"method":"GET"},"do":{"drop":"before"}}]}"#;
        let answer = exchange(address, &request("POST", "/_emulator/faults", close, faults));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

        // Both requests ask to keep the connection, and the server closes it without an answer.
        let path = "/api/v2/webchat/organizations/o/configurations";
        let bearer = "authorization: Bearer emulator-token-1\r\n";
        for expected in [None, Some(1)] {
            assert_eq!(exchange(address, &request("PUT", path, bearer, "{\"n\":1}")), "");
            let world = world.lock().unwrap();
            assert_eq!(world.configuration("o").map(|known| known.version), expected);
        }
        // A pipelined request also gets no answer.
        let pipelined = request("GET", path, bearer, "").repeat(2);
        assert_eq!(exchange(address, &pipelined), "");

        let answer = exchange(address, &request("GET", path, &format!("{bearer}{close}"), ""));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("etag: \"1\""), "{answer}");
        assert!(answer.contains("\r\n\r\n{\"n\":1,\"version\":1,"), "{answer}");
        assert_eq!(world.lock().unwrap().audit()[0].remote_ip, "127.0.0.1");

        let large = "x".repeat(1024 * 1024 + 1);
        let refused = exchange(address, &request("PUT", path, &format!("{bearer}{close}"), &large));
        // The server can close before the client has sent everything; it must not store the body.
        assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 413"), "{refused}");
        assert_eq!(world.lock().unwrap().configuration("o").map(|known| known.version), Some(1));

        stop.send(()).unwrap();
        runtime.block_on(server).unwrap().unwrap();
    }
}
