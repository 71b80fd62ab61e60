//! Ids of the shape the API's have, counted instead of drawn.
//!
//! In: the kind of a thing. Out: `00000000-KIND-4000-8000-NUMBER`, numbers in hexadecimal and counted for each
//! kind from 1 over all organizations. Never: gives out an id that the world file has taken.

use crate::emulator::actor::Actor;
use crate::emulator::text::hex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What an id is of; the number is the id's second group.
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

/// How far each kind was counted, and which ids are taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    counts: BTreeMap<Kind, u64>,
    taken: BTreeSet<String>,
    places: u64,
}

impl Counters {
    /// Makes the next id of a kind.
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

    /// Keeps an id for the thing that has it already.
    pub fn take(&mut self, id: &str) {
        self.taken.insert(id.to_owned());
    }

    /// Makes the next place in the order of creation, which cursors point at.
    pub fn place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }
}

/// Writes a counted id.
pub(crate) fn counted(kind: Kind, number: u64) -> String {
    format!("00000000-{:04x}-4000-8000-{:012x}", kind as u16, number & 0xffff_ffff_ffff)
}

/// Returns a person's id, made from the actor's where that is no UUID.
pub(crate) fn person(actor: &Actor) -> String {
    if is_uuid(&actor.id) {
        return actor.id.clone();
    }
    let digits = hex(&Sha256::digest(actor.id.as_bytes()));
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// Says whether a text has the shape of a UUID.
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
    fn ids_have_the_shape_and_are_counted() {
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
