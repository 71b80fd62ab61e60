//! Assessing: makes the plan and asks the audit log who changed what.

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

/// How far back genesync asks the audit log, in days: one less than the platform's real-time view keeps, so
/// that no query reaches beyond it.
const ATTRIBUTION_DAYS: u64 = 13;

/// How long genesync asks for the author of an unmanaged change, in ms: an entry may appear later than its
/// change.
const NEWS_MS: u64 = 30 * 60_000;

/// The start of the period of audit queries.
fn reached_from(now: Timestamp) -> Timestamp {
    earlier(now, ATTRIBUTION_DAYS * 24 * 3_600_000)
}

impl Run {
    /// Makes the plan. Asks the audit log first if another user changed managed fields.
    pub(super) fn assess(mut self, now: Timestamp) -> Step {
        let mut plan = self.make_plan();
        if self.spec.is_exact && !plan.is_empty() {
            let inferred = self.inferred();
            if !inferred.is_empty() {
                return self.read_alone(inferred);
            }
        }
        // A reader of a plan needs the author of an unfinished draft; an idle run looks up no names.
        let is_read = self.spec.is_exact && plan.targets.iter().any(|target| target.unfinished.is_some());
        let is_news = plan.targets.iter().any(|target| self.is_reported(target, now));
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
            // The second read, right before the write: a change that the first read showed was already
            // reported.
            let reported = self.plan.as_deref().map(|plan| self.foreign_edits(plan)).unwrap_or_default();
            notes.retain(|note| !reported.contains(note));
        }
        let first = self.first_plan.is_none();
        self.hold_to_review(&mut plan);
        debug_assert_eq!(plan, self.whole_plan(), "an incremental plan equals a full plan");
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
            // The plan may wait long for approval, so its reads are no longer recent.
            self.fresh.clear();
            return Step::stop(self).noting_all(notes);
        }
        self.proceed(now).noting_all(notes)
    }

    /// Returns when the change window opens that a write has to wait for.
    pub(super) fn window_opens(&self, now: Timestamp) -> Option<Opening> {
        let Spec { tenant, precedents, limits, .. } = &*self.spec;
        plan::guards::window::opens(tenant, &precedents.said, limits, now)
    }

    /// Returns the last known state of a configuration in force. If the draft has not moved since, the
    /// configuration has that state. Only with every intent resolved, because only versions show what was
    /// written since.
    pub(super) fn sighting(&self, target: &Target) -> Option<Sighting> {
        let base = self.journal.0.bases.get(&target.object_ref())?;
        let is_settled = self.journal.0.unresolved.is_empty() && base.drafted_at > 0 && base.version > 0;
        let id = base.id.clone().filter(|_| is_settled)?;
        Some(Sighting { id, version: base.version, drafted_at: base.drafted_at })
    }

    /// The places, in one organization, of objects whose newest version was inferred and not read.
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

    /// When each object or its draft was last changed, if entries of the audit log name no versions.
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

    /// Plans again the targets with new information since the last plan, and their dependents; plans
    /// everything if everything is stale or if the API copies between organizations.
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

    /// Makes a plan from the current knowledge.
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

    /// The plan as made from scratch, for comparison.
    fn whole_plan(&self) -> Plan {
        let mut plan = self.with_basis(plan::plan);
        self.clone().hold_to_review(&mut plan);
        plan
    }

    /// The last authors of whom the object gives only the id.
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

    /// Whether to ask the audit log who changed unmanaged fields: always for a plan that a person reads,
    /// otherwise only for new changes and for changes so recent that the entry may not be visible yet. Known
    /// old changes cost no query.
    fn is_reported(&self, planned: &TargetPlan, now: Timestamp) -> bool {
        let is_asked_about = |one: &Noticed| match one.among(&self.spec.noticed) {
            _ if one.by.is_none() => false,
            None => true,
            Some(known) if known.version != one.version => true,
            Some(known) => !known.is_named && elapsed_ms(known.since, now) < NEWS_MS,
        };
        let mut seen = noticed_of(planned, now);
        if self.spec.is_exact { !planned.unmanaged.is_empty() } else { seen.any(|one| is_asked_about(&one)) }
    }

    /// Targets that another user wrote last, or in which another user changed a field that a later write
    /// kept.
    fn touched_by_others(&self, plan: &Plan, now: Timestamp) -> Vec<Target> {
        let moved =
            |target: &TargetPlan| target.changes.iter().any(|change| change.kind != ChangeKind::ToApply);
        let foreign = |observed: &Observed| match observed {
            Observed::Present(Stored { modified_by: Some(actor), .. }) => {
                actor.kind == ActorKind::User || !self.spec.own_clients.contains(&actor.id)
            }
            Observed::Present(_) | Observed::Absent => false,
        };
        // An object that counts by content does not show who changed it, or when.
        let silent = |target: &TargetPlan| {
            let object = target.target.object_ref();
            object.object.kind.counting() == Counting::Contents
                && !target.changes.is_empty()
                && !self.journal.0.bases.contains_key(&object)
        };
        // The report names the author of a draft that blocks the write.
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
                    || self.is_reported(planned, now)
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

    /// Plans without the audit log, because the query for authors failed.
    pub(super) fn not_attributed(mut self, fault: Fault, now: Timestamp) -> Step {
        if fault.kind == FaultKind::Denied {
            self.log = Log::Denied { permission: self.able().audit_permission };
        }
        self.stale = None;
        self.attributed = true;
        self.assess(now).noting(Note::NoAudit { fault })
    }

    /// Returns one note for each object and each user that changed managed fields of it.
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

    /// Ends the run of a tenant in watch mode.
    pub(super) fn watched(self) -> Step {
        let drifted = self
            .plan
            .as_ref()
            .is_some_and(|plan| plan.changes().any(|change| change.kind != ChangeKind::ToApply));
        self.settle(if drifted { End::Drifted } else { End::OutOfSync })
    }
}
