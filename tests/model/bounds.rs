//! What may happen in an exploration, which guards are off in it, and what really happened.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// Guards that can be switched off: guards of the core, of its driver, of the store and of the server.
#[derive(Debug, Clone, Copy)]
pub struct Guards {
    /// The server refuses a stale version.
    pub if_match: bool,
    /// A write whose answer was lost counts as open.
    pub read_back: bool,
    /// Intents are stored.
    pub intent: bool,
    /// The store refuses the records of an old token.
    pub fence: bool,
    /// A run waits for the deadlines of all open intents before it reads anything.
    pub quarantine: bool,
    /// A write whose deadline is past is not sent.
    pub deadline: bool,
    /// Git is asked once more before an intent is stored.
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

/// How often each fault or event may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// A person edits an unmanaged field.
    pub edits: u8,
    /// A request or its answer is lost.
    pub lost: u8,
    /// A write is delayed on its way.
    pub late: u8,
    /// A write is refused by the rate limit.
    pub throttles: u8,
    /// A process dies.
    pub crashes: u8,
    /// Git gets a new commit.
    pub commits: u8,
    /// A lease runs out while its holder works.
    pub leases: u8,
    /// A run starts from an older commit.
    pub behind: u8,
    /// Writes have to queue for the rate limit before their intents are stored.
    pub queues: u8,
    /// The audit log shows nothing until much later.
    pub lags: u8,
    /// A run with a plan has to wait for a lower wave, or is refused by a guard of the whole pass.
    pub words: u8,
}

/// What really happened in some state; without it an exploration shows nothing. It is stored beside the
/// states, so that the past does not multiply the states.
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
