//! Random walks: edits of people at any write, lost answers, refusals, processes that die. In each walk
//! [`Platform::write`](super::platform::Platform) judges every write, and quiet days must end in a state at
//! rest.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::platform::{BANNER, configuration, deployment, map};
use super::*;
use crate::model::{Act, Guard};

type Interference = fn(&mut Platform);

/// An action of a person.
const DEEDS: [Interference; 11] = [
    |platform| platform.person_removes(BANNER),
    |platform| {
        platform.person_removes(BANNER);
        platform.person_publishes();
    },
    |platform| {
        platform.person_removes(BANNER);
        platform.person_publishes();
        platform.person_pins(platform.newest());
    },
    |platform| {
        let text = format!("sale {}", platform.clock);
        platform.person_edits_the_draft(BANNER, json!(text));
    },
    |platform| {
        platform.person_edits_the_draft("messenger", json!({"styles": {"primaryColor": "#990000"}}));
    },
    Platform::person_publishes,
    Platform::person_discards,
    |platform| platform.person_pins(1),
    |platform| platform.person_pins(platform.newest()),
    |platform| {
        let text = format!("sale {}", platform.clock);
        platform.person_edits_the_draft(BANNER, json!(text));
        platform.person_publishes();
    },
    |platform| {
        platform.person_edits_the_draft("messenger", json!({"styles": {"primaryColor": "#880000"}}));
        platform.person_publishes();
        platform.person_pins(platform.newest());
    },
];

/// One walk: the action at each write, and the number of effects before each process dies.
#[derive(Debug, Clone)]
struct Walk {
    in_sync: bool,
    first: Vec<usize>,
    before: BTreeMap<usize, usize>,
    after: BTreeMap<usize, usize>,
    lost: BTreeSet<usize>,
    refused: BTreeSet<usize>,
    pending: u32,
    lives: Vec<(usize, &'static str)>,
    drafts: Drafts,
}

fn walks() -> impl Strategy<Value = Walk> {
    let deed = || 0..DEEDS.len();
    let people =
        (vec(deed(), 0..3), btree_map(1..9_usize, deed(), 0..3), btree_map(1..9_usize, deed(), 0..3));
    let faults = (btree_set(1..9_usize, 0..2), btree_set(1..9_usize, 0..2), 0..3_u32);
    let colours = prop::sample::select(vec!["#111111", "#222222", "#333333"]);
    let lives = vec((0..60_usize, colours), 1..5);
    let drafts = prop::sample::select(vec![Drafts::Refuse, Drafts::Refuse, Drafts::Adopt, Drafts::Discard]);
    (any::<bool>(), people, faults, lives, drafts).prop_map(
        |(in_sync, (first, before, after), (lost, refused, pending), lives, drafts)| Walk {
            in_sync,
            first,
            before,
            after,
            lost,
            refused,
            pending,
            lives,
            drafts,
        },
    )
}

/// Walks, then adds quiet days, and returns what is wrong.
fn walk(walk: &Walk) -> Result<(), String> {
    let mut scene = if walk.in_sync { Scene::in_sync() } else { Scene::new() };
    for deed in &walk.first {
        DEEDS[*deed](&mut scene.platform);
    }
    let deeds =
        |at: &BTreeMap<usize, usize>| at.iter().map(|(number, deed)| (*number, DEEDS[*deed])).collect();
    (scene.platform.before_write, scene.platform.after_write) = (deeds(&walk.before), deeds(&walk.after));
    (scene.platform.lost, scene.platform.refused) = (walk.lost.clone(), walk.refused.clone());
    (scene.platform.pending, scene.drafts) = (walk.pending, walk.drafts);
    for (effects, colour) in &walk.lives {
        scene.colour = colour;
        scene.run_until(*effects);
    }
    let writes = scene.writes();
    scene.platform.before_write.clear();
    scene.platform.after_write.clear();
    scene.platform.lost.clear();
    scene.platform.refused.clear();
    // Quiet days: the state matches git, or a person is asked and her decision is applied.
    let mut ended = Vec::new();
    for drafts in [Drafts::Refuse, Drafts::Refuse, Drafts::Adopt, Drafts::Discard, Drafts::Adopt] {
        scene.journal.reverts.clear();
        scene.drafts = drafts;
        ended.push(scene.run());
        if ended.last().is_some_and(|ended| ended == "Synced") {
            break;
        }
        // If the result of a write is unknown, the owner of the object may be unknown: a person decides that,
        // too.
        if ended.last().is_some_and(|ended| ended.contains("refused by adopt")) {
            scene.allowed.insert(Guard::Adopt);
        }
    }
    scene.allowed.clear();
    let broken = std::mem::take(&mut scene.platform.broken);
    let reported = |scene: &Scene| {
        format!("{writes:?} then {:?}: {ended:#?}\n{:#?}", scene.platform.writes, scene.notes)
    };
    if !broken.is_empty() {
        return Err(format!("{broken:?}: {}", reported(&scene)));
    }
    let served = scene.served().map(|(_, colour)| colour);
    if ended.last().is_none_or(|ended| ended != "Synced") || served != Some(json!(scene.colour)) {
        return Err(format!("it does not reach rest, {served:?} is served: {}", reported(&scene)));
    }
    let mark = scene.platform.writes.len();
    scene.drafts = Drafts::Refuse;
    let again = scene.run();
    if (again.as_str(), scene.platform.writes.len()) != ("Synced", mark) {
        return Err(format!("it is not at rest, {again}: {}", reported(&scene)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_change_is_lost_without_a_decision_and_quiet_days_end_at_rest(script in walks()) {
        walk(&script).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn the_judge_finds_each_forbidden_write() {
    let edited: Interference = |platform| platform.person_edits_the_draft(BANNER, json!("hers"));
    let sold: Interference = |platform| {
        platform.person_edits_the_draft(BANNER, json!("hers"));
        platform.person_publishes();
    };
    let nothing: Interference = |_| {};
    let pins = |version: &str| json!({"configuration": {"version": version}});
    let cases = [
        (edited, configuration(), Act::Store, Some("c-1"), json!({}), "draft was overwritten"),
        (edited, configuration(), Act::Publish, Some("c-1"), json!({}), "change of another user"),
        (nothing, configuration(), Act::Store, None, json!({}), "second configuration"),
        (nothing, deployment(), Act::Store, None, pins("1"), "second deployment"),
        (sold, deployment(), Act::Store, Some("d-1"), pins("2"), "visitors get a change"),
    ];
    for (deed, object, act, id, body, reported) in cases {
        let mut scene = Scene::in_sync();
        deed(&mut scene.platform);
        let target = Target { object, ..target(0) };
        let (deadline, id, body) = (scene.now, id.map(Into::into), Arc::new(map(body)));
        let write = Write { target, if_match: None, body, deadline, act, id, secret: None };
        scene.platform.write(&write);
        let broken = &scene.platform.broken;
        assert!(
            broken.len() == 1 && broken.iter().all(|broken| broken.contains(reported)),
            "{reported}: {broken:?}"
        );
    }
}

#[test]
fn a_removal_between_a_read_and_a_draft_is_not_reverted() {
    let found = walk(&Walk {
        in_sync: true,
        first: vec![9, 8],
        before: BTreeMap::from([(3, 2)]),
        after: BTreeMap::new(),
        lost: BTreeSet::new(),
        refused: BTreeSet::new(),
        pending: 0,
        lives: vec![(10, "#222222"), (9, "#333333"), (5, "#333333")],
        drafts: Drafts::Refuse,
    });
    assert_eq!(found, Ok(()));
}
