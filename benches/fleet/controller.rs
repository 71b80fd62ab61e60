//! Benchmark of the controller, from outside: a resync, one commit, several replicas, a rate limit.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::emulator::Emulator;
use crate::measure::{self, Figures};
use crate::postgres::{Postgres, free_port};
use crate::{GENESYNC, corpus};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Tenants of a full resync, and of the large repository for one commit.
pub const LARGE: usize = 10_000;
/// Tenants of the small repository.
pub const SMALL: usize = 10;
/// Tenants for several replicas.
pub const SHARED: usize = 3_000;
/// The emulator's latency for replicas, in milliseconds.
pub const LATENCY_MS: u64 = 50;
/// Concurrent runs of one replica: few, so that latency and not the processor limits one replica.
pub const REPLICA_RUNS: usize = 16;
/// Changes with a rate limit.
pub const CHANGES: usize = 200;
/// Allowed requests per minute for the organization.
pub const LIMIT_PER_MINUTE: u32 = 300;
/// Measured resyncs.
const RESYNCS: usize = 3;
/// Measured commits, after one that does not count.
const COMMITS: usize = 9;
const HOOK_SECRET: &str = "a-secret-for-the-benchmark";

/// The results of a resync of a fleet that is in sync.
#[derive(Default)]
pub struct Resync {
    /// Reads per second, from the first to the last.
    pub rate: Figures,
    /// Peak resident memory, MB.
    pub peak_mb: Figures,
    /// Processor time per tenant, microseconds.
    pub cpu_us: Figures,
    /// Time from the first start until all tenants are written and confirmed, seconds.
    pub rollout_s: f64,
}

/// The time from a git hint to the accepted write.
#[derive(Default)]
pub struct Commit {
    /// With a large repository, ms.
    pub large_ms: Figures,
    /// With a small one, ms.
    pub small_ms: Figures,
    /// One round trip to the emulator, ms.
    pub round_trip_ms: Figures,
}

/// Runs per second for several replicas.
#[derive(Default)]
pub struct Replicas {
    /// The number of replicas, and their runs per second together.
    pub rates: BTreeMap<usize, Figures>,
    /// The share of all cores that was busy.
    pub busy: BTreeMap<usize, f64>,
}

/// The results of many changes with a rate limit.
#[derive(Default)]
pub struct Limited {
    /// Time from the first commit to the last accepted write, seconds.
    pub took_s: f64,
    /// All requests in that time.
    pub requests: usize,
    /// Requests that were answered with 429.
    pub throttled: usize,
}

/// All results of the controller.
#[derive(Default)]
pub struct Controlled {
    pub resync: Resync,
    pub commit: Commit,
    pub replicas: Replicas,
    pub limited: Limited,
}

/// A controller with its own fleet, which ends when the value is dropped.
struct Controller {
    child: Child,
    port: u16,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// A repository, an emulator and settings.
struct Fleet<'a> {
    emulator: &'a Emulator,
    scratch: PathBuf,
    store: Option<String>,
}

