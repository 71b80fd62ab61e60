//! JSON values as one short, harmless piece of text.

use serde_json::Value;

use crate::model::text::escape_json;
pub use crate::model::text::{counted, escape, is_hidden};

/// Longest text of a value; what is longer ends in `…`.
const LENGTH_MAX: usize = 96;

/// How much of what two long values share is shown before the part in which they differ.
const CONTEXT: usize = 40;

/// A value as compact JSON, invisible characters escaped, cut to a line's length. Absent is `(absent)`.
pub fn value(value: Option<&Value>) -> String {
    let Some(value) = value else { return "(absent)".into() };
    let text = escape(&value.to_string());
    if text.chars().count() <= LENGTH_MAX {
        return text;
    }
    text.chars().take(LENGTH_MAX - 1).chain(['…']).collect()
}

/// Two values that differ, each in a line; of long ones the part is shown in which they do.
pub fn pair(old: Option<&Value>, new: Option<&Value>) -> [String; 2] {
    let (Some(one), Some(other)) = (old, new) else { return [value(old), value(new)] };
    let [one, other] = [one, other].map(|value| escape(&value.to_string()));
    if one.chars().count().max(other.chars().count()) <= LENGTH_MAX {
        return [one, other];
    }
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(CONTEXT);
    [one, other].map(|text| {
        let lead = if from > 0 { "…" } else { "" };
        let rest: String = text.chars().skip(from).take(LENGTH_MAX - 2).collect();
        let tail = if text.chars().count() > from + LENGTH_MAX - 2 { "…" } else { "" };
        format!("{lead}{rest}{tail}")
    })
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
    fn of_two_long_values_the_part_is_shown_in_which_they_differ() {
        let list = |last: &str| json!([vec!["the same"; 40].join(" "), last]);
        let [old, new] = pair(Some(&list("old end")), Some(&list("new end")));
        assert!(old.starts_with('…') && old.ends_with("\"old end\"]"), "{old}");
        assert!(new.ends_with("\"new end\"]") && new.chars().count() <= LENGTH_MAX, "{new}");
        assert_eq!(pair(Some(&json!(1)), Some(&json!(2))), ["1", "2"]);
        assert_eq!(pair(None, Some(&json!(2))), ["(absent)", "2"]);
    }

    #[test]
    fn documents_are_plain_and_mean_the_same() {
        let hostile = json!({"a\u{7f}": ["\u{9b}31m", "\u{202e}\u{e0041}", "\u{1b}\n"]});
        let text = document(&hostile);
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), hostile);
    }
}
