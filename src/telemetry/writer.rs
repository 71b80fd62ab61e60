//! Writes log lines: a logging thread puts a line in a queue, and one thread writes the queue.
//!
//! A sink that blocks, such as the full pipe of a stopped reader, blocks only that thread. When the queue
//! is full, further lines are dropped and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::LogFormat;
use super::mask::masked;
use crate::clock;
use crate::model::text::{escape, escape_json};

/// Largest size of the queue, in bytes of lines.
const QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Approximate size of one write call, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Lines that wait to be written.
#[derive(Debug)]
pub struct Lines {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    drained: Condvar,
    dropped: AtomicU64,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    writing: bool,
}

impl Lines {
    /// Starts the thread that writes to `sink`.
    pub fn start(sink: impl Write + Send + 'static, format: LogFormat) -> io::Result<Arc<Self>> {
        Self::bounded(sink, format, QUEUE_BYTES_MAX)
    }

    fn bounded(
        sink: impl Write + Send + 'static,
        format: LogFormat,
        bytes_max: usize,
    ) -> io::Result<Arc<Self>> {
        let lines = Arc::new(Self {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            dropped: AtomicU64::new(0),
            bytes_max,
        });
        let taken = Arc::clone(&lines);
        std::thread::Builder::new()
            .name("genesync-log".into())
            .spawn(move || taken.write_all(sink, format))?;
        Ok(lines)
    }

