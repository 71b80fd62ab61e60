//! The rows of the table of kinds, in the order of [`ObjectKind`](super::ObjectKind).

use super::super::class::Class;
use super::super::dialect::Dialect;
use super::super::referent::ReferenceKind;

/// How genesync detects that an object changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// By a version that increases by one with each change.
    Versions,
    /// By the time of the last change, in milliseconds since 1970.
    Moments,
    /// By its content only: its version is a digest of 48 bits.
    Contents,
}

/// How a field switches off a feature that visitors use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// A switch was on and is no longer on.
    WhenUnset,
    /// A switch was not on and is on now.
    WhenSet,
    /// The field gets this value.
    WhenIs(&'static str),
    /// The field had a value and is now absent.
    WhenGone,
    /// Almost no opening hours are left.
    WhenHardlyOpen,
}

/// The properties of the fields of a kind, by their dotted paths in the API's shape.
#[derive(Debug)]
pub struct Fields {
    /// The platform's defaults, as JSON: an absent field has the same meaning.
    pub defaults: &'static [(&'static str, &'static str)],
    /// Fields that hold a colour. `*Color` means every field whose last name contains `Color`.
    pub colours: &'static [&'static str],
    /// Lists whose order has no meaning.
    pub sets: &'static [&'static str],
    /// Fields whose text has the same meaning in upper and lower case.
    pub caseless: &'static [&'static str],
    /// Prefixes of fields, with the effect of a change on visitors; the first match counts.
    pub classes: &'static [(&'static str, Class)],
    /// Fields that switch off a feature that visitors use, with the direction. Reviewed by hand: a switch
    /// that is not listed is a minor one.
    pub off: &'static [(&'static str, Off)],
    /// Lists in which fewer items mean a smaller reach.
    pub reach: &'static [&'static str],
    /// The field that allows every site, and the list of allowed sites.
    pub domains: Option<(&'static str, &'static str)>,
    /// The text field with the owner's mark at its end, visible to administrators only; none if there is no
    /// such field. The field is absent if it contains only the mark.
    pub mark: Option<&'static str>,
    /// Fields that the server adds, and ignores in a write.
    pub server: &'static [&'static str],
}

const NO_FIELDS: Fields = Fields {
    defaults: &[],
    colours: &[],
    sets: &[],
    caseless: &[],
    classes: &[],
    off: &[],
    reach: &[],
    domains: None,
    mark: None,
    server: &[],
};

/// One kind.
#[derive(Debug)]
pub(super) struct Row {
    /// The value of `kind:` in a manifest.
    pub name: &'static str,
    /// The schema's file name under `schemas/`.
    pub schema_file: &'static str,
    /// The prefix of the files of an import.
    pub prefix: &'static str,
    /// One line of help text about its documents.
    pub about: &'static str,
    pub dialect: Dialect,
    /// The name in messages if an organization has only one; none if each has its own name.
    pub only: Option<&'static str>,
    pub has_drafts: bool,
    pub has_looks: bool,
    pub has_hours: bool,
    pub is_embedded: bool,
    /// Whether a write carries one field of the body instead of all.
    pub by_field: bool,
    pub counting: Counting,
    /// Whether an import leaves it out unless another object refers to it.
    pub by_reference: bool,
    /// The kind of reference to it.
    pub referent: Option<ReferenceKind>,
    /// The reference whose published version it pins.
    pub pins: Option<&'static str>,
    /// The paths of references; `*` is every item of a list.
    pub references: &'static [(&'static str, ReferenceKind)],
    pub fields: Fields,
}

/// The common properties: named objects of the public API that have the time of their last change. A row
/// lists only what differs.
const PLAIN: Row = Row {
    name: "",
    schema_file: "",
    prefix: "",
    about: "",
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
    references: &[],
    fields: NO_FIELDS,
};

pub(super) const WEB_MESSAGING: Row = Row {
    name: "WebMessaging",
    schema_file: "web-messaging.json",
    prefix: "web",
    about: "The web messaging configuration, and its layers",
    dialect: Dialect::Webchat,
    only: Some("the configuration"),
    has_looks: true,
    has_hours: true,
    counting: Counting::Versions,
    // The defaults come from the payload table of the `webchat` contract.
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
        caseless: &[],
        classes: &[
            ("widget.theme.", Class::Cosmetic),
            ("widget.accessibility.contrastRatio", Class::Cosmetic),
            ("greetings.messages", Class::Text),
            ("features.audiences", Class::Reach),
            ("availability.", Class::Reach),
        ],
        off: &[
            ("greetings.enabled", Off::WhenUnset),
            ("greetings.messages", Off::WhenGone),
            ("availability", Off::WhenHardlyOpen),
        ],
        reach: &["features.audiences"],
        domains: None,
        mark: None,
        server: &["version", "dateModified", "modifiedBy"],
    },
    ..PLAIN
};

