//! Text as outlines of the bundled fonts: shaped, wrapped, cut, and turned from right to left where it has to be.
//!
//! In: a text, a size, a width. Out: lines of glyphs with their places. What a font lacks becomes a box, and is told.

mod paragraph;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use harfrust::font::glyph::outline::{DrawMemory, DrawOptions, SvgSink};
use harfrust::{Font, GlyphId};

use paragraph::Paragraph;

/// Longest text that is laid out, in Unicode scalar values; the rest would be below what is shown anyway.
const CHARS_MAX: usize = 2_000;
/// Height of a line by the size of its type, as browsers set `line-height: 1.4`.
pub const LINE_HEIGHT: f32 = 1.4;
/// How far above and below the baseline Inter reaches, by the size of its type: `hhea` of the font.
const ASCENT: f32 = 0.968_75;
const DESCENT: f32 = 0.241_21;

/// How heavy type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Text.
    Regular,
    /// Headings and buttons.
    Semibold,
}

/// A bundled font.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Face {
    /// Inter, regular.
    Regular,
    /// Inter, semibold.
    Semibold,
    /// Noto Sans Arabic.
    Arabic,
    /// Noto Sans Hebrew.
    Hebrew,
}

impl Face {
    const ALL: [Face; 4] = [Face::Regular, Face::Semibold, Face::Arabic, Face::Hebrew];

    /// A letter that stands for it in the ids of glyphs.
    pub fn letter(self) -> char {
        match self {
            Face::Regular => 'r',
            Face::Semibold => 'b',
            Face::Arabic => 'a',
            Face::Hebrew => 'h',
        }
    }

    fn bytes(self) -> &'static [u8] {
        match self {
            Face::Regular => include_bytes!("../../../assets/fonts/Inter-Regular.ttf"),
            Face::Semibold => include_bytes!("../../../assets/fonts/Inter-SemiBold.ttf"),
            Face::Arabic => include_bytes!("../../../assets/fonts/NotoSansArabic-Regular.ttf"),
            Face::Hebrew => include_bytes!("../../../assets/fonts/NotoSansHebrew-Regular.ttf"),
        }
    }

    /// The font; none only if a bundled file were broken, which a test rules out.
    fn font(self) -> Option<&'static Font> {
        static FONTS: [OnceLock<Option<Font>>; Face::ALL.len()] =
            [const { OnceLock::new() }; Face::ALL.len()];
        FONTS.get(self as usize)?.get_or_init(|| Font::new(self.bytes(), 0)).as_ref()
    }

    /// Units of the font's own grid to the size of its type.
    pub fn units_per_em(self) -> f32 {
        self.font().map_or(1000.0, |font| f32::from(font.units_per_em()))
    }

    fn has(self, c: char) -> bool {
        self.font()
            .and_then(|font| font.charmap().map_unicode(c))
            .is_some_and(|glyph| glyph != GlyphId::NOTDEF)
    }

    /// The outline of a glyph as SVG path data, in the font's own units, y upwards.
    pub fn outline(self, glyph: u32) -> String {
        let mut path = SvgSink::with_precision(0);
        let outline = self.font().and_then(|font| font.outline_glyphs().get(GlyphId::new(glyph)));
        if let Some(outline) = outline {
            // A glyph that can't be drawn is left blank; the bundled files have none.
            let _ = outline.draw(&DrawOptions::default(), DrawMemory::default(), &mut path);
        }
        path.to_string()
    }
}

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

    /// Lays a text out in lines of a width; what is beyond the last line is cut and ends in `…`.
    ///
    /// `rtl` says where it begins; where it is none, the text's first strong letter does, as `dir="auto"`.
    pub fn layout(self, text: &str, width_px: f32, lines_max: usize, rtl: Option<bool>) -> Block {
        let mut block = Block::default();
        let short: String = text.chars().take(CHARS_MAX).map(plain).collect();
        block.is_cut = short.len() < text.len();
        for (index, paragraph) in short.split('\n').enumerate() {
            if block.lines.len() >= lines_max {
                block.is_cut |= !paragraph.trim().is_empty();
                break;
            }
            let paragraph = Paragraph::shape(self, paragraph, rtl);
            if index == 0 {
                block.rtl = paragraph.rtl;
            }
            paragraph.fill(width_px, lines_max, &mut block);
        }
        block
    }
}

