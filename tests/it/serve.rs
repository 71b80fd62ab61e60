//! The HTTP server of the process over real sockets, and hostile clients.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use genesync::model::Secret;
use genesync::service::http::{HookSecrets, ServeOptions, Surface, serve};
use genesync::telemetry::metrics::HookResult;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::oneshot;

const LONG: Duration = Duration::from_secs(20);
const SECRET: &str = "correct horse battery staple";

#[derive(Default)]
struct Fake {
    trouble: Mutex<Option<String>>,
    hints: AtomicUsize,
    hooked: Mutex<Vec<HookResult>>,
}

impl Surface for Fake {
    fn healthy(&self) -> Result<(), String> {
        self.trouble.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn ready(&self) -> Result<(), String> {
        Err("no head was loaded yet\u{1b}[2J\nsecond line".into())
    }

    fn metrics(&self) -> String {
        "# EOF\n".into()
    }

    fn hint(&self) {
        self.hints.fetch_add(1, Ordering::SeqCst);
    }

    fn hooked(&self, result: HookResult) {
        self.hooked.lock().unwrap().push(result);
    }
}

struct Served {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    fake: Arc<Fake>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<tokio::task::JoinHandle<()>>,
}

impl Served {
    fn with(secrets: &[&str], options: ServeOptions) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let fake = Arc::new(Fake::default());
        let secrets = secrets.iter().map(|text| Secret::new((*text).to_owned())).collect();
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let secrets = HookSecrets::new(secrets).ok();
        let server =
            runtime.spawn(serve(listener, Arc::clone(&fake) as Arc<dyn Surface>, secrets, options, stopped));
        Self { runtime, address, fake, stop: Some(stop), server: Some(server) }
    }

    fn new() -> Self {
        Self::with(&[SECRET], ServeOptions { hooks_per_minute: 10_000, ..ServeOptions::default() })
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// Sends a whole request and reads until the server closes.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        // The server may refuse before the whole request is sent.
        let _ = stream.write_all(request.as_bytes());
        read_all(&mut stream)
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    }

    fn hook(&self, headers: &[(&str, &str)], body: &str) -> String {
        self.ask(&hook(headers, body))
    }

    fn hints(&self) -> usize {
        self.fake.hints.load(Ordering::SeqCst)
    }

    fn hooked(&self) -> Vec<HookResult> {
        self.fake.hooked.lock().unwrap().clone()
    }
}

