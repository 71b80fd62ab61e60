//! The table of kinds: what is managed in an organization, and all that tells one kind from another.
//!
//! A new kind is a row here, a type under `manifest/kinds/`, and a row in the port of its API. Everything else asks
//! [`ObjectKind`] for a property.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind of object is decided about here")]

use serde::{Deserialize, Serialize};

use super::class::Class;
use super::dialect::{Capabilities, Dialect};
use super::referent::ReferenceKind;

/// A kind of managed object, in the order in which objects depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ObjectKind {
    /// The web messaging configuration of an organization; there is one, and it has no name.
    WebMessaging,
    /// A profile of the media that may pass.
    SupportedContent,
    /// A profile of how messages are treated on their way.
    MessagingSetting,
    /// Which of these profiles new integrations get; there is one.
    MessagingDefaults,
    /// The registration of a custom channel.
    OpenMessagingIntegration,
    /// A messenger's configuration: a draft, and numbered versions that were published from it.
    MessengerConfiguration,
    /// A deployment: it pins one published version of a configuration, which its visitors are served.
    MessengerDeployment,
}

/// How one state of an object is told from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// By a version that is counted up one by one.
    Versions,
    /// By the moment of the last change, in milliseconds since 1970.
    Moments,
    /// By nothing but what it holds: its version is a digest of that, of 48 bits.
    Contents,
}

/// What is known of the fields of a kind, by their dotted paths in the API's shape.
#[derive(Debug)]
pub struct Fields {
    /// The platform's defaults, as JSON: an absent field means the same.
    pub defaults: &'static [(&'static str, &'static str)],
    /// Fields that hold a colour. `*Color` is every field whose last name contains `Color`.
    pub colours: &'static [&'static str],
    /// Lists whose order means nothing.
    pub sets: &'static [&'static str],
    /// Prefixes of fields, and what a change of them does to visitors; the first one that fits counts.
    pub classes: &'static [(&'static str, Class)],
    /// Prefixes of switches, besides every field named `enabled`: they take something from visitors when they go off.
    pub switches: &'static [&'static str],
    /// Lists that take everything from visitors when they become empty.
    pub emptied: &'static [&'static str],
    /// Fields that the server adds and ignores in a write.
    pub server: &'static [&'static str],
}

const NO_FIELDS: Fields =
    Fields { defaults: &[], colours: &[], sets: &[], classes: &[], switches: &[], emptied: &[], server: &[] };

/// One kind.
#[derive(Debug)]
struct Row {
    /// The word after `kind:` in a manifest.
    name: &'static str,
    /// The schema's file name under `schemas/`.
    schema_file: &'static str,
    /// What the files of an import begin with.
    prefix: &'static str,
    /// What a document of it is, in words.
    about: &'static str,
    dialect: Dialect,
    /// How messages name the only one of an organization; none if each has a name of its own.
    only: Option<&'static str>,
    has_drafts: bool,
    has_looks: bool,
    has_hours: bool,
    is_embedded: bool,
    /// Whether a write carries one field of the body, and not all of it.
    by_field: bool,
    counting: Counting,
    /// Whether an import leaves it out unless something refers to it.
    by_reference: bool,
    /// The reference that other objects make to it.
    referent: Option<ReferenceKind>,
    /// The reference of which it pins a published version.
    pins: Option<&'static str>,
    /// Where references stand; `*` is every item of a list.
    references: &'static [(&'static str, ReferenceKind)],
    fields: Fields,
}

