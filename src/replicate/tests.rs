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
        theirs: None,
        loss: None,
        author: None,
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
        unfinished: None,
        unmanaged: Vec::new(),
        another_program: None,
        unrecorded: None,
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
        fresh: &BTreeSet::new(),
        is_unlisted: &|_| false,
        is_stopped: &|_| false,
        is_guarded: &|_| false,
        width: 1,
        begun: &|_| false,
        look_at: &|_| None,
        now: Timestamp::MIN,
    };
    match due(plan, true, &course) {
        None => "nothing".into(),
        Some(Work::Put(targets)) => format!("put {}", targets[0].target.organization),
        Some(Work::Wait(targets)) => format!("wait for {}", targets[0].target.organization),
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
fn a_primary_with_another_users_value_is_not_copied_to_an_empty_organization() {
    let mut plan = plan(&[(Some(2), false, true), (None, true, false), (Some(1), true, true)]);
    assert_eq!(describe(&plan, false), "job org-1 org-2 overwrite true");
    Arc::make_mut(&mut plan.targets[0]).ignored.push("x".into());
    assert_eq!(describe(&plan, false), "job org-2 overwrite true");
    assert_eq!(describe(&plan, true), "put org-1");
}

#[test]
fn the_version_shows_a_copy_over_another_users_edit() {
    assert!(!overwrote(None, 1) && !overwrote(Some(4), 5));
    assert!(overwrote(None, 2) && overwrote(Some(4), 6));
}

/// Returns `count` configurations, then as many deployments, each of which refers to one of them.
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

/// Returns what is due at second 5. `states` has one character per object, organization by organization: `.`
/// needs nothing, `s` is to be stored, `S` is to be stored and was written by this run, `n` is to be created
/// and a recent listing does not contain it, `p` is to be published, `x` is to be stored after a person has
/// decided, and a digit is the second of the next read.
fn due_of(states: &str, pairs_count: usize, fresh: &[usize], width: usize) -> String {
    let resources = pairs(pairs_count);
    let mut plan = plan(&vec![(Some(1), false, true); states.len()]);
    let states: Vec<char> = states.chars().collect();
    for (at, state) in states.iter().enumerate() {
        let target = Arc::make_mut(&mut plan.targets[at]);
        target.target.organization = OrganizationId::new(format!("org-{}", at / resources.len()));
        target.target.object = resources[at % resources.len()].object.clone();
        target.next = match state {
            '.' => None,
            's' | 'S' | 'n' | 'x' => Some(Next::Store),
            'p' => Some(Next::Publish),
            // It matches git.
            '8' => None,
            _ => Some(Next::Wait),
        };
    }
    let second = |second: u32| Timestamp::from_second(second.into()).unwrap();
    let course = Course {
        needs: &Needs::of(&resources),
        job_tried: false,
        fresh: &fresh.iter().copied().collect(),
        is_unlisted: &|at| states[at] == 'n',
        is_stopped: &|at| states[at] == 'x',
        is_guarded: &|_| false,
        width,
        begun: &|at| !matches!(states[at], '.' | 's' | 'n' | 'x'),
        look_at: &|at| states[at].to_digit(10).map(second),
        now: second(5),
    };
    let reported = |targets: Vec<&TargetPlan>| {
        let names: Vec<&str> = targets.iter().map(|target| &*target.target.object.name).collect();
        format!("{} {}", names.join(" "), targets[0].target.organization)
    };
    match due(&plan, false, &course) {
        None => "nothing".into(),
        Some(Work::Put(targets)) => format!("put {}", reported(targets)),
        Some(Work::Wait(targets)) => format!("wait {}", reported(targets)),
        Some(Work::Job { .. }) => panic!("the plan has no jobs"),
    }
}

#[test]
fn inactive_objects_come_last_and_those_nearest_to_being_in_force_first() {
    let table = [
        ("....", None, "nothing"),
        ("ssss", None, "put c0 org-0"),
        ("spss", None, "put c1 org-0"),
        ("Spss", None, "put c0 org-0"),
        // Other objects come before a wait, and a due read comes before other objects.
        ("7sss", None, "put c1 org-0"),
        ("3sss", None, "wait c0 org-0"),
        ("97ss", None, "wait c1 org-0"),
        ("8.s.", None, "wait c0 org-0"),
        ("8.ss", None, "put d1 org-0"),
        // A deployment comes after its references are in force.
        (".sss", None, "put d0 org-0"),
        (".7.s", None, "wait c1 org-0"),
        ("s.ss", None, "put d1 org-0"),
        (".s7s", None, "put c1 org-0"),
        // An object that was just read is written before another one is read.
        ("3sss", Some(1), "put c1 org-0"),
        ("3sss", Some(2), "wait c0 org-0"),
        // An object is created while its listing is recent.
        (".nss", None, "put c1 org-0"),
        ("3nss", None, "wait c0 org-0"),
        // A replica follows its primary.
        ("7...ssss", None, "wait c0 org-0"),
        ("....s7ss", None, "put c0 org-1"),
    ];
    for (states, fresh, expected) in table {
        let fresh: Vec<usize> = fresh.into_iter().collect();
        assert_eq!(due_of(states, 2, &fresh, 1), expected, "{states} {fresh:?}");
    }
}

#[test]
fn a_batch_has_ready_objects_and_no_two_related_ones() {
    let table: [(&str, &[usize], usize, &str); 16] = [
        ("ssssss", &[], 8, "put c0 c1 c2 org-0"),
        ("ssssss", &[], 2, "put c0 c1 org-0"),
        (".s.sss", &[], 8, "put d0 d2 c1 org-0"),
        // Objects that were just read or listed are written; the others are read after that.
        ("ssssss", &[1], 8, "put c1 org-0"),
        ("sspsss", &[1, 2], 8, "put c2 c1 org-0"),
        ("snpsss", &[2], 8, "put c2 c1 org-0"),
        ("snpsss", &[], 8, "put c1 org-0"),
        // Objects that are due for a read are read together, the longest overdue first.
        ("738sss", &[], 8, "wait c1 org-0"),
        ("435sss", &[], 8, "wait c1 c0 c2 org-0"),
        ("435sss", &[], 2, "wait c1 c0 org-0"),
        ("789sss", &[], 8, "wait c0 org-0"),
        // An object that waits for a person blocks only its dependents.
        ("xsssss", &[], 8, "put c1 c2 org-0"),
        ("x..sss", &[], 8, "put d1 d2 org-0"),
        ("xx.sxx", &[], 8, "nothing"),
        // An object that only a blocked object uses is not written.
        ("sssxss", &[], 8, "put c1 c2 org-0"),
        ("s..x..", &[], 8, "nothing"),
    ];
    for (states, fresh, width, expected) in table {
        assert_eq!(due_of(states, 3, fresh, width), expected, "{states} {fresh:?} {width}");
    }
    // An object that waits for a person in one region waits in all.
    assert_eq!(due_of("xs.sssss", 2, &[], 8), "put c1 org-0");
    assert_eq!(due_of("x.s.ssss", 2, &[], 8), "put c1 org-1");
    assert_eq!(due_of("ssssx.s.", 2, &[], 8), "put c1 org-0");
    assert_eq!(due_of("s.s.x.s.", 2, &[], 8), "nothing");
}

#[test]
fn no_more_than_64_objects_are_begun_and_not_in_force() {
    let states = |waited_for: usize| {
        let configurations = "7".repeat(waited_for) + &"s".repeat(100 - waited_for);
        configurations + &"s".repeat(100)
    };
    assert_eq!(due_of(&states(63), 100, &[], 8), "put c63 org-0");
    assert_eq!(due_of(&states(62), 100, &[], 8), "put c62 c63 org-0");
    assert_eq!(due_of(&states(64), 100, &[], 8), "wait c0 org-0");
}
