//! The table of kinds: what is managed in an organization, and all that tells one kind from another.
//!
//! In: nothing. Out: the properties of each kind. Never: a function that does something for one kind alone. Start reading
//! at [`ObjectKind`], then `kind/rows.rs`.
//!
//! To add one: a line below, where the kinds that it needs stand above it; a row in `kind/rows.rs`; a type under
//! `manifest/kinds/` with its two lines in `documents.rs`; a row in the port of its API, such as `api/cloud/kinds.rs`; what
//! the emulator has of it; and where other objects refer to it, a [`ReferenceKind`] with its listing. Then `make schemas`,
//! `genesync doctor --permissions > docs/permissions.md`, and a document in `tests/fixtures/documents`. Names are stored,
//! places in the list are not: lines may be moved as long as each kind stands below those that it needs.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind of object is decided about here")]

mod rows;

use serde::{Deserialize, Serialize};

use super::dialect::{Capabilities, Dialect};
use super::referent::ReferenceKind;

pub use rows::{Counting, Fields, Off};

/// One list gives the kinds, their order, and the row of each: none can be forgotten in one of them.
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
    /// The web messaging configuration of an organization; there is one, and it has no name.
    WebMessaging => WEB_MESSAGING,
    /// A profile of the media that may pass.
    SupportedContent => SUPPORTED_CONTENT,
    /// A profile of how messages are treated on their way.
    MessagingSetting => MESSAGING_SETTING,
    /// Which of these profiles new integrations get; there is one.
    MessagingDefaults => MESSAGING_DEFAULTS,
    /// The registration of a custom channel.
    OpenMessagingIntegration => OPEN_MESSAGING_INTEGRATION,
    /// A messenger's configuration: a draft, and numbered versions that were published from it.
    MessengerConfiguration => MESSENGER_CONFIGURATION,
    /// A deployment: it pins one published version of a configuration, which its visitors are served.
    MessengerDeployment => MESSENGER_DEPLOYMENT,
}

impl ObjectKind {
    /// The kind of the only object that an organization had before there were others: texts need not name it.
    pub const IMPLIED: ObjectKind = ObjectKind::WebMessaging;

    /// The word after `kind:` in a manifest.
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

    /// What the files of an import begin with, such as `deployment`.
    pub fn prefix(self) -> &'static str {
        self.row().prefix
    }

    /// What a document of it is, in one line of a help text.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// The API that objects of this kind are managed by.
    pub fn dialect(self) -> Dialect {
        self.row().dialect
    }

    /// What that API can do.
    pub fn capabilities(self) -> &'static Capabilities {
        self.dialect().capabilities()
    }

    /// Whether an organization can have several, each with a name. Otherwise there is one, which is always there or
    /// made by its first write.
    pub fn is_named(self) -> bool {
        self.row().only.is_none()
    }

    /// How messages name the only one of an organization.
    pub fn only(self) -> Option<&'static str> {
        self.row().only
    }

    /// Whether a write stores a draft that has to be published.
    pub fn has_drafts(self) -> bool {
        self.row().has_drafts
    }

    /// Whether visitors see it, so that it can be drawn.
    pub fn has_looks(self) -> bool {
        self.row().has_looks
    }

    /// Whether it has hours in which visitors are offered it.
    pub fn has_hours(self) -> bool {
        self.row().has_hours
    }

    /// Whether web pages carry its id, so that another one in its place is not found by them.
    pub fn is_embedded(self) -> bool {
        self.row().is_embedded
    }

    /// Whether a write carries one field of the body: the platform has a call for each.
    pub fn is_written_by_field(self) -> bool {
        self.row().by_field
    }

    /// How one state of it is told from the next.
    pub fn counting(self) -> Counting {
        self.row().counting
    }

    /// Whether its versions are counted up one by one.
    pub fn counts_versions(self) -> bool {
        self.counting() == Counting::Versions
    }

    /// Whether an import takes it only if something refers to it, or if everything is asked for.
    pub fn is_imported_by_reference(self) -> bool {
        self.row().by_reference
    }

    /// The reference that other objects make to it; none if no object can.
    pub fn referent(self) -> Option<ReferenceKind> {
        self.row().referent
    }

    /// The dotted path of the reference of which it pins a published version; none for a kind that pins nothing.
    pub fn pins(self) -> Option<&'static str> {
        self.row().pins
    }

    /// Where references stand in its body, as dotted paths; `*` is every item of a list.
    pub fn references(self) -> &'static [(&'static str, ReferenceKind)] {
        self.row().references
    }

    /// The kind of object that a reference points to, if git can manage it.
    pub fn referred_to(by: ReferenceKind) -> Option<ObjectKind> {
        ObjectKind::ALL.iter().copied().find(|kind| kind.referent() == Some(by))
    }

    /// What is known of its fields.
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
    fn what_depends_stands_behind_what_it_needs() {
        for kind in ObjectKind::ALL {
            for (path, to) in kind.references() {
                let needed = ObjectKind::referred_to(*to);
                assert!(needed.is_none_or(|needed| needed < *kind), "{} {path}", kind.name());
            }
        }
    }

    /// The defaults are read by a comparison that takes what it can't read for nothing.
    #[test]
    fn every_default_is_json() {
        for (path, text) in ObjectKind::ALL.iter().flat_map(|kind| kind.fields().defaults) {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{path}: {text}");
        }
    }
}
