//! Draws the open widget: its home screen and a short conversation.

use std::collections::BTreeSet;

use super::painter::{Painter, inset, kind};
use super::{PHONE, Width};
use crate::model::colour::{Colour, NON_TEXT_RATIO};
use crate::render::picture::font::{Block, Weight};
use crate::render::picture::samples::samples;
use crate::render::picture::scene::{Align, Area, Stroke};

/// Size of the widget on a desktop screen, in pixels.
const WIDGET: (f32, f32) = (380.0, 540.0);

const CROSS: &str =
    "M5.6 4.2 12 10.6l6.4-6.4 1.4 1.4L13.4 12l6.4 6.4-1.4 1.4L12 13.4l-6.4 6.4-1.4-1.4L10.6 12 4.2 5.6z";
const SEND: &str = "M3 20.5v-7l10-1.5-10-1.5v-7L21 12z";

impl Painter<'_> {
    /// Paints the background of the open widget and returns its area.
    pub(super) fn panel(&mut self, width: Width) -> Area {
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

    /// Returns the radius of the widget's corners: 0 on a phone, where the widget fills the page.
    fn corner_px(&self, panel: Area) -> f32 {
        if panel.w < self.scene.width { 10.0 } else { 0.0 }
    }

    /// Paints the upper part of the widget, with its round corners.
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

    pub(super) fn home(&mut self, panel: Area) {
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

    pub(super) fn conversation(&mut self, panel: Area) {
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
        // If the greeting needs the room, the samples are left out.
        if all(&blocks) + 20.0 > body.h && greeted > 0 {
            blocks.truncate(greeted);
        }
        let total = all(&blocks);
        // As in the widget, the newest message is at the bottom, and the oldest messages scroll out of view.
        let mut y = if total + 20.0 > body.h { body.y + body.h - total - 10.0 } else { body.y + 18.0 };
        let mut judged = BTreeSet::new();
        for (block, own) in &blocks {
            let h = height(block);
            if y < body.y + 4.0 {
                self.reported.insert("the conversation scrolls: the first messages are not visible".into());
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
}
