//! Exit codes: what a command came to, for scripts and schedulers.

/// Exit codes; the table in the README is compared with this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// In sync, or done.
    Done,
    /// The input is not valid.
    Findings,
    /// The command line is not.
    Usage,
    /// Git has something to apply, and the caller asked to see that in the code.
    Changes,
    /// A person decides.
    Held,
    /// A guard refused.
    Refused,
    /// Some tenants done, some not.
    Partial,
    /// Network, API, database, git.
    Outside,
    /// Only live moved, and the caller asked to see that in the code.
    Drift,
    /// A defect of genesync.
    Bug,
}

impl Exit {
    /// Every code, in the order of its number.
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

    /// The number.
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
