//! What is known of what was applied before.

/// Where a run knows from what was applied before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Memory {
    /// From a state.
    Kept,
    /// From nothing, because the operator keeps no state.
    None,
    /// From nothing, because it only plans, and whoever applies may have a state: nothing is judged that only that knows.
    OutOfReach,
}
