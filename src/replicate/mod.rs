//! Stage 6 of 7: decides which organizations still need a write, and whether by a plain write or by a job.
//!
//! In: a [`Plan`], and the progress of the run. Out: the next piece of [`Work`]. Never: copies over a
//! configuration that another user changed, or that was not read first; writes an object before its
//! references are in force. Start reading at [`due`].
//!
//! The sequence of a job is in `reconcile/copying.rs`, and the caller is `reconcile/deciding.rs`.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::Needs;
use crate::model::Plan;
use crate::model::plan::TargetPlan;

/// At most this many objects are begun and not in force yet: a stopped run leaves at most this many drafts
/// behind.
pub const BEGUN_MAX: usize = 64;

/// The next work of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work<'a> {
    /// Writes of different objects, in parallel.
    Put(Vec<&'a TargetPlan>),
    /// The platform still processes the last writes of these: those due for a read, or the one due first.
    Wait(Vec<&'a TargetPlan>),
    /// One job that copies the primary to these organizations.
    Job {
        /// Copied to.
        targets: Vec<&'a TargetPlan>,
        /// Whether any of them holds a configuration already.
        overwrite_existing: bool,
    },
}

/// The progress of a run.
pub struct Course<'a> {
    /// Which objects of git refer to each other.
    pub needs: &'a Needs,
    /// Whether a replication job was tried.
    pub job_tried: bool,
    /// The places of the targets that were read just now for due writes.
    pub fresh: &'a BTreeSet<usize>,
    /// Whether a recent listing shows that the n-th target does not exist yet, so that it may be created.
    pub is_unlisted: &'a dyn Fn(usize) -> bool,
    /// Whether this run has written to the n-th target.
    pub begun: &'a dyn Fn(usize) -> bool,
    /// When to read the n-th target again, if the platform still processes it.
    pub look_at: &'a dyn Fn(usize) -> Option<Timestamp>,
    /// Whether nothing more is written to the n-th target before a person has decided.
    pub is_stopped: &'a dyn Fn(usize) -> bool,
    /// Whether a guard refuses the n-th target: only that one, and the objects that refer to it.
    pub is_guarded: &'a dyn Fn(usize) -> bool,
    /// At most this many objects are written in parallel.
    pub width: usize,
    /// The time.
    pub now: Timestamp,
}

impl Course<'_> {
    /// The places of the related objects of the n-th target in its organization.
    fn together<'s>(
        &'s self,
        at: usize,
        of: impl Fn(&'s Needs, usize) -> &'s [usize],
    ) -> impl Iterator<Item = usize> {
        let of_each = self.needs.count().max(1);
        of(self.needs, at % of_each).iter().map(move |other| at - at % of_each + other)
    }

    /// The places of the objects that the n-th target refers to.
    fn needed(&self, at: usize) -> impl Iterator<Item = usize> {
        self.together(at, Needs::needs_of)
    }

    /// The places of the objects that refer to the n-th target.
    fn dependents(&self, at: usize) -> impl Iterator<Item = usize> {
        self.together(at, Needs::dependents_of)
    }

    /// The places that are not written: the stopped objects in every region, the objects that refer to them,
    /// and the objects that would be used only by these.
    fn left_alone(&self, plan: &Plan) -> BTreeSet<usize> {
        let is_open = |at: &usize| plan.targets.get(*at).is_some_and(|target| target.next.is_some());
        let of_each = self.needs.count().max(1);
        let stopped: BTreeSet<usize> = (0..plan.targets.len()).filter(|at| (self.is_stopped)(*at)).collect();
        // An object that is stopped in one region is stopped in all.
        let everywhere = |at: &usize| (at % of_each..plan.targets.len()).step_by(of_each);
        let guarded = (0..plan.targets.len()).filter(|at| (self.is_guarded)(*at));
        let stopped: BTreeSet<usize> = stopped.iter().flat_map(everywhere).chain(guarded).collect();
        let is_for_no_one = |at: &usize| {
            let mut open = self.dependents(*at).filter(is_open).peekable();
            open.peek().is_some() && open.all(|dependent| stopped.contains(&dependent))
        };
        let needed = stopped.iter().flat_map(|at| self.needed(*at)).filter(is_for_no_one);
        let with_them: Vec<usize> = stopped.iter().copied().chain(needed).collect();
        let dependents = with_them.iter().flat_map(|at| self.dependents(*at));
        dependents.chain(with_them.iter().copied()).collect()
    }
}

/// Returns the next work without replication jobs: organization by organization, and within one the object
/// nearest to being in force whose references are in force. Objects that the platform still processes wait
/// until they are due for a read; the run waits only if nothing else can be written now.
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
    // Objects that may be written at once come first, then those nearest to being in force.
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

/// Returns the next work. If the server `copies`: the primary first, then one job for every replica that may
/// be copied over, then plain writes one at a time for the rest and for what the job did not write.
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
    // A primary that a guard keeps unchanged cannot be the source of a copy.
    let is_source = primary.changes.is_empty();
    // The primary's value of an ignored field is not from git: a replica without a configuration is created
    // from git.
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

/// Whether a job's copy made another version than the next one after the read: then another user wrote in
/// between, and the copy overwrote that change.
pub fn overwrote(seen: Option<u64>, made: u64) -> bool {
    made != seen.map_or(1, |version| version + 1)
}

#[cfg(test)]
mod tests;
