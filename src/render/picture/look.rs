//! The appearance of the widget that a configuration defines: colours, texts, positions.
//!
//! In: a configuration in the API's shape, observed or desired. Out: an [`Appearance`] for each language. If
//! a value cannot be drawn, the platform's default is drawn and the appearance reports it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::ObjectKind;
use crate::model::colour::{Colour, is_large, text_ratio};
use crate::render::value::value as shown;

/// The platform's default colour of the messenger.
const ACCENT: Colour = Colour { rgb: [0x01, 0x65, 0xA7] };
/// The text colour of an agent's messages on the messenger's grey.
const INK: Colour = Colour { rgb: [0x1F, 0x24, 0x30] };
/// Size of a messenger's text in pixels; no field sets it.
const TEXT_PX: f32 = 15.0;
/// Primary subtags of the languages that are written from right to left.
const RTL: &[&str] = &["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"];
/// Most languages of one configuration that are drawn.
pub const LANGUAGES_MAX: usize = 40;

/// The side of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The end of a line: right, or left in a right-to-left language.
    End,
    /// The left.
    Left,
    /// The right.
    Right,
}

/// The button that opens the widget.
#[derive(Debug, Clone, PartialEq)]
pub struct Launcher {
    /// Whether the launcher is visible without a request of the page.
    pub is_shown: bool,
    /// The text of the launcher, if it has one.
    pub text: Option<String>,
    /// Whether the launcher has an icon.
    pub has_icon: bool,
}

/// The appearance of a widget in one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Appearance {
    /// The language; none if the configuration names none.
    pub language: Option<String>,
    /// Whether the language is written from right to left.
    pub is_rtl: bool,
    /// The colour of the header, the launcher and the visitor's messages.
    pub accent: Colour,
    /// The colour of text on the accent colour.
    pub on_accent: Colour,
    /// The background of the conversation.
    pub panel: Colour,
    /// The colour of text on the panel and in messages that the visitor did not write.
    pub ink: Colour,
    /// The background of messages that the visitor did not write.
    pub bubble: Colour,
    /// Size of text in pixels.
    pub text_px: f32,
    /// The contrast ratio that text needs.
    pub needed: f64,
    /// Title of the home screen; none to draw the sample title.
    pub title: Option<String>,
    /// The line below the title.
    pub subtitle: Option<String>,
    /// The launcher.
    pub launcher: Launcher,
    /// Whether the widget opens with a home screen.
    pub has_home: bool,
    /// Whether the home screen has a logo.
    pub has_logo: bool,
    /// The messages of the greeting.
    pub greetings: Vec<String>,
    /// The side of the page with the launcher.
    pub side: Side,
    /// Distance to that side in pixels.
    pub side_px: f32,
    /// Distance to the bottom in pixels.
    pub bottom_px: f32,
    /// Why the widget is not offered; none if it is offered.
    pub off: Option<&'static str>,
    /// Whether the widget is not offered outside opening hours.
    pub has_hours: bool,
    /// Remarks on values that cannot be drawn.
    pub reported: BTreeSet<String>,
}

/// Returns the appearance for each language; empty for a kind that visitors do not see.
pub fn looks(kind: ObjectKind, body: &Map<String, Value>) -> Vec<Appearance> {
    match kind {
        ObjectKind::WebMessaging => vec![web_messaging(body)],
        ObjectKind::MessengerConfiguration => {
            let languages = languages(body);
            languages.into_iter().map(|language| messenger(body, language)).collect()
        }
        _ => Vec::new(),
    }
}

fn at<'a>(body: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let found = body.get(first)?;
    if rest.is_empty() { Some(found) } else { rest.split('.').try_fold(found, |value, key| value.get(key)) }
}

fn text<'a>(body: &'a Map<String, Value>, path: &str) -> Option<&'a str> {
    at(body, path).and_then(Value::as_str)
}

fn is_on(body: &Map<String, Value>, path: &str, default: bool) -> bool {
    at(body, path).and_then(Value::as_bool).unwrap_or(default)
}

/// Returns a colour; for an invalid value, the default, and adds a remark to `reported`.
fn colour(body: &Map<String, Value>, path: &str, default: Colour, reported: &mut BTreeSet<String>) -> Colour {
    let Some(value) = at(body, path).filter(|value| !value.is_null()) else { return default };
    value.as_str().and_then(Colour::parse).unwrap_or_else(|| {
        let hex = default.hex();
        reported.insert(format!(
            "{path} is {}, which cannot be drawn: the picture shows {hex} instead",
            shown(Some(value))
        ));
        default
    })
}

