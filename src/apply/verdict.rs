//! Outcome to verdict: one table.

use crate::model::{Fault, FaultKind, Outcome};

/// What to do after a write was answered, or was not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict<T> {
    /// It is in force, says the server. Read it back.
    Done(T),
    /// Somebody else was faster. Read and plan again.
    Stale,
    /// Not executed. Wait (this long where the server said so), then read and plan again.
    Wait {
        /// Milliseconds that the server asked for.
        retry_after_ms: Option<u64>,
        /// Why, where it is more than the rate limit.
        fault: Option<Fault>,
    },
    /// It may have been executed: wait until it no longer can be, then read.
    Settle {
        /// What happened.
        fault: Fault,
        /// Whether it may still run: then its whole deadline is waited for.
        running: bool,
    },
    /// It would be refused again. A person has to look.
    Stop(Fault),
}

/// Decides what an answer means.
pub fn verdict<T>(outcome: Outcome<T>) -> Verdict<T> {
    match outcome {
        Outcome::Accepted(value) => Verdict::Done(value),
        Outcome::Conflict => Verdict::Stale,
        Outcome::Throttled { retry_after_ms } => Verdict::Wait { retry_after_ms, fault: None },
        // There was no room for it under the rate limit.
        Outcome::Unsent(fault) if fault.kind == FaultKind::Throttled && !fault.given_up => {
            Verdict::Wait { retry_after_ms: fault.retry_after_ms, fault: None }
        }
        Outcome::Unsent(fault) => Verdict::Wait { retry_after_ms: fault.retry_after_ms, fault: Some(fault) },
        Outcome::Unknown(fault) => Verdict::Settle { fault, running: true },
        Outcome::Failed(fault) => Verdict::Settle { fault, running: false },
        Outcome::Rejected(fault) | Outcome::NotFound(fault) | Outcome::Denied(fault) => Verdict::Stop(fault),
    }
}
