//! Draws the parts that every screen needs: the page, text, and circles around low contrast.

use std::collections::BTreeSet;

use crate::model::colour::{Colour, shown_ratio};
use crate::render::picture::font::{Block, Type, Weight};
use crate::render::picture::look::Appearance;
use crate::render::picture::scene::{Align, Area, Scene, Stroke};

const FAILING: Colour = Colour { rgb: [0xC4, 0x00, 0x1A] };
const DARK_PAGE: Colour = Colour { rgb: [0x17, 0x1A, 0x21] };

/// Height of the part of a page with the launcher, in pixels.
pub(super) const CORNER: f32 = 220.0;

/// The colour of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backdrop {
    /// White.
    Light,
    /// Nearly black.
    Dark,
}

/// An area with too little contrast.
struct Mark {
    area: Area,
    ratio: f64,
    needed: f64,
    /// Whether the ratio is drawn next to the area, because another mark is at the same height.
    is_beside: bool,
    /// Whether one of the colours is the site's page, whose colour no configuration contains.
    is_page: bool,
}

/// Draws one view, with what every screen needs: the page, text and marks.
pub(super) struct Painter<'a> {
    /// The appearance to draw.
    pub(super) look: &'a Appearance,
    /// The picture so far.
    pub(super) scene: Scene,
    /// The colour of the site's page.
    pub(super) page: Colour,
    /// Remarks on the picture.
    pub(super) reported: BTreeSet<String>,
    marks: Vec<Mark>,
}

/// Returns the type of a size and weight.
pub(super) fn kind(size_px: f32, weight: Weight) -> Type {
    Type { size_px, weight }
}

/// Returns an area that is smaller on each side.
pub(super) fn inset(area: Area, x: f32, y: f32) -> Area {
    Area { x: area.x + x, y: area.y + y, w: area.w - 2.0 * x, h: area.h - 2.0 * y }
}

impl<'a> Painter<'a> {
    pub(super) fn new(look: &'a Appearance, scene: Scene, page: Backdrop) -> Self {
        let page = if page == Backdrop::Light { Colour::WHITE } else { DARK_PAGE };
        Self { look, scene, page, reported: look.reported.clone(), marks: Vec::new() }
    }

    /// Paints the site's page, with grey bars as its text.
    pub(super) fn page(&mut self) {
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

    /// Lays out text and reports cut text and missing glyphs.
    pub(super) fn set(
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
            self.reported.insert(format!("{what} does not fit and is cut"));
        }
        if !block.missing.is_empty() {
            let missing: Vec<String> =
                block.missing.iter().take(5).map(|c| format!("U+{:04X}", u32::from(*c))).collect();
            self.reported.insert(format!(
                "no bundled font has {}: the picture shows a box instead",
                missing.join(", ")
            ));
        }
        block
    }

    /// Marks an area if the contrast of its two colours is below `needed`.
    pub(super) fn judge(&mut self, area: Area, one: Colour, other: Colour, needed: f64) {
        let ratio = one.contrast(other);
        if ratio < needed {
            let is_beside = self.marks.iter().any(|mark| (mark.area.y - area.y).abs() < 20.0);
            self.marks.push(Mark { area, ratio, needed, is_beside, is_page: other == self.page });
        }
    }

    /// Paints a dashed outline for a part that is not visible, with the reason.
    pub(super) fn ghost(&mut self, area: Area, reason: &str) {
        let grey = if self.page == Colour::WHITE { [0x5A, 0x61, 0x70] } else { [0xA8, 0xAF, 0xBD] };
        let colour = Colour { rgb: grey };
        self.scene.outline(area, area.h / 2.0, Stroke { colour, px: 2.0, is_dashed: true });
        let kind = kind(14.0, Weight::Regular);
        let block = kind.layout(reason, 200.0, 3, Some(false));
        let x = (area.x + area.w - 200.0).clamp(8.0, (self.scene.width - 208.0).max(8.0));
        let h = kind.line_px() * block.lines.len() as f32;
        let place = Area { x, y: area.y - h - 10.0, w: 200.0, h };
        // The background covers the bars of the page behind the reason.
        let start = x + (200.0 - block.width()) / 2.0;
        self.scene.fill(inset(Area { x: start, w: block.width(), ..place }, -6.0, -4.0), 4.0, self.page);
        self.scene.text(&block, kind, place, Align::Middle, colour);
    }

    /// Circles the marked areas and writes their ratios.
    pub(super) fn marks(&mut self) {
        for Mark { area, ratio, needed, is_beside, is_page } in std::mem::take(&mut self.marks) {
            let radius = (area.h.min(area.w) / 2.0).min(16.0);
            self.scene.outline(area, radius, Stroke { colour: FAILING, px: 3.0, is_dashed: false });
            let ratio = shown_ratio(ratio);
            let words = format!("{ratio} of {needed}");
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
            let reported = match (is_page, self.page == Colour::WHITE) {
                (false, _) | (true, true) => {
                    format!("circled: the contrast is {ratio}, and {needed} is needed")
                }
                (true, false) => format!(
                    "circled: on a dark page the contrast of the launcher is {ratio}, and {needed} is needed; no rule checks this, because no configuration contains the colour of the page"
                ),
            };
            self.reported.insert(reported);
        }
    }
}
