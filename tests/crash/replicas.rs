//! Several processes on one store: they share the work, take over from each other, and never work on one
//! tenant at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::proxy::{Proxy, Seen};
use crate::rig::{Kind, Process, Rig, eventually};
use crate::support::organization;

/// One replica, and the proxy that records its requests.
pub struct Replica {
    pub process: Process,
    pub proxy: Proxy,
    pub name: String,
}

impl Replica {
    pub fn start(rig: &Rig, name: &str, armed: Option<&str>) -> Self {
        Self::start_in(rig, name, armed, &["run"], &[])
    }

    pub fn start_in(
        rig: &Rig,
        name: &str,
        armed: Option<&str>,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let proxy = Proxy::before(&rig.stage.url);
        let mut command = rig.command(arguments);
        command.env("GENESYNC_REPLICA", name);
        for region in ["EU_WEST_1", "US_EAST_1", "AP_SOUTH_1"] {
            command.env(format!("GENESYNC_ENDPOINT_{region}"), &proxy.url);
        }
        if let Some(armed) = armed {
            command.env("GENESYNC_CRASH_AT", armed);
        }
        command.envs(environment.iter().copied());
        Self { process: rig.spawn(name, command), proxy, name: name.into() }
    }

    /// Starts a replica whose first write is not forwarded.
    pub fn start_holding(rig: &Rig, trap: crate::proxy::Trap) -> Self {
        let replica = Self::start(rig, "holding", None);
        replica.proxy.set(trap);
        replica
    }

    fn puts(&self) -> usize {
        self.proxy.seen().iter().filter(|seen| seen.method == "PUT").count()
    }

    /// Returns the organizations that it asked about since a moment.
    fn asked_since(&self, since: Instant) -> BTreeSet<String> {
        let later = self.proxy.seen().into_iter().filter(|seen| seen.begun > since);
        later.filter_map(|seen| about(&seen)).collect()
    }
}

fn about(seen: &Seen) -> Option<String> {
    let rest = seen.path.split_once("/organizations/")?.1;
    Some(rest.split('/').next().unwrap_or_default().to_owned())
}

/// Returns the cases in which two replicas had requests about one organization under way at once, or one
/// wrote although another was the last to read.
fn overlaps(replicas: &[&Replica]) -> Vec<String> {
    let mut by_organization: BTreeMap<String, Vec<(String, Seen)>> = BTreeMap::new();
    for replica in replicas {
        for seen in replica.proxy.seen() {
            if let Some(organization) = about(&seen) {
                by_organization.entry(organization).or_default().push((replica.name.clone(), seen));
            }
        }
    }
    let mut wrong = Vec::new();
    for (organization, mut all) in by_organization {
        all.sort_by_key(|(_, seen)| seen.begun);
        for pair in all.windows(2) {
            let ((before, first), (after, next)) = (&pair[0], &pair[1]);
            if before == after {
                continue;
            }
            // A request that never ended belongs to a killed process: the next process comes after its lease.
            if first.ended.is_some_and(|ended| ended > next.begun) {
                wrong.push(format!("{organization}: {before} and {after} at once"));
            }
            if next.method == "PUT" {
                wrong.push(format!("{organization}: {after} wrote, {before} was the last to read"));
            }
        }
    }
    wrong
}

