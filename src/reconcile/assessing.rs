//! Planning, what is known without being read anew, and asking the audit log who moved what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::event::{AuditQuery, Entries};
use super::{Effect, End, NO_NAMES, Note, Phase, Run, Spec, Step};
use crate::model::author::{Attribution, Log};
use crate::model::plan::TargetPlan;
use crate::model::timing::{earlier, elapsed_ms, later};
use crate::model::unmanaged::{Noticed, noticed_of};
use crate::model::{
    ActorKind, ChangeKind, Counting, Fault, FaultKind, ObjectRef, Observed, Plan, Sighting, Stored, Target,
};
use crate::plan;
use crate::plan::guards::window::Opening;

/// How far back the audit log is asked who moved what: a day less than the platform's real-time view keeps, so that
/// no question reaches beyond it.
const ATTRIBUTION_DAYS: u64 = 13;

/// How long it is asked who changed what git does not name: an entry may show later than its change.
const NEWS_MS: u64 = 30 * 60_000;

/// From when on the audit log is asked who moved what.
fn reached_from(now: Timestamp) -> Timestamp {
    earlier(now, ATTRIBUTION_DAYS * 24 * 3_600_000)
}

impl Run {
    /// Plans; first asks the audit log where somebody else moved what git manages.
    pub(super) fn assess(mut self, now: Timestamp) -> Step {
        let mut plan = self.make_plan();
        if self.spec.is_exact && !plan.is_empty() {
            let inferred = self.inferred();
            if !inferred.is_empty() {
                return self.read_alone(inferred);
            }
        }
        // Whose an unfinished draft is matters to whoever reads a plan; a run at rest asks for no names.
        let is_read = self.spec.is_exact && plan.targets.iter().any(|target| target.unfinished.is_some());
        let is_news = plan.targets.iter().any(|target| self.is_told_of(target, now));
        if !self.attributed && (!plan.is_empty() || is_read || is_news) {
            let touched = self.touched_by_others(&plan, now);
            if !touched.is_empty() {
                let query = AuditQuery {
                    ids: self.ids_of(&touched),
                    unnamed: self.unnamed(),
                    targets: touched,
                    from: reached_from(now),
                    to: later(now, self.spec.timing.skew_ms.into()),
                };
                return self.go(Phase::Attributing, Effect::ReadAudit(query));
            }
        }
        let mut notes = self.foreign_edits(&plan);
        if !self.fresh.is_empty() {
            // A second look, right before the write: what it shows as the first one did was told.
            let told = self.plan.as_deref().map(|plan| self.foreign_edits(plan)).unwrap_or_default();
            notes.retain(|note| !told.contains(note));
        }
        let first = self.first_plan.is_none();
        self.hold_to_review(&mut plan);
        debug_assert_eq!(plan, self.whole_plan(), "planned anew is what planning everything makes");
        let plan = Arc::new(plan);
        self.judge(&plan, now);
        self.opens = self.window_opens(now);
        if first {
            self.first_plan = Some(Arc::clone(&plan));
            let versions =
                plan.targets.iter().map(|target| (target.target.object_ref(), target.version.unwrap_or(0)));
            self.started_from = versions.collect();
            self.started_at = self.last_changes();
        }
        self.plan = Some(plan);
        self.stale = Some(BTreeSet::new());
        self.planned_at = Some(now);
        self.phase = Phase::Planned;
        if first {
            // Until somebody says go, what was looked at grows old.
            self.fresh.clear();
            return Step::stop(self).noting_all(notes);
        }
        self.proceed(now).noting_all(notes)
    }

    /// When the window opens that a write has to wait for.
    pub(super) fn window_opens(&self, now: Timestamp) -> Option<Opening> {
        let Spec { tenant, precedents, limits, .. } = &*self.spec;
        plan::guards::window::opens(tenant, &precedents.said, limits, now)
    }

    /// How a configuration was seen when it was in force: where it did not move since, that is how it is. What may have
    /// been written since is told by nothing but its versions.
    pub(super) fn sighting(&self, target: &Target) -> Option<Sighting> {
        let base = self.journal.0.bases.get(&target.object_ref())?;
        let is_settled = self.journal.0.unresolved.is_empty() && base.drafted_at > 0 && base.version > 0;
        let id = base.id.clone().filter(|_| is_settled)?;
        Some(Sighting { id, version: base.version, drafted_at: base.drafted_at })
    }