pub(super) const SUPPORTED_CONTENT: Row = Row {
    name: "SupportedContent",
    schema_file: "supported-content.json",
    prefix: "content",
    about: "The media that may pass, and its layers",
    // It has an integer `version`, but the platform does not document how it counts.
    counting: Counting::Moments,
    by_reference: true,
    referent: Some(ReferenceKind::SupportedContent),
    fields: Fields {
        // Media types of a direction that is not named are blocked.
        defaults: &[("mediaTypes.allow.inbound", "[]"), ("mediaTypes.allow.outbound", "[]")],
        sets: &["mediaTypes.allow.inbound", "mediaTypes.allow.outbound"],
        // RFC 9110, 8.3.1.
        caseless: &["mediaTypes.allow.inbound", "mediaTypes.allow.outbound"],
        classes: &[("mediaTypes.allow.", Class::Reach)],
        reach: &["mediaTypes.allow.inbound", "mediaTypes.allow.outbound"],
        ..NO_FIELDS
    },
    ..PLAIN
};

pub(super) const MESSAGING_SETTING: Row = Row {
    name: "MessagingSetting",
    schema_file: "messaging-setting.json",
    prefix: "setting",
    about: "How messages are treated on their way, and its layers",
    // It has a text `version`, but the platform does not document how it counts.
    counting: Counting::Moments,
    by_reference: true,
    referent: Some(ReferenceKind::MessagingSetting),
    ..PLAIN
};

pub(super) const MESSAGING_DEFAULTS: Row = Row {
    name: "MessagingDefaults",
    schema_file: "messaging-defaults.json",
    prefix: "defaults",
    about: "The profiles that new integrations get, and its layers",
    only: Some("the messaging defaults"),
    // The platform has one call for each field.
    by_field: true,
    // An object that becomes a default may stay unchanged, so its time does not show the change.
    counting: Counting::Contents,
    by_reference: true,
    references: &[
        ("supportedContent", ReferenceKind::SupportedContent),
        ("messagingSetting", ReferenceKind::MessagingSetting),
    ],
    ..PLAIN
};

pub(super) const OPEN_MESSAGING_INTEGRATION: Row = Row {
    name: "OpenMessagingIntegration",
    schema_file: "open-messaging-integration.json",
    prefix: "integration",
    about: "The registration of a custom channel, and its layers",
    references: &[
        ("supportedContent", ReferenceKind::SupportedContent),
        ("messagingSetting", ReferenceKind::MessagingSetting),
    ],
    ..PLAIN
};

pub(super) const MESSENGER_CONFIGURATION: Row = Row {
    name: "MessengerConfiguration",
    schema_file: "messenger-configuration.json",
    prefix: "configuration",
    about: "A messenger's configuration, and its layers",
    has_drafts: true,
    has_looks: true,
    counting: Counting::Versions,
    referent: Some(ReferenceKind::Configuration),
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
        off: &[
            ("messenger.enabled", Off::WhenUnset),
            ("messenger.launcherButton.visibility", Off::WhenIs("Off")),
            ("messenger.apps.conversations.enabled", Off::WhenUnset),
            // The platform shows no messenger in that mode.
            ("headlessMode.enabled", Off::WhenSet),
        ],
        reach: &["languages"],
        mark: Some("description"),
        ..NO_FIELDS
    },
    ..PLAIN
};

pub(super) const MESSENGER_DEPLOYMENT: Row = Row {
    name: "MessengerDeployment",
    schema_file: "messenger-deployment.json",
    prefix: "deployment",
    about: "A messenger's deployment, and its layers",
    is_embedded: true,
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
        off: &[
            // Visitors do not get an inactive deployment.
            ("status", Off::WhenUnset),
            // Without a flow, no agent or bot answers.
            ("flow", Off::WhenGone),
            ("configuration", Off::WhenGone),
        ],
        domains: Some(("allowAllDomains", "allowedDomains")),
        mark: Some("description"),
        ..NO_FIELDS
    },
    ..PLAIN
};