    /// Adds a line. Never waits for the sink.
    pub fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.bytes + line.len() > self.bytes_max {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line.into());
        drop(waiting);
        self.filled.notify_one();
    }

    /// Returns the number of lines that were not written: the queue was full, or the sink failed.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every line is written, at most for `limit`. Returns whether all are written.
    pub fn flush(&self, limit: Duration) -> bool {
        let busy = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        let waited = self.drained.wait_timeout_while(self.lock(), limit, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Each lock holder adds or removes whole lines, so a poisoned lock protects a valid queue.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut sink: impl Write, format: LogFormat) {
        let mut reported = 0;
        loop {
            let mut chunk = Vec::new();
            let mut lines = 0;
            let mut waiting = self.lock();
            while waiting.lines.is_empty() {
                waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            while chunk.len() < CHUNK_BYTES
                && let Some(line) = waiting.lines.pop_front()
            {
                waiting.bytes -= line.len();
                chunk.extend_from_slice(&line);
                lines += 1;
            }
            waiting.writing = true;
            drop(waiting);

            let mut text = prepared(&chunk, format);
            let dropped = self.dropped();
            if dropped > reported {
                text.push_str(&notice(dropped - reported, format));
            }
            match sink.write_all(text.as_bytes()).and_then(|()| sink.flush()) {
                Ok(()) => reported = dropped,
                // The sink has no reader at the moment. The thread continues, because a reader may return.
                Err(_) => {
                    self.dropped.fetch_add(lines, Ordering::Relaxed);
                }
            }

            let mut waiting = self.lock();
            waiting.writing = false;
            if waiting.lines.is_empty() {
                self.drained.notify_all();
            }
        }
    }
}

/// Masks known secrets and escapes characters that a terminal would act on.
fn prepared(chunk: &[u8], format: LogFormat) -> String {
    let text = String::from_utf8_lossy(chunk);
    let text = masked(&text);
    match format {
        // The serializer has already escaped the line breaks in values.
        LogFormat::Json => escape_json(&text, '\n'),
        LogFormat::Text => text.split_inclusive('\n').map(escape_but_end).collect(),
    }
}

fn escape_but_end(line: &str) -> String {
    match line.strip_suffix('\n') {
        Some(line) => escape(line) + "\n",
        None => escape(line),
    }
}

/// Formats a log line about dropped lines.
fn notice(dropped: u64, format: LogFormat) -> String {
    let (at, message) = (clock::now(), "log lines were dropped");
    match format {
        LogFormat::Text => format!("{at}  WARN genesync::telemetry: {message} lines={dropped}\n"),
        LogFormat::Json => {
            let fields = json!({"message": message, "lines": dropped});
            let line =
                json!({"timestamp": at, "level": "WARN", "fields": fields, "target": "genesync::telemetry"});
            format!("{line}\n")
        }
    }
}

/// Creates a writer for each event.
#[derive(Debug, Clone)]
pub struct ToLines(pub Arc<Lines>);

impl<'a> MakeWriter<'a> for ToLines {
    type Writer = ToLine<'a>;

    fn make_writer(&'a self) -> ToLine<'a> {
        ToLine(&self.0)
    }
}

/// Receives the line of one event, which the formatter writes with one call.
#[derive(Debug)]
pub struct ToLine<'a>(&'a Lines);

impl Write for ToLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A line break inside a text event would look like two events.
        match line.strip_suffix(b"\n").filter(|inner| inner.contains(&b'\n')) {
            Some(inner) => {
                let inner = inner.iter().flat_map(|byte| match byte {
                    b'\n' => b"\\n".to_vec(),
                    byte => vec![*byte],
                });
                self.0.push(&inner.chain([b'\n']).collect::<Vec<u8>>());
            }
            None => self.0.push(line),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::telemetry::mask;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    const LONG: Duration = Duration::from_secs(20);

    /// A sink that accepts a write when the test permits it.
    struct Gate {
        opened: Receiver<bool>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.opened.recv() {
                Ok(false) => Err(io::ErrorKind::BrokenPipe.into()),
                _ => self.written.lock().unwrap().write(bytes),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (Gate, SyncSender<bool>, Arc<Mutex<Vec<u8>>>) {
        let (open, opened) = sync_channel(64);
        let written = Arc::<Mutex<Vec<u8>>>::default();
        (Gate { opened, written: Arc::clone(&written) }, open, written)
    }

    fn text(written: &Mutex<Vec<u8>>) -> String {
        String::from_utf8(written.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_blocked_sink_blocks_no_thread_and_the_loss_is_reported() {
        let (sink, open, written) = gate();
        let lines = Lines::bounded(sink, LogFormat::Text, 1000).unwrap();
        for number in 0..1000 {
            lines.push(format!("line {number:03}\n").as_bytes());
        }
        assert!(!lines.flush(Duration::from_millis(1)), "no line can be written");
        let dropped = lines.dropped();
        // The thread has one chunk, and the queue is full.
        assert!((777..=889).contains(&dropped), "{dropped}");
        drop(open);
        assert!(lines.flush(LONG));
        let text = text(&written);
        assert!(text.starts_with("line 000\n") && text.contains("WARN"), "{text}");
        // Each loss is reported once: the thread may have prepared the first chunk while lines were still
        // being added.
        let reported = text.split("log lines were dropped lines=").skip(1);
        let reported: u64 =
            reported.map(|rest| rest.split_whitespace().next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(reported, dropped, "{text}");
    }

    #[test]
    fn a_closed_sink_is_counted_and_may_open_again() {
        let (sink, open, written) = gate();
        let lines = Lines::bounded(sink, LogFormat::Json, 1000).unwrap();
        open.send(false).unwrap();
        lines.push(b"{\"a\":1}\n");
        assert!(lines.flush(LONG));
        assert_eq!(lines.dropped(), 1);
        open.send(true).unwrap();
        lines.push(b"{\"a\":2}\n");
        assert!(lines.flush(LONG));
        let text = text(&written);
        let reported: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((reported.len(), &reported[1]["fields"]["lines"]), (2, &json!(1)), "{text}");
    }

    #[test]
    fn written_lines_are_masked_and_plain() {
        mask(&Secret::new("canary-writer-31".into()));
        let line = "a canary-writer-31 \u{1b}[31m\u{9b}1m\u{202e}b\u{e0041}\n";
        assert_eq!(
            prepared(line.as_bytes(), LogFormat::Text),
            "a **** \\u{1b}[31m\\u{9b}1m\\u{202e}b\\u{e0041}\n"
        );
        let line = "{\"a\":\"canary-writer-31\u{9b}\u{202e}\u{e0041}\"}\n";
        let left = prepared(line.as_bytes(), LogFormat::Json);
        assert_eq!(left, "{\"a\":\"****\\u009b\\u202e\\udb40\\udc41\"}\n");
        let value: serde_json::Value = serde_json::from_str(&left).unwrap();
        assert_eq!(value["a"], "****\u{9b}\u{202e}\u{e0041}");
    }
}