const NAMES: [&str; 12] =
    ["t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "t09", "t10", "t11", "t12"];

/// Commits every tenant, each with one organization, at a delay.
fn everybody(rig: &Rig, count: u32, ms: u32) {
    let numbers: Vec<u32> = (1..=count).collect();
    let tenants: Vec<(&str, &[u32], u32)> = numbers
        .iter()
        .map(|number| (NAMES[*number as usize - 1], std::slice::from_ref(number), ms))
        .collect();
    rig.commit(&tenants);
}

fn assert_sound(rig: &Rig) {
    assert_eq!(rig.violations(), Vec::<String>::new());
}

#[test]
pub fn replicas_share_the_tenants_and_never_work_on_one_at_once() {
    let rig = Rig::new(Kind::Postgres);
    // Longer than any pause of a busy machine: no lease may be lost here.
    rig.set("lease-ms", "20000");
    rig.set("runs-max", "2");
    rig.ask("settings", &json!({"latencyMs": 40}));
    everybody(&rig, 12, 100);
    let mut replicas: Vec<Replica> =
        ["one", "two", "three"].iter().map(|name| Replica::start(&rig, name, None)).collect();
    rig.settle().unwrap();
    for ms in [101, 102, 103] {
        everybody(&rig, 12, ms);
        rig.settle().unwrap();
    }
    let all: Vec<&Replica> = replicas.iter().collect();
    assert_eq!(overlaps(&all), Vec::<String>::new());
    let puts: Vec<usize> = all.iter().map(|replica| replica.puts()).collect();
    assert!(puts.iter().all(|count| *count > 0), "{puts:?}");
    assert_eq!(puts.iter().sum::<usize>(), 48, "one write for each change: {puts:?}");
    // A further replica gets its share.
    replicas.push(Replica::start(&rig, "four", None));
    eventually("the fourth has work", || {
        let ms = 104 + rig.mark() as u32 % 1_000;
        everybody(&rig, 12, ms);
        rig.settle().unwrap();
        replicas[3].puts() > 0
    });
    let all: Vec<&Replica> = replicas.iter().collect();
    assert_eq!(overlaps(&all), Vec::<String>::new());
    assert_sound(&rig);
}

#[test]
pub fn the_tenants_of_a_replica_that_is_killed_move_to_the_others() {
    let rig = Rig::new(Kind::Postgres);
    rig.set("lease-ms", "1500");
    everybody(&rig, 6, 100);
    let mut first = Replica::start(&rig, "one", None);
    rig.settle().unwrap();
    // Its writes are executed, and it never gets the answers.
    let slow = json!({"match": {"method": "PUT"}, "times": 6, "do": {"delayMs": 500}});
    rig.fault(&slow);
    everybody(&rig, 6, 101);
    eventually("writes are under way", || rig.in_sync());
    first.process.kill();
    let killed = Instant::now();
    let second = Replica::start(&rig, "two", None);
    eventually("the others read all tenants", || second.asked_since(killed).len() == 6);
    println!("taken over after {:?} with leases of 1.5 s", killed.elapsed());
    rig.settle().unwrap();
    assert_eq!(second.puts(), 0, "the executed writes were found");
    assert_eq!(overlaps(&[&first, &second]), Vec::<String>::new());
    assert_sound(&rig);
}

#[test]
pub fn a_holder_that_is_paused_past_its_lease_is_fenced_and_sends_nothing() {
    let rig = Rig::new(Kind::Postgres);
    rig.commit(&[("acme", &[1], 100), ("wide", &[2, 3], 100)]);
    let mut process = rig.start(None);
    rig.settle().unwrap();
    process.terminate();
    for (armed, change) in
        [("C06:1:stop", [("acme", &[1][..], 101)]), ("C06:2:stop", [("wide", &[2, 3], 101)])]
    {
        rig.commit(&change);
        let mut sleeper = Replica::start(&rig, "sleeper", Some(armed));
        let id = sleeper.process.id();
        eventually("it stops just before it sends", || state(id) == 'T');
        let asleep = sleeper.proxy.seen();
        let other = Replica::start(&rig, "other", None);
        rig.settle().unwrap();
        sleeper.process.signal("CONT");
        // It works again: it reads tenants.
        eventually("it works again", || sleeper.proxy.seen().len() > asleep.len() + 4);
        let sent: Vec<Seen> = sleeper.proxy.seen().split_off(asleep.len());
        let late: Vec<&Seen> =
            sent.iter().filter(|seen| seen.method == "PUT" || seen.path.ends_with("/replicate")).collect();
        assert!(late.is_empty(), "{armed}: it sent what it had ready before it was stopped: {late:?}");
        assert!(sleeper.process.log().contains("went on after a stop"));
        drop(other);
        rig.settle().unwrap();
        assert_sound(&rig);
        // It works like any other replica.
        rig.commit(&[("acme", &[1], 300 + u32::from(armed == "C06:2:stop"))]);
        rig.settle().unwrap();
        assert_sound(&rig);
        sleeper.process.kill();
    }
}

#[test]
pub fn a_replica_paused_in_a_transaction_does_not_block_the_others() {
    let rig = Rig::new(Kind::Postgres);
    rig.commit(&[("acme", &[1], 100), ("wide", &[2, 3], 100)]);
    // It has claimed every tenant, and its rows are locked until the server ends that transaction.
    let sleeper = Replica::start(&rig, "sleeper", Some("C01b:1:stop"));
    eventually("it stops with its transaction open", || state(sleeper.process.id()) == 'T');
    let other = Replica::start(&rig, "other", None);
    rig.settle().unwrap();
    assert_eq!(sleeper.puts(), 0);
    sleeper.process.signal("CONT");
    drop(other);
    rig.commit(&[("acme", &[1], 101)]);
    rig.settle().unwrap();
    assert!(sleeper.puts() > 0, "it works like any other replica");
    assert_sound(&rig);
}

/// Returns a process' state in the system's notation: `T` for stopped.
pub fn state(id: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('?')
}

#[test]
pub fn replicas_that_come_and_are_killed_all_the_time_lose_no_tenant() {
    let rig = Rig::new(Kind::Postgres);
    rig.set("write-ms", "300");
    everybody(&rig, 8, 100);
    let mut replicas: Vec<Process> = Vec::new();
    let mut random = crate::rig::Random::new(0x5eed);
    replicas.push(rig.start(None));
    rig.settle().unwrap();
    let mut kills = 0;
    let start = |replicas: &mut Vec<Process>, n: u64| {
        let mut command = rig.command(&["run"]);
        command.env("GENESYNC_REPLICA", format!("replica-{n}"));
        replicas.push(rig.spawn("run", command));
    };
    for round in 0..5_u32 {
        everybody(&rig, 8, 200 + round);
        for change in 0..5_u64 {
            // Up to four replicas, then down again.
            while replicas.len() < 4 {
                let n = replicas.len() as u64;
                start(&mut replicas, u64::from(round) * 100 + change * 10 + n);
            }
            std::thread::sleep(Duration::from_millis(100 + random.below(300)));
            let mut victim = replicas.remove(usize::try_from(random.below(replicas.len() as u64)).unwrap());
            victim.kill();
            kills += 1;
        }
        rig.settle().unwrap();
    }
    while replicas.len() > 1 {
        replicas.pop();
    }
    everybody(&rig, 8, 900);
    rig.settle().unwrap();
    assert_eq!(rig.writes_while_quiet(2), Vec::<Value>::new(), "after {kills} kills");
    assert_sound(&rig);
    // No tenant is left out: the remaining replica read each one.
    let rows = rig.query("SELECT COUNT(*) FROM leases WHERE expires_at > 0").unwrap();
    assert!(rows[0][0].parse::<u32>().unwrap() <= 8);
}

#[test]
pub fn an_apply_by_hand_and_the_controller_do_not_both_write() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind);
        rig.commit(&[("acme", &[1], 100), ("wide", &[2, 3], 100)]);
        let controller = rig.start(None);
        rig.settle().unwrap();
        for ms in 101..106 {
            rig.commit(&[("acme", &[1], ms), ("wide", &[2, 3], ms)]);
            let output = rig.command(&["apply"]).output().unwrap();
            let ran = crate::support::ran(output);
            // It did the work or found it done; or the controller worked on it for longer than it waits; or
            // its lease of 600 ms expired, because the machine was paused for that long.
            assert!(matches!(ran.code, 0 | 6 | 7), "{}: {}{}", ran.code, ran.stdout, ran.stderr);
            rig.settle().unwrap();
        }
        assert_eq!(rig.violations(), Vec::<String>::new(), "{}", kind.name());
        controller.log();
    }
}

