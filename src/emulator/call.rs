//! One API request, with what was found out about it.
//!
//! In: a request and its route. Out: what handlers ask about it. Never: changes the world.

use crate::emulator::actor::CallOrigin;
use crate::emulator::fault::FaultAction;
use crate::emulator::message::Request;
use crate::emulator::oauth::Grant;
use crate::emulator::route::Route;
use jiff::Timestamp;

/// One API request on its way through.
pub(super) struct Call<'a> {
    /// As it arrived.
    pub request: &'a Request,
    /// When it arrived.
    pub now: Timestamp,
    /// The id its answer carries.
    pub request_id: String,
    /// What it asks for.
    pub route: Route,
    /// The organization it is about, if it is one.
    pub organization: Option<String>,
    /// What goes wrong with it.
    pub fault: Option<FaultAction>,
}

impl Call<'_> {
    /// Says whether a fault asks for the previous version.
    pub fn wants_stale(&self) -> bool {
        matches!(self.fault, Some(FaultAction::Stale))
    }

    /// Names the targets a fault has fail.
    pub fn failing_targets(&self) -> &[String] {
        match &self.fault {
            Some(FaultAction::FailTargets(ids)) => ids,
            _ => &[],
        }
    }

    /// Describes the caller for the audit trail.
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
