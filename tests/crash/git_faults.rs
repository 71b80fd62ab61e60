//! Git is late, unavailable or outdated: the last good head stays the desired state of every tenant.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::{Oid, Repository};
use serde_json::{Value, json};

use crate::rig::{Kind, Process, Random, Rig, eventually};
use crate::support::commit_all;

/// Applies a fleet from a URL.
fn remote(rig: &Rig) -> Process {
    rig.commit(&[("acme", &[1], 100), ("wide", &[2, 3], 100)]);
    rig.commit(&[("acme", &[1], 101)]);
    // The state of this one before the first read counts as one change.
    rig.expected.lock().unwrap().get_mut(&1).unwrap().version -= 1;
    let process = follow(rig);
    rig.settle().unwrap();
    process
}

fn follow(rig: &Rig) -> Process {
    let url = format!("file://{}", rig.stage.repository().display());
    rig.spawn("run", rig.command(&["run", &url]))
}

fn log(rig: &Rig) -> String {
    std::fs::read_to_string(rig.stage.path("run.log")).unwrap()
}

/// Checks a fault of git: it is reported, nothing is written, and drift from the last good head is still set
/// back. After the fault everything continues.
fn holds_while<T>(what: &str, reported: &str, harm: impl FnOnce(&Rig) -> T, heal: impl FnOnce(&Rig, T)) {
    let rig = Rig::new(Kind::Sqlite);
    let mut process = remote(&rig);
    let (mark, before) = (rig.mark(), log(&rig).len());
    let left = harm(&rig);
    eventually(what, || log(&rig)[before..].contains(reported));
    assert_eq!(rig.writes_while_quiet(3), Vec::<Value>::new(), "{what}");
    assert_eq!(rig.mutations(mark), Vec::<Value>::new(), "{what}");
    rig.drift(2, 777);
    rig.settle().unwrap_or_else(|error| panic!("{what}: {error}"));
    heal(&rig, left);
    rig.commit(&[("acme", &[1], 500), ("wide", &[2, 3], 500)]);
    rig.settle().unwrap_or_else(|error| panic!("{what}, healed: {error}"));
    assert_eq!(rig.violations(), Vec::<String>::new(), "{what}");
    assert!(process.ended().is_none(), "{what}");
}

fn away(rig: &Rig) -> PathBuf {
    rig.stage.path("away")
}

/// Moves the branch to a commit, like a forced push.
fn force(rig: &Rig, to: Oid) {
    let repository = Repository::open(rig.stage.repository()).unwrap();
    let commit = repository.find_object(to, None).unwrap();
    repository.reset(&commit, git2::ResetType::Hard, None).unwrap();
}

/// Does something between two reads of git: the process is paused meanwhile, because it may read at any
/// moment.
fn unseen(process: &Process, act: impl FnOnce()) {
    process.signal("STOP");
    act();
    process.signal("CONT");
}

fn tip(rig: &Rig) -> Oid {
    Repository::open(rig.stage.repository()).unwrap().head().unwrap().target().unwrap()
}

#[test]
pub fn a_remote_that_is_down() {
    holds_while(
        "the remote is down",
        "the head was not taken",
        |rig| std::fs::rename(rig.stage.repository(), away(rig)).unwrap(),
        |rig, ()| std::fs::rename(away(rig), rig.stage.repository()).unwrap(),
    );
}

#[test]
pub fn a_remote_that_is_emptied() {
    holds_while(
        "the remote is emptied",
        "the head was not taken",
        |rig| {
            std::fs::rename(rig.stage.repository(), away(rig)).unwrap();
            Repository::init(rig.stage.repository()).unwrap();
        },
        |rig, ()| {
            std::fs::remove_dir_all(rig.stage.repository()).unwrap();
            std::fs::rename(away(rig), rig.stage.repository()).unwrap();
        },
    );
}

#[test]
pub fn a_branch_that_is_rewound() {
    holds_while(
        "the branch is rewound",
        "The branch was rewound, or this copy is behind",
        |rig| {
            let repository = Repository::open(rig.stage.repository()).unwrap();
            let head = repository.head().unwrap().peel_to_commit().unwrap();
            force(rig, head.parent_id(0).unwrap());
            head.id()
        },
        force,
    );
}

