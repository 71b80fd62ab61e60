//! Compares the named authors with the true ones, over random histories of which the log shows only a part.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, json};

use super::*;
use crate::model::audit::PropertyChange;
use crate::model::author::Log;
use crate::model::{
    ActorKind, Base, Instance, Object, ObjectKind, ObjectRef, OrganizationId, Readiness, Revision, mix,
};

const FIELDS: [&str; 3] = ["a", "b.c", "b.d"];
const BEGAN_MS: i64 = 1_790_000_000_000;
const OWN: &str = "ours";

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(BEGAN_MS + ms).unwrap()
}

fn actors() -> [Actor; 5] {
    let actor = |id: &str, name: &str, kind| Actor { id: id.into(), name: name.into(), kind };
    [
        actor("u-ana", "Ana", ActorKind::User),
        actor("u-ben", "Ben", ActorKind::User),
        actor("u-zoe", "Zoe", ActorKind::User),
        actor("a-program", "", ActorKind::Client),
        actor(OWN, "", ActorKind::Client),
    ]
}

/// One change of an object: its time, its author, and the values after it.
#[derive(Debug, Clone)]
struct Made {
    at_ms: i64,
    by: Actor,
    values: [u64; 3],
}

fn body(values: &[u64; 3]) -> Arc<Map<String, Value>> {
    let body = json!({"a": values[0], "b": {"c": values[1], "d": values[2]}});
    Arc::new(body.as_object().cloned().unwrap())
}

/// A sequence of numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0) % limit
    }
}

/// Returns the whole history of an object. Two changes are always far enough apart to distinguish two
/// programs.
fn history(dice: &mut Dice) -> Vec<Made> {
    let (mut at_ms, mut values) = (0, [0, 0, 0]);
    let mut made = Vec::new();
    for _ in 0..=dice.below(6) {
        at_ms += 1_001 + i64::try_from(dice.below(6_000)).unwrap();
        for value in &mut values {
            if dice.below(3) == 0 {
                *value = dice.below(3);
            }
        }
        let by = actors()[usize::try_from(dice.below(5)).unwrap()].clone();
        made.push(Made { at_ms, by, values });
    }
    made
}

/// Returns the audit entries of a history: some are missing, some appear twice, and some name no field.
fn entries(kind: ObjectKind, made: &[Made], dice: &mut Dice) -> Vec<Entry> {
    let object = ObjectRef::new(OrganizationId::new("o"), Object { kind, name: "x".into() });
    let mut before = [0, 0, 0];
    let mut all = Vec::new();
    let names_no_field = dice.below(8) == 0;
    for (index, one) in made.iter().enumerate() {
        let changes = |old: &[u64; 3]| {
            let change = |property: &str, old: Value, new: Value| PropertyChange {
                property: property.into(),
                old_value: old,
                new_value: new,
            };
            let of_field = |at: usize| change(FIELDS[at], json!(old[at]), json!(one.values[at]));
            (0..3).filter(|at| old[*at] != one.values[*at]).map(of_field).collect::<Vec<_>>()
        };
        let entry = Entry {
            id: format!("e-{index}"),
            at: at(one.at_ms),
            action: if kind.has_drafts() { PUBLISH.into() } else { "Update".into() },
            object: object.clone(),
            actor: one.by.clone(),
            remote_ip: Some("203.0.113.7".into()),
            version: kind.capabilities().audit_names_versions.then_some(index as u64 + 1),
            changes: if names_no_field { Vec::new() } else { changes(&before) },
        };
        if kind.has_drafts() {
            // Another user drafted the published fields a moment before.
            let drafter = actors()[usize::try_from(dice.below(5)).unwrap()].clone();
            let (id, action) = (format!("d-{index}"), "Update".to_owned());
            all.push(Entry { id, action, actor: drafter, at: at(one.at_ms - 500), ..entry.clone() });
        }
        if dice.below(3) > 0 {
            all.push(entry.clone());
            // The log may return a record twice.
            all.extend((dice.below(4) == 0).then_some(entry));
        }
        before = one.values;
    }
    all
}

/// Returns the live object after a history.
fn live(kind: ObjectKind, made: &[Made]) -> Stored {
    let last = made.last().unwrap();
    let at = at(last.at_ms);
    let is_reported = last.by.kind == ActorKind::User || kind.dialect() == crate::model::Dialect::Webchat;
    let instance = Instance {
        id: "i".into(),
        readiness: Readiness::Ready,
        draft: None,
        drafted_at: None,
        is_inferred: false,
        pinned: None,
        publisher: None,
    };
    Stored {
        version: match kind.counting() {
            Counting::Versions => made.len() as u64,
            Counting::Moments | Counting::Contents => at.as_millisecond().unsigned_abs(),
        },
        body: body(&last.values),
        modified_at: (kind.counting() != Counting::Contents).then_some(at),
        modified_by: (is_reported && kind.counting() != Counting::Contents).then(|| last.by.clone()),
        instance: Some(Arc::new(instance)),
    }
}

/// Returns the base after `seen` changes; none if `seen` is 0.
fn base(kind: ObjectKind, made: &[Made], seen: usize) -> Option<Base> {
    let last = made.get(seen.checked_sub(1)?)?;
    let version = match kind.counting() {
        Counting::Versions => seen as u64,
        Counting::Moments | Counting::Contents => at(last.at_ms).as_millisecond().unsigned_abs(),
    };
    let revision = Revision::new("r");
    Some(Base {
        version,
        body: body(&last.values),
        revision,
        id: None,
        onto: 0,
        drafted_at: 0,
        ignored: Default::default(),
    })
}

