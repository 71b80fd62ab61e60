//! `make bench`: measures whole genesync processes from outside and writes `docs/benchmarks.md`.
//!
//! These are not tests: no figure can fail a build. Start reading at [`measure_all`].

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::use_debug,
    missing_docs,
    reason = "a benchmark prints results, writes files, and reads the clock and the environment"
)]
#[path = "fleet/authors.rs"]
mod authors;
#[path = "fleet/based.rs"]
mod based;
#[path = "fleet/cloud.rs"]
mod cloud;
#[path = "fleet/controller.rs"]
mod controller;
#[path = "fleet/corpus.rs"]
mod corpus;
#[path = "fleet/emulator.rs"]
mod emulator;
#[path = "fleet/many.rs"]
mod many;
#[path = "fleet/measure.rs"]
mod measure;
#[path = "../tests/it/postgres.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "shared with the tests")]
mod postgres;
#[path = "fleet/report.rs"]
mod report;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use emulator::{Emulator, Stretch};
use measure::{Figures, RUNS};

type Outcome<T> = Result<T, Box<dyn Error>>;

const GENESYNC: &str = env!("CARGO_BIN_EXE_genesync");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Tenants whose manifests are validated.
const VALIDATED: usize = 10_000;
/// Tenants in the plan.
const PLANNED: usize = 1_000;
/// Concurrent requests, for genesync and the load generators.
const CONCURRENCY: usize = 32;
/// How many times more requests a load generator sends than a plan, so that its start does not count much.
const LOAD_FACTOR: usize = 20;
/// The number of the tenant that changes.
const CHANGED: usize = 417;

/// The results of reading manifests.
pub struct Validation {
    /// The corpus.
    pub size: corpus::Size,
    /// genesync, MB/s.
    pub ours: Figures,
    /// genesync, peak memory in MB.
    pub ours_peak_mb: Figures,
    /// genesync on one core, MB/s.
    pub ours_one_core: Figures,
    /// ajv and js-yaml, MB/s.
    pub peer: Figures,
    /// ajv and js-yaml, peak memory in MB.
    pub peer_peak_mb: Figures,
}

/// The results of planning a fleet that is in sync.
pub struct Planning {
    /// Reads of one plan.
    pub reads: usize,
    /// Other requests of one plan.
    pub others: usize,
    /// Reads per second between the first and the last read of a plan.
    pub ours: Figures,
    /// Reads per second over the whole process.
    pub ours_whole: Figures,
    /// Wall time of the process in milliseconds.
    pub ours_wall_ms: Figures,
    /// oha, reads per second.
    pub oha: Figures,
    /// wrk, reads per second.
    pub wrk: Figures,
}

