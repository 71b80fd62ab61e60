//! How many runs may have a request under way: overall, and for each name of credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::CredentialsName;

/// The places there are.
#[derive(Debug)]
pub struct Slots {
    all: Arc<Semaphore>,
    each_max: usize,
    each: Mutex<BTreeMap<CredentialsName, Arc<Semaphore>>>,
}

/// A place that is taken, until this is dropped.
#[derive(Debug)]
struct Slot {
    _each: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Slots {
    /// So many places in all, and so many for one name of credentials.
    pub fn new(all_max: usize, each_max: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all_max.clamp(1, Semaphore::MAX_PERMITS))),
            each_max: each_max.clamp(1, Semaphore::MAX_PERMITS),
            each: Mutex::default(),
        }
    }

    fn of(&self, credentials: &CredentialsName) -> Arc<Semaphore> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Semaphore::new(self.each_max));
        Arc::clone(each.entry(credentials.clone()).or_insert_with(fresh))
    }

    /// Waits for a place. First the rarer one, so that nobody sits on a common place while waiting for it.
    async fn take(&self, credentials: &CredentialsName) -> Option<Slot> {
        // Neither is ever closed.
        let each = self.of(credentials).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Slot { _each: each, _all: all })
    }

    /// Waits for a place for one run, which gives it back while it waits for something else.
    pub async fn hold(&self, credentials: &CredentialsName) -> HeldSlot<'_> {
        let slot = Mutex::new(self.take(credentials).await);
        HeldSlot { slots: self, credentials: credentials.clone(), slot }
    }

    /// Places that are free.
    pub fn free(&self) -> usize {
        self.all.available_permits()
    }

    /// Credentials without a free place.
    pub fn saturated(&self) -> BTreeSet<CredentialsName> {
        let each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let full = each.iter().filter(|(_, semaphore)| semaphore.available_permits() == 0);
        full.map(|(name, _)| name.clone()).collect()
    }
}

/// The place of one run.
#[derive(Debug)]
pub struct HeldSlot<'a> {
    slots: &'a Slots,
    credentials: CredentialsName,
    slot: Mutex<Option<Slot>>,
}

impl HeldSlot<'_> {
    /// Gives it back.
    pub fn give_back(&self) {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits until there is one again.
    pub async fn take_again(&self) {
        let slot = self.slots.take(&self.credentials).await;
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn any_number_of_places_can_be_asked_for() {
        for places in [0, 1, usize::MAX] {
            let slots = Slots::new(places, places);
            let credentials = CredentialsName::new("main");
            let held = slots.hold(&credentials).await;
            let free = slots.free();
            held.give_back();
            assert_eq!(slots.free(), free + 1);
            held.take_again().await;
            assert_eq!(slots.free(), free);
        }
    }
}
