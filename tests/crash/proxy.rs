//! A proxy between one process and the emulator: it records each request and its time, and springs traps.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::rig::{RUNTIME, is_write};

/// One recorded request.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub begun: Instant,
    pub ended: Option<Instant>,
}

/// What happens to a chosen write.
pub enum Trap {
    /// Half of its body is forwarded, or half of its head if it has no body. Then this function is called,
    /// and the rest is never sent.
    Half { nth: u32, then: Box<dyn Fn() + Send + Sync> },
    /// It is forwarded once it is released, even if no client waits for the answer any more.
    Hold { nth: u32 },
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    trap: Mutex<Option<Trap>>,
    writes: Mutex<u32>,
    sprung: Mutex<u32>,
    let_go: Notify,
}

pub struct Proxy {
    pub url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy before a server at `http://address`.
    pub fn before(url: &str) -> Self {
        let upstream: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
        let shared = Arc::new(Shared::default());
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = RUNTIME.spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let shared = Arc::clone(&shared);
                    // Broken connections are the purpose of this proxy.
                    tokio::spawn(async move { pass(client, upstream, &shared).await.unwrap_or_default() });
                }
            }
        });
        Self { url, shared, task }
    }

    pub fn set(&self, trap: Trap) {
        *self.shared.writes.lock().unwrap() = 0;
        *self.shared.trap.lock().unwrap() = Some(trap);
    }

    /// Forwards a held request.
    pub fn let_go(&self) {
        self.shared.let_go.notify_one();
    }

    /// Returns how often a trap was sprung.
    pub fn sprung(&self) -> u32 {
        *self.shared.sprung.lock().unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, upstream: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    loop {
        let Some((head, body)) = message(&mut client, &mut from_client).await? else { return Ok(()) };
        let first = String::from_utf8_lossy(&head);
        let mut words = first.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let writes = is_write(method, path);
        let seen = Seen { method: method.into(), path: path.into(), begun: Instant::now(), ended: None };
        let index = {
            let mut log = shared.seen.lock().unwrap();
            log.push(seen);
            log.len() - 1
        };
        if writes {
            match sprung(shared) {
                Some(Trap::Half { then, .. }) => {
                    let begun = if body.is_empty() { &head[..head.len() / 2] } else { &head };
                    server.write_all(begun).await?;
                    server.write_all(&body[..body.len() / 2]).await?;
                    server.flush().await?;
                    then();
                    return Ok(());
                }
                Some(Trap::Hold { .. }) => shared.let_go.notified().await,
                None => {}
            }
        }
        server.write_all(&head).await?;
        server.write_all(&body).await?;
        let answer = message(&mut server, &mut from_server).await?;
        shared.seen.lock().unwrap()[index].ended = Some(Instant::now());
        let Some((head, body)) = answer else { return Ok(()) };
        client.write_all(&head).await?;
        client.write_all(&body).await?;
    }
}

/// Counts a write, and takes the trap if it is for this write.
fn sprung(shared: &Shared) -> Option<Trap> {
    let mut writes = shared.writes.lock().unwrap();
    *writes += 1;
    let mut trap = shared.trap.lock().unwrap();
    let mine = trap.as_ref().is_some_and(|trap| match trap {
        Trap::Half { nth, .. } | Trap::Hold { nth } => *nth == *writes,
    });
    if !mine {
        return None;
    }
    *shared.sprung.lock().unwrap() += 1;
    trap.take()
}

/// Returns one message: its head with the empty line, and its body. None if the other side closed.
async fn message(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head: Vec<u8> = buffer.drain(..end).collect();
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = buffer.drain(..length).collect();
    Ok(Some((head, body)))
}
