//! The pictures of a page: the views that show a change, for each language.
//!
//! In: the appearance before and after. Out: pairs of SVG pictures.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new view needs a decision here")]

use std::collections::BTreeSet;

use super::looks::Looks;
use crate::render::picture::look::Appearance;
use crate::render::picture::svg::{self, Glyphs};
use crate::render::picture::views::{Backdrop, Panel, Screen, View, Width};
use crate::render::picture::{Pair, pairs};
use crate::render::value::escape;

/// Most languages of one object with pictures.
const LANGUAGES_MAX: usize = 4;

/// One view before and after a plan.
pub(super) struct Picture {
    pub(super) caption: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// Returns whether a page shows a view; `genesync picture` draws all views.
fn is_on_page(view: View) -> bool {
    match view.screen {
        Screen::Launcher => view.width == Width::Wide,
        Screen::Home | Screen::Conversation => view.page == Backdrop::Light,
        Screen::Unavailable => view.width == Width::Wide && view.page == Backdrop::Light,
    }
}

/// Returns the texts that differ between languages.
fn texts(look: &Appearance) -> (&Option<String>, &Option<String>, &Option<String>) {
    (&look.title, &look.subtitle, &look.launcher.text)
}

/// Returns the pictures of one object. Adds their glyphs to `glyphs` and their remarks to `reported`.
pub(super) fn pictures(looks: &Looks, glyphs: &mut Glyphs, reported: &mut BTreeSet<String>) -> Vec<Picture> {
    let mut languages: Vec<&Option<String>> = Vec::new();
    for look in looks.after.iter().chain(&looks.before) {
        if !languages.contains(&&look.language) {
            languages.push(&look.language);
        }
    }
    let mut drawn: Vec<Pair> = Vec::new();
    let mut pictures = Vec::new();
    let mut languages_drawn = 0;
    for language in languages {
        let of = |side: &'_ [Appearance]| side.iter().position(|look| look.language == *language);
        let before = of(&looks.before).and_then(|at| looks.before.get(at));
        let after = of(&looks.after).and_then(|at| looks.after.get(at));
        // A change that is the same in every language is drawn only in the first one.
        if languages_drawn > 0 && before.map(texts) == after.map(texts) {
            continue;
        }
        let mut changed = pairs(before, after);
        let scenes = |pair: &Pair| {
            let scene = |panel: &Option<Panel>| panel.as_ref().map(|panel| panel.scene.clone());
            (scene(&pair.before), scene(&pair.after))
        };
        changed
            .retain(|pair| is_on_page(pair.view) && !drawn.iter().any(|known| scenes(known) == scenes(pair)));
        if changed.is_empty() {
            continue;
        }
        languages_drawn += 1;
        if languages_drawn > LANGUAGES_MAX {
            reported.insert("More languages change: run `genesync picture --lang` to draw them".into());
            break;
        }
        let whose: Vec<String> =
            looks.object.iter().chain(language.iter()).map(|text| escape(text)).collect();
        let whose = if whose.is_empty() { String::new() } else { format!("{}: ", whose.join(", ")) };
        for pair in &changed {
            let caption = format!("{whose}{}", pair.view.name());
            let mut side = |panel: &Option<Panel>, when: &str| {
                let Some(panel) = panel else { return String::new() };
                glyphs.extend(panel.scene.glyphs());
                reported.extend(panel.reported.iter().map(|word| escape(word)).filter(|_| when == "after"));
                svg::inline(&panel.scene, &format!("{caption}, {when}"), pair.view.width == Width::Wide)
            };
            let (before, after) = (side(&pair.before, "before"), side(&pair.after, "after"));
            pictures.push(Picture { caption, before, after });
        }
        drawn.extend(changed);
    }
    pictures
}
