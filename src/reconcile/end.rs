//! How a run ended, with its cause, and what people see of that.

use super::Advance;
use crate::model::{Fault, Refusal, Status};
use crate::plan::guards::window::{Opening, waits_for};

const STOPPED: &str = "stopped by the operator before the end of its run";

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum End {
    /// Live equals git in every region, and every write is confirmed.
    Synced,
    /// Git is ahead, and the tenant is only watched.
    OutOfSync,
    /// Live moved, and the tenant is only watched.
    Drifted,
    /// Live equals git, but some writes, of this run or of earlier ones, have no audit entry. With the fault if the
    /// audit log could not be queried.
    Unconfirmed(Option<Fault>),
    /// Nothing was written yet, and it will be without anybody's decision.
    Waiting(Wait),
    /// Guards refused the plan.
    Refused(Vec<Refusal>),
    /// A person decides.
    Held(Hold),
    /// Something outside failed.
    Degraded(Fault),
    /// An operator stopped the process; how far the run was, where it had begun to write.
    Cancelled(Option<Advance>),
    /// Another replica works on the tenant now; it settles what this run left open.
    LeaseLost,
    /// Git moved on, or the tenant was paused, before this run wrote what it had planned.
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

/// Why a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldCause {
    /// An object needs a decision before anything is written to it.
    Undecided,
    /// Another user keeps changing what git says: genesync would only set it back again.
    Flapping,
    /// Other clients wrote first, more often than a run retries.
    Contended,
    /// The platform does not keep what it accepted.
    NotKept,
    /// A write went over a change that it had not seen.
    WentOver,
    /// The live configuration is not what was reviewed.
    NotReviewed,
}

/// A run that ended because a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The cause.
    pub cause: HoldCause,
    /// One sentence that names the object.
    pub reason: String,
}

impl End {
    /// Ends for a person to decide.
    pub fn held(cause: HoldCause, reason: impl Into<String>) -> Self {
        End::Held(Hold { cause, reason: reason.into() })
    }

    /// What people see; none if the run was not run to its end, and says nothing of its tenant.
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

    /// Why a tenant is not synced.
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
                format!("{STOPPED}: {done} of {all} objects are as git says; the next run does the others")
            }
            End::LeaseLost => {
                "its lease ran out, or went to another process, before its run ended; whoever looks at it next goes on from there"
                    .into()
            }
            End::Superseded => {
                "git moved on, or the tenant was paused, before anything more was written; the next run starts from there"
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
