//! Stage 6 of 7: which organization still owes what, and by which means it gets it.
//!
//! In: a [`Plan`], and how far the run is. Out: the next piece of [`Work`].
//! Never: copies over a configuration whose difference is not ours, or that was not read first; writes an object before
//! what it refers to is in force. Start reading at [`due`].
//!
//! The sequence of a job is in `reconcile/copying.rs`, and who asks for the next piece of work in `reconcile/deciding.rs`.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::Needs;
use crate::model::Plan;
use crate::model::plan::TargetPlan;

/// At most so many objects are begun and not in force yet: a run that is stopped leaves no more drafts behind.
pub const BEGUN_MAX: usize = 64;

/// The next thing that a plan asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work<'a> {
    /// One write of one object.
    Put(&'a TargetPlan),
    /// The platform is not done with the last write of this one.
    Wait(&'a TargetPlan),
    /// One job that copies the primary to these organizations.
    Job {
        /// Copied to.
        targets: Vec<&'a TargetPlan>,
        /// Whether any of them holds a configuration already.
        overwrite_existing: bool,
    },
}

/// How far a run is.
pub struct Course<'a> {
    /// Which objects of git refer to each other.
    pub needs: &'a Needs,
    /// Whether a replication job was tried.
    pub job_tried: bool,
    /// The place of the target that was looked at a moment ago, for a write that was due.
    pub fresh: Option<usize>,
    /// Whether a listing told so lately that there is no n-th target yet that it may be made.
    pub is_unlisted: &'a dyn Fn(usize) -> bool,
    /// Whether this run has written to the n-th target.
    pub begun: &'a dyn Fn(usize) -> bool,
    /// When the n-th target is to be looked at again, where the platform is not done with it.
    pub look_at: &'a dyn Fn(usize) -> Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
}

/// What comes next where the server has no job that copies: organization by organization, and within one what is nearest
/// to be in force, as long as all that it refers to is. What the platform is not done with stands back until it is time
/// to look at it; only where nothing else may go now, it is waited for.
fn next_of_each<'a>(plan: &'a Plan, course: &Course<'_>) -> Option<Work<'a>> {
    let owes = |at: usize| {
        plan.targets.get(at).is_some_and(|target| target.next.is_some() || (course.look_at)(at).is_some())
    };
    let first = (0..plan.targets.len()).find(|at| owes(*at))?;
    let of_each = course.needs.count().max(1);
    let side = first - first % of_each;
    let needed = |at: usize| course.needs.needs_of(at - side).iter().map(move |needed| side + needed);
    let open: Vec<usize> = (side..side + of_each).filter(|at| owes(*at)).collect();
    let begun = open.iter().filter(|at| (course.begun)(**at)).count();
    let (waited_for, ready): (Vec<usize>, Vec<usize>) = open
        .iter()
        .copied()
        .filter(|at| !needed(*at).any(owes))
        .partition(|at| (course.look_at)(*at).is_some());
    let soonest = waited_for.into_iter().min_by_key(|at| (course.look_at)(*at));
    let may_go = |at: &usize| begun < BEGUN_MAX || (course.begun)(*at);
    // The first one of those that are nearest.
    let nearest = |at: &usize| {
        let is_served = needed(*at).next().is_some();
        let is_fresh = course.fresh == Some(*at);
        (Reverse((is_fresh, (course.is_unlisted)(*at), is_served, (course.begun)(*at))), *at)
    };
    let next = ready.into_iter().filter(may_go).min_by_key(nearest);
    let at = match (next, soonest) {
        (Some(next), _) if course.fresh == Some(next) => next,
        (_, Some(soonest)) if (course.look_at)(soonest) <= Some(course.now) => soonest,
        (next, soonest) => next.or(soonest).unwrap_or(first),
    };
    let target = plan.targets.get(at)?;
    Some(if Some(at) == soonest { Work::Wait(target) } else { Work::Put(target) })
}

/// What comes next. If the server `copies`: the primary first; then one job for every replica that may be copied over;
/// then, one at a time, plain writes for the rest and for what the job left undone.
pub fn due<'a>(plan: &'a Plan, copies: bool, course: &Course<'_>) -> Option<Work<'a>> {
    if !copies {
        return next_of_each(plan, course);
    }
    let (primary, replicas) = plan.targets.split_first()?;
    if !primary.changes.is_empty() {
        return Some(Work::Put(primary));
    }
    let replicas = replicas.iter().map(Arc::as_ref);
    let owing: Vec<&TargetPlan> = replicas.filter(|target| !target.changes.is_empty()).collect();
    // What the primary holds in an ignored field is not what git says: a replica that has no configuration
    // yet is made from git.
    let as_git_says = primary.ignored.is_empty();
    let may_copy =
        |target: &&TargetPlan| target.ours_to_overwrite || (target.version.is_none() && as_git_says);
    let copied: Vec<&TargetPlan> = owing.iter().copied().filter(may_copy).collect();
    if !copied.is_empty() && !course.job_tried && primary.version.is_some() {
        let overwrite_existing = copied.iter().any(|target| target.version.is_some());
        return Some(Work::Job { targets: copied, overwrite_existing });
    }
    owing.first().copied().map(Work::Put)
}

/// Whether a job's copy made another version than the one after the version that was read: then somebody
/// wrote in between, and the copy went over it.
pub fn overwrote(seen: Option<u64>, made: u64) -> bool {
    made != seen.map_or(1, |version| version + 1)
}

#[cfg(test)]
mod tests;
