//! Converts SVG to PNG.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// Most pixels of a PNG; a larger picture is scaled down.
const PIXELS_MAX: f32 = 24_000_000.0;

/// Returns an SVG of genesync as PNG, enlarged by `scale`.
///
/// # Errors
/// The message of the drawing library if it cannot draw the picture.
pub fn draw(svg: &str, scale: f32) -> Result<Vec<u8>, String> {
    let tree = Tree::from_str(svg, &Options::default()).map_err(|error| error.to_string())?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let scale = scale.min((PIXELS_MAX / (width * height)).sqrt());
    let (w, h) = ((width * scale).ceil() as u32, (height * scale).ceil() as u32);
    let mut pixels = Pixmap::new(w, h).ok_or("it has no area")?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| error.to_string())
}
