//! The table from outcome to verdict.

use crate::model::{Fault, FaultKind, Outcome};

/// The next step after a write has an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict<T> {
    /// The server accepted the write. Read it back.
    Done(T),
    /// Another user wrote first. Read and plan again.
    Stale,
    /// Not executed. Wait (as long as the server asked, if it did), then read and plan again.
    Wait {
        /// Milliseconds that the server asked for.
        retry_after_ms: Option<u64>,
        /// The reason, if it is not only the rate limit.
        fault: Option<Fault>,
    },
    /// It may have been executed: wait until it can no longer take effect, then read.
    Settle {
        /// What happened.
        fault: Fault,
        /// Whether it may still run: then the wait lasts until its deadline.
        running: bool,
    },
    /// It would be refused again. A person has to decide.
    Stop(Fault),
}

/// Returns what an answer means.
pub fn verdict<T>(outcome: Outcome<T>) -> Verdict<T> {
    match outcome {
        Outcome::Accepted(value) => Verdict::Done(value),
        Outcome::Conflict => Verdict::Stale,
        Outcome::Throttled { retry_after_ms } => Verdict::Wait { retry_after_ms, fault: None },
        // The rate limit left no room for it.
        Outcome::Unsent(fault) if fault.kind == FaultKind::Throttled && !fault.given_up => {
            Verdict::Wait { retry_after_ms: fault.retry_after_ms, fault: None }
        }
        Outcome::Unsent(fault) => Verdict::Wait { retry_after_ms: fault.retry_after_ms, fault: Some(fault) },
        Outcome::Unknown(fault) => Verdict::Settle { fault, running: true },
        Outcome::Failed(fault) => Verdict::Settle { fault, running: false },
        Outcome::Rejected(fault) | Outcome::NotFound(fault) | Outcome::Denied(fault) => Verdict::Stop(fault),
    }
}
