//! One example per guard: facts that its check refuses, so that the documentation shows the printed messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::model::author::{Attribution, Author, Deed};
use crate::model::plan::{Limits, Next, TargetPlan};
use crate::model::precedent::RunLimits;
use crate::model::{
    Actor, ActorKind, Base, Change, ChangeKind, Class, CredentialsName, Desired, Dialect, Mode, Object,
    ObjectKind, ObjectRef, OrganizationId, Plan, Precedents, Protect, Refusal, Region, Resource, Revision,
    Target, Tenant, TenantName, Window,
};
use crate::plan::holding::{self, Withheld};

/// 2026-11-27T12:00:00Z, a Friday.
const NOW: Timestamp = Timestamp::constant(1_795_780_800, 0);
const APPLIED: &str = "8b77d0142ac31d9f6f3c2b1f4f0c9a5d7e6b8c21";
const REWOUND: &str = "4f1c2a9be07d5a3368c14f2d9be0c7715a92d3f8";

/// A file that lost most of its lines, and a deployment with a change in nearly every field.
pub(super) fn tenant_changes() -> Vec<Refusal> {
    let many = (0..214).map(|field| change(&format!("field{field}"), Class::Text)).collect();
    let most = (0..9).map(|field| change(&format!("field{field}"), Class::Text)).collect();
    let body: Map<String, Value> = (0..12).map(|field| (format!("field{field}"), field.into())).collect();
    let desired = Desired { body: Arc::new(body), exclusive: false, ignored: BTreeSet::new() };
    let resources = [Resource { object: deployment(), ..Resource::implied(desired) }];
    let plan = plan(vec![observed(messenger(), Some(3), many), observed(deployment(), Some(7), most)]);
    let limits = Limits { tenant_changes_max_percent: 50, ..Limits::default() };
    super::tenant_changes::check(&plan, &resources, &Precedents::new(), &limits)
}

/// A shared layer that reaches most tenants.
pub(super) fn run_tenants() -> Vec<Refusal> {
    let limits = RunLimits::of(&Limits::default());
    let of = |tenants, weighty, total| {
        let changing = super::run_tenants::Changing { tenants, weighty };
        super::run_tenants::check(changing, total, limits, &BTreeSet::new())
    };
    [of(61, 2, 80), of(4, 3, 5)].into_iter().flatten().collect()
}

/// A commit that switches greetings off everywhere, and a tenant that follows another one.
pub(super) fn run_off() -> Vec<Refusal> {
    let off = ["acme", "harbour", "souk", "vela"].map(TenantName::new);
    let refusal = super::run_off::refusal(&off[1], &off[0]);
    super::run_off::check(&off, &BTreeSet::new()).into_iter().chain([refusal]).collect()
}

/// Greetings that a commit switches off.
pub(super) fn protected() -> Vec<Refusal> {
    let off = Change { loss: Some(Protect::Off), ..change("greetings.enabled", Class::Off) };
    let site = Change { loss: Some(Protect::Domains), ..change("allowedDomains", Class::Reach) };
    let plan = plan(vec![observed(Object::implied(), Some(3), vec![off, site])]);
    let tenant = Tenant { protected: Protect::USUAL.into(), ..tenant() };
    super::protected::check(&plan, &tenant, &[], &Precedents::new(), &Limits::default())
}

/// A configuration and a deployment that were deleted, and an integration that was replaced by another.
pub(super) fn recreate() -> Vec<Refusal> {
    let integration = object(ObjectKind::OpenMessagingIntegration, "Acme inbox");
    let objects = [Object::implied(), messenger(), deployment()];
    let mut targets: Vec<TargetPlan> =
        objects.iter().map(|object| observed(object.clone(), None, Vec::new())).collect();
    targets.push(observed(integration.clone(), Some(7), Vec::new()));
    let plan = plan(targets);
    let base = |object: &Object| {
        let id = (*object == integration).then(|| "0b5e7c4e".into());
        let base = Base {
            version: 3,
            body: Arc::default(),
            revision: Revision::new(APPLIED),
            id,
            onto: 0,
            drafted_at: 0,
            ignored: Default::default(),
        };
        (target(object.clone()).object_ref(), base)
    };
    let bases: BTreeMap<ObjectRef, Base> = objects.iter().chain([&integration]).map(base).collect();
    let limits = Limits::default();
    let id_of = |target: &Target| (target.object == integration).then(|| "c2d9a1f0".into());
    let mut refusals = super::recreate::gone(&plan, &bases, &limits);
    refusals.extend(super::recreate::replaced(&plan, &bases, id_of, &limits));
    refusals
}

/// A tenant that is written on Tuesdays.
fn on_tuesdays(time_zone: &str) -> Tenant {
    let tuesday = Window { days: vec![2], start_min: 9 * 60, end_min: 16 * 60, time_zone: time_zone.into() };
    Tenant { windows: vec![tuesday], ..tenant() }
}

/// A Friday, in a time zone that this machine does not know.
pub(super) fn window() -> Vec<Refusal> {
    super::window::check(&on_tuesdays("Mars/Phobos"), &Precedents::new(), &Limits::default(), NOW)
        .into_iter()
        .collect()
}