fn hook(headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "POST /hooks/git HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// Returns what the server sent until it closed; a reset counts as a closed connection.
fn read_all(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8_lossy(&received).into_owned(),
    }
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn signed(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[test]
fn probes_answer_with_one_line() {
    let served = Served::new();
    let answer = served.get("/healthz");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
    *served.fake.trouble.lock().unwrap() = Some("x".repeat(5000));
    let answer = served.get("/healthz");
    assert_eq!((status(&answer), answer.len() < 600), (503, true), "{answer}");
    let answer = served.get("/readyz");
    assert_eq!(status(&answer), 503);
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    assert_eq!(body, "no head was loaded yet\\u{1b}[2J\\u{a}second line\n");
    let answer = served.get("/metrics");
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    assert!(answer.ends_with("# EOF\n"), "{answer}");
    for (request, code) in
        [("GET / HTTP/1.1", 404), ("POST /healthz HTTP/1.1", 405), ("GET /hooks/git HTTP/1.1", 405)]
    {
        let answer = served.ask(&format!("{request}\r\nhost: x\r\nconnection: close\r\n\r\n"));
        assert_eq!(status(&answer), code, "{request}");
    }
}

#[test]
fn without_secrets_there_is_no_webhook() {
    let served = Served::with(&[], ServeOptions::default());
    let answer = served.hook(&[("x-hub-signature-256", &signed("", "{}"))], "{}");
    assert_eq!((status(&answer), served.hints()), (404, 0));
}

#[test]
fn a_signed_push_is_a_hint_and_nothing_in_its_body_matters() {
    let served = Served::with(&["the old secret 2025", SECRET], ServeOptions::default());
    for (number, body) in ["", "{}", "not json \u{0}", "{\"ref\":\"refs/heads/evil\"}"].iter().enumerate() {
        let signature = signed(SECRET, body);
        let answer = served.hook(&[("x-hub-signature-256", &signature), ("x-github-event", "push")], body);
        assert_eq!((status(&answer), served.hints()), (202, number + 1), "{body}");
    }
    let old = signed("the old secret 2025", "b");
    assert_eq!(status(&served.hook(&[("x-hub-signature-256", &old), ("x-github-event", "push")], "b")), 202);
    let gitlab = [("x-gitlab-token", SECRET), ("x-gitlab-event", "Push Hook")];
    assert_eq!(status(&served.hook(&gitlab, "{}")), 202);
    assert_eq!(served.hints(), 6);
    // Signed, but no push.
    let signature = signed(SECRET, "{}");
    for (event, result) in [("ping", HookResult::Ping), ("issues", HookResult::Ignored)] {
        let answer = served.hook(&[("x-hub-signature-256", &signature), ("x-github-event", event)], "{}");
        assert_eq!((status(&answer), served.hooked().last()), (200, Some(&result)));
    }
    assert_eq!(served.hints(), 6);
}

// Guarantee: unsigned-learns-nothing
#[test]
fn the_answer_to_a_bad_signature_reveals_nothing() {
    let served = Served::new();
    let good = signed(SECRET, "{}");
    let mut answers = Vec::new();
    for headers in [
        &[][..],
        &[("x-hub-signature-256", "")],
        &[("x-hub-signature-256", &good[..70])],
        &[("x-hub-signature-256", &good.to_uppercase())],
        &[("x-hub-signature-256", &signed("another secret of some length", "{}"))],
        &[("x-hub-signature-256", &signed(SECRET, "{ }"))],
        &[("x-gitlab-token", "wrong")],
        &[("x-gitlab-token", "")],
        &[("webhook-signature", "v1,AAAA"), ("webhook-id", "1"), ("webhook-timestamp", "1")],
    ] {
        for event in ["push", "ping"] {
            let headers: Vec<_> = headers.iter().copied().chain([("x-github-event", event)]).collect();
            let answer = served.hook(&headers, "{}");
            assert_eq!(status(&answer), 401, "{headers:?}");
            let date = answer.lines().find(|line| line.starts_with("date: ")).unwrap().to_owned();
            answers.push(answer.replace(&date, ""));
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "all refusals are equal");
    // More signatures than any forge sends, one of them valid.
    let mut headers = vec![("x-hub-signature-256", good.as_str()), ("x-github-event", "push")];
    headers.extend(vec![("x-hub-signature-256", "sha256=00"); 20]);
    assert_eq!(status(&served.hook(&headers, "{}")), 401);
    headers.extend(vec![("x-hub-signature-256", "sha256=00"); 1000]);
    assert_eq!(status(&served.hook(&headers, "{}")), 431);
    assert_eq!(served.hints(), 0);
    assert!(served.hooked().iter().all(|result| *result == HookResult::Unsigned));
}

#[test]
fn a_large_body_is_refused_whatever_it_says_of_itself() {
    let served = Served::new();
    let announced = "POST /hooks/git HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\n";
    let answer = served.ask(announced);
    assert_eq!(status(&answer), 413, "{answer}");
    // Without a length the client sends until the server closes.
    let mut stream = served.connect();
    stream.set_write_timeout(Some(LONG)).unwrap();
    let endless = "POST /hooks/git HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: sha256=0000000000000000000000000000000000000000000000000000000000000000\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(endless.as_bytes()).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65536], b"\r\n"].concat();
    let mut sent = 0_u64;
    while sent < 1 << 30 && stream.write_all(&chunk).is_ok() {
        sent += 65536;
    }
    // One mebibyte, plus what the system's buffers hold.
    assert!(sent < 64 << 20, "{sent} bytes were read");
    // A length that fits, and one byte more than the limit.
    let body = "x".repeat(1024 * 1024);
    let signature = signed(SECRET, &body);
    let headers = [("x-hub-signature-256", signature.as_str()), ("x-github-event", "push")];
    assert_eq!(status(&served.hook(&headers, &body)), 202);
    assert!([413, 0].contains(&status(&served.hook(&headers, &format!("{body}x")))));
    assert_eq!(
        served.hooked(),
        [HookResult::TooLarge, HookResult::TooLarge, HookResult::Hint, HookResult::TooLarge]
    );
}

#[test]
fn slow_clients_are_disconnected() {
    let options = ServeOptions {
        head_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        ..ServeOptions::default()
    };
    let served = Served::with(&[SECRET], options);
    // Sending byte by byte does not help: the deadline is for the whole head.
    let mut stream = served.connect();
    let began = Instant::now();
    let mut writer = stream.try_clone().unwrap();
    while began.elapsed() < LONG && writer.write_all(b"x").is_ok() {
        let mut byte = [0];
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        if stream.read(&mut byte).is_ok() {
            break;
        }
    }
    assert!(began.elapsed() < LONG);
    // The same for a body.
    let half = "POST /hooks/git HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: sha256=0000000000000000000000000000000000000000000000000000000000000000\r\ncontent-length: 100\r\n\r\nhalf";
    let answer = served.ask(half);
    assert_eq!(status(&answer), 408, "{answer}");
    let mut broken = served.connect();
    broken.write_all(half.as_bytes()).unwrap();
    drop(broken);
    // An idle connection ends as well.
    let mut stream = served.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(read_all(&mut stream).ends_with("ok\n"));
    assert_eq!(served.hints(), 0);
}

#[test]
fn too_many_requests_are_refused_before_their_bodies_are_read() {
    let served = Served::with(&[SECRET], ServeOptions { hooks_per_minute: 3, ..ServeOptions::default() });
    let signature = signed(SECRET, "{}");
    let headers = [("x-hub-signature-256", signature.as_str()), ("x-github-event", "push")];
    let codes: Vec<u16> = (0..5).map(|_| status(&served.hook(&headers, "{}"))).collect();
    assert_eq!(codes, [202, 202, 202, 429, 429]);
    let waiting = |headers: &[(&str, &str)]| {
        let headers = [headers, &[("expect", "100-continue")]].concat();
        served.ask(&hook(&headers, "").replace("content-length: 0", "content-length: 10"))
    };
    let answer = waiting(&headers);
    assert_eq!(status(&answer), 429, "no `100 Continue`: {answer}");
    assert_eq!(status(&waiting(&[])), 401, "without a signature no body is read either");
    let wait = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    assert!((1..=60).contains(&wait.parse::<u32>().unwrap()), "{answer}");
    assert_eq!(status(&served.get("/healthz")), 200, "other clients are not delayed");
}

// Guarantee: signed-have-their-share
#[test]
fn requests_without_a_valid_signature_do_not_use_up_the_limit_of_signed_ones() {
    let served = Served::with(&[SECRET], ServeOptions { hooks_per_minute: 3, ..ServeOptions::default() });
    let forged = [("x-hub-signature-256", "sha256=00"), ("x-github-event", "push")];
    let codes: Vec<u16> =
        (0..6).map(|at| status(&served.hook(if at % 2 == 0 { &[] } else { &forged }, "{}"))).collect();
    assert_eq!(codes, [401, 401, 401, 429, 429, 429]);
    let signature = signed(SECRET, "{}");
    let headers = [("x-hub-signature-256", signature.as_str()), ("x-github-event", "push")];
    let codes: Vec<u16> = (0..4).map(|_| status(&served.hook(&headers, "{}"))).collect();
    assert_eq!((codes, served.hints()), (vec![202, 202, 202, 429], 3));
}

#[test]
fn a_request_names_one_host() {
    let served = Served::new();
    for (hosts, expected) in [("", 400), ("host: x\r\n", 200), ("host: x\r\nhost: y\r\n", 400)] {
        let answer = served.ask(&format!("GET /healthz HTTP/1.1\r\nconnection: close\r\n{hosts}\r\n"));
        assert_eq!(status(&answer), expected, "{hosts:?}: {answer}");
        let body = "{}";
        let token = format!("x-gitlab-token: {SECRET}\r\nx-gitlab-event: Push Hook\r\n");
        let request = format!(
            "POST /hooks/git HTTP/1.1\r\nconnection: close\r\n{hosts}{token}content-length: 2\r\n\r\n{body}"
        );
        assert_eq!(status(&served.ask(&request)), if expected == 200 { 202 } else { 400 }, "{hosts:?}");
    }
    // HTTP/1.0 has none.
    assert_eq!(status(&served.ask("GET /healthz HTTP/1.0\r\n\r\n")), 200);
    assert_eq!(served.hints(), 1);
}

#[test]
fn silent_connections_do_not_block_other_clients() {
    let served = Served::with(&[], ServeOptions { connections_max: 4, ..ServeOptions::default() });
    let mut crowd: Vec<TcpStream> = (0..12).map(|_| served.connect()).collect();
    assert_eq!(status(&served.get("/healthz")), 200);
    // The server closed the oldest connection first.
    assert_eq!(read_all(&mut crowd[0]), "");
}

#[test]
fn stopping_closes_idle_connections_and_waits_for_active_ones() {
    let mut served = Served::new();
    let mut idle = served.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    read_head(&mut idle);
    let request = hook(&[("x-gitlab-token", SECRET), ("x-gitlab-event", "Push Hook")], "{\"long\": 1}")
        .replace("connection: close", "expect: 100-continue");
    let (head, rest) = request.split_at(request.find("\r\n\r\n").unwrap() + 4);
    let mut busy = served.connect();
    busy.write_all(head.as_bytes()).unwrap();
    // The server is reading the body.
    assert_eq!(status(&read_head(&mut busy)), 100);
    served.stop.take().unwrap().send(()).unwrap();
    assert_eq!(read_all(&mut idle), "ok\n");
    busy.write_all(rest.as_bytes()).unwrap();
    assert_eq!(status(&read_all(&mut busy)), 202);
    let server = served.server.take().unwrap();
    served.runtime.block_on(async { tokio::time::timeout(LONG, server).await.unwrap().unwrap() });
    assert!(TcpStream::connect(served.address).is_err());
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let options = ServeOptions { stop_timeout: Duration::from_millis(200), ..ServeOptions::default() };
    let mut served = Served::with(&[SECRET], options);
    let mut busy = served.connect();
    busy.write_all(
        b"POST /hooks/git HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: sha256=0000000000000000000000000000000000000000000000000000000000000000\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n",
    )
    .unwrap();
    assert_eq!(status(&read_head(&mut busy)), 100);
    served.stop.take().unwrap().send(()).unwrap();
    let server = served.server.take().unwrap();
    served.runtime.block_on(async { tokio::time::timeout(LONG, server).await.unwrap().unwrap() });
}

/// The limit of descriptors belongs to a process, so this runs in another one.
#[test]
#[cfg(unix)]
fn running_out_of_descriptors_does_not_end_the_server() {
    let this = std::env::current_exe().unwrap();
    let script =
        format!("ulimit -n 64; exec '{}' serve::child_without_descriptors --exact --ignored", this.display());
    let ran = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
#[ignore = "run by `running_out_of_descriptors_does_not_end_the_server`, under a limit"]
fn child_without_descriptors() {
    let served = Served::new();
    let mut idle = served.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    read_head(&mut idle);
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
        assert!(hoard.len() < 64, "the limit does not apply");
    }
    // One descriptor for the client, none for the server's side of the connection.
    drop(hoard.pop());
    let mut stream = served.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(
        [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut].contains(&error.kind()),
        "{error}"
    );
    // The idle connection keeps its descriptor.
    let began = Instant::now();
    stream.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(status(&read_all(&mut stream)), 200);
    assert_eq!(read_all(&mut idle), "ok\n");
    assert!(
        began.elapsed() < ServeOptions::default().head_timeout,
        "it was not the idle connection's deadline"
    );
    drop(hoard);
    assert_eq!(status(&served.get("/healthz")), 200);
}
