//! What the guards of later runs go by: what the commit of a run said of them, whether something came of it, and how what
//! refused it is opened.

use std::collections::BTreeSet;

use crate::model::{Guard, Precedents, Refusal, Revision, Said};
use crate::reconcile::{Run, Spec};

/// What its commit says of guards that was not known: it counts as applied now, also where it did nothing but that.
pub(super) fn news_of_guards(run: &Run) -> Precedents {
    let Spec { tenant, resources, limits, precedents, .. } = &**run.spec();
    let said = Said::of_each(tenant, resources, limits);
    said.into_iter().filter(|(organization, said)| precedents.get(organization) != Some(said)).collect()
}

/// The commit of a run of which something came: it wrote, or what is there is kept as applied from it.
pub(super) fn came_of(run: &Run, touched: bool, said: &Precedents) -> Option<Revision> {
    let revision = &run.spec().revision;
    let came = touched || !said.is_empty() || run.applied_from().contains(revision);
    came.then(|| revision.clone())
}

/// The command that opens what refuses a run for the next one; nothing where a guard of all tenants does.
pub(super) fn opened_by(refusals: &[Refusal], run: &Run) -> String {
    let guards: BTreeSet<Guard> = refusals.iter().map(|refusal| refusal.guard).collect();
    if guards.iter().any(|guard| matches!(guard, Guard::RunTenants | Guard::Rewind)) {
        return String::new();
    }
    let names: Vec<&str> = guards.iter().map(|guard| guard.name()).collect();
    format!("; open it by `genesync allow {} {} --reason TEXT`", names.join(","), run.spec().tenant.name)
}
