//! The table of object kinds that genesync manages, with the properties of each kind.
//!
//! In: nothing. Out: the properties of each kind. Never: a function for one kind only. Start reading at
//! [`ObjectKind`], then `kind/rows.rs`.
//!
//! To add a kind, add: a line below, after the kinds that it refers to; a row in `kind/rows.rs`; a type
//! under `manifest/kinds/` with its two lines in `documents.rs`; a row in the port of its API, such as
//! `api/cloud/kinds.rs`; its support in the emulator; and, if other objects refer to it, a
//! [`ReferenceKind`] with its listing. Then run `make schemas` and `genesync doctor --permissions >
//! docs/permissions.md`, and add a document in `tests/fixtures/documents`. The store keeps names, not
//! positions in the list: lines may move as long as each kind comes after the kinds that it refers to.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind of object needs a decision here")]

mod rows;

use serde::{Deserialize, Serialize};

use super::dialect::{Capabilities, Dialect};
use super::referent::ReferenceKind;

pub use rows::{Counting, Fields, Off};

/// Generates the kinds, their order, and their rows from one list, so that no kind can be missing in one of
/// them.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident => $row:ident),+ $(,)?) => {
        /// A kind of managed object, in the order in which objects depend on each other.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ObjectKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl ObjectKind {
            /// Every kind that git may manage, in their order.
            pub const ALL: &'static [ObjectKind] = &[$(ObjectKind::$kind),+];

            fn row(self) -> &'static rows::Row {
                match self {
                    $(ObjectKind::$kind => &rows::$row,)+
                }
            }
        }
    };
}

kinds! {
    /// The web messaging configuration of an organization; there is exactly one, and it has no name.
    WebMessaging => WEB_MESSAGING,
    /// A profile of the allowed media types.
    SupportedContent => SUPPORTED_CONTENT,
    /// A profile of message settings.
    MessagingSetting => MESSAGING_SETTING,
    /// The profiles that new integrations get; there is exactly one.
    MessagingDefaults => MESSAGING_DEFAULTS,
    /// The registration of a custom channel.
    OpenMessagingIntegration => OPEN_MESSAGING_INTEGRATION,
    /// A messenger's configuration: a draft, and the numbered versions that were published from it.
    MessengerConfiguration => MESSENGER_CONFIGURATION,
    /// A deployment: it pins one published version of a configuration, and visitors get that version.
    MessengerDeployment => MESSENGER_DEPLOYMENT,
}

impl ObjectKind {
    /// The kind of the only object in the first dialect; texts omit it.
    pub const IMPLIED: ObjectKind = ObjectKind::WebMessaging;

    /// Returns the value of `kind:` in a manifest.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Finds a kind by its name.
    pub fn from_name(name: &str) -> Option<ObjectKind> {
        ObjectKind::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The schema's file name under `schemas/`, such as `messenger-deployment.json`.
    pub fn schema_file(self) -> &'static str {
        self.row().schema_file
    }

    /// Returns the prefix of the files of an import, such as `deployment`.
    pub fn prefix(self) -> &'static str {
        self.row().prefix
    }

    /// Returns one line of help text about its documents.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// Returns the API that manages objects of this kind.
    pub fn dialect(self) -> Dialect {
        self.row().dialect
    }

    /// Returns the capabilities of that API.
    pub fn capabilities(self) -> &'static Capabilities {
        self.dialect().capabilities()
    }

    /// Whether an organization can have several, each with a name. Otherwise there is one, which always
    /// exists or is created by the first write.
    pub fn is_named(self) -> bool {
        self.row().only.is_none()
    }

    /// Returns the name in messages if an organization has only one.
    pub fn only(self) -> Option<&'static str> {
        self.row().only
    }

    /// Whether a write stores a draft that has to be published.
    pub fn has_drafts(self) -> bool {
        self.row().has_drafts
    }

    /// Whether visitors see it, so that genesync can draw it.
    pub fn has_looks(self) -> bool {
        self.row().has_looks
    }

    /// Whether it has opening hours.
    pub fn has_hours(self) -> bool {
        self.row().has_hours
    }

    /// Whether web pages contain its id. Such pages do not find a new object with the same name.
    pub fn is_embedded(self) -> bool {
        self.row().is_embedded
    }

    /// Whether a write carries one field of the body, because the platform has one call for each field.
    pub fn is_written_by_field(self) -> bool {
        self.row().by_field
    }

    /// Returns how genesync detects that an object changed.
    pub fn counting(self) -> Counting {
        self.row().counting
    }

    /// Whether its version increases by one with each change.
    pub fn counts_versions(self) -> bool {
        self.counting() == Counting::Versions
    }

    /// Whether an import takes it only if another object refers to it, or if the user asks for everything.
    pub fn is_imported_by_reference(self) -> bool {
        self.row().by_reference
    }

    /// Returns the kind of reference to it; none if no object can refer to it.
    pub fn referent(self) -> Option<ReferenceKind> {
        self.row().referent
    }

    /// Returns the dotted path of the reference whose published version it pins; none if it pins nothing.
    pub fn pins(self) -> Option<&'static str> {
        self.row().pins
    }

    /// Returns the dotted paths of the references in its body; `*` is every item of a list.
    pub fn references(self) -> &'static [(&'static str, ReferenceKind)] {
        self.row().references
    }

    /// Returns the kind of object that a reference points to, if git can manage it.
    pub fn referred_to(by: ReferenceKind) -> Option<ObjectKind> {
        ObjectKind::ALL.iter().copied().find(|kind| kind.referent() == Some(by))
    }

    /// Returns the properties of its fields.
    pub fn fields(self) -> &'static Fields {
        &self.row().fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_every_kind_once_and_in_order() {
        assert!(ObjectKind::ALL.is_sorted_by(|one, next| one < next));
        for kind in ObjectKind::ALL {
            assert_eq!(ObjectKind::from_name(kind.name()), Some(*kind));
            let stem = kind.schema_file().strip_suffix(".json").unwrap();
            let words: String = stem.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
            assert_eq!(words, kind.name(), "the file is named after the kind, in lower-case words");
        }
    }

    #[test]
    fn what_depends_comes_after_what_it_needs() {
        for kind in ObjectKind::ALL {
            for (path, to) in kind.references() {
                let needed = ObjectKind::referred_to(*to);
                assert!(needed.is_none_or(|needed| needed < *kind), "{} {path}", kind.name());
            }
        }
    }

    /// The comparison ignores a default that is not valid JSON, so this test checks each one.
    #[test]
    fn every_default_is_json() {
        for (path, text) in ObjectKind::ALL.iter().flat_map(|kind| kind.fields().defaults) {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{path}: {text}");
        }
    }
}
