//! Tests of plans, case by case.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::*;
use crate::model::audit::PropertyChange;
use crate::model::{
    Actor, ActorKind, Change, ChangeKind, Class, CredentialsName, Mode, Names, Object, ObjectKind, ObjectRef,
    Observed, OrganizationId, Protect, Region, Resource, Stored, TenantName,
};

/// The kind that the tests use unless they name another one.
const KIND: ObjectKind = ObjectKind::IMPLIED;

/// The plan of a tenant with the implied object alone.
fn plan(
    tenant: &Tenant,
    revision: &Revision,
    desired: &Desired,
    observed: &[Observed],
    evidence: &BTreeMap<ObjectRef, Evidence<'_>>,
) -> Plan {
    let resources = [Resource::implied(desired.clone())];
    let targets: Vec<Target> = tenant.targets().cloned().collect();
    let (resources, names) = (&resources[..], &Names::new());
    let sides: Vec<Side<'_>> = targets
        .chunks(1)
        .zip(observed.chunks(1))
        .map(|(targets, observed)| Side { targets, known: Organization { resources, observed, names } })
        .collect();
    let evidence = |target: &Target| evidence.get(&target.object_ref()).cloned().unwrap_or_default();
    super::plan(Basis {
        tenant,
        revision,
        sides: &sides,
        drafts: Drafts::Refuse,
        holds: Withheld::default(),
        owner: None,
        evidence: &evidence,
    })
}

fn object_of(organization: &str) -> ObjectRef {
    ObjectRef::new(OrganizationId::new(organization), Object::implied())
}

fn object(value: Value) -> Arc<Map<String, Value>> {
    Arc::new(value.as_object().cloned().unwrap())
}

fn desired(value: Value) -> Desired {
    Desired { body: object(value), exclusive: false, ignored: BTreeSet::new() }
}

fn person() -> Actor {
    Actor { id: "u-1".into(), name: "Mara".into(), kind: ActorKind::User }
}

fn live(version: u64, body: Value, by: Option<Actor>) -> Observed {
    Observed::Present(Stored {
        version,
        body: object(body),
        modified_at: None,
        modified_by: by,
        instance: None,
    })
}

fn holding(body: &Arc<Map<String, Value>>) -> Observed {
    Observed::Present(Stored {
        version: 1,
        body: Arc::clone(body),
        modified_at: None,
        modified_by: None,
        instance: None,
    })
}

fn base(version: u64, body: Value) -> Base {
    Base {
        version,
        body: object(body),
        revision: Revision::new("r0"),
        id: None,
        onto: 0,
        drafted_at: 0,
        ignored: Default::default(),
    }
}

fn tenant(replicas: usize) -> Tenant {
    let target = |n: usize| Target {
        organization: OrganizationId::new(format!("org-{n}")),
        region: Region::EuWest1,
        credentials: CredentialsName::new("acme"),
        object: Object::implied(),
    };
    Tenant {
        name: TenantName::new("acme"),
        dialect: crate::model::Dialect::Webchat,
        primary: target(0),
        replicas: (1..=replicas).map(target).collect(),
        mode: Mode::Enforce,
        wave: 0,
        windows: Vec::new(),
        ignore: Vec::new(),
        protected: Default::default(),
        policy: Default::default(),
        owners: Vec::new(),
    }
}

fn diff(desired: &Desired, observed: &Observed, base: Option<&Base>) -> Vec<Change> {
    let own = BTreeSet::from(["our-client".to_owned()]);
    diff::changes(KIND, desired, observed, &Evidence { base, own_clients: Some(&own), ..Evidence::default() })
        .0
}

#[test]
fn desired_observed_and_base_decide_the_kind_of_each_change() {
    use ChangeKind::{Conflict, Drift, ToApply};
    // git, live, base -> kind
    let table = [
        (2, 1, Some(1), Some(ToApply)),
        (1, 2, Some(1), Some(Drift)),
        (2, 3, Some(1), Some(Conflict)),
        (2, 2, Some(1), None),
        (1, 1, Some(1), None),
        (2, 1, None, Some(ToApply)),
    ];
    for (git, live_value, base_value, expected) in table {
        let observed = live(5, json!({"greetings": {"delayMs": live_value}}), Some(person()));
        let base = base_value.map(|value| base(4, json!({"greetings": {"delayMs": value}})));
        let changes = diff(&desired(json!({"greetings": {"delayMs": git}})), &observed, base.as_ref());
        assert_eq!(
            changes.first().map(|change| change.kind),
            expected,
            "git {git}, live {live_value}, base {base_value:?}"
        );
        if let Some(change) = changes.first() {
            assert_eq!(change.by().is_some(), change.kind != ToApply, "drift names its author");
            let applied = base_value.filter(|_| change.kind == Conflict).map(Value::from);
            assert_eq!(change.applied, applied, "a conflict has the value before both changes");
        }
    }
}

