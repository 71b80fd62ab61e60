//! The end of a run: its kind, its cause, and the status and reason that users see.

use super::Advance;
use crate::model::{Fault, Refusal, Status};
use crate::plan::guards::window::{Opening, waits_for};

const STOPPED: &str = "stopped by an operator before the end of the run";

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum End {
    /// Live equals git in every region, and every write is confirmed.
    Synced,
    /// Git is ahead, and the tenant is in watch mode.
    OutOfSync,
    /// The live configuration changed, and the tenant is in watch mode.
    Drifted,
    /// Live equals git, but some writes, of this run or of earlier ones, have no audit entry. Has the fault
    /// if the audit log could not be queried.
    Unconfirmed(Option<Fault>),
    /// Nothing was written yet; genesync writes later without a decision of a person.
    Waiting(Wait),
    /// Guards refused the plan.
    Refused(Vec<Refusal>),
    /// A person has to decide.
    Held(Hold),
    /// Something outside failed.
    Degraded(Fault),
    /// An operator stopped the process. Has the progress if the run had begun to write.
    Cancelled(Option<Advance>),
    /// Another replica works on the tenant now; it resolves the open intents of this run.
    LeaseLost,
    /// Git has a newer commit or the tenant was paused before this run wrote its plan.
    Superseded,
}

/// What a change waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wait {
    /// A tenant of this lower wave that does not have its change yet.
    Wave(u32),
    /// The tenant's change window.
    Window(Opening),
}

/// Why a person has to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldCause {
    /// An object needs a decision before anything is written to it.
    Undecided,
    /// Another user keeps changing a managed field: genesync would only set it back again.
    Flapping,
    /// Other clients wrote first, more often than a run retries.
    Contended,
    /// The platform does not keep what it accepted.
    NotKept,
    /// A write overwrote an unread change.
    WentOver,
    /// The live configuration is not what was reviewed.
    NotReviewed,
}

/// A run that ended because a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The cause.
    pub cause: HoldCause,
    /// One sentence that names the object.
    pub reason: String,
}

impl End {
    /// Returns an end that a person has to decide.
    pub fn held(cause: HoldCause, reason: impl Into<String>) -> Self {
        End::Held(Hold { cause, reason: reason.into() })
    }

    /// Returns the status that users see; none if the run was interrupted and has no result for its tenant.
    pub fn status(&self) -> Option<Status> {
        Some(match self {
            End::Synced => Status::Synced,
            End::OutOfSync => Status::OutOfSync,
            End::Drifted => Status::Drifted,
            End::Unconfirmed(_) => Status::Unconfirmed,
            End::Waiting(_) => Status::Waiting,
            End::Refused(_) => Status::Refused,
            End::Held(_) => Status::Held,
            End::Degraded(fault) => Status::Degraded(fault.kind),
            End::Cancelled(_) | End::LeaseLost | End::Superseded => return None,
        })
    }

    /// Returns why a tenant is not synced.
    pub fn reason(&self) -> Option<String> {
        Some(match self {
            End::Synced => return None,
            End::OutOfSync => "git is ahead, and the tenant is in watch mode".into(),
            End::Drifted => "the live configuration was changed, and the tenant is in watch mode".into(),
            End::Unconfirmed(None) => "applied, but the audit log has no entry for it yet".into(),
            End::Unconfirmed(Some(fault)) => {
                format!("applied, but the audit log could not be queried: {fault}")
            }
            End::Waiting(wait) => wait.to_string(),
            End::Refused(refusals) => refusals
                .iter()
                .map(|refusal| format!("{}: {}", refusal.guard.name(), refusal.message))
                .collect::<Vec<_>>()
                .join("; "),
            End::Held(hold) => hold.reason.clone(),
            End::Degraded(fault) => fault.to_string(),
            End::Cancelled(None) => STOPPED.into(),
            End::Cancelled(Some(Advance { done, all })) => {
                format!("{STOPPED}: {done} of {all} objects match git; the next run writes the others")
            }
            End::LeaseLost => {
                "the lease expired or moved to another process before the run ended; the next run continues from there"
                    .into()
            }
            End::Superseded => {
                "git has a newer commit or the tenant was paused before the next write; the next run starts from there"
                    .into()
            }
        })
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wait::Wave(wave) => write!(f, "waits for wave {wave}"),
            Wait::Window(opening) => f.write_str(&waits_for(opening)),
        }
    }
}
