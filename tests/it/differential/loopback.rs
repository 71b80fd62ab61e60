//! The real binary over loopback: `apply`, `run --once` and `run` over the same fleets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fleet::{Fate, Member, fleet};
use crate::support::{Stage, delay, organization, tenant, wait_until};

/// The number of fleets that each of the three plays.
const SEEDS: u64 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shell {
    Apply,
    Once,
    Controller,
}

/// The result of each tenant: its status, its live configuration and its version.
type Ends = BTreeMap<String, (String, Value, u64)>;

fn files(member: &Member, after: bool) -> Vec<(String, String)> {
    let ms = if after { member.delay_ms() } else { 1 };
    let mode = if member.watched { "watch" } else { "enforce" };
    let window = match member.fate == Fate::Closed && after {
        // A day that is not today, in UTC.
        true => {
            let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).weekday();
            let other = if today == jiff::civil::Weekday::Monday { "wednesday" } else { "monday" };
            format!(", windows: [{{days: [{other}], start: \"09:00\", end: \"10:00\", timeZone: Etc/UTC}}]")
        }
        false => String::new(),
    };
    let sync = format!("mode: {mode}, wave: {}{window}", member.wave);
    let credentials = if member.fate == Fate::NoClient && after { "nobody" } else { "main" };
    let web = match member.fate == Fate::Invalid && after {
        true => "  greetings: {delayMs: 99999999}\n".to_owned(),
        false => delay(ms),
    };
    tenant(&member.name(), &[member.number], &web)
        .into_iter()
        .map(|(path, text)| {
            let text = text
                .replace("mode: enforce", &sync)
                .replace("credentials: main", &format!("credentials: {credentials}"));
            let broken = member.fate == Fate::Unreadable && after && path.ends_with("tenant.yaml");
            (path, if broken { "kind: [".to_owned() } else { text })
        })
        .collect()
}

/// A fleet that was applied; then a commit, edits by hand, faults and a pause.
fn stage(members: &[Member]) -> (Stage, String) {
    let stage = Stage::new();
    // The limit on changes of a run is lifted; that guard has its own tests.
    let project = "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: p}\nspec:\n  guards: {run: {tenantsMaxPercent: 100}}\n";
    let before = members.iter().flat_map(|member| {
        // A watched tenant was enforced before, so that it can drift.
        files(&Member { watched: false, ..*member }, false)
    });
    stage.commit(&[before.collect(), vec![("genesync.yaml".to_owned(), project.to_owned())]].concat());
    stage.genesync(&["apply"]).expect(0);
    stage.configure(&[
        "timing.write-ms = 500",
        "timing.settle-ms = 50",
        "timing.backoff-ms = 5",
        "timing.backoff-max-ms = 20",
        "timing.poll-ms = 10",
        "controller.retry-ms = 600_000",
        "controller.retry-max-ms = 600_000",
        "controller.resync-ms = 3_600_000",
        "controller.git-poll-ms = 50",
        "waves.patience-ms = 0",
    ]);
    for member in members {
        if member.drifted {
            stage.edit(member.number, &json!({"greetings": {"delayMs": 777}}));
        }
        if member.paused {
            stage.genesync(&["pause", &member.name(), "--reason", "mine"]).expect(0);
        }
        match member.fate {
            Fate::Out => failing(&stage, member.number, "*", 503),
            Fate::Denied => failing(&stage, member.number, "*", 403),
            Fate::Rejected => failing(&stage, member.number, "PUT", 400),
            Fate::Fine | Fate::NoClient | Fate::Invalid | Fate::Unreadable | Fate::Held | Fate::Closed => {}
        }
    }
    let head = stage.commit(&members.iter().flat_map(|member| files(member, true)).collect::<Vec<_>>());
    (stage, head)
}

fn failing(stage: &Stage, number: u32, method: &str, status: u16) {
    let methods = if method == "*" { vec!["GET", "PUT"] } else { vec![method] };
    for method in methods {
        let matched = json!({"method": method, "organizationId": organization(number)});
        let fault = json!({"match": matched, "times": 0, "do": {"status": status}});
        stage.control("POST", "faults", &json!({"faults": [fault]}));
    }
}

fn play(shell: Shell, members: &[Member]) -> (Ends, Option<i32>) {
    let (stage, head) = stage(members);
    let code = match shell {
        Shell::Apply => Some(stage.genesync(&["apply"]).code),
        Shell::Once => Some(stage.genesync(&["run", "--once"]).code),
        Shell::Controller => {
            let running = stage.controller();
            running.wait_for_log(&format!("took a head revision={head}"));
            wait_until("all is quiet", || {
                let now = jiff::Timestamp::now();
                let quiet = |row: &Value| {
                    let due: Option<jiff::Timestamp> = row["dueAt"].as_str().and_then(|due| due.parse().ok());
                    row["holder"].is_null() && due.is_none_or(|due| due > now)
                };
                let rows = stage.rows();
                rows.len() == members.len() && rows.iter().all(quiet)
            });
            None
        }
    };
    let rows: BTreeMap<String, String> = stage
        .rows()
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            (text("tenant"), text("status"))
        })
        .collect();
    let ends = members
        .iter()
        .map(|member| {
            let (version, body) = stage.live(member.number);
            let status = rows.get(&member.name()).cloned().unwrap_or_default();
            (member.name(), (status, body["greetings"]["delayMs"].clone(), version))
        })
        .collect();
    (ends, code)
}

#[test]
fn apply_run_once_and_the_controller_reach_the_same_result() {
    // Each fleet needs its own processes: two fleets at a time use the machine fully.
    let failures: Vec<String> = std::thread::scope(|scope| {
        let half = |parity: u64| {
            scope.spawn(move || {
                let mut wrong = Vec::new();
                for seed in (0..SEEDS).filter(|seed| seed % 2 == parity) {
                    let mut members = fleet(seed);
                    // Only runs write a hold; the other test sets it.
                    members.retain(|member| member.fate != Fate::Held);
                    let (apply, code) = play(Shell::Apply, &members);
                    let (once, once_code) = play(Shell::Once, &members);
                    let (controller, _) = play(Shell::Controller, &members);
                    let waits = apply.values().any(|(status, ..)| status == "Waiting");
                    let same_code = code == once_code || waits && (code, once_code) == (Some(3), Some(0));
                    if apply != once || once != controller || !same_code {
                        wrong.push(format!(
                            "seed {seed}: {members:#?}\napply {code:?} {apply:#?}\nonce {once_code:?} {once:#?}\ncontroller {controller:#?}"
                        ));
                    }
                }
                wrong
            })
        };
        let halves = [half(0), half(1)];
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} of {SEEDS} fleets differ; the first:\n{}", failures.len(), failures[0]);
}
