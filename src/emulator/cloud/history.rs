//! The states of an object and the times from which readers see them, because reads lag behind writes.
//!
//! In: states with the times at which they become visible. Out: the state for a reader at a time, and for a
//! writer. Never: lets an older state become visible after a newer one.

use jiff::Timestamp;

/// The states of one object that readers can still see; `None` means that the object is absent.
#[derive(Clone, Debug)]
pub(crate) struct History<T> {
    states: Vec<(Timestamp, Option<T>)>,
}

impl<T> Default for History<T> {
    /// Starts without the object; this state was always visible.
    fn default() -> History<T> {
        History { states: vec![(Timestamp::MIN, None)] }
    }
}

impl<T> History<T> {
    /// Starts with a state that becomes visible at the given time.
    pub fn new(visible_at: Timestamp, state: T) -> History<T> {
        History { states: vec![(visible_at, Some(state))] }
    }

    /// Adds a state that was written at `at`.
    pub fn push(&mut self, at: Timestamp, visible_at: Timestamp, state: Option<T>) {
        let before = self.states.last().map_or(visible_at, |(time, _)| *time);
        self.states.push((visible_at.max(before), state));
        // Keeps one state before the visible state, for a scripted stale read.
        while self.states.get(2).is_some_and(|(time, _)| *time <= at) {
            self.states.remove(0);
        }
    }

    /// Returns the current state, which writers see.
    pub fn current(&self) -> Option<&T> {
        self.states.last()?.1.as_ref()
    }

    /// Returns the state that a reader sees; a stale reader sees the previous state, if there is one.
    pub fn seen(&self, now: Timestamp, stale: bool) -> Option<&T> {
        let index = self.states.iter().rposition(|(time, _)| *time <= now)?;
        let index = if stale { index.saturating_sub(1) } else { index };
        self.states.get(index)?.1.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::cloud::history::History;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn readers_lag_behind_and_never_go_back() {
        let at = |ms| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms);
        let mut history = History::new(at(10), 1);
        // The first state is not visible yet, so the second one cannot be visible before it.
        history.push(at(5), at(5), Some(2));
        history.push(at(20), at(30), Some(3));
        history.push(at(40), at(50), None);
        assert_eq!(history.current(), None);
        for (ms, stale, expected) in [
            (9, false, None),
            (10, false, Some(2)),
            (29, false, Some(2)),
            (30, false, Some(3)),
            (30, true, Some(2)),
            (49, false, Some(3)),
            (50, false, None),
            (50, true, Some(3)),
        ] {
            assert_eq!(history.seen(at(ms), stale).copied(), expected, "{ms} {stale}");
        }
        assert_eq!(History::new(at(0), 1).seen(at(0), true), Some(&1), "there is nothing before the first");
    }
}
