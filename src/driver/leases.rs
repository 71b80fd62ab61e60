//! Renews leases while runs hold them, and reports when one is lost.
//!
//! A lease is renewed after a third of its length. Without an answer for two thirds of its length, the
//! process gives it up: in the database it may last longer, never shorter, because its length counts from
//! before the request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::model::{Record, TenantName};
use crate::store::{Lease, Store, StoreError};

/// Renews the held leases until it is dropped.
#[derive(Debug)]
pub struct Leases {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    length: Duration,
    held: Mutex<BTreeMap<TenantName, Arc<State>>>,
}

#[derive(Debug)]
struct State {
    lease: Lease,
    ours_until: Mutex<Instant>,
    lost: CancellationToken,
}

/// A lease that is renewed until this is dropped. Dropping does not release it.
#[derive(Debug)]
pub struct Held {
    shared: Arc<Shared>,
    state: Arc<State>,
}

/// Receives the number of leases that were lost in one round of renewals.
pub type OnLoss = Box<dyn Fn(usize) + Send + Sync>;

impl Leases {
    /// Starts to renew leases that [`Leases::hold`] adds.
    pub fn start(store: &Store, length: Duration, on_loss: OnLoss) -> Self {
        let shared = Arc::new(Shared { store: store.clone(), length, held: Mutex::default() });
        let stop = CancellationToken::new();
        let (task, stopped) = (Arc::clone(&shared), stop.clone());
        tokio::spawn(async move {
            let renewing = async {
                loop {
                    tokio::time::sleep(task.length / 3).await;
                    let lost = task.renew().await;
                    // After the renewal and with a timeout, so that no renewal waits for it. The store's
                    // handle keeps the result.
                    let _ = tokio::time::timeout(task.length / 6, task.store.count_epoch()).await;
                    if lost > 0 {
                        on_loss(lost);
                    }
                }
            };
            stopped.run_until_cancelled(renewing).await;
        });
        Self { shared, stop }
    }

    /// Holds a lease that was requested at `asked_at`.
    pub fn hold(&self, lease: Lease, asked_at: Instant) -> Held {
        let state = Arc::new(State {
            ours_until: Mutex::new(asked_at + self.shared.trusted()),
            lost: CancellationToken::new(),
            lease,
        });
        let mut held = self.shared.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(state.lease.tenant.clone(), Arc::clone(&state));
        Held { shared: Arc::clone(&self.shared), state }
    }

    /// Returns the number of held leases.
    pub fn count(&self) -> usize {
        self.shared.held.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    /// Returns how long the process relies on a lease after its last request.
    fn trusted(&self) -> Duration {
        self.length * 2 / 3
    }

    /// Renews all leases once. Returns the number of lost leases.
    async fn renew(&self) -> usize {
        let states: Vec<Arc<State>> =
            self.held.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        if states.is_empty() {
            return 0;
        }
        let leases: Vec<Lease> = states.iter().map(|state| state.lease.clone()).collect();
        let asked_at = clock::monotonic();
        let patience = self.length / 3;
        let answer = tokio::time::timeout(patience, self.store.renew(&leases, self.length)).await;
        let mut lost = 0;
        for state in states {
            match &answer {
                Ok(Ok(renewed)) if renewed.contains(&state.lease.tenant) => {
                    *state.ours_until.lock().unwrap_or_else(PoisonError::into_inner) =
                        asked_at + self.trusted();
                }
                // Another process holds it, or it expired.
                Ok(Ok(_)) => {
                    state.lost.cancel();
                    lost += 1;
                }
                // The store did not answer: the lease lasts as long as the last answer allows.
                Ok(Err(_)) | Err(_) => {
                    if !state.is_ours(clock::monotonic()) {
                        state.lost.cancel();
                        lost += 1;
                    }
                }
            }
        }
        lost
    }
}

impl State {
    fn is_ours(&self, now: Instant) -> bool {
        !self.lost.is_cancelled() && now < *self.ours_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The lease.
    pub fn lease(&self) -> &Lease {
        &self.state.lease
    }

    /// Whether the process may go on working under it.
    pub fn is_ours(&self) -> bool {
        self.state.is_ours(clock::monotonic())
    }

    /// Writes records under the lease's token.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        self.shared.store.append(&self.state.lease, records).await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.shared.held.lock().unwrap_or_else(PoisonError::into_inner);
        // A later lease on the same tenant stays.
        if held.get(&self.state.lease.tenant).is_some_and(|state| Arc::ptr_eq(state, &self.state)) {
            held.remove(&self.state.lease.tenant);
        }
    }
}