#[test]
pub fn a_pause_during_a_write_lets_it_end_and_stops_the_next() {
    for kind in Kind::ALL {
        let rig = Rig::new(kind);
        rig.commit(&[("acme", &[1], 100)]);
        let controller = rig.start(None);
        rig.settle().unwrap();
        rig.fault(&json!({"match": {"method": "PUT"}, "do": {"delayMs": 400}}));
        let mark = rig.mark();
        rig.commit(&[("acme", &[1], 101)]);
        eventually("a write is under way", || !rig.mutations(mark).is_empty());
        rig.genesync(&["pause", "acme", "--reason", "a campaign"], 0);
        eventually("the outcome of the write is recorded", || {
            rig.query("SELECT id FROM intents WHERE resolved_at IS NULL").unwrap().is_empty()
        });
        rig.commit(&[("acme", &[1], 102)]);
        // Only watched: the new head is known, and no process writes it.
        assert_eq!(rig.writes_while_quiet(3), Vec::<Value>::new());
        assert_eq!(rig.delay_of(1), Some(101));
        assert!(rig.genesync(&["status"], 0).contains("Paused"));
        rig.genesync(&["resume", "acme"], 0);
        rig.settle().unwrap();
        assert_eq!(rig.violations(), Vec::<String>::new(), "{}", kind.name());
        controller.log();
    }
}

#[test]
pub fn a_replica_with_an_older_head_asks_git_before_it_writes() {
    let rig = Rig::new(Kind::Postgres);
    everybody(&rig, 4, 100);
    let url = format!("file://{}", rig.stage.repository().display());
    let cache = |name: &str| rig.stage.path(name).display().to_string();
    let ahead =
        Replica::start_in(&rig, "ahead", None, &["run", &url], &[("GENESYNC_CACHE_DIR", &cache("a"))]);
    rig.settle().unwrap();
    rig.set("git-poll-ms", "3600000");
    let behind =
        Replica::start_in(&rig, "behind", None, &["run", &url], &[("GENESYNC_CACHE_DIR", &cache("b"))]);
    eventually("it works too", || !behind.proxy.seen().is_empty());
    let head = everybody_at(&rig, 101);
    eventually("the head is agreed on", || {
        rig.query("SELECT revision FROM heads").unwrap() == [[head.clone()]]
    });
    rig.settle().unwrap();
    let agreed = Instant::now();
    assert_eq!(rig.writes_while_quiet(3), Vec::<Value>::new());
    // Its own poll is one hour away: another replica's head makes it ask git.
    eventually("it works again", || !behind.asked_since(agreed).is_empty());
    assert_eq!(ahead.puts() + behind.puts(), 8);
    assert_sound(&rig);
    assert_eq!(rig.stage.live(1).0, 2, "{}", organization(1));
}

fn everybody_at(rig: &Rig, ms: u32) -> String {
    everybody(rig, 4, ms);
    rig.head()
}
