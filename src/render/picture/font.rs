//! Text as outlines of the bundled fonts: shaped, wrapped, cut, and turned from right to left where it has to be.
//!
//! In: a text, a size, a width. Out: lines of glyphs with their places. What a font lacks becomes a box, and is told.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::OnceLock;

use harfrust::font::glyph::outline::{DrawMemory, DrawOptions, SvgSink};
use harfrust::{Buffer, Direction, Font, GlyphId, ShapeOptions, ShaperFont};
use unicode_bidi::{BidiInfo, Level};
use unicode_linebreak::linebreaks;

use crate::model::text::is_hidden;

/// Longest text that is laid out, in Unicode scalar values; the rest would be below what is shown anyway.
const CHARS_MAX: usize = 2_000;
/// Height of a line by the size of its type, as browsers set `line-height: 1.4`.
pub const LINE_HEIGHT: f32 = 1.4;
/// How far above and below the baseline Inter reaches, by the size of its type: `hhea` of the font.
const ASCENT: f32 = 0.968_75;
const DESCENT: f32 = 0.241_21;
/// How wide the box of a character is that no font has, by the size of its type.
const BOX_WIDTH: f32 = 1.1;

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

/// What can't be taken apart: a letter with its marks, or several that became one glyph.
struct Cluster {
    bytes: Range<usize>,
    advance: f32,
    is_space: bool,
    glyphs: Vec<Placed>,
}

/// A text without line breaks, shaped.
struct Paragraph<'a> {
    text: &'a str,
    kind: Type,
    bidi: BidiInfo<'a>,
    rtl: bool,
    clusters: Vec<Cluster>,
    missing: BTreeSet<char>,
}

impl<'a> Paragraph<'a> {
    fn shape(kind: Type, text: &'a str, rtl: Option<bool>) -> Self {
        let level = rtl.map(|rtl| if rtl { Level::rtl() } else { Level::ltr() });
        let bidi = BidiInfo::new(text, level);
        let rtl = bidi.paragraphs.first().map_or(rtl == Some(true), |paragraph| paragraph.level.is_rtl());
        let mut paragraph = Self { text, kind, bidi, rtl, clusters: Vec::new(), missing: BTreeSet::new() };
        let mut start = 0;
        let mut current: Option<(Option<Face>, Level)> = None;
        for (at, c) in text.char_indices() {
            let level = paragraph.bidi.levels.get(at).copied().unwrap_or(Level::ltr());
            let before = current.and_then(|(face, _)| face);
            let here = (paragraph.face(c, before), level);
            if let Some(known) = current.filter(|known| *known != here) {
                paragraph.add(start..at, known);
                start = at;
            }
            current = Some(here);
        }
        if let Some(last) = current {
            paragraph.add(start..text.len(), last);
        }
        paragraph
    }

    /// The font of a character; what belongs to no script stays in the font of what comes before it.
    fn face(&self, c: char, before: Option<Face>) -> Option<Face> {
        let own = match self.kind.weight {
            Weight::Regular => Face::Regular,
            Weight::Semibold => Face::Semibold,
        };
        if !c.is_alphanumeric()
            && let Some(before) = before.filter(|face| face.has(c))
        {
            return Some(before);
        }
        let found = [own, Face::Arabic, Face::Hebrew].into_iter().find(|face| face.has(c));
        // What is never seen needs no glyph.
        found.or_else(|| is_hidden(c).then(|| before.unwrap_or(own)))
    }

    fn add(&mut self, bytes: Range<usize>, (face, level): (Option<Face>, Level)) {
        let text = self.text.get(bytes.clone()).unwrap_or_default();
        match face {
            Some(face) => self.add_shaped(bytes.start, text, face, level),
            None => self.add_boxes(bytes.start, text),
        }
    }

    fn add_shaped(&mut self, offset: usize, text: &str, face: Face, level: Level) {
        let Some(font) = face.font() else { return };
        let mut buffer = Buffer::new();
        buffer.push_str(text);
        buffer.set_direction(if level.is_rtl() { Direction::RightToLeft } else { Direction::LeftToRight });
        buffer.guess_segment_properties();
        // With its direction set there is nothing left that it could refuse.
        let _ = harfrust::shape(&ShaperFont::new(font), &mut buffer, ShapeOptions::new());
        let scale = self.kind.size_px / face.units_per_em();
        let px = |units: i32| units as f32 * scale;
        let mut clusters: BTreeMap<usize, Cluster> = BTreeMap::new();
        for (info, position) in buffer.glyph_infos().iter().zip(buffer.glyph_positions()) {
            let at = offset + info.cluster as usize;
            let cluster = clusters.entry(at).or_insert_with(|| Cluster {
                bytes: at..at,
                advance: 0.0,
                is_space: false,
                glyphs: Vec::new(),
            });
            let (x, y) = (cluster.advance + px(position.x_offset), px(position.y_offset));
            cluster.glyphs.push(Placed { glyph: Some((face, info.glyph_id)), x, y });
            cluster.advance += px(position.x_advance);
        }
        let ends = clusters.keys().copied().skip(1).chain([offset + text.len()]).collect::<Vec<_>>();
        for ((_, mut cluster), end) in clusters.into_iter().zip(ends) {
            cluster.bytes.end = end;
            let inside = self.text.get(cluster.bytes.clone()).unwrap_or_default();
            cluster.is_space = !inside.is_empty() && inside.chars().all(char::is_whitespace);
            if cluster.is_space {
                cluster.glyphs.clear();
            }
            self.clusters.push(cluster);
        }
    }

