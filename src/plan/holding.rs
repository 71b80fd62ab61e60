//! Holds changes that a person has to decide, because the tenant's policy says so.
//!
//! In: the changes of one object and the policy of its tenant. Out: the next step, or the decision that
//! a person has to make first. This module never refuses a plan; guards do that. Start reading at [`hold`].

use std::collections::BTreeSet;

use crate::model::author::{Attribution, Author};
use crate::model::plan::Next;
use crate::model::text::listed;
use crate::model::{
    Change, ChangeKind, Class, Guard, Memory, Mode, OnConflict, OnOff, Target, Tenant, TenantName,
};

/// The kinds of differences that a person has to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Withheld {
    /// Fields that git and another user changed.
    pub conflicts: bool,
    /// Objects that another user made, if the operator keeps no state. With a state, the guard `adopt` checks
    /// them.
    pub unrecorded: bool,
    /// Fields that another user switched off.
    pub off: bool,
}

impl Withheld {
    /// Returns what the policy of a tenant holds, except what the operator allowed. A tenant in watch mode
    /// holds nothing, because genesync does not write it.
    pub fn of(tenant: &Tenant, allowed: &BTreeSet<Guard>, memory: Memory) -> Self {
        let holds = tenant.mode == Mode::Enforce && !allowed.contains(&Guard::Conflict);
        let conflicts = holds && tenant.policy.on_conflict == OnConflict::Hold;
        Self {
            conflicts,
            unrecorded: conflicts && memory == Memory::None,
            off: holds && tenant.policy.on_off == OnOff::Hold,
        }
    }
}

/// Returns the next step of an object, or the decision that a person has to make first.
pub fn hold(
    target: &Target,
    tenant: &TenantName,
    holds: Withheld,
    changes: &[Change],
    unrecorded: Option<&Attribution>,
    next: Option<Next>,
) -> Option<Next> {
    if matches!(next, Some(Next::Decide(_) | Next::Amend(_))) {
        return next;
    }
    let conflicts = fields(changes, |change| change.kind == ChangeKind::Conflict);
    let off = fields(changes, |change| change.theirs == Some(Class::Off));
    let mut reported = Vec::new();
    if let Some(fields) = conflicts.filter(|_| holds.conflicts) {
        reported.push(format!("git and another user changed {fields}"));
    }
    if let (Some(by), true) = (unrecorded, holds.unrecorded) {
        let (verb, who) = (by.deed.verb(), by.actor.label());
        reported.push(format!(
            "{who} {verb} the live object, and genesync has no record of what it applied last"
        ));
    }
    if let Some(fields) = off.filter(|_| holds.off) {
        reported.push(format!("another user switched off {fields}"));
    }
    if reported.is_empty() {
        return next;
    }
    Some(Next::Decide(format!(
        "{target}: {}. Apply git's values with `genesync apply --tenant {tenant} --allow conflict --reason …`, or commit the live values",
        reported.join("; ")
    )))
}

/// Returns the matching fields with their authors; none if no field matches.
fn fields(changes: &[Change], is_one: impl Fn(&Change) -> bool) -> Option<String> {
    let named = |change: &Change| match &change.author {
        Some(Author::Named(by)) => format!("{} ({} {})", change.path, by.preposition(), by.actor.label()),
        Some(Author::Own(_) | Author::Unknown(_)) | None => change.path.clone(),
    };
    let all: Vec<String> = changes.iter().filter(|change| is_one(change)).map(named).collect();
    (!all.is_empty()).then(|| listed(&all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::author::Deed;
    use crate::model::{Actor, ActorKind, CredentialsName, Object, OrganizationId, Region};

    fn change(path: &str, kind: ChangeKind, class: Class) -> Change {
        let actor = Actor { id: "u-1".into(), name: "Mara".into(), kind: ActorKind::User };
        let by = Attribution { actor, deed: Deed::Changed, at: None, remote_ip: None };
        Change {
            path: path.into(),
            kind,
            class,
            theirs: (kind != ChangeKind::ToApply).then_some(class),
            loss: None,
            observed: None,
            desired: None,
            applied: None,
            author: (kind != ChangeKind::ToApply).then_some(Author::Named(by)),
        }
    }

    #[test]
    fn a_person_decides_only_what_the_policy_of_the_tenant_names() {
        let target = Target {
            organization: OrganizationId::new("o"),
            region: Region::EuWest1,
            credentials: CredentialsName::new("c"),
            object: Object::implied(),
        };
        let changes = [
            change("a", ChangeKind::ToApply, Class::Off),
            change("b", ChangeKind::Conflict, Class::Text),
            change("c", ChangeKind::Drift, Class::Off),
            change("d", ChangeKind::Drift, Class::Text),
        ];
        let Some(Author::Named(mara)) = &changes[1].author else { panic!() };
        let both = Withheld { conflicts: true, unrecorded: true, off: true };
        let conflicts = Withheld { off: false, ..both };
        let off = Withheld { conflicts: false, unrecorded: false, ..both };
        let judged = Withheld { unrecorded: false, ..conflicts };
        let command = ". Apply git's values with `genesync apply --tenant acme --allow conflict --reason …`, or commit the live values";
        let moved = "git and another user changed b (by Mara)";
        let unknown = "Mara changed the live object, and genesync has no record of what it applied last";
        let dark = "another user switched off c (by Mara)";
        type Row<'a> = (Withheld, &'a [Change], Option<&'a Attribution>, Vec<&'a str>);
        let rows: [Row<'_>; 8] = [
            (Withheld::default(), &changes, Some(mara), vec![]),
            (conflicts, &changes, None, vec![moved]),
            (conflicts, &changes[2..], None, vec![]),
            (conflicts, &changes[..1], Some(mara), vec![unknown]),
            (judged, &changes[..1], Some(mara), vec![]),
            (off, &changes, Some(mara), vec![dark]),
            (off, &changes[3..], None, vec![]),
            (both, &changes, None, vec![moved, dark]),
        ];
        let tenant = TenantName::new("acme");
        for (holds, changes, unrecorded, reported) in rows {
            let expected = match reported.is_empty() {
                true => Some(Next::Store),
                false => Some(Next::Decide(format!("organization o: {}{command}", reported.join("; ")))),
            };
            let due = hold(&target, &tenant, holds, changes, unrecorded, Some(Next::Store));
            assert_eq!(due, expected, "{holds:?}");
        }
    }
}
