//! Faults of the store: no write leaves before its intent is durable, and everything continues after the
//! fault.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::postgres::{Bouncer, Postgres, is_root};
use crate::replicas::Replica;
use crate::rig::{Kind, Process, Random, Rig, database_name, eventually};
use crate::wire::Wire;

/// Returns how often a text occurs in the log after this many bytes.
fn reported(rig: &Rig, since: usize, what: &str) -> usize {
    let log = std::fs::read_to_string(rig.stage.path("run.log")).unwrap_or_default();
    log.get(since..).unwrap_or_default().matches(what).count()
}

fn logged(rig: &Rig) -> usize {
    std::fs::metadata(rig.stage.path("run.log")).map_or(0, |file| usize::try_from(file.len()).unwrap())
}

fn assert_sound(rig: &Rig) {
    assert_eq!(rig.violations(), Vec::<String>::new());
}

/// Applies two tenants, and returns the process.
fn applied(rig: &Rig) -> Process {
    rig.commit(&[("acme", &[1], 100), ("wide", &[2, 3], 100)]);
    let process = rig.start(None);
    rig.settle().unwrap();
    process
}

fn everything(rig: &Rig, ms: u32) {
    rig.commit(&[("acme", &[1], ms), ("wide", &[2, 3], ms)]);
}

#[test]
pub fn a_restarted_database_server_loses_nothing() {
    let mut cluster = Postgres::start();
    let url = cluster.database("state");
    let rig = Rig::on(Kind::Postgres, url, None);
    let mut process = applied(&rig);
    for round in 0..3 {
        let mark = rig.mark();
        rig.fault(&json!({"match": {"method": "PUT"}, "do": {"delayMs": 300}}));
        everything(&rig, 200 + round);
        eventually("a write is under way", || !rig.mutations(mark).is_empty());
        cluster.stop();
        let (down, log) = (rig.mark(), logged(&rig));
        eventually("it notices", || reported(&rig, log, "the store failed") >= 3);
        assert_eq!(rig.mutations(down), Vec::<Value>::new(), "without a journal nothing is written");
        cluster.launch();
        rig.settle().unwrap();
    }
    assert_eq!(rig.writes_while_quiet(2), Vec::<Value>::new());
    assert!(process.ended().is_none(), "the same process ran all the time");
    assert_sound(&rig);
}

#[test]
pub fn cut_connections_are_opened_again() {
    let cluster = crate::rig::cluster();
    let name = database_name();
    let rig = Rig::on(Kind::Postgres, cluster.database(&name), None);
    let process = applied(&rig);
    let cut = format!(
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    );
    for round in 0..12 {
        everything(&rig, 200 + round);
        for _ in 0..3 {
            cluster.sql(&name, &cut);
        }
        rig.settle().unwrap();
    }
    assert_sound(&rig);
    process.log();
}

#[test]
pub fn a_lost_answer_to_a_database_commit_repeats_no_write() {
    let cluster = crate::rig::cluster();
    let name = database_name();
    cluster.database(&name);
    let wire = Wire::before(cluster.address());
    let mut rig = Rig::on(Kind::Postgres, cluster.url(&name), None);
    rig.store_url = wire.url(&name);
    let process = applied(&rig);
    for n in 1..=14 {
        everything(&rig, 200 + n);
        wire.cut_after_commit(n);
        rig.settle().unwrap();
    }
    // The following reads use up what is left of the last fault.
    eventually("the last fault fires", || wire.cut() == 14);
    assert_eq!(rig.writes_while_quiet(2), Vec::<Value>::new());
    assert_sound(&rig);
    process.log();
}

