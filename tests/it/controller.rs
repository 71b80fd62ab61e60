//! The controller: the real binary runs over a real repository and an emulator while people interfere.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{CLIENT_ID, Running, SECRET, Stage, delay, organization, tenant, wait_until};

/// Returns a tenant of one organization with other settings under `sync`.
fn synced_as(name: &str, number: u32, sync: &str, ms: u32) -> Vec<(String, String)> {
    let files = tenant(name, &[number], &delay(ms)).into_iter();
    files.map(|(path, text)| (path, text.replace("mode: enforce", sync))).collect()
}

fn delay_of(stage: &Stage, number: u32) -> Value {
    stage.live(number).1["greetings"]["delayMs"].clone()
}

fn puts(stage: &Stage, since: u64) -> usize {
    stage.writes(since).len()
}

/// Returns tenants `t1`, `t2`, …, each with the organization of its number.
fn many(numbers: std::ops::RangeInclusive<u32>, ms: u32) -> Vec<(String, String)> {
    numbers.flat_map(|number| tenant(&format!("t{number}"), &[number], &delay(ms))).collect()
}

fn failing(stage: &Stage, number: u32, method: &str) {
    let fault = json!({"match": {"method": method, "organizationId": organization(number)}, "times": 0, "do": {"status": 500}});
    stage.control("POST", "faults", &json!({"faults": [fault]}));
}

/// Returns the value of a gauge or counter from the metrics.
fn figure(running: &Running, name: &str) -> Option<f64> {
    let metrics = running.get("/metrics");
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_commit_is_applied_and_shown_in_status_history_metrics_and_log() {
    let stage = Stage::new();
    stage.configure(&[]);
    stage.commit(&tenant("acme", &[1, 2], &delay(1)));
    let running = stage.controller();
    stage.wait_for(&["acme"], "Synced");
    assert_eq!((delay_of(&stage, 1), delay_of(&stage, 2)), (json!(1), json!(1)));
    // No hook is sent: the repository is a folder of this machine, and the controller watches its files.
    let revision = stage.commit(&tenant("acme", &[1, 2], &delay(2)));
    wait_until("the commit is live", || delay_of(&stage, 2) == 2);
    stage.wait_for(&["acme"], "Synced");
    let row = stage.status("acme");
    assert_eq!(
        (&row["revision"], &row["applied"], &row["failures"]),
        (&json!(revision), &json!(true), &json!(0))
    );
    let table = stage.genesync(&["status"]).expect(0).stdout;
    assert!(table.contains("acme") && table.ends_with("1 of 1 tenants Synced\n"), "{table}");
    let history = stage.genesync(&["history", "acme"]).expect(0).stdout;
    let wrote = format!("version 2 of {} from commit {}", organization(1), &revision[..7]);
    assert!(history.contains(&wrote), "{wrote}\n{history}");
    let history = stage.genesync(&["history", "acme", "--format", "json"]).expect(0).json();
    assert_eq!((&history["runs"][0]["cause"], &history["runs"][0]["writes"]), (&json!("commit"), &json!(2)));
    assert!(
        running.get("/healthz").starts_with("HTTP/1.1 200")
            && running.get("/readyz").starts_with("HTTP/1.1 200")
    );
    wait_until("the metrics count it", || {
        figure(&running, "genesync_tenants{status=\"synced\"}") == Some(1.0)
    });
    assert_eq!(figure(&running, "genesync_runs_total{result=\"synced\"}"), Some(2.0));
    let (code, log) = running.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("took a head") && log.contains("run ended") && log.contains("tenant=acme"), "{log}");

    // The log as JSON: each line is one document.
    stage.configure(&["controller.log-format = \"json\""]);
    let running = stage.controller();
    stage.commit(&tenant("acme", &[1, 2], &delay(3)));
    wait_until("the commit is live", || delay_of(&stage, 2) == 3);
    running.wait_for_log("run ended");
    let (code, log) = running.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("\"acme\"") && !lines.is_empty(), "{log}");
}

