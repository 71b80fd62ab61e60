//! What may happen in an exploration, what is switched off in it, and what really happened.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// Guards that can be switched off: some are the core's, some its driver's, its store's or the server's.
#[derive(Debug, Clone, Copy)]
pub struct Guards {
    /// The server refuses a stale version.
    pub if_match: bool,
    /// A write whose answer was lost counts as open.
    pub read_back: bool,
    /// Intents are kept.
    pub intent: bool,
    /// The store refuses the records of an old token.
    pub fence: bool,
    /// What is open is waited out before anything is read.
    pub quarantine: bool,
    /// A write whose deadline is past is not sent.
    pub deadline: bool,
    /// Git is asked once more before an intent is kept.
    pub recheck: bool,
    /// The server keeps what it accepts.
    pub memory: bool,
    /// The driver passes on that a run has to wait.
    pub word: bool,
}

impl Guards {
    pub const ALL: Self = Self {
        if_match: true,
        read_back: true,
        intent: true,
        fence: true,
        quarantine: true,
        deadline: true,
        recheck: true,
        memory: true,
        word: true,
    };
}

/// How often each thing may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// A person edits a field that nobody manages.
    pub edits: u8,
    /// A request or its answer is lost.
    pub lost: u8,
    /// A write is held up on its way.
    pub late: u8,
    /// A write is refused by the rate limit.
    pub throttles: u8,
    /// A process dies.
    pub crashes: u8,
    /// Git moves.
    pub commits: u8,
    /// A lease runs out while its holder works.
    pub leases: u8,
    /// A run starts from what git said before.
    pub behind: u8,
    /// Writes have to queue for the rate limit before their intents are kept.
    pub queues: u8,
    /// The audit log shows nothing until long after.
    pub lags: u8,
    /// A run that has a plan is told to wait for a lower wave, or is refused by a guard of the whole pass.
    pub words: u8,
}

/// What really happened in some state: without it nothing is shown. Beside the states and not in them, so that
/// what is behind does not multiply what is ahead.
#[derive(Debug, Default)]
pub struct Witnesses(Mutex<BTreeSet<&'static str>>);

impl Witnesses {
    pub fn saw(&self, what: &'static str) {
        self.0.lock().unwrap().insert(what);
    }

    pub fn all(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().iter().copied().collect()
    }
}
