//! The interface between the reading code and the transport: a [`Caller`] performs one request.

use std::time::Duration;

use crate::api::ReadApi;
use crate::model::{Fault, Region, Target};
use crate::platform::operation::{Operation, Response};

/// Performs requests: the client over HTTP, a simulator within its own process.
pub trait Caller: Sync {
    /// Performs a request about a target and returns the answer, whatever its status.
    ///
    /// # Errors
    /// There was no answer.
    fn call(
        &self,
        target: &Target,
        operation: &Operation,
    ) -> impl Future<Output = Result<Response, Fault>> + Send;

    /// Fetches a result without a token from the location that an answer names.
    ///
    /// # Errors
    /// There was no answer, or the location is not in the region.
    fn fetch(
        &self,
        region: Region,
        location: &str,
        subject: &str,
    ) -> impl Future<Output = Result<Response, Fault>> + Send;

    /// Waits between two polls.
    fn wait(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// The number of requests of one look that may be under way at once.
    fn in_flight(&self) -> usize {
        1
    }
}

impl Caller for ReadApi {
    async fn call(&self, target: &Target, operation: &Operation) -> Result<Response, Fault> {
        self.call(target, operation).await
    }

    async fn fetch(&self, region: Region, location: &str, subject: &str) -> Result<Response, Fault> {
        self.client.fetch_pointed_to(region, location, subject).await
    }

    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn in_flight(&self) -> usize {
        self.client.in_flight()
    }
}
