//! A proxy between a process and PostgreSQL: it forwards bytes, late or not at all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::RUNTIME;

#[derive(Default)]
struct Shared {
    delay_ms: AtomicU64,
    /// The number of commits until one loses its answer; 0 for never.
    commits_left: AtomicU32,
    cut: AtomicU32,
}

pub struct Wire {
    port: u16,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Wire {
    pub fn before(server: (&'static str, u16)) -> Self {
        let server: SocketAddr = format!("{}:{}", server.0, server.1).parse().unwrap();
        let shared = Arc::new(Shared::default());
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = RUNTIME.spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move { pass(client, server, &shared).await.unwrap_or_default() });
                }
            }
        });
        Self { port, shared, task }
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://genesync@127.0.0.1:{}/{database}", self.port)
    }

    /// Delays every answer from now on.
    pub fn delay(&self, by: Duration) {
        self.shared.delay_ms.store(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// The n-th commit from now on reaches the server, and its answer is lost.
    pub fn cut_after_commit(&self, n: u32) {
        self.shared.commits_left.store(n, Ordering::SeqCst);
    }

    /// Returns how many connections were cut.
    pub fn cut(&self) -> u32 {
        self.shared.cut.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, server: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_client.read(&mut buffer).await?;
            if read == 0 {
                return std::io::Result::Ok(());
            }
            let sent = &buffer[..read];
            to_server.write_all(sent).await?;
            let commits = sent.windows(6).any(|six| six == b"COMMIT");
            let last = |left: u32| left.checked_sub(1);
            if commits && shared.commits_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, last) == Ok(1)
            {
                shared.cut.fetch_add(1, Ordering::SeqCst);
                // The server has the commit; the client only sees a closed connection.
                return Ok(());
            }
        }
    };
    let answering = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 {
                return std::io::Result::Ok(());
            }
            let delay_ms = shared.delay_ms.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    // When one side closes, both connections close.
    tokio::select! {
        ended = asking => ended,
        ended = answering => ended,
    }
}
