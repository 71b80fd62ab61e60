//! Dispatches a request of the `webchat` API to its handler.
//!
//! In: a call with its route. Out: an answer. Never: performs a call that its organization's rate
//! limit refuses. Start reading at [`World::dispatch_webchat`].

use crate::emulator::call::Call;
use crate::emulator::error::{Answer, ApiError, wrong_method};
use crate::emulator::message::Response;
use crate::emulator::webchat::rate::Bucket;
use crate::emulator::webchat::route::WebchatRoute;
use crate::emulator::world::World;

impl World {
    /// Answers a call of the `webchat` API.
    pub(in crate::emulator) fn dispatch_webchat(&mut self, call: &Call, route: &WebchatRoute) -> Answer {
        if let WebchatRoute::WrongMethod(allowed, _) = route {
            return Err(wrong_method(allowed));
        }
        let grant = self.authenticate(call.request, call.now)?;
        if let Some(Err(wait_s)) = self.bucket(call).map(|bucket| bucket.take(call.now)) {
            return Err(ApiError::new(429, "rate.limit.exceeded", "too many requests for this organization")
                .with_header("retry-after", wait_s.to_string()));
        }
        match route {
            WebchatRoute::Read(id) => self.read_configuration(call, id, &grant),
            WebchatRoute::Write(id) => self.write_configuration(call, id, &grant),
            WebchatRoute::Delete(id) => self.delete_configuration(call, id, &grant),
            WebchatRoute::Replicate => self.start_replication(call, &grant),
            WebchatRoute::Replication(id) => self.read_job(id, &grant),
            WebchatRoute::Audit => self.query_audit(call, &grant),
            WebchatRoute::WrongMethod(allowed, _) => Err(wrong_method(allowed)),
        }
    }

    /// Adds the headers with the organization's limit and the number of requests that are left.
    pub(in crate::emulator) fn tell_limit(&mut self, call: &Call, response: Response) -> Response {
        let per_minute = self.settings.rate_limit_per_minute;
        let Some(bucket) = self.bucket(call) else { return response };
        let remaining = bucket.remaining(call.now);
        response
            .with_header("x-ratelimit-limit", per_minute.to_string())
            .with_header("x-ratelimit-remaining", remaining.to_string())
    }

    /// Returns the bucket of a call's organization, if the organization has a rate limit.
    fn bucket(&mut self, call: &Call) -> Option<&mut Bucket> {
        let per_minute = self.settings.rate_limit_per_minute;
        let id = call.organization.as_ref().filter(|id| per_minute > 0 && self.exists(id))?;
        let buckets = &mut self.webchat.buckets;
        Some(buckets.entry(id.clone()).or_insert_with(|| Bucket::full(per_minute, call.now)))
    }
}