#[test]
fn a_signed_hook_starts_a_check_at_once_and_an_unsigned_one_does_not() {
    let stage = Stage::new();
    stage.configure(&[]);
    stage.commit(&tenant("acme", &[1], &delay(1)));
    let url = format!("file://{}", stage.repository().display());
    let secret = "a-secret-of-the-forge-0123456789";
    let mut command = stage.command(&["run", &url, "--listen", "127.0.0.1:0"]);
    command.env("GENESYNC_CACHE_DIR", stage.path("cache")).env("GENESYNC_HOOK_SECRETS", secret);
    let running = Running::start(command);
    stage.wait_for(&["acme"], "Synced");
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let body = "{\"ref\":\"refs/heads/main\"}";
    let signed = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("x-github-event: push\r\nx-hub-signature-256: sha256={digest}\r\n")
    };
    let refused = running.ask("POST", "/hooks/git", &signed("another-secret-0123456789"), body);
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    let taken = running.ask("POST", "/hooks/git", &signed(secret), body);
    assert!(taken.starts_with("HTTP/1.1 202"), "{taken}");
    wait_until("the commit is live", || delay_of(&stage, 1) == 2);
    assert_eq!(figure(&running, "genesync_hooks_total{result=\"hint\"}"), Some(1.0));
    assert_eq!(figure(&running, "genesync_hooks_total{result=\"unsigned\"}"), Some(1.0));
    assert!(!running.log().contains(secret));
}

#[test]
fn a_commit_that_touches_one_tenant_asks_for_that_tenant_alone() {
    let stage = Stage::new();
    stage.configure(&[]);
    stage.commit(&many(1..=12, 1));
    let _running = stage.controller();
    wait_until("all are synced", || stage.genesync(&["status"]).stdout.contains("12 of 12 tenants Synced"));
    let mark = stage.mark();
    stage.commit(&many(7..=7, 2));
    wait_until("the commit is live", || delay_of(&stage, 7) == 2);
    stage.wait_for(&["t7"], "Synced");
    let asked: std::collections::BTreeSet<String> = stage
        .requests(mark)
        .0
        .iter()
        .filter_map(|request| request["organizationId"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(asked, [organization(7)].into());
}

#[test]
fn an_edit_is_shown_where_it_is_watched_and_set_back_where_git_wins() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    stage.configure(&["controller.resync-ms = 400"]);
    // The configuration holds the author and the time. Only the audit log knows the address, and later.
    stage.control("POST", "settings", &json!({"auditDelayMs": 0}));
    stage.commit(&synced_as("acme", 1, "mode: watch", 1));
    let _running = stage.controller();
    stage.wait_for(&["acme", "zeta"], "Synced");
    let mark = stage.mark();
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    stage.edit(2, &json!({"greetings": {"delayMs": 777}}));
    stage.wait_for(&["acme"], "Drifted");
    wait_until("it is set back", || delay_of(&stage, 2) == 1);
    stage.wait_for(&["zeta"], "Synced");
    assert_eq!((delay_of(&stage, 1), puts(&stage, mark)), (json!(777), 1));
    assert!(stage.status("acme")["driftedAt"].is_string());
    for (name, number) in [("acme", 1), ("zeta", 2)] {
        let history = stage.genesync(&["history", name]).expect(0).stdout;
        let drift =
            history.lines().find(|line| line.contains(" drift ")).unwrap_or_else(|| panic!("{history}"));
        let reported =
            format!("greetings.delayMs: 1 in git, 777 live of {}, by Mara Ionescu, 20", organization(number));
        assert!(drift.contains(&reported) && drift.contains(" from 192.0.2.10"), "{drift}");
    }
}

#[test]
fn repeated_drift_is_held_until_a_person_resumes_the_tenant() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.configure(&["controller.resync-ms = 300"]);
    let running = stage.controller();
    for _ in 0..3 {
        stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
        wait_until("it is set back", || delay_of(&stage, 1) == 1);
    }
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    stage.wait_for(&["acme"], "Held");
    let reason = stage.status("acme")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("fought over") && reason.contains("Mara Ionescu"), "{reason}");
    // The controller reads it again and again, and does not write it.
    let runs =
        |running: &Running| figure(running, "genesync_runs_total{result=\"drifted\"}").unwrap_or_default();
    let (before, mark) = (runs(&running), stage.mark());
    wait_until("it was read twice more", || runs(&running) >= before + 2.0);
    assert_eq!((puts(&stage, mark), delay_of(&stage, 1)), (0, json!(777)));
    stage.genesync(&["resume", "acme"]).expect(0);
    wait_until("it is set back", || delay_of(&stage, 1) == 1);
    stage.wait_for(&["acme"], "Synced");
}

