//! Colours and their contrast by the WCAG, and the nearest colour with enough contrast.

use color::{AlphaColor, Oklch, OpaqueColor, Srgb};

/// The contrast that non-text parts need to be visible (WCAG 2.2, 1.4.11).
pub const NON_TEXT_RATIO: f64 = 3.0;

/// Formats a contrast with two digits. A value below a limit of the WCAG is not rounded up to that limit:
/// 4.4989 is shown as 4.49, because 4.5 would look like a pass.
pub fn shown_ratio(ratio: f64) -> String {
    let rounded = (ratio * 100.0).round() / 100.0;
    let is_lifted = [NON_TEXT_RATIO, 4.5, 7.0].iter().any(|limit| ratio < *limit && rounded >= *limit);
    format!("{:.2}", if is_lifted { (ratio * 100.0).floor() / 100.0 } else { rounded })
}

/// Returns the contrast that text needs (WCAG 2.2: 1.4.3 for `AA`, 1.4.6 for `AAA`).
pub fn text_ratio(level: &str, is_large: bool) -> f64 {
    match (level, is_large) {
        ("AAA", false) => 7.0,
        ("AAA", true) => 4.5,
        (_, true) => 3.0,
        (_, false) => 4.5,
    }
}

/// Whether text of this size is *large* and needs less contrast (WCAG 2.2, *large scale*: 18 pt or 24 px).
/// Bold text is large from 18.66 px on, but no configuration has a field for bold text.
pub fn is_large(size_px: f64) -> bool {
    size_px >= 24.0
}

/// An opaque sRGB colour with 8 bits per channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Red, green, blue.
    pub rgb: [u8; 3],
}

impl Colour {
    /// White, the platform's default background.
    pub const WHITE: Colour = Colour { rgb: [255; 3] };

    /// Parses `#RGB` or `#RRGGBB`; returns none for any other text.
    pub fn parse(text: &str) -> Option<Colour> {
        let digits = text.strip_prefix('#')?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let digit = |index: usize| u8::from_str_radix(digits.get(index..=index)?, 16).ok();
        let pair = |index: usize| u8::from_str_radix(digits.get(index..index + 2)?, 16).ok();
        match digits.len() {
            3 => Some(Colour { rgb: [digit(0)? * 17, digit(1)? * 17, digit(2)? * 17] }),
            6 => Some(Colour { rgb: [pair(0)?, pair(2)?, pair(4)?] }),
            _ => None,
        }
    }

    /// Formats as `#RRGGBB` in upper case, the only form for comparisons.
    pub fn hex(self) -> String {
        let [r, g, b] = self.rgb;
        format!("#{r:02X}{g:02X}{b:02X}")
    }

    fn opaque(self) -> OpaqueColor<Srgb> {
        OpaqueColor::from_rgb8(self.rgb[0], self.rgb[1], self.rgb[2])
    }

    /// Returns the relative luminance, 0 to 1 (WCAG 2.2, definition of *relative luminance*).
    pub fn luminance(self) -> f64 {
        // Exactly as in the definition and in f64: f32 changes the third digit of a ratio.
        let channel = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = self.rgb;
        0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
    }

    /// Returns the contrast ratio with another colour, 1 to 21 (WCAG 2.2, definition of *contrast ratio*).
    pub fn contrast(self, other: Colour) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Returns the nearest colour of the same hue that has at least `ratio` against `background`; none if
    /// no colour has.
    ///
    /// Nearest by distance in OKLab. It tries lightness in steps of 1/512; if sRGB cannot show the chroma
    /// at that lightness, it lowers the chroma. It checks each candidate after rounding to 8 bits, because
    /// browsers show that.
    pub fn nearest_passing(self, background: Colour, ratio: f64) -> Option<Colour> {
        if self.contrast(background) >= ratio {
            return Some(self);
        }
        let [_, chroma, hue] = self.opaque().convert::<Oklch>().components;
        let mut best: Option<(f32, Colour)> = None;
        for step in 0..=512u16 {
            let candidate = shown(f32::from(step) / 512.0, chroma, hue);
            if candidate.contrast(background) < ratio {
                continue;
            }
            let distance = self.distance(candidate);
            if best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, colour)| colour)
    }

    /// Returns the distance in OKLab.
    pub fn distance(self, other: Colour) -> f32 {
        let lab = |colour: Colour| colour.opaque().convert::<color::Oklab>().components;
        let (a, b) = (lab(self), lab(other));
        ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2)).sqrt()
    }
}

