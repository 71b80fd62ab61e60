//! The shapes of the bodies that clients send.
//!
//! Out: one [`Shape`] for each body. Never: checks a body. Start reading at [`DRAFT`].

use crate::emulator::cloud::shape::Shape::{self, Bool, Choice, Color, Fields, List, Needed, Text, Whole};

const INT: Shape = Whole(0, i32::MAX as i64);
const SWITCH: Shape = Fields(&[("enabled", Bool)]);
const REF: Shape = Fields(&[("id", Needed(&Text))]);
const TEXTS: Shape = List(&Text);
const PICTURE: Shape = Fields(&[("source", Fields(&[("defaultUrl", Text)]))]);
const TRIGGER: Shape = Fields(&[("selector", Needed(&Text)), ("eventName", Needed(&Text))]);
const CHANNELS: Shape = List(&Choice(&["Webmessaging", "Voice"]));

/// The body of a draft of a configuration.
pub(crate) const DRAFT: Shape = Fields(&[
    ("name", Needed(&Text)),
    ("description", Text),
    ("headlessMode", SWITCH),
    ("languages", TEXTS),
    ("defaultLanguage", Text),
    ("customI18nLabels", List(&LABELS)),
    ("messenger", MESSENGER),
    (
        "position",
        Fields(&[
            ("alignment", Choice(&["Auto", "Left", "Right"])),
            ("sideSpace", INT),
            ("bottomSpace", INT),
        ]),
    ),
    ("supportCenter", SUPPORT_CENTER),
    ("cobrowse", COBROWSE),
    ("journeyEvents", JOURNEY),
    (
        "authenticationSettings",
        Fields(&[
            ("enabled", Needed(&Bool)),
            ("integrationId", Needed(&Text)),
            ("allowSessionUpgrade", Bool),
        ]),
    ),
    ("video", VIDEO),
]);

const LABELS: Shape = Fields(&[
    ("language", Text),
    (
        "localizedLabels",
        List(&Fields(&[
            (
                "key",
                Choice(&[
                    "MessengerHomeHeaderTitle",
                    "MessengerHomeHeaderSubTitle",
                    "PushNotificationTitle",
                    "PushNotificationBody",
                    "MessengerLauncherButtonText",
                ]),
            ),
            ("value", Text),
        ])),
    ),
]);

const MESSENGER: Shape = Fields(&[
    ("enabled", Bool),
    ("sessionPersistenceType", Choice(&["AcrossSubdomains", "DomainOrSubdomainOnly"])),
    ("styles", Fields(&[("primaryColor", Color)])),
    (
        "launcherButton",
        Fields(&[
            ("visibility", Choice(&["On", "Off", "OnDemand"])),
            ("displayType", Choice(&["IconAndText", "Icon", "Text"])),
            ("icon", Fields(&[("url", Text)])),
        ]),
    ),
    (
        "fileUpload",
        Fields(&[
            ("enableAttachments", Bool),
            (
                "modes",
                List(&Fields(&[
                    ("fileTypes", List(&Choice(&["image/jpeg", "image/gif", "image/png"]))),
                    ("maxFileSizeKB", Whole(0, 10_240)),
                ])),
            ),
        ]),
    ),
    ("homeScreen", Fields(&[("enabled", Bool), ("logoUrl", Text)])),
    (
        "apps",
        Fields(&[
            ("conversations", CONVERSATIONS),
            ("knowledge", Fields(&[("enabled", Bool), ("knowledgeBase", REF)])),
        ]),
    ),
]);

const CONVERSATIONS: Shape = Fields(&[
    ("enabled", Bool),
    ("showAgentTypingIndicator", Bool),
    ("showUserTypingIndicator", Bool),
    ("autoStart", SWITCH),
    ("markdown", SWITCH),
    ("conversationDisconnect", Fields(&[("enabled", Bool), ("type", Choice(&["Send", "ReadOnly"]))])),
    ("conversationClear", SWITCH),
    ("humanize", Fields(&[("enabled", Bool), ("bot", Fields(&[("name", Text), ("avatarUrl", Text)]))])),
    (
        "notifications",
        Fields(&[
            ("enabled", Bool),
            ("notificationContentType", Choice(&["IncludeMessagesContent", "ExcludeMessagesContent"])),
        ]),
    ),
    ("sessionDurationSeconds", INT),
]);

const SUPPORT_CENTER: Shape = Fields(&[
    ("enabled", Bool),
    ("routerType", Choice(&["Hash", "Browser"])),
    ("knowledgeBase", REF),
    (
        "customMessages",
        List(&Fields(&[
            ("defaultValue", Needed(&Text)),
            ("type", Needed(&Choice(&["Welcome", "Fallback"]))),
        ])),
    ),
    (
        "screens",
        List(&Fields(&[
            ("type", Choice(&["Home", "Category", "SearchResults", "Article"])),
            ("moduleSettings", List(&MODULE)),
        ])),
    ),
    ("enabledCategories", List(&Fields(&[("id", Text), ("image", PICTURE)]))),
    ("labelFilter", Fields(&[("labels", List(&REF))])),
    (
        "styleSetting",
        Fields(&[
            ("heroStyle", Fields(&[("backgroundColor", Color), ("textColor", Color), ("image", PICTURE)])),
            (
                "globalStyle",
                Fields(&[
                    ("backgroundColor", Color),
                    ("primaryColor", Color),
                    ("primaryColorDark", Color),
                    ("primaryColorLight", Color),
                    ("textColor", Color),
                    ("fontFamily", Text),
                ]),
            ),
        ]),
    ),
    ("feedback", SWITCH),
]);