#[test]
pub fn a_history_that_is_replaced() {
    let rig = Rig::new(Kind::Sqlite);
    let _process = remote(&rig);
    let good = tip(&rig);
    let before = log(&rig).len();
    let repository = Repository::open(rig.stage.repository()).unwrap();
    let author = git2::Signature::now("A Team", "team@example.com").unwrap();
    // The same files except one, without a history.
    let (path, text) = crate::support::tenant("acme", &[1], &crate::support::delay(666)).remove(1);
    std::fs::write(rig.stage.repository().join(&path), text).unwrap();
    let mut index = repository.index().unwrap();
    index.add_path(Path::new(&path)).unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let orphan = repository.commit(None, &author, &author, "orphan", &tree, &[]).unwrap();
    let mark = rig.mark();
    force(&rig, orphan);
    eventually("the fault is reported", || log(&rig)[before..].contains("does not contain"));
    assert_eq!(rig.writes_while_quiet(3), Vec::<Value>::new());
    // A process that starts now does not take it for a first history.
    let mut other = follow(&rig);
    assert_eq!(rig.writes_while_quiet(3), Vec::<Value>::new());
    assert_eq!(rig.mutations(mark), Vec::<Value>::new());
    other.kill();
    force(&rig, good);
    rig.commit(&[("acme", &[1], 500)]);
    rig.settle().unwrap();
    assert_eq!(rig.violations(), Vec::<String>::new());
}

#[test]
pub fn a_branch_that_is_deleted() {
    holds_while(
        "the branch is deleted",
        "the head was not taken",
        |rig| {
            let repository = Repository::open(rig.stage.repository()).unwrap();
            let mut head = repository.head().unwrap();
            let last = (head.name().unwrap().to_owned(), head.target().unwrap());
            head.delete().unwrap();
            last
        },
        |rig, (name, commit)| {
            let repository = Repository::open(rig.stage.repository()).unwrap();
            repository.reference(&name, commit, true, "again").unwrap();
        },
    );
}

#[test]
pub fn a_commit_without_any_tenant() {
    holds_while(
        "the tenants' folder is gone",
        "found no tenants",
        |rig| {
            std::fs::rename(rig.stage.repository().join("tenants"), away(rig)).unwrap();
            commit_all(&rig.stage.repository());
        },
        |rig, ()| std::fs::rename(away(rig), rig.stage.repository().join("tenants")).unwrap(),
    );
}

#[test]
pub fn a_commit_that_breaks_the_project_file() {
    holds_while(
        "the project is broken",
        "so genesync cannot use its limits",
        |rig| {
            let project = rig.stage.repository().join("genesync.yaml");
            std::fs::copy(&project, away(rig)).unwrap();
            std::fs::write(project, "apiVersion: genesync/v1alpha1\nkind: Projekt\n").unwrap();
            std::fs::write(rig.stage.repository().join("README.md"), "x").unwrap();
            commit_all(&rig.stage.repository());
        },
        |rig, ()| {
            std::fs::copy(away(rig), rig.stage.repository().join("genesync.yaml")).unwrap();
        },
    );
}

#[test]
pub fn a_mirror_that_falls_behind() {
    let rig = Rig::new(Kind::Sqlite);
    rig.commit(&[("acme", &[1], 100)]);
    let mirrors = [rig.stage.path("old"), rig.stage.path("new")];
    let clone = |to: &Path| Repository::clone(rig.stage.repository().to_str().unwrap(), to).unwrap();
    clone(&mirrors[0]);
    let link = rig.stage.path("mirror");
    let point = |to: &Path| {
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(to, &link).unwrap();
    };
    rig.commit(&[("acme", &[1], 101)]);
    rig.expected.lock().unwrap().get_mut(&1).unwrap().version -= 1;
    clone(&mirrors[1]);
    point(&mirrors[1]);
    let url = format!("file://{}", link.display());
    let mut process = rig.spawn("run", rig.command(&["run", &url]));
    rig.settle().unwrap();
    point(&mirrors[0]);
    eventually("the fault is reported", || log(&rig).contains("or this copy is behind"));
    assert_eq!(rig.writes_while_quiet(3), Vec::<Value>::new());
    // A process that starts now has only the old copy and the record of a newer head.
    process.kill();
    let mut process = rig.spawn("run", rig.command(&["run", &url]));
    let mut command = rig.command(&["run", &url]);
    command.env("GENESYNC_CACHE_DIR", rig.stage.path("another-cache"));
    let fresh = rig.spawn("fresh", command);
    assert_eq!(rig.writes_while_quiet(3), Vec::<Value>::new());
    eventually("the fault is reported", || fresh.log().contains("or this copy is behind"));
    drop(fresh);
    point(&mirrors[1]);
    rig.drift(1, 777);
    rig.settle().unwrap();
    assert_eq!(rig.violations(), Vec::<String>::new());
    process.kill();
}

