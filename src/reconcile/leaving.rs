//! Leaving out: a region that does not answer does not block the other regions of its tenant.
//!
//! The primary is never left out, because genesync copies nothing that the primary has not accepted.

use super::{End, Note, ReadSpan, Run, Step};
use crate::model::record::{Intent, IntentAction};
use crate::model::{Fault, OrganizationId};

/// How often reads of one organization failed in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Failures {
    /// Without an answer, or with an invalid one.
    faults: u32,
    /// Refused by the rate limit.
    throttles: u32,
}

impl Run {
    /// Counts a failed read. Returns the number of failures in a row before it, and whether they are too
    /// many: for this organization, or for all organizations if several fail alternately.
    pub(super) fn failed_to_read(&mut self, at: usize, throttled: bool) -> (u32, bool) {
        let timing = self.spec.timing;
        let Some(target) = self.targets.get(at) else { return (0, true) };
        let known = self.failures.entry(target.organization.clone()).or_default();
        let (count, most) = match throttled {
            true => (&mut known.throttles, timing.throttles_max),
            false => (&mut known.faults, timing.faults_max),
        };
        let before = *count;
        *count += 1;
        let own = *count >= most;
        self.tally.rounds += 1;
        let organizations = self.targets.len() / self.spec.resources.len().max(1);
        // A round can fail for either reason.
        let rounds_max = u64::from(timing.faults_max.max(timing.throttles_max)) * organizations as u64;
        let all = u64::from(self.tally.rounds) >= rounds_max;
        (before, own || all)
    }

    /// Resets the failures of an organization that was read; a whole round resets the count for all.
    pub(super) fn answered_well(&mut self, span: ReadSpan) {
        if let Some(target) = self.targets.get(span.from) {
            self.failures.remove(&target.organization);
        }
        if span.to >= span.end {
            self.tally.rounds = 0;
        }
    }

    /// Continues without the organization of the n-th target; ends the run if that is not possible. Its
    /// unresolved intents stay in the journal for the run that reads it again.
    pub(super) fn leave_out(mut self, at: usize, fault: Fault) -> Step {
        let Some(target) = self.targets.get(at).cloned() else { return self.degrade(fault) };
        let organization = &target.organization;
        let is_primary = *organization == self.spec.tenant.primary.organization;
        // The result of a job of unknown outcome is known only after reading all of its targets.
        if is_primary || self.journal.0.unresolved.iter().any(|open| is_job_to(open, organization)) {
            return self.degrade(fault);
        }
        self.targets =
            self.targets.iter().filter(|known| known.organization != *organization).cloned().collect();
        self.failures.remove(organization);
        let tally = &mut self.tally;
        (tally.rounds, tally.write_faults, tally.write_throttles) = (0, 0, 0);
        let message =
            format!("{} (organization {organization}) is left out: {}", target.region, fault.message);
        let fault = Fault { message, ..fault };
        self.left_out.push(fault.clone());
        self.read_all().noting(Note::LeftOut { fault })
    }

    /// Whether the run continues without this organization.
    pub(super) fn is_left_out(&self, organization: &OrganizationId) -> bool {
        !self.left_out.is_empty() && !self.targets.iter().any(|target| target.organization == *organization)
    }

    /// Returns why the tenant is not in sync although all read organizations are; none if all were read.
    pub fn left_out(&self) -> Option<Fault> {
        let first = self.left_out.first()?;
        let reported = self.left_out.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ");
        let retry_after_ms = self.left_out.iter().filter_map(|fault| fault.retry_after_ms).min();
        Some(Fault { retry_after_ms, ..Fault::new(first.kind, reported) })
    }

    /// Returns why the tenant is not synced, with the regions that could not be read.
    pub fn reason(&self) -> Option<String> {
        let reason = self.end().and_then(End::reason);
        let left_out = self.left_out().map(|fault| fault.to_string());
        match (reason, left_out) {
            (Some(reason), Some(left_out)) if !reason.contains(&left_out) => {
                Some(format!("{reason}; {left_out}"))
            }
            (reason, left_out) => reason.or(left_out),
        }
    }

    /// Turns a good end into `Degraded` while a region is left out, because the status is for every region.
    pub(super) fn of_every_region(&self, status: End) -> End {
        match (status, self.left_out()) {
            (End::Synced | End::OutOfSync | End::Drifted | End::Unconfirmed(_), Some(fault)) => {
                End::Degraded(fault)
            }
            (status, _) => status,
        }
    }
}

fn is_job_to(open: &Intent, organization: &OrganizationId) -> bool {
    match &open.action {
        IntentAction::Job { targets } => {
            targets.iter().any(|(target, _)| target.organization == *organization)
        }
        IntentAction::Put { .. } => false,
    }
}
