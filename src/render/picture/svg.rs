//! A picture as SVG: the same bytes for the same picture, on every machine.
//!
//! Text is drawn as outlines of glyphs, so that it looks the same on every machine and the drawing contains
//! no text of a manifest. Title and description are escaped.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::font::{Face, Placed};
use super::scene::{Area, Scene, Shape, Stroke};
use crate::render::value::escape;

/// The glyphs of pictures.
pub type Glyphs = BTreeSet<(Face, u32)>;

/// Returns an SVG file: one picture with its own glyphs.
pub fn file(scene: &Scene, title: &str, description: &str) -> String {
    let glyphs = scene.glyphs().collect();
    let (w, h) = (number(scene.width), number(scene.height));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\">\n"
    );
    out.push_str(&format!("<title>{}</title>\n<desc>{}</desc>\n", xml(title), xml(description)));
    out.push_str(&format!("<defs>{}</defs>\n", definitions(&glyphs)));
    shapes(scene, &mut out);
    out.push_str("</svg>\n");
    out
}

/// Returns a picture for a page that contains the [`definitions`] of its glyphs.
pub fn inline(scene: &Scene, title: &str, is_wide: bool) -> String {
    let (w, h) = (number(scene.width), number(scene.height));
    let title = xml(title);
    let class = if is_wide { " class=\"wide\"" } else { "" };
    let mut out = format!("<svg{class} viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{title}\">");
    shapes(scene, &mut out);
    out.push_str("</svg>");
    out
}

/// Returns the outlines of glyphs, for [`inline`] pictures of the same page.
pub fn definitions(glyphs: &Glyphs) -> String {
    let mut out = String::new();
    for (face, glyph) in glyphs {
        // Writing to a String can't fail; the results are dropped throughout.
        let _ = write!(out, "<path id=\"{}{glyph}\" d=\"{}\"/>", face.letter(), face.outline(*glyph));
    }
    out
}

fn shapes(scene: &Scene, out: &mut String) {
    for shape in &scene.shapes {
        match shape {
            Shape::Rect { area, radius, fill, stroke } => {
                let Area { x, y, w, h } = *area;
                let fill = fill.map_or_else(|| "none".to_owned(), |fill| fill.hex());
                let (x, y, w, h) = (number(x), number(y), number(w), number(h));
                let _ = write!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"");
                if *radius > 0.0 {
                    let _ = write!(out, " rx=\"{}\"", number(*radius));
                }
                let _ = write!(out, " fill=\"{fill}\"");
                if let Some(Stroke { colour, px, is_dashed }) = stroke {
                    let _ = write!(out, " stroke=\"{}\" stroke-width=\"{}\"", colour.hex(), number(*px));
                    if *is_dashed {
                        out.push_str(" stroke-dasharray=\"6 4\"");
                    }
                }
                out.push_str("/>\n");
            }
            Shape::Icon { path, area, fill } => {
                let (x, y, scale) = (number(area.x), number(area.y), precise(area.w / 24.0));
                let fill = fill.hex();
                let _ = writeln!(
                    out,
                    "<path d=\"{path}\" fill=\"{fill}\" transform=\"translate({x} {y}) scale({scale})\"/>"
                );
            }
            Shape::Text { x, y, size_px, fill, line } => {
                text(&line.glyphs, *x, *y, *size_px, &fill.hex(), out);
            }
        }
    }
}

/// Writes text, with one scaled group for each run of glyphs of one font.
fn text(glyphs: &[Placed], x: f32, y: f32, size_px: f32, fill: &str, out: &mut String) {
    let face = |placed: &Placed| placed.glyph.map(|(face, _)| face);
    for run in glyphs.chunk_by(|one, other| face(one) == face(other)) {
        let Some(face) = run.first().and_then(face) else {
            for placed in run {
                let side = size_px * 0.8;
                let (left, top) = (number(x + placed.x + size_px * 0.15), number(y - side));
                let side = number(side);
                let _ = writeln!(
                    out,
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{side}\" height=\"{side}\" rx=\"2\" fill=\"none\" stroke=\"{fill}\"/>"
                );
            }
            continue;
        };
        let scale = size_px / face.units_per_em();
        let (left, base, by) = (number(x), number(y), precise(scale));
        let _ = write!(out, "<g fill=\"{fill}\" transform=\"translate({left} {base}) scale({by} -{by})\">");
        for placed in run {
            let Some((face, glyph)) = placed.glyph else { continue };
            let _ = write!(out, "<use href=\"#{}{glyph}\"", face.letter());
            let units = |px: f32| (px / scale).round();
            if units(placed.x) != 0.0 {
                let _ = write!(out, " x=\"{}\"", units(placed.x));
            }
            if units(placed.y) != 0.0 {
                let _ = write!(out, " y=\"{}\"", units(placed.y));
            }
            out.push_str("/>");
        }
        out.push_str("</g>\n");
    }
}

/// Returns a length with two decimals; a finer difference is not visible.
fn number(value: f32) -> String {
    trimmed(format!("{value:.2}"))
}

fn precise(value: f32) -> String {
    trimmed(format!("{value:.6}"))
}

fn trimmed(text: String) -> String {
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" || short.is_empty() { "0".into() } else { short.to_owned() }
}

/// Returns text for an element or an attribute: markup is escaped, and so are characters that hide or reverse
/// text.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML 1.0 does not allow these characters.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
