//! Pictures of the widget: launcher, home screen, conversation, and the page while the widget is not offered.
//!
//! In: a configuration in the API's shape. Out: SVG that is the same on every machine, and PNG. Never: loads
//! a file or URL, or puts text of a manifest into a drawing other than as outlines of glyphs. Start reading
//! at [`panels`]; `look.rs` reads a configuration, `views.rs` places its parts, `font.rs` lays out its text.

pub mod font;
pub mod look;
pub mod png;
mod samples;
pub mod scene;
pub mod sheet;
pub mod svg;
pub mod views;

use look::Appearance;
use views::{Panel, View, draw};

/// Returns the different views of an appearance; of two equal pictures of a screen, only the first.
pub fn panels(look: &Appearance) -> Vec<Panel> {
    let mut panels: Vec<Panel> = Vec::new();
    for panel in View::all().filter_map(|view| draw(look, view)) {
        if !panels.iter().any(|known| known.view.screen == panel.view.screen && known.scene == panel.scene) {
            panels.push(panel);
        }
    }
    panels
}

/// One view before and after a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The view.
    pub view: View,
    /// The live picture; none if the live configuration does not have this view.
    pub before: Option<Panel>,
    /// The picture of the desired configuration; none if it does not have this view.
    pub after: Option<Panel>,
}

/// Returns the views that differ between two appearances.
pub fn pairs(before: Option<&Appearance>, after: Option<&Appearance>) -> Vec<Pair> {
    let drawn = |look: Option<&Appearance>, view| look.and_then(|look| draw(look, view));
    let mut pairs: Vec<Pair> = Vec::new();
    for view in View::all() {
        let (before, after) = (drawn(before, view), drawn(after, view));
        let scene = |panel: &Option<Panel>| panel.as_ref().map(|panel| panel.scene.clone());
        let (old, new) = (scene(&before), scene(&after));
        let known = |pair: &Pair| scene(&pair.before) == old && scene(&pair.after) == new;
        if old != new && !pairs.iter().any(known) {
            pairs.push(Pair { view, before, after });
        }
    }
    pairs
}

#[cfg(test)]
mod tests;
