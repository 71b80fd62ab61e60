//! Runs whole processes and measures their time and memory.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs that count, after one that does not count.
pub const RUNS: usize = 5;

/// One run of a process.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Time from its start to its end.
    pub wall: Duration,
    /// Peak resident memory, in KiB.
    pub peak_kib: u64,
}

/// Runs a command to its end. If the exit code is not zero, the error contains the end of its output.
pub fn run(command: &mut Command, scratch: &Path) -> io::Result<Run> {
    let printed = scratch.join("printed");
    let file = File::create(&printed)?;
    command.stdout(file.try_clone()?).stderr(file);
    let start = Instant::now();
    let mut child = command.spawn()?;
    let (status, wall, peak_kib) = watch(&mut child, start)?;
    if status {
        return Ok(Run { wall, peak_kib });
    }
    let text = std::fs::read_to_string(&printed)?;
    let tail: Vec<&str> = text.lines().rev().take(20).collect();
    Err(io::Error::other(format!(
        "{command:?} failed:\n{}",
        tail.into_iter().rev().collect::<Vec<_>>().join("\n")
    )))
}

/// Waits for a child and samples its peak memory, which is not available after the process ends.
fn watch(child: &mut Child, start: Instant) -> io::Result<(bool, Duration, u64)> {
    let (ended, status_file) = (AtomicBool::new(false), format!("/proc/{}/status", child.id()));
    thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peak_kib = 0;
            while !ended.load(Ordering::Relaxed) {
                if let Ok(text) = std::fs::read_to_string(&status_file) {
                    peak_kib = peak_kib.max(field_kib(&text, "VmHWM:"));
                }
                thread::sleep(Duration::from_millis(4));
            }
            peak_kib
        });
        let status = child.wait();
        let wall = start.elapsed();
        ended.store(true, Ordering::Relaxed);
        let peak_kib = sampler.join().unwrap_or_default();
        Ok((status?.success(), wall, peak_kib))
    })
}

/// Returns the processor time of all ended children, in milliseconds; 0 if it is not available.
pub fn children_cpu_ms() -> f64 {
    let read = || -> Option<f64> {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        // After the name in parentheses: `cutime` and `cstime` are the 14th and 15th.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(13)?.parse::<f64>().ok()? + fields.get(14)?.parse::<f64>().ok()?;
        // Linux reports 100 ticks per second.
        Some(ticks * 10.0)
    };
    read().unwrap_or_default()
}

/// Returns a number in KiB of a `/proc` file; 0 if it is missing.
pub fn field_kib(text: &str, field: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Several measurements of one quantity.
#[derive(Debug, Clone, Default)]
pub struct Figures(pub Vec<f64>);

impl Figures {
    /// Returns the median.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Returns the smallest and the largest.
    pub fn spread(&self) -> (f64, f64) {
        self.0
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
    }

    /// Formats `median (smallest to largest)`.
    pub fn shown(&self, digits: usize) -> String {
        if self.0.is_empty() {
            return "not measured".into();
        }
        let (low, high) = self.spread();
        format!("{:.digits$} ({low:.digits$} to {high:.digits$})", self.median())
    }
}

/// Returns the share of all processor time that the machine spends in a period.
pub fn busy(while_ms: u64) -> f64 {
    let read = || -> Option<(f64, f64)> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        let ticks: Vec<f64> =
            text.lines().next()?.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        let idle = ticks.get(3)? + ticks.get(4)?;
        Some((ticks.iter().take(8).sum(), idle))
    };
    let before = read();
    thread::sleep(Duration::from_millis(while_ms));
    match (before, read()) {
        (Some((all, idle)), Some((all_after, idle_after))) if all_after > all => {
            1.0 - (idle_after - idle) / (all_after - all)
        }
        _ => f64::NAN,
    }
}