    /// A box for each character that no font has; what only joins or varies the one before it gets none.
    fn add_boxes(&mut self, offset: usize, text: &str) {
        for (at, c) in text.char_indices() {
            let bytes = offset + at..offset + at + c.len_utf8();
            let varies = matches!(c, '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
            if varies && let Some(last) = self.clusters.last_mut() {
                last.bytes.end = bytes.end;
                continue;
            }
            self.missing.insert(c);
            self.clusters.push(Cluster {
                bytes,
                advance: self.kind.size_px * BOX_WIDTH,
                is_space: c.is_whitespace(),
                glyphs: vec![Placed { glyph: None, x: 0.0, y: 0.0 }],
            });
        }
    }

    /// Breaks into lines where Unicode allows it (UAX 14), within a word only where nothing else fits.
    fn fill(mut self, width_px: f32, lines_max: usize, block: &mut Block) {
        block.missing.append(&mut self.missing);
        let allowed: BTreeSet<usize> = linebreaks(self.text).map(|(at, _)| at).collect();
        let (mut start, mut at, mut width) = (0, 0, 0.0_f32);
        let mut last_break = None;
        while let Some(cluster) = self.clusters.get(at) {
            if at > start && allowed.contains(&cluster.bytes.start) {
                last_break = Some(at);
            }
            // Space at a line's end hangs over it.
            let too_wide = !cluster.is_space && width + cluster.advance > width_px && at > start;
            if !too_wide {
                width += cluster.advance;
                at += 1;
                continue;
            }
            let end = last_break.unwrap_or(at);
            if block.lines.len() + 1 >= lines_max {
                block.is_cut = true;
                block.lines.push(self.cut(start, width_px));
                return;
            }
            block.lines.push(self.line(start..end));
            (start, at, width, last_break) = (end, end, 0.0, None);
            // The space after which the line was broken is not carried over.
            while self.clusters.get(start).is_some_and(|cluster| cluster.is_space) {
                start += 1;
                at = start;
            }
        }
        block.lines.push(self.line(start..self.clusters.len()));
    }

    /// A line that ends in `…` because the rest does not fit.
    fn cut(&self, start: usize, width_px: f32) -> Line {
        let dots = Paragraph::shape(self.kind, "…", Some(false));
        let dots_px: f32 = dots.clusters.iter().map(|cluster| cluster.advance).sum();
        let mut end = start;
        let mut width = dots_px;
        while let Some(cluster) = self.clusters.get(end).filter(|cluster| width + cluster.advance <= width_px)
        {
            width += cluster.advance;
            end += 1;
        }
        let mut line = self.line(start..end);
        let mut dots = dots.line(0..dots.clusters.len());
        let (shifted, by) = if self.rtl { (&mut line, dots_px) } else { (&mut dots, line.width) };
        shifted.glyphs.iter_mut().for_each(|glyph| glyph.x += by);
        line.glyphs.append(&mut dots.glyphs);
        line.width += dots_px;
        line
    }

    /// Clusters in the order in which they are seen.
    fn line(&self, mut range: Range<usize>) -> Line {
        while range.end > range.start && self.clusters.get(range.end - 1).is_some_and(|last| last.is_space) {
            range.end -= 1;
        }
        let clusters = self.clusters.get(range).unwrap_or_default();
        let (Some(first), Some(last)) = (clusters.first(), clusters.last()) else { return Line::default() };
        let Some(paragraph) = self.bidi.paragraphs.first() else { return Line::default() };
        let (levels, runs) = self.bidi.visual_runs(paragraph, first.bytes.start..last.bytes.end);
        let mut line = Line::default();
        for run in runs {
            let inside = clusters.iter().filter(|cluster| run.contains(&cluster.bytes.start));
            let is_rtl = levels.get(run.start).is_some_and(Level::is_rtl);
            let ordered: Vec<&Cluster> = if is_rtl { inside.rev().collect() } else { inside.collect() };
            for cluster in ordered {
                let placed = |glyph: &Placed| Placed { x: glyph.x + line.width, ..*glyph };
                let glyphs: Vec<Placed> = cluster.glyphs.iter().map(placed).collect();
                line.glyphs.extend(glyphs);
                line.width += cluster.advance;
            }
        }
        line
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
