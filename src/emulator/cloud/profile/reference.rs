//! References to profiles from deployments and open messaging integrations.
//!
//! In: bodies with references. Out: missing profiles, the fields of a reference, and the object that prevents
//! a deletion. Never: changes a profile.

use crate::emulator::cloud::error::Detail;
use crate::emulator::cloud::organization::Organization;
use crate::emulator::cloud::profile::Profiles;
use crate::emulator::cloud::profile::kind::{KINDS, ProfileKind};
use crate::emulator::cloud::{Object, member};
use serde_json::json;

impl Profiles {
    /// Lists the profiles that a body refers to and that do not exist.
    pub fn missing(&self, body: &Object, kinds: impl Iterator<Item = ProfileKind>) -> Vec<Detail> {
        let referred = kinds.filter_map(|kind| Some((kind, referred(body, kind)?)));
        let missing = referred.filter(|(kind, id)| self.find(*kind, id).is_none());
        missing
            .map(|(kind, _)| Detail::new(format!("{}.id", kind.rules().reference), "does not exist"))
            .collect()
    }

    /// Adds names to the ids that a body refers to.
    pub fn name_references(&self, shown: &mut Object, kinds: impl Iterator<Item = ProfileKind>) {
        for kind in kinds {
            let known = referred(shown, kind).and_then(|id| self.find(kind, id));
            if let Some(known) = known {
                let uri = format!("{}/{}", kind.rules().path, known.id);
                let named = json!({"id": known.id, "name": known.name(), "selfUri": uri});
                shown.insert(kind.rules().reference.to_owned(), named);
            }
        }
    }
}

impl Organization {
    /// Returns the name of an object that refers to a profile.
    pub(super) fn refers_to(&self, kind: ProfileKind, id: &str) -> Option<&str> {
        let open = self.open.iter().filter_map(|known| Some((known.name(), &known.states.current()?.body)));
        let placed = self.deployments.iter();
        let placed = placed.filter_map(|known| Some((known.name(), &known.states.current()?.body)));
        open.chain(placed).find(|(_, body)| referred(body, kind) == Some(id)).map(|(name, _)| name)
    }
}

/// Returns the kinds that deployments refer to.
pub(crate) fn on_deployments() -> impl Iterator<Item = ProfileKind> {
    KINDS.iter().copied().filter(|kind| kind.rules().on_deployments)
}

/// Returns the id that a body refers to.
fn referred(body: &Object, kind: ProfileKind) -> Option<&str> {
    member(body, kind.rules().reference)?.get("id")?.as_str()
}
