//! Benchmark: a plan without changes and an import, with Genesys Cloud's public API.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::measure::{self, Figures, RUNS};
use crate::{GENESYNC, Outcome, report};

/// Configurations, and equally many deployments, of the planned organization.
const PLANNED_OBJECTS: usize = 300;
/// The same for the imported organization.
const IMPORTED_OBJECTS: usize = 500;
/// The emulator's latency for plans, in milliseconds.
const LATENCY_MS: u64 = 20;
/// The platform's usual limit for one token, in requests per minute.
const LIMIT_PER_MINUTE: u64 = 300;
const ORGANIZATION: &str = "00000000-0000-4000-8000-00000000c10d";
const SECRET: &str = "not-a-real-secret";

/// The results.
#[derive(Default)]
pub struct Cloud {
    /// Requests of one plan, without the token request.
    pub requests: usize,
    /// The plan's wall time in milliseconds.
    pub wall_ms: Figures,
    /// The plan's processor time in milliseconds.
    pub cpu_ms: Figures,
    /// The plan's peak memory in MB.
    pub peak_mb: Figures,
    /// Wall time with the platform's limit for a token, in milliseconds.
    pub limited_ms: Figures,
    /// Wall time of an import, including its verification, in milliseconds.
    pub import_ms: Figures,
    /// The import's peak memory in MB.
    pub import_peak_mb: Figures,
    /// Size of a configuration, in bytes of JSON.
    pub configuration_bytes: usize,
}

/// Creates a configuration of realistic size.
fn configuration(number: usize) -> Value {
    let labels = |language: &str| {
        json!({"language": language, "localizedLabels": [
            {"key": "MessengerHomeHeaderTitle", "value": format!("Welcome to site {number}")},
            {"key": "MessengerHomeHeaderSubTitle", "value": "Ask us anything about your order, your account or our shops"},
        ]})
    };
    let languages = ["en-us", "de-de", "fr", "es", "it", "pt-br", "nl", "sv"];
    let events: Vec<Value> = (0..20)
        .map(|event| json!({"selector": format!("#section-{event} .call-to-action > button"), "eventName": format!("cta-{event}")}))
        .collect();
    json!({
        "description": format!("The messenger of site {number}"),
        "languages": languages, "defaultLanguage": "en-us",
        "customI18nLabels": languages.map(labels),
        "messenger": {
            "enabled": true, "styles": {"primaryColor": "#0B3D91"}, "launcherButton": {"visibility": "On"},
            "homeScreen": {"enabled": true, "logoUrl": format!("https://static.example.com/{number}/logo.svg")},
            "fileUpload": {"modes": [{"fileTypes": ["image/png", "image/jpeg", "image/gif"], "maxFileSizeKB": 10240}]},
            "apps": {"conversations": {"enabled": true, "showAgentTypingIndicator": true, "conversationClear": {"enabled": true}}},
        },
        "position": {"alignment": "Auto", "sideSpace": 20, "bottomSpace": 12},
        "journeyEvents": {"enabled": true, "pageviewConfig": "Auto", "clickEvents": events},
    })
}

/// Writes a world file with one organization.
fn world(path: &Path, objects: usize) -> Outcome<()> {
    let configurations: Vec<Value> = (0..objects)
        .map(|number| json!({"name": format!("Site {number}"), "versions": [configuration(number)]}))
        .collect();
    let deployments: Vec<Value> = (0..objects)
        .map(|number| {
            json!({"name": format!("Pages {number}"), "allowAllDomains": false, "status": "Active",
                "allowedDomains": [format!("site-{number}.example.com")],
                "flow": {"id": format!("f1000000-0000-4000-8000-{:012}", number % 5)},
                "configuration": {"name": format!("Site {number}"), "version": "1"}})
        })
        .collect();
    let flows: Vec<Value> = (0..5)
        .map(|number| json!({"id": format!("f1000000-0000-4000-8000-{number:012}"), "name": format!("Queue {number}")}))
        .collect();
    let world = json!({
        "clients": [{"id": "bench", "secret": SECRET, "name": "genesync", "cloud": {"organization": ORGANIZATION}}],
        "organizations": [{"id": ORGANIZATION, "cloud": {
            "name": "Bench", "region": "eu-central-1", "configurations": configurations, "deployments": deployments, "flows": flows,
        }}],
    });
    Ok(std::fs::write(path, world.to_string())?)
}

struct Bench {
    emulator: Emulator,
    scratch: PathBuf,
}

impl Bench {
    fn start(scratch: &Path, objects: usize) -> Outcome<Self> {
        let file = scratch.join(format!("world-{objects}.json"));
        world(&file, objects)?;
        let file = file.to_str().ok_or("the scratch folder has no name")?.to_owned();
        let emulator = Emulator::start_with(GENESYNC, &["--world", &file])?;
        Ok(Self { emulator, scratch: scratch.to_owned() })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // `time` reports the processor time of the whole process.
        let mut command = Command::new(GENESYNC);
        command.args(arguments).env_clear();
        command.env("GENESYNC_ENDPOINT_EU_CENTRAL_1", &self.emulator.url);
        command.env("GENESYNC_CREDENTIALS_BENCH_CLIENT_ID", "bench");
        command.env("GENESYNC_CREDENTIALS_BENCH_CLIENT_SECRET", SECRET);
        command.env("GENESYNC_STATE_DIR", self.scratch.join("state-cloud"));
        command
    }