impl Fleet<'_> {
    fn make<'a>(
        emulator: &'a Emulator,
        scratch: &Path,
        name: &str,
        tenants: usize,
        more: &str,
    ) -> Outcome<Fleet<'a>> {
        let scratch = scratch.join(name);
        std::fs::create_dir_all(&scratch)?;
        corpus::write(&scratch.join("repository"), tenants)?;
        let fleet = Fleet { emulator, scratch, store: None };
        fleet.settings(more)?;
        Ok(fleet)
    }

    fn settings(&self, more: &str) -> Outcome<()> {
        let mut text = format!("state-dir = {:?}\n{more}\n[endpoints]\n", self.scratch.join("state"));
        for region in corpus::regions() {
            writeln!(text, "{region} = {:?}", self.emulator.url)?;
        }
        Ok(std::fs::write(self.scratch.join("settings.toml"), text)?)
    }

    fn repository(&self) -> PathBuf {
        self.scratch.join("repository")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(GENESYNC);
        command.args(arguments).arg("--settings").arg(self.scratch.join("settings.toml"));
        command.env("GENESYNC_CREDENTIALS_FLEET_CLIENT_ID", &self.emulator.client.0);
        command.env("GENESYNC_CREDENTIALS_FLEET_CLIENT_SECRET", &self.emulator.client.1);
        command.env("GENESYNC_HOOK_SECRETS", HOOK_SECRET);
        if let Some(store) = &self.store {
            command.env("GENESYNC_STORE", store);
        }
        command
    }

    fn path(&self) -> String {
        self.repository().display().to_string()
    }

    /// Writes and confirms every tenant.
    fn roll_out(&self) -> Outcome<Duration> {
        let begun = Instant::now();
        measure::run(&mut self.command(&["run", "--once", &self.path()]), &self.scratch)?;
        Ok(begun.elapsed())
    }

    fn start(&self, replica: usize) -> Outcome<Controller> {
        let port = free_port();
        let log = File::create(self.scratch.join(format!("run-{replica}.log")))?;
        let address = format!("127.0.0.1:{port}");
        let child = self
            .command(&["run", &self.path(), "--listen", &address])
            .env("GENESYNC_REPLICA", format!("replica-{replica}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The client keeps no idle connections, because the server may close them between two calls.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
        let controller = Controller { child, port, http, runtime };
        wait_for("the controller to be ready", || Ok(controller.is_ready()))?;
        Ok(controller)
    }

    fn sync_all(&self) -> Outcome<()> {
        measure::run(&mut self.command(&["sync", "--all"]), &self.scratch)?;
        Ok(())
    }
}

impl Controller {
    fn is_ready(&self) -> bool {
        let sent = self.http.get(format!("http://127.0.0.1:{}/readyz", self.port)).send();
        self.runtime.block_on(sent).is_ok_and(|answer| answer.status() == 200)
    }

    /// Sends a push event to the webhook.
    fn hint(&self) -> Outcome<()> {
        let body = "{}";
        let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes())?;
        mac.update(body.as_bytes());
        let signature: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let sent = self
            .http
            .post(format!("http://127.0.0.1:{}/hooks/git", self.port))
            .header("x-github-event", "push")
            .header("x-hub-signature-256", format!("sha256={signature}"))
            .body(body)
            .send();
        match self.runtime.block_on(sent)?.status() {
            status if status == 202 => Ok(()),
            status => Err(format!("the hint was answered with {status}").into()),
        }
    }

    fn status_kib(&self, field: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        measure::field_kib(&text, field)
    }

    /// Returns the processor time so far, in microseconds.
    fn cpu_us(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let after = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks: f64 =
            after.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
        // Linux reports 100 ticks per second, independent of the kernel's own rate.
        ticks * 10_000.0
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn wait_for(what: &str, mut condition: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(300) {
        if condition()? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(format!("timeout while waiting for {what}").into())
}

/// Waits until the emulator has answered this many reads since a mark and no more arrive.
fn reads_since(emulator: &Emulator, mark: u64, reads: usize) -> Outcome<crate::emulator::Stretch> {
    wait_for("the reads", || {
        std::thread::sleep(Duration::from_millis(100));
        Ok(emulator.mark()? - mark >= reads as u64)
    })?;
    emulator.since(mark)
}

/// Measures everything.
pub fn measure_all(scratch: &Path) -> Outcome<Controlled> {
    let mut controlled = Controlled::default();
    resync_and_commit(scratch, &mut controlled)?;
    replicas(scratch, &mut controlled.replicas)?;
    controlled.limited = limited(scratch)?;
    Ok(controlled)
}

fn resync_and_commit(scratch: &Path, controlled: &mut Controlled) -> Outcome<()> {
    let emulator = Emulator::start(GENESYNC)?;
    // The default pacing is fine: it limits each organization, and a resync reads each once.
    let large = Fleet::make(
        &emulator,
        scratch,
        "large",
        LARGE,
        "[controller]\nresync-ms = 86400000\ngit-poll-ms = 86400000",
    )?;
    controlled.resync.rollout_s = large.roll_out()?.as_secs_f64();
    println!("rolled {LARGE} tenants out in {:.1} s", controlled.resync.rollout_s);
    let controller = large.start(0)?;
    for round in 0..=RESYNCS {
        let (mark, cpu) = (emulator.mark()?, controller.cpu_us());
        large.sync_all()?;
        let asked = reads_since(&emulator, mark, LARGE)?;
        crate::report::progress("resync", round);
        if round == 0 {
            continue;
        }
        controlled.resync.rate.0.push(asked.per_second);
        controlled.resync.cpu_us.0.push((controller.cpu_us() - cpu) / LARGE as f64);
    }
    let bearer = emulator.token()?;
    for number in 0..200 {
        let begun = Instant::now();
        emulator.get(&corpus::read_url(&emulator.url, number), &bearer)?;
        controlled.commit.round_trip_ms.0.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    controlled.commit.large_ms = commits(&large, &controller, LARGE)?;
    // Measured at the end, because it is a peak.
    controlled.resync.peak_mb.0.push(controller.status_kib("VmHWM:") as f64 * 1024.0 / 1e6);
    drop(controller);
    let emulator = Emulator::start(GENESYNC)?;
    let small = Fleet::make(
        &emulator,
        scratch,
        "small",
        SMALL,
        "[controller]\nresync-ms = 86400000\ngit-poll-ms = 86400000",
    )?;
    small.roll_out()?;
    let controller = small.start(0)?;
    controlled.commit.small_ms = commits(&small, &controller, SMALL)?;
    println!(
        "one commit, ms: {} of {LARGE} tenants, {} of {SMALL}",
        controlled.commit.large_ms.shown(1),
        controlled.commit.small_ms.shown(1)
    );
    Ok(())
}

/// Measures the time from the hint to the accepted write, for commits that change one tenant each.
fn commits(fleet: &Fleet<'_>, controller: &Controller, tenants: usize) -> Outcome<Figures> {
    let mut figures = Figures::default();
    for round in 0..=COMMITS {
        let number = (round * 7 + 3) % tenants;
        corpus::change_to(&fleet.repository(), number, 1_000 + round)?;
        let mark = fleet.emulator.mark()?;
        let begun = Timestamp::now();
        controller.hint()?;
        let mut accepted = None;
        wait_for("the write", || {
            accepted = fleet.emulator.writes(mark)?.first().copied();
            Ok(accepted.is_some())
        })?;
        if let (Some(accepted), true) = (accepted, round > 0) {
            figures.0.push(accepted.duration_since(begun).as_secs_f64() * 1e3);
        }
        // Also wait for the confirmation, so that the controller is idle at the next commit.
        std::thread::sleep(Duration::from_millis(1_500));
    }
    Ok(figures)
}

fn replicas(scratch: &Path, replicas: &mut Replicas) -> Outcome<()> {
    let cluster = Postgres::start();
    let emulator = Emulator::start(GENESYNC)?;
    let settings =
        format!("[controller]\nresync-ms = 86400000\ngit-poll-ms = 86400000\nruns-max = {REPLICA_RUNS}");
    let mut fleet = Fleet::make(&emulator, scratch, "replicas", SHARED, "")?;
    fleet.store = Some(cluster.database("bench"));
    fleet.roll_out()?;
    fleet.settings(&settings)?;
    emulator.set(&json!({"latencyMs": LATENCY_MS}))?;
    for count in [1, 2, 4] {
        let running = (0..count).map(|replica| fleet.start(replica)).collect::<Outcome<Vec<Controller>>>()?;
        let mut figures = Figures::default();
        for round in 0..=2 {
            let mark = emulator.mark()?;
            fleet.sync_all()?;
            let busy = measure::busy(1_000);
            let asked = reads_since(&emulator, mark, SHARED)?;
            if round > 0 {
                figures.0.push(asked.per_second);
                replicas.busy.insert(count, busy);
            }
        }
        crate::report::progress(&format!("{count} replicas"), 1);
        replicas.rates.insert(count, figures);
        drop(running);
    }
    Ok(())
}

fn limited(scratch: &Path) -> Outcome<Limited> {
    let emulator = Emulator::start(GENESYNC)?;
    let fleet = Fleet::make(
        &emulator,
        scratch,
        "limited",
        1,
        "[controller]\nresync-ms = 86400000\ngit-poll-ms = 86400000",
    )?;
    fleet.roll_out()?;
    let controller = fleet.start(0)?;
    emulator.set(&json!({"rateLimitPerMinute": LIMIT_PER_MINUTE}))?;
    let begun = Instant::now();
    let from = emulator.mark()?;
    for change in 0..CHANGES {
        corpus::change_to(&fleet.repository(), 0, 10_000 + change)?;
        let mark = emulator.mark()?;
        controller.hint()?;
        wait_for("the write", || Ok(!emulator.writes(mark)?.is_empty()))?;
    }
    let took_s = begun.elapsed().as_secs_f64();
    let all: Vec<Value> = emulator.all(from)?;
    let throttled =
        all.iter().filter(|request| request.get("status").and_then(Value::as_u64) == Some(429)).count();
    Ok(Limited { took_s, requests: all.len(), throttled })
}
