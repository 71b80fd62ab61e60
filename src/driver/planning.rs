//! Plans many tenants concurrently, without writing anything to them.

use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};

use super::drive::{self, Watcher};
use super::leases::Held;
use super::ports::Reads;
use crate::reconcile::Run;

/// Drives every run until it has a plan, at most `concurrency` at once. A run with a lease also writes its
/// journal. Returns the runs in the given order.
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
                // One task for each run: comparing costs more than reading, and tasks use all cores.
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

/// The run panicked, because of a bug in genesync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run ended unexpectedly because of a bug in genesync: report the bug with the log")]
pub struct Panicked;
