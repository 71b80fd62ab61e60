//! Every crash point, at each hit within a workload, on both stores.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::points::{POINTS, times};
use crate::proxy::{Proxy, Trap};
use crate::rig::{Kind, Process, Rig, eventually, signal};
use crate::workload::{STEPS, Workload};

/// Cells that run at once: each waits for leases and deadlines most of the time.
const AT_ONCE: usize = 12;
/// How often a cell is tried if its point was not reached.
const ATTEMPTS: u32 = 3;
/// Reads of a tenant during which nothing may be written any more.
const QUIET: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    pub point: &'static str,
    pub hit: u32,
    pub workload: Workload,
    pub kind: Kind,
}

/// The result of one cell.
#[derive(Debug, Default, Clone)]
pub struct Outcome {
    /// The process died at its point.
    pub fired: bool,
    /// The following process did, too.
    pub again: bool,
    pub wrong: Vec<String>,
    /// Milliseconds from the start of the last process until everything was settled.
    pub recovery_ms: u64,
}

pub fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for point in POINTS {
        for workload in Workload::ALL {
            for (hit, kind) in times(point.name, workload) {
                cells.push(Cell { point: point.name, hit, workload, kind });
            }
        }
    }
    cells
}

/// A process that dies at a crash point.
struct Armed {
    process: Process,
    proxy: Option<Proxy>,
}

impl Armed {
    fn start(rig: &Rig, point: &str, hit: u32) -> Self {
        if point != "C07" {
            return Self { process: rig.start(Some(&format!("{point}:{hit}"))), proxy: None };
        }
        // The process itself never sends half a request: the proxy cuts the request there, and then kills the
        // process.
        let proxy = Proxy::before(&rig.stage.url);
        let mut command = rig.command(&["run"]);
        for region in ["EU_WEST_1", "US_EAST_1", "AP_SOUTH_1"] {
            command.env(format!("GENESYNC_ENDPOINT_{region}"), &proxy.url);
        }
        let id = std::sync::Arc::new(AtomicU32::new(0));
        let then = Box::new({
            let id = std::sync::Arc::clone(&id);
            move || signal(id.load(Ordering::SeqCst), "KILL")
        });
        proxy.set(Trap::Half { nth: hit, then });
        let process = rig.spawn("run", command);
        id.store(process.id(), Ordering::SeqCst);
        Self { process, proxy: Some(proxy) }
    }

    /// Returns whether the process ended, and if so, whether it died as planned.
    fn died(&mut self) -> Option<bool> {
        use std::os::unix::process::ExitStatusExt as _;
        let status = self.process.ended()?;
        Some(match &self.proxy {
            Some(proxy) => proxy.sprung() > 0,
            None => status.signal() == Some(6),
        })
    }
}

/// Runs until the process died at its point, or until all steps are done and settled. Returns the number of
/// steps done.
fn run_armed(rig: &Rig, cell: Cell, outcome: &mut Outcome) -> Result<u32, String> {
    let mut armed = Armed::start(rig, cell.point, cell.hit);
    for step in 0.. {
        if step < STEPS {
            if cell.point == "C21" {
                rig.fault(&json!({"match": cell.workload.writes(), "do": {"delayMs": 300}}));
            }
            let mark = rig.mark();
            cell.workload.step(rig, step);
            if cell.point == "C21" {
                eventually("a write", || !rig.mutations(mark).is_empty());
                armed.process.signal("TERM");
            }
        } else if cell.point == "C28" {
            // Tokens expire by themselves.
            eventually("another token", || armed.died().is_some());
        } else {
            return Ok(STEPS);
        }
        let mut died = None;
        let settled = rig.settle_or(|| {
            died = armed.died();
            died.is_some()
        })?;
        if settled {
            // A run may be about to end: an earlier good status does not show that.
            eventually("the end of every run", || {
                died = died.or_else(|| armed.died());
                died.is_some() || rig.idle()
            });
        }
        if settled && died.is_none() && matches!(cell.point, "C20" | "C21") {
            if cell.point == "C20" {
                armed.process.signal("TERM");
            }
            armed.process.wait();
        }
        if let Some(as_wished) = died.or_else(|| armed.died()) {
            outcome.fired = as_wished;
            // A process that was stopped and ended quickly has only missed its point.
            let stopped = armed.process.ended().is_some_and(|status| status.success());
            let missed = stopped && matches!(cell.point, "C20" | "C21");
            if !(as_wished || missed) {
                outcome.wrong.push(format!("it ended in another way:\n{}", armed.process.log()));
            }
            return Ok((step + 1).min(STEPS));
        }
    }
    Ok(STEPS)
}

