//! Whether later waves wait for a tenant.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Whether later waves wait for a tenant, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Its change is applied.
    HasIt,
    /// genesync has not tried its change yet.
    Pending,
    /// Its change was refused, or waits for a person or a change window.
    Failed,
    /// It cannot be reached.
    Unavailable,
    /// Its mode is `watch`.
    Aside,
}

impl Standing {
    /// Every value.
    pub const ALL: [Standing; 5] =
        [Standing::HasIt, Standing::Pending, Standing::Failed, Standing::Unavailable, Standing::Aside];

    /// Returns the name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Standing::HasIt => "has",
            Standing::Pending => "pending",
            Standing::Failed => "failed",
            Standing::Unavailable => "unavailable",
            Standing::Aside => "aside",
        }
    }

    /// Returns the value that the store keeps under a name. An unknown name of another build counts as
    /// `pending`, which holds later waves.
    pub fn from_name(name: &str) -> Self {
        Standing::ALL.into_iter().find(|known| known.name() == name).unwrap_or(Standing::Pending)
    }
}

/// What the gate between waves needs to know of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its wave.
    pub wave: u32,
    /// Whether git changed and the change is not applied, or the manifests are not valid.
    pub changed: bool,
    /// Whether a person paused it.
    pub paused: bool,
    /// Its standing.
    pub standing: Standing,
    /// The start of the standing; for [`Standing::Unavailable`], the first run that could not reach the
    /// tenant.
    pub since: Timestamp,
}

impl Position {
    /// Whether later waves wait for the tenant.
    fn holds(&self, now: Timestamp, patience: Duration) -> bool {
        if !self.changed || self.paused {
            return false;
        }
        match self.standing {
            Standing::HasIt | Standing::Aside => false,
            Standing::Pending | Standing::Failed => true,
            Standing::Unavailable => {
                let patience = SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
                // Clocks of replicas differ, so the difference can be negative.
                now.duration_since(self.since).max(SignedDuration::ZERO) < patience
            }
        }
    }
}

/// Returns the lowest wave that later waves wait for; none if they wait for none. A change of this wave or
/// a lower one may be applied; a later one waits.
pub fn gate(
    positions: impl IntoIterator<Item = Position>,
    now: Timestamp,
    patience: Duration,
) -> Option<u32> {
    positions.into_iter().filter(|position| position.holds(now, patience)).map(|position| position.wave).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn only_a_change_that_may_still_be_applied_holds_later_waves() {
        let patience = Duration::from_secs(900);
        let position = |standing| Position { wave: 1, changed: true, paused: false, standing, since: at(0) };
        let table = [
            (position(Standing::HasIt), 0, None),
            (position(Standing::Aside), 0, None),
            (position(Standing::Pending), 99_999, Some(1)),
            (position(Standing::Failed), 99_999, Some(1)),
            (position(Standing::Unavailable), 899, Some(1)),
            (position(Standing::Unavailable), 900, None),
            (Position { changed: false, ..position(Standing::Failed) }, 0, None),
            (Position { paused: true, ..position(Standing::Failed) }, 0, None),
        ];
        for (position, now, expected) in table {
            assert_eq!(gate([position], at(now), patience), expected, "{position:?} at {now}");
        }
        for second in [-5, 0, 5] {
            assert_eq!(gate([position(Standing::Unavailable)], at(second), Duration::ZERO), None);
        }
    }

    #[test]
    fn the_lowest_wave_counts() {
        let position =
            |wave, standing| Position { wave, changed: true, paused: false, standing, since: at(0) };
        let all =
            [position(3, Standing::Pending), position(1, Standing::HasIt), position(2, Standing::Failed)];
        assert_eq!(gate(all, at(0), Duration::ZERO), Some(2));
        assert_eq!(gate([], at(0), Duration::ZERO), None);
    }
}
