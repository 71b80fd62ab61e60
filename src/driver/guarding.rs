//! What the guards of later runs go by: what the commit of a run said of them, whether something came of it, and how what
//! refused it is opened.

use std::collections::BTreeSet;

use crate::model::{Guard, OrganizationId, Precedents, Refusal, Revision, Said};
use crate::reconcile::{Run, Spec};

/// What is kept of what its commit says of guards, where that is news: all of it once its tenant is found as git says, so
/// that it counts as applied, also where it did nothing but that. Before that, what it protects is added to what is
/// known: a commit that was never applied protects all the same, and lifts nothing.
pub(super) fn news_of_guards(run: &Run, in_sync: bool) -> Precedents {
    let Spec { tenant, resources, limits, precedents, .. } = &**run.spec();
    let news = |(organization, said): (OrganizationId, Said)| {
        let known = precedents.said.get(&organization);
        let said = said.kept_after(known, in_sync, tenant.mode);
        let is_news = known != Some(&said) || precedents.unkept.contains(&organization);
        is_news.then_some((organization, said))
    };
    Said::of_each(tenant, resources, limits).into_iter().filter_map(news).collect()
}

/// The commit of a run of which something came: it wrote, or what is there is kept as applied from it.
pub(super) fn came_of(run: &Run, touched: bool, has_said: bool) -> Option<Revision> {
    let revision = &run.spec().revision;
    let came = touched || has_said || run.applied_from().contains(revision);
    came.then(|| revision.clone())
}

/// The command that opens what refuses a run for the next one; nothing where a guard of all tenants does.
pub(super) fn opened_by<'a>(refusals: impl Iterator<Item = &'a Refusal>, run: &Run) -> String {
    let guards: BTreeSet<Guard> = refusals.map(|refusal| refusal.guard).collect();
    if guards.iter().any(|guard| matches!(guard, Guard::RunTenants | Guard::Rewind)) {
        return String::new();
    }
    let names: Vec<&str> = guards.iter().map(|guard| guard.name()).collect();
    format!("; open it by `genesync allow {} {} --reason TEXT`", names.join(","), run.spec().tenant.name)
}