#[test]
pub fn a_store_that_answers_after_ten_seconds_loses_leases_and_no_write() {
    let cluster = crate::rig::cluster();
    let name = database_name();
    cluster.database(&name);
    let wire = Wire::before(cluster.address());
    let mut rig = Rig::on(Kind::Postgres, cluster.url(&name), None);
    rig.store_url = wire.url(&name);
    rig.commit(&[("acme", &[1], 100), ("wide", &[2, 3], 100)]);
    let slow = Replica::start(&rig, "slow", None);
    rig.settle().unwrap();
    rig.fault(&json!({"match": {"method": "PUT"}, "times": 2, "do": {"delayMs": 300}}));
    let mark = rig.mark();
    everything(&rig, 101);
    eventually("a write is under way", || !rig.mutations(mark).is_empty());
    wire.delay(Duration::from_secs(10));
    let sent = |replica: &Replica| {
        let seen = replica.proxy.seen();
        seen.iter().filter(|seen| seen.method == "PUT" || seen.path.ends_with("/replicate")).count()
    };
    let before = sent(&slow);
    // The other one has a good connection to the same database: it takes over when the leases end.
    rig.store_url = cluster.url(&name);
    let other = Replica::start(&rig, "other", None);
    rig.settle().unwrap();
    // Writes whose intent was committed before the connection became slow may leave, and no later ones.
    assert!(sent(&slow) <= before + 1, "{} writes after it could not renew", sent(&slow) - before);
    assert_sound(&rig);
    for ms in 102..104 {
        everything(&rig, ms);
        rig.settle().unwrap();
    }
    assert!(sent(&slow) <= before + 1);
    wire.delay(Duration::ZERO);
    drop(other);
    everything(&rig, 104);
    rig.settle().unwrap();
    assert_sound(&rig);
    slow.process.log();
}

#[test]
pub fn replicas_behind_a_pooler_in_transaction_mode_work_as_without() {
    let cluster = crate::rig::cluster();
    let name = database_name();
    cluster.database(&name);
    let bouncer = Bouncer::before(&cluster, 2);
    let mut rig = Rig::on(Kind::Postgres, cluster.url(&name), Some(Arc::clone(&cluster)));
    rig.store_url = bouncer.url(&name);
    rig.commit(&[("acme", &[1], 100), ("wide", &[2, 3], 100), ("zeta", &[4], 100)]);
    let mut replicas: Vec<Replica> =
        ["one", "two", "three"].iter().map(|name| Replica::start(&rig, name, None)).collect();
    rig.settle().unwrap();
    for ms in 101..104 {
        rig.commit(&[("acme", &[1], ms), ("wide", &[2, 3], ms), ("zeta", &[4], ms)]);
        replicas.remove(0).process.kill();
        replicas.push(Replica::start(&rig, &format!("again-{ms}"), None));
        rig.settle().unwrap();
    }
    assert_eq!(rig.writes_while_quiet(2), Vec::<Value>::new());
    assert_sound(&rig);
    for replica in &replicas {
        replica.process.log();
    }
}

/// Limits the files that a process writes to this many bytes, like a full disk; or removes the limit.
fn limit_files(id: u32, bytes: Option<u64>) {
    let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let ran = Command::new("prlimit")
        .args(["--pid", &id.to_string(), &format!("--fsize={limit}:unlimited")])
        .status()
        .unwrap();
    assert!(ran.success());
}

/// Starts `genesync run` so that it gets an error at the file limit instead of a fatal signal.
fn start_limited(rig: &Rig, armed: &str) -> Process {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "trap '' XFSZ; exec setpriv --pdeathsig KILL \"$0\" run",
        env!("CARGO_BIN_EXE_genesync"),
    ]);
    let mut command = rig.stage.dress(command);
    command.env("GENESYNC_CRASH_AT", armed);
    rig.spawn("run", command)
}

#[test]
pub fn a_full_disk_blocks_every_write_until_there_is_room() {
    let rig = Rig::new(Kind::Sqlite);
    applied(&rig).terminate();
    everything(&rig, 101);
    // One run at a time: no other run may have stored its intent already.
    rig.set("runs-max", "1");
    // It has a plan, and is about to store an intent.
    let mut process = start_limited(&rig, "C04:1:stop");
    let id = process.id();
    eventually("it has a plan", || crate::replicas::state(id) == 'T');
    let (mark, log) = (rig.mark(), logged(&rig));
    // Room for an error message, but not for the three pages that an intent takes at least.
    let room = log as u64 + 4_096;
    assert!(room < 3 * 4_096, "{log} bytes were logged");
    limit_files(id, Some(room));
    process.signal("CONT");
    eventually("it reports the full disk", || reported(&rig, log, "the store failed") >= 3);
    assert_eq!(rig.mutations(mark), Vec::<Value>::new());
    let status = rig.genesync(&["status"], 0);
    assert!(status.contains("acme"), "the status can still be read: {status}");
    limit_files(id, None);
    rig.settle().unwrap();
    assert!(process.ended().is_none(), "the same process ran all the time");
    assert_sound(&rig);
}

