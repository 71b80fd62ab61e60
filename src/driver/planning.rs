//! Plans many tenants at once, without writing anything.

use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};

use super::drive::{self, Watcher};
use super::leases::Held;
use super::ports::Reads;
use crate::reconcile::Run;

/// Drives every run until it has a plan, so many at once; with the journal where a run has a lease. The result is in
/// the order of the tenants' names.
pub async fn plan<R: Reads + Clone + 'static>(
    runs: impl IntoIterator<Item = (Run, Option<Arc<Held>>)>,
    reads: &R,
    concurrency: usize,
    watcher: &Arc<dyn Watcher>,
    on_plan: &(dyn Fn() + Sync),
) -> Vec<Result<Run, Panicked>> {
    let mut planned: Vec<(usize, Result<Run, Panicked>)> =
        futures::stream::iter(runs.into_iter().enumerate())
            .map(|(at, (run, held))| {
                // A task each: comparing costs more than asking, and is spread over all cores.
                let (reads, watcher) = (reads.clone(), Arc::clone(watcher));
                let task = tokio::spawn(async move {
                    match held {
                        None => drive::plan(run, &reads, watcher.as_ref()).await,
                        Some(held) => drive::prepare(run, &reads, held.as_ref(), watcher.as_ref()).await,
                    }
                });
                task.map(move |done| {
                    on_plan();
                    (at, done.map_err(|_| Panicked))
                })
            })
            .buffer_unordered(concurrency.max(1))
            .collect()
            .await;
    planned.sort_by_key(|(at, _)| *at);
    planned.into_iter().map(|(_, run)| run).collect()
}

/// A run that ended by a defect of genesync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run of it ended unexpectedly: a defect of genesync; please report it with the log")]
pub struct Panicked;
