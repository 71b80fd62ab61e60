//! Stopping: how far what went wrong reaches.
//!
//! | what happened                                                    | what it stops                             |
//! | ---------------------------------------------------------------- | ----------------------------------------- |
//! | somebody left a draft of it, or published what nobody has seen   | the object, and what refers to it         |
//! | refused for what it says, or for a feature that is missing       | the object, and what refers to it         |
//! | it never became active, or does not keep what was written        | the object, and what refers to it         |
//! | its writes fail while others are accepted                        | the object, and what refers to it         |
//! | git names what is not there, or what two things go by            | the run: the commit is no good            |
//! | [`ALIKE_MAX`] objects refused for one reason                     | everything else of the run, unasked       |
//! | writes fail in a row, or the rate limit holds                    | the organization; where it is the primary's, the run |
//! | a guard of single objects refuses it                             | the object in that organization, and what refers to it |
//! | no permission, a write that went over a change, a guard, a lost lease | the run                              |
//!
//! An object that is stopped is so in every region, and so is what would be written for nobody because of it.
//! Where the server copies from one organization to the others, an object is all there is, and stops the run.
//! What is in force is kept as base and confirmed whatever became of the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{After, End, Hold, HoldCause, Run, Step};
use crate::model::plan::TargetPlan;
use crate::model::{Fault, FaultKind, ObjectRef, OrganizationId, Plan, Refusal, Target, Versions};

/// So many objects refused for one reason hold the others back: they would be refused as well.
pub const ALIKE_MAX: usize = 3;
/// So many objects are told with all that is known of them.
const TOLD_MAX: usize = 10;

/// Whether the server said no to what a write says.
pub(super) fn is_refusal(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Rejected | FaultKind::NotFound)
}

/// What a refusal says, whichever object it is about.
fn reason_of(fault: &Fault, object: &ObjectRef) -> String {
    fault.message.replace(&object.to_string(), "")
}