/// Copies the files of a store away or back.
fn copy_folder(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
pub fn a_restored_older_database_sets_nothing_back() {
    for kind in Kind::ALL {
        for open in [false, true] {
            let mut rig = Rig::new(kind);
            applied(&rig).terminate();
            if open {
                // With a write whose result is unknown.
                everything(&rig, 150);
                rig.start(Some("C08")).wait();
            }
            let database = rig.store_url.rsplit('/').next().unwrap_or_default().to_owned();
            let backup = database_name();
            match kind {
                Kind::Sqlite => copy_folder(&rig.stage.path("state"), &rig.stage.path("backup")),
                Kind::Postgres => {
                    rig.close();
                    crate::rig::cluster()
                        .sql("postgres", &format!("CREATE DATABASE {backup} TEMPLATE {database}"));
                }
            }
            let mut process = rig.start(None);
            rig.settle().unwrap();
            for ms in [201, 202] {
                everything(&rig, ms);
                rig.settle().unwrap();
            }
            process.kill();
            match kind {
                Kind::Sqlite => copy_folder(&rig.stage.path("backup"), &rig.stage.path("state")),
                Kind::Postgres => rig.move_to(crate::rig::cluster().url(&backup)),
            }
            let mark = rig.mark();
            let process = rig.start(None);
            rig.settle().unwrap();
            assert_eq!(rig.mutations(mark), Vec::<Value>::new(), "{kind:?}, open: {open}");
            // It continues from the live configuration.
            everything(&rig, 203);
            rig.settle().unwrap();
            for (number, expected) in &*rig.expected.lock().unwrap() {
                assert_eq!(rig.stage.live(*number).0, expected.version, "{kind:?}, open: {open}");
            }
            process.log();
        }
    }
}

#[test]
pub fn a_deleted_database_is_created_again_from_the_live_configuration() {
    let rig = Rig::new(Kind::Sqlite);
    applied(&rig).terminate();
    std::fs::remove_dir_all(rig.stage.path("state")).unwrap();
    let mark = rig.mark();
    let process = rig.start(None);
    rig.settle().unwrap();
    assert_eq!(rig.mutations(mark), Vec::<Value>::new());
    process.log();
}

#[test]
pub fn an_unusable_database_is_reported_and_nothing_is_written() {
    let rig = Rig::new(Kind::Sqlite);
    applied(&rig).terminate();
    everything(&rig, 101);
    let file = rig.stage.path("state/genesync.db");
    let whole = std::fs::read(&file).unwrap();
    let mark = rig.mark();
    let refused = |what: &str| {
        let ran = crate::support::ran(rig.command(&["run"]).output().unwrap());
        assert!(ran.code != 0 && ran.stderr.contains("error:"), "{what}: {}\n{}", ran.code, ran.stderr);
        assert_eq!(rig.mutations(mark), Vec::<Value>::new(), "{what}");
        ran.stderr
    };
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    refused("a folder in its place");
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, b"not a database, but as long as one: ".repeat(400)).unwrap();
    refused("another file in its place");
    // Cut in the middle: a copy that was never finished.
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    refused("half of it");
    std::fs::write(&file, &whole).unwrap();
    read_only(&rig, &mut |command| {
        let ran = crate::support::ran(command.output().unwrap());
        assert!(ran.code != 0 && ran.stderr.contains("error:"), "read-only: {}\n{}", ran.code, ran.stderr);
    });
    assert_eq!(rig.mutations(mark), Vec::<Value>::new());
    let process = rig.start(None);
    rig.settle().unwrap();
    assert_sound(&rig);
    process.log();
}

