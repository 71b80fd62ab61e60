//! Writes `docs/benchmarks.md`: every number comes from the run that writes it.

use std::fmt::Write as _;
use std::process::Command;

use crate::controller::{self, Controlled, Limited};
use crate::measure::{self, Figures, RUNS};
use crate::{CHANGED, CONCURRENCY, LOAD_FACTOR, PLANNED, Planning, Since, VALIDATED, Validation, corpus};

/// The targets of requirement 1, in MB/s and MB.
const VALIDATE_MB_S: f64 = 60.0;
const PEAK_MB: f64 = 200.0;
/// The target of requirement 2.
const PLAN_SHARE: f64 = 0.6;

/// The machine of the measurement.
pub struct Machine {
    lines: Vec<(&'static str, String)>,
    busy: f64,
}

impl Machine {
    /// Reads the properties of this machine and its current load.
    pub fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let model = model.map_or("unknown", |(_, name)| name.trim()).to_owned();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let memory = measure::field_kib(&read("/proc/meminfo"), "MemTotal:") as f64 * 1024.0 / 1e9;
        let first = |program: &str, argument: &str| {
            let output = Command::new(program).arg(argument).output();
            let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            text.ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or("not found".into())
        };
        let commit =
            Command::new("git").args(["-C", crate::ROOT, "rev-parse", "--short=12", "HEAD"]).output();
        let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let busy = measure::busy(3_000);
        let lines = vec![
            ("date", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()),
            ("genesync", commit.unwrap_or_default()),
            ("processor", format!("{cores} cores, {model}")),
            ("memory", format!("{memory:.1} GB")),
            ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
            ("rustc", first("rustc", "--version")),
            ("node", first("node", "--version")),
            ("other load before the run", format!("{:.0} % of all cores", busy * 100.0)),
        ];
        Self { lines, busy }
    }
}

/// Prints the progress of a measurement.
pub fn progress(what: &str, round: usize) {
    match round {
        0 => println!("{what}: warmed up"),
        round => println!("{what}: run {round} of {RUNS}"),
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "**met**" } else { "**not met**" }
}

/// Renders the whole page.
pub fn render(
    machine: &Machine,
    validation: &Validation,
    planning: &Planning,
    since: &Since,
    controlled: &Controlled,
) -> String {
    let mut out = String::from(
        "# Benchmarks\n\n\
         `make bench` writes this page from its measurements; do not edit it. It measures whole processes of the release build\n\
         from outside. Every figure is the median of 5 runs, after one that does not count, with the smallest and the\n\
         largest next to it; the compared programs run in turn. MB is 1,000,000 bytes.\n\n| machine | |\n| --- | --- |\n",
    );
    // Writing to a String cannot fail, so the results are ignored in this file.
    for (what, value) in &machine.lines {
        let _ = writeln!(out, "| {what} | {value} |");
    }
    if machine.busy > 0.1 {
        out.push_str(
            "\n**The machine had other load when this run began: read the figures as lower bounds.**\n",
        );
    }
    let bare = planning.oha.median().max(planning.wrk.median());
    let share = planning.ours.median() / bare;
    let exact = since.asked.organizations == [since.expected.clone()];
    let (rate, peak) = (validation.ours.median(), validation.ours_peak_mb.median());
    let _ = write!(
        out,
        "\n## Verdicts\n\n| requirement | target | measured | verdict |\n| --- | --- | --- | --- |\n\
         | 1. parse, schema and rules over {} manifests from a git commit | at least {VALIDATE_MB_S:.0} MB/s | {} MB/s | {} |\n\
         | 1. its peak memory | under {PEAK_MB:.0} MB | {} MB | {} |\n\
         | 2. a plan without changes over {} tenants, compared with the faster bare load generator | at least {:.0} % of its requests per second | {:.0} % | {} |\n\
         | 3. one tenant of {} changed, with `--since` | requests for that tenant only | {} organization{} read | {} |\n",
        thousands(VALIDATED),
        validation.ours.shown(1),
        verdict(rate >= VALIDATE_MB_S),
        validation.ours_peak_mb.shown(0),
        verdict(peak < PEAK_MB),
        thousands(PLANNED),
        PLAN_SHARE * 100.0,
        share * 100.0,
        verdict(share >= PLAN_SHARE),
        thousands(PLANNED),
        since.asked.organizations.len(),
        if since.asked.organizations.len() == 1 { "" } else { "s" },
        verdict(exact),
    );
    out.push_str(&controller_verdicts(controlled, bare));
    reading(&mut out, validation);
    plans(&mut out, planning, bare);
    changed(&mut out, since, exact);
    out.push_str(&controller(controlled, Some(bare)));
    out.push_str(
        "\n## Reproduce\n\n```sh\nmake bench\n```\n\nIt builds the release, installs the programs for comparison (ajv and js-yaml at the versions of\n\
         `benches/peer/package.json`, oha, wrk), runs everything once on this machine and writes this page. No figure can\n\
         fail a build, and none is a test.\n",
    );
    out
}

