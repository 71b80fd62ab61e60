//! A likeness of the widget: launcher, home screen, conversation, and the page while nothing is offered.
//!
//! In: a configuration in the API's shape. Out: the same SVG for the same configuration, on every machine; PNG from
//! it. Never: loads anything, or puts text of a manifest into a drawing otherwise than as outlines of glyphs.
//! Start reading at [`panels`]; `look.rs` says what a configuration means, `views.rs` where it stands, `font.rs` how
//! wide its text is.

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

/// Every view of a look that shows something of its own: of two that are the same, the first.
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
    /// Which view.
    pub view: View,
    /// What is live; none where there was nothing of the kind.
    pub before: Option<Panel>,
    /// What git says; none where there will be nothing of the kind.
    pub after: Option<Panel>,
}

/// The views that differ between two looks.
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