const WEB_MESSAGING: Row = Row {
    name: "WebMessaging",
    schema_file: "web-messaging.json",
    prefix: "web",
    about: "The web messaging configuration, and its layers",
    dialect: Dialect::Webchat,
    only: Some("the configuration"),
    has_drafts: false,
    has_looks: true,
    has_hours: true,
    is_embedded: false,
    by_field: false,
    counting: Counting::Versions,
    by_reference: false,
    referent: None,
    pins: None,
    references: &[],
    // The defaults are those of the payload table of the `webchat` contract.
    fields: Fields {
        defaults: &[
            ("widget.theme.colors.background", "\"#FFFFFF\""),
            ("widget.theme.typography.fontFamily", "\"Inter, sans-serif\""),
            ("widget.accessibility.ariaLiveRegion", "\"polite\""),
            ("greetings.delayMs", "2000"),
            ("availability.schedule", "\"always\""),
            ("features.dynamicRouting", "true"),
        ],
        colours: &["widget.theme.colors.primary", "widget.theme.colors.background"],
        sets: &["features.audiences", "availability.rules"],
        classes: &[
            ("widget.theme.", Class::Cosmetic),
            ("widget.accessibility.contrastRatio", Class::Cosmetic),
            ("greetings.messages", Class::Text),
            ("features.audiences", Class::Reach),
            ("availability.", Class::Reach),
        ],
        switches: &["greetings.enabled", "features.flags.", "features.dynamicRouting"],
        emptied: &["greetings.messages"],
        server: &["version", "dateModified", "modifiedBy"],
    },
};

const SUPPORTED_CONTENT: Row = Row {
    name: "SupportedContent",
    schema_file: "supported-content.json",
    prefix: "content",
    about: "The media that may pass, and its layers",
    dialect: Dialect::Cloud,
    only: None,
    has_drafts: false,
    has_looks: false,
    has_hours: false,
    is_embedded: false,
    by_field: false,
    // It has an integer `version`, of which the platform does not say how it counts.
    counting: Counting::Moments,
    by_reference: true,
    referent: Some(ReferenceKind::SupportedContent),
    pins: None,
    references: &[],
    fields: Fields {
        // Media of a direction that is not named is blocked.
        defaults: &[("mediaTypes.allow.inbound", "[]"), ("mediaTypes.allow.outbound", "[]")],
        sets: &["mediaTypes.allow.inbound", "mediaTypes.allow.outbound"],
        classes: &[("mediaTypes.allow.", Class::Reach)],
        emptied: &["mediaTypes.allow.inbound", "mediaTypes.allow.outbound"],
        ..NO_FIELDS
    },
};

const MESSAGING_SETTING: Row = Row {
    name: "MessagingSetting",
    schema_file: "messaging-setting.json",
    prefix: "setting",
    about: "How messages are treated on their way, and its layers",
    dialect: Dialect::Cloud,
    only: None,
    has_drafts: false,
    has_looks: false,
    has_hours: false,
    is_embedded: false,
    by_field: false,
    // It has a `version` that is a text, of which the platform does not say how it counts.
    counting: Counting::Moments,
    by_reference: true,
    referent: Some(ReferenceKind::MessagingSetting),
    pins: None,
    references: &[],
    fields: Fields { switches: &["content.story.", "event.typing.on."], ..NO_FIELDS },
};

const MESSAGING_DEFAULTS: Row = Row {
    name: "MessagingDefaults",
    schema_file: "messaging-defaults.json",
    prefix: "defaults",
    about: "The profiles that new integrations get, and its layers",
    dialect: Dialect::Cloud,
    only: Some("the messaging defaults"),
    has_drafts: false,
    has_looks: false,
    has_hours: false,
    is_embedded: false,
    // The platform has a call for each.
    by_field: true,
    // What becomes a default need not be changed by that.
    counting: Counting::Contents,
    by_reference: true,
    referent: None,
    pins: None,
    references: &[
        ("supportedContent", ReferenceKind::SupportedContent),
        ("messagingSetting", ReferenceKind::MessagingSetting),
    ],
    fields: NO_FIELDS,
};

const OPEN_MESSAGING_INTEGRATION: Row = Row {
    name: "OpenMessagingIntegration",
    schema_file: "open-messaging-integration.json",
    prefix: "integration",
    about: "The registration of a custom channel, and its layers",
    dialect: Dialect::Cloud,
    only: None,
    has_drafts: false,
    has_looks: false,
    has_hours: false,
    is_embedded: false,
    by_field: false,
    counting: Counting::Moments,
    by_reference: false,
    referent: None,
    pins: None,
    references: &[
        ("supportedContent", ReferenceKind::SupportedContent),
        ("messagingSetting", ReferenceKind::MessagingSetting),
    ],
    fields: NO_FIELDS,
};

