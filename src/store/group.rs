//! Group commit: writes that arrive together are committed together, because a disk syncs a hundred rows as
//! fast as one.
//!
//! A caller adds its write to a queue and waits for the writer. The first caller that gets the writer takes
//! all queued writes. A refused write does not affect the others. If one fails, each is tried alone.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::{Any, Transaction};
use tokio::sync::oneshot;

use super::claimed::Lease;
use super::ended::Finished;
use super::{Store, StoreError, failed};
use crate::model::{Record, causes};

/// Largest number of writes in one commit.
const TOGETHER_MAX: usize = 256;
const DOING: &str = "writing the journal";
const ENDING: &str = "recording the results of runs";

/// The queues for the writer.
#[derive(Debug, Default)]
pub struct Group {
    appends: Line<Append>,
    ends: Line<Finished>,
}

/// Records of one tenant.
#[derive(Debug)]
struct Append {
    lease: Lease,
    records: Vec<Record>,
}

type Answer = oneshot::Sender<Result<(), StoreError>>;

#[derive(Debug)]
struct Line<T> {
    waiting: Mutex<Vec<(T, Answer)>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<T> Line<T> {
    /// Writes one item together with all others that are queued by then.
    async fn join<'a>(
        &self,
        one: T,
        write: impl Fn(Vec<(T, Answer)>) -> BoxFuture<'a, ()>,
    ) -> Result<(), StoreError> {
        let (answer, mut answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((one, answer));
        loop {
            let turn = self.turn.lock().await;
            // Another caller may have written it already.
            match answered.try_recv() {
                Ok(result) => return result,
                Err(oneshot::error::TryRecvError::Closed) => return Err(lost(DOING, "its writer stopped")),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let together: Vec<(T, Answer)> = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let count = waiting.len().min(TOGETHER_MAX);
                waiting.drain(..count).collect()
            };
            write(together).await;
            drop(turn);
        }
    }
}

impl Store {
    /// Appends records in one commit with other callers.
    pub(super) async fn append_in_group(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        let append = Append { lease: lease.clone(), records: records.to_vec() };
        let group = Arc::clone(&self.group);
        group.appends.join(append, |together| self.append_together(together).boxed()).await
    }

    /// Records the result of one run in one commit with those of other runs.
    ///
    /// # Errors
    /// As [`Store::finish`], of this run alone.
    pub async fn finish_in_group(&self, finished: &Finished) -> Result<(), StoreError> {
        let group = Arc::clone(&self.group);
        group.ends.join(finished.clone(), |together| self.finish_together(together).boxed()).await
    }

    async fn append_together(&self, together: Vec<(Append, Answer)>) {
        let (appends, answers): (Vec<Append>, Vec<Answer>) = together.into_iter().unzip();
        let mut results = Vec::with_capacity(appends.len());
        match self.append_all(&appends).await {
            Ok((transaction, refused_or_not)) => {
                let committed = transaction.commit().await;
                // After a failed commit it is unknown whether any write is durable, so none is tried again.
                let reported = |result| match &committed {
                    Ok(()) => result,
                    Err(error) => Err(lost(DOING, &causes(error))),
                };
                results.extend(refused_or_not.into_iter().map(reported));
            }
            // Nothing was committed and one write may be the cause, so each is tried alone.
            Err(error) if appends.len() > 1 && is_of_a_row(&error) => {
                for Append { lease, records } in &appends {
                    results.push(self.append_alone(lease, records).await);
                }
            }
            Err(error) => results.extend(shared(error, appends.len(), DOING)),
        }
        tell(answers, results);
    }

    /// Writes all appends that are not refused, without the commit. A refusal comes before any row of the
    /// append.
    async fn append_all(
        &self,
        appends: &[Append],
    ) -> Result<(Transaction<'static, Any>, Vec<Result<(), StoreError>>), StoreError> {
        let mut transaction = self.writer.begin(DOING).await?;
        let mut results = Vec::with_capacity(appends.len());
        for Append { lease, records } in appends {
            match self.append_within(&mut transaction, lease, records).await {
                result @ (Ok(())
                | Err(
                    StoreError::Fenced { .. }
                    | StoreError::Superseded { .. }
                    | StoreError::Off { .. }
                    | StoreError::Exchanged { .. },
                )) => {
                    results.push(result);
                }
                Err(error) => {
                    transaction.rollback().await.map_err(failed(DOING))?;
                    return Err(error);
                }
            }
        }
        Ok((transaction, results))
    }

    async fn finish_together(&self, together: Vec<(Finished, Answer)>) {
        let (finished, answers): (Vec<Finished>, Vec<Answer>) = together.into_iter().unzip();
        let mut results = Vec::with_capacity(finished.len());
        match self.finish(&finished).await {
            Err(error) if finished.len() > 1 && is_of_a_row(&error) => {
                for one in &finished {
                    results.push(self.finish(std::slice::from_ref(one)).await);
                }
            }
            Err(error) => results.extend(shared(error, finished.len(), ENDING)),
            Ok(()) => results.extend(finished.iter().map(|_| Ok(()))),
        }
        tell(answers, results);
    }
}

fn tell(answers: Vec<Answer>, results: Vec<Result<(), StoreError>>) {
    for (answer, result) in answers.into_iter().zip(results) {
        // The caller may be gone; then there is no one to answer.
        let _ = answer.send(result);
    }
}

/// Returns a copy of a commit's error, as a text, for one of several callers.
fn lost(doing: &'static str, why: &str) -> StoreError {
    StoreError::Database { doing, source: sqlx::Error::Protocol(why.to_owned()) }
}

/// Returns an error for each of `count` callers: the first gets the original, the others copies.
fn shared(error: StoreError, count: usize, doing: &'static str) -> Vec<Result<(), StoreError>> {
    let why = causes(&error);
    let others = (1..count).map(|_| Err(lost(doing, &why)));
    std::iter::once(Err(error)).chain(others).collect()
}

/// Whether one row may have caused the error. If the database is unreachable or busy, each single write would
/// only wait as long again.
fn is_of_a_row(error: &StoreError) -> bool {
    let StoreError::Database { source, .. } = error else { return true };
    match source {
        sqlx::Error::Database(answer) => {
            let code = answer.code().unwrap_or_default();
            // SQLite: busy and locked, each with their variants. PostgreSQL: connections, resources, operators.
            let is_busy = code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6) && code < 1_000);
            !is_busy && !["08", "53", "57"].iter().any(|class| code.len() == 5 && code.starts_with(class))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_no_row_caused_is_waited_for_once_and_reported_to_all() {
        let of = |source| StoreError::Database { doing: DOING, source };
        let refused = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        for source in [sqlx::Error::PoolTimedOut, sqlx::Error::PoolClosed, sqlx::Error::Io(refused())] {
            assert!(!is_of_a_row(&of(source)));
        }
        assert!(is_of_a_row(&of(sqlx::Error::ColumnNotFound("body".into()))));
        let reported = shared(of(sqlx::Error::PoolTimedOut), 3, ENDING);
        assert_eq!(reported.len(), 3);
        assert!(reported.iter().all(|one| matches!(one, Err(StoreError::Database { .. }))), "{reported:?}");
    }
}