fn reading(out: &mut String, validation: &Validation) {
    let size = validation.size;
    let _ = write!(
        out,
        "\n## 1. Manifests\n\n`genesync validate --rev HEAD` on a packed repository of {} tenants: {} files, {:.1} MB. Every tenant has a\n\
         `web.yaml` ({:.2} KB on average) and a `tenant.yaml` ({:.2} KB) and extends one or two of {} layers; {:.0} % of all bytes\n\
         are comments. All files are valid. The time runs from the start of the process to its end and includes reading git, parsing,\n\
         the schemas, merging the layers and all rules. ajv and js-yaml read the same files from the folder and check them\n\
         against the same schemas, on one core as node does; they support no layers and no rules.\n\n\
         | | MB/s | peak memory, MB |\n| --- | --- | --- |\n| genesync | {} | {} |\n",
        thousands(VALIDATED),
        thousands(size.files),
        size.bytes as f64 / 1e6,
        size.web_bytes as f64 / 1e3 / VALIDATED as f64,
        (size.bytes - size.web_bytes) as f64 / 1e3 / VALIDATED as f64,
        corpus::LAYERS,
        size.comment_bytes as f64 / size.bytes as f64 * 100.0,
        validation.ours.shown(1),
        validation.ours_peak_mb.shown(0),
    );
    row(out, "genesync on one core (`taskset -c 0`)", &validation.ours_one_core, None);
    row(out, "ajv + js-yaml", &validation.peer, Some(&validation.peer_peak_mb));
}

fn row(out: &mut String, name: &str, rate: &Figures, peak: Option<&Figures>) {
    let peak = peak.map_or("-".to_owned(), |peak| peak.shown(0));
    let _ = writeln!(out, "| {name} | {} | {peak} |", rate.shown(1));
}

fn plans(out: &mut String, planning: &Planning, bare: f64) {
    let _ = write!(
        out,
        "\n## 2. A plan without changes\n\nThe emulator runs as a separate process on the same machine. All {} tenants are applied first; then\n\
         `genesync plan --rev HEAD --concurrency {CONCURRENCY}` finds no change and sends {} reads and {} other requests. Requests per second\n\
         are counted in the same way for all programs: from the emulator's log, reads over the time from the first to the last. The\n\
         verdict uses that figure. The load generators request the same URLs with a token of the same client at {CONCURRENCY} connections, oha\n\
         {} requests, wrk for one second. Client and emulator share the cores, so a client's processor time also slows the answers.\n\n\
         | | requests per second | share of the faster bare one |\n| --- | --- | --- |\n",
        thousands(PLANNED),
        thousands(planning.reads),
        planning.others,
        thousands(PLANNED * LOAD_FACTOR),
    );
    let rows = [("genesync plan", &planning.ours), ("oha", &planning.oha), ("wrk", &planning.wrk)];
    for (name, figures) in rows {
        let _ = writeln!(out, "| {name} | {} | {:.0} % |", figures.shown(0), figures.median() / bare * 100.0);
    }
    let _ = write!(
        out,
        "\nOver the whole process, which reads git, the schemas and the journal before the first request, a plan takes\n\
         {} ms: {} reads per second, {:.0} % of the faster bare one.\n",
        planning.ours_wall_ms.shown(0),
        planning.ours_whole.shown(0),
        planning.ours_whole.median() / bare * 100.0,
    );
}

