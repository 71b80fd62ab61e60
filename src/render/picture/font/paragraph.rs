//! One paragraph: shapes its runs of one font and direction, and breaks them into lines.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use harfrust::{Buffer, Direction, ShapeOptions, ShaperFont};
use unicode_bidi::{BidiInfo, Level};
use unicode_linebreak::linebreaks;

use super::block::{Block, Line, Placed, Type};
use super::face::{Face, Weight};
use crate::model::text::is_hidden;

/// Width of the box for a character that no font has, relative to the font size.
const BOX_WIDTH: f32 = 1.1;

/// Characters that cannot be separated: a letter with its marks, or a ligature.
struct Cluster {
    bytes: Range<usize>,
    advance: f32,
    is_space: bool,
    glyphs: Vec<Placed>,
}

/// A shaped text without line breaks.
pub(super) struct Paragraph<'a> {
    text: &'a str,
    kind: Type,
    bidi: BidiInfo<'a>,
    /// Whether the text begins at the right.
    pub(super) rtl: bool,
    clusters: Vec<Cluster>,
    missing: BTreeSet<char>,
}

impl<'a> Paragraph<'a> {
    pub(super) fn shape(kind: Type, text: &'a str, rtl: Option<bool>) -> Self {
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

    /// Returns the font of a character; a character without a script keeps the font of the character before
    /// it.
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
        // A hidden character needs no glyph.
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
        // With a direction set, shaping cannot fail.
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

    /// Adds a box for each character that no font has, but not for a joiner or a variation selector.
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

    /// Breaks the paragraph into lines where Unicode allows it (UAX 14), and within a word only if it does
    /// not fit.
    pub(super) fn fill(mut self, width_px: f32, lines_max: usize, block: &mut Block) {
        block.missing.append(&mut self.missing);
        let allowed: BTreeSet<usize> = linebreaks(self.text).map(|(at, _)| at).collect();
        let (mut start, mut at, mut width) = (0, 0, 0.0_f32);
        let mut last_break = None;
        while let Some(cluster) = self.clusters.get(at) {
            if at > start && allowed.contains(&cluster.bytes.start) {
                last_break = Some(at);
            }
            // A space at the end of a line may exceed its width.
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
            // A line does not start with the space at the break.
            while self.clusters.get(start).is_some_and(|cluster| cluster.is_space) {
                start += 1;
                at = start;
            }
        }
        block.lines.push(self.line(start..self.clusters.len()));
    }

    /// Returns a line that ends in `…` because the rest does not fit.
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

    /// Returns a line with its clusters in visual order.
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
