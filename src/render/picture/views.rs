//! The widget's screens on a page: the positions of their parts.
//!
//! The layout follows the platform's documentation and screens; it is a likeness, not a screenshot.
//!
//! In: an appearance, a screen, a width. Out: a scene. Never: copies a picture of the vendor. Start reading
//! at [`draw`].

mod launcher;
mod painter;
mod widget;

use std::collections::BTreeSet;

use super::look::Appearance;
use super::scene::Scene;
pub use painter::Backdrop;
use painter::{CORNER, Painter};

/// The screen of the widget that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Screen {
    /// The button on the page.
    Launcher,
    /// The first screen of the opened widget.
    Home,
    /// A short conversation, with the greeting.
    Conversation,
    /// The page while the widget is not offered.
    Unavailable,
}

/// How wide the page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// A phone: the widget fills the page.
    Narrow,
    /// The corner of a desktop screen.
    Wide,
}

/// One picture of the widget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// The screen.
    pub screen: Screen,
    /// The width of the page.
    pub width: Width,
    /// The colour of the page.
    pub page: Backdrop,
}

impl View {
    /// Returns every view, screen by screen.
    pub fn all() -> impl Iterator<Item = View> {
        let screens = [Screen::Launcher, Screen::Home, Screen::Conversation, Screen::Unavailable];
        let places = [
            (Width::Narrow, Backdrop::Light),
            (Width::Narrow, Backdrop::Dark),
            (Width::Wide, Backdrop::Light),
            (Width::Wide, Backdrop::Dark),
        ];
        screens
            .into_iter()
            .flat_map(move |screen| places.into_iter().map(move |(width, page)| View { screen, width, page }))
    }

    /// Returns the name of the view: `conversation, wide, dark page`.
    pub fn name(self) -> String {
        let screen = match self.screen {
            Screen::Launcher => "launcher",
            Screen::Home => "home screen",
            Screen::Conversation => "conversation",
            Screen::Unavailable => "unavailable",
        };
        let width = match self.width {
            Width::Narrow => "narrow",
            Width::Wide => "wide",
        };
        let page = match self.page {
            Backdrop::Light => "light page",
            Backdrop::Dark => "dark page",
        };
        format!("{screen}, {width}, {page}")
    }
}

/// The picture of a view.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The view.
    pub view: View,
    /// The shapes of the picture.
    pub scene: Scene,
    /// Remarks on cut texts, missing glyphs, and low contrast.
    pub reported: BTreeSet<String>,
}

const PHONE: (f32, f32) = (360.0, 600.0);
const DESK: (f32, f32) = (520.0, 600.0);
/// Draws a view; none if the appearance does not have this screen.
pub fn draw(look: &Appearance, view: View) -> Option<Panel> {
    let (width, height) = match view.width {
        Width::Narrow => PHONE,
        Width::Wide => DESK,
    };
    let is_opened = matches!(view.screen, Screen::Home | Screen::Conversation);
    // Without an open widget, the lower part of the page is enough.
    let height = if is_opened { height } else { CORNER };
    let is_there = match view.screen {
        Screen::Unavailable => look.off.is_some() || look.has_hours,
        Screen::Home => look.off.is_none() && look.has_home,
        Screen::Launcher | Screen::Conversation => look.off.is_none(),
    };
    if !is_there {
        return None;
    }
    let mut painter = Painter::new(look, Scene::new(width, height, look.is_rtl), view.page);
    if !(is_opened && view.width == Width::Narrow) {
        painter.page();
    }
    match view.screen {
        Screen::Launcher => painter.launcher(),
        Screen::Unavailable => painter.unavailable(),
        Screen::Home | Screen::Conversation => {
            let panel = painter.panel(view.width);
            if view.screen == Screen::Home { painter.home(panel) } else { painter.conversation(panel) }
        }
    }
    painter.marks();
    Some(Panel { view, scene: painter.scene, reported: painter.reported })
}
