//! The retry budget of each region: how much may fail before asking again only adds to it.
//!
//! In: what became of a request. Out: the same, given up on where the region's budget is spent. Never: counts what
//! nobody was asked, or what somebody said no to.
//! Start reading at [`Client::account`].

#![warn(clippy::wildcard_enum_match_arm, reason = "a new outcome is decided about here")]

use std::sync::PoisonError;

use super::super::operation::Operation;
use super::super::pace::RetryBudget;
use super::{Client, Sent};
use crate::model::{Fault, FaultKind, Region};

impl Client {
    /// Keeps the retry budget of a region: a passing failure is worth retrying only while there is budget
    /// for it. A region that is down can't use up what the others have.
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
            // Nobody was asked, or somebody said no: that is neither a success nor a passing failure of the server.
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
                response.fault(kind, format!("it was answered with {}", response.status))
            }
            Sent::Lost(fault) | Sent::Never(fault) => fault.clone(),
        };
        let message = format!(
            "{}: {}; too much else in {region} failed for it to be retried",
            operation.subject, fault.message
        );
        Sent::Never(Fault { given_up: true, message, ..fault })
    }
}