// Guarantee: a-pause-ends-writes
#[test]
fn a_pause_stops_writes_at_once_and_drift_is_still_shown() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.configure(&["controller.resync-ms = 400"]);
    let _running = stage.controller();
    stage.wait_for(&["acme"], "Synced");
    let pause = ["pause", "acme", "--reason", "release freeze", "--until", "2099-12-24"];
    stage.genesync(&pause).expect(0);
    let mark = stage.mark();
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    wait_until("the drift is seen", || stage.status("acme")["driftedAt"].is_string());
    assert_eq!(stage.status("acme")["status"], "Paused");
    stage.commit(&tenant("acme", &[1], &delay(2)));
    wait_until("the commit was seen", || stage.status("acme")["applied"] == false);
    let table = stage.genesync(&["status"]).expect(0).stdout;
    let reported = "paused by ops@desk (as claimed) until 2099-12-25T00:00:00Z: release freeze";
    assert!(table.contains("Paused") && table.contains(reported), "{table}");
    assert!(stage.status("acme")["driftedAt"].is_string());
    assert_eq!((puts(&stage, mark), delay_of(&stage, 1)), (0, json!(777)));
    stage.genesync(&["resume", "acme"]).expect(0);
    wait_until("git wins again", || delay_of(&stage, 1) == 2);
    let history = stage.genesync(&["history", "acme"]).expect(0).stdout;
    assert!(history.contains("release freeze") && history.contains("resumed"), "{history}");
    // A date in the past is refused, and an unknown tenant cannot be resumed.
    stage.genesync(&["pause", "acme", "--reason", "x", "--until", "2020-01-01"]).expect(2);
    stage.genesync(&["resume", "nobody"]).expect(2);
}

// Guarantee: fenced
#[test]
fn a_run_that_waits_while_its_tenant_is_paused_does_not_write() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.configure(&[]);
    let _running = stage.controller();
    stage.wait_for(&["acme"], "Synced");
    let mark = stage.mark();
    stage.fault(1, "PUT", &json!({"status": 429, "retryAfter": 3}));
    stage.commit(&tenant("acme", &[1], &delay(2)));
    wait_until("the write was refused for now", || puts(&stage, mark) == 1);
    stage.genesync(&["pause", "acme", "--reason", "wait"]).expect(0);
    let mark = stage.mark();
    wait_until("the run has ended", || {
        let row = stage.status("acme");
        row["status"] == "Paused"
            && row["holder"].is_null()
            && row["reason"].to_string().contains("paused by")
    });
    assert_eq!((puts(&stage, mark), delay_of(&stage, 1)), (0, json!(1)));
    stage.genesync(&["resume", "acme"]).expect(0);
    wait_until("it continues", || delay_of(&stage, 1) == 2);
}

#[test]
fn sync_starts_a_check_at_once() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    stage.configure(&[]);
    let _running = stage.controller();
    stage.wait_for(&["acme", "zeta"], "Synced");
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    stage.edit(2, &json!({"greetings": {"delayMs": 777}}));
    let reported = stage.genesync(&["sync", "acme"]).expect(0).stdout;
    assert_eq!(reported, "due now: 1 tenant\n");
    wait_until("it is set back", || delay_of(&stage, 1) == 1);
    assert_eq!(delay_of(&stage, 2), 777);
    stage.genesync(&["sync", "--all"]).expect(0);
    wait_until("it is set back", || delay_of(&stage, 2) == 1);
    stage.genesync(&["sync", "nobody"]).expect(2);
}

