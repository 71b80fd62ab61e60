use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::model::plan::Next;
use crate::model::{
    Change, ChangeKind, Class, CredentialsName, Desired, Mode, Object, ObjectKind, OrganizationId, Region,
    Resource, Revision, Target, TenantName,
};

/// A plan whose targets are (version, owes a change, ours to overwrite).
fn plan(targets: &[(Option<u64>, bool, bool)]) -> Plan {
    let change = Change {
        path: "x".into(),
        kind: ChangeKind::ToApply,
        class: Class::Behaviour,
        observed: None,
        desired: None,
        applied: None,
        by: None,
    };
    let targets = targets.iter().enumerate().map(|(n, (version, owes, ours))| TargetPlan {
        target: Target {
            organization: OrganizationId::new(format!("org-{n}")),
            region: Region::EuWest1,
            credentials: CredentialsName::new("c"),
            object: crate::model::Object::implied(),
        },
        version: *version,
        observed: Arc::default(),
        changes: if *owes { vec![change.clone()] } else { Vec::new() },
        already_done: Vec::new(),
        ignored: Vec::new(),
        next: None,
        draft: None,
        body: Arc::default(),
        ours_to_overwrite: *ours,
    });
    Plan {
        tenant: TenantName::new("t"),
        revision: Revision::new("r"),
        mode: Mode::Enforce,
        targets: targets.map(Arc::new).collect(),
    }
}

fn describe(plan: &Plan, job_tried: bool) -> String {
    let course = Course {
        needs: &Needs::of(&[]),
        job_tried,
        fresh: None,
        is_unlisted: &|_| false,
        begun: &|_| false,
        look_at: &|_| None,
        now: Timestamp::MIN,
    };
    match due(plan, true, &course) {
        None => "nothing".into(),
        Some(Work::Put(target)) => format!("put {}", target.target.organization),
        Some(Work::Wait(target)) => format!("wait for {}", target.target.organization),
        Some(Work::Job { targets, overwrite_existing }) => {
            let names: Vec<&str> = targets.iter().map(|target| target.target.organization.as_str()).collect();
            format!("job {} overwrite {overwrite_existing}", names.join(" "))
        }
    }
}

#[test]
fn the_primary_then_one_job_then_plain_writes() {
    let table = [
        (vec![(Some(1), true, true), (Some(1), true, true)], false, "put org-0"),
        (
            vec![(Some(2), false, true), (Some(1), true, true), (None, true, true)],
            false,
            "job org-1 org-2 overwrite true",
        ),
        (
            vec![(Some(2), false, true), (Some(1), false, true), (None, true, true)],
            false,
            "job org-2 overwrite false",
        ),
        (
            vec![(Some(2), false, true), (Some(1), true, false), (None, true, true)],
            false,
            "job org-2 overwrite false",
        ),
        (vec![(Some(2), false, true), (Some(1), true, false)], false, "put org-1"),
        (vec![(Some(2), false, true), (Some(1), true, true)], true, "put org-1"),
        (vec![(Some(2), false, true), (Some(1), false, true)], true, "nothing"),
    ];
    for (targets, job_tried, expected) in table {
        assert_eq!(describe(&plan(&targets), job_tried), expected, "{targets:?}");
    }
}

#[test]
fn a_primary_with_somebody_elses_value_is_not_copied_to_where_nothing_is_yet() {
    let mut plan = plan(&[(Some(2), false, true), (None, true, false), (Some(1), true, true)]);
    assert_eq!(describe(&plan, false), "job org-1 org-2 overwrite true");
    Arc::make_mut(&mut plan.targets[0]).ignored.push("x".into());
    assert_eq!(describe(&plan, false), "job org-2 overwrite true");
    assert_eq!(describe(&plan, true), "put org-1");
}

#[test]
fn a_copy_over_somebodys_edit_shows_in_the_version() {
    assert!(!overwrote(None, 1) && !overwrote(Some(4), 5));
    assert!(overwrote(None, 2) && overwrote(Some(4), 6));
}

