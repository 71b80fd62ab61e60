//! Detects fields that genesync and another user keep changing, from the reverts of earlier runs in the
//! journal.
//!
//! In: the planned targets, the recorded reverts and the limits. Out: new reverts, or a reason to hold.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::plan::{Limits, TargetPlan};
use crate::model::record::Revert;
use crate::model::{Actor, Change, ChangeKind, TenantName};

/// Returns the reverts that writing these targets causes: one for each field that another user changed.
pub fn reverts(targets: &[&TargetPlan], at: Timestamp) -> Vec<Revert> {
    let of_one = |target: &&TargetPlan| {
        let object = target.target.object_ref();
        let revert = |change: &Change| {
            let [theirs, ours] = change.shown();
            let by = change.by().map(|by| by.actor.clone());
            Revert { object: object.clone(), path: change.path.clone(), by, theirs, ours, at }
        };
        target.changes.iter().filter(|change| moved(change)).map(revert).collect::<Vec<_>>()
    };
    targets.iter().flat_map(of_one).collect()
}

fn moved(change: &Change) -> bool {
    change.kind != ChangeKind::ToApply
}

/// Returns why genesync does not write the targets: another user changed a field again that genesync had
/// already set back as often as the limit allows within the window. Without this limit, both would continue
/// for ever.
pub fn fought_over<'a>(
    tenant: &TenantName,
    targets: impl Iterator<Item = &'a TargetPlan>,
    reverts: &[Revert],
    limits: &Limits,
    now: Timestamp,
) -> Option<String> {
    let window_ms = i64::try_from(limits.flap_window_ms).unwrap_or(i64::MAX);
    // A revert in the future, because a clock was set back, counts as recent.
    let recent =
        |revert: &&Revert| now.as_millisecond().saturating_sub(revert.at.as_millisecond()) < window_ms;
    let mut first = None;
    let mut count = 0_usize;
    for target in targets {
        for change in target.changes.iter().filter(|change| moved(change)) {
            let same =
                |revert: &&Revert| revert.object == target.target.object_ref() && revert.path == change.path;
            let before: Vec<&Revert> = reverts.iter().filter(same).filter(recent).collect();
            if before.len() >= limits.flaps_max {
                count += 1;
                first.get_or_insert((target, change, before));
            }
        }
    }
    let (target, change, before) = first?;
    let who = change.by().map(|by| &by.actor);
    let times = before.len();
    Some(format!(
        "fought over: {} of {} was set back {times} time{} within {} and {} changed it again{}.{} Agree on one owner, then run `genesync resume {}`",
        change.path,
        target.target.object_ref(),
        if times == 1 { "" } else { "s" },
        span(limits.flap_window_ms),
        who.map_or("another user".into(), Actor::label),
        others(who, &before),
        if count > 1 { format!(" Also fought over: {} more.", count - 1) } else { String::new() },
        tenant,
    ))
}

/// Returns the other actors who changed the field earlier.
fn others(who: Option<&Actor>, before: &[&Revert]) -> String {
    let known = before.iter().filter_map(|revert| revert.by.as_ref());
    let labels: BTreeSet<_> =
        known.filter(|actor| who.is_none_or(|who| who.id != actor.id)).map(Actor::label).collect();
    if labels.is_empty() {
        return String::new();
    }
    format!(" (earlier: {})", labels.into_iter().collect::<Vec<_>>().join(" and "))
}

