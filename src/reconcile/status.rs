//! How a run ended, and the words for it.

use crate::model::{Fault, Refusal};

/// How a run ended: the status of its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Status {
    /// Live equals git in every region, and every write is confirmed.
    Synced,
    /// Git is ahead, and the tenant is only watched.
    OutOfSync,
    /// Live moved, and the tenant is only watched.
    Drifted,
    /// Live equals git, but some writes, of this run or of earlier ones, have no audit entry.
    Unconfirmed(Option<Fault>),
    /// A guard refused the plan.
    Refused(Vec<Refusal>),
    /// A person has to decide.
    Held(String),
    /// A person has to decide, because going on would only undo what somebody else goes on doing: it ends with
    /// the quarrel, not with the next run.
    Contested(String),
    /// Something outside failed.
    Degraded(Fault),
    /// The operator stopped it.
    Cancelled,
    /// Another replica works on the tenant now; what it left open is that replica's to settle.
    LeaseLost,
    /// Git moved on, or the tenant was paused, before this run wrote what it had planned.
    Superseded,
}

impl Status {
    /// The word for a status.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Synced => "Synced",
            // Git is ahead of this run: the next one has more to do.
            Status::OutOfSync | Status::Superseded => "OutOfSync",
            Status::Drifted => "Drifted",
            Status::Unconfirmed(_) => "Unconfirmed",
            Status::Refused(_) | Status::Held(_) | Status::Contested(_) => "Held",
            Status::Degraded(_) => "Degraded",
            Status::Cancelled => "Paused",
            // By the other replica.
            Status::LeaseLost => "Applying",
        }
    }

    /// Why a tenant is not synced.
    pub fn reason(&self) -> Option<String> {
        match self {
        Status::Synced => None,
        Status::OutOfSync => Some("git is ahead, and the tenant is in watch mode".into()),
        Status::Drifted => Some("the live configuration was changed, and the tenant is in watch mode".into()),
        Status::Unconfirmed(None) => Some("applied, but the audit log has no entry for it yet".into()),
        Status::Unconfirmed(Some(fault)) => {
            Some(format!("applied, but the audit log could not be asked: {fault}"))
        }
        Status::Refused(refusals) => Some(
            refusals
                .iter()
                .map(|refusal| format!("{}: {}", refusal.guard.name(), refusal.message))
                .collect::<Vec<_>>()
                .join("; "),
        ),
        Status::Held(reason) | Status::Contested(reason) => Some(reason.clone()),
        Status::Degraded(fault) => Some(fault.to_string()),
        Status::Cancelled => Some("stopped by the operator".into()),
        Status::LeaseLost => Some("another replica works on it now".into()),
        Status::Superseded => Some(
            "git moved on, or the tenant was paused, before anything more was written; the next run starts from there"
                .into(),
        ),
    }
    }
}
