//! The bundled fonts: their characters and the outlines of their glyphs.

use std::sync::OnceLock;

use harfrust::font::glyph::outline::{DrawMemory, DrawOptions, SvgSink};
use harfrust::{Font, GlyphId};

/// The weight of a font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// For text.
    Regular,
    /// For headings and buttons.
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

    /// Returns the letter of the font in the ids of glyphs.
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

    /// Returns the font; none only if a bundled file is broken, which a test excludes.
    pub(super) fn font(self) -> Option<&'static Font> {
        static FONTS: [OnceLock<Option<Font>>; Face::ALL.len()] =
            [const { OnceLock::new() }; Face::ALL.len()];
        FONTS.get(self as usize)?.get_or_init(|| Font::new(self.bytes(), 0)).as_ref()
    }

    /// Returns the units of the font's grid for one font size.
    pub fn units_per_em(self) -> f32 {
        self.font().map_or(1000.0, |font| f32::from(font.units_per_em()))
    }

    pub(super) fn has(self, c: char) -> bool {
        self.font()
            .and_then(|font| font.charmap().map_unicode(c))
            .is_some_and(|glyph| glyph != GlyphId::NOTDEF)
    }

    /// Returns the outline of a glyph as SVG path data, in units of the font, with y upwards.
    pub fn outline(self, glyph: u32) -> String {
        let mut path = SvgSink::with_precision(0);
        let outline = self.font().and_then(|font| font.outline_glyphs().get(GlyphId::new(glyph)));
        if let Some(outline) = outline {
            // A glyph that cannot be drawn is left blank; the bundled fonts have none.
            let _ = outline.draw(&DrawOptions::default(), DrawMemory::default(), &mut path);
        }
        path.to_string()
    }
}
