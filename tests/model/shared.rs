//! Values that many states share: hashed when they are created, and cheap to clone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use genesync::model::{Guard, Record, Refusal};
use genesync::reconcile::{Effect, End, Event, Note, Run, step};
use jiff::Timestamp;

/// A value and its digest. Two values with one digest count as equal; the checker compares states in the same
/// way.
#[derive(Debug)]
pub struct Shared<T> {
    value: Arc<T>,
    digest: u64,
}

pub fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl<T: Hash> Shared<T> {
    pub fn new(value: T) -> Self {
        Self { digest: digest(&value), value: Arc::new(value) }
    }
}

impl<T> Shared<T> {
    pub fn digest(&self) -> u64 {
        self.digest
    }
}

impl<T: Hash + Clone> Shared<T> {
    /// Replaces the value by a changed copy.
    pub fn change(&mut self, change: impl FnOnce(&mut T)) {
        let mut value = (*self.value).clone();
        change(&mut value);
        *self = Self::new(value);
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), digest: self.digest }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

impl<T> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl<T> Eq for Shared<T> {}

/// What a run returns for an event.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The run and the effect that it waits for; none once it has settled.
    pub next: Option<(Shared<Run>, Shared<Effect>)>,
    /// Its result.
    pub ended: Option<End>,
    /// Whether it reported that another user's change is or may be overwritten.
    pub reported: bool,
    /// Whether the event was one that the phase does not wait for.
    pub out_of_place: bool,
}

type Memo = HashMap<(u64, u64, bool, Word), Heard>;

/// The answer of the driver to a run that has a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    Proceed,
    /// A lower wave does not have its change yet.
    HeldBack,
    /// A guard of the whole pass refuses it.
    Refused,
}

impl Word {
    fn event(self) -> Event {
        match self {
            Word::Proceed => Event::Proceed,
            Word::HeldBack => Event::HeldBack(0),
            Word::Refused => {
                Event::Refused(vec![Refusal { guard: Guard::RunTenants, message: "too many".into() }])
            }
        }
    }
}

thread_local! {
    // The core is pure: the same run and event lead to the same step, and many states share them.
    static HEARD: RefCell<Memo> = RefCell::default();
}

/// Feeds an event to the core, and the driver's answer if it has a plan.
pub fn hear(run: &Shared<Run>, event: Event, word: Word, (now, is_late): (Timestamp, bool)) -> Heard {
    let key = (run.digest(), digest(&event), is_late, word);
    if let Some(known) = HEARD.with_borrow(|memo| memo.get(&key).cloned()) {
        return known;
    }
    let mut heard = Heard { next: None, ended: None, reported: false, out_of_place: false };
    let mut next = step((**run).clone(), event, now);
    loop {
        let mut asked = None;
        for effect in next.effects {
            match effect {
                Effect::Report(note) => {
                    heard.reported |=
                        matches!(note, Note::Overwrote { .. } | Note::Unclear { .. } | Note::Mixed { .. });
                    heard.out_of_place |= matches!(note, Note::OutOfPlace { .. });
                }
                effect => asked = Some(effect),
            }
        }
        match (asked, next.run.end()) {
            (Some(effect), _) => {
                heard.next = Some((Shared::new(next.run), Shared::new(effect)));
                break;
            }
            (None, Some(status)) => {
                heard.ended = Some(status.clone());
                break;
            }
            (None, None) => next = step(next.run, word.event(), now),
        }
    }
    HEARD.with_borrow_mut(|memo| memo.insert(key, heard.clone()));
    heard
}

/// The records of a journal.
pub type Lines = Shared<Vec<Record>>;
