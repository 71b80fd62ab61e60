//! Hidden characters in text, and texts that look the same to a reader.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use unicase::UniCase;

/// Whether a character could move the cursor, hide text, or change the direction of text.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Escapes every hidden character as `\u{…}`, for people.
pub fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| if is_hidden(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// Escapes every hidden character of a JSON document, except `kept`, as `\u`: JSON parsers read the same
/// text, and a terminal does not act on it. Outside of strings such characters are only breaks between
/// tokens, which the caller keeps with `kept`.
pub fn escape_json(document: &str, kept: char) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        if is_hidden(c) && c != kept {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Folds a text for a comparison without case and without the encoding of accents: canonical caseless
/// matching of the Unicode Standard, section 3.13.5, D145.
pub fn folded(text: &str) -> String {
    let composed = ComposingNormalizerBorrowed::new_nfc();
    let folded = UniCase::unicode(composed.normalize(text)).to_folded_case();
    composed.normalize(&folded).into_owned()
}

/// Replaces each carriage return that ends a line alone by a line feed, because YAML 1.2 (5.4) and editors
/// count it as a line end. Byte positions stay the same.
pub fn with_line_feeds(text: &str) -> Cow<'_, str> {
    let mut rest =
        text.match_indices('\r').filter(|(at, _)| text.as_bytes().get(at + 1) != Some(&b'\n')).peekable();
    if rest.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in rest {
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push('\n');
        from = at + 1;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// Formats a number with its noun: `1 check`, `3 checks`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Most names that [`listed`] prints.
const LISTED_MAX: usize = 5;

/// Lists some names and the number of the others: `a, b, c, d, e and 3 more`.
pub fn listed(names: &[impl AsRef<str>]) -> String {
    let reported = names.iter().take(LISTED_MAX).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED_MAX) {
        0 => reported,
        more => format!("{reported} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriage_return_alone_ends_a_line() {
        for (text, lines) in
            [("a\rb", "a\nb"), ("a\r\nb\r", "a\r\nb\n"), ("\r\rü", "\n\nü"), ("a\nb", "a\nb")]
        {
            assert_eq!(with_line_feeds(text), lines);
        }
    }

    #[test]
    fn texts_that_read_the_same_fold_to_the_same() {
        for (one, other) in [
            ("Caf\u{e9}?", "cafe\u{301}?"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("\u{1f600}", "\u{1f600}"),
            ("\u{ac00}", "\u{1100}\u{1161}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        for (one, other) in [("Hadi", "Had\u{131}"), ("a", "\u{e4}"), ("می\u{200c}خواهم", "میخواهم")]
        {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }
}