/// What is drawn for a character: line breaks stay, other control characters are spaces, as in HTML.
fn plain(c: char) -> char {
    match c {
        '\n' => '\n',
        c if c.is_control() => ' ',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Type = Type { size_px: 16.0, weight: Weight::Regular };

    #[test]
    fn every_bundled_font_can_be_read_and_has_its_letters() {
        for (face, c) in
            [(Face::Regular, 'ß'), (Face::Semibold, 'Ω'), (Face::Arabic, 'م'), (Face::Hebrew, 'ש')]
        {
            assert!(face.has(c), "{face:?} has no {c}");
            let glyph = face.font().unwrap().charmap().map_unicode(c).unwrap();
            assert!(face.outline(glyph.to_u32()).starts_with('M'), "{face:?} draws no {c}");
        }
    }

    /// Widths as the font's own tables give them, set beside what a browser measures for Inter 16 px.
    #[test]
    fn text_is_as_wide_as_its_glyphs() {
        let line = |text: &str| TEXT.layout(text, 10_000.0, 1, None).lines.remove(0).width;
        let units = |text: &str| -> f32 {
            let font = Face::Regular.font().unwrap();
            let metrics = font.glyph_metrics();
            text.chars().map(|c| metrics.h_advance(font.charmap().map_unicode(c).unwrap())).sum()
        };
        let expected = units("nnnn") / 2048.0 * 16.0;
        assert!((line("nnnn") - expected).abs() < 0.01, "{} {expected}", line("nnnn"));
        // Kerning brings these two together.
        assert!(line("AV") < units("AV") / 2048.0 * 16.0);
        assert_eq!(line(""), 0.0);
    }

    #[test]
    fn lines_break_between_words_and_only_else_within_one() {
        let table = [
            ("one two three", 70.0, 9, 2, false),
            ("one two three", 70.0, 1, 1, true),
            ("Donaudampfschifffahrtsgesellschaft", 80.0, 9, 4, false),
            ("a\nb\n\nc", 80.0, 9, 4, false),
            ("", 80.0, 9, 1, false),
        ];
        for (text, width, lines_max, lines, is_cut) in table {
            let block = TEXT.layout(text, width, lines_max, None);
            assert_eq!((block.lines.len(), block.is_cut), (lines, is_cut), "{text}");
            assert!(block.lines.iter().all(|line| line.width <= width), "{text}");
        }
    }

    #[test]
    fn what_is_written_from_right_to_left_is_seen_so() {
        // The first letter is the rightmost glyph.
        let block = TEXT.layout("שלום", 200.0, 1, None);
        assert!(block.rtl && block.missing.is_empty());
        let shin = Face::Hebrew.font().unwrap().charmap().map_unicode('ש').unwrap().to_u32();
        assert_eq!(block.lines[0].glyphs.last().unwrap().glyph, Some((Face::Hebrew, shin)));
        // Arabic letters join: the middle one is not the one that stands alone.
        let alone = Face::Arabic.font().unwrap().charmap().map_unicode('ب').unwrap().to_u32();
        let joined = TEXT.layout("ببب", 200.0, 1, None);
        assert!(joined.lines[0].glyphs.iter().all(|glyph| glyph.glyph != Some((Face::Arabic, alone))));
        // An override turns letters round, as a browser does.
        let plain =
            TEXT.layout("abc", 200.0, 1, None).lines[0].glyphs.iter().map(|g| g.glyph).collect::<Vec<_>>();
        let turned = TEXT.layout("\u{202e}abc\u{202c}", 200.0, 1, None);
        let mut turned: Vec<_> =
            turned.lines[0].glyphs.iter().map(|g| g.glyph).filter(|g| plain.contains(g)).collect();
        turned.reverse();
        assert_eq!(turned, plain);
    }

    #[test]
    fn what_no_font_has_is_a_box_and_is_told() {
        let block = TEXT.layout("Hi 👋🏽 日", 200.0, 1, None);
        assert_eq!(block.missing, BTreeSet::from(['👋', '日']));
        assert_eq!(block.lines[0].glyphs.iter().filter(|glyph| glyph.glyph.is_none()).count(), 2);
    }

    #[test]
    fn endless_text_is_cut() {
        let block = TEXT.layout(&"long ".repeat(2_000), 300.0, 4, None);
        assert_eq!((block.lines.len(), block.is_cut), (4, true));
        let block = TEXT.layout(&"x".repeat(10_000), 300.0, 400, None);
        assert!(block.is_cut && block.lines.len() < 100);
    }
}
