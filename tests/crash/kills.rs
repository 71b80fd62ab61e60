//! Kills at random times. The machine decides where a process is when it dies: the seed repeats the commits
//! and the lifetime of each process, not the exact instruction.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::rig::{Kind, Random, Rig};
use crate::workload::Workload;

/// Steps in one world. Then a new world begins, so that each stays small.
const STEPS: u32 = 12;
/// The longest life of a process, in milliseconds: longer than any step takes on a quiet machine.
const LIFE_MS: u64 = 700;

/// The result of some kills in one workload on one store.
#[derive(Debug, Clone)]
pub struct Lane {
    pub workload: Workload,
    pub kind: Kind,
    pub kills: u64,
    /// Kills that came while work was left.
    pub in_work: u64,
    pub wrong: Vec<String>,
}

/// Runs this many kills in each lane, all lanes at once.
pub fn go(kills: u64, seed: u64) -> Vec<Lane> {
    let done = Mutex::new(Vec::new());
    let cluster = crate::rig::cluster();
    std::thread::scope(|scope| {
        for workload in Workload::ALL {
            for kind in Kind::ALL {
                let done = &done;
                scope.spawn(move || {
                    let mut lane = Lane { workload, kind, kills: 0, in_work: 0, wrong: Vec::new() };
                    let mut world = 0;
                    while lane.kills < kills && lane.wrong.is_empty() {
                        let own = seed ^ (world << 32) ^ ((workload as u64) << 8) ^ kind as u64;
                        one_world(&mut lane, kills, own);
                        world += 1;
                    }
                    done.lock().unwrap().push(lane);
                });
            }
        }
    });
    drop(cluster);
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|lane| (lane.workload, lane.kind));
    done
}

fn one_world(lane: &mut Lane, kills: u64, seed: u64) {
    let mut random = Random::new(seed);
    let rig = Rig::of(lane.workload.dialect(), lane.kind);
    let failed =
        |why: &str| format!("seed {seed:#x}, {} on {}: {why}", lane.workload.name(), lane.kind.name());
    if lane.workload.prepare(&rig) {
        let mut process = rig.start(None);
        if let Err(why) = rig.settle() {
            lane.wrong.push(failed(&why));
            return;
        }
        process.kill();
    }
    for step in 0..STEPS {
        if lane.kills >= kills {
            break;
        }
        lane.workload.step(&rig, step);
        for _ in 0..=random.below(4) {
            let mut process = rig.start(None);
            let until = Instant::now() + Duration::from_millis(random.below(LIFE_MS));
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            let idle = rig.settled().is_ok();
            process.kill();
            lane.kills += 1;
            lane.in_work += u64::from(!idle);
        }
        let mut process = rig.start(None);
        let settled = rig.settle();
        process.kill();
        let wrong = match settled {
            Ok(()) => rig.violations(),
            Err(why) => vec![why],
        };
        if !wrong.is_empty() {
            let log = std::fs::read_to_string(rig.stage.path("run.log")).unwrap_or_default();
            lane.wrong.push(failed(&format!("step {step}: {wrong:?}\n{log}")));
            return;
        }
    }
    let process = rig.start(None);
    let written = rig.writes_while_quiet(2);
    if !written.is_empty() {
        lane.wrong.push(failed(&format!("written although all was in sync: {written:?}")));
    }
    process.log();
}

pub fn seed() -> u64 {
    let given = std::env::var("GENESYNC_SEED").ok();
    given.and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()).unwrap_or(0x9e2d_7a11)
}

#[test]
fn kills_at_random_times_lose_nothing_and_repeat_nothing() {
    let kills: u64 = std::env::var("GENESYNC_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let lanes = Workload::ALL.len() as u64 * 2;
    let begun = Instant::now();
    let done = go(kills.div_ceil(lanes), seed());
    let (killed, in_work) = done.iter().fold((0, 0), |sum, lane| (sum.0 + lane.kills, sum.1 + lane.in_work));
    println!("{killed} kills, {in_work} of them in the middle of something, {:?}", begun.elapsed());
    let wrong: Vec<&String> = done.iter().flat_map(|lane| &lane.wrong).collect();
    assert!(wrong.is_empty(), "GENESYNC_SEED={:x}: {wrong:#?}", seed());
    assert!(killed >= kills);
}