fn span(ms: u64) -> String {
    if ms.is_multiple_of(60_000) {
        format!("{} min", ms / 60_000)
    } else {
        format!("{} s", ms.div_ceil(1_000))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::author::{Attribution, Author, Deed};
    use crate::model::{
        ActorKind, Class, CredentialsName, Object, ObjectRef, OrganizationId, Region, Target,
    };

    const MINUTE: i64 = 60_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_790_000_000_000 + ms).unwrap()
    }

    fn actor(name: &str) -> Actor {
        Actor { id: format!("id of {name}"), name: name.into(), kind: ActorKind::User }
    }

    fn change(path: &str, kind: ChangeKind, by: Option<&str>) -> Change {
        Change {
            path: path.into(),
            kind,
            class: Class::Behaviour,
            observed: None,
            desired: None,
            applied: None,
            theirs: None,
            loss: None,
            author: by.map(|name| {
                let actor = actor(name);
                Author::Named(Attribution { actor, deed: Deed::Changed, at: None, remote_ip: None })
            }),
        }
    }

    fn targets(changes: Vec<Vec<Change>>) -> Vec<TargetPlan> {
        let target = |(number, changes): (usize, Vec<Change>)| TargetPlan {
            target: Target {
                organization: OrganizationId::new(format!("org-{number}")),
                region: Region::EuWest1,
                credentials: CredentialsName::new("c"),
                object: Object::implied(),
            },
            version: Some(4),
            observed: Arc::default(),
            changes,
            already_done: Vec::new(),
            ignored: Vec::new(),
            next: None,
            draft: None,
            body: Arc::default(),
            unfinished: None,
            unmanaged: Vec::new(),
            another_program: None,
            unrecorded: None,
            ours_to_overwrite: true,
        };
        changes.into_iter().enumerate().map(target).collect()
    }

    fn said(targets: &[TargetPlan], reverts: &[Revert], limits: &Limits, now: i64) -> Option<String> {
        fought_over(&TenantName::new("acme"), targets.iter(), reverts, limits, at(now))
    }

    fn revert(number: usize, path: &str, by: Option<&str>, ms: i64) -> Revert {
        Revert {
            object: ObjectRef::new(OrganizationId::new(format!("org-{number}")), Object::implied()),
            path: path.into(),
            by: by.map(actor),
            theirs: None,
            ours: None,
            at: at(ms),
        }
    }

    #[test]
    fn a_field_is_fought_over_if_it_was_set_back_too_often_within_the_window() {
        use ChangeKind::{Conflict, Drift, ToApply};
        let delay = "greetings.delayMs";
        let thrice = |first: i64| -> Vec<Revert> {
            (0..3).map(|n| revert(0, delay, Some("Mara"), first + n * MINUTE)).collect()
        };
        // what, kind of the change, what was set back, now -> fought over
        let table = [
            ("three times", Drift, thrice(0), 3 * MINUTE, true),
            ("both moved", Conflict, thrice(0), 3 * MINUTE, true),
            ("only git moved", ToApply, thrice(0), 3 * MINUTE, false),
            ("twice", Drift, thrice(0)[..2].to_vec(), 3 * MINUTE, false),
            ("never", Drift, Vec::new(), 0, false),
            ("at the end of the window", Drift, thrice(0), 60 * MINUTE - 1, true),
            ("the first is an hour old", Drift, thrice(0), 60 * MINUTE, false),
            ("the clock was set back", Drift, thrice(10 * MINUTE), 0, true),
            (
                "another field",
                Drift,
                (0..3).map(|n| revert(0, "greetings.enabled", None, n)).collect(),
                9,
                false,
            ),
            ("another organization", Drift, (0..3).map(|n| revert(1, delay, None, n)).collect(), 9, false),
        ];
        for (what, kind, reverts, now, expected) in table {
            let targets = targets(vec![vec![change(delay, kind, Some("Mara"))]]);
            let said = said(&targets, &reverts, &Limits::default(), now);
            assert_eq!(said.is_some(), expected, "{what}: {said:?}");
        }
    }

    #[test]
    fn the_reason_names_the_field_the_number_of_reverts_and_the_actors() {
        let limits = Limits { flaps_max: 2, flap_window_ms: 90_000, ..Limits::default() };
        let reported = |by: Option<&str>, before: &[Option<&str>], fields: usize| {
            let changes = (0..fields).map(|n| change(&format!("x.{n}"), ChangeKind::Drift, by)).collect();
            let reverts: Vec<Revert> = (0..fields)
                .flat_map(|n| before.iter().map(move |by| revert(1, &format!("x.{n}"), *by, 0)))
                .collect();
            said(&targets(vec![vec![], changes]), &reverts, &limits, 0).unwrap()
        };
        let table = [
            (reported(Some("Mara"), &[Some("Mara"), Some("Mara")], 1), "and Mara changed it again. Agree"),
            (
                reported(Some("Mara"), &[Some("terraform"), Some("Mara"), Some("Ben")], 1),
                "3 times within 90 s and Mara changed it again (earlier: Ben and terraform). Agree",
            ),
            (
                reported(None, &[Some("Ben"), None], 1),
                "and another user changed it again (earlier: Ben). Agree",
            ),
            (
                reported(None, &[None, None], 3),
                "and another user changed it again. Also fought over: 2 more. Agree",
            ),
        ];
        for (said, expected) in table {
            assert!(said.starts_with("fought over: x.0 of org-1 was set back "), "{said}");
            assert!(said.contains(expected), "{said}");
            assert!(said.ends_with("Agree on one owner, then run `genesync resume acme`"), "{said}");
        }
    }

    #[test]
    fn a_change_of_another_user_is_a_revert_and_a_change_of_git_is_not() {
        let targets = targets(vec![
            vec![change("a", ChangeKind::ToApply, None), change("b", ChangeKind::Drift, Some("Mara"))],
            vec![change("c", ChangeKind::Conflict, None)],
        ]);
        let targets: Vec<&TargetPlan> = targets.iter().collect();
        let expected = [revert(0, "b", Some("Mara"), 5), revert(1, "c", None, 5)];
        assert_eq!(reverts(&targets, at(5)), expected);
        assert_eq!(reverts(&targets[1..], at(5)), expected[1..]);
    }
}
