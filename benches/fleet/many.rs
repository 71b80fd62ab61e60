//! Benchmark: many objects of one organization are created, changed and planned.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::measure::{self, Figures};
use crate::{GENESYNC, Outcome, corpus};

/// The heading of the section in the page.
pub const HEADING: &str = "## 10. Many objects of one organization";

/// Runs of each figure, after one that does not count.
const RUNS: usize = 3;
/// Configurations, and equally many deployments.
const SIZES: [usize; 2] = [50, 300];
/// The emulator's latency, in milliseconds.
const LATENCIES_MS: [u64; 3] = [0, 20, 100];
/// Delay of one in a hundred answers, in the runs with late answers, in milliseconds.
const LATE_MS: u64 = 500;
/// The platform's usual limit for one token, in requests per minute.
const LIMIT_PER_MINUTE: u64 = 300;
const ORGANIZATION: &str = "00000000-0000-4000-8000-00000000c10d";
const SECRET: &str = "not-a-real-secret";

/// The actions, in the order of a run.
const ACTIONS: [&str; 5] =
    ["creation", "one colour in all", "one colour in one", "plan, first look", "plan, nothing moved"];
/// The state folders: one that genesync continues to use, and an empty one.
const KNOWN: &str = "state";
const UNKNOWN: &str = "no-state";

/// How the emulator treats requests.
#[derive(Clone, Copy)]
struct Weather {
    latency_ms: u64,
    is_late: bool,
    is_limited: bool,
    /// Tokens of the client that are used in parallel.
    tokens: u8,
}

/// The measurements of one action.
#[derive(Default)]
struct Action {
    wall_s: Figures,
    cpu_s: Figures,
    peak_mb: Figures,
    /// Requests by kind, in the last run.
    requests: BTreeMap<String, usize>,
    /// Answers with 429, in the last run.
    refused: usize,
}

/// A row of the table.
struct Row {
    size: usize,
    weather: String,
    action: &'static str,
    took: Action,
}

struct Bench {
    emulator: Emulator,
    scratch: PathBuf,
    size: usize,
}

impl Bench {
    fn start(scratch: &Path, size: usize, weather: Weather) -> Outcome<Self> {
        let scratch = scratch.join("many");
        if scratch.exists() {
            std::fs::remove_dir_all(&scratch)?;
        }
        std::fs::create_dir_all(scratch.join("repository/tenants/acme"))?;
        let world = json!({
            "clients": [{"id": "bench", "secret": SECRET, "name": "genesync", "cloud": {"organization": ORGANIZATION}}],
            "organizations": [{"id": ORGANIZATION, "cloud": {
                "name": "Bench", "region": "eu-west-1", "flows": [{"name": "Inbound"}],
            }}],
            "settings": {"auditDelayMs": 0, "latencyMs": weather.latency_ms,
                "tokenRateLimitPerMinute": if weather.is_limited { LIMIT_PER_MINUTE } else { 0 }},
        });
        let file = scratch.join("world.json");
        std::fs::write(&file, world.to_string())?;
        // Without these settings genesync would pace itself by the platform's usual limit.
        let burst =
            if weather.is_limited { "" } else { "[pacing]\nrequests-per-minute = 1000000\nburst = 100000\n" };
        let settings = format!("{burst}[credentials.bench]\ntokens = {}\n", weather.tokens);
        std::fs::write(scratch.join("settings.toml"), settings)?;
        let file = file.to_str().ok_or("the scratch folder has no name")?.to_owned();
        let emulator = Emulator::start_with(GENESYNC, &["--world", &file])?;
        if weather.is_late {
            let late = |nth: usize| json!({"nth": nth * 100, "times": 1, "do": {"delayMs": LATE_MS}});
            emulator.post("faults", &json!({"faults": (1..60).map(late).collect::<Vec<Value>>()}))?;
        }
        let bench = Self { emulator, scratch, size };
        corpus::git(&bench.repository(), &["init", "--quiet", "--initial-branch", "main"])?;
        Ok(bench)
    }

    fn repository(&self) -> PathBuf {
        self.scratch.join("repository")
    }

