//! A text that was laid out, and the type that it was set in.

use std::collections::BTreeSet;

use super::face::{Face, Weight};

/// Height of a line by the size of its type, as browsers set `line-height: 1.4`.
pub const LINE_HEIGHT: f32 = 1.4;
/// How far above and below the baseline Inter reaches, by the size of its type: `hhea` of the font.
const ASCENT: f32 = 0.968_75;
const DESCENT: f32 = 0.241_21;

/// One glyph of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// Its font and its number there; none for the box that stands for what no font has.
    pub glyph: Option<(Face, u32)>,
    /// Pixels from the line's left end.
    pub x: f32,
    /// Pixels above the baseline.
    pub y: f32,
}

/// One line of text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Line {
    /// Its glyphs, from left to right.
    pub glyphs: Vec<Placed>,
    /// Its width in pixels.
    pub width: f32,
}

/// A text that was laid out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Whether it begins at the right.
    pub rtl: bool,
    /// Whether something did not fit and is left out.
    pub is_cut: bool,
    /// Characters that no bundled font has.
    pub missing: BTreeSet<char>,
}

impl Block {
    /// The widest line, in pixels.
    pub fn width(&self) -> f32 {
        self.lines.iter().map(|line| line.width).fold(0.0, f32::max)
    }
}

/// Type of one size and weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Type {
    /// Size in pixels.
    pub size_px: f32,
    /// How heavy.
    pub weight: Weight,
}

impl Type {
    /// Height of a line in pixels.
    pub fn line_px(self) -> f32 {
        self.size_px * LINE_HEIGHT
    }

    /// How far the baseline lies below the top of a line, in pixels.
    pub fn baseline_px(self) -> f32 {
        (self.line_px() - (ASCENT + DESCENT) * self.size_px) / 2.0 + ASCENT * self.size_px
    }
}