#[test]
fn settings_are_read_again_on_hangup() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    let secrets = |secret: &str| {
        let text = format!("{{\"clientId\":\"{CLIENT_ID}\",\"clientSecret\":\"{secret}\"}}");
        format!("credentials.main.command = [\"echo\", '{text}']")
    };
    stage.configure(&[&secrets("the old one"), "controller.retry-max-ms = 3_600_000"]);
    let mut command = stage.command(&["run", "--listen", "127.0.0.1:0"]);
    // One of the two variables alone would be an incomplete source.
    for part in ["ID", "SECRET"] {
        command.env_remove(format!("GENESYNC_CREDENTIALS_MAIN_CLIENT_{part}"));
    }
    command.env("PATH", env!("PATH"));
    let running = Running::start(command);
    stage.wait_for(&["acme"], "Degraded");
    // A settings file that cannot be read changes nothing.
    std::fs::write(stage.path("settings.toml"), "[controller]\nresink-ms = 1\n").unwrap();
    running.signal("-HUP");
    running.wait_for_log("cannot reload the settings, so the current ones stay");
    // A rotated secret, a shorter interval, and a more detailed log.
    stage.configure(&[&secrets(SECRET), "controller.resync-ms = 300", "controller.log = \"genesync=debug\""]);
    running.signal("-HUP");
    running.wait_for_log("settings reloaded");
    stage.genesync(&["sync", "acme"]).expect(0);
    stage.wait_for(&["acme"], "Synced");
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    wait_until("the resync sets it back", || delay_of(&stage, 1) == 1);
    running.wait_for_log("DEBUG");
}

#[test]
fn a_stop_in_the_middle_of_a_write_ends_the_write_and_nothing_is_written_twice() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.configure(&["timing.write-ms = 10_000"]);
    let running = stage.controller();
    stage.wait_for(&["acme"], "Synced");
    let mark = stage.mark();
    stage.fault(1, "PUT", &json!({"delayMs": 1000}));
    stage.commit(&tenant("acme", &[1], &delay(2)));
    wait_until("the write is under way", || puts(&stage, mark) == 1);
    let (code, log) = running.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("stopping: waiting for running work to end"), "{log}");
    let row = stage.status("acme");
    assert!(row["holder"].is_null(), "its lease was released: {row}");
    let _running = stage.controller();
    stage.wait_for(&["acme"], "Synced");
    assert_eq!((puts(&stage, mark), stage.live(1).0), (1, 2));
}

#[test]
fn a_write_that_does_not_end_is_parked_at_the_deadline_and_not_repeated() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.configure(&["timing.write-ms = 12_000", "controller.shutdown-ms = 2000"]);
    let running = stage.controller();
    stage.wait_for(&["acme"], "Synced");
    let mark = stage.mark();
    stage.fault(1, "PUT", &json!({"delayMs": 60_000}));
    stage.commit(&tenant("acme", &[1], &delay(2)));
    wait_until("the write is under way", || puts(&stage, mark) == 1);
    let begun = std::time::Instant::now();
    let (code, log) = running.stop();
    assert_eq!(code, 0, "{log}");
    assert!(begun.elapsed().as_secs() < 10, "it waited for the write: {:?}\n{log}", begun.elapsed());
    let _running = stage.controller();
    // First genesync waits until the write must have ended, then it reads the result.
    stage.wait_for(&["acme"], "Synced");
    assert_eq!((puts(&stage, mark), stage.live(1).0), (1, 2));
}