/// Returns the change that set the final value of a field; none if it did not change after `seen`.
fn truth(made: &[Made], seen: usize, field: usize) -> Option<&Made> {
    let before = |index: usize| index.checked_sub(1).map_or([0, 0, 0], |index| made[index].values);
    (seen..made.len())
        .rev()
        .find(|index| before(*index)[field] != made[*index].values[field])
        .map(|at| &made[at])
}

#[test]
fn every_named_author_is_right_even_if_audit_entries_are_missing() {
    let kinds = [
        ObjectKind::WebMessaging,
        ObjectKind::MessengerConfiguration,
        ObjectKind::MessengerDeployment,
        ObjectKind::MessagingDefaults,
    ];
    let own = BTreeSet::from([OWN.to_owned()]);
    let mut named = [0_u32; 4];
    for seed in 0..20_000_u64 {
        let mut dice = Dice(seed << 20);
        let made = history(&mut dice);
        let seen = usize::try_from(dice.below(made.len() as u64 + 1)).unwrap();
        for (kind, named) in kinds.into_iter().zip(&mut named) {
            let log = entries(kind, &made, &mut dice);
            let (stored, mut base) = (live(kind, &made), base(kind, &made, seen));
            // One field may be ignored: its author may have changed it at any time.
            let ignored = usize::try_from(dice.below(6)).unwrap();
            if let (Some(base), Some(path)) = (&mut base, FIELDS.get(ignored)) {
                base.ignored.insert((*path).to_owned());
            }
            let asked = Log::Asked { looks: 1, from: at(-1_000_000), until: at(1_000_000) };
            let evidence = Evidence {
                base: base.as_ref(),
                entries: &log,
                log: asked,
                own_clients: Some(&own),
                ..Evidence::default()
            };
            for (index, path) in FIELDS.into_iter().enumerate() {
                let since = if ignored == index { 0 } else { seen };
                let Some(truth) = truth(&made, since, index) else { continue };
                let found = json::at_dotted(&stored.body, path);
                let field = Field { kind, path, wanted: None, found };
                let (author, _) = author(field, &stored, &evidence);
                let by = match &author {
                    Author::Named(by) => by,
                    Author::Own(by) if by.actor.id == OWN => by,
                    Author::Own(by) => panic!("seed {seed}, {kind:?}: {by:?} is not ours"),
                    Author::Unknown(_) => continue,
                };
                *named += 1;
                // If two users set the same content, the log may show only the first one.
                let set_it =
                    |one: &Made| one.by.id == by.actor.id && one.values[index] == truth.values[index];
                let is_right = match kind.counting() {
                    Counting::Contents => made.iter().any(set_it),
                    Counting::Versions | Counting::Moments => by.actor.id == truth.by.id,
                };
                assert!(is_right, "seed {seed}, {kind:?}, {path}: {by:?}, {made:?}, {log:?}");
                assert_eq!(matches!(author, Author::Own(_)), by.actor.id == OWN);
            }
        }
    }
    // Naming no author is never wrong, so the test also requires many names.
    assert!(named.iter().all(|named| *named > 5_000), "{named:?}");
}

#[test]
fn an_unknown_author_has_a_reason() {
    let kind = ObjectKind::WebMessaging;
    let made: Vec<Made> = actors()
        .into_iter()
        .zip([1, 2, 3])
        .map(|(by, value)| Made { at_ms: 0, by, values: [value; 3] })
        .collect();
    let stored = live(kind, &made);
    let base = base(kind, &made, 1);
    let (from, until) = (at(-60_000), at(60_000));
    let asked = Log::Asked { looks: 2, from, until };
    let late = Log::Asked { looks: 1, from: at(1), until };
    let denied = Log::Denied { permission: "audit:read" };
    let entry = |version: u64, changes: Vec<PropertyChange>| Entry {
        id: format!("e{version}"),
        version: Some(version),
        changes,
        ..entries(kind, &made, &mut Dice(3)).remove(0)
    };
    let other = vec![PropertyChange { property: "z".into(), old_value: json!(1), new_value: json!(2) }];
    let table = [
        (Log::NotAsked, Vec::new(), "the audit log has given no answer yet"),
        (denied, Vec::new(), "the client has no permission to read the audit log (audit:read)"),
        (late, Vec::new(), "the change is older than the entries that genesync read"),
        (asked, Vec::new(), "no audit entry found (2 lookups until 14:14:20 UTC)"),
        (asked, vec![entry(3, other.clone())], "no audit entry found (2 lookups until 14:14:20 UTC)"),
        (asked, vec![entry(3, other), entry(2, Vec::new())], "the audit entry names no field"),
    ];
    for (log, entries, expected) in table {
        let evidence = Evidence { base: base.as_ref(), entries: &entries, log, ..Evidence::default() };
        let field = Field { kind, path: "a", wanted: None, found: stored.body.get("a") };
        let (Author::Unknown(reason), _) = author(field, &stored, &evidence) else { panic!("{expected}") };
        assert_eq!(reason.to_string(), expected);
    }
}