/// What is not written because of what it refers to, as the end of a sentence.
fn behind(followers: &[&TargetPlan]) -> String {
    let names: Vec<String> =
        followers.iter().take(TOLD_MAX).map(|target| target.target.to_string()).collect();
    let more = match followers.len().saturating_sub(TOLD_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if names.is_empty() {
        names.concat()
    } else {
        format!("; not written for that reason: {}{more}", names.join(", "))
    }
}

/// Everything that guards refuse, as far as it is told, and at least one object of each guard; the last one says what else
/// there is.
fn refusals_of(ends: &[End], behind: &str) -> Vec<Refusal> {
    let all = ends.iter().flat_map(|end| if let End::Refused(refusals) = end { &refusals[..] } else { &[] });
    let (mut told, mut left_out): (Vec<Refusal>, usize) = (Vec::new(), 0);
    for refusal in all {
        let is_new = !told.iter().any(|known| known.guard == refusal.guard);
        match is_new || told.len() < TOLD_MAX {
            true => told.push(refusal.clone()),
            false => left_out += 1,
        }
    }
    let others = ends.iter().filter(|end| !matches!(end, End::Refused(_))).filter_map(End::reason);
    let mut rest: String = others.take(TOLD_MAX).map(|reason| format!("; {reason}")).collect();
    if left_out > 0 {
        rest.push_str(&format!("; and {left_out} more"));
    }
    if let Some(last) = told.last_mut() {
        last.message.push_str(&format!("{rest}{behind}"));
    }
    told
}

impl Run {
    /// Whether what becomes of an object stops that object alone.
    pub(super) fn goes_on_without(&self) -> bool {
        !self.able().copies
    }

    /// Takes in that a write was refused for good.
    pub(super) fn refused(&mut self, target: &Target, fault: &Fault) -> After {
        let end = End::Degraded(fault.clone());
        if !self.goes_on_without() || !is_refusal(fault) {
            return After::Settle(end);
        }
        self.stop(target.object_ref(), end);
        After::GoOn
    }

    /// Writes nothing more to an object in this run, nor to what refers to it.
    pub(super) fn stop(&mut self, object: ObjectRef, end: End) {
        self.waiting.remove(&object);
        self.stopped.insert(object, end);
    }

    /// The places of what nothing more is written to before somebody has seen to it.
    pub(super) fn stopped_places(&self, plan: &Plan) -> BTreeSet<usize> {
        let held_back = self.held_back();
        let is_stopped = |target: &TargetPlan| {
            target.undecided().is_some()
                || !self.stopped.is_empty()
                    && (self.stopped.contains_key(&target.target.object_ref())
                        || held_back.contains(&target.target.organization))
        };
        let places = plan.targets.iter().enumerate().filter(|(_, target)| is_stopped(target));
        places.map(|(at, _)| at).collect()
    }

    /// The organizations in which so many objects were refused for one reason that no other is tried.
    fn held_back(&self) -> BTreeSet<OrganizationId> {
        let mut alike: BTreeMap<(&OrganizationId, String), usize> = BTreeMap::new();
        for (object, end) in &self.stopped {
            if let End::Degraded(fault) = end
                && is_refusal(fault)
            {
                *alike.entry((&object.organization, reason_of(fault, object))).or_default() += 1;
            }
        }
        let many = alike.into_iter().filter(|(_, count)| *count >= ALIKE_MAX);
        many.map(|((organization, _), _)| organization.clone()).collect()
    }

    /// Ends a run that has nothing more to do: in sync, or with what is missing. A change of somebody's that a write went
    /// over is told first of all.
    pub(super) fn settle_in_sync(self, end: End) -> Step {
        let end = self.with_stopped(end);
        let others = || match &end {
            End::Held(_) | End::Degraded(_) | End::Refused(_) => end.reason(),
            _ => None,
        };
        let (cause, reason) = if self.overwrote.is_empty() && self.mixed.is_empty() {
            let Some(moved) = self.moved_since_review() else { return self.settle(end) };
            let others = others().map(|others| format!("; {others}")).unwrap_or_default();
            (HoldCause::NotReviewed, format!("{moved}{others}"))
        } else {
            let others = others().map_or_else(|| "in sync, but ".to_owned(), |others| format!("{others}; "));
            (HoldCause::WentOver, format!("{others}{}", self.gone_over()))
        };
        self.settle(End::held(cause, reason))
    }

    /// What a person has to hear where a change of somebody's is gone. Its values are not ours to tell: nobody
    /// read them.
    pub(super) fn gone_over(&self) -> String {
        let what = match self.spec.versions {
            Versions::Enforced => "replication",
            Versions::Unenforced => "a write of ours",
        };
        let places: Vec<String> = self.overwrote.iter().map(ObjectRef::to_string).collect();
        let over = format!(
            "{what} went over a change that somebody made meanwhile in {}; the audit log has the old values and the name",
            places.join(", ")
        );
        let told = (!places.is_empty()).then_some(over).into_iter().chain(self.mixed.values().cloned());
        told.collect::<Vec<_>>().join("; ")
    }

    /// How a run ends that made everything else what git says: with what each object needs that is not.
    fn with_stopped(&self, end: End) -> End {
        let Some(plan) = &self.plan else { return end };
        let ends = plan.targets.iter().filter_map(|target| self.end_of(target));
        let (ends, followers): (Vec<End>, Vec<&TargetPlan>) = (ends.collect(), self.followers(plan));
        let Some(first) = ends.first() else { return end };
        // A person's word goes before what may pass, and a guard's before that.
        let refused = ends.iter().find(|end| matches!(end, End::Refused(_)));
        let held = || ends.iter().find(|end| matches!(end, End::Held(_)));
        let gravest = refused.or_else(held).unwrap_or(first);
        if ends.len() == 1 && followers.is_empty() {
            return gravest.clone();
        }
        let behind = behind(&followers);
        if let End::Refused(_) = gravest {
            return End::Refused(refusals_of(&ends, &behind));
        }
        let mut reason = ends.iter().take(TOLD_MAX).filter_map(End::reason).collect::<Vec<_>>().join("; ");
        if ends.len() > TOLD_MAX {
            reason.push_str(&format!("; and {} more", ends.len() - TOLD_MAX));
        }
        reason.push_str(&behind);
        match gravest {
            End::Held(hold) => End::Held(Hold { reason, ..hold.clone() }),
            End::Degraded(fault) => {
                End::Degraded(Fault { message: reason, request_id: None, ..fault.clone() })
            }
            other => other.clone(),
        }
    }

    fn end_of(&self, target: &TargetPlan) -> Option<End> {
        let object = target.target.object_ref();
        let undecided = || Some(End::held(HoldCause::Undecided, target.undecided()?));
        let guarded = || self.guarded.get(&object).cloned().map(End::Refused);
        self.stopped.get(&object).cloned().or_else(guarded).or_else(undecided)
    }

    /// What differs and is not written because of others.
    fn followers<'a>(&self, plan: &'a Plan) -> Vec<&'a TargetPlan> {
        let open = plan.targets.iter().filter(|target| target.next.is_some());
        open.map(std::sync::Arc::as_ref).filter(|target| self.end_of(target).is_none()).collect()
    }
}