fn web_messaging(body: &Map<String, Value>) -> Appearance {
    let mut reported = BTreeSet::new();
    let accent = colour(body, "widget.theme.colors.primary", ACCENT, &mut reported);
    let panel = colour(body, "widget.theme.colors.background", Colour::WHITE, &mut reported);
    let size =
        text(body, "widget.theme.typography.fontSize").and_then(|size| size.strip_suffix("px")?.parse().ok());
    let text_px = size.filter(|px: &f32| (8.0..=48.0).contains(px)).unwrap_or(16.0);
    let level = text(body, "widget.accessibility.wcagLevel").unwrap_or("AA");
    let messages = at(body, "greetings.messages").and_then(Value::as_array);
    let greetings = messages.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let greeted = is_on(body, "greetings.enabled", true);
    let has_hours = text(body, "availability.schedule") == Some("custom");
    let never =
        has_hours && at(body, "availability.rules").and_then(Value::as_array).is_none_or(Vec::is_empty);
    Appearance {
        language: None,
        is_rtl: false,
        accent,
        on_accent: panel,
        panel,
        ink: accent,
        bubble: panel,
        text_px,
        needed: text_ratio(level, is_large(text_px.into())),
        title: None,
        subtitle: None,
        launcher: Launcher { is_shown: true, text: None, has_icon: true },
        has_home: false,
        has_logo: false,
        greetings: greetings.filter(|_| greeted).collect(),
        side: Side::End,
        side_px: 20.0,
        bottom_px: 20.0,
        off: never.then_some("no opening hours"),
        has_hours,
        reported,
    }
}

/// Returns the languages, the default one first.
fn languages(body: &Map<String, Value>) -> Vec<Option<String>> {
    let first = text(body, "defaultLanguage");
    let listed = body.get("languages").and_then(Value::as_array);
    let others = listed.into_iter().flatten().filter_map(Value::as_str);
    let mut languages: Vec<Option<String>> = Vec::new();
    for language in first.into_iter().chain(others) {
        let language = Some(language.to_lowercase());
        if !languages.contains(&language) && languages.len() < LANGUAGES_MAX {
            languages.push(language);
        }
    }
    if languages.is_empty() {
        languages.push(None);
    }
    languages
}

fn messenger(body: &Map<String, Value>, language: Option<String>) -> Appearance {
    let mut reported = BTreeSet::new();
    let accent = colour(body, "messenger.styles.primaryColor", ACCENT, &mut reported);
    let primary = language.as_deref().and_then(|tag| tag.split(['-', '_']).next());
    let labels = body.get("customI18nLabels").and_then(Value::as_array).into_iter().flatten();
    let same = |entry: &&Value| {
        let tag = entry.get("language").and_then(Value::as_str).map(str::to_lowercase);
        tag.is_some() && tag == language
    };
    let of_language: Vec<&Value> =
        labels.filter(same).filter_map(|entry| entry.get("localizedLabels")?.as_array()).flatten().collect();
    let label = |key: &str| {
        let found = of_language.iter().find(|label| label.get("key").and_then(Value::as_str) == Some(key))?;
        found.get("value").and_then(Value::as_str).map(str::to_owned)
    };
    let display = text(body, "messenger.launcherButton.displayType");
    let visibility = text(body, "messenger.launcherButton.visibility");
    let side = match text(body, "position.alignment") {
        Some("Left") => Side::Left,
        Some("Right") => Side::Right,
        _ => Side::End,
    };
    let pixels = |path: &str, default: f32| {
        // A larger distance would be outside of the drawn page.
        at(body, path).and_then(Value::as_f64).map_or(default, |px| px.clamp(0.0, 160.0) as f32)
    };
    let off = if !is_on(body, "messenger.enabled", true) {
        Some("the messenger is disabled")
    } else if is_on(body, "headlessMode.enabled", false) {
        Some("the page draws its own messenger")
    } else if visibility == Some("Off") {
        Some("the launcher is switched off")
    } else {
        None
    };
    let home = is_on(body, "messenger.homeScreen.enabled", true);
    Appearance {
        is_rtl: primary.is_some_and(|primary| RTL.contains(&primary)),
        language,
        accent,
        on_accent: Colour::WHITE,
        panel: Colour::WHITE,
        ink: INK,
        bubble: Colour { rgb: [0xEF, 0xF1, 0xF4] },
        text_px: TEXT_PX,
        needed: text_ratio("AA", false),
        title: label("MessengerHomeHeaderTitle"),
        subtitle: label("MessengerHomeHeaderSubTitle"),
        launcher: Launcher {
            is_shown: !matches!(visibility, Some("Off" | "OnDemand")),
            text: label("MessengerLauncherButtonText")
                .filter(|_| matches!(display, Some("Text" | "IconAndText"))),
            has_icon: display != Some("Text"),
        },
        has_home: home,
        has_logo: text(body, "messenger.homeScreen.logoUrl").is_some_and(|url| !url.is_empty()),
        greetings: Vec::new(),
        side,
        side_px: pixels("position.sideSpace", 20.0),
        bottom_px: pixels("position.bottomSpace", 12.0),
        off,
        has_hours: false,
        reported,
    }
}
