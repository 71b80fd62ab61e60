//! Tests of all guards together: each refuses until it is opened, and no commit removes the guard that it
//! needs.

use super::*;
use crate::model::plan::Limits;
use crate::model::{Guard, Precedents, Protect, Said, Window};
use crate::plan::guards::{Judged, check_tenant};

#[test]
fn guards_refuse_until_they_are_opened() {
    let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let wanted = desired(json!({"greetings": {"enabled": false, "delayMs": 1}}));
    let observed = [live(3, json!({"greetings": {"enabled": true, "delayMs": 2}}), None), Observed::Absent];
    let bases = BTreeMap::from([(object_of("org-1"), base(2, json!({})))]);
    let window = Window { days: vec![6], start_min: 0, end_min: 1439, time_zone: "Mars/Phobos".into() };
    let tenant = Tenant { protected: Protect::USUAL.into(), windows: vec![window], ..tenant(1) };
    let plan = plan(&tenant, &Revision::new("r1"), &wanted, &observed, &BTreeMap::new());
    let limits = Limits { tenant_changes_max: 1, ..Limits::default() };
    let guards = |limits: &Limits| {
        let resources = [Resource::implied(wanted.clone())];
        let precedents = Precedents::new();
        let judged = Judged {
            plan: &plan,
            tenant: &tenant,
            resources: &resources,
            precedents: &precedents,
            bases: &bases,
            limits,
        };
        check_tenant(judged, |_| None, now).into_iter().map(|refusal| refusal.guard).collect::<Vec<_>>()
    };
    assert_eq!(guards(&limits), [Guard::Protected, Guard::TenantChanges, Guard::Recreate, Guard::Window]);
    for guard in guards(&limits) {
        let allowed = Limits { allowed: BTreeSet::from([guard]), ..limits.clone() };
        assert!(!guards(&allowed).contains(&guard), "{guard:?}");
        assert_eq!(guards(&allowed).len(), 3);
    }
}

#[test]
fn another_object_with_a_known_name_is_refused_even_if_nothing_differs() {
    let wanted = desired(json!({"greetings": {"delayMs": 1}}));
    let observed = [live(3, json!({"greetings": {"delayMs": 1}}), None)];
    let plan = plan(&tenant(0), &Revision::new("r1"), &wanted, &observed, &BTreeMap::new());
    assert!(plan.is_empty());
    let resources = [Resource::implied(wanted)];
    let refused = |known: Option<&str>, seen: Option<&'static str>, limits: &Limits| {
        let known = Base { id: known.map(Into::into), ..base(3, json!({})) };
        let bases = BTreeMap::from([(object_of("org-0"), known)]);
        let id_of = |_: &Target| seen.map(Arc::from);
        let now = Timestamp::UNIX_EPOCH;
        let (tenant, precedents) = (tenant(0), Precedents::new());
        let judged = Judged {
            plan: &plan,
            tenant: &tenant,
            resources: &resources,
            precedents: &precedents,
            bases: &bases,
            limits,
        };
        let refusals = check_tenant(judged, id_of, now);
        refusals.into_iter().map(|refusal| refusal.guard).collect::<Vec<_>>()
    };
    let limits = Limits::default();
    for (known, seen) in [(None, None), (None, Some("a")), (Some("a"), Some("a")), (Some("a"), None)] {
        assert_eq!(refused(known, seen, &limits), [], "{known:?} {seen:?}");
    }
    assert_eq!(refused(Some("a"), Some("b"), &limits), [Guard::Recreate]);
    let allowed = Limits { allowed: BTreeSet::from([Guard::Recreate]), ..limits };
    assert_eq!(refused(Some("a"), Some("b"), &allowed), []);
}

/// A fleet of two organizations, as it is live and as the state knows it.
#[derive(Debug, Clone)]
struct Fleet {
    live: [Value; 2],
    applied: Precedents,
}

/// One tenant in a commit: its organization, whether it is protected, and whether greetings are on.
#[derive(Debug, Clone, Copy)]
struct Says {
    organization: usize,
    protected: bool,
    greets: bool,
}