    fn commit(&self, colour: impl Fn(usize) -> &'static str) -> Outcome<()> {
        let folder = self.repository().join("tenants/acme");
        let head = |kind: &str, name: &str| {
            format!("apiVersion: genesync/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n")
        };
        let tenant = format!(
            "{}  api: cloud\n  organizationId: {ORGANIZATION}\n  region: eu-west-1\n  credentials: bench\n  sync: {{mode: enforce}}\n",
            head("Tenant", "acme")
        );
        std::fs::write(folder.join("tenant.yaml"), tenant)?;
        for number in 0..self.size {
            let configuration = format!(
                "{}  name: Site {number}\n  languages: [en-us]\n  defaultLanguage: en-us\n  messenger: {{enabled: true, styles: {{primaryColor: \"{}\"}}}}\n",
                head("MessengerConfiguration", &format!("c{number}")),
                colour(number)
            );
            std::fs::write(folder.join(format!("c{number}.yaml")), configuration)?;
            let deployment = format!(
                "{}  name: Shop {number}\n  configuration: {{name: Site {number}}}\n  flow: {{name: Inbound}}\n  allowAllDomains: true\n",
                head("MessengerDeployment", &format!("d{number}"))
            );
            std::fs::write(folder.join(format!("d{number}.yaml")), deployment)?;
        }
        Ok(corpus::commit(&self.repository(), "a colour")?)
    }

