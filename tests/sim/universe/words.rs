//! Short names of outcomes, for traces.

use genesync::model::Outcome;

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