/// Calls a function with a command that may only read the state.
fn read_only(rig: &Rig, then: &mut dyn FnMut(&mut Command)) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = rig.stage.path("state");
    let allow = |file: u32, directory: u32| {
        std::fs::set_permissions(folder.join("genesync.db"), std::fs::Permissions::from_mode(file)).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(directory)).unwrap();
    };
    allow(0o444, 0o555);
    let mut command = Command::new("setpriv");
    if is_root() {
        // Otherwise root has all permissions.
        command.args(["--bounding-set", "-dac_override,-dac_read_search"]);
    }
    command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_genesync"), "run"]);
    then(&mut rig.stage.dress(command));
    allow(0o644, 0o755);
}

#[test]
pub fn a_damaged_file_is_refused_or_does_no_harm() {
    let rig = Rig::new(Kind::Sqlite);
    applied(&rig).terminate();
    let file = rig.stage.path("state/genesync.db");
    let whole = std::fs::read(&file).unwrap();
    let mut random = Random::new(0xf11b);
    let (mut refused, mut harmless) = (0, 0);
    // One byte, and what a sector that was never written contains.
    for length in [1, 512] {
        for _ in 0..25 {
            let at = usize::try_from(random.below((whole.len() - length) as u64)).unwrap();
            let mut damaged = whole.clone();
            damaged[at..at + length].fill_with(|| u8::try_from(random.below(256)).unwrap());
            for left in ["genesync.db-wal", "genesync.db-shm"] {
                let _ = std::fs::remove_file(rig.stage.path("state").join(left));
            }
            std::fs::write(&file, &damaged).unwrap();
            let mark = rig.mark();
            let ran = crate::support::ran(rig.command(&["run", "--once"]).output().unwrap());
            assert_eq!(rig.mutations(mark), Vec::<Value>::new(), "{at}: {}{}", ran.stdout, ran.stderr);
            assert!(rig.in_sync());
            if ran.code == 0 {
                harmless += 1;
            } else {
                // A row that cannot be read affects only its own tenant: the others continue, and the error
                // is reported.
                let of_one = ran.stdout.contains("Degraded") && ran.stdout.contains("the store");
                assert!(
                    ran.stderr.contains("error:") || of_one,
                    "{at}: {}: {}{}",
                    ran.code,
                    ran.stdout,
                    ran.stderr
                );
                refused += 1;
            }
        }
    }
    println!("damaged files: {refused} refused, {harmless} without effect");
    assert!(refused > 0 && refused + harmless == 50);
}

#[test]
pub fn a_database_of_a_later_version_is_refused_by_the_controller() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind);
        applied(&rig).terminate();
        everything(&rig, 101);
        rig.query("UPDATE _sqlx_migrations SET version = 999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)").unwrap();
        let mark = rig.mark();
        let ran = crate::support::ran(rig.command(&["run"]).output().unwrap());
        assert!(ran.code != 0 && ran.stderr.contains("newer than this genesync knows"), "{}", ran.stderr);
        assert_eq!(rig.mutations(mark), Vec::<Value>::new());
    }
}

#[test]
pub fn a_killed_migration_runs_again() {
    let cluster = crate::rig::cluster();
    let name = database_name();
    let rig = Rig::on(Kind::Postgres, cluster.database(&name), Some(Arc::clone(&cluster)));
    rig.commit(&[("acme", &[1], 100)]);
    // Another session creates the last of its tables in an open transaction: the migration gets that far and
    // waits.
    let mut rival = cluster.session(&name);
    rival.say("BEGIN; CREATE TABLE notes (name TEXT);");
    let mut process = rig.start(None);
    eventually("the migration waits", || {
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        cluster.sql(&name, waiting) == "1"
    });
    process.kill();
    rival.say("ROLLBACK;");
    drop(rival);
    assert_eq!(cluster.sql(&name, "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'tenants'"), "0");
    let process = rig.start(None);
    rig.settle().unwrap();
    assert_sound(&rig);
    process.log();
}
