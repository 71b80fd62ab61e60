//! JSON values as one short, harmless piece of text.

use serde_json::Value;

use crate::model::text::escape_json;
pub use crate::model::text::{counted, escape, is_hidden};

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

/// A JSON document on lines of its own, hidden characters escaped.
pub fn document(value: &Value) -> String {
    // Outside of strings the only hidden character is the line break, and inside it is escaped already.
    escape_json(&format!("{value:#}\n"), '\n')
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
