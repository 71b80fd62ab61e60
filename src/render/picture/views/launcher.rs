//! Draws the launcher, or its outline if it is not visible.

use super::painter::{Painter, inset, kind};
use crate::model::colour::NON_TEXT_RATIO;
use crate::render::picture::font::{Block, Weight};
use crate::render::picture::look::Side;
use crate::render::picture::scene::{Align, Area};

const SPEECH: &str = "M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H9l-5 4v-4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z";

impl Painter<'_> {
    /// Returns the area of the launcher on a left-to-right page; the scene mirrors it for right-to-left
    /// languages.
    pub(super) fn launcher_area(&mut self, text: &Option<Block>, has_icon: bool) -> Area {
        let h = 56.0;
        let w = match text {
            Some(block) => block.width() + if has_icon { 76.0 } else { 48.0 },
            None => h,
        };
        // The scene mirrors the area, so a fixed side is swapped for right-to-left languages.
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

    pub(super) fn launcher(&mut self) {
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
        // A launcher with text needs the stricter of the ratios for text and icons.
        let needed = if text.is_some() { self.look.needed.max(NON_TEXT_RATIO) } else { NON_TEXT_RATIO };
        self.judge(inset(area, 8.0, 8.0), on_accent, accent, needed);
        self.judge(inset(area, -6.0, -6.0), accent, self.page, NON_TEXT_RATIO);
    }

    pub(super) fn unavailable(&mut self) {
        let area = self.launcher_area(&None, true);
        let reason = self.look.off.unwrap_or("outside opening hours: not offered");
        self.ghost(area, reason);
    }
}
