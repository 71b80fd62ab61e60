//! Tests of changes by other users in fields that git does not name.

use std::borrow::Cow;

use proptest::prelude::*;

use super::laws::configuration;
use super::*;
use crate::model::author::{Author, Untold};
use crate::model::{Baseline, OnUnmanaged, Receipt, Receiver};
use crate::plan::unmanaged::{accepted, changes, followed, kept, named};

fn known(version: u64, body: Value) -> Baseline {
    Baseline { version, body: object(body), id: None }
}

fn with(baseline: &Baseline) -> Evidence<'_> {
    Evidence { baseline: Some(Cow::Borrowed(baseline)), ..Evidence::default() }
}

/// Path, class, was, is.
fn reported(
    kind: ObjectKind,
    git: Value,
    found: Value,
    baseline: &Baseline,
) -> Vec<(String, Class, Value, Value)> {
    let all = changes(kind, &desired(git), &live(6, found, Some(person())), &with(baseline));
    all.into_iter()
        .map(|one| (one.path, one.class, one.was.unwrap_or_default(), one.is.unwrap_or_default()))
        .collect()
}

#[test]
fn fields_that_git_does_not_name_are_compared_with_the_baseline_in_both_dialects() {
    let launcher =
        |word: &str| json!({"messenger": {"enabled": true, "launcherButton": {"visibility": word}}});
    let off = ("messenger.launcherButton.visibility", Class::Off, json!("On"), json!("Off"));
    let greetings = |on: bool, delay: u64| json!({"greetings": {"enabled": on, "delayMs": delay}});
    type Row = (ObjectKind, Value, Value, Value, Vec<(&'static str, Class, Value, Value)>);
    let rows: Vec<Row> = vec![
        (ObjectKind::MessengerConfiguration, json!({}), launcher("On"), launcher("Off"), vec![off]),
        // Git names the field, so the change is drift and is reported as drift.
        (ObjectKind::MessengerConfiguration, launcher("On"), launcher("On"), launcher("Off"), vec![]),
        (
            ObjectKind::WebMessaging,
            json!({}),
            greetings(true, 5),
            greetings(false, 5),
            vec![("greetings.enabled", Class::Off, json!(true), json!(false))],
        ),
        (
            ObjectKind::WebMessaging,
            json!({"greetings": {"delayMs": 7}}),
            greetings(true, 5),
            greetings(true, 7),
            vec![],
        ),
        // A field that this build does not know, and a field that was removed.
        (
            ObjectKind::WebMessaging,
            json!({}),
            json!({"new": {"thing": 1}}),
            json!({"new": {"thing": 2}}),
            vec![("new.thing", Class::Behaviour, json!(1), json!(2))],
        ),
        (
            ObjectKind::WebMessaging,
            json!({}),
            json!({"gone": 1}),
            json!({}),
            vec![("gone", Class::Behaviour, json!(1), Value::Null)],
        ),
        // A list is compared as a whole, and values with the same meaning are equal.
        (ObjectKind::WebMessaging, json!({"a": [1]}), json!({"a": [2]}), json!({"a": [3]}), vec![]),
        (
            ObjectKind::WebMessaging,
            json!({}),
            json!({"greetings": {"delayMs": 2000}}),
            json!({"greetings": {}}),
            vec![],
        ),
        // The mark of an owner, and fields that the server sets, are not changes of a user.
        (
            ObjectKind::MessengerConfiguration,
            json!({}),
            json!({"description": "x"}),
            json!({"description": "x [genesync aaaaaaaa]"}),
            vec![],
        ),
        (ObjectKind::WebMessaging, json!({}), json!({"dateModified": 1}), json!({"dateModified": 2}), vec![]),
    ];
    for (kind, git, before, found, expected) in rows {
        let expected: Vec<_> =
            expected.into_iter().map(|(path, class, was, is)| (path.to_owned(), class, was, is)).collect();
        assert_eq!(reported(kind, git.clone(), found.clone(), &known(5, before)), expected, "{git} {found}");
    }
}

#[test]
fn an_author_is_named_only_if_a_version_proves_it() {
    let (before, found) = (known(5, json!({"x": 1})), json!({"x": 2}));
    let of = |version: u64, by: Option<Actor>, entries: &[Entry]| {
        let evidence = Evidence { entries, ..with(&before) };
        let all = changes(KIND, &desired(json!({})), &live(version, found.clone(), by), &evidence);
        all.into_iter().map(|one| one.author).collect::<Vec<_>>()
    };
    assert_eq!(of(5, Some(person()), &[]), [None], "the platform itself made the change");
    let named = |author: &Option<Author>| match author {
        Some(Author::Named(by)) => by.actor.name.clone(),
        other => format!("{other:?}"),
    };
    // Exactly one version was made since the baseline.
    assert_eq!(named(&of(6, Some(person()), &[])[0]), "Mara");
    assert_eq!(of(7, Some(person()), &[]), [Some(Author::Unknown(Untold::NotLookedFor))]);
}

#[test]
fn an_object_that_replaced_another_has_no_baseline() {
    let baseline = Baseline { id: Some("c-1".into()), ..known(5, json!({"x": 1})) };
    let Observed::Present(stored) = live(6, json!({"x": 2}), None) else { panic!() };
    let of = |id: &str| {
        let instance = crate::model::Instance {
            id: id.into(),
            readiness: crate::model::Readiness::Ready,
            draft: None,
            drafted_at: None,
            pinned: None,
            publisher: None,
            is_inferred: false,
        };
        let there = Observed::Present(Stored { instance: Some(Arc::new(instance)), ..stored.clone() });
        changes(ObjectKind::MessengerConfiguration, &desired(json!({})), &there, &with(&baseline)).len()
    };
    assert_eq!((of("c-1"), of("c-2")), (1, 0));
}

fn receipt(from: Option<u64>, version: u64, by: Receiver) -> Receipt {
    let target = tenant(0).primary;
    Receipt { target, from_version: from, version, sent_at: Timestamp::UNIX_EPOCH, by, made_at: None }
}

#[test]
fn a_write_of_genesync_keeps_a_change_of_another_user_and_does_not_accept_it() {
    let before = known(5, json!({"a": 1, "x": 1}));
    let git = desired(json!({"a": 2}));
    let keep = |found: Value, version: u64, written: &[Receipt], along: &[&str]| {
        let Observed::Present(stored) = live(version, found, None) else { panic!() };
        let along: Vec<String> = along.iter().map(|path| (*path).to_owned()).collect();
        let written: Vec<&Receipt> = written.iter().collect();
        let known = Baseline { version: followed(before.version, &written), ..before.clone() };
        kept(KIND, &git, (&stored, &stored.body), &known, &written, &along)
    };
    let theirs = json!({"a": 2, "x": 9});
    let put = |from, to| receipt(Some(from), to, Receiver::Put);
    // Another user made version 6 and genesync made version 7: the baseline takes over only genesync's write.
    assert_eq!(keep(theirs.clone(), 7, &[put(6, 7)], &[]), Some(known(5, json!({"a": 2, "x": 1}))));
    // No other version was made: the change is still the platform's own.
    assert_eq!(keep(theirs.clone(), 6, &[put(5, 6)], &[]), Some(known(6, json!({"a": 2, "x": 1}))));
    assert_eq!(keep(theirs.clone(), 7, &[put(6, 7), put(5, 6)], &[]).map(|known| known.version), Some(7));
    // A person allowed the change; a replication job copies every field; no difference is left.
    assert_eq!(keep(theirs.clone(), 7, &[put(6, 7)], &["x"]), None);
    assert_eq!(keep(theirs, 7, &[receipt(Some(6), 7, Receiver::Job)], &[]), None);
    assert_eq!(keep(json!({"a": 2, "x": 1}), 7, &[put(6, 7)], &[]), None);
}

#[test]
fn a_person_accepts_changes_field_by_field() {
    let before = known(5, json!({"x": 1, "y": {"z": 1}, "gone": 1}));
    let git = desired(json!({}));
    let Observed::Present(stored) = live(8, json!({"x": 2, "y": {"z": 2}}), None) else { panic!() };
    let accept = |only: &[&str]| accepted(KIND, &git, &stored, &before, |path| only.contains(&path));
    assert_eq!(accept(&[]), None);
    assert_eq!(accept(&["x"]), Some(known(5, json!({"y": {"z": 1}, "gone": 1, "x": 2}))));
    assert_eq!(accept(&["gone"]), Some(known(5, json!({"x": 1, "y": {"z": 1}}))));
    assert_eq!(accept(&["x", "y.z", "gone"]), Some(known(8, json!({"x": 2, "y": {"z": 2}}))));
    let left = accept(&["x", "y.z"]).unwrap();
    let there = Observed::Present(stored.clone());
    assert_eq!(
        changes(KIND, &git, &there, &with(&left)).iter().map(|one| &one.path).collect::<Vec<_>>(),
        ["gone"]
    );
}

fn version_of(body: Map<String, Value>) -> Observed {
    Observed::Present(Stored {
        version: 7,
        body: Arc::new(body),
        modified_at: None,
        modified_by: None,
        instance: None,
    })
}

proptest! {
    /// With the policy `Drift`, genesync sets back exactly these changes: the next plan is empty, and no
    /// value of git changes.
    #[test]
    fn drift_sets_back_all_unmanaged_changes(git in configuration(), before in configuration(), found in configuration()) {
        let git = Desired { body: git, exclusive: false, ignored: BTreeSet::new() };
        let baseline = Baseline { version: 5, body: before, id: None };
        let observed = holding(&found);
        let wanted = named(OnUnmanaged::Drift, KIND, Cow::Borrowed(&git), &observed, Some(&baseline));
        let after = version_of(diff::target_body(KIND, &wanted, &observed));
        prop_assert_eq!(changes(KIND, &git, &after, &with(&baseline)), vec![]);
        prop_assert_eq!(diff::changes(KIND, &git, &after, &Evidence::default()).0, vec![]);
        let again = named(OnUnmanaged::Drift, KIND, Cow::Borrowed(&git), &after, Some(&baseline));
        prop_assert_eq!(diff::changes(KIND, &again, &after, &Evidence::default()).0, vec![]);
        // The other policies do not change the desired state.
        for policy in [OnUnmanaged::Report, OnUnmanaged::Ignore] {
            prop_assert_eq!(&*named(policy, KIND, Cow::Borrowed(&git), &observed, Some(&baseline)), &git);
        }
    }

    /// After a write of genesync, the same changes are still reported; after a person accepts them, none is
    /// reported.
    #[test]
    fn a_change_is_reported_until_a_person_accepts_it(git in configuration(), before in configuration(), found in configuration()) {
        let git = Desired { body: git, exclusive: false, ignored: BTreeSet::new() };
        let baseline = Baseline { version: 5, body: before, id: None };
        let observed = holding(&found);
        let paths = |observed: &Observed, baseline: &Baseline| -> Vec<String> {
            changes(KIND, &git, observed, &with(baseline)).into_iter().map(|one| one.path).collect()
        };
        let reported = paths(&observed, &baseline);
        let after = version_of(diff::target_body(KIND, &git, &observed));
        let Observed::Present(stored) = &after else { panic!() };
        let written = receipt(Some(6), 7, Receiver::Put);
        let next = kept(KIND, &git, (stored, &stored.body), &baseline, &[&written], &[]);
        let next = next.unwrap_or_else(|| Baseline { version: 7, body: Arc::clone(&stored.body), id: None });
        let still: Vec<String> = paths(&after, &next);
        prop_assert_eq!(still, reported);
        let all = accepted(KIND, &git, stored, &next, |_| true);
        prop_assert_eq!(all.map_or_else(Vec::new, |all| paths(&after, &all)), Vec::<String>::new());
    }
}
