//! The widget's screens on a page: where everything stands.
//!
//! Laid out from what the platform's documentation and screens show: a likeness, not a screenshot.

use std::collections::BTreeSet;

use super::font::{Block, Type, Weight};
use super::look::{Look, Side};
use super::samples::samples;
use super::scene::{Align, Area, Scene, Stroke};
use crate::model::colour::{Colour, NON_TEXT_RATIO};

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

/// What colour the page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// White.
    Light,
    /// Nearly black.
    Dark,
}

/// One picture of the widget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// What of it.
    pub screen: Screen,
    /// On how wide a page.
    pub width: Width,
    /// On what colour of page.
    pub page: Page,
}

impl View {
    /// Every view, screen by screen.
    pub fn all() -> impl Iterator<Item = View> {
        let screens = [Screen::Launcher, Screen::Home, Screen::Conversation, Screen::Unavailable];
        let places = [
            (Width::Narrow, Page::Light),
            (Width::Narrow, Page::Dark),
            (Width::Wide, Page::Light),
            (Width::Wide, Page::Dark),
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
            Page::Light => "light page",
            Page::Dark => "dark page",
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
/// Height of the part of a page in which the launcher stands.
const CORNER: f32 = 220.0;
/// The widget on a desk's screen.
const WIDGET: (f32, f32) = (380.0, 540.0);
const FAILING: Colour = Colour { rgb: [0xC4, 0x00, 0x1A] };
const DARK_PAGE: Colour = Colour { rgb: [0x17, 0x1A, 0x21] };

const SPEECH: &str = "M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H9l-5 4v-4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z";
const CROSS: &str =
    "M5.6 4.2 12 10.6l6.4-6.4 1.4 1.4L13.4 12l6.4 6.4-1.4 1.4L12 13.4l-6.4 6.4-1.4-1.4L10.6 12 4.2 5.6z";
const SEND: &str = "M3 20.5v-7l10-1.5-10-1.5v-7L21 12z";

/// Draws a view; none where there is nothing of the kind to see.
pub fn draw(look: &Look, view: View) -> Option<Panel> {
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
    let mut painter = Painter {
        look,
        scene: Scene::new(width, height, look.is_rtl),
        page: if view.page == Page::Light { Colour::WHITE } else { DARK_PAGE },
        told: look.told.clone(),
        marks: Vec::new(),
    };
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

/// Something that can't be told from what it stands on.
struct Mark {
    area: Area,
    ratio: f64,
    needed: f64,
    /// Whether its ratio stands beside it, because something else stands above.
    is_beside: bool,
    /// Whether it is the site's page that it does not stand out from: no configuration says what colour that has.
    is_page: bool,
}

struct Painter<'a> {
    look: &'a Look,
    scene: Scene,
    page: Colour,
    told: BTreeSet<String>,
    marks: Vec<Mark>,
}

fn kind(size_px: f32, weight: Weight) -> Type {
    Type { size_px, weight }
}

fn inset(area: Area, x: f32, y: f32) -> Area {
    Area { x: area.x + x, y: area.y + y, w: area.w - 2.0 * x, h: area.h - 2.0 * y }
}

impl Painter<'_> {
    /// Grey bars where a site's own text would be.
    fn page(&mut self) {
        let (w, h) = (self.scene.width, self.scene.height);
        let grey = if self.page == Colour::WHITE { [0xE8, 0xEA, 0xEE] } else { [0x2A, 0x2F, 0x3A] };
        let bar = Colour { rgb: grey };
        self.scene.fill(Area { x: 0.0, y: 0.0, w, h }, 0.0, self.page);
        self.scene.fill(Area { x: 24.0, y: 24.0, w: w * 0.4, h: 20.0 }, 4.0, bar);
        for (index, part) in [0.85, 0.8, 0.86, 0.5].iter().enumerate() {
            let y = 72.0 + index as f32 * 26.0;
            self.scene.fill(Area { x: 24.0, y, w: (w - 48.0) * part, h: 12.0 }, 4.0, bar);
        }
        if h > CORNER {
            self.scene.fill(Area { x: 24.0, y: 200.0, w: w - 48.0, h: 150.0 }, 6.0, bar);
        }
    }

    /// Lays text out and tells what is lost on the way.
    fn set(
        &mut self,
        what: &str,
        text: &str,
        kind: Type,
        width: f32,
        lines_max: usize,
        rtl: Option<bool>,
    ) -> Block {
        let block = kind.layout(text, width, lines_max, rtl);
        if block.is_cut {
            self.told.insert(format!("{what} does not fit and is cut"));
        }
        if !block.missing.is_empty() {
            let missing: Vec<String> =
                block.missing.iter().take(5).map(|c| format!("U+{:04X}", u32::from(*c))).collect();
            self.told
                .insert(format!("no bundled font has {}: a box stands in its place", missing.join(", ")));
        }
        block
    }

    /// Holds two colours against each other that meet in an area.
    fn judge(&mut self, area: Area, one: Colour, other: Colour, needed: f64) {
        let ratio = one.contrast(other);
        if ratio < needed {
            let is_beside = self.marks.iter().any(|mark| (mark.area.y - area.y).abs() < 20.0);
            self.marks.push(Mark { area, ratio, needed, is_beside, is_page: other == self.page });
        }
    }

    /// Where the launcher stands: the layout is that of a page whose lines end at the right.
    fn launcher_area(&mut self, text: &Option<Block>, has_icon: bool) -> Area {
        let h = 56.0;
        let w = match text {
            Some(block) => block.width() + if has_icon { 76.0 } else { 48.0 },
            None => h,
        };
        // Mirrored with everything else, unless the side is fixed.
        let at_end = match self.look.side {
            Side::End => true,
            Side::Left => self.look.is_rtl,
            Side::Right => !self.look.is_rtl,
        };
        let x = if at_end { self.scene.width - self.look.side_px - w } else { self.look.side_px };
        Area { x, y: self.scene.height - self.look.bottom_px - h, w, h }
    }

    fn launcher_text(&mut self) -> Option<Block> {
        let text = self.look.launcher.text.clone()?;
        let width = self.scene.width - 2.0 * self.look.side_px - 80.0;
        Some(self.set("the launcher's text", &text, kind(16.0, Weight::Semibold), width.min(220.0), 1, None))
    }

    fn launcher(&mut self) {
        let text = self.launcher_text();
        let area = self.launcher_area(&text, self.look.launcher.has_icon);
        if !self.look.launcher.is_shown {
            self.ghost(area, "on demand: the page opens it");
            return;
        }
        let (accent, on_accent) = (self.look.accent, self.look.on_accent);
        self.scene.fill(area, area.h / 2.0, accent);
        if self.look.launcher.has_icon {
            let icon = Area { x: area.x + 16.0, y: area.y + 16.0, w: 24.0, h: 24.0 };
            self.scene.icon(SPEECH, icon, on_accent);
        }
        if let Some(text) = &text {
            let left = if self.look.launcher.has_icon { 50.0 } else { 24.0 };
            let kind = kind(16.0, Weight::Semibold);
            let top = (area.h - kind.line_px()) / 2.0;
            let inside = Area { x: area.x + left, y: area.y + top, w: text.width(), h: kind.line_px() };
            self.scene.text(text, kind, inside, Align::Start, on_accent);
        }
        // Its text and its icon are judged as text: one ratio for both, the stricter.
        let needed = if text.is_some() { self.look.needed.max(NON_TEXT_RATIO) } else { NON_TEXT_RATIO };
        self.judge(inset(area, 8.0, 8.0), on_accent, accent, needed);
        self.judge(inset(area, -6.0, -6.0), accent, self.page, NON_TEXT_RATIO);
    }

    /// Where something would be that is not there.
    fn ghost(&mut self, area: Area, reason: &str) {
        let grey = if self.page == Colour::WHITE { [0x5A, 0x61, 0x70] } else { [0xA8, 0xAF, 0xBD] };
        let colour = Colour { rgb: grey };
        self.scene.outline(area, area.h / 2.0, Stroke { colour, px: 2.0, is_dashed: true });
        let kind = kind(14.0, Weight::Regular);
        let block = kind.layout(reason, 200.0, 3, Some(false));
        let x = (area.x + area.w - 200.0).clamp(8.0, (self.scene.width - 208.0).max(8.0));
        let h = kind.line_px() * block.lines.len() as f32;
        let place = Area { x, y: area.y - h - 10.0, w: 200.0, h };
        // Nothing of the page runs through the words.
        let start = x + (200.0 - block.width()) / 2.0;
        self.scene.fill(inset(Area { x: start, w: block.width(), ..place }, -6.0, -4.0), 4.0, self.page);
        self.scene.text(&block, kind, place, Align::Middle, colour);
    }

    fn unavailable(&mut self) {
        let area = self.launcher_area(&None, true);
        let reason = self.look.off.unwrap_or("outside opening hours: not offered");
        self.ghost(area, reason);
    }

    /// The widget's own area, opened.
    fn panel(&mut self, width: Width) -> Area {
        let (w, h) = match width {
            Width::Narrow => PHONE,
            Width::Wide => WIDGET,
        };
        let launcher = self.launcher_area(&None, true);
        let at_end = launcher.x > self.scene.width / 2.0;
        let x = match (width, at_end) {
            (Width::Narrow, _) => 0.0,
            (Width::Wide, true) => self.scene.width - w - 20.0,
            (Width::Wide, false) => 20.0,
        };
        let area = Area { x, y: self.scene.height - h - if width == Width::Wide { 20.0 } else { 0.0 }, w, h };
        let radius = self.corner_px(area);
        self.scene.fill(area, radius, self.look.panel);
        area
    }

    /// Radius of the corners of the widget's own area: on a phone it is as large as the page.
    fn corner_px(&self, panel: Area) -> f32 {
        if panel.w < self.scene.width { 10.0 } else { 0.0 }
    }

    /// Paints the upper part of the widget, within its round corners.
    fn head(&mut self, panel: Area, height: f32) {
        let radius = self.corner_px(panel);
        self.scene.fill(Area { h: height + radius, ..panel }, radius, self.look.accent);
        self.scene.fill(Area { y: panel.y + height, h: radius, ..panel }, 0.0, self.look.panel);
        let colour = Colour { rgb: [0xB9, 0xBF, 0xC9] };
        if radius > 0.0 {
            self.scene.outline(panel, radius, Stroke { colour, px: 1.0, is_dashed: false });
        }
    }

    fn header(&mut self, panel: Area, title: &str) -> f32 {
        let kind = kind(17.0, Weight::Semibold);
        let height = 60.0;
        let (accent, on_accent) = (self.look.accent, self.look.on_accent);
        self.head(panel, height);
        let block = self.set("the title", title, kind, panel.w - 88.0, 1, None);
        let inside = Area { x: panel.x + 20.0, y: panel.y + 18.0, w: panel.w - 88.0, h: kind.line_px() };
        self.scene.text(&block, kind, inside, Align::Start, on_accent);
        let cross = Area { x: panel.x + panel.w - 40.0, y: panel.y + 20.0, w: 20.0, h: 20.0 };
        self.scene.icon(CROSS, cross, on_accent);
        let around = Area { x: inside.x - 8.0, w: block.width() + 16.0, ..inside };
        self.judge(around, on_accent, accent, self.look.needed);
        height
    }

    fn home(&mut self, panel: Area) {
        let samples = samples(self.look.language.as_deref());
        let (accent, on_accent) = (self.look.accent, self.look.on_accent);
        let head = 210.0;
        self.head(panel, head);
        let mut y = panel.y + 28.0;
        if self.look.has_logo {
            let logo = Area { x: panel.x + 24.0, y, w: 96.0, h: 34.0 };
            self.scene.outline(logo, 4.0, Stroke { colour: on_accent, px: 1.0, is_dashed: true });
            let kind = kind(13.0, Weight::Regular);
            let word = kind.layout("logo", 96.0, 1, Some(false));
            self.scene.text(&word, kind, Area { y: y + 8.0, ..logo }, Align::Middle, on_accent);
            y += 50.0;
        }
        let width = panel.w - 48.0;
        let title = self.look.title.clone().unwrap_or_else(|| samples.title.to_owned());
        let large = kind(24.0, Weight::Semibold);
        let block = self.set("the title of the home screen", &title, large, width, 2, None);
        let height = large.line_px() * block.lines.len() as f32;
        self.scene.text(
            &block,
            large,
            Area { x: panel.x + 24.0, y, w: width, h: height },
            Align::Start,
            on_accent,
        );
        let around = Area { x: panel.x + 16.0, y, w: block.width() + 16.0, h: height };
        self.judge(around, on_accent, accent, self.look.needed);
        y += height + 4.0;
        if let Some(subtitle) = self.look.subtitle.clone() {
            let small = kind(self.look.text_px, Weight::Regular);
            let room = (((panel.y + head - y - 12.0) / small.line_px()).floor() as usize).max(1);
            let block = self.set("the line below the title", &subtitle, small, width, room, None);
            let height = small.line_px() * block.lines.len() as f32;
            self.scene.text(
                &block,
                small,
                Area { x: panel.x + 24.0, y, w: width, h: height },
                Align::Start,
                on_accent,
            );
        }
        let button = Area { x: panel.x + 24.0, y: panel.y + head + 28.0, w: width, h: 52.0 };
        self.scene.outline(button, 8.0, Stroke { colour: accent, px: 1.5, is_dashed: false });
        let label = kind(self.look.text_px, Weight::Semibold);
        let start = label.layout(samples.start, width - 32.0, 1, None);
        let inside = Area { y: button.y + (52.0 - label.line_px()) / 2.0, h: label.line_px(), ..button };
        self.scene.text(&start, label, inside, Align::Middle, accent);
        self.judge(inset(button, 8.0, 6.0), accent, self.look.panel, self.look.needed);
    }

    fn conversation(&mut self, panel: Area) {
        let samples = samples(self.look.language.as_deref());
        let header = self.header(panel, self.look.title.clone().as_deref().unwrap_or(samples.title));
        let field = 64.0;
        let body = Area { y: panel.y + header, h: panel.h - header - field, ..panel };
        let greetings = self.look.greetings.iter().map(|greeting| (greeting.clone(), false));
        let made_up = [(samples.visitor.to_owned(), true), (samples.agent.to_owned(), false)];
        let greeted = greetings.len();
        let messages: Vec<(String, bool)> = greetings.chain(made_up).collect();
        let text = kind(self.look.text_px, Weight::Regular);
        let width = (body.w * 0.76 - 28.0).floor();
        let mut blocks: Vec<(Block, bool)> = Vec::new();
        for (message, own) in &messages {
            blocks.push((self.set("a message", message, text, width, 14, None), *own));
        }
        let height = |block: &Block| text.line_px() * block.lines.len() as f32 + 20.0;
        let all =
            |blocks: &[(Block, bool)]| -> f32 { blocks.iter().map(|(block, _)| height(block) + 10.0).sum() };
        // What is made up makes room for what the configuration says.
        if all(&blocks) + 20.0 > body.h && greeted > 0 {
            blocks.truncate(greeted);
        }
        let total = all(&blocks);
        // As in the widget, what is newest stands at the bottom, and what is too much has scrolled away.
        let mut y = if total + 20.0 > body.h { body.y + body.h - total - 10.0 } else { body.y + 18.0 };
        let mut judged = BTreeSet::new();
        for (block, own) in &blocks {
            let h = height(block);
            if y < body.y + 4.0 {
                self.told.insert("messages scroll: the first ones are out of sight".into());
                y += h + 10.0;
                continue;
            }
            let w = block.width() + 28.0;
            let x = if *own { body.x + body.w - w - 16.0 } else { body.x + 16.0 };
            let bubble = Area { x, y, w, h };
            let (ground, ink) = match own {
                true => (self.look.accent, self.look.on_accent),
                false => (self.look.bubble, self.look.ink),
            };
            self.scene.fill(bubble, 12.0, ground);
            if ground == self.look.panel {
                let colour = Colour { rgb: [0xB9, 0xBF, 0xC9] };
                self.scene.outline(bubble, 12.0, Stroke { colour, px: 1.0, is_dashed: false });
            }
            let inside = Area { x: x + 14.0, y: y + 10.0, w: w - 28.0, h: h - 20.0 };
            self.scene.text(block, text, inside, Align::Start, ink);
            if judged.insert(*own) {
                self.judge(inset(bubble, 6.0, 6.0), ink, ground, self.look.needed);
            }
            y += h + 10.0;
        }
        self.field(Area { y: panel.y + panel.h - field, h: field, ..panel }, samples.field);
    }

    fn field(&mut self, area: Area, placeholder: &str) {
        let line = Colour { rgb: [0xB9, 0xBF, 0xC9] };
        let grey = Colour { rgb: [0x5A, 0x61, 0x70] };
        let ink = if grey.contrast(self.look.panel) >= self.look.needed { grey } else { self.look.ink };
        self.scene.fill(Area { h: 1.0, ..area }, 0.0, line);
        let kind = kind(self.look.text_px, Weight::Regular);
        let block = kind.layout(placeholder, area.w - 90.0, 1, None);
        let inside = Area {
            x: area.x + 20.0,
            y: area.y + (area.h - kind.line_px()) / 2.0,
            w: area.w - 90.0,
            h: kind.line_px(),
        };
        self.scene.text(&block, kind, inside, Align::Start, ink);
        let send = Area { x: area.x + area.w - 46.0, y: area.y + 20.0, w: 24.0, h: 24.0 };
        self.scene.icon(SEND, send, self.look.accent);
        self.judge(inset(send, -6.0, -6.0), self.look.accent, self.look.panel, NON_TEXT_RATIO);
    }

    /// Circles what can't be told from what it stands on, with its ratio.
    fn marks(&mut self) {
        for Mark { area, ratio, needed, is_beside, is_page } in std::mem::take(&mut self.marks) {
            let radius = (area.h.min(area.w) / 2.0).min(16.0);
            self.scene.outline(area, radius, Stroke { colour: FAILING, px: 3.0, is_dashed: false });
            let words = format!("{ratio:.2} of {needed}");
            let kind = kind(13.0, Weight::Semibold);
            let block = kind.layout(&words, 200.0, 1, Some(false));
            let (w, h) = (block.width() + 12.0, 20.0);
            let x = if is_beside { area.x - w + 4.0 } else { area.x + area.w - w };
            let x = x.clamp(2.0, (self.scene.width - w - 2.0).max(2.0));
            let y = if is_beside {
                area.y + (area.h - h) / 2.0
            } else if area.y >= h + 4.0 {
                area.y - h + 2.0
            } else {
                area.y + area.h - 2.0
            };
            let tag = Area { x, y, w, h };
            self.scene.fill(tag, 4.0, FAILING);
            let inside = Area { x: x + 6.0, y: y + 1.0, w: block.width(), h };
            self.scene.text(&block, kind, inside, Align::Start, Colour::WHITE);
            let told = match (is_page, self.page == Colour::WHITE) {
                (false, _) | (true, true) => {
                    format!("circled: a contrast of {ratio:.2} where {needed} is needed")
                }
                (true, false) => format!(
                    "circled: on a dark page the launcher has a contrast of {ratio:.2} where {needed} is needed; no rule judges that, because no configuration says what colour a page has"
                ),
            };
            self.told.insert(told);
        }
    }
}