#[test]
fn the_audit_log_replaces_a_missing_base() {
    let observed =
        live(5, json!({"greetings": {"delayMs": 9}, "features": {"dynamicRouting": false}}), Some(person()));
    let entry = |version: u64, actor: Actor, property: &str, old: Value, new: Value| Entry {
        id: format!("e{version}"),
        at: Timestamp::UNIX_EPOCH,
        action: "webchat:configuration:update".into(),
        object: object_of("org-0"),
        actor,
        remote_ip: Some("203.0.113.7".into()),
        version: Some(version),
        changes: vec![PropertyChange { property: property.into(), old_value: old, new_value: new }],
    };
    let client = Actor { id: "our-client".into(), name: String::new(), kind: ActorKind::Client };
    let entries = [
        entry(5, person(), "greetings.delayMs", json!(3), json!(9)),
        entry(4, client, "features.dynamicRouting", json!(true), json!(false)),
    ];
    let own = BTreeSet::from(["our-client".to_owned()]);
    let evidence = Evidence { entries: &entries, own_clients: Some(&own), ..Evidence::default() };
    let kinds = |wanted: Value| {
        let (changes, _) = diff::changes(KIND, &desired(wanted), &observed, &evidence);
        changes
            .into_iter()
            .inspect(|change| {
                let applied = Some(json!(3)).filter(|_| change.kind == ChangeKind::Conflict);
                assert_eq!(change.applied, applied, "{}", change.path);
            })
            .map(|change| {
                let ip = change.by().and_then(|by| by.remote_ip.clone());
                (change.path, change.kind, ip)
            })
            .collect::<Vec<_>>()
    };
    let ip = Some("203.0.113.7".to_owned());
    assert_eq!(
        kinds(json!({"greetings": {"delayMs": 3}})),
        [("greetings.delayMs".to_owned(), ChangeKind::Drift, ip.clone())]
    );
    assert_eq!(
        kinds(json!({"greetings": {"delayMs": 4}})),
        [("greetings.delayMs".to_owned(), ChangeKind::Conflict, ip)]
    );
    assert_eq!(
        kinds(json!({"features": {"dynamicRouting": true}})),
        [("features.dynamicRouting".to_owned(), ChangeKind::ToApply, None)]
    );
}

#[test]
fn another_spelling_of_the_same_value_is_no_change() {
    let table = [
        (
            json!({"widget": {"theme": {"colors": {"primary": "#abc"}}}}),
            json!({"widget": {"theme": {"colors": {"primary": "#AABBCC"}}}}),
        ),
        (json!({"widget": {"theme": {"colors": {"background": "#fff"}}}}), json!({})),
        (json!({"greetings": {"delayMs": 2000}}), json!({"greetings": {}})),
        (json!({"features": {"dynamicRouting": null}}), json!({"features": {"dynamicRouting": true}})),
        (json!({"features": {"audiences": ["b", "a"]}}), json!({"features": {"audiences": ["a", "b"]}})),
        (json!({"availability": {"schedule": "always"}}), json!({"availability": null})),
        (
            json!({"availability": {"rules": [{"dayOfWeek": "MONDAY", "startTime": "09:00", "endTime": "17:00"}]}}),
            json!({"availability": {"rules": [{"endTime": "17:00", "dayOfWeek": "MONDAY", "startTime": "09:00"}]}}),
        ),
        (
            json!({"widget": {"accessibility": {"contrastRatio": 7}}}),
            json!({"widget": {"accessibility": {"contrastRatio": 7.0}}}),
        ),
    ];
    for (git, found) in table {
        assert_eq!(diff(&desired(git.clone()), &live(1, found.clone(), None), None), [], "{git} and {found}");
    }
}

#[test]
fn another_order_of_greetings_is_a_change() {
    let changes = diff(
        &desired(json!({"greetings": {"messages": ["a", "b"]}})),
        &live(1, json!({"greetings": {"messages": ["b", "a"]}}), None),
        None,
    );
    assert_eq!(changes.len(), 1);
}