const MODULE: Shape = Fields(&[
    ("type", Choice(&["Search", "Categories", "FAQ", "Contact", "Results", "Article", "TopViewedArticles"])),
    ("enabled", Bool),
    ("compactCategoryModuleTemplate", Fields(&[("active", Bool)])),
    ("detailedCategoryModuleTemplate", Fields(&[("active", Bool), ("sidebar", SWITCH)])),
]);

const COBROWSE: Shape = Fields(&[
    ("enabled", Bool),
    ("allowAgentControl", Bool),
    ("allowAgentNavigation", Bool),
    ("allowDraw", Bool),
    ("maskSelectors", TEXTS),
    ("readonlySelectors", TEXTS),
    ("channels", CHANNELS),
    (
        "pauseCriteria",
        List(&Fields(&[
            ("urlFragment", Text),
            ("condition", Choice(&["Includes", "DoesNotInclude", "StartsWith", "EndsWith", "Equals"])),
        ])),
    ),
]);

const JOURNEY: Shape = Fields(&[
    ("enabled", Bool),
    ("pageviewConfig", Choice(&["Auto", "Once", "Off"])),
    ("excludedQueryParameters", TEXTS),
    ("shouldKeepUrlFragment", Bool),
    ("searchQueryParameters", TEXTS),
    ("clickEvents", List(&TRIGGER)),
    (
        "formsTrackEvents",
        List(&Fields(&[
            ("selector", Needed(&Text)),
            ("formName", Needed(&Text)),
            ("captureDataOnFormAbandon", Needed(&Bool)),
            ("captureDataOnFormSubmit", Needed(&Bool)),
        ])),
    ),
    ("idleEvents", List(&Fields(&[("eventName", Needed(&Text)), ("idleAfterSeconds", Whole(30, i64::MAX))]))),
    ("inViewportEvents", List(&TRIGGER)),
    (
        "scrollDepthEvents",
        List(&Fields(&[("percentage", Needed(&Whole(0, 100))), ("eventName", Needed(&Text))])),
    ),
    (
        "trackingSettings",
        Fields(&[
            ("excludedQueryParameters", TEXTS),
            ("searchQueryParameters", TEXTS),
            ("shouldKeepUrlFragment", Bool),
            ("ipFilters", List(&Fields(&[("ipAddress", Text), ("name", Text)]))),
        ]),
    ),
]);

const VIDEO: Shape = Fields(&[
    ("enabled", Bool),
    ("channels", CHANNELS),
    (
        "agent",
        Fields(&[
            ("allowCamera", Bool),
            ("allowScreenShare", Bool),
            ("allowMicrophone", Bool),
            ("background", Choice(&["BLUR", "NONE", "IMAGE"])),
            ("backgroundImage", Fields(&[("url", Text)])),
        ]),
    ),
    ("user", Fields(&[("allowCamera", Bool), ("allowScreenShare", Bool), ("allowMicrophone", Bool)])),
]);

/// The body of a deployment.
pub(crate) const DEPLOYMENT: Shape = Fields(&[
    ("name", Needed(&Text)),
    ("description", Text),
    ("configuration", Needed(&Fields(&[("id", Needed(&Text)), ("version", Needed(&Text))]))),
    ("flow", REF),
    ("allowAllDomains", Bool),
    ("allowedDomains", TEXTS),
    ("supportedContent", REF),
    ("pushIntegrations", List(&Fields(&[("provider", Choice(&["APNS", "FCM"])), ("id", Text)]))),
    ("status", Choice(&["Pending", "Active", "Inactive", "Error", "Deleting"])),
]);

/// The body of a deployment's identity resolution.
pub(crate) const IDENTITY_RESOLUTION: Shape = Fields(&[
    ("resolveIdentities", Needed(&Bool)),
    ("division", Fields(&[("id", Text), ("name", Text)])),
    ("externalSource", Fields(&[("id", Text)])),
    ("automerge", Fields(&[("authenticatedWebMessaging", Bool), ("webTracking", Bool)])),
]);

/// The body that creates an open messaging integration.
pub(crate) const OPEN_INTEGRATION: Shape = Fields(&[
    ("name", Needed(&Text)),
    ("outboundNotificationWebhookUrl", Needed(&Text)),
    ("outboundNotificationWebhookSignatureSecretToken", Needed(&Text)),
    ("supportedContent", REF),
    ("messagingSetting", REF),
]);

/// The body that changes an open messaging integration.
pub(crate) const OPEN_INTEGRATION_CHANGE: Shape = Fields(&[
    ("name", Needed(&Text)),
    ("outboundNotificationWebhookUrl", Text),
    ("outboundNotificationWebhookSignatureSecretToken", Text),
    ("supportedContent", REF),
    ("messagingSetting", REF),
]);

/// The body that creates a knowledge base.
pub(crate) const KNOWLEDGE_BASE: Shape =
    Fields(&[("name", Needed(&Text)), ("coreLanguage", Needed(&Text)), ("description", Text)]);