    fn run(&self, arguments: &[&str], state: &str, into: Option<&mut Action>) -> Outcome<()> {
        let mut command = Command::new(GENESYNC);
        command.args(arguments).current_dir(self.repository()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("GENESYNC_ENDPOINT_EU_WEST_1", &self.emulator.url);
        command.env("GENESYNC_CREDENTIALS_BENCH_CLIENT_ID", "bench");
        command.env("GENESYNC_CREDENTIALS_BENCH_CLIENT_SECRET", SECRET);
        command.env("GENESYNC_STATE_DIR", self.scratch.join(state));
        command.env("GENESYNC_SETTINGS", self.scratch.join("settings.toml"));
        let (mark, before_ms) = (self.emulator.mark()?, measure::children_cpu_ms());
        let run = measure::run(&mut command, &self.scratch)?;
        let cpu_s = (measure::children_cpu_ms() - before_ms) / 1e3;
        let Some(into) = into else { return Ok(()) };
        into.wall_s.0.push(run.wall.as_secs_f64());
        into.cpu_s.0.push(cpu_s);
        into.peak_mb.0.push(run.peak_kib as f64 * 1024.0 / 1e6);
        let requests = self.emulator.all(mark)?;
        let text = |request: &Value, key: &str| {
            request.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        into.refused = requests.iter().filter(|one| one.get("status") == Some(&json!(429))).count();
        into.requests.clear();
        for request in &requests {
            *into.requests.entry(kind_of(&text(request, "method"), &text(request, "path"))).or_default() += 1;
        }
        Ok(())
    }
}

/// Returns the kind of a request.
fn kind_of(method: &str, path: &str) -> String {
    let what = match path {
        _ if path.contains("/publish") => return "publications".into(),
        _ if path.ends_with("/versions") => "versions",
        _ if path.contains("/webdeployments/configurations") => "configurations",
        _ if path.contains("/webdeployments/deployments") => "deployments",
        _ => return "others".into(),
    };
    if method == "GET" { format!("reads of {what}") } else { format!("writes of {what}") }
}

/// Runs every action once, starting with an empty organization.
fn round(scratch: &Path, size: usize, weather: Weather, into: Option<&mut [Action; 5]>) -> Outcome<()> {
    let bench = Bench::start(scratch, size, weather)?;
    let mut into: Vec<Option<&mut Action>> = match into {
        Some(actions) => actions.iter_mut().map(Some).collect(),
        None => ACTIONS.iter().map(|_| None).collect(),
    };
    let mut took = |at: usize| into.get_mut(at).and_then(Option::take);
    let apply = ["apply", "--allow", "tenant-changes", "--reason", "a benchmark"];
    bench.commit(|_| "#111111")?;
    bench.run(&apply, KNOWN, took(0))?;
    bench.commit(|_| "#222222")?;
    bench.run(&apply, KNOWN, took(1))?;
    bench.commit(|number| if number == 7 { "#333333" } else { "#222222" })?;
    bench.run(&apply, KNOWN, took(2))?;
    let plan = ["plan", "--detailed-exitcode"];
    bench.run(&plan, UNKNOWN, took(3))?;
    bench.run(&plan, KNOWN, took(4))
}

/// Measures everything.
pub fn measure_all(scratch: &Path) -> Outcome<String> {
    let mut rows = Vec::new();
    let fair = Weather { latency_ms: 0, is_late: false, is_limited: false, tokens: 1 };
    for size in SIZES {
        let mut weathers: Vec<(String, Weather, usize)> = LATENCIES_MS
            .iter()
            .map(|latency_ms| (format!("{latency_ms} ms"), Weather { latency_ms: *latency_ms, ..fair }, RUNS))
            .collect();
        let late = Weather { latency_ms: 20, is_late: true, ..fair };
        weathers.push((format!("20 ms, 1 % after {LATE_MS} ms"), late, RUNS));
        // Once, and only for few objects: only the limit decides how long it takes.
        let limited = Weather { latency_ms: 20, is_limited: true, ..fair };
        if size == SIZES[0] {
            weathers.push((format!("20 ms, {LIMIT_PER_MINUTE} a minute"), limited, 1));
            let with_tokens = Weather { tokens: 4, ..limited };
            weathers.push((
                format!("20 ms, {LIMIT_PER_MINUTE} a minute for each of 4 tokens"),
                with_tokens,
                1,
            ));
        }
        for (reported, weather, runs) in weathers {
            let mut actions: [Action; 5] = Default::default();
            if runs > 1 {
                round(scratch, size, weather, None)?;
            }
            for run in 0..runs {
                round(scratch, size, weather, Some(&mut actions))?;
                println!("{size} + {size}, {reported}: run {} of {runs}", run + 1);
            }
            rows.extend(ACTIONS.into_iter().zip(actions).map(|(action, took)| Row {
                size,
                weather: reported.clone(),
                action,
                took,
            }));
        }
    }
    Ok(section(&rows))
}

fn section(rows: &[Row]) -> String {
    let mut out = format!(
        "{HEADING}\n\nAn organization gets N configurations and N deployments, each of which refers to one of them, with `genesync apply`; then one colour\n\
         changes in all of them, then in one, and `genesync plan` finds no change: once without a state, and once with the state of the earlier runs.\n\
         The emulator takes its usual 300 ms until a write is active, and shares the machine. The table shows {RUNS} runs, after one that does not count; one run with a token limit.\n\n\
         | N + N | answers after | | wall, s | processor, s | memory, MB | requests | of them 429 |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    // Writing to a String cannot fail, so the results are ignored in this function.
    for Row { size, weather, action, took } in rows {
        let all: usize = took.requests.values().sum();
        let _ = writeln!(
            out,
            "| {size} + {size} | {weather} | {action} | {} | {} | {} | {all} | {} |",
            took.wall_s.shown(2),
            took.cpu_s.shown(2),
            took.peak_mb.shown(0),
            took.refused,
        );
    }
    out.push_str("\nRequests by kind, for 300 + 300 at 20 ms:\n\n| | ");
    let of_interest: Vec<&Row> =
        rows.iter().filter(|row| row.size == 300 && row.weather == "20 ms").collect();
    let kinds: Vec<&String> = {
        let mut kinds: Vec<&String> = of_interest.iter().flat_map(|row| row.took.requests.keys()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    let _ = writeln!(out, "{} |", kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" | "));
    let _ = writeln!(out, "| --- |{}", " --: |".repeat(kinds.len()));
    for row in of_interest {
        let counts: Vec<String> = kinds
            .iter()
            .map(|kind| row.took.requests.get(*kind).copied().unwrap_or_default().to_string())
            .collect();
        let _ = writeln!(out, "| {} | {} |", row.action, counts.join(" | "));
    }
    out.push_str(ELSEWHERE);
    out
}

/// Results of an earlier run, for comparison.
const ELSEWHERE: &str = "
Measured elsewhere, on 2 cores, 2026-11-29, in one run with OpenTofu 1.12.6 and the vendor's provider 1.82 against the same emulator, before
genesync wrote objects in parallel:

| | genesync then | OpenTofu and the provider |
| --- | --- | --- |
| plan without changes, 300 + 300, 20 ms | 7.7 s, 338 requests, 0.4 s processor, 93 MB | 45.4 s, 88 s processor, 680 MB |
| the same under 300 requests a minute and token | 69.3 s, one token | 49.5 s, ten tokens |
| first creation, 50 + 50, no latency | 75 s, 1,180 requests, 5.8 s processor | 59.8 s, of which 10 s per deployment are its own sleep; 476 requests |
| one colour in all, 50 + 50, no latency | 75 s, 1,161 requests, 6.4 s processor | 14.6 s, 626 requests |
| first creation, 300 + 300, no latency | not done after 500 s; 10,300 requests, 205 s processor | 530 s |
";
