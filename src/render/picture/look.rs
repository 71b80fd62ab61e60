//! What a configuration makes of the widget: colours, texts, places.
//!
//! In: a configuration in the API's shape, live or to be written. Out: a [`Appearance`] for each language. A value that can't
//! be drawn is drawn as the platform's default, and told.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::ObjectKind;
use crate::model::colour::{Colour, is_large, text_ratio};
use crate::render::value::value as shown;

/// The messenger's colour where none is set: the platform's default.
const ACCENT: Colour = Colour { rgb: [0x01, 0x65, 0xA7] };
/// Text of others on a messenger's grey.
const INK: Colour = Colour { rgb: [0x1F, 0x24, 0x30] };
/// Size of a messenger's text in pixels; no field says it.
const TEXT_PX: f32 = 15.0;
/// Languages that are written from right to left, by their primary subtag.
const RTL: &[&str] = &["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"];
/// Most languages that are drawn.
pub const LANGUAGES_MAX: usize = 40;

/// The side of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where lines end.
    End,
    /// The left.
    Left,
    /// The right.
    Right,
}

/// The button that opens the widget.
#[derive(Debug, Clone, PartialEq)]
pub struct Launcher {
    /// Whether it is there without the page asking for it.
    pub is_shown: bool,
    /// Its text, where it has one.
    pub text: Option<String>,
    /// Whether it has an icon.
    pub has_icon: bool,
}

/// What a widget looks like in one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Appearance {
    /// The language; none where the configuration names none.
    pub language: Option<String>,
    /// Whether it is written from right to left.
    pub is_rtl: bool,
    /// The header, the launcher and the visitor's messages.
    pub accent: Colour,
    /// Text on it.
    pub on_accent: Colour,
    /// What the conversation stands on.
    pub panel: Colour,
    /// Text on it, and what others write.
    pub ink: Colour,
    /// What a message of others stands on.
    pub bubble: Colour,
    /// Size of text in pixels.
    pub text_px: f32,
    /// How much contrast text needs.
    pub needed: f64,
    /// Title of the home screen; none for a sample's.
    pub title: Option<String>,
    /// The line below it.
    pub subtitle: Option<String>,
    /// The button.
    pub launcher: Launcher,
    /// Whether it opens with a home screen.
    pub has_home: bool,
    /// Whether the home screen has a logo.
    pub has_logo: bool,
    /// What visitors are greeted with.
    pub greetings: Vec<String>,
    /// Where on the page it stands.
    pub side: Side,
    /// Pixels to that side.
    pub side_px: f32,
    /// Pixels to the bottom.
    pub bottom_px: f32,
    /// Why visitors are not offered anything; none where they are.
    pub off: Option<&'static str>,
    /// Whether there are hours at which they are not.
    pub has_hours: bool,
    /// What can't be drawn as it is.
    pub told: BTreeSet<String>,
}

/// What visitors of each language see; nothing for an object that has no looks of its own.
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

/// A colour, or the default and a word on why.
fn colour(body: &Map<String, Value>, path: &str, default: Colour, told: &mut BTreeSet<String>) -> Colour {
    let Some(value) = at(body, path).filter(|value| !value.is_null()) else { return default };
    value.as_str().and_then(Colour::parse).unwrap_or_else(|| {
        let hex = default.hex();
        told.insert(format!(
            "{path} is {}, which can't be drawn: {hex} stands in its place",
            shown(Some(value))
        ));
        default
    })
}

fn web_messaging(body: &Map<String, Value>) -> Appearance {
    let mut told = BTreeSet::new();
    let accent = colour(body, "widget.theme.colors.primary", ACCENT, &mut told);
    let panel = colour(body, "widget.theme.colors.background", Colour::WHITE, &mut told);
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
        told,
    }
}

/// The languages, the default one first.
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
    let mut told = BTreeSet::new();
    let accent = colour(body, "messenger.styles.primaryColor", ACCENT, &mut told);
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
        // On a likeness of a page nothing further away could be seen.
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
        told,
    }
}
