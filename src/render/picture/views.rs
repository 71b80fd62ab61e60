//! The widget's screens on a page: where everything stands.
//!
//! Laid out from what the platform's documentation and screens show: a likeness, not a screenshot.
//!
//! In: an appearance, a screen, a width. Out: a scene. Never: a pixel of the vendor's own pictures. Start reading
//! at [`draw`].

mod launcher;
mod painter;
mod widget;

use std::collections::BTreeSet;

use super::look::Appearance;
use super::scene::Scene;
pub use painter::Backdrop;
use painter::{CORNER, Painter};

/// What of the widget is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Screen {
    /// The button on the page.
    Launcher,
    /// The page that the widget opens with.
    Home,
    /// A short conversation, with the greeting.
    Conversation,
    /// The page while visitors are offered nothing.
    Unavailable,
}

/// How wide the page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// A phone: the widget takes all of it.
    Narrow,
    /// The corner of a desk's screen.
    Wide,
}

/// One picture of the widget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// What of it.
    pub screen: Screen,
    /// On how wide a page.
    pub width: Width,
    /// On what colour of page.
    pub page: Backdrop,
}

impl View {
    /// Every view, screen by screen.
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

    /// What it is called: `conversation, wide, dark page`.
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

/// A view of a look, drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Which view.
    pub view: View,
    /// What is on it.
    pub scene: Scene,
    /// What a person has to know of it: what is cut, what no font has, what can't be told apart.
    pub told: BTreeSet<String>,
}

const PHONE: (f32, f32) = (360.0, 600.0);
const DESK: (f32, f32) = (520.0, 600.0);
/// Draws a view; none where there is nothing of the kind to see.
pub fn draw(look: &Appearance, view: View) -> Option<Panel> {
    let (width, height) = match view.width {
        Width::Narrow => PHONE,
        Width::Wide => DESK,
    };
    let is_opened = matches!(view.screen, Screen::Home | Screen::Conversation);
    // Of a page with nothing but the launcher, the lower part is enough.
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
    Some(Panel { view, scene: painter.scene, told: painter.told })
}
