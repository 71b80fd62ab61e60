//! One API request with its route, organization and fault.
//!
//! In: a request and its route. Out: the facts that handlers need. Never: changes the world.

use crate::emulator::actor::CallOrigin;
use crate::emulator::fault::FaultAction;
use crate::emulator::message::Request;
use crate::emulator::oauth::Grant;
use crate::emulator::route::Route;
use jiff::Timestamp;

/// One API request during its handling.
pub(super) struct Call<'a> {
    /// The request as it arrived.
    pub request: &'a Request,
    /// The time when it arrived.
    pub now: Timestamp,
    /// The id in its answer.
    pub request_id: String,
    /// Its route.
    pub route: Route,
    /// The organization of the request, if it concerns exactly one.
    pub organization: Option<String>,
    /// The fault that applies to it.
    pub fault: Option<FaultAction>,
}

impl Call<'_> {
    /// Returns whether a fault requires the previous version.
    pub fn wants_stale(&self) -> bool {
        matches!(self.fault, Some(FaultAction::Stale))
    }

    /// Returns the targets that fail because of a fault.
    pub fn failing_targets(&self) -> &[String] {
        match &self.fault {
            Some(FaultAction::FailTargets(ids)) => ids,
            _ => &[],
        }
    }

    /// Returns the origin of a change by this call, for the audit trail.
    pub fn origin(&self, grant: &Grant) -> CallOrigin {
        let forwarded = self.request.header("x-forwarded-for").and_then(|list| list.split(',').next());
        let remote_ip = forwarded.map(str::trim).filter(|ip| !ip.is_empty()).unwrap_or("127.0.0.1");
        CallOrigin {
            actor: grant.actor(),
            remote_ip: remote_ip.to_owned(),
            request_id: self.request_id.clone(),
            at: self.now,
        }
    }
}
