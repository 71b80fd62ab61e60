//! Exit codes: the result of a command, for scripts and schedulers.

/// Exit codes; a test compares them with the table in `docs/exit-codes.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// In sync, or done.
    Done,
    /// The manifests have errors.
    Findings,
    /// The command line is not valid.
    Usage,
    /// Git has changes to apply, and the caller asked for this code.
    Changes,
    /// A person has to decide.
    Held,
    /// A guard refused.
    Refused,
    /// Some tenants succeeded, others did not.
    Partial,
    /// Network, API, database or git failed.
    Outside,
    /// Only the live configuration moved, and the caller asked for this code.
    Drift,
    /// A bug in genesync.
    Bug,
}

impl Exit {
    /// Every code, in numeric order.
    pub const ALL: [Exit; 10] = [
        Exit::Done,
        Exit::Findings,
        Exit::Usage,
        Exit::Changes,
        Exit::Held,
        Exit::Refused,
        Exit::Partial,
        Exit::Outside,
        Exit::Drift,
        Exit::Bug,
    ];

    /// Returns the number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Changes => 3,
            Exit::Held => 4,
            Exit::Refused => 5,
            Exit::Partial => 6,
            Exit::Outside => 7,
            Exit::Drift => 8,
            Exit::Bug => 70,
        }
    }
}
