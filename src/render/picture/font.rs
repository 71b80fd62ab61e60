//! Lays out text in the bundled fonts: shapes, wraps, cuts, and reorders right-to-left text.
//!
//! In: a text, a size, a width. Out: lines of glyphs with their positions. A character that no font has
//! becomes a box, and the block reports it.
//!
//! Never: reads a font of the machine. Start reading at [`Block`].

mod block;
mod face;
mod paragraph;

pub use block::{Block, LINE_HEIGHT, Line, Placed, Type};
pub use face::{Face, Weight};
use paragraph::Paragraph;

/// Longest text that is laid out, in Unicode scalar values; a longer text does not fit into any view.
const CHARS_MAX: usize = 2_000;
impl Type {
    /// Lays out a text in lines of a width; if the text does not fit, the last line ends in `…`.
    ///
    /// `rtl` is the direction; for none, the first strong letter decides, as with `dir="auto"`.
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

/// Returns the character to draw: line breaks stay, other control characters become spaces, as in HTML.
fn plain(c: char) -> char {
    match c {
        '\n' => '\n',
        c if c.is_control() => ' ',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const TEXT: Type = Type { size_px: 16.0, weight: Weight::Regular };

    #[test]
    fn every_bundled_font_is_readable_and_has_its_letters() {
        for (face, c) in
            [(Face::Regular, 'ß'), (Face::Semibold, 'Ω'), (Face::Arabic, 'م'), (Face::Hebrew, 'ש')]
        {
            assert!(face.has(c), "{face:?} has no {c}");
            let glyph = face.font().unwrap().charmap().map_unicode(c).unwrap();
            assert!(face.outline(glyph.to_u32()).starts_with('M'), "{face:?} draws no {c}");
        }
    }

    /// Compares widths with the advances in the font's own tables, at 16 px.
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
        // Kerning reduces the distance of these two letters.
        assert!(line("AV") < units("AV") / 2048.0 * 16.0);
        assert_eq!(line(""), 0.0);
    }

    #[test]
    fn lines_break_between_words_and_within_a_word_only_if_it_does_not_fit() {
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
    fn right_to_left_text_is_drawn_from_right_to_left() {
        // The first letter is the rightmost glyph.
        let block = TEXT.layout("שלום", 200.0, 1, None);
        assert!(block.rtl && block.missing.is_empty());
        let shin = Face::Hebrew.font().unwrap().charmap().map_unicode('ש').unwrap().to_u32();
        assert_eq!(block.lines[0].glyphs.last().unwrap().glyph, Some((Face::Hebrew, shin)));
        // Arabic letters join: no letter of a word has its isolated form.
        let alone = Face::Arabic.font().unwrap().charmap().map_unicode('ب').unwrap().to_u32();
        let joined = TEXT.layout("ببب", 200.0, 1, None);
        assert!(joined.lines[0].glyphs.iter().all(|glyph| glyph.glyph != Some((Face::Arabic, alone))));
        // A direction override reverses letters, as in a browser.
        let plain =
            TEXT.layout("abc", 200.0, 1, None).lines[0].glyphs.iter().map(|g| g.glyph).collect::<Vec<_>>();
        let turned = TEXT.layout("\u{202e}abc\u{202c}", 200.0, 1, None);
        let mut turned: Vec<_> =
            turned.lines[0].glyphs.iter().map(|g| g.glyph).filter(|g| plain.contains(g)).collect();
        turned.reverse();
        assert_eq!(turned, plain);
    }

    #[test]
    fn a_character_that_no_font_has_is_a_box_and_is_reported() {
        let block = TEXT.layout("Hi 👋🏽 日", 200.0, 1, None);
        assert_eq!(block.missing, BTreeSet::from(['👋', '日']));
        assert_eq!(block.lines[0].glyphs.iter().filter(|glyph| glyph.glyph.is_none()).count(), 2);
    }

    #[test]
    fn long_text_is_cut() {
        let block = TEXT.layout(&"long ".repeat(2_000), 300.0, 4, None);
        assert_eq!((block.lines.len(), block.is_cut), (4, true));
        let block = TEXT.layout(&"x".repeat(10_000), 300.0, 400, None);
        assert!(block.is_cut && block.lines.len() < 100);
    }
}