#[test]
fn one_pass_ends_with_the_code_of_what_it_found() {
    let stage = Stage::new();
    stage.configure(&["controller.once-ms = 20_000"]);
    let once = |arguments: &[&str]| stage.genesync(&[&["run", "--once"], arguments].concat());
    stage.commit(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))].concat());
    let done = once(&["--format", "json"]).expect(0);
    assert_eq!(
        (&done.json()["exitCode"], &done.json()["tenants"][1]["status"]),
        (&json!(0), &json!("Synced"))
    );
    assert!(once(&[]).expect(0).stdout.contains("2 of 2 tenants Synced"));

    // Outages: one tenant is unreachable, then all are.
    failing(&stage, 1, "GET");
    once(&[]).expect(7);
    // If one tenant was written, the result is partial.
    stage.commit(&tenant("zeta", &[2], &delay(2)));
    once(&[]).expect(6);
    failing(&stage, 2, "GET");
    let ran = once(&[]).expect(7);
    assert!(ran.stdout.contains("Degraded"), "{}", ran.stdout);
    stage.control("DELETE", "faults", &Value::Null);

    // A guard: another user deleted the configurations.
    let person = genesync::emulator::Actor::user("Mara Ionescu");
    for number in [1, 2] {
        stage.world.lock().unwrap().remove(&organization(number), &person, jiff::Timestamp::now());
    }
    let ran = once(&[]).expect(5);
    assert!(ran.stdout.contains("recreate"), "{}", ran.stdout);
    stage.genesync(&["apply", "--allow", "recreate", "--reason", "by mistake"]).expect(0);

    // Invalid manifests: in one tenant, then in all, then in the project.
    let broken = "  greetings: {delayMs: 99999999}\n";
    stage.commit(&tenant("acme", &[1], broken));
    let ran = once(&[]).expect(1);
    assert!(ran.stdout.contains("tenants/acme/web.yaml:5:24"), "{}", ran.stdout);
    stage.commit(&tenant("zeta", &[2], broken));
    once(&[]).expect(1);
    let project = |text: &str| {
        vec![(
            "genesync.yaml".to_owned(),
            format!("apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {{name: p}}\n{text}"),
        )]
    };
    stage.commit(&project("nonsense: 1\n"));
    let ran = once(&[]).expect(1);
    assert!(ran.stderr.contains("genesync cannot use its limits"), "{}", ran.stderr);
}

#[test]
fn one_pass_over_a_rewound_or_emptied_repository_writes_nothing_and_reports_it() {
    let stage = Stage::new();
    stage.configure(&["controller.once-ms = 20_000"]);
    let once = |code: i32| stage.genesync(&["run", "--once"]).expect(code);
    let first = stage.commit(&tenant("acme", &[1], &delay(1)));
    once(0);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    once(0);
    let mark = stage.mark();
    let repository = git2::Repository::open(stage.repository()).unwrap();
    let commit = repository.find_object(git2::Oid::from_str(&first).unwrap(), None).unwrap();
    repository.reset(&commit, git2::ResetType::Hard, None).unwrap();
    let ran = once(5);
    assert!(ran.stderr.contains("refused by guard `rewind`"), "{}", ran.stderr);
    assert_eq!((puts(&stage, mark), delay_of(&stage, 1)), (0, json!(2)));
    // If the rewind is intended, a person allows it once.
    stage.genesync(&["apply", "--allow", "rewind", "--reason", "bad release"]).expect(0);
    once(0);
    assert_eq!(delay_of(&stage, 1), 1);
    let mark = stage.mark();
    std::fs::remove_dir_all(stage.repository().join("tenants")).unwrap();
    stage.commit(&[("README.md".into(), "empty".into())]);
    let ran = once(1);
    assert!(ran.stderr.contains("found no tenants"), "{}", ran.stderr);
    assert_eq!((puts(&stage, mark), stage.live(1).0), (0, 3));
}

#[test]
fn one_pass_that_a_guard_holds_is_not_called_done() {
    let stage = Stage::new();
    stage.configure(&["controller.once-ms = 20_000"]);
    stage.commit(&many(1..=10, 1));
    stage.genesync(&["run", "--once"]).expect(0);
    let mark = stage.mark();
    stage.commit(&many(1..=10, 2));
    let ran = stage.genesync(&["run", "--once"]).expect(5);
    assert!(ran.stdout.contains("genesync resume --all"), "{}", ran.stdout);
    assert_eq!(puts(&stage, mark), 0);
    stage.genesync(&["resume", "--all"]).expect(0);
    stage.genesync(&["run", "--once"]).expect(0);
    assert_eq!(puts(&stage, mark), 10);
}

