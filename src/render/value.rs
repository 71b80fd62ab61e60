//! JSON values as one short, harmless piece of text.

use serde_json::Value;

/// Longest text of a value; what is longer ends in `…`.
const LENGTH_MAX: usize = 96;

/// A value as compact JSON, invisible characters escaped, cut to a line's length. Absent is `(absent)`.
pub fn value(value: Option<&Value>) -> String {
    let Some(value) = value else { return "(absent)".into() };
    let text = escape(&value.to_string());
    if text.chars().count() <= LENGTH_MAX {
        return text;
    }
    text.chars().take(LENGTH_MAX - 1).chain(['…']).collect()
}

/// A JSON document on lines of its own. Hidden characters are written as `\u` escapes: any reader of JSON sees
/// the same text, and a terminal sees nothing that it would act on.
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    for c in format!("{value:#}\n").chars() {
        // Outside of strings the only such character is the line break, and inside it is escaped already.
        if is_hidden(c) && c != '\n' {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Text with every character escaped that could move the cursor, hide text, or turn it around.
pub fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| if is_hidden(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// Whether a character could move the cursor, hide text, or turn it around.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_short_and_harmless() {
        assert_eq!(value(None), "(absent)");
        assert_eq!(value(Some(&json!("a\u{1b}[31m\u{202e}b\n"))), "\"a\\u001b[31m\\u{202e}b\\n\"");
        assert_eq!(value(Some(&json!(["x".repeat(300)]))).chars().count(), LENGTH_MAX);
    }

    #[test]
    fn documents_are_plain_and_mean_the_same() {
        let hostile = json!({"a\u{7f}": ["\u{9b}31m", "\u{202e}\u{e0041}", "\u{1b}\n"]});
        let text = document(&hostile);
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), hostile);
    }
}
