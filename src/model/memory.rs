//! Whether a run has a record of what was applied before.

/// The record of what was applied before, which a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Memory {
    /// The state.
    Kept,
    /// None, because the operator keeps no state.
    None,
    /// None, because the run only plans and the state belongs to the process that applies. Checks that need
    /// the state are skipped.
    OutOfReach,
}