// Guarantee: one-bad-tenant
#[test]
fn an_invalid_tenant_stops_itself_alone_also_while_it_is_worked_on() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    stage.configure(&[]);
    let _running = stage.controller();
    stage.wait_for(&["acme", "zeta"], "Synced");
    let mark = stage.mark();
    stage.fault(1, "PUT", &json!({"status": 429, "retryAfter": 2}));
    stage.commit(&tenant("acme", &[1], &delay(2)));
    wait_until("the write was refused for now", || puts(&stage, mark) == 1);
    stage.commit(
        &[tenant("acme", &[1], "  greetings: {delayMs: 99999999}\n"), tenant("zeta", &[2], &delay(2))]
            .concat(),
    );
    wait_until("the other one goes on", || delay_of(&stage, 2) == 2);
    stage.wait_for(&["zeta"], "Synced");
    wait_until("the run has ended", || stage.status("acme")["holder"].is_null());
    let row = stage.status("acme");
    assert!(row["status"] == "Held" && row["dueAt"].is_null(), "{row}");
    assert!(row["reason"].to_string().contains("tenants/acme/web.yaml:5:24"), "{row}");
    assert_eq!(delay_of(&stage, 1), 1);
    stage.commit(&tenant("acme", &[1], &delay(3)));
    wait_until("it continues", || delay_of(&stage, 1) == 3);
}

#[test]
fn a_tenant_that_always_fails_backs_off_and_delays_no_one() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    stage.configure(&["controller.retry-ms = 400", "controller.retry-max-ms = 3_600_000"]);
    failing(&stage, 1, "GET");
    let _running = stage.controller();
    stage.wait_for(&["acme"], "Degraded");
    stage.wait_for(&["zeta"], "Synced");
    for ms in 2..=4 {
        stage.commit(&tenant("zeta", &[2], &delay(ms)));
        wait_until("the commit is live", || delay_of(&stage, 2) == ms);
    }
    let mut row = Value::Null;
    wait_until("it has failed five times", || {
        row = stage.status("acme");
        row["failures"].as_u64() >= Some(5)
    });
    // 400 ms, doubled four times.
    let due: jiff::Timestamp = row["dueAt"].as_str().unwrap().parse().unwrap();
    let checked: jiff::Timestamp = row["since"].as_str().unwrap().parse().unwrap();
    assert!(due.duration_since(checked).as_secs() >= 12, "{row}");
    stage.control("DELETE", "faults", &Value::Null);
    stage.genesync(&["sync", "acme"]).expect(0);
    stage.wait_for(&["acme"], "Synced");
}

// Guarantee: held-for-a-person
#[test]
fn a_commit_over_most_tenants_is_held_until_a_person_allows_it() {
    let stage = Stage::new();
    stage.configure(&["controller.resync-ms = 500"]);
    stage.commit(&many(1..=10, 1));
    let running = stage.controller();
    let synced =
        |count: &str| stage.genesync(&["status"]).stdout.contains(&format!("{count} of 10 tenants Synced"));
    wait_until("all are synced", || synced("10"));
    stage.genesync(&["pause", "t10", "--reason", "mine"]).expect(0);
    let mark = stage.mark();
    stage.commit(&many(1..=6, 2));
    stage.wait_for(&["t1", "t6"], "Held");
    let row = stage.status("t1");
    assert_eq!((&row["pause"]["kind"], &row["pause"]["by"]), (&json!("hold"), &json!("guard run-tenants")));
    assert!(row["reason"].to_string().contains("genesync resume --all"), "{row}");
    // A new process holds it as well.
    assert_eq!(running.stop().0, 0);
    let _running = stage.controller();
    let checked = stage.status("t1")["checkedAt"].clone();
    wait_until("it was read again", || stage.status("t1")["checkedAt"] != checked);
    assert_eq!(puts(&stage, mark), 0);
    assert_eq!(stage.genesync(&["resume", "--all"]).expect(0).stdout, "resumed 6 tenants\n");
    // The paused tenant is not written.
    wait_until("all are synced", || synced("9"));
    assert_eq!(puts(&stage, mark), 6);
    // Reverting the commit is a decision, too: nothing is left to hold.
    stage.commit(&many(1..=6, 3));
    stage.wait_for(&["t1", "t6"], "Held");
    stage.commit(&many(1..=6, 2));
    wait_until("all are synced", || synced("9"));
    assert!(stage.status("t1")["pause"].is_null(), "{}", stage.status("t1"));
    assert_eq!(puts(&stage, mark), 6);
    // The pause of another user is not the hold of the guard.
    assert_eq!(stage.status("t10")["pause"]["reason"], "mine");
}

