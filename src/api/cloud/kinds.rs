//! The table of kinds as this API has them: where objects of a kind are, how they are changed, what they need, and
//! where the names that other objects refer to are listed.
//!
//! In: a kind, or a kind of reference. Out: a row. Never: a request. A new kind of this API is a row here.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind of object has its row here")]

use super::permissions::{LOOKS, Need, Use, WRITES};
use crate::model::{ObjectKind, ReferenceKind};
use crate::platform::operation::Verb;

/// How the pages of a listing are told apart.
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
    /// What it lists, in words.
    pub what: &'static str,
}

/// What is known of a kind.
#[derive(Debug)]
pub(super) struct Shape {
    /// Where its objects are: each is below this path by its id.
    pub listing: Listing,
    /// What changes one that is there.
    pub change: Verb,
    /// The service whose audit records report it.
    pub service: &'static str,
    /// Whether `status` is a field that git may set. Of the others, it is the platform's.
    pub has_status: bool,
    /// The field of a write that carries a secret.
    pub secret: Option<&'static str>,
    /// What a client has to be allowed.
    pub needs: &'static [Need],
}

pub(super) const CONFIGURATIONS: &str = "api/v2/webdeployments/configurations";
const DEPLOYMENTS: &str = "api/v2/webdeployments/deployments";
const INTEGRATIONS: &str = "api/v2/conversations/messaging/integrations/open";

const CONFIGURATION: Shape = Shape {
    listing: Listing { path: CONFIGURATIONS, paging: Paging::Cursor, what: "the messenger configurations" },
    change: Verb::Put,
    service: "WebDeployments",
    has_status: false,
    secret: None,
    needs: &[
        Need {
            what: "read messenger configurations",
            permissions: &["webDeployments:configuration:view"],
            commands: LOOKS,
            of: Use::Always,
            probe: Some(CONFIGURATIONS),
        },
        Need {
            what: "store drafts",
            permissions: &["webDeployments:configuration:edit"],
            commands: WRITES,
            of: Use::Always,
            probe: None,
        },
        Need {
            what: "create and publish configurations",
            permissions: &["webDeployments:configuration:add", "webDeployments:configuration:edit"],
            commands: WRITES,
            of: Use::Always,
            probe: None,
        },
    ],
};

const DEPLOYMENT: Shape = Shape {
    listing: Listing { path: DEPLOYMENTS, paging: Paging::Cursor, what: "the deployments" },
    change: Verb::Put,
    service: "WebDeployments",
    has_status: true,
    secret: None,
    needs: &[
        Need {
            what: "read deployments",
            permissions: &["webDeployments:deployment:view"],
            commands: LOOKS,
            of: Use::Always,
            probe: Some(DEPLOYMENTS),
        },
        Need {
            what: "change deployments",
            permissions: &["webDeployments:deployment:edit"],
            commands: WRITES,
            of: Use::Always,
            probe: None,
        },
        Need {
            what: "create deployments",
            permissions: &["webDeployments:deployment:add"],
            commands: WRITES,
            of: Use::Always,
            probe: None,
        },
    ],
};

const INTEGRATION: Shape = Shape {
    listing: Listing { path: INTEGRATIONS, paging: Paging::Numbers, what: "the open messaging integrations" },
    change: Verb::Patch,
    service: "Messaging",
    has_status: false,
    secret: Some("outboundNotificationWebhookSignatureSecretToken"),
    needs: &[
        Need {
            what: "read open messaging integrations",
            permissions: &["messaging:integration:view"],
            commands: LOOKS,
            of: Use::Kind(ObjectKind::OpenMessagingIntegration),
            probe: Some(INTEGRATIONS),
        },
        Need {
            what: "create and change open messaging integrations",
            permissions: &["messaging:integration:add", "messaging:integration:edit"],
            commands: WRITES,
            of: Use::Kind(ObjectKind::OpenMessagingIntegration),
            probe: None,
        },
    ],
};

/// What is known of a kind; none for a kind of another API.
pub(super) fn shape(kind: ObjectKind) -> Option<&'static Shape> {
    match kind {
        ObjectKind::MessengerConfiguration => Some(&CONFIGURATION),
        ObjectKind::MessengerDeployment => Some(&DEPLOYMENT),
        ObjectKind::OpenMessagingIntegration => Some(&INTEGRATION),
        ObjectKind::WebMessaging => None,
    }
}

/// Every kind of this API with its row, in the order in which objects depend on each other.
pub(super) fn all() -> impl Iterator<Item = (ObjectKind, &'static Shape)> {
    ObjectKind::ALL.iter().filter_map(|kind| Some((*kind, shape(*kind)?)))
}

/// The kind of which a kind pins a version.
pub(super) fn pinned_by(kind: ObjectKind) -> Option<ObjectKind> {
    let path = kind.pins()?;
    let (_, to) = kind.references().iter().find(|(known, _)| *known == path)?;
    ObjectKind::referred_to(*to)
}

/// Where the names of what objects refer to are listed, and what it takes to see them.
#[derive(Debug)]
pub(super) struct Named {
    /// Every kind of reference that is found there.
    pub kinds: &'static [ReferenceKind],
    pub listing: Listing,
    pub need: Need,
}

/// Every listing of names, but for those of objects that are read with their versions. Categories and labels are of one
/// knowledge base, whose lists this build does not read.
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
        Listing {
            path: "api/v2/conversations/messaging/supportedcontent",
            paging: Paging::Numbers,
            what: "the supported content profiles",
        },
        "find supported content by name",
        &["messaging:supportedContent:view"],
    ),
    named(
        &[ReferenceKind::MessagingSetting],
        Listing {
            path: "api/v2/conversations/messaging/settings",
            paging: Paging::Numbers,
            what: "the messaging settings",
        },
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
    let of = Use::References(kinds);
    let need = Need { what, permissions, commands: LOOKS, of, probe: Some(listing.path) };
    Named { kinds, listing, need }
}