#[test]
fn unnamed_fields_keep_their_digits_and_their_place() {
    let found: Value = serde_json::from_str(
        r#"{"zeta":{"n":12345678901234567890123,"f":1.10},"greetings":{"delayMs":1,"unknown":[null,{"x":1e5}]},"version":7,"alpha":true}"#,
    )
    .unwrap();
    let body = diff::target_body(
        KIND,
        &desired(json!({"greetings": {"delayMs": 5, "enabled": null}})),
        &live(7, found, None),
    );
    assert_eq!(
        Value::Object(body).to_string(),
        r#"{"zeta":{"n":12345678901234567890123,"f":1.10},"greetings":{"delayMs":5,"unknown":[null,{"x":1e+5}]},"alpha":true}"#
    );
}

#[test]
fn null_an_empty_list_and_an_exclusive_manifest_are_different() {
    let found = live(1, json!({"features": {"audiences": ["a"], "extra": 1}}), None);
    let paths = |desired: &Desired| {
        diff(desired, &found, None)
            .into_iter()
            .map(|change| (change.path, change.desired))
            .collect::<Vec<_>>()
    };
    let audiences = "features.audiences".to_owned();
    assert_eq!(paths(&desired(json!({}))), []);
    assert_eq!(paths(&desired(json!({"features": {"audiences": null}}))), [(audiences.clone(), None)]);
    assert_eq!(paths(&desired(json!({"features": {"audiences": []}}))), [(audiences, Some(json!([])))]);
    let exclusive = Desired {
        body: object(json!({"features": {"audiences": ["a"]}})),
        exclusive: true,
        ignored: BTreeSet::new(),
    };
    assert_eq!(paths(&exclusive), [("features.extra".to_owned(), None)]);
}

#[test]
fn an_ignored_field_keeps_its_value_if_the_object_exists() {
    let ignoring = |fields: &[&str], git: Value| {
        desired(git).ignoring(fields.iter().map(|field| (*field).to_owned()).collect())
    };
    let git = json!({"greetings": {"delayMs": 1, "enabled": true}, "features": {"audiences": ["a"]}});
    // ignored, live -> changes, kept, written
    let table = [
        (
            &["greetings.delayMs"][..],
            json!({"greetings": {"delayMs": 9, "enabled": false}}),
            &["features.audiences", "greetings.enabled"][..],
            &["greetings.delayMs"][..],
            json!({"greetings": {"delayMs": 9, "enabled": true}, "features": {"audiences": ["a"]}}),
        ),
        // A whole section is ignored; a name with the same beginning is another field.
        (
            &["greetings", "features.audience"],
            json!({"greetings": {"enabled": false, "tone": 1}}),
            &["features.audiences"],
            &["greetings.delayMs", "greetings.enabled"],
            json!({"greetings": {"enabled": false, "tone": 1}, "features": {"audiences": ["a"]}}),
        ),
        // A field that another user removed stays removed; a field in sync does not count.
        (
            &["greetings.delayMs", "features"],
            json!({"greetings": {"enabled": true}, "features": {"audiences": ["a"]}}),
            &[],
            &["greetings.delayMs"],
            json!({"greetings": {"enabled": true}, "features": {"audiences": ["a"]}}),
        ),
    ];
    for (fields, found, changed, left, written) in table {
        let (desired, observed) = (ignoring(fields, git.clone()), live(4, found, None));
        let paths: Vec<String> =
            diff(&desired, &observed, None).into_iter().map(|change| change.path).collect();
        assert_eq!(paths, changed, "{fields:?}");
        assert_eq!(diff::ignored(KIND, &desired, &observed), left, "{fields:?}");
        assert_eq!(diff::target_body(KIND, &desired, &observed), *object(written), "{fields:?}");
    }
    // A configuration that does not exist yet is created with all fields, also the ignored ones.
    let fresh = ignoring(&["greetings", "features"], git.clone());
    assert_eq!(diff(&fresh, &Observed::Absent, None).len(), 3);
    assert_eq!(diff::ignored(KIND, &fresh, &Observed::Absent), Vec::<String>::new());
    assert_eq!(diff::target_body(KIND, &fresh, &Observed::Absent), *object(git.clone()));
    // An exclusive manifest keeps the ignored fields and removes the other fields that git does not name.
    let found = live(4, json!({"legal": {"notice": 1}, "other": 2, "greetings": {"delayMs": 9}}), None);
    let exclusive = Desired { exclusive: true, ..ignoring(&["legal", "greetings.delayMs"], git) };
    assert_eq!(diff::ignored(KIND, &exclusive, &found), ["greetings.delayMs", "legal.notice"]);
    assert_eq!(
        diff::target_body(KIND, &exclusive, &found),
        *object(
            json!({"legal": {"notice": 1}, "greetings": {"delayMs": 9, "enabled": true}, "features": {"audiences": ["a"]}})
        )
    );
}

