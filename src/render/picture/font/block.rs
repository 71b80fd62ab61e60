//! Laid-out text and its type.

use std::collections::BTreeSet;

use super::face::{Face, Weight};

/// Height of a line relative to the font size, as `line-height: 1.4` in browsers.
pub const LINE_HEIGHT: f32 = 1.4;
/// Ascent and descent of Inter relative to the font size, from the font's `hhea` table.
const ASCENT: f32 = 0.968_75;
const DESCENT: f32 = 0.241_21;

/// One glyph of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// The font and the glyph id; none for the box of a character that no font has.
    pub glyph: Option<(Face, u32)>,
    /// Distance from the left end of the line, in pixels.
    pub x: f32,
    /// Distance above the baseline, in pixels.
    pub y: f32,
}

/// One line of text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Line {
    /// The glyphs, from left to right.
    pub glyphs: Vec<Placed>,
    /// The width in pixels.
    pub width: f32,
}

/// A laid-out text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    /// The lines.
    pub lines: Vec<Line>,
    /// Whether the text begins at the right.
    pub rtl: bool,
    /// Whether text that does not fit is left out.
    pub is_cut: bool,
    /// Characters that no bundled font has.
    pub missing: BTreeSet<char>,
}

impl Block {
    /// Returns the width of the widest line, in pixels.
    pub fn width(&self) -> f32 {
        self.lines.iter().map(|line| line.width).fold(0.0, f32::max)
    }
}

/// A font size and weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Type {
    /// Size in pixels.
    pub size_px: f32,
    /// The weight of the font.
    pub weight: Weight,
}

impl Type {
    /// Returns the height of a line in pixels.
    pub fn line_px(self) -> f32 {
        self.size_px * LINE_HEIGHT
    }

    /// Returns the distance from the top of a line to its baseline, in pixels.
    pub fn baseline_px(self) -> f32 {
        (self.line_px() - (ASCENT + DESCENT) * self.size_px) / 2.0 + ASCENT * self.size_px
    }
}