/// Returns the point at which the following process dies: the same one, or the next.
fn second(cell: Cell) -> &'static str {
    let at = POINTS.iter().position(|point| point.name == cell.point).unwrap();
    match cell.hit {
        1 => cell.point,
        _ => POINTS[(at + 1) % POINTS.len()].name,
    }
}

fn go_through(cell: Cell) -> Result<Outcome, String> {
    let rig = Rig::of(cell.workload.dialect(), cell.kind);
    if cell.point == "C28" {
        rig.ask("settings", &json!({"tokenLifetimeS": 1}));
    }
    let mut outcome = Outcome::default();
    if cell.workload.prepare(&rig) {
        let mut process = rig.start(None);
        rig.settle()?;
        process.terminate();
    }
    let done = run_armed(&rig, cell, &mut outcome)?;
    if outcome.fired {
        let mut armed = Armed::start(&rig, second(cell), 1);
        rig.settle_or(|| match armed.died() {
            Some(died) => {
                outcome.again = died;
                true
            }
            None => false,
        })?;
        armed.process.kill();
    }
    let begun = Instant::now();
    let process = rig.start(None);
    rig.settle()?;
    outcome.recovery_ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
    for step in done..STEPS {
        cell.workload.step(&rig, step);
        rig.settle()?;
    }
    let written = rig.writes_while_quiet(QUIET);
    outcome.wrong.extend(written.iter().map(|write| format!("written although all was in sync: {write}")));
    outcome.wrong.extend(rig.violations());
    process.log();
    if !outcome.wrong.is_empty() {
        let log = std::fs::read_to_string(rig.stage.path("run.log")).unwrap_or_default();
        outcome.wrong.push(log);
    }
    Ok(outcome)
}

fn attempt(cell: Cell) -> Outcome {
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| go_through(cell)));
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.unwrap_or_else(|| "it panicked".into()))
    });
    outcome.unwrap_or_else(|why| Outcome { wrong: vec![why], ..Outcome::default() })
}

/// Runs cells, several at once.
pub fn go(cells: Vec<Cell>) -> Vec<(Cell, Outcome)> {
    let queue = Mutex::new(VecDeque::from(cells));
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(cell) = queue.lock().unwrap().pop_front() else { return };
                    let mut outcome = attempt(cell);
                    // On a busy machine genesync may give up a write, and its run takes another path.
                    for _ in 1..ATTEMPTS {
                        if outcome.fired || !outcome.wrong.is_empty() {
                            break;
                        }
                        outcome = attempt(cell);
                    }
                    let mut done = done.lock().unwrap();
                    done.push((cell, outcome));
                    if done.len().is_multiple_of(50) {
                        println!("{} cells", done.len());
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(cell, _)| *cell);
    done
}

// Guarantee: after-a-crash
#[test]
fn a_process_that_dies_at_any_point_loses_nothing_and_repeats_nothing() {
    let begun = Instant::now();
    let only = std::env::var("CRASH_ONLY").unwrap_or_default();
    let cells = cells().into_iter().filter(|cell| format!("{cell:?}").contains(&only)).collect();
    let cluster = crate::rig::cluster();
    let done = go(cells);
    drop(cluster);
    let mut failed = String::new();
    for (cell, outcome) in &done {
        if !outcome.fired {
            failed += &format!("{cell:?} never fired\n");
        }
        for wrong in &outcome.wrong {
            failed += &format!("{cell:?}: {wrong}\n");
        }
    }
    let fired = done.iter().filter(|(_, outcome)| outcome.fired).count();
    let again = done.iter().filter(|(_, outcome)| outcome.again).count();
    println!("{} cells, {fired} fired, {again} fired again, {:?}", done.len(), begun.elapsed());
    assert!(failed.is_empty(), "{failed}");
}