    /// The places, in one organization, of what is known without its newest version having been read.
    fn inferred(&self) -> Vec<usize> {
        let is_inferred = |at: &usize| match self.observed.get(*at) {
            Some(Observed::Present(stored)) => {
                stored.instance.as_ref().is_some_and(|known| known.is_inferred)
            }
            Some(Observed::Absent) | None => false,
        };
        let first = (0..self.observed.len()).find(is_inferred);
        first.into_iter().flat_map(|at| self.side(at)).filter(is_inferred).collect()
    }

    /// When each object was last changed, its draft included, if entries of the audit log name no versions.
    fn last_changes(&self) -> BTreeMap<ObjectRef, Timestamp> {
        let last = |(target, observed): (&Target, &Observed)| match observed {
            Observed::Present(stored) if !self.able().audit_names_versions => {
                let draft = stored.draft().and_then(|draft| draft.modified_at);
                Some((target.object_ref(), stored.modified_at.max(draft)?))
            }
            _ => None,
        };
        self.targets.iter().zip(&self.observed).filter_map(last).collect()
    }

    /// Plans anew what something other is known of than the last plan was made from, and what refers to that; everything
    /// where that is so of everything, or where copies are made.
    fn make_plan(&self) -> Plan {
        let (Some(before), Some(stale), false) = (&self.plan, &self.stale, self.able().copies) else {
            return self.with_basis(plan::plan);
        };
        let of_each = self.spec.resources.len().max(1);
        let with_dependents = |at: &usize| {
            let (first, at) = (at - at % of_each, at % of_each);
            self.needs.dependents_of(at).iter().copied().chain([at]).map(move |at| first + at)
        };
        let places: BTreeSet<usize> = stale.iter().flat_map(with_dependents).collect();
        self.with_basis(|basis| plan::again(Plan::clone(before), places, basis))
    }