fn changed(out: &mut String, since: &Since, exact: bool) {
    let _ = write!(
        out,
        "\n## 3. One tenant changed\n\nOne commit changes one field of tenant `{}` (organization `{}`). `genesync plan --since HEAD~1` sent {} read{} and\n\
         {} other requests. Organizations in the emulator's request log since the commit: {}. {}\n",
        corpus::tenant_name(CHANGED),
        since.expected,
        since.asked.reads,
        if since.asked.reads == 1 { "" } else { "s" },
        since.asked.others,
        since.asked.organizations.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "),
        if exact {
            "It requested only the tenant's own organization."
        } else {
            "It also requested other organizations."
        },
    );
}

/// The targets of requirement 4 and later ones.
const RESYNC_SHARE: f64 = 0.6;
const ROUND_TRIPS: f64 = 4.0;
const ALLOWANCE_MS: f64 = 50.0;
const LARGE_OVER_SMALL: f64 = 1.5;
const THROTTLED_SHARE: f64 = 0.01;
const LIMIT_USED: f64 = 0.9;

fn controller_verdicts(controlled: &Controlled, bare: f64) -> String {
    let Controlled { resync, commit, replicas: _, limited } = controlled;
    let share = resync.rate.median() / bare;
    let allowed_ms = ROUND_TRIPS * commit.round_trip_ms.median() + ALLOWANCE_MS;
    let ratio = commit.large_ms.median() / commit.small_ms.median();
    let (throttled, used) = of_limit(limited);
    format!(
        "| 4. the controller's memory with {large} tenants | under {PEAK_MB:.0} MB | {} MB | {} |\n\
         | 4. a full resync of {large} tenants, compared with the faster bare load generator | at least {:.0} % of its requests per second | {:.0} % | {} |\n\
         | 5. one commit of {large} tenants, from the git hint to the accepted write | under {allowed_ms:.0} ms: 4 round trips and 50 ms | {} ms | {} |\n\
         | 5. the same with a repository of {} tenants | at most {LARGE_OVER_SMALL} times as long | {ratio:.2} times | {} |\n\
         | 7. {} changes with a limit of {:.0} requests per minute | at most {:.0} % answers of 429 | {:.1} % | {} |\n\
         | 7. the allowed rate | at least {:.0} % used | {:.0} % | {} |\n",
        resync.peak_mb.shown(0),
        verdict(resync.peak_mb.median() < PEAK_MB),
        RESYNC_SHARE * 100.0,
        share * 100.0,
        verdict(share >= RESYNC_SHARE),
        commit.large_ms.shown(1),
        verdict(commit.large_ms.median() < allowed_ms),
        controller::SMALL,
        verdict(ratio <= LARGE_OVER_SMALL),
        controller::CHANGES,
        controller::LIMIT_PER_MINUTE,
        THROTTLED_SHARE * 100.0,
        throttled * 100.0,
        verdict(throttled <= THROTTLED_SHARE),
        LIMIT_USED * 100.0,
        used * 100.0,
        verdict(used >= LIMIT_USED),
        large = thousands(controller::LARGE),
    )
}