#[test]
fn a_value_of_another_user_is_drift_after_an_ignore_rule_ends() {
    let field = BTreeSet::from(["greetings.delayMs".to_owned()]);
    let git = desired(json!({"greetings": {"delayMs": 1, "enabled": true}}));
    let observed = live(5, json!({"greetings": {"delayMs": 9, "enabled": true}, "other": 1}), Some(person()));
    let kept = diff::base_body(KIND, &git.ignoring(field), &observed);
    assert_eq!(*kept, *object(json!({"greetings": {"delayMs": 1, "enabled": true}, "other": 1})));
    let base = Base {
        version: 5,
        body: kept,
        revision: Revision::new("r0"),
        id: None,
        onto: 0,
        drafted_at: 0,
        ignored: Default::default(),
    };
    let kinds: Vec<_> = diff(&git, &observed, Some(&base)).into_iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Drift]);
}

#[test]
fn replication_overwrites_only_values_of_genesync() {
    let wanted = desired(json!({"greetings": {"delayMs": 5}}));
    let observed = [
        live(3, json!({"greetings": {"delayMs": 1}, "other": 1}), None),
        live(3, json!({"greetings": {"delayMs": 2}, "other": 1}), None),
        live(3, json!({"greetings": {"delayMs": 2}, "other": 2}), None),
    ];
    let plan = plan(&tenant(2), &Revision::new("r"), &wanted, &observed, &BTreeMap::new());
    assert_eq!(
        plan.targets.iter().map(|target| target.ours_to_overwrite).collect::<Vec<_>>(),
        [true, true, false]
    );
}

#[test]
fn a_digest_changes_with_everything_that_a_plan_does_or_depends_on() {
    let make = |git: Value, found: Value, version: u64, revision: &str| {
        let observed = [live(version, found, None)];
        plan(&tenant(0), &Revision::new(revision), &desired(git), &observed, &BTreeMap::new())
            .content_digest()
    };
    let one = make(json!({"x": 1}), json!({"x": 2, "y": 1}), 3, "r1");
    assert_eq!(one, make(json!({"x": 1}), json!({"y": 1, "x": 2}), 3, "r1"));
    for other in [
        make(json!({"x": 4}), json!({"x": 2, "y": 1}), 3, "r1"),
        make(json!({"x": 1}), json!({"x": 4, "y": 1}), 3, "r1"),
        make(json!({"x": 1}), json!({"x": 2, "y": 4}), 3, "r1"),
        make(json!({"x": 1}), json!({"x": 2, "y": 1}), 4, "r1"),
        make(json!({"x": 1}), json!({"x": 2, "y": 1}), 3, "r2"),
        make(json!({"x": 1}), json!({"x": 1, "y": 1}), 3, "r1"),
    ] {
        assert_ne!(one, other);
    }
}

mod again;
mod guards;
mod laws;
mod unmanaged;

#[test]
fn what_another_user_did_is_distinguished_from_what_git_does() {
    use ChangeKind::{Conflict, Drift, ToApply};
    let on = |list: Value| json!({"greetings": {"messages": list}});
    // Base, live, git: kind, class, class of the other user's part, loss by writing.
    let table = [
        (json!(["a"]), json!([]), json!(["a"]), Drift, Class::Off, Some(Class::Off), None),
        (json!(["a"]), json!(["b"]), json!([]), Conflict, Class::Off, Some(Class::Text), Some(Protect::Off)),
        (json!(["a"]), json!([]), json!(["c"]), Conflict, Class::Off, Some(Class::Off), None),
        (json!(["a"]), json!(["a"]), json!([]), ToApply, Class::Off, None, Some(Protect::Off)),
        // Another user switched it on, which is no loss; setting it back is a loss.
        (json!([]), json!(["a"]), json!([]), Drift, Class::Text, Some(Class::Text), Some(Protect::Off)),
    ];
    for (was, found, git, why, class, theirs, loss) in table {
        let base = base(4, on(was));
        let changes =
            diff(&desired(on(git.clone())), &live(5, on(found.clone()), Some(person())), Some(&base));
        let [change] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!(
            (change.kind, change.class, change.theirs, change.loss),
            (why, class, theirs, loss),
            "{found} -> {git}"
        );
    }
}
