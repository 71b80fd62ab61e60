//! The bundled fonts: which letters they have, and what these look like.

use std::sync::OnceLock;

use harfrust::font::glyph::outline::{DrawMemory, DrawOptions, SvgSink};
use harfrust::{Font, GlyphId};

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
            Face::Regular => include_bytes!("../../../../assets/fonts/Inter-Regular.ttf"),
            Face::Semibold => include_bytes!("../../../../assets/fonts/Inter-SemiBold.ttf"),
            Face::Arabic => include_bytes!("../../../../assets/fonts/NotoSansArabic-Regular.ttf"),
            Face::Hebrew => include_bytes!("../../../../assets/fonts/NotoSansHebrew-Regular.ttf"),
        }
    }

    /// The font; none only if a bundled file were broken, which a test rules out.
    pub(super) fn font(self) -> Option<&'static Font> {
        static FONTS: [OnceLock<Option<Font>>; Face::ALL.len()] =
            [const { OnceLock::new() }; Face::ALL.len()];
        FONTS.get(self as usize)?.get_or_init(|| Font::new(self.bytes(), 0)).as_ref()
    }

    /// Units of the font's own grid to the size of its type.
    pub fn units_per_em(self) -> f32 {
        self.font().map_or(1000.0, |font| f32::from(font.units_per_em()))
    }

    pub(super) fn has(self, c: char) -> bool {
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