// Guarantee: waves-wait
#[test]
fn a_later_wave_waits_until_the_canary_is_done() {
    let stage = Stage::new();
    stage.configure(&[]);
    let fleet = |ms: u32| {
        [synced_as("canary", 1, "mode: enforce", ms), synced_as("rest", 2, "mode: enforce, wave: 1", ms)]
            .concat()
    };
    stage.commit(&fleet(1));
    let running = stage.controller();
    stage.wait_for(&["canary", "rest"], "Synced");
    failing(&stage, 1, "PUT");
    let mark = stage.mark();
    stage.commit(&fleet(2));
    wait_until("the canary fails", || stage.status("canary")["failures"].as_u64() >= Some(3));
    assert_eq!((stage.status("rest")["applied"].clone(), delay_of(&stage, 2)), (json!(false), json!(1)));
    assert_eq!(stage.status("rest")["reason"], "waits for wave 0");
    // The store is not asked all the time about a tenant that waits for another tenant.
    let claims = || figure(&running, "genesync_store_latency_seconds_count").unwrap_or_default();
    let (before, begun) = (claims(), std::time::Instant::now());
    wait_until("the canary fails again", || stage.status("canary")["failures"].as_u64() >= Some(6));
    let each_second = (claims() - before) / begun.elapsed().as_secs_f64();
    assert!(each_second < 40.0, "{each_second} queries to the store per second");
    stage.control("DELETE", "faults", &Value::Null);
    wait_until("the rest follows", || delay_of(&stage, 2) == 2);
    let wrote: Vec<Value> = stage
        .requests(mark)
        .0
        .into_iter()
        .filter(|request| request["method"] == "PUT" && request["status"] == 200)
        .map(|request| request["organizationId"].clone())
        .collect();
    assert_eq!(wrote, [json!(organization(1)), json!(organization(2))]);
    // An expired pause does not count: the rest waits for the canary again.
    failing(&stage, 1, "PUT");
    let soon = (jiff::Timestamp::now() + jiff::SignedDuration::from_millis(400)).to_string();
    stage.genesync(&["pause", "canary", "--reason", "short", "--until", &soon]).expect(0);
    wait_until("the pause is over", || stage.status("canary")["pause"].is_null());
    stage.commit(&fleet(3));
    wait_until("the canary fails", || stage.status("canary")["failures"].as_u64() >= Some(3));
    assert_eq!(delay_of(&stage, 2), 2);
}

