//! The table of kinds of this API: where objects of a kind are, how they are changed, which permissions they
//! need, and where the names that other objects refer to are listed.
//!
//! In: a kind, or a kind of reference. Out: a row. Never: a request. Start reading at [`shape`], the rows of
//! kinds, and [`NAMED`], the listings of names. A kind that is written field by field has only references as
//! its fields.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind of object has its row here")]

use super::need::{Need, Use, to_look, to_write};
use crate::model::{ObjectKind, ReferenceKind};
use crate::platform::operation::Verb;

/// How a listing is divided into pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paging {
    /// By a cursor in the link to the next page.
    Cursor,
    /// By numbers.
    Numbers,
}

/// A listing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing {
    /// Its path below the base URL.
    pub path: &'static str,
    pub paging: Paging,
    /// Its content as text.
    pub what: &'static str,
}

/// The row of a kind.
#[derive(Debug)]
pub(super) struct Shape {
    /// Where its objects are.
    pub place: Storage,
    /// The service of its audit records.
    pub service: &'static str,
    /// Whether `status` is a field that git may set; for other kinds the platform sets it.
    pub has_status: bool,
    /// The field of a write with a secret.
    pub secret: Option<&'static str>,
    /// The permissions that a client needs.
    pub needs: &'static [Need],
}

/// Where objects of a kind are.
#[derive(Debug)]
pub(super) enum Storage {
    /// In a listing, each at its id below the path of the listing; changed by a verb.
    Listed(Listing, Verb),
    /// Without a whole object: the only one of an organization has a call for each field.
    Called(&'static [Call]),
}

impl Shape {
    /// The listing of its objects, if they have one.
    pub(super) fn listing(&self) -> Option<&Listing> {
        match &self.place {
            Storage::Listed(listing, _) => Some(listing),
            Storage::Called(_) => None,
        }
    }
}

/// The calls that read and write one field of an object without a call of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// The field, a reference.
    pub field: &'static str,
    pub path: &'static str,
    /// The key of the id in a write.
    pub key: &'static str,
}

const CONFIGURATIONS: &str = "api/v2/webdeployments/configurations";
const DEPLOYMENTS: &str = "api/v2/webdeployments/deployments";
const INTEGRATIONS: &str = "api/v2/conversations/messaging/integrations/open";

const CONFIGURATION: Shape = Shape {
    place: Storage::Listed(
        Listing { path: CONFIGURATIONS, paging: Paging::Cursor, what: "the messenger configurations" },
        Verb::Put,
    ),
    service: "WebDeployments",
    has_status: false,
    secret: None,
    needs: &[
        to_look(
            "read messenger configurations",
            &["webDeployments:configuration:view"],
            Use::Always,
            Some(CONFIGURATIONS),
        ),
        to_write("store drafts", &["webDeployments:configuration:edit"], Use::Always),
        to_write(
            "create and publish configurations",
            &["webDeployments:configuration:add", "webDeployments:configuration:edit"],
            Use::Always,
        ),
    ],
};

const DEPLOYMENT: Shape = Shape {
    place: Storage::Listed(
        Listing { path: DEPLOYMENTS, paging: Paging::Cursor, what: "the deployments" },
        Verb::Put,
    ),
    service: "WebDeployments",
    has_status: true,
    secret: None,
    needs: &[
        to_look("read deployments", &["webDeployments:deployment:view"], Use::Always, Some(DEPLOYMENTS)),
        to_write("change deployments", &["webDeployments:deployment:edit"], Use::Always),
        to_write("create deployments", &["webDeployments:deployment:add"], Use::Always),
    ],
};

const CONTENT_PROFILES: Listing = Listing {
    path: "api/v2/conversations/messaging/supportedcontent",
    paging: Paging::Numbers,
    what: "the supported content profiles",
};

const SUPPORTED_CONTENT: Shape = Shape {
    place: Storage::Listed(CONTENT_PROFILES, Verb::Patch),
    service: "Messaging",
    has_status: false,
    secret: None,
    needs: &[
        to_look(
            "read supported content profiles",
            &["messaging:supportedContent:view"],
            Use::Kind(ObjectKind::SupportedContent),
            Some(CONTENT_PROFILES.path),
        ),
        to_write(
            "create and change supported content profiles",
            &["messaging:supportedContent:add", "messaging:supportedContent:edit"],
            Use::Kind(ObjectKind::SupportedContent),
        ),
    ],
};

const SETTINGS: Listing = Listing {
    path: "api/v2/conversations/messaging/settings",
    paging: Paging::Numbers,
    what: "the messaging settings",
};

const MESSAGING_SETTING: Shape = Shape {
    place: Storage::Listed(SETTINGS, Verb::Patch),
    service: "Messaging",
    has_status: false,
    secret: None,
    needs: &[
        to_look(
            "read messaging settings",
            &["messaging:setting:view"],
            Use::Kind(ObjectKind::MessagingSetting),
            Some(SETTINGS.path),
        ),
        to_write(
            "create and change messaging settings",
            &["messaging:setting:add", "messaging:setting:edit"],
            Use::Kind(ObjectKind::MessagingSetting),
        ),
    ],
};

