//! The dependencies between the objects in git.
//!
//! In: the desired objects. Out: for each object the positions of the objects that it refers to and that
//! refer to it. Never: reads what an organization holds.

use std::collections::{BTreeMap, BTreeSet};

use super::reference::{Reference, mentions};
use super::{Object, ObjectKind, Resource};

/// The dependencies between the objects in git, computed once because each search reads all objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Needs {
    places: BTreeMap<Object, usize>,
    needs: Vec<Vec<usize>>,
    dependents: Vec<Vec<usize>>,
}

impl Needs {
    /// Computes the dependencies of these objects, in this order.
    pub fn of(resources: &[Resource]) -> Self {
        let places: BTreeMap<Object, usize> =
            resources.iter().enumerate().rev().map(|(at, known)| (known.object.clone(), at)).collect();
        let mut direct = vec![BTreeSet::new(); resources.len()];
        for (at, resource) in resources.iter().enumerate() {
            for mention in mentions(resource.object.kind, &resource.desired.body) {
                let Reference { kind, name } = mention.reference;
                let Some(kind) = ObjectKind::referred_to(kind) else { continue };
                if let Some(needed) =
                    places.get(&Object { kind, name }).and_then(|needed| direct.get_mut(*needed))
                {
                    needed.insert(at);
                }
            }
        }
        let all = |first: usize| {
            let (mut found, mut open) = (BTreeSet::new(), vec![first]);
            while let Some(next) = open.pop() {
                let more = direct.get(next).into_iter().flatten().copied();
                open.extend(more.filter(|more| found.insert(*more)));
            }
            found.into_iter().collect()
        };
        let dependents: Vec<Vec<usize>> = (0..resources.len()).map(all).collect();
        let mut needs = vec![Vec::new(); resources.len()];
        for (needed, dependents) in dependents.iter().enumerate() {
            for at in dependents {
                needs.get_mut(*at).into_iter().for_each(|needs: &mut Vec<usize>| needs.push(needed));
            }
        }
        Self { places, needs, dependents }
    }

    /// Returns the number of objects.
    pub fn count(&self) -> usize {
        self.needs.len()
    }

    /// Returns the position of an object.
    pub fn place_of(&self, object: &Object) -> Option<usize> {
        self.places.get(object).copied()
    }

    /// Returns the positions of all objects that the n-th object refers to, directly or indirectly.
    pub fn needs_of(&self, at: usize) -> &[usize] {
        self.needs.get(at).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the positions of all objects that refer to the n-th object, directly or indirectly.
    pub fn dependents_of(&self, at: usize) -> &[usize] {
        self.dependents.get(at).map(Vec::as_slice).unwrap_or_default()
    }
}
