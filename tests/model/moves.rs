//! The possible next moves, and the fate of one write of a batch.

use genesync::reconcile::Effect;

use crate::shared::Word;

/// The fate of one write of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// It is executed, and its answer is lost.
    Lost,
    /// It is not executed, or not yet, and has no answer.
    Gone,
    /// The rate limit refuses it.
    Throttled,
}

/// Returns the number of requests of an effect.
pub fn requests(effect: &Effect) -> usize {
    match effect {
        Effect::Write(writes) => writes.len(),
        _ => 1,
    }
}

/// A possible next move. The first number is the process, the second one a write of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// An idle process begins a run. It takes the lease if that has expired.
    Begin,
    /// The same, from an older commit.
    BeginBehind,
    /// The same as the first, but once the run has a plan it has to wait for a lower wave, or is refused.
    BeginReported(Word),
    /// The effect is performed, and the run gets its event.
    Perform(usize),
    /// The request is executed, and its answer is lost.
    LoseAnswer(usize, usize),
    /// The request is lost on its way.
    LoseRequest(usize, usize),
    /// The request is delayed.
    Delay(usize, usize),
    /// The delayed request arrives.
    Arrive,
    /// The rate limit refuses the request.
    Throttle(usize, usize),
    /// The write has to queue first: its intents are created again.
    Queue(usize),
    /// The audit log shows nothing until the deadline.
    Lag(usize),
    /// The process dies before the effect, or before it gets the event: after this many writes of a batch
    /// were executed.
    CrashBefore(usize),
    CrashAfter(usize, usize),
    /// The lease expires, and its holder does not know.
    LoseLease(usize),
    /// The holder notices the loss.
    Notice(usize),
    /// A run that can be superseded gets the news of a newer commit.
    Supersede(usize),
    /// A person edits an unmanaged field of this organization; in the `cloud` dialect, with this kind of
    /// edit.
    Edit(usize),
    /// Git gets a new commit.
    Commit,
}