const DEFAULT_CONTENT: &str = "api/v2/conversations/messaging/supportedcontent/default";
const DEFAULT_SETTING: &str = "api/v2/conversations/messaging/settings/default";

const MESSAGING_DEFAULTS: Shape = Shape {
    place: Storage::Called(&[
        Call { field: "supportedContent", path: DEFAULT_CONTENT, key: "id" },
        Call { field: "messagingSetting", path: DEFAULT_SETTING, key: "settingId" },
    ]),
    service: "Messaging",
    has_status: false,
    secret: None,
    needs: &[
        to_look(
            "read the default supported content and the default messaging setting",
            &["messaging:supportedContent:view", "messaging:setting:view"],
            Use::Kind(ObjectKind::MessagingDefaults),
            None,
        ),
        to_write(
            "set the default supported content and the default messaging setting",
            &["messaging:supportedContent:edit", "messaging:setting:edit"],
            Use::Kind(ObjectKind::MessagingDefaults),
        ),
    ],
};

const INTEGRATION: Shape = Shape {
    place: Storage::Listed(
        Listing { path: INTEGRATIONS, paging: Paging::Numbers, what: "the open messaging integrations" },
        Verb::Patch,
    ),
    service: "Messaging",
    has_status: false,
    secret: Some("outboundNotificationWebhookSignatureSecretToken"),
    needs: &[
        to_look(
            "read open messaging integrations",
            &["messaging:integration:view"],
            Use::Kind(ObjectKind::OpenMessagingIntegration),
            Some(INTEGRATIONS),
        ),
        to_write(
            "create and change open messaging integrations",
            &["messaging:integration:add", "messaging:integration:edit"],
            Use::Kind(ObjectKind::OpenMessagingIntegration),
        ),
    ],
};

/// Returns the row of a kind; none for a kind of another API.
pub(super) fn shape(kind: ObjectKind) -> Option<&'static Shape> {
    match kind {
        ObjectKind::MessengerConfiguration => Some(&CONFIGURATION),
        ObjectKind::MessengerDeployment => Some(&DEPLOYMENT),
        ObjectKind::OpenMessagingIntegration => Some(&INTEGRATION),
        ObjectKind::SupportedContent => Some(&SUPPORTED_CONTENT),
        ObjectKind::MessagingSetting => Some(&MESSAGING_SETTING),
        ObjectKind::MessagingDefaults => Some(&MESSAGING_DEFAULTS),
        ObjectKind::WebMessaging => None,
    }
}

/// Every kind of this API with its row, in the order in which objects depend on each other.
pub(super) fn all() -> impl Iterator<Item = (ObjectKind, &'static Shape)> {
    ObjectKind::ALL.iter().filter_map(|kind| Some((*kind, shape(*kind)?)))
}

/// The path of the objects of a kind; empty for a kind without a listing.
pub(super) fn folder(kind: ObjectKind) -> &'static str {
    shape(kind).and_then(Shape::listing).map_or("", |listing| listing.path)
}

/// The kind whose versions a kind pins.
pub(super) fn pinned_by(kind: ObjectKind) -> Option<ObjectKind> {
    let path = kind.pins()?;
    let (_, to) = kind.references().iter().find(|(known, _)| *known == path)?;
    ObjectKind::referred_to(*to)
}

/// A listing with the names of referenced objects, and the permissions that it needs.
#[derive(Debug)]
pub(super) struct Named {
    /// Every kind of reference in it.
    pub kinds: &'static [ReferenceKind],
    pub listing: Listing,
    pub need: Need,
}

/// Every listing of names, except those of objects that are read with their versions. Categories and labels
/// belong to one knowledge base; genesync does not read their lists.
pub(super) const NAMED: &[Named] = &[
    named(
        &[ReferenceKind::Flow],
        Listing {
            path: "api/v2/flows?type=inboundshortmessage",
            paging: Paging::Numbers,
            what: "the inbound message flows",
        },
        "find flows by name",
        &["architect:flow:view"],
    ),
    named(
        &[ReferenceKind::KnowledgeBase],
        Listing {
            path: "api/v2/knowledge/knowledgebases",
            paging: Paging::Cursor,
            what: "the knowledge bases",
        },
        "find knowledge bases by name",
        &["knowledge:knowledgebase:view"],
    ),
    named(
        &[ReferenceKind::SupportedContent],
        CONTENT_PROFILES,
        "find supported content by name",
        &["messaging:supportedContent:view"],
    ),
    named(
        &[ReferenceKind::MessagingSetting],
        SETTINGS,
        "find messaging settings by name",
        &["messaging:setting:view"],
    ),
    named(
        &[ReferenceKind::AuthenticationIntegration, ReferenceKind::PushIntegration],
        Listing { path: "api/v2/integrations", paging: Paging::Numbers, what: "the integrations" },
        "find identity providers and push integrations by name",
        &["integrations:integration:view"],
    ),
];

const fn named(
    kinds: &'static [ReferenceKind],
    listing: Listing,
    what: &'static str,
    permissions: &'static [&'static str],
) -> Named {
    let need = to_look(what, permissions, Use::References(kinds), Some(listing.path));
    Named { kinds, listing, need }
}