    fn import(&self, folder: &Path) -> Outcome<measure::Run> {
        let folder = folder.to_str().ok_or("the folder has no name")?;
        let mut command =
            self.command(&["import", folder, "--tenant", "bench", "--organization", ORGANIZATION]);
        command.args(["--region", "eu-central-1", "--credentials", "bench"]);
        Ok(measure::run(&mut command, &self.scratch)?)
    }
}

/// Measures a plan without changes, the same with a rate limit, and an import.
pub fn measure_all(scratch: &Path) -> Outcome<Cloud> {
    let mut cloud = Cloud { configuration_bytes: configuration(1).to_string().len(), ..Cloud::default() };
    let bench = Bench::start(scratch, PLANNED_OBJECTS)?;
    let repository = scratch.join("cloud-planned");
    bench.import(&repository)?;
    let folder = repository.to_str().ok_or("the folder has no name")?;
    let plan = || bench.command(&["plan", folder, "--detailed-exitcode"]);
    bench.emulator.set(&json!({"latencyMs": LATENCY_MS}))?;
    for round in 0..=RUNS {
        let mark = bench.emulator.mark()?;
        let before_ms = measure::children_cpu_ms();
        let run = measure::run(&mut plan(), scratch)?;
        let cpu_ms = measure::children_cpu_ms() - before_ms;
        let requests = bench.emulator.all(mark)?.len();
        report::progress("plan of the public API", round);
        if round == 0 {
            continue;
        }
        cloud.requests = requests;
        cloud.wall_ms.0.push(run.wall.as_secs_f64() * 1e3);
        cloud.cpu_ms.0.push(cpu_ms);
        cloud.peak_mb.0.push(run.peak_kib as f64 * 1024.0 / 1e6);
    }
    bench.emulator.set(&json!({"tokenRateLimitPerMinute": LIMIT_PER_MINUTE}))?;
    // Only once: it takes more than a minute, and only the limit decides how long.
    {
        let run = measure::run(&mut plan(), scratch)?;
        cloud.limited_ms.0.push(run.wall.as_secs_f64() * 1e3);
    }
    let bench = Bench::start(scratch, IMPORTED_OBJECTS)?;
    for round in 0..=RUNS {
        let run = bench.import(&scratch.join(format!("cloud-imported-{round}")))?;
        report::progress("import", round);
        if round > 0 {
            cloud.import_ms.0.push(run.wall.as_secs_f64() * 1e3);
            cloud.import_peak_mb.0.push(run.peak_kib as f64 * 1024.0 / 1e6);
        }
    }
    Ok(cloud)
}

/// Renders the section of the page.
pub fn section(cloud: &Cloud) -> String {
    let objects = PLANNED_OBJECTS * 2;
    let per_object = cloud.requests as f64 / objects as f64;
    let met = |met: bool| if met { "**met**" } else { "**not met**" };
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "{HEADING}\n\n`genesync plan` without changes for one organization of {PLANNED_OBJECTS} configurations of {:.1} KB and {PLANNED_OBJECTS}\n\
         deployments, with a latency of {LATENCY_MS} ms in the emulator; then the same with {LIMIT_PER_MINUTE} requests per minute for each token.\n\
         `genesync import` of {} objects, including the plan that verifies it. Emulator and genesync share the machine.\n\n\
         | | target | measured | verdict |\n| --- | --- | --- | --- |\n\
         | requests of a plan | at most 1.1 per object | {} requests, {per_object:.3} per object | {} |\n\
         | its wall time, ms | - | {} | - |\n\
         | its processor time, ms | - | {} | - |\n\
         | its peak memory, MB | - | {} | - |\n\
         | wall time with {LIMIT_PER_MINUTE} requests per minute, ms | - | {} | - |\n\
         | import of {} objects, ms | - | {} | - |\n\
         | its peak memory, MB | under 150 | {} | {} |\n",
        cloud.configuration_bytes as f64 / 1e3,
        IMPORTED_OBJECTS * 2,
        cloud.requests,
        met(per_object <= 1.1),
        cloud.wall_ms.shown(0),
        cloud.cpu_ms.shown(0),
        cloud.peak_mb.shown(0),
        cloud.limited_ms.shown(0),
        IMPORTED_OBJECTS * 2,
        cloud.import_ms.shown(0),
        cloud.import_peak_mb.shown(0),
        met(cloud.import_peak_mb.median() < 150.0),
    );
    out
}

/// The heading of the section in the page.
pub const HEADING: &str = "## 8. Genesys Cloud's public API";
