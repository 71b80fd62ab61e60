//! Benchmark: one base of a thousand tenants changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::emulator::Emulator;
use crate::measure::{self, Figures};
use crate::{GENESYNC, Outcome, corpus};

/// The heading of the section in the page.
pub const HEADING: &str = "## 11. One base of many tenants";

const RUNS: usize = 3;
const TENANTS: usize = 1_000;
const LATENCY_MS: u64 = 20;

struct Fleet {
    repository: PathBuf,
    scratch: PathBuf,
    emulator: Emulator,
}

impl Fleet {
    fn start(scratch: &Path) -> Outcome<Self> {
        let scratch = scratch.join("based");
        let repository = scratch.join("repository");
        fs::create_dir_all(repository.join("bases"))?;
        for number in 0..TENANTS {
            let folder = repository.join(format!("tenants/t{number:04}"));
            fs::create_dir_all(&folder)?;
            let head = |kind: &str, name: &str| {
                format!("apiVersion: genesync/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\n")
            };
            let tenant = format!(
                "{}spec:\n  organizationId: {}\n  region: eu-west-1\n  credentials: fleet\n  sync: {{mode: enforce}}\n",
                head("Tenant", &format!("t{number:04}")),
                corpus::organization(number)
            );
            fs::write(folder.join("tenant.yaml"), tenant)?;
            let web = format!("{}spec: {{extends: [house]}}\n", head("WebMessaging", "web"));
            fs::write(folder.join("web.yaml"), web)?;
        }
        corpus::git(&repository, &["init", "--quiet", "--initial-branch", "main"])?;
        let emulator = Emulator::start(GENESYNC)?;
        emulator.set(&json!({"latencyMs": LATENCY_MS}))?;
        Ok(Self { repository, scratch, emulator })
    }

    /// Changes the greeting delay of every tenant; returns the run, its processor time in seconds and its
    /// requests.
    fn apply(&self, delay_ms: usize) -> Outcome<(measure::Run, f64, usize)> {
        let base = format!(
            "apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {{name: house}}\nspec: {{greetings: {{delayMs: {delay_ms}}}}}\n"
        );
        fs::write(self.repository.join("bases/house.yaml"), base)?;
        corpus::commit(&self.repository, "greet later")?;
        let mut command = Command::new(GENESYNC);
        command.arg("apply").arg(&self.repository).env("GENESYNC_STATE_DIR", self.scratch.join("state"));
        command.args(["--allow", "run-tenants", "--allow", "tenant-changes", "--reason", "a benchmark"]);
        command.env("GENESYNC_ENDPOINT_EU_WEST_1", &self.emulator.url);
        command.env("GENESYNC_CREDENTIALS_FLEET_CLIENT_ID", &self.emulator.client.0);
        command.env("GENESYNC_CREDENTIALS_FLEET_CLIENT_SECRET", &self.emulator.client.1);
        let (mark, before_ms) = (self.emulator.mark()?, measure::children_cpu_ms());
        let run = measure::run(&mut command, &self.scratch)?;
        let cpu_s = (measure::children_cpu_ms() - before_ms) / 1e3;
        Ok((run, cpu_s, self.emulator.all(mark)?.len()))
    }
}

/// Measures the apply; the first one does not count.
pub fn measure_all(scratch: &Path) -> Outcome<String> {
    let fleet = Fleet::start(scratch)?;
    fleet.apply(1_000)?;
    let (mut wall_s, mut cpu_s, mut peak_mb, mut requests) =
        (Figures::default(), Figures::default(), Figures::default(), Figures::default());
    for round in 0..RUNS {
        let (run, cpu, asked) = fleet.apply(2_000 + round)?;
        wall_s.0.push(run.wall.as_secs_f64());
        cpu_s.0.push(cpu);
        peak_mb.0.push(run.peak_kib as f64 * 1024.0 / 1e6);
        requests.0.push(asked as f64 / TENANTS as f64);
        println!("one base of {TENANTS} tenants: run {} of {RUNS}", round + 1);
    }
    Ok(format!(
        "{HEADING}\n\n{TENANTS} `webchat` tenants share one layer, in which the delay of the greeting changes. `genesync apply` plans, writes, reads back and confirms each in\n\
         its audit log. The emulator answers after {LATENCY_MS} ms, and an audit entry is readable its usual 300 ms after the write. The table shows {RUNS} runs, after one that does not count.\n\n\
         | wall, s | processor, s | memory, MB | requests per tenant |\n| --- | --- | --- | --- |\n| {} | {} | {} | {} |\n\n\
         *Measured elsewhere, on 2 cores, 2026-11-29*, before a waiting run freed its slot for other runs: 26.5 s, 1.9 s processor, 6.8 requests per tenant.\n",
        wall_s.shown(2),
        cpu_s.shown(2),
        peak_mb.shown(0),
        requests.shown(2),
    ))
}