/// So many configurations, then as many deployments, each of which refers to one of those.
fn pairs(count: usize) -> Vec<Resource> {
    let resource = |kind, name: String, body: serde_json::Value| Resource {
        object: Object { kind, name: name.into() },
        desired: Desired { body: Arc::new(body.as_object().unwrap().clone()), ..Desired::nothing() },
        before: None,
        secret: None,
    };
    let configuration = |n| resource(ObjectKind::MessengerConfiguration, format!("c{n}"), json!({}));
    let deployment = |n| {
        let refers = json!({"configuration": {"name": format!("c{n}")}});
        resource(ObjectKind::MessengerDeployment, format!("d{n}"), refers)
    };
    (0..count).map(configuration).chain((0..count).map(deployment)).collect()
}

/// What is due at second 5, where of each object, organization by organization, `.` owes nothing, `s` is to be stored,
/// `S` too and was written by this run, `n` is to be made and a listing just told so, `p` is to be published, and a digit is the second at which to look at it again.
fn due_of(states: &str, pairs_count: usize, fresh: Option<usize>) -> String {
    let resources = pairs(pairs_count);
    let mut plan = plan(&vec![(Some(1), false, true); states.len()]);
    let states: Vec<char> = states.chars().collect();
    for (at, state) in states.iter().enumerate() {
        let target = Arc::make_mut(&mut plan.targets[at]);
        target.target.organization = OrganizationId::new(format!("org-{}", at / resources.len()));
        target.target.object = resources[at % resources.len()].object.clone();
        target.next = match state {
            '.' => None,
            's' | 'S' | 'n' => Some(Next::Store),
            'p' => Some(Next::Publish),
            // It is as git says.
            '8' => None,
            _ => Some(Next::Wait),
        };
    }
    let second = |second: u32| Timestamp::from_second(second.into()).unwrap();
    let course = Course {
        needs: &Needs::of(&resources),
        job_tried: false,
        fresh,
        is_unlisted: &|at| states[at] == 'n',
        begun: &|at| !matches!(states[at], '.' | 's' | 'n'),
        look_at: &|at| states[at].to_digit(10).map(second),
        now: second(5),
    };
    let told = |target: &TargetPlan| format!("{} {}", target.target.object.name, target.target.organization);
    match due(&plan, false, &course) {
        None => "nothing".into(),
        Some(Work::Put(target)) => format!("put {}", told(target)),
        Some(Work::Wait(target)) => format!("wait {}", told(target)),
        Some(Work::Job { .. }) => panic!("there are no jobs"),
    }
}

#[test]
fn what_is_not_active_stands_back_and_what_is_nearest_to_be_in_force_goes_first() {
    let table = [
        ("....", None, "nothing"),
        ("ssss", None, "put c0 org-0"),
        ("spss", None, "put c1 org-0"),
        ("Spss", None, "put c0 org-0"),
        // Other objects go before a wait, and a look that is due before other objects.
        ("7sss", None, "put c1 org-0"),
        ("3sss", None, "wait c0 org-0"),
        ("97ss", None, "wait c1 org-0"),
        ("8.s.", None, "wait c0 org-0"),
        ("8.ss", None, "put d1 org-0"),
        // A deployment once what it refers to is in force, and no sooner.
        (".sss", None, "put d0 org-0"),
        (".7.s", None, "wait c1 org-0"),
        ("s.ss", None, "put d1 org-0"),
        (".s7s", None, "put c1 org-0"),
        // What was looked at a moment ago is written before anything else is looked at.
        ("3sss", Some(1), "put c1 org-0"),
        ("3sss", Some(2), "wait c0 org-0"),
        // What a listing was read for is made while that is new.
        (".nss", None, "put c1 org-0"),
        ("3nss", None, "wait c0 org-0"),
        // A replica follows its primary.
        ("7...ssss", None, "wait c0 org-0"),
        ("....s7ss", None, "put c0 org-1"),
    ];
    for (states, fresh, expected) in table {
        assert_eq!(due_of(states, 2, fresh), expected, "{states} {fresh:?}");
    }
}

#[test]
fn no_more_than_64_objects_are_begun_and_not_in_force() {
    let states = |waited_for: usize| {
        let configurations = "7".repeat(waited_for) + &"s".repeat(100 - waited_for);
        configurations + &"s".repeat(100)
    };
    assert_eq!(due_of(&states(63), 100, None), "put c63 org-0");
    assert_eq!(due_of(&states(64), 100, None), "wait c0 org-0");
}
