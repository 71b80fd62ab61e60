//! Requests that were let through: a pacer has to know how many there are.

use std::sync::PoisonError;

use super::Client;
use crate::platform::account::BucketKey;
use crate::platform::pace::Pacer;

/// A request that was let through, until it was answered or given up.
pub(super) struct UnderWay<'a> {
    client: &'a Client,
    key: BucketKey,
}

impl<'a> UnderWay<'a> {
    pub(super) fn begin(client: &'a Client, key: BucketKey) -> Self {
        let under_way = Self { client, key };
        under_way.tell(Pacer::left);
        under_way
    }

    fn tell(&self, what: fn(&mut Pacer)) {
        let mut pacers = self.client.pacers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pacer) = pacers.get_mut(&self.key) {
            what(pacer);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.tell(Pacer::came_back);
    }
}
