//! What the bodies of requests have to look like.
//!
//! In: a body. Out: the fields that are missing or wrong. Never: minds a field it does not know; the platform's
//! models grow, and what is not known here is stored as it came. Start reading at [`violations`].

use crate::emulator::cloud::error::Detail;
use serde_json::{Map, Value};

use Shape::{Bool, Choice, Color, Fields, List, Media, Text, Whole};

/// The shape of a value; `null` stands for absence.
pub(crate) enum Shape {
    Text,
    /// `#` and six hexadecimal digits.
    Color,
    /// A media type such as `image/png`, all of a type as in `image/*`, or `*/*` for all.
    Media,
    Bool,
    /// A whole number between these.
    Whole(i64, i64),
    Choice(&'static [&'static str]),
    List(&'static Shape),
    Fields(&'static [(&'static str, Shape)]),
    /// As the other, and not to be left out.
    Needed(&'static Shape),
}

use Shape::Needed;

/// Lists the fields of a body that break its shape.
pub(crate) fn violations(body: &Map<String, Value>, shape: &Shape) -> Vec<Detail> {
    let mut found = Vec::new();
    if let Fields(fields) = shape {
        check_fields("", body, fields, &mut found);
    }
    found
}

fn check_fields(path: &str, body: &Map<String, Value>, fields: &[(&str, Shape)], found: &mut Vec<Detail>) {
    for (name, shape) in fields {
        let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        match body.get(*name) {
            None | Some(Value::Null) => {
                if matches!(shape, Needed(_)) {
                    found.push(Detail::new(path, "is required"));
                }
            }
            Some(value) => check(&path, value, shape, found),
        }
    }
}

fn check(path: &str, value: &Value, shape: &Shape, found: &mut Vec<Detail>) {
    let expected = match (shape, value) {
        (Needed(inner), _) => return check(path, value, inner, found),
        (Text, Value::String(_)) | (Bool, Value::Bool(_)) => return,
        (Color, Value::String(text)) if is_color(text) => return,
        (Media, Value::String(text)) if is_media(text) => return,
        (Whole(min, max), Value::Number(number)) => match number.as_i64() {
            Some(number) if (*min..=*max).contains(&number) => return,
            _ => format!("must be a whole number from {min} to {max}"),
        },
        (Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => return,
        (List(inner), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                check(&format!("{path}[{index}]"), item, inner, found);
            }
            return;
        }
        (Fields(fields), Value::Object(body)) => return check_fields(path, body, fields, found),
        (Text, _) => "must be a string".to_owned(),
        (Color, _) => "must be a color such as #0165A7".to_owned(),
        (Media, _) => "must be a media type such as image/png, image/* or */*".to_owned(),
        (Bool, _) => "must be a boolean".to_owned(),
        (Whole(..), _) => "must be a whole number".to_owned(),
        (Choice(choices), _) => format!("must be one of {}", choices.join(", ")),
        (List(_), _) => "must be an array".to_owned(),
        (Fields(_), _) => "must be an object".to_owned(),
    };
    found.push(Detail::new(path, expected));
}

fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#');
    digits.is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Names are those of RFC 6838, section 4.2; parameters are no part of them.
fn is_media(text: &str) -> bool {
    let is_name = |name: &str| {
        let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        name.len() <= 127
            && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && name.bytes().all(rest)
    };
    match text.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => is_name(kind),
        Some((kind, inner)) => is_name(kind) && is_name(inner),
        None => false,
    }
}

const INT: Shape = Whole(0, i32::MAX as i64);
const SWITCH: Shape = Fields(&[("enabled", Bool)]);
const REF: Shape = Fields(&[("id", Needed(&Text))]);
const TEXTS: Shape = List(&Text);
const PICTURE: Shape = Fields(&[("source", Fields(&[("defaultUrl", Text)]))]);
const TRIGGER: Shape = Fields(&[("selector", Needed(&Text)), ("eventName", Needed(&Text))]);
const CHANNELS: Shape = List(&Choice(&["Webmessaging", "Voice"]));

