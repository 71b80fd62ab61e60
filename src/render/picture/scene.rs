//! The shapes of a picture, in painting order.

use super::font::{Block, Face, Line, Type};
use crate::model::colour::Colour;

/// A rectangle in pixels, from the left and from the top.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

/// A line around a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    /// The colour of the line.
    pub colour: Colour,
    /// Thickness in pixels.
    pub px: f32,
    /// Whether the line is dashed.
    pub is_dashed: bool,
}

/// One shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A rectangle with round corners.
    Rect {
        /// The area of the rectangle.
        area: Area,
        /// Radius of the corners.
        radius: f32,
        /// The fill colour.
        fill: Option<Colour>,
        /// The line around it.
        stroke: Option<Stroke>,
    },
    /// A drawing of 24 by 24 units.
    Icon {
        /// SVG path data.
        path: &'static str,
        /// The square area of the drawing.
        area: Area,
        /// The fill colour of the drawing.
        fill: Colour,
    },
    /// A line of text.
    Text {
        /// Left end of the text, in pixels from the left.
        x: f32,
        /// Baseline of the text, in pixels from the top.
        y: f32,
        /// Font size in pixels.
        size_px: f32,
        /// The text colour.
        fill: Colour,
        /// The glyphs of the line.
        line: Line,
    },
}

/// Alignment of text within its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the start of the line: left, or right in a right-to-left text.
    Start,
    /// In the middle.
    Middle,
}

/// A picture that is being painted. With `is_mirrored`, positions count from the right, as on a page in a
/// right-to-left language; glyphs and icons are not mirrored.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Width in pixels.
    pub width: f32,
    /// Height in pixels.
    pub height: f32,
    /// The shapes, in painting order.
    pub shapes: Vec<Shape>,
    is_mirrored: bool,
}

impl Scene {
    /// Returns an empty picture.
    pub fn new(width: f32, height: f32, is_mirrored: bool) -> Self {
        Self { width, height, shapes: Vec::new(), is_mirrored }
    }

    /// Returns the area, mirrored if the picture is mirrored.
    fn placed(&self, area: Area) -> Area {
        if self.is_mirrored { Area { x: self.width - area.x - area.w, ..area } } else { area }
    }

    /// Paints a filled rectangle.
    pub fn fill(&mut self, area: Area, radius: f32, colour: Colour) {
        let area = self.placed(area);
        self.shapes.push(Shape::Rect { area, radius, fill: Some(colour), stroke: None });
    }

    /// Paints a line around a rectangle.
    pub fn outline(&mut self, area: Area, radius: f32, stroke: Stroke) {
        let area = self.placed(area);
        self.shapes.push(Shape::Rect { area, radius, fill: None, stroke: Some(stroke) });
    }

    /// Paints an icon.
    pub fn icon(&mut self, path: &'static str, area: Area, fill: Colour) {
        let area = self.placed(area);
        self.shapes.push(Shape::Icon { path, area, fill });
    }

    /// Paints a block of text at the top of an area; leaves out lines that do not fit into its height.
    pub fn text(&mut self, block: &Block, kind: Type, area: Area, align: Align, fill: Colour) {
        let area = self.placed(area);
        for (index, line) in block.lines.iter().enumerate() {
            let top = area.y + kind.line_px() * index as f32;
            if top + kind.line_px() > area.y + area.h + 0.5 {
                break;
            }
            let x = match align {
                Align::Middle => area.x + (area.w - line.width) / 2.0,
                Align::Start if block.rtl => area.x + area.w - line.width,
                Align::Start => area.x,
            };
            if !line.glyphs.is_empty() {
                let y = top + kind.baseline_px();
                self.shapes.push(Shape::Text { x, y, size_px: kind.size_px, fill, line: line.clone() });
            }
        }
    }

    /// Returns every glyph of the picture.
    pub fn glyphs(&self) -> impl Iterator<Item = (Face, u32)> {
        let lines = self.shapes.iter().filter_map(|shape| match shape {
            Shape::Text { line, .. } => Some(line),
            Shape::Rect { .. } | Shape::Icon { .. } => None,
        });
        lines.flat_map(|line| line.glyphs.iter().filter_map(|placed| placed.glyph))
    }

    /// Adds the shapes of another picture at a position.
    pub fn put(&mut self, other: &Scene, x: f32, y: f32) {
        let moved = |area: &Area| Area { x: area.x + x, y: area.y + y, ..*area };
        self.shapes.extend(other.shapes.iter().map(|shape| match shape {
            Shape::Rect { area, radius, fill, stroke } => {
                Shape::Rect { area: moved(area), radius: *radius, fill: *fill, stroke: *stroke }
            }
            Shape::Icon { path, area, fill } => Shape::Icon { path, area: moved(area), fill: *fill },
            Shape::Text { x: left, y: base, size_px, fill, line } => {
                Shape::Text { x: left + x, y: base + y, size_px: *size_px, fill: *fill, line: line.clone() }
            }
        }));
    }
}
