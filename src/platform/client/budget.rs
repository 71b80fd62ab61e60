//! The retry budget of each region: limits retries, so that they do not overload a region with many failures.
//!
//! In: the outcome of a request. Out: the same outcome, marked as given up if the region's budget is
//! used up. Requests that were not sent or were refused do not count. Start reading at [`Client::account`].

#![warn(clippy::wildcard_enum_match_arm, reason = "a new outcome needs a decision here")]

use std::sync::PoisonError;

use super::super::operation::Operation;
use super::super::pace::RetryBudget;
use super::{Client, Sent};
use crate::model::{Fault, FaultKind, Region};

impl Client {
    /// Updates the retry budget of a region. A temporary failure is retried only while there is budget for
    /// it. Each region has its own budget, so a region that is down does not affect the others.
    pub(super) fn account(&self, region: Region, operation: &Operation, sent: Sent) -> Sent {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = budgets.entry(region).or_insert_with(RetryBudget::full);
        let throttled = match &sent {
            Sent::Answered(response) if matches!(response.status, 408 | 429 | 500..=599) => {
                response.status == 429
            }
            Sent::Answered(_) => {
                budget.refund();
                return sent;
            }
            // A request that was not sent or was refused is neither a success nor a temporary failure of the
            // server.
            Sent::Lost(fault) | Sent::Never(fault) if fault.given_up || !fault.kind.passes() => {
                return sent;
            }
            Sent::Lost(fault) | Sent::Never(fault) => fault.kind == FaultKind::Throttled,
        };
        if operation.verb.mutates() || budget.pay(throttled) {
            return sent;
        }
        let kind = if throttled { FaultKind::Throttled } else { FaultKind::Transient };
        let fault = match &sent {
            Sent::Answered(response) => {
                response.fault(kind, format!("the API answered with {}", response.status))
            }
            Sent::Lost(fault) | Sent::Never(fault) => fault.clone(),
        };
        let message = format!(
            "{}: {}, and genesync does not retry it, because too many requests in {region} failed",
            operation.subject, fault.message
        );
        Sent::Never(Fault { given_up: true, message, ..fault })
    }
}