impl Fleet {
    /// Applies a tenant of a commit. Returns whether that switched off the greeting of a protected
    /// organization.
    fn apply(&mut self, says: Says, allowed: &[Guard]) -> bool {
        let id = format!("org-{}", says.organization);
        let organization = OrganizationId::new(id.as_str());
        let mut tenant = tenant(0);
        tenant.primary.organization = organization.clone();
        tenant.protected = if says.protected { Protect::USUAL.into() } else { BTreeSet::new() };
        let wanted = desired(json!({"greetings": {"enabled": says.greets}}));
        let observed = [live(3, self.live[says.organization].clone(), None)];
        let plan = plan(&tenant, &Revision::new("r"), &wanted, &observed, &BTreeMap::new());
        let limits = Limits { allowed: allowed.iter().copied().collect(), ..Limits::default() };
        let resources = [Resource::implied(wanted)];
        let bases = BTreeMap::new();
        let judged = Judged {
            plan: &plan,
            tenant: &tenant,
            resources: &resources,
            precedents: &self.applied,
            bases: &bases,
            limits: &limits,
        };
        if !check_tenant(judged, |_| None, Timestamp::UNIX_EPOCH).is_empty() {
            return false;
        }
        let was_protected = self.applied.get(&organization).is_some_and(|said| !said.protected.is_empty());
        let was_on = self.live[says.organization]["greetings"]["enabled"] == true;
        self.live[says.organization] = json!({"greetings": {"enabled": says.greets}});
        self.applied.extend(Said::of_each(&tenant, &resources, &limits));
        (was_protected || says.protected) && was_on && !says.greets
    }
}

#[test]
fn no_sequence_of_commits_takes_a_protected_greeting_away_without_an_opening() {
    let mut opened = 0;
    for seed in 0..20_000_u64 {
        let mut state = seed << 24;
        let mut dice = |limit: u64| {
            state = state.wrapping_add(1);
            crate::model::mix(state) % limit
        };
        let on = || json!({"greetings": {"enabled": true}});
        let mut fleet = Fleet { live: [on(), on()], applied: Precedents::new() };
        // Two tenants; the first one is protected and applied at the start.
        let mut says =
            [0, 1].map(|organization| Says { organization, protected: organization == 0, greets: true });
        for one in says {
            assert!(!fleet.apply(one, &[]));
        }
        for _ in 0..8 {
            // A commit changes the protection, switches greetings, or swaps the two; it may do several of
            // these.
            for _ in 0..=dice(3) {
                let at = usize::try_from(dice(2)).unwrap();
                match dice(4) {
                    0 => says[at].protected = !says[at].protected,
                    1 => says[at].greets = !says[at].greets,
                    2 => {
                        let [one, other] = says.map(|says| says.organization);
                        (says[0].organization, says[1].organization) = (other, one);
                    }
                    // The folder is renamed: only its name changes.
                    _ => says.swap(0, 1),
                }
            }
            let allowed: &[Guard] = if dice(5) == 0 { &[Guard::Protected] } else { &[Guard::Window] };
            // One tenant may be applied now, and the other one with a later commit.
            for one in says.into_iter().filter(|_| dice(4) > 0) {
                let went_dark = fleet.apply(one, allowed);
                opened += usize::from(went_dark);
                assert!(!went_dark || allowed.contains(&Guard::Protected), "seed {seed}: {one:?}");
            }
        }
    }
    assert!(opened > 1_000, "{opened}");
}

