//! Tests of the output that leaves the process.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use tracing::dispatcher::with_default;
use url::Url;

use super::*;
use crate::model::Secret;

const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, filter: &str, work: impl FnOnce(&Telemetry)) -> String {
    let sink = Sink::default();
    let options = Options { filter: Some(filter.into()), format, traces: None };
    let (dispatch, telemetry) = build(&options, sink.clone()).unwrap();
    with_default(&dispatch, || work(&telemetry));
    assert!(telemetry.lines.as_ref().unwrap().flush(LONG));
    String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
}

fn hostile() {
    mask(&Secret::new("canary \"telemetry\" 77".into()));
    let text = "canary \"telemetry\" 77\nINFO forged \u{1b}[2J\u{9b}2J\u{202e}";
    let _run = tracing::info_span!("run", tenant = text).entered();
    tracing::info!(shown = %text, quoted = ?text, plain = text, "said: {text}");
}

#[test]
fn text_lines_are_one_line_each_masked_and_plain() {
    let text = logged(LogFormat::Text, "info", |_| hostile());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.chars().all(|c| c == '\n' || !crate::model::text::is_hidden(c)), "{text}");
    assert!(!text.contains("telemetry\" 77") && !text.contains("telemetry\\\" 77"), "{text}");
    assert!(text.contains("****") && text.contains("run{"), "{text}");
}

#[test]
fn json_lines_are_one_object_each_masked_and_plain() {
    let text = logged(LogFormat::Json, "info", |_| hostile());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.chars().all(|c| c == '\n' || !crate::model::text::is_hidden(c)), "{text}");
    assert!(!text.contains("telemetry\\\" 77") && !text.contains("telemetry\\\\\\\" 77"), "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = "****\nINFO forged \u{1b}[2J\u{9b}2J\u{202e}";
    assert_eq!((&line["level"], &line["fields"]["plain"]), (&"INFO".into(), &expected.into()));
    assert_eq!(line["span"]["tenant"], expected);
}

#[test]
fn the_filter_changes_while_it_runs() {
    let text = logged(LogFormat::Text, "genesync=info", |telemetry| {
        tracing::debug!("one");
        telemetry.set_filter("genesync::telemetry=debug").unwrap();
        tracing::debug!("two");
        assert!(matches!(telemetry.set_filter("a=b=c"), Err(TelemetryError::Filter { .. })));
        tracing::debug!("three");
        telemetry.set_filter("off").unwrap();
        tracing::error!("four");
    });
    let said: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next_back()).collect();
    assert_eq!(said, ["two", "three"], "{text}");
    assert!(matches!(Telemetry::default().set_filter("info"), Err(TelemetryError::NotLogging)));
}

/// A collector that accepts one request per connection and passes it on.
fn collector(answer: &'static str) -> (Url, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/otel/", listener.local_addr().unwrap())).unwrap();
    let (sent, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = read_request(&mut stream);
            // The test may have stopped reading.
            let _ = stream.write_all(answer.as_bytes());
            if sent.send(request).is_err() {
                return;
            }
        }
    });
    (url, received)
}

fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn traced(endpoint: Url) -> (Dispatch, Telemetry) {
    let headers = vec![("Authorization".to_owned(), Secret::new("Basic canary".into()))];
    let traces = Some(TraceOptions { endpoint, headers, proxies: Default::default() });
    build(&Options { traces, ..Options::default() }, io::sink()).unwrap()
}

#[test]
fn only_genesync_spans_reach_a_collector() {
    let (url, received) = collector("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let (dispatch, telemetry) = traced(url);
    mask(&Secret::new("canary-trace-5".into()));
    with_default(&dispatch, || {
        let run = tracing::info_span!("run", tenant = "northbank", url = "https://x/?t=canary-trace-5");
        let _run = run.entered();
        tracing::info!("event canary-trace-5");
        tracing::info_span!(target: "hyper::client", "not-ours").in_scope(|| ());
        tracing::debug_span!("detail").in_scope(|| ());
    });
    telemetry.flush();
    let (head, body) = received.recv_timeout(LONG).unwrap();
    assert!(head.starts_with("post /otel/v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    assert!(head.contains("authorization: basic canary\r\n"), "{head}");
    for text in ["service.name", "genesync", "run", "tenant", "northbank", "https://x/?t=****", "event ****"]
    {
        assert!(holds(&body, text), "{text} is not in {}", String::from_utf8_lossy(&body));
    }
    for text in ["canary-trace-5", "not-ours", "detail", "code."] {
        assert!(!holds(&body, text), "{text} is in {}", String::from_utf8_lossy(&body));
    }
    assert!(received.try_recv().is_err(), "one batch is one request");
}

#[test]
fn a_dead_collector_blocks_no_thread() {
    // The kernel accepts the connection, and no answer comes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), closed] {
        let (dispatch, telemetry) = traced(Url::parse(&format!("http://{address}")).unwrap());
        let began = crate::clock::monotonic();
        with_default(&dispatch, || {
            for _ in 0..5000 {
                tracing::info_span!("run").in_scope(|| ());
            }
        });
        let traces = telemetry.traces.as_ref().unwrap();
        traces.finish(Duration::from_millis(100));
        traces.finish(Duration::from_millis(100));
        assert!(began.elapsed() < LONG);
    }
}

#[test]
fn nothing_is_started_unless_asked_for() {
    let telemetry = start(&Options::default()).unwrap();
    assert!(telemetry.lines.is_none() && telemetry.traces.is_none() && telemetry.filter.is_none());
    telemetry.flush();
    assert_eq!(telemetry.dropped(), 0);
    let wrong = Options { filter: Some("a=b=c".into()), ..Options::default() };
    let error = start(&wrong).err().unwrap();
    assert!(error.to_string().starts_with("`a=b=c` is not a log filter: "), "{error}");
}
