//! Which characters are not what they look like.

/// Whether a character could move the cursor, hide text, or turn it around.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Text with every hidden character escaped as `\u{…}`: for people.
pub fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| if is_hidden(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// A JSON document with every hidden character but `kept` as a `\u` escape: any reader of JSON sees the same
/// text, and a terminal sees nothing that it would act on. Outside of strings the only such characters are
/// breaks between tokens, which are for the caller to keep.
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

/// So many of something: `1 check`, `3 checks`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Most names that [`listed`] tells.
const LISTED_MAX: usize = 5;

/// Some names, and how many more there are: `a, b, c, d, e and 3 more`.
pub fn listed(names: &[impl AsRef<str>]) -> String {
    let told = names.iter().take(LISTED_MAX).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED_MAX) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}
