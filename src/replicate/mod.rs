//! Stage 6 of 7: which organization still owes what, and by which means it gets it.
//!
//! In: a [`Plan`], and how far the run is. Out: the next piece of [`Work`].
//! Never: copies over a configuration whose difference is not ours, or that was not read first; writes an object before
//! what it refers to is in force. Start reading at [`due`].
//!
//! The sequence of a job is in `reconcile/copying.rs`, and who asks for the next piece of work in `reconcile/deciding.rs`.

use std::cmp::Reverse;
use std::collections::BTreeSet;
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
    /// Writes of different objects, side by side.
    Put(Vec<&'a TargetPlan>),
    /// The platform is not done with the last writes of these: what it is time to look at, or the one that it is first.
    Wait(Vec<&'a TargetPlan>),
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
    /// The places of the targets that were looked at a moment ago, for writes that were due.
    pub fresh: &'a BTreeSet<usize>,
    /// Whether a listing told so lately that there is no n-th target yet that it may be made.
    pub is_unlisted: &'a dyn Fn(usize) -> bool,
    /// Whether this run has written to the n-th target.
    pub begun: &'a dyn Fn(usize) -> bool,
    /// When the n-th target is to be looked at again, where the platform is not done with it.
    pub look_at: &'a dyn Fn(usize) -> Option<Timestamp>,
    /// Whether nothing more is written to the n-th target before a person has seen to it.
    pub is_stopped: &'a dyn Fn(usize) -> bool,
    /// Whether a guard keeps the n-th target from being written: that one alone, and what refers to it.
    pub is_guarded: &'a dyn Fn(usize) -> bool,
    /// At most so many objects are written side by side.
    pub width: usize,
    /// The time.
    pub now: Timestamp,
}

impl Course<'_> {
    /// The places of what hangs together with the n-th target in its organization.
    fn together<'s>(
        &'s self,
        at: usize,
        of: impl Fn(&'s Needs, usize) -> &'s [usize],
    ) -> impl Iterator<Item = usize> {
        let of_each = self.needs.count().max(1);
        of(self.needs, at % of_each).iter().map(move |other| at - at % of_each + other)
    }

    /// The places of what the n-th target refers to.
    fn needed(&self, at: usize) -> impl Iterator<Item = usize> {
        self.together(at, Needs::needs_of)
    }

    /// The places of what refers to the n-th target.
    fn dependents(&self, at: usize) -> impl Iterator<Item = usize> {
        self.together(at, Needs::dependents_of)
    }

    /// The places of what is left alone: what a person has to see to, in every region, what refers to that, and what would be
    /// written for nobody, because all that would come to refer to it is left alone.
    fn left_alone(&self, plan: &Plan) -> BTreeSet<usize> {
        let is_open = |at: &usize| plan.targets.get(*at).is_some_and(|target| target.next.is_some());
        let of_each = self.needs.count().max(1);
        let stopped: BTreeSet<usize> = (0..plan.targets.len()).filter(|at| (self.is_stopped)(*at)).collect();
        // What one region can't have, the others do without.
        let everywhere = |at: &usize| (at % of_each..plan.targets.len()).step_by(of_each);
        let guarded = (0..plan.targets.len()).filter(|at| (self.is_guarded)(*at));
        let stopped: BTreeSet<usize> = stopped.iter().flat_map(everywhere).chain(guarded).collect();
        let is_for_nobody = |at: &usize| {
            let mut open = self.dependents(*at).filter(is_open).peekable();
            open.peek().is_some() && open.all(|dependent| stopped.contains(&dependent))
        };
        let needed = stopped.iter().flat_map(|at| self.needed(*at)).filter(is_for_nobody);
        let with_them: Vec<usize> = stopped.iter().copied().chain(needed).collect();
        let dependents = with_them.iter().flat_map(|at| self.dependents(*at));
        dependents.chain(with_them.iter().copied()).collect()
    }
}