/// Returns the sRGB colour of this lightness and hue with the largest possible chroma up to `chroma`.
fn shown(lightness: f32, chroma: f32, hue: f32) -> Colour {
    let (mut low, mut high) = (0.0_f32, chroma);
    let fits = |chroma: f32| {
        let [r, g, b] = OpaqueColor::<Oklch>::new([lightness, chroma, hue]).convert::<Srgb>().components;
        [r, g, b].iter().all(|channel| (-0.0005..=1.0005).contains(channel))
    };
    if !fits(high) {
        for _ in 0..12 {
            let middle = (low + high) / 2.0;
            if fits(middle) { low = middle } else { high = middle }
        }
    } else {
        low = high;
    }
    let rgba: AlphaColor<Srgb> =
        OpaqueColor::<Oklch>::new([lightness, low, hue]).convert::<Srgb>().with_alpha(1.0);
    let bytes = rgba.to_rgba8();
    Colour { rgb: [bytes.r, bytes.g, bytes.b] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        Colour::parse(text).unwrap()
    }

    #[test]
    fn a_failing_contrast_is_not_shown_as_a_passing_one() {
        for (ratio, shown) in [
            (4.4989, "4.49"),
            (4.4999999, "4.49"),
            (4.5, "4.50"),
            (4.504, "4.50"),
            (2.9951, "2.99"),
            (6.999, "6.99"),
            (8.597, "8.60"),
            (21.0, "21.00"),
        ] {
            assert_eq!(shown_ratio(ratio), shown, "{ratio}");
        }
    }

    #[test]
    fn ratios_match_the_definition() {
        let table = [
            ("#000000", "#FFFFFF", 21.0),
            ("#0052CC", "#FFF", 6.82),
            ("#0000FF", "#FFFFFF", 8.59),
            ("#777777", "#FFFFFF", 4.48),
            ("#767676", "#FFFFFF", 4.54),
            ("#FFFFFF", "#FFFFFF", 1.0),
        ];
        for (text, background, expected) in table {
            let ratio = colour(text).contrast(colour(background));
            assert!((ratio - expected).abs() < 0.005, "{text} on {background}: {ratio}");
        }
    }

    #[test]
    fn parse_takes_three_or_six_hex_digits_only() {
        for bad in ["", "#", "0052CC", "#0052C", "#GGGGGG", "#0052CCFF", "#+12", "#é12", "red"] {
            assert_eq!(Colour::parse(bad), None, "{bad}");
        }
        assert_eq!(colour("#0bf").hex(), "#00BBFF");
    }

    #[test]
    fn nearest_passing_passes_keeps_the_hue_and_moves_little() {
        for (text, background, ratio) in [
            ("#77AAFF", "#FFFFFF", 4.5),
            ("#FFCC00", "#FFFFFF", 4.5),
            ("#333333", "#000000", 7.0),
            ("#1A1A40", "#202020", 4.5),
        ] {
            let (from, on) = (colour(text), colour(background));
            let to = from.nearest_passing(on, ratio).unwrap();
            assert!(to.contrast(on) >= ratio, "{text}: {}", to.hex());
            assert!(to.contrast(on) < ratio + 0.25, "{text} overshoots: {} {}", to.hex(), to.contrast(on));
        }
    }

    #[test]
    fn nearest_passing_is_none_if_no_colour_passes() {
        assert_eq!(colour("#808080").nearest_passing(colour("#777777"), 7.0), None);
    }
}