/// The results of planning one change.
pub struct Since {
    /// The organization of the changed tenant.
    pub expected: String,
    /// The requests of the plan.
    pub asked: Stretch,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` also starts this target; only `cargo bench` passes `--bench`.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("run `make bench`");
        return ExitCode::SUCCESS;
    }
    let corpus_only: Vec<&String> = arguments.iter().skip_while(|word| *word != "corpus").skip(1).collect();
    let done = match corpus_only.as_slice() {
        [folder, tenants, ..] => write_corpus(Path::new(folder), tenants),
        [] if arguments.iter().any(|argument| argument == "controller") => only_controller(),
        [] if arguments.iter().any(|argument| argument == "cloud") => only_cloud(),
        [] if arguments.iter().any(|argument| argument == "authors") => only_authors(),
        [] if arguments.iter().any(|argument| argument == "many") => only_many(),
        _ => measure_all(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot run the benchmark: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `cargo bench --bench fleet -- corpus FOLDER TENANTS`: only writes a repository, for profiling.
fn write_corpus(folder: &Path, tenants: &str) -> Outcome<()> {
    println!("{:?}", corpus::write(folder, tenants.parse()?)?);
    Ok(())
}

/// `cargo bench --bench fleet -- controller`: measures only the controller and prints the results without
/// writing them.
fn only_controller() -> Outcome<()> {
    let scratch = tempfile::tempdir()?;
    let controlled = controller::measure_all(scratch.path())?;
    println!("{}", report::controller(&controlled, None));
    Ok(())
}

/// `cargo bench --bench fleet -- cloud`: measures only the public API and replaces its section of the page.
fn only_cloud() -> Outcome<()> {
    let scratch = tempfile::tempdir()?;
    rewrite(cloud::HEADING, &cloud::section(&cloud::measure_all(scratch.path())?))
}

/// `cargo bench --bench fleet -- authors`: measures only the waits of authors and replaces their section of
/// the page.
fn only_authors() -> Outcome<()> {
    let scratch = tempfile::tempdir()?;
    rewrite(authors::HEADING, &authors::section(&authors::measure_all(scratch.path())?))
}

/// `cargo bench --bench fleet -- many`: measures only many objects and many tenants and replaces their
/// sections of the page.
fn only_many() -> Outcome<()> {
    let scratch = tempfile::tempdir()?;
    rewrite(based::HEADING, &based::measure_all(scratch.path())?)?;
    rewrite(many::HEADING, &many::measure_all(scratch.path())?)
}

/// Replaces one section of the page.
fn rewrite(heading: &str, section: &str) -> Outcome<()> {
    let page = Path::new(ROOT).join("docs/benchmarks.md");
    std::fs::write(&page, report::into_page(&std::fs::read_to_string(&page)?, heading, section))?;
    println!("{section}");
    Ok(())
}

fn measure_all() -> Outcome<()> {
    let machine = report::Machine::look();
    let scratch = tempfile::tempdir()?;
    let validation = validation(scratch.path())?;
    let (planning, since) = planning(scratch.path())?;
    let controlled = controller::measure_all(scratch.path())?;
    let section = cloud::section(&cloud::measure_all(scratch.path())?);
    let text = report::render(&machine, &validation, &planning, &since, &controlled);
    let text = report::into_page(&text, cloud::HEADING, &section);
    let section = authors::section(&authors::measure_all(scratch.path())?);
    let text = report::into_page(&text, authors::HEADING, &section);
    let section = many::measure_all(scratch.path())?;
    let text = report::into_page(&text, many::HEADING, &section);
    let text = report::into_page(&text, based::HEADING, &based::measure_all(scratch.path())?);
    std::fs::write(Path::new(ROOT).join("docs/benchmarks.md"), &text)?;
    println!("{text}");
    Ok(())
}

fn tools() -> PathBuf {
    Path::new(ROOT).join("target/bench-tools")
}

fn validation(scratch: &Path) -> Outcome<Validation> {
    let repository = scratch.join("manifests");
    let size = corpus::write(&repository, VALIDATED)?;
    let megabytes = size.bytes as f64 / 1e6;
    let state = scratch.join("state-validate");
    let validate = |command: &mut Command| {
        command
            .args(["validate", "--quiet", "--rev", "HEAD"])
            .arg(&repository)
            .arg("--state-dir")
            .arg(&state);
    };
    let mut result = Validation {
        size,
        ours: Figures::default(),
        ours_peak_mb: Figures::default(),
        ours_one_core: Figures::default(),
        peer: Figures::default(),
        peer_peak_mb: Figures::default(),
    };
    for round in 0..=RUNS {
        // The programs run in turn, so that other load on the machine affects all of them.
        let mut ours = Command::new(GENESYNC);
        validate(&mut ours);
        let ours = measure::run(&mut ours, scratch)?;
        let mut one_core = Command::new("taskset");
        one_core.args(["-c", "0", GENESYNC]);
        validate(&mut one_core);
        let one_core = measure::run(&mut one_core, scratch);
        let mut peer = Command::new("node");
        peer.arg(tools().join("peer/validate.mjs")).arg(&repository).arg(Path::new(ROOT).join("schemas"));
        let peer = measure::run(&mut peer, scratch);
        report::progress("validate", round);
        if round == 0 {
            continue;
        }
        result.ours.0.push(megabytes / ours.wall.as_secs_f64());
        result.ours_peak_mb.0.push(ours.peak_kib as f64 * 1024.0 / 1e6);
        if let Ok(run) = one_core {
            result.ours_one_core.0.push(megabytes / run.wall.as_secs_f64());
        }
        match peer {
            Ok(run) => {
                result.peer.0.push(megabytes / run.wall.as_secs_f64());
                result.peer_peak_mb.0.push(run.peak_kib as f64 * 1024.0 / 1e6);
            }
            Err(error) => eprintln!("ajv + js-yaml: {error}"),
        }
    }
    Ok(result)
}

fn planning(scratch: &Path) -> Outcome<(Planning, Since)> {
    let repository = scratch.join("fleet");
    corpus::write(&repository, PLANNED)?;
    let emulator = Emulator::start(GENESYNC)?;
    let settings = scratch.join("settings.toml");
    // The default pacing is fine: it limits each organization, and a plan reads each once.
    let mut text = format!("state-dir = {:?}\n[endpoints]\n", scratch.join("state-fleet"));
    for region in corpus::regions() {
        writeln!(text, "{region} = {:?}", emulator.url)?;
    }
    std::fs::write(&settings, text)?;
    let genesync = |arguments: &[&str]| {
        let mut command = Command::new(GENESYNC);
        command.args(arguments).arg(&repository).arg("--quiet").arg("--settings").arg(&settings);
        command.env("GENESYNC_CREDENTIALS_FLEET_CLIENT_ID", &emulator.client.0);
        command.env("GENESYNC_CREDENTIALS_FLEET_CLIENT_SECRET", &emulator.client.1);
        command
    };
    let concurrency = CONCURRENCY.to_string();
    let mut apply = genesync(&["apply", "--concurrency", &concurrency]);
    apply.args([
        "--allow",
        "run-tenants",
        "--allow",
        "tenant-changes",
        "--reason",
        "the first apply of a benchmark",
    ]);
    let run = measure::run(&mut apply, scratch)?;
    println!("applied {PLANNED} tenants in {:.1} s", run.wall.as_secs_f64());

    let urls: Vec<String> = (0..PLANNED)
        .map(|number| {
            let organization = corpus::organization(number);
            format!("{}/api/v2/webchat/organizations/{organization}/configurations", emulator.url)
        })
        .collect();
    let list = scratch.join("urls.txt");
    std::fs::write(&list, urls.join("\n") + "\n")?;
    let bearer = format!("Authorization: Bearer {}", emulator.token()?);
    let mut planning = Planning {
        reads: 0,
        others: 0,
        ours: Figures::default(),
        ours_whole: Figures::default(),
        ours_wall_ms: Figures::default(),
        oha: Figures::default(),
        wrk: Figures::default(),
    };
    for round in 0..=RUNS {
        let mark = emulator.mark()?;
        let mut plan =
            genesync(&["plan", "--rev", "HEAD", "--detailed-exitcode", "--concurrency", &concurrency]);
        let ours = measure::run(&mut plan, scratch)?;
        let asked = emulator.since(mark)?;
        let oha = load(&emulator, scratch, &mut oha(&list, &bearer));
        let wrk = load(&emulator, scratch, &mut wrk(&list, &bearer, &emulator.url));
        report::progress("plan", round);
        if round == 0 {
            continue;
        }
        (planning.reads, planning.others) = (asked.reads, asked.others);
        planning.ours.0.push(asked.per_second);
        planning.ours_whole.0.push(asked.reads as f64 / ours.wall.as_secs_f64());
        planning.ours_wall_ms.0.push(ours.wall.as_secs_f64() * 1e3);
        planning.oha.0.extend(oha);
        planning.wrk.0.extend(wrk);
    }

    corpus::change(&repository, CHANGED)?;
    let mark = emulator.mark()?;
    measure::run(&mut genesync(&["plan", "--since", "HEAD~1", "--concurrency", &concurrency]), scratch)?;
    let since = Since { expected: corpus::organization(CHANGED), asked: emulator.since(mark)? };
    Ok((planning, since))
}

fn oha(list: &Path, bearer: &str) -> Command {
    let mut command = Command::new(tools().join("bin/oha"));
    command.args(["--no-tui", "-n", &(PLANNED * LOAD_FACTOR).to_string(), "-c", &CONCURRENCY.to_string()]);
    command.args(["-H", bearer, "--urls-from-file"]).arg(list);
    command
}

fn wrk(list: &Path, bearer: &str, url: &str) -> Command {
    let mut command = Command::new("wrk");
    command.args(["-t", "1", "-c", &CONCURRENCY.to_string(), "-d", "1s", "-H", bearer, "-s"]);
    command.arg(Path::new(ROOT).join("benches/peer/urls.lua")).arg(url).env("URLS", list);
    command
}

/// Returns the reads per second of a load generator, from the emulator's log as for a plan; none if it is
/// not installed.
fn load(emulator: &Emulator, scratch: &Path, command: &mut Command) -> Option<f64> {
    let measured = || -> Outcome<f64> {
        let mark = emulator.mark()?;
        measure::run(command, scratch)?;
        let asked = emulator.since(mark)?;
        if asked.others > 0 {
            return Err(format!("{} requests were not answered with 200", asked.others).into());
        }
        Ok(asked.per_second)
    };
    let mut measured = measured;
    measured().map_err(|error| eprintln!("load generator: {error}")).ok()
}
