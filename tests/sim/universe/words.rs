//! Effects and outcomes in a word, for traces.

use genesync::model::Outcome;
use genesync::reconcile::Effect;

pub fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Observe(_) => "observe",
        Effect::Save(_) => "save",
        Effect::Write(_) => "write",
        Effect::StartJob(_) => "start-job",
        Effect::PollJob { .. } => "poll-job",
        Effect::ReadAudit(_) => "read-audit",
        Effect::WakeAt(_) => "wake",
        Effect::Report(_) => "report",
    }
}

pub fn outcome_name<T>(outcome: &Outcome<T>) -> &'static str {
    match outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::Conflict => "conflict",
        Outcome::Throttled { .. } => "throttled",
        Outcome::Rejected(_) => "rejected",
        Outcome::NotFound(_) => "not found",
        Outcome::Denied(_) => "denied",
        Outcome::Unknown(_) => "unknown",
        Outcome::Failed(_) => "failed",
        Outcome::Unsent(_) => "unsent",
    }
}
