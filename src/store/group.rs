//! Appends that come together are made durable together: a disk takes as long for one as for a hundred.
//!
//! Whoever appends puts it into a line and waits for the writer; who gets it first takes along all that stand
//! there by then, each in a savepoint of its own: one that is refused does not concern the others.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::Connection as _;
use tokio::sync::oneshot;

use super::lease::Lease;
use super::{Store, StoreError, failed};
use crate::model::{Record, causes};

/// Most appends of one commit.
const TOGETHER_MAX: usize = 256;
const DOING: &str = "writing the journal";

/// Appends that wait for the writer.
#[derive(Debug, Default)]
pub struct Group {
    line: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    lease: Lease,
    records: Vec<Record>,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Store {
    /// Appends with whoever else appends now.
    pub(super) async fn append_in_group(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        let (answer, mut answered) = oneshot::channel();
        let waiting = Waiting { lease: lease.clone(), records: records.to_vec(), answer };
        self.group.line.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
        let group = Arc::clone(&self.group);
        loop {
            let turn = group.turn.lock().await;
            // Somebody before us may have taken it along.
            match answered.try_recv() {
                Ok(result) => return result,
                Err(oneshot::error::TryRecvError::Closed) => return Err(lost("its writer was ended")),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let together: Vec<Waiting> = {
                let mut line = group.line.lock().unwrap_or_else(PoisonError::into_inner);
                let count = line.len().min(TOGETHER_MAX);
                line.drain(..count).collect()
            };
            self.append_together(together).await;
            drop(turn);
        }
    }

    async fn append_together(&self, together: Vec<Waiting>) {
        let mut ended = Vec::with_capacity(together.len());
        let written = async {
            let mut transaction = self.writer.begin(DOING).await?;
            for Waiting { lease, records, answer } in together {
                let mut own = transaction.begin().await.map_err(failed(DOING))?;
                let result = self.append_within(&mut own, &lease, &records).await;
                let closed = match &result {
                    Ok(()) => own.commit().await,
                    Err(_) => own.rollback().await,
                };
                ended.push((answer, result));
                closed.map_err(failed(DOING))?;
            }
            transaction.commit().await.map_err(failed(DOING))
        };
        let written = written.await;
        for (answer, result) in ended {
            let result = match &written {
                Ok(()) => result,
                Err(error) => Err(lost(&causes(error))),
            };
            // Whoever asked may be gone: then nobody goes on from here.
            let _ = answer.send(result);
        }
        // What was not reached is answered too: its sender is dropped with it.
    }
}

/// Several wait for one commit, and each is told why it failed.
fn lost(why: &str) -> StoreError {
    StoreError::Database { doing: DOING, source: sqlx::Error::Protocol(why.to_owned()) }
}