#[test]
pub fn a_commit_reverted_between_two_reads_writes_nothing() {
    let rig = Rig::new(Kind::Sqlite);
    rig.set("git-poll-ms", "3600000");
    let process = remote(&rig);
    let good = tip(&rig);
    let mark = rig.mark();
    // By a commit that reverts the other.
    let text = |ms| crate::support::tenant("acme", &[1], &crate::support::delay(ms));
    unseen(&process, || {
        rig.commit_files(&text(999));
        rig.commit_files(&text(101));
    });
    process.signal("HUP");
    rig.settle().unwrap();
    let back = tip(&rig);
    // And by a forced push: the remote looks as if nothing had happened.
    unseen(&process, || {
        rig.commit_files(&text(998));
        force(&rig, back);
    });
    rig.head_is(&back.to_string());
    process.signal("HUP");
    assert_eq!(rig.writes_while_quiet(3), Vec::<Value>::new());
    assert_eq!(rig.mutations(mark), Vec::<Value>::new());
    assert_ne!(good, back);
    rig.settle().unwrap();
    assert_eq!(rig.violations(), Vec::<String>::new());
}

#[test]
pub fn two_hundred_commits_in_a_row_cause_few_writes() {
    let rig = Rig::new(Kind::Sqlite);
    let process = remote(&rig);
    rig.fault(&json!({"match": {"method": "PUT"}, "times": 0, "do": {"delayMs": 200}}));
    let (mark, begun) = (rig.mark(), Instant::now());
    for ms in 1_000..1_200 {
        rig.commit_files(&crate::support::tenant("acme", &[1], &crate::support::delay(ms)));
    }
    let expected = rig.stage.live(1).0;
    rig.expected.lock().unwrap().get_mut(&1).unwrap().delay = 1_199;
    rig.settle().unwrap();
    let writes = rig.mutations(mark).len();
    // One at a time, 200 ms each: all commits in between are one more write.
    let at_most = begun.elapsed().as_millis() / 200 + 1;
    assert!(writes as u128 <= at_most, "{writes} writes");
    println!("200 commits: {writes} writes, version {expected} before they were all made");
    rig.expected.lock().unwrap().get_mut(&1).unwrap().version = rig.stage.live(1).0;
    assert_eq!(rig.writes_while_quiet(2), Vec::<Value>::new());
    assert_eq!(rig.violations(), Vec::<String>::new());
    process.log();
}

#[test]
pub fn drift_is_shown_and_not_set_back_while_git_is_stale() {
    let rig = Rig::new(Kind::Sqlite);
    rig.set("git-stale-ms", "400");
    let process = remote(&rig);
    std::fs::rename(rig.stage.repository(), away(&rig)).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    let mark = rig.mark();
    rig.drift(1, 777);
    eventually("it is seen", || {
        let seen = rig.query("SELECT status, drifted_at FROM tenants WHERE name = 'acme'").unwrap();
        seen[0][0] == "Held" && seen[0][1] != "0"
    });
    assert_eq!(rig.writes_while_quiet(3), Vec::<Value>::new());
    assert_eq!(rig.mutations(mark), Vec::<Value>::new());
    std::fs::rename(away(&rig), rig.stage.repository()).unwrap();
    rig.settle().unwrap();
    assert_eq!(rig.violations(), Vec::<String>::new());
    process.log();
}

#[test]
pub fn a_killed_fetch_does_not_block_the_next_one() {
    let rig = Rig::new(Kind::Sqlite);
    remote(&rig).kill();
    let mut random = Random::new(0xfe7c4);
    for round in 0..12 {
        // Enough data that the fetch takes a while.
        let many: Vec<(String, String)> =
            (0..40).map(|file| (format!("notes/{round}-{file}"), "x".repeat(20_000 + file))).collect();
        rig.commit_files(&many);
        rig.commit(&[("acme", &[1], 600 + round)]);
        let mut process = follow(&rig);
        std::thread::sleep(Duration::from_millis(20 + random.below(150)));
        process.kill();
        let mut process = follow(&rig);
        rig.settle().unwrap();
        process.kill();
    }
    assert_eq!(rig.violations(), Vec::<String>::new());
}

#[test]
pub fn locks_of_a_killed_fetch_are_removed() {
    let rig = Rig::new(Kind::Sqlite);
    remote(&rig).kill();
    let caches: Vec<PathBuf> =
        std::fs::read_dir(rig.stage.path("cache")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(caches.len(), 1);
    let branch = Repository::open(rig.stage.repository()).unwrap().head().unwrap().name().unwrap().to_owned();
    for reference in [branch.as_str(), "refs/genesync/head", "packed-refs", "FETCH_HEAD"] {
        let lock = caches[0].join(format!("{reference}.lock"));
        std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
        std::fs::write(&lock, "").unwrap();
        let touched = std::process::Command::new("touch").args(["-d", "2 hours ago"]).arg(&lock).status();
        assert!(touched.unwrap().success());
    }
    rig.commit(&[("acme", &[1], 500)]);
    let process = follow(&rig);
    rig.settle().unwrap();
    assert_eq!(rig.violations(), Vec::<String>::new());
    process.log();
}
