//! What can happen next, and what becomes of one write among several.

use genesync::reconcile::Effect;

use crate::shared::Word;

/// What becomes of one write of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// It is executed, and its answer lost.
    Lost,
    /// It is not executed, or not yet, and not answered.
    Gone,
    /// It is refused by the rate limit.
    Throttled,
}

/// How many requests an effect is.
pub fn requests(effect: &Effect) -> usize {
    match effect {
        Effect::Write(writes) => writes.len(),
        _ => 1,
    }
}

/// What can happen next; the first number is the process, the second one a write of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A process that is idle begins a run, taking the lease where it ran out.
    Begin,
    /// The same, from what git said before.
    BeginBehind,
    /// The same as the first, but it has to wait for a lower wave, or is refused, once it has a plan.
    BeginTold(Word),
    /// The effect is performed and heard.
    Perform(usize),
    /// The request is executed and its answer lost.
    LoseAnswer(usize, usize),
    /// The request is lost on its way.
    LoseRequest(usize, usize),
    /// The request is held up.
    Delay(usize, usize),
    /// The request that was held up arrives.
    Arrive,
    /// The request is refused by the rate limit.
    Throttle(usize, usize),
    /// What is about to be written has to queue first: its intents are made anew.
    Queue(usize),
    /// The audit log shows nothing until the deadline.
    Lag(usize),
    /// The process dies before the effect, or before hearing of it: when so many writes of a batch were executed.
    CrashBefore(usize),
    CrashAfter(usize, usize),
    /// The lease runs out, and its holder does not know.
    LoseLease(usize),
    /// It hears of it.
    Notice(usize),
    /// A run that may be hears that git moved.
    Supersede(usize),
    /// A person edits a field that nobody manages, in this organization; in the `cloud` dialect in this way.
    Edit(usize),
    /// Git moves.
    Commit,
}