#[test]
fn protected_refuses_by_the_last_applied_commit_and_by_this_one() {
    let (organization, object) = (OrganizationId::new("org-0"), Object::implied());
    let observed =
        [live(3, json!({"greetings": {"enabled": true}, "features": {"audiences": ["a", "b"]}}), None)];
    let said = |protected: &[Protect], objects: &[Object]| Said {
        protected: protected.iter().copied().collect(),
        objects: objects.iter().cloned().collect(),
        ..Said::of(&tenant(0), &[], &Limits::default())
    };
    let refused = |now: &[Protect], before: Option<Said>, git: Value| {
        let tenant = Tenant { protected: now.iter().copied().collect(), ..tenant(0) };
        let wanted = desired(git);
        let plan = plan(&tenant, &Revision::new("r"), &wanted, &observed, &BTreeMap::new());
        let precedents = before.map(|said| (organization.clone(), said)).into_iter().collect();
        let resources = [Resource::implied(wanted)];
        let (bases, limits) = (BTreeMap::new(), Limits::default());
        let judged = Judged {
            plan: &plan,
            tenant: &tenant,
            resources: &resources,
            precedents: &precedents,
            bases: &bases,
            limits: &limits,
        };
        check_tenant(judged, |_| None, Timestamp::UNIX_EPOCH)
            .into_iter()
            .map(|refusal| refusal.message)
            .next()
    };
    let off = || json!({"greetings": {"enabled": false}});
    let fewer = || json!({"features": {"audiences": ["a"]}});
    let (usual, all) = (&Protect::USUAL[..], &Protect::ALL[..]);
    let other = other_object();
    let dark = "acme is protected, and the plan switches off greetings.enabled";
    let narrow = "acme is protected, and the plan reaches fewer visitors with features.audiences";
    let gone = "acme is protected, and git no longer names MessengerDeployment `site`";
    let rows = [
        (&[][..], None, off(), None),
        (usual, None, off(), Some(dark)),
        (&[], Some(said(usual, std::slice::from_ref(&object))), off(), Some(dark)),
        (usual, Some(said(&[], std::slice::from_ref(&object))), off(), Some(dark)),
        // Only the setting `reach` protects the audience.
        (usual, None, fewer(), None),
        (all, None, fewer(), Some(narrow)),
        (&[], Some(said(all, std::slice::from_ref(&object))), fewer(), Some(narrow)),
        (&[], Some(said(usual, std::slice::from_ref(&other))), fewer(), Some(gone)),
        (&[], Some(said(&[Protect::Reach], &[other])), json!({}), None),
    ];
    for (now, before, git, expected) in rows {
        assert_eq!(
            refused(now, before.clone(), git.clone()).as_deref(),
            expected,
            "{now:?} {before:?} {git}"
        );
    }
    let few = Said { tenant_changes_max: 0, ..said(&[], &[]) };
    let message = refused(&[], Some(few), fewer()).unwrap();
    assert_eq!(message, "the plan changes 1 field of the configuration, and the limit is 0");
}

fn other_object() -> Object {
    Object { kind: ObjectKind::MessengerDeployment, name: "site".into() }
}

#[test]
fn nothing_is_removed_from_a_tenant_in_watch_mode() {
    let organization = OrganizationId::new("org-0");
    let observed = [live(3, json!({"greetings": {"enabled": true}}), None)];
    let before = Said {
        protected: Protect::USUAL.into(),
        objects: BTreeSet::from([other_object()]),
        ..Said::of(&tenant(0), &[], &Limits::default())
    };
    let watched = Tenant { mode: Mode::Watch, protected: Protect::USUAL.into(), ..tenant(0) };
    let nothing = plan(&watched, &Revision::new("r"), &desired(json!({})), &observed, &BTreeMap::new());
    let precedents = Precedents::from([(organization.clone(), before)]);
    let (bases, limits) = (BTreeMap::new(), Limits::default());
    for mode in [Mode::Watch, Mode::Enforce] {
        let tenant = Tenant { mode, ..watched.clone() };
        let judged = Judged {
            plan: &nothing,
            tenant: &tenant,
            resources: &[],
            precedents: &precedents,
            bases: &bases,
            limits: &limits,
        };
        let is_refused = !check_tenant(judged, |_| None, Timestamp::UNIX_EPOCH).is_empty();
        assert_eq!(is_refused, mode == Mode::Enforce, "{mode:?}");
    }
}
