//! Values as readable text, with the words that changed.
//!
//! In: values of a field. Out: pieces of text.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::render::value::{escape, lines};

/// Longest value on a page, in Unicode scalar values.
const VALUE_CHARS_MAX: usize = 4_000;
/// A piece of text, with marks for values and changes.
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether the text is a value.
    pub is_value: bool,
    /// Whether only one of the two values has the text.
    pub is_moved: bool,
}

/// Returns a text cut to the longest value on a page.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Returns a value as readable text: a list with one item in each line, and hidden characters escaped.
pub fn readable(path: &str, value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        value => lines(path, value).map_or_else(|| value.to_string(), |lines| lines.join("\n")),
    };
    let lines: Vec<String> = text.split('\n').map(escape).collect();
    let text = lines.join("\n");
    if text.is_empty() { "(empty)".into() } else { text }
}

/// Returns the part of two long texts around their first difference.
pub fn around_the_change(old: Option<String>, new: Option<String>) -> (Option<String>, Option<String>) {
    /// Length of the text before the difference, in Unicode scalar values.
    const CONTEXT: usize = 400;
    let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.chars().count());
    if length(&old).max(length(&new)) <= VALUE_CHARS_MAX {
        return (old, new);
    }
    let same = match (&old, &new) {
        (Some(old), Some(new)) => old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let from = same.saturating_sub(CONTEXT);
    let part = |text: String| {
        let lead = if from > 0 { "…" } else { "" };
        format!("{lead}{}", cut(&text.chars().skip(from).collect::<String>()))
    };
    (old.map(part), new.map(part))
}

/// Returns a text that only one side has, as one piece.
pub fn whole(text: Option<&str>) -> Vec<Piece> {
    text.into_iter().map(|text| Piece { text: text.to_owned(), is_value: true, is_moved: true }).collect()
}

/// Returns both texts in pieces; words that only one text has are marked.
pub fn moved_words(old: &str, new: &str) -> (Vec<Piece>, Vec<Piece>) {
    let diff = TextDiff::from_unicode_words(old, new);
    let (mut before, mut after): (Vec<Piece>, Vec<Piece>) = (Vec::new(), Vec::new());
    let add = |side: &mut Vec<Piece>, text: &str, is_moved: bool| match side.last_mut() {
        Some(last) if last.is_moved == is_moved => last.text.push_str(text),
        _ => side.push(Piece { text: text.to_owned(), is_value: true, is_moved }),
    };
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Equal => {
                add(&mut before, change.value(), false);
                add(&mut after, change.value(), false);
            }
            ChangeTag::Delete => add(&mut before, change.value(), true),
            ChangeTag::Insert => add(&mut after, change.value(), true),
        }
    }
    (before, after)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changed_words_are_marked_in_their_text() {
        let moved = |pieces: &[Piece]| -> String {
            pieces
                .iter()
                .map(|piece| if piece.is_moved { format!("[{}]", piece.text) } else { piece.text.clone() })
                .collect()
        };
        let (old, new) = moved_words("How can we help you today?", "How may we help you with it today?");
        assert_eq!(
            (moved(&old), moved(&new)),
            ("How [can] we help you today?".into(), "How [may] we help you [with it ]today?".into())
        );
    }

    #[test]
    fn long_texts_are_shown_around_their_difference() {
        let long = |end: &str| Some(format!("{}{end}", "the same words ".repeat(1_000)));
        let (old, new) = around_the_change(long("old"), long("new"));
        assert!(old.as_ref().unwrap().ends_with("old") && new.as_ref().unwrap().ends_with("new"));
        assert!(new.unwrap().chars().count() < VALUE_CHARS_MAX);
    }

    #[test]
    fn values_are_readable_text() {
        let hours = json!([{"dayOfWeek": "MONDAY", "startTime": "09:00", "endTime": "17:30"}]);
        assert_eq!(readable("availability.rules", &hours), "Monday 09:00 to 17:30");
        let labels = json!([{"language": "de", "localizedLabels": [{"key": "K", "value": "Hallo"}, {"key": "L", "value": "x"}]}]);
        assert_eq!(readable("customI18nLabels", &labels), "de K: \"Hallo\"\nde L: \"x\"");
        assert_eq!(readable("x", &json!(["a", "b\nc"])), "a\nb\nc");
        assert_eq!(readable("x", &json!("")), "(empty)");
        assert_eq!(readable("availability.rules", &json!([3, {"dayOfWeek": 1}])), "3\n{\"dayOfWeek\":1}");
        assert_eq!(readable("x", &json!([1, 2])), "1\n2");
    }
}
