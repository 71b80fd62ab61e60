//! Ids in the API's format, from counters instead of random numbers.
//!
//! In: the kind of an object. Out: `00000000-KIND-4000-8000-NUMBER`, with hexadecimal numbers, counted from 1
//! for each kind over all organizations. Never: returns an id that the world file uses.

use crate::emulator::actor::Actor;
use crate::emulator::text::hex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The kind of an id's object; the number is the id's second group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub(crate) enum Kind {
    Configuration = 0xc0f1,
    Deployment = 0xde91,
    Flow = 0xf104,
    KnowledgeBase = 0x0b5e,
    Content = 0x5c07,
    Setting = 0x5e77,
    Integration = 0x1a7e,
    OpenIntegration = 0x09e1,
    Audit = 0xa0d1,
    Transaction = 0x7a45,
    Correlation = 0xc0de,
}

/// The counter of each kind, and the ids in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    counts: BTreeMap<Kind, u64>,
    taken: BTreeSet<String>,
    places: u64,
}

impl Counters {
    /// Returns the next id of a kind.
    pub fn next(&mut self, kind: Kind) -> String {
        let count = self.counts.entry(kind).or_default();
        loop {
            *count += 1;
            let id = counted(kind, *count);
            if !self.taken.contains(&id) {
                return id;
            }
        }
    }

    /// Reserves an id for the object that already has it.
    pub fn take(&mut self, id: &str) {
        self.taken.insert(id.to_owned());
    }

    /// Returns the next place in the order of creation; cursors refer to places.
    pub fn place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }
}

/// Returns the id with a given number.
pub(crate) fn counted(kind: Kind, number: u64) -> String {
    format!("00000000-{:04x}-4000-8000-{:012x}", kind as u16, number & 0xffff_ffff_ffff)
}

/// Returns a person's id; if the actor's id is not a UUID, it derives one.
pub(crate) fn person(actor: &Actor) -> String {
    if is_uuid(&actor.id) {
        return actor.id.clone();
    }
    let digits = hex(&Sha256::digest(actor.id.as_bytes()));
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// Returns whether a text has the format of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use crate::emulator::Actor;
    use crate::emulator::cloud::ids::{Counters, Kind, is_uuid, person};

    #[test]
    fn ids_have_the_format_and_are_counted() {
        let mut counters = Counters::default();
        counters.take("00000000-c0f1-4000-8000-000000000002");
        for expected in ["00000000-c0f1-4000-8000-000000000001", "00000000-c0f1-4000-8000-000000000003"] {
            assert_eq!(counters.next(Kind::Configuration), expected);
        }
        let id = "0f0f0f0f-0000-4000-8000-00000000000A";
        let by_id = Actor { id: id.to_owned(), ..Actor::user("ann") };
        assert_eq!(person(&by_id), id);
        assert!(is_uuid(&person(&Actor::user("ann"))));
        assert_ne!(person(&Actor::user("ann")), person(&Actor::user("bea")));
        for text in
            ["", "user-ann", "0f0f0f0f-0000-4000-8000-00000000000", "0f0f0f0g-0000-4000-8000-00000000000A"]
        {
            assert!(!is_uuid(text), "{text}");
        }
    }
}