// Guarantee: rewound-is-asked-about, stale-is-not-written-from
#[test]
fn an_emptied_rewound_or_unreachable_repository_writes_nothing_and_status_says_why() {
    let stage = Stage::new();
    stage.configure(&[
        "controller.git-poll-ms = 200",
        "controller.git-stale-ms = 600",
        "controller.resync-ms = 400",
    ]);
    let empty = stage.commit(&[("README.md".into(), "empty".into())]);
    let url = format!("file://{}", stage.repository().display());
    let mut command = stage.command(&["run", &url, "--listen", "127.0.0.1:0"]);
    command.env("GENESYNC_CACHE_DIR", stage.path("cache"));
    let running = Running::start(command);
    wait_until("it says why it is not ready", || {
        let ready = running.get("/readyz");
        ready.starts_with("HTTP/1.1 503") && ready.contains("found no tenants")
    });
    let said = |text: &str| {
        let table = stage.genesync(&["status"]).stdout;
        let document = stage.genesync(&["status", "--format", "json"]).stdout;
        table.contains(text) && document.contains(text)
    };
    wait_until("status says why", || said("found no tenants"));
    stage.commit(&tenant("acme", &[1], &delay(1)));
    stage.wait_for(&["acme"], "Synced");
    assert!(running.get("/readyz").starts_with("HTTP/1.1 200"));
    wait_until("status shows no reason", || !said("found no tenants"));

    let repository = git2::Repository::open(stage.repository()).unwrap();
    let head = repository.head().unwrap().target().unwrap();
    let rewind = |to: git2::Oid| {
        let commit = repository.find_object(to, None).unwrap();
        repository.reset(&commit, git2::ResetType::Hard, None).unwrap();
    };
    let mark = stage.mark();
    rewind(git2::Oid::from_str(&empty).unwrap());
    stage.commit(&tenant("acme", &[1], &delay(666)));
    wait_until("status says why", || said("The branch was rewound"));
    rewind(head);
    wait_until("status shows no reason", || !said("The branch was rewound"));
    assert_eq!(puts(&stage, mark), 0);

    // If git does not answer for long, the last known commit may be outdated.
    std::fs::rename(stage.repository(), stage.path("away")).unwrap();
    std::fs::create_dir(stage.repository()).unwrap();
    wait_until("status says why", || said("could not find repository"));
    wait_until("the last contact is long ago", || {
        figure(&running, "genesync_source_fetch_age_seconds") >= Some(1.0)
    });
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    stage.wait_for(&["acme"], "Held");
    wait_until("the drift is seen", || {
        stage.genesync(&["status", "acme", "--format", "json"]).json()["tenants"][0]["driftedAt"].is_string()
    });
    assert_eq!((puts(&stage, mark), delay_of(&stage, 1)), (0, json!(777)));
    assert!(said("so genesync only watches the tenant"));
    std::fs::remove_dir(stage.repository()).unwrap();
    std::fs::rename(stage.path("away"), stage.repository()).unwrap();
    wait_until("git wins again", || delay_of(&stage, 1) == 1);
}

#[test]
fn an_apply_by_hand_takes_turns_with_the_controller() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.configure(&["timing.lease-ms = 6000", "timing.write-ms = 5000"]);
    let running = stage.controller();
    stage.wait_for(&["acme"], "Synced");
    let mark = stage.mark();
    stage.fault(1, "PUT", &json!({"delayMs": 700}));
    stage.commit(&tenant("acme", &[1], &delay(2)));
    wait_until("the controller writes", || puts(&stage, mark) == 1);
    let ran = stage.genesync(&["apply"]).expect(0);
    assert!(ran.stderr.contains("leased by"), "{}", ran.stderr);
    assert_eq!((puts(&stage, mark), delay_of(&stage, 1)), (1, json!(2)));
    stage.wait_for(&["acme"], "Synced");
    // The other direction: the controller finds what was applied by hand already done.
    stage.genesync(&["pause", "acme", "--reason", "by hand"]).expect(0);
    stage.commit(&tenant("acme", &[1], &delay(3)));
    // A pause also stops an apply by hand, unless its guard is opened.
    let ran = stage.genesync(&["apply"]).expect(0);
    assert!(ran.stdout.contains("Paused") && ran.stdout.contains("by hand"), "{}", ran.stdout);
    assert_eq!(puts(&stage, mark), 1);
    stage.genesync(&["apply", "--allow", "pause", "--reason", "a release"]).expect(0);
    let history = stage.genesync(&["history", "acme"]).expect(0).stdout;
    assert!(history.contains("(--allow pause: a release)"), "{history}");
    stage.genesync(&["resume", "acme"]).expect(0);
    stage.wait_for(&["acme"], "Synced");
    assert_eq!(puts(&stage, mark), 2);
    assert_eq!(running.stop().0, 0);
}
