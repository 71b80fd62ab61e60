//! The rows of the table of kinds, in the order of [`ObjectKind`](super::ObjectKind).

use super::super::class::Class;
use super::super::dialect::Dialect;
use super::super::referent::ReferenceKind;

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

/// The direction in which a field switches off what visitors use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// A switch that was on, and is not.
    WhenUnset,
    /// A switch that was not on, and is.
    WhenSet,
    /// It becomes this word.
    WhenIs(&'static str),
    /// There was something, and there is nothing.
    WhenGone,
    /// Hours of which next to nothing is left.
    WhenHardlyOpen,
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
    /// Fields whose text means the same in upper and lower case.
    pub caseless: &'static [&'static str],
    /// Prefixes of fields, and what a change of them does to visitors; the first one that fits counts.
    pub classes: &'static [(&'static str, Class)],
    /// Fields by which what visitors use is switched off, and the direction in which they do that. Reviewed by hand: a
    /// switch that is not listed is a minor one.
    pub off: &'static [(&'static str, Off)],
    /// Lists of whom, or of what, fewer means a smaller reach.
    pub reach: &'static [&'static str],
    /// The field that lets every site show it, and the list of sites that may.
    pub domains: Option<(&'static str, &'static str)>,
    /// The text, seen by administrators alone, at whose end the mark of the owner stands; none where there is no place for one.
    /// Without a text but the mark it is absent.
    pub mark: Option<&'static str>,
    /// Fields that the server adds and ignores in a write.
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
    /// The word after `kind:` in a manifest.
    pub name: &'static str,
    /// The schema's file name under `schemas/`.
    pub schema_file: &'static str,
    /// What the files of an import begin with.
    pub prefix: &'static str,
    /// What a document of it is, in words.
    pub about: &'static str,
    pub dialect: Dialect,
    /// How messages name the only one of an organization; none if each has a name of its own.
    pub only: Option<&'static str>,
    pub has_drafts: bool,
    pub has_looks: bool,
    pub has_hours: bool,
    pub is_embedded: bool,
    /// Whether a write carries one field of the body, and not all of it.
    pub by_field: bool,
    pub counting: Counting,
    /// Whether an import leaves it out unless something refers to it.
    pub by_reference: bool,
    /// The reference that other objects make to it.
    pub referent: Option<ReferenceKind>,
    /// The reference of which it pins a published version.
    pub pins: Option<&'static str>,
    /// Where references stand; `*` is every item of a list.
    pub references: &'static [(&'static str, ReferenceKind)],
    pub fields: Fields,
}

/// What most kinds are: named objects of the public API, told apart by the moment of their last change. A row says in
/// what its kind is another.
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
    // It has an integer `version`, of which the platform does not say how it counts.
    counting: Counting::Moments,
    by_reference: true,
    referent: Some(ReferenceKind::SupportedContent),
    fields: Fields {
        // Media of a direction that is not named is blocked.
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
    // It has a `version` that is a text, of which the platform does not say how it counts.
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
    // The platform has a call for each.
    by_field: true,
    // What becomes a default need not be changed by that.
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
            // The platform draws no messenger then.
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
            // A deployment that is inactive is served to no visitor.
            ("status", Off::WhenUnset),
            // Without a flow nobody answers.
            ("flow", Off::WhenGone),
            ("configuration", Off::WhenGone),
        ],
        domains: Some(("allowAllDomains", "allowedDomains")),
        mark: Some("description"),
        ..NO_FIELDS
    },
    ..PLAIN
};