    /// Makes a plan from what is known by now.
    fn with_basis(&self, make: impl FnOnce(plan::Basis<'_>) -> Plan) -> Plan {
        let spec = &self.spec;
        let of_each = spec.resources.len().max(1);
        let evidence = |target: &Target| {
            let object = target.object_ref();
            let resource = self.needs.place_of(&target.object).and_then(|at| spec.resources.get(at));
            plan::Evidence {
                base: self.journal.0.bases.get(&object),
                baseline: self.baseline(&object),
                draft: object.draft().and_then(|draft| self.journal.0.bases.get(&draft)),
                desired_before: resource.and_then(|resource| resource.before.as_ref()),
                entries: self.entries.get(&object).map(Vec::as_slice).unwrap_or_default(),
                log: self.log,
                people: Some(&self.people),
                made: self.made.contains_key(&object),
                own_clients: Some(&spec.own_clients),
            }
        };
        let sides: Vec<plan::Side<'_>> = self
            .targets
            .chunks(of_each)
            .zip(self.observed.chunks(of_each))
            .map(|(targets, observed)| {
                let names = targets.first().and_then(|target| self.names.get(&target.organization));
                let names = names.unwrap_or(&NO_NAMES);
                let resources = &spec.resources;
                plan::Side { targets, known: plan::resolve::Organization { resources, observed, names } }
            })
            .collect();
        let basis = plan::Basis {
            tenant: &spec.tenant,
            revision: &spec.revision,
            sides: &sides,
            drafts: spec.limits.drafts,
            owner: spec.limits.owner.as_deref(),
            holds: plan::holding::Withheld::of(&spec.tenant, &spec.limits.allowed, spec.memory),
            evidence: &evidence,
        };
        make(basis)
    }

    /// The plan as it is made from nothing, to compare with.
    fn whole_plan(&self) -> Plan {
        let mut plan = self.with_basis(plan::plan);
        self.clone().hold_to_review(&mut plan);
        plan
    }

    /// People who changed something last and of whom the object gives the id alone.
    fn unnamed(&self) -> BTreeSet<String> {
        let by = self.observed.iter().flat_map(|observed| match observed {
            Observed::Present(stored) => {
                let drafter = stored.draft().and_then(|draft| draft.modified_by.as_ref());
                [stored.modified_by.as_ref(), drafter]
            }
            Observed::Absent => [None, None],
        });
        let unnamed = by.flatten().filter(|actor| actor.kind == ActorKind::User && actor.name.is_empty());
        unnamed.map(|actor| actor.id.clone()).collect()
    }

    /// Whether the audit log is to be asked who changed fields that git does not name: for whoever reads a plan, and else for
    /// what is news, or so young that its entry may not show yet. What has stood there for a while costs no question.
    fn is_told_of(&self, planned: &TargetPlan, now: Timestamp) -> bool {
        let is_asked_about = |one: &Noticed| match one.among(&self.spec.noticed) {
            _ if one.by.is_none() => false,
            None => true,
            Some(known) if known.version != one.version => true,
            Some(known) => !known.is_named && elapsed_ms(known.since, now) < NEWS_MS,
        };
        let mut seen = noticed_of(planned, now);
        if self.spec.is_exact { !planned.unmanaged.is_empty() } else { seen.any(|one| is_asked_about(&one)) }
    }

    /// Targets that somebody else wrote last, or where somebody moved a field that a write of ours has kept since.
    fn touched_by_others(&self, plan: &Plan, now: Timestamp) -> Vec<Target> {
        let moved =
            |target: &TargetPlan| target.changes.iter().any(|change| change.kind != ChangeKind::ToApply);
        let foreign = |observed: &Observed| match observed {
            Observed::Present(Stored { modified_by: Some(actor), .. }) => {
                actor.kind == ActorKind::User || !self.spec.own_clients.contains(&actor.id)
            }
            Observed::Present(_) | Observed::Absent => false,
        };
        // What only its content tells from an earlier state says nothing of who was there, or when.
        let silent = |target: &TargetPlan| {
            let object = target.target.object_ref();
            object.object.kind.counting() == Counting::Contents
                && !target.changes.is_empty()
                && !self.journal.0.bases.contains_key(&object)
        };
        // Who left a draft that is in the way is to be told by name.
        let left = |observed: &Observed, planned: &TargetPlan| match observed {
            Observed::Present(stored) => {
                (planned.undecided().is_some() || planned.draft.is_some() || planned.unfinished.is_some())
                    && stored.draft().is_some_and(|draft| draft.modified_by.is_some())
            }
            Observed::Absent => false,
        };
        self.targets
            .iter()
            .zip(self.observed.iter().zip(&plan.targets))
            .filter(|(_, (observed, planned))| {
                foreign(observed)
                    || moved(planned)
                    || left(observed, planned)
                    || silent(planned)
                    || self.is_told_of(planned, now)
            })
            .map(|(target, _)| target.clone())
            .collect()
    }

    pub(super) fn attributed(mut self, page: Entries, now: Timestamp) -> Step {
        self.people.extend(page.names);
        for entry in page.entries {
            self.entries.entry(entry.object.published()).or_default().push(entry);
        }
        self.log = self.log.asked_again(reached_from(now), now);
        self.stale = None;
        self.attributed = true;
        self.assess(now)
    }

    /// The audit log could not be asked who moved what: it is planned without.
    pub(super) fn not_attributed(mut self, fault: Fault, now: Timestamp) -> Step {
        if fault.kind == FaultKind::Denied {
            self.log = Log::Denied { permission: self.able().audit_permission };
        }
        self.stale = None;
        self.attributed = true;
        self.assess(now).noting(Note::NoAudit { fault })
    }

    /// One note for each object and user that moved managed fields of it.
    fn foreign_edits(&self, plan: &Plan) -> Vec<Note> {
        let mut notes = Vec::new();
        for target in &plan.targets {
            let mut by_user: BTreeMap<&str, (&Attribution, Vec<String>)> = BTreeMap::new();
            for change in target.changes.iter().filter(|change| change.kind != ChangeKind::ToApply) {
                let Some(by) = change.by() else { continue };
                let (_, fields) = by_user.entry(&by.actor.id).or_insert_with(|| (by, Vec::new()));
                fields.push(change.path.clone());
            }
            let object = target.target.object_ref();
            notes.extend(by_user.into_values().map(|(by, fields)| Note::ForeignEdit {
                object: object.clone(),
                by: by.actor.clone(),
                deed: by.deed,
                fields,
            }));
        }
        notes
    }

    /// The status of a tenant that is only watched.
    pub(super) fn watched(self) -> Step {
        let drifted = self
            .plan
            .as_ref()
            .is_some_and(|plan| plan.changes().any(|change| change.kind != ChangeKind::ToApply));
        self.settle(if drifted { End::Drifted } else { End::OutOfSync })
    }
}
