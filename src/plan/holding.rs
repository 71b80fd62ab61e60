//! Differences that are left to a person, because their tenant says so.
//!
//! In: what differs of one object, and what the tenant holds. Out: the step that is due, or what somebody has to decide
//! first. Never: refuses a plan; that is what guards do. Start reading at [`hold`].

use std::collections::BTreeSet;

use crate::model::author::{Attribution, Author};
use crate::model::plan::Next;
use crate::model::text::listed;
use crate::model::{
    Change, ChangeKind, Class, Guard, Memory, Mode, OnConflict, OnOff, Target, Tenant, TenantName,
};

/// Which differences of a tenant are left to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Withheld {
    /// Fields that git and somebody else moved.
    pub conflicts: bool,
    /// What somebody else made, where the operator keeps no state that knows what was applied before: with one, the guard
    /// `adopt` judges that.
    pub unrecorded: bool,
    /// What somebody else switched off.
    pub off: bool,
}

impl Withheld {
    /// What a tenant holds, but for what the operator opened. Nothing is held of one that is only watched: nothing
    /// would be written.
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

/// What is due of an object, or what a person has to decide first.
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
    let mut told = Vec::new();
    if let Some(fields) = conflicts.filter(|_| holds.conflicts) {
        told.push(format!("git and somebody else moved {fields}"));
    }
    if let (Some(by), true) = (unrecorded, holds.unrecorded) {
        let (verb, who) = (by.deed.verb(), by.actor.label());
        told.push(format!("{who} {verb} what is live, and nothing is known of what was applied before"));
    }
    if let Some(fields) = off.filter(|_| holds.off) {
        told.push(format!("somebody else switched off {fields}"));
    }
    if told.is_empty() {
        return next;
    }
    Some(Next::Decide(format!(
        "{target}: {}; take git's side with `genesync apply --tenant {tenant} --allow conflict --reason …`, or commit what is live",
        told.join("; ")
    )))
}

/// Some fields with whoever moved them; none where there are none.
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
    fn only_what_the_tenant_says_is_left_to_a_person() {
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
        let command = "; take git's side with `genesync apply --tenant acme --allow conflict --reason …`, or commit what is live";
        let moved = "git and somebody else moved b (by Mara)";
        let unknown = "Mara changed what is live, and nothing is known of what was applied before";
        let dark = "somebody else switched off c (by Mara)";
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
        for (holds, changes, unrecorded, told) in rows {
            let expected = match told.is_empty() {
                true => Some(Next::Store),
                false => Some(Next::Decide(format!("organization o: {}{command}", told.join("; ")))),
            };
            let due = hold(&target, &tenant, holds, changes, unrecorded, Some(Next::Store));
            assert_eq!(due, expected, "{holds:?}");
        }
    }
}
