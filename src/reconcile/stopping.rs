//! Stopping: decides what a failure stops.
//!
//! | failure                                                     | what it stops                           |
//! | ----------------------------------------------------------- | --------------------------------------- |
//! | another user left a draft, or published an unserved version | the object, and what refers to it       |
//! | refused for its content, or for a missing feature           | the object, and what refers to it       |
//! | it never becomes active, or does not keep what was written  | the object, and what refers to it       |
//! | its writes fail while others are accepted                   | the object, and what refers to it       |
//! | git names an object that is missing, or that exists twice   | the run: the commit is invalid          |
//! | [`ALIKE_MAX`] objects refused for one reason                | the rest of the organization, untried   |
//! | writes fail in a row, or the rate limit persists            | the organization (the primary: the run) |
//! | a guard of single objects refuses it                        | the object there, and what refers to it |
//! | no permission, a guard, or a lost lease                     | the run                                 |
//! | a write overwrote a change                                  | the run                                 |
//!
//! A stopped object is stopped in every region, and so are objects that only it would use.
//! If the server copies between organizations, there is one object, and it stops the run.
//! The configuration in force is kept as base and confirmed, whatever the result of the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{After, End, Hold, HoldCause, Run, Step};
use crate::model::plan::TargetPlan;
use crate::model::{Fault, FaultKind, ObjectRef, OrganizationId, Plan, Refusal, Target, Versions};

/// After this many objects refused for one reason, the others are not tried: they would be refused as well.
pub const ALIKE_MAX: usize = 3;
/// At most this many objects are reported in full.
const REPORTED_MAX: usize = 10;

/// Whether the server refused the content of a write.
pub(super) fn is_refusal(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Rejected | FaultKind::NotFound)
}

/// The text of a refusal without the name of the object.
fn reason_of(fault: &Fault, object: &ObjectRef) -> String {
    fault.message.replace(&object.to_string(), "")
}

/// Returns the objects that are not written because of their references, as the last part of a sentence.
fn behind(followers: &[&TargetPlan]) -> String {
    let names: Vec<String> =
        followers.iter().take(REPORTED_MAX).map(|target| target.target.to_string()).collect();
    let more = match followers.len().saturating_sub(REPORTED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if names.is_empty() {
        names.concat()
    } else {
        format!("; not written for that reason: {}{more}", names.join(", "))
    }
}

/// Returns the refusals of the guards, at most [`REPORTED_MAX`] but at least one of each guard; the last one
/// has the number of the others.
fn refusals_of(ends: &[End], behind: &str) -> Vec<Refusal> {
    let all = ends.iter().flat_map(|end| if let End::Refused(refusals) = end { &refusals[..] } else { &[] });
    let (mut reported, mut left_out): (Vec<Refusal>, usize) = (Vec::new(), 0);
    for refusal in all {
        let is_new = !reported.iter().any(|known| known.guard == refusal.guard);
        match is_new || reported.len() < REPORTED_MAX {
            true => reported.push(refusal.clone()),
            false => left_out += 1,
        }
    }
    let others = ends.iter().filter(|end| !matches!(end, End::Refused(_))).filter_map(End::reason);
    let mut rest: String = others.take(REPORTED_MAX).map(|reason| format!("; {reason}")).collect();
    if left_out > 0 {
        rest.push_str(&format!("; and {left_out} more"));
    }
    if let Some(last) = reported.last_mut() {
        last.message.push_str(&format!("{rest}{behind}"));
    }
    reported
}

impl Run {
    /// Whether a failed object stops only itself and what refers to it.
    pub(super) fn goes_on_without(&self) -> bool {
        !self.able().copies
    }

    /// Records that a write was refused for good.
    pub(super) fn refused(&mut self, target: &Target, fault: &Fault) -> After {
        let end = End::Degraded(fault.clone());
        if !self.goes_on_without() || !is_refusal(fault) {
            return After::Settle(end);
        }
        self.stop(target.object_ref(), end);
        After::GoOn
    }

    /// Stops an object: this run writes nothing more to it, nor to objects that refer to it.
    pub(super) fn stop(&mut self, object: ObjectRef, end: End) {
        self.waiting.remove(&object);
        self.stopped.insert(object, end);
    }

    /// The places of objects that genesync does not write before a person has decided.
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

    /// The organizations in which too many objects were refused for one reason, so that no other is tried.
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

    /// Ends a run without remaining work: in sync, or with what is missing. An overwritten change of another
    /// user is part of the reason.
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

    /// Returns what a person has to know about overwritten changes of other users. It has no values, because
    /// genesync never read them.
    pub(super) fn gone_over(&self) -> String {
        let what = match self.spec.versions {
            Versions::Enforced => "replication",
            Versions::Unenforced => "a write of genesync",
        };
        let places: Vec<String> = self.overwrote.iter().map(ObjectRef::to_string).collect();
        let over = format!(
            "{what} overwrote a change of another user in {} (the audit log has the old values and the author)",
            places.join(", ")
        );
        let reported = (!places.is_empty()).then_some(over).into_iter().chain(self.mixed.values().cloned());
        reported.collect::<Vec<_>>().join("; ")
    }

    /// Returns the end of a run that wrote everything else, with the reason of each stopped object.
    fn with_stopped(&self, end: End) -> End {
        let Some(plan) = &self.plan else { return end };
        let ends = plan.targets.iter().filter_map(|target| self.end_of(target));
        let (ends, followers): (Vec<End>, Vec<&TargetPlan>) = (ends.collect(), self.followers(plan));
        let Some(first) = ends.first() else { return end };
        // A decision of a person outranks a passing fault, and a guard outranks both.
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
        let mut reason =
            ends.iter().take(REPORTED_MAX).filter_map(End::reason).collect::<Vec<_>>().join("; ");
        if ends.len() > REPORTED_MAX {
            reason.push_str(&format!("; and {} more", ends.len() - REPORTED_MAX));
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

    /// The objects that differ and are not written because of others.
    fn followers<'a>(&self, plan: &'a Plan) -> Vec<&'a TargetPlan> {
        let open = plan.targets.iter().filter(|target| target.next.is_some());
        open.map(std::sync::Arc::as_ref).filter(|target| self.end_of(target).is_none()).collect()
    }
}
