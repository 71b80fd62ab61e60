//! Slots: how many runs may send requests at once, in total and for each name of credentials.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::CredentialsName;

/// All slots.
#[derive(Debug)]
pub struct Slots {
    all: Arc<Semaphore>,
    each_max: usize,
    each: Mutex<BTreeMap<CredentialsName, Arc<Semaphore>>>,
}

/// A taken slot; dropping it releases the slot.
#[derive(Debug)]
struct Slot {
    _each: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Slots {
    /// Makes `all_max` slots in total and `each_max` for each name of credentials.
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

    /// Waits for a slot. It takes the slot of the credentials first, so that no run holds a common slot while
    /// it waits.
    async fn take(&self, credentials: &CredentialsName) -> Option<Slot> {
        // Neither semaphore is ever closed.
        let each = self.of(credentials).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Slot { _each: each, _all: all })
    }

    /// Waits for a slot for one run, which releases it while it waits for something else.
    pub async fn hold(&self, credentials: &CredentialsName) -> HeldSlot<'_> {
        let slot = Mutex::new(self.take(credentials).await);
        HeldSlot { slots: self, credentials: credentials.clone(), slot }
    }

    /// Returns the number of free slots.
    pub fn free(&self) -> usize {
        self.all.available_permits()
    }

    /// Returns the credentials without a free slot.
    pub fn saturated(&self) -> BTreeSet<CredentialsName> {
        let each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let full = each.iter().filter(|(_, semaphore)| semaphore.available_permits() == 0);
        full.map(|(name, _)| name.clone()).collect()
    }
}

/// The slot of one run.
#[derive(Debug)]
pub struct HeldSlot<'a> {
    slots: &'a Slots,
    credentials: CredentialsName,
    slot: Mutex<Option<Slot>>,
}

impl HeldSlot<'_> {
    /// Releases the slot.
    pub fn give_back(&self) {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits for a slot again.
    pub async fn take_again(&self) {
        let slot = self.slots.take(&self.credentials).await;
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn any_number_of_slots_is_accepted() {
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