const MESSENGER_CONFIGURATION: Row = Row {
    name: "MessengerConfiguration",
    schema_file: "messenger-configuration.json",
    prefix: "configuration",
    about: "A messenger's configuration, and its layers",
    dialect: Dialect::Cloud,
    only: None,
    has_drafts: true,
    has_looks: true,
    has_hours: false,
    is_embedded: false,
    by_field: false,
    counting: Counting::Versions,
    by_reference: false,
    referent: Some(ReferenceKind::Configuration),
    pins: None,
    references: &[
        ("messenger.apps.knowledge.knowledgeBase", ReferenceKind::KnowledgeBase),
        ("supportCenter.knowledgeBase", ReferenceKind::KnowledgeBase),
        ("supportCenter.enabledCategories.*", ReferenceKind::KnowledgeCategory),
        ("supportCenter.labelFilter.labels.*", ReferenceKind::KnowledgeLabel),
        ("authenticationSettings.integration", ReferenceKind::AuthenticationIntegration),
    ],
    fields: Fields {
        colours: &["*Color"],
        classes: &[
            ("messenger.styles.", Class::Cosmetic),
            ("messenger.homeScreen.logoUrl", Class::Cosmetic),
            ("position.", Class::Cosmetic),
            ("supportCenter.styleSetting.", Class::Cosmetic),
            ("customI18nLabels", Class::Text),
            ("supportCenter.customMessages", Class::Text),
            ("languages", Class::Reach),
        ],
        ..NO_FIELDS
    },
};

const MESSENGER_DEPLOYMENT: Row = Row {
    name: "MessengerDeployment",
    schema_file: "messenger-deployment.json",
    prefix: "deployment",
    about: "A messenger's deployment, and its layers",
    dialect: Dialect::Cloud,
    only: None,
    has_drafts: false,
    has_looks: false,
    has_hours: false,
    is_embedded: true,
    by_field: false,
    counting: Counting::Moments,
    by_reference: false,
    referent: None,
    pins: Some("configuration"),
    references: &[
        ("configuration", ReferenceKind::Configuration),
        ("flow", ReferenceKind::Flow),
        ("supportedContent", ReferenceKind::SupportedContent),
        ("pushIntegrations.*", ReferenceKind::PushIntegration),
    ],
    fields: Fields {
        defaults: &[("allowedDomains", "[]")],
        sets: &["allowedDomains"],
        classes: &[
            ("allowedDomains", Class::Reach),
            ("allowAllDomains", Class::Reach),
            ("status", Class::Reach),
        ],
        // A deployment that is inactive is served to no visitor.
        switches: &["status"],
        ..NO_FIELDS
    },
};

impl ObjectKind {
    /// Every kind that git may manage, in their order.
    pub const ALL: &'static [ObjectKind] = &[
        ObjectKind::WebMessaging,
        ObjectKind::SupportedContent,
        ObjectKind::MessagingSetting,
        ObjectKind::MessagingDefaults,
        ObjectKind::OpenMessagingIntegration,
        ObjectKind::MessengerConfiguration,
        ObjectKind::MessengerDeployment,
    ];

    /// The kind of the only object that an organization had before there were others: texts need not name it.
    pub const IMPLIED: ObjectKind = ObjectKind::WebMessaging;

    fn row(self) -> &'static Row {
        match self {
            ObjectKind::WebMessaging => &WEB_MESSAGING,
            ObjectKind::SupportedContent => &SUPPORTED_CONTENT,
            ObjectKind::MessagingSetting => &MESSAGING_SETTING,
            ObjectKind::MessagingDefaults => &MESSAGING_DEFAULTS,
            ObjectKind::OpenMessagingIntegration => &OPEN_MESSAGING_INTEGRATION,
            ObjectKind::MessengerConfiguration => &MESSENGER_CONFIGURATION,
            ObjectKind::MessengerDeployment => &MESSENGER_DEPLOYMENT,
        }
    }

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
