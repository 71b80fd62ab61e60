//! Limits that a plan may not cross unless the operator opens one for one run.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::plan::{Limits, TargetPlan};
use crate::model::{
    Base, Class, Guard, Object, ObjectKind, ObjectRef, Plan, Refusal, Resource, Target, Tenant, Window, json,
};

/// Shares are judged from this many on; of three fields one is a third and means nothing.
const SHARE_FLOOR: usize = 10;

/// Why one tenant's plan may not be applied now. Empty means that it may. `id_of` tells the platform's id of what was
/// seen; where it is not the one that we knew, not even a plan without changes is in order: ours is somewhere else.
pub fn check(
    plan: &Plan,
    tenant: &Tenant,
    resources: &[Resource],
    bases: &BTreeMap<ObjectRef, Base>,
    id_of: impl Fn(&Target) -> Option<Arc<str>>,
    limits: &Limits,
    now: Timestamp,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let refuse = |refusals: &mut Vec<Refusal>, guard: Guard, message: String| {
        if !limits.allowed.contains(&guard) {
            refusals.push(Refusal { guard, message });
        }
    };
    for TargetPlan { target, .. } in &plan.targets {
        let known = bases.get(&target.object_ref()).and_then(|base| base.id.as_ref());
        if let (Some(known), Some(id)) = (known, id_of(target))
            && *known != id
        {
            refuse(
                &mut refusals,
                Guard::Recreate,
                format!(
                    "{target} was {known}, and {id} goes by its name now: somebody deleted or renamed ours and made or copied another; give ours its name back, or take the other from here on"
                ),
            );
        }
    }
    if plan.is_empty() {
        return refusals;
    }
    let managed_of = |object: &Object| {
        let mut managed = 0;
        for desired in resources.iter().filter(|known| known.object == *object).map(|known| &known.desired) {
            json::leaves(&desired.body, &mut |path, _| managed += usize::from(!desired.ignores(path)));
        }
        managed
    };
    for target in plan.targets.iter().filter(|target| target.version.is_some()) {
        let changed = target.changes.len();
        let (object, managed) = (&target.target, managed_of(&target.target.object));
        if changed > limits.tenant_changes_max {
            refuse(
                &mut refusals,
                Guard::TenantChanges,
                format!(
                    "{changed} fields of {object} would change, the limit is {}",
                    limits.tenant_changes_max
                ),
            );
        } else if managed >= SHARE_FLOOR
            && changed * 100 > managed * usize::from(limits.tenant_changes_max_percent)
        {
            refuse(
                &mut refusals,
                Guard::TenantChanges,
                format!(
                    "{changed} of {managed} managed fields of {object} would change, the limit is {} %",
                    limits.tenant_changes_max_percent
                ),
            );
        }
    }
    let off: Vec<&str> = plan
        .changes()
        .filter(|change| change.class == Class::Off)
        .map(|change| change.path.as_str())
        .collect();
    if tenant.protected && !off.is_empty() {
        refuse(
            &mut refusals,
            Guard::Protected,
            format!("the tenant is protected, and this would switch off: {}", off.join(", ")),
        );
    }
    for target in plan.targets.iter().filter(|target| target.version.is_none()) {
        if let Some(base) = bases.get(&target.target.object_ref()) {
            refuse(
                &mut refusals,
                Guard::Recreate,
                format!(
                    "{} was ours{}, and somebody deleted or renamed it: {}--allow recreate --reason … makes a new one{}",
                    target.target,
                    match target.target.object.kind.counts_versions() {
                        true => format!(" at version {}", base.version),
                        false => String::new(),
                    },
                    match target.target.object.is_web_messaging() {
                        true => "",
                        false => "give it its name back, or change its name in git; ",
                    },
                    match target.target.object.kind {
                        ObjectKind::MessengerDeployment => ", whose snippet is another one",
                        _ => "",
                    }
                ),
            );
        }
    }
    if !is_open(&tenant.windows, now) {
        refuse(
            &mut refusals,
            Guard::Window,
            "it is outside the hours in which this tenant may be written".into(),
        );
    }
    refusals
}

/// Why one run over many tenants may not be applied: how many of `total` would change, counting tenants
/// that already have a configuration; creating what is missing takes nothing from anybody.
pub fn check_run(changing: usize, total: usize, limits: &Limits) -> Option<Refusal> {
    if limits.allowed.contains(&Guard::RunTenants) {
        return None;
    }
    let message = if changing > limits.run_tenants_max {
        format!("{changing} tenants would change in one run, the limit is {}", limits.run_tenants_max)
    } else if total >= SHARE_FLOOR && changing * 100 > total * usize::from(limits.run_tenants_max_percent) {
        format!(
            "{changing} of {total} tenants would change in one run, the limit is {} %",
            limits.run_tenants_max_percent
        )
    } else {
        return None;
    };
    Some(Refusal { guard: Guard::RunTenants, message })
}

/// Whether writes are allowed at a moment: inside any window, or always where there is none.
pub fn is_open(windows: &[Window], now: Timestamp) -> bool {
    windows.is_empty() || windows.iter().any(|window| holds(window, now))
}

fn holds(window: &Window, now: Timestamp) -> bool {
    // A zone that this machine does not know keeps its window shut: better late than at the wrong hour.
    let Ok(zone) = TimeZone::get(&window.time_zone) else { return false };
    let local = now.to_zoned(zone);
    let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
    let day = local.weekday().to_monday_one_offset();
    let yesterday = if day == 1 { 7 } else { day - 1 };
    if window.start_min < window.end_min {
        return window.days.contains(&day) && (window.start_min..window.end_min).contains(&minute);
    }
    (window.days.contains(&day) && minute >= window.start_min)
        || (window.days.contains(&yesterday) && minute < window.end_min)
}