/// What comes next where the server has no job that copies: organization by organization, and within one what is nearest
/// to be in force, as long as all that it refers to is. What the platform is not done with stands back until it is time
/// to look at it; only where nothing else may go now, it is waited for.
fn next_of_each<'a>(plan: &'a Plan, course: &Course<'_>) -> Option<Work<'a>> {
    let of_each = course.needs.count().max(1);
    let left_alone = course.left_alone(plan);
    let owes = |at: usize| {
        let is_open = plan.targets.get(at).is_some_and(|target| target.next.is_some());
        (is_open || (course.look_at)(at).is_some()) && !left_alone.contains(&at)
    };
    let open: Vec<usize> = (0..plan.targets.len()).filter(|at| owes(*at)).collect();
    let first = *open.first()?;
    let side = first - first % of_each;
    let open: Vec<usize> = open.into_iter().take_while(|at| *at < side + of_each).collect();
    let (waited_for, mut ready): (Vec<usize>, Vec<usize>) = open
        .iter()
        .copied()
        .filter(|at| !course.needed(*at).any(owes))
        .partition(|at| (course.look_at)(*at).is_some());
    let begun = open.iter().filter(|at| (course.begun)(**at)).count();
    let mut may_begin = BEGUN_MAX.saturating_sub(begun);
    // What may be written at once goes first, then what is nearest.
    let nearness = |at: &usize| {
        let is_served = course.needed(*at).next().is_some();
        let is_fresh = course.fresh.contains(at);
        (Reverse((is_fresh, (course.is_unlisted)(*at), is_served, (course.begun)(*at))), *at)
    };
    ready.sort_by_key(nearness);
    ready.retain(|at| {
        let may_go = (course.begun)(*at) || may_begin > 0;
        may_begin -= usize::from(may_go && !(course.begun)(*at));
        may_go
    });
    let is_read = |at: &usize| course.fresh.contains(at) || (course.is_unlisted)(*at);
    let is_first_read = ready.first().is_some_and(&is_read);
    ready.retain(|at| is_read(at) == is_first_read);
    let look_at = |at: &usize| (course.look_at)(*at);
    let (mut due, later): (Vec<usize>, Vec<usize>) =
        waited_for.into_iter().partition(|at| look_at(at) <= Some(course.now));
    due.sort_by_key(look_at);
    let soonest = later.into_iter().min_by_key(look_at);
    let planned = |places: Vec<usize>| {
        places.into_iter().take(course.width.max(1)).filter_map(|at| plan.targets.get(at)).map(Arc::as_ref)
    };
    let is_fresh = ready.first().is_some_and(|at| course.fresh.contains(at));
    Some(match (ready.is_empty(), due.is_empty(), soonest) {
        (false, _, _) if is_fresh => Work::Put(planned(ready).collect()),
        (_, false, _) => Work::Wait(planned(due).collect()),
        (false, true, _) => Work::Put(planned(ready).collect()),
        (true, true, Some(soonest)) => Work::Wait(planned(vec![soonest]).collect()),
        (true, true, None) => Work::Put(planned(vec![first]).collect()),
    })
}

/// What comes next. If the server `copies`: the primary first; then one job for every replica that may be copied over;
/// then, one at a time, plain writes for the rest and for what the job left undone.
pub fn due<'a>(plan: &'a Plan, copies: bool, course: &Course<'_>) -> Option<Work<'a>> {
    if !copies {
        return next_of_each(plan, course);
    }
    let owes = |(at, target): &(usize, &TargetPlan)| !target.changes.is_empty() && !(course.is_guarded)(*at);
    let mut owing = plan.targets.iter().map(Arc::as_ref).enumerate().filter(owes).peekable();
    let primary = plan.targets.first()?;
    if let Some((_, primary)) = owing.next_if(|(at, _)| *at == 0) {
        return Some(Work::Put(vec![primary]));
    }
    let owing: Vec<&TargetPlan> = owing.map(|(_, target)| target).collect();
    // What a guard keeps as it is can't be what others are to become.
    let is_source = primary.changes.is_empty();
    // What the primary holds in an ignored field is not what git says: a replica that has no configuration
    // yet is made from git.
    let as_git_says = primary.ignored.is_empty();
    let may_copy =
        |target: &&TargetPlan| target.ours_to_overwrite || (target.version.is_none() && as_git_says);
    let copied: Vec<&TargetPlan> = owing.iter().copied().filter(may_copy).collect();
    if !copied.is_empty() && is_source && !course.job_tried && primary.version.is_some() {
        let overwrite_existing = copied.iter().any(|target| target.version.is_some());
        return Some(Work::Job { targets: copied, overwrite_existing });
    }
    owing.first().map(|target| Work::Put(vec![*target]))
}

/// Whether a job's copy made another version than the one after the version that was read: then somebody
/// wrote in between, and the copy went over it.
pub fn overwrote(seen: Option<u64>, made: u64) -> bool {
    made != seen.map_or(1, |version| version + 1)
}

#[cfg(test)]
mod tests;
