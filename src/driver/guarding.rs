//! What a run stores for the guards of later runs: the guard settings of its commit, whether anything of the
//! commit was applied, and the command that opens a refusal.

use std::collections::BTreeSet;

use crate::model::{Guard, OrganizationId, Precedents, Refusal, Revision, Said};
use crate::reconcile::{Run, Spec};

/// Returns the guard settings of the commit that are new to the store. If the tenant is in sync, these are
/// all settings of the commit, also if the run wrote nothing. Before that, only the protections of the commit
/// are added to the known ones: a commit that was never applied still protects, but lifts nothing.
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

/// Returns the commit of a run if something of it was applied: the run wrote, or stored the live state as
/// applied from it.
pub(super) fn came_of(run: &Run, touched: bool, has_said: bool) -> Option<Revision> {
    let revision = &run.spec().revision;
    let came = touched || has_said || run.applied_from().contains(revision);
    came.then(|| revision.clone())
}

/// Returns the command that allows the refused changes in the next run; empty if a guard of all tenants
/// refuses.
pub(super) fn opened_by<'a>(refusals: impl Iterator<Item = &'a Refusal>, run: &Run) -> String {
    let guards: BTreeSet<Guard> = refusals.map(|refusal| refusal.guard).collect();
    if guards.iter().any(|guard| matches!(guard, Guard::RunTenants | Guard::Rewind)) {
        return String::new();
    }
    let names: Vec<&str> = guards.iter().map(|guard| guard.name()).collect();
    format!(
        ". To open the guard for the next run, use `genesync allow {} {} --reason TEXT`",
        names.join(","),
        run.spec().tenant.name
    )
}