/// A Friday, in a time zone that this machine knows.
pub(super) fn window_waits() -> Vec<String> {
    let opening =
        super::window::opens(&on_tuesdays("Europe/Berlin"), &Precedents::new(), &Limits::default(), NOW);
    let line = |opening| format!("acme: {}", super::window::waits_for(&opening));
    opening.map(line).into_iter().collect()
}

/// A tenant that Mara paused, as `status` and `apply` show it.
pub(super) fn pause() -> Vec<String> {
    vec!["acme: paused by mara until 2026-12-24T08:00:00Z: release freeze".into()]
}

/// A colour that a commit and Mara changed, at a tenant with `sync: {onConflict: hold}`.
pub(super) fn conflict() -> Vec<String> {
    let actor = Actor { id: "u-1".into(), name: "Mara Ionescu".into(), kind: ActorKind::User };
    let by = Attribution { actor, deed: Deed::Changed, at: None, remote_ip: None };
    let changed = change("widget.theme.colors.primary", Class::Cosmetic);
    let changed = Change { kind: ChangeKind::Conflict, author: Some(Author::Named(by)), ..changed };
    let holds = Withheld { conflicts: true, unrecorded: false, off: true };
    let (target, tenant) = (target(Object::implied()), tenant().name);
    match holding::hold(&target, &tenant, holds, &[changed], None, None) {
        Some(Next::Decide(reason)) => vec![format!("held: {reason}")],
        _ => Vec::new(),
    }
}

/// A configuration that another user created before git named it.
pub(super) fn adopt() -> Vec<Refusal> {
    let fields = ["messengerApp.styles.primaryColor", "name"].map(|path| change(path, Class::Cosmetic));
    let live = observed(messenger(), Some(7), fields.into());
    super::adopt::check(&TargetPlan { next: Some(Next::Store), ..live }, || false).into_iter().collect()
}

/// A configuration that another repository manages as well.
pub(super) fn owner() -> Vec<Refusal> {
    let live = observed(messenger(), Some(7), vec![change("name", Class::Text)]);
    let marked = [("description".to_owned(), "Our shop [genesync 93be1a7c0d42f586]".into())];
    let live = TargetPlan { observed: Arc::new(Map::from_iter(marked)), ..live };
    super::owner::check(&live, Some("4f1d0c8a92be7365")).into_iter().collect()
}

/// A branch that was reset to another commit.
pub(super) fn rewind() -> Vec<Refusal> {
    let (rewound, applied) = (Revision::new(REWOUND), Revision::new(APPLIED));
    super::rewind::check(&rewound, &applied, false, &BTreeSet::new()).into_iter().collect()
}

fn object(kind: ObjectKind, name: &str) -> Object {
    Object { kind, name: name.into() }
}

fn messenger() -> Object {
    object(ObjectKind::MessengerConfiguration, "Acme web")
}

fn deployment() -> Object {
    object(ObjectKind::MessengerDeployment, "Acme shop")
}

fn target(object: Object) -> Target {
    Target {
        organization: OrganizationId::new("7b0e4a52-93d1-4f0c-8a7e-2f6b1c9d5e30"),
        region: Region::EuCentral1,
        credentials: CredentialsName::new("acme"),
        object,
    }
}

pub(super) fn tenant() -> Tenant {
    Tenant {
        name: TenantName::new("acme"),
        dialect: Dialect::Webchat,
        primary: target(Object::implied()),
        replicas: Vec::new(),
        mode: Mode::Enforce,
        wave: 0,
        windows: Vec::new(),
        ignore: Vec::new(),
        protected: Default::default(),
        policy: Default::default(),
        owners: Vec::new(),
    }
}

fn change(path: &str, class: Class) -> Change {
    Change {
        path: path.into(),
        kind: ChangeKind::ToApply,
        class,
        observed: None,
        desired: None,
        applied: None,
        theirs: None,
        loss: None,
        author: None,
    }
}

fn observed(object: Object, version: Option<u64>, changes: Vec<Change>) -> TargetPlan {
    TargetPlan {
        target: target(object),
        version,
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
        ours_to_overwrite: false,
    }
}

fn plan(targets: Vec<TargetPlan>) -> Plan {
    Plan {
        tenant: TenantName::new("acme"),
        revision: Revision::new(APPLIED),
        mode: Mode::Enforce,
        targets: targets.into_iter().map(Arc::new).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ALL;
    use super::*;
    use crate::model::Guard;

    #[test]
    fn every_guard_has_one_line_and_refuses_its_own_scene() {
        let guards: Vec<Guard> = ALL.iter().map(|info| info.guard).collect();
        assert_eq!(guards, Guard::ALL);
        for info in ALL {
            let refused: BTreeSet<Guard> = (info.scene)().iter().map(|refusal| refusal.guard).collect();
            assert!(refused.iter().all(|guard| *guard == info.guard), "{}", info.guard.name());
            assert!(!info.printed().is_empty(), "{}", info.guard.name());
            assert!(info.waiting.is_none_or(|scene| !scene().is_empty()), "{}", info.guard.name());
        }
    }
}