/// Returns the share of answers with 429, and the used share of the allowed requests.
fn of_limit(limited: &Limited) -> (f64, f64) {
    let requests = limited.requests as f64;
    let allowed = f64::from(controller::LIMIT_PER_MINUTE) * limited.took_s / 60.0;
    (limited.throttled as f64 / requests, requests / allowed)
}

/// Renders the controller's sections; without a bare rate it compares with none.
pub fn controller(controlled: &Controlled, bare: Option<f64>) -> String {
    let Controlled { resync, commit, replicas, limited } = controlled;
    let mut out = String::new();
    let share =
        bare.map(|bare| format!(", {:.0} % of the faster bare one", resync.rate.median() / bare * 100.0));
    let _ = write!(
        out,
        "\n## 4. A controller of {large} tenants\n\n`genesync run` on SQLite, every tenant in sync, with default settings: 64 concurrent runs. The roll-out of all of\n\
         them with `run --once`, including writes and audit entries, took {:.0} s. Then `genesync sync --all` makes all due at\n\
         once: {} reads per second{}, and {} µs of processor time per tenant. The peak of resident memory was {} MB,\n\
         including the commits of the next section.\n",
        resync.rollout_s,
        resync.rate.shown(0),
        share.unwrap_or_default(),
        resync.cpu_us.shown(0),
        resync.peak_mb.shown(0),
        large = thousands(controller::LARGE),
    );
    let _ = write!(
        out,
        "\n## 5. One commit\n\nFrom just before `POST /hooks/git` to the accepted PUT in the emulator's log, for commits that change one field of one tenant.\n\
         One round trip to the emulator takes {} ms.\n\n| tenants in the repository | ms |\n| --: | --- |\n| {} | {} |\n| {} | {} |\n",
        commit.round_trip_ms.shown(2),
        thousands(controller::LARGE),
        commit.large_ms.shown(1),
        controller::SMALL,
        commit.small_ms.shown(1),
    );
    let _ = write!(
        out,
        "\n## 6. Replicas\n\n{} tenants on one PostgreSQL on the same machine; the emulator answers after {} ms; each replica has {} concurrent runs.\n\
         Emulator, PostgreSQL and replicas share the cores.\n\n| replicas | runs per second | times one | cores busy |\n| --: | --- | --- | --- |\n",
        thousands(controller::SHARED),
        controller::LATENCY_MS,
        controller::REPLICA_RUNS,
    );
    let one = replicas.rates.get(&1).map(Figures::median).unwrap_or(f64::NAN);
    for (count, rate) in &replicas.rates {
        let busy = replicas.busy.get(count).copied().unwrap_or(f64::NAN) * 100.0;
        let _ = writeln!(out, "| {count} | {} | {:.2} | {busy:.0} % |", rate.shown(0), rate.median() / one);
    }
    let (throttled, used) = of_limit(limited);
    let _ = write!(
        out,
        "\n## 7. With a rate limit\n\nThe emulator allows {} requests per minute for an organization. {} commits to one tenant, each as soon as the one before\n\
         was accepted, took {:.0} s and {} requests: {:.0} % of the allowed ones; {} of them ({:.1} %) were answered with 429.\n",
        controller::LIMIT_PER_MINUTE,
        controller::CHANGES,
        limited.took_s,
        limited.requests,
        used * 100.0,
        limited.throttled,
        throttled * 100.0,
    );
    out
}

/// Formats `10000` as `10,000`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Replaces the section with this heading in the page, or adds it before the last section.
pub fn into_page(page: &str, heading: &str, section: &str) -> String {
    let last = page.find("\n## Reproduce").unwrap_or(page.len());
    let begin = page.find(heading).unwrap_or(last + 1).min(page.len());
    let behind = page.get(begin..).and_then(|rest| rest.find("\n## ")).map_or(last, |next| begin + next);
    let (head, tail) =
        (page.get(..begin).unwrap_or(page), page.get(behind.max(begin.min(last))..).unwrap_or_default());
    format!("{}\n\n{section}{tail}", head.trim_end())
}