/// A configuration, as drafts are written.
pub(crate) const CONFIGURATION: Shape = Fields(&[
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

/// A deployment, as it is written.
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

/// Identity resolution of a deployment, as it is written.
pub(crate) const IDENTITY_RESOLUTION: Shape = Fields(&[
    ("resolveIdentities", Needed(&Bool)),
    ("division", Fields(&[("id", Text), ("name", Text)])),
    ("externalSource", Fields(&[("id", Text)])),
    ("automerge", Fields(&[("authenticatedWebMessaging", Bool), ("webTracking", Bool)])),
]);

/// An open messaging integration, as it is created.
pub(crate) const OPEN_INTEGRATION: Shape = Fields(&[
    ("name", Needed(&Text)),
    ("outboundNotificationWebhookUrl", Needed(&Text)),
    ("outboundNotificationWebhookSignatureSecretToken", Needed(&Text)),
    ("supportedContent", REF),
    ("messagingSetting", REF),
]);

/// An open messaging integration, as it is changed.
pub(crate) const OPEN_INTEGRATION_CHANGE: Shape = Fields(&[
    ("name", Needed(&Text)),
    ("outboundNotificationWebhookUrl", Text),
    ("outboundNotificationWebhookSignatureSecretToken", Text),
    ("supportedContent", REF),
    ("messagingSetting", REF),
]);

const ALLOWED: Shape = List(&Fields(&[("type", Needed(&Media))]));
const MEDIA_TYPES: Shape = Fields(&[("allow", Fields(&[("inbound", ALLOWED), ("outbound", ALLOWED)]))]);

/// A supported content profile, as it is created.
pub(crate) const SUPPORTED_CONTENT: Shape = Fields(&[("name", Needed(&Text)), ("mediaTypes", MEDIA_TYPES)]);

/// A supported content profile, as it is changed.
pub(crate) const SUPPORTED_CONTENT_CHANGE: Shape = Fields(&[("name", Text), ("mediaTypes", MEDIA_TYPES)]);

const ABLE: Shape = Choice(&["Enabled", "Disabled"]);
const INBOUND: Shape = Fields(&[("inbound", ABLE)]);
const CONTENT: Shape = Fields(&[("story", Fields(&[("mention", INBOUND), ("reply", INBOUND)]))]);
const EVENT: Shape =
    Fields(&[("typing", Fields(&[("on", Fields(&[("inbound", ABLE), ("outbound", ABLE)]))]))]);

/// A messaging setting, as it is created.
pub(crate) const MESSAGING_SETTING: Shape =
    Fields(&[("name", Needed(&Text)), ("content", CONTENT), ("event", EVENT)]);

/// A messaging setting, as it is changed.
pub(crate) const MESSAGING_SETTING_CHANGE: Shape =
    Fields(&[("name", Text), ("content", CONTENT), ("event", EVENT)]);

/// A knowledge base, as it is created.
pub(crate) const KNOWLEDGE_BASE: Shape =
    Fields(&[("name", Needed(&Text)), ("coreLanguage", Needed(&Text)), ("description", Text)]);

#[cfg(test)]
mod tests {
    use crate::emulator::cloud::shape::{CONFIGURATION, DEPLOYMENT, SUPPORTED_CONTENT, violations};
    use serde_json::json;

    const OUTBOUND: &[&str] = &[
        "mediaTypes.allow.outbound[0].type",
        "mediaTypes.allow.outbound[1].type",
        "mediaTypes.allow.outbound[2].type",
        "mediaTypes.allow.outbound[3].type",
        "mediaTypes.allow.outbound[4].type",
        "mediaTypes.allow.outbound[5].type",
        "mediaTypes.allow.outbound[6].type",
        "mediaTypes.allow.outbound[7].type",
        "mediaTypes.allow.outbound[8].type",
    ];

    #[test]
    fn names_the_fields_that_are_missing_or_wrong() {
        for (body, shape, expected) in [
            (
                json!({"name": "n", "future": {"a": 1}, "messenger": {"enabled": true, "new": []}}),
                CONFIGURATION,
                vec![],
            ),
            (json!({"messenger": []}), CONFIGURATION, vec!["name", "messenger"]),
            (json!({"name": null, "languages": ["en-us", 5]}), CONFIGURATION, vec!["name", "languages[1]"]),
            (
                json!({"name": "n", "position": {"alignment": "Top", "sideSpace": -1}}),
                CONFIGURATION,
                vec!["position.alignment", "position.sideSpace"],
            ),
            (
                json!({"name": "n", "messenger": {"styles": {"primaryColor": "#0165A"}}}),
                CONFIGURATION,
                vec!["messenger.styles.primaryColor"],
            ),
            (
                json!({"name": "n", "journeyEvents": {"scrollDepthEvents": [{"percentage": 101}]}}),
                CONFIGURATION,
                vec![
                    "journeyEvents.scrollDepthEvents[0].percentage",
                    "journeyEvents.scrollDepthEvents[0].eventName",
                ],
            ),
            (
                json!({"name": "n", "authenticationSettings": {"enabled": 1}}),
                CONFIGURATION,
                vec!["authenticationSettings.enabled", "authenticationSettings.integrationId"],
            ),
            (
                json!({"name": "n", "configuration": {"id": "c", "version": 1}}),
                DEPLOYMENT,
                vec!["configuration.version"],
            ),
            (
                json!({"name": "n", "mediaTypes": {"allow": {
                    "inbound": [{"type": "*/*"}, {"type": "image/*"}, {"type": "image/svg+xml"}, {"type": "audio/vnd.a-b"}],
                    "outbound": [{"type": "*/png"}, {"type": "image"}, {"type": "image/"}, {"type": "/png"},
                        {"type": "image/png; q=1"}, {"type": "image/pn g"}, {"type": "a/b/c"}, {"type": 5}, {}],
                }}}),
                SUPPORTED_CONTENT,
                OUTBOUND.to_vec(),
            ),
        ] {
            let found = violations(body.as_object().unwrap(), &shape);
            let fields: Vec<&str> = found.iter().map(|detail| detail.field_name.as_str()).collect();
            assert_eq!(fields, expected, "{body}");
        }
    }
}
