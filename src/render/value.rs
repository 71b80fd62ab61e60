//! JSON values as short text without hidden characters.
//!
//! In: a path and its values. Out: one line, or a list of lines.

use serde_json::Value;

use crate::model::text::escape_json;
pub use crate::model::text::{counted, escape, is_hidden};

/// Longest text of a value in a line of a terminal, in characters; a longer text ends in `…`.
const LENGTH_MAX: usize = 96;
/// Longest text of a value in a review, in characters. A reviewer has to read a greeting of 150 characters in
/// full.
pub const REVIEWED_LENGTH_MAX: usize = 400;

/// How many equal characters are shown before the first difference of two long values.
const CONTEXT: usize = 40;

/// Returns a value as compact JSON, with hidden characters escaped, cut to 96 characters; `(absent)` for no
/// value.
pub fn value(value: Option<&Value>) -> String {
    value_within(value, LENGTH_MAX)
}

/// Returns the same as [`value`], cut to another length.
pub fn value_within(value: Option<&Value>, length_max: usize) -> String {
    value.map_or_else(|| "(absent)".into(), |value| cut(&escape(&value.to_string()), length_max))
}

fn cut(text: &str, length_max: usize) -> String {
    if text.chars().count() <= length_max {
        return text.to_owned();
    }
    text.chars().take(length_max - 1).chain(['…']).collect()
}

/// Returns the items of a list as readable lines; none if the value is not a list or has no items.
pub fn lines(path: &str, value: &Value) -> Option<Vec<String>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    Some(
        items
            .iter()
            .flat_map(|item| reported(path, item).unwrap_or_else(|| vec![item.to_string()]))
            .collect(),
    )
}

fn reported(path: &str, item: &Value) -> Option<Vec<String>> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    // An item with more keys than the line shows is printed as JSON.
    let has_only = |item: &Value, keys: usize| item.as_object().is_some_and(|map| map.len() == keys);
    match path {
        "availability.rules" if has_only(item, 3) => {
            let (day, start, end) = (text("dayOfWeek")?, text("startTime")?, text("endTime")?);
            let day = day.chars().take(1).chain(day.to_lowercase().chars().skip(1)).collect::<String>();
            Some(vec![format!("{day} {start} to {end}")])
        }
        "customI18nLabels" if has_only(item, 2) => {
            let language = text("language")?;
            let line = |label: &Value| {
                let text = |key: &str| label.get(key).and_then(Value::as_str);
                let (key, value) = text("key").zip(text("value")).filter(|_| has_only(label, 2))?;
                Some(format!("{language} {key}: {}", Value::from(value)))
            };
            item.get("localizedLabels")?.as_array()?.iter().map(line).collect()
        }
        _ => None,
    }
}

/// Returns the items of a list if each is an opening hour or a label.
fn known(path: &str, list: &Value) -> Option<Vec<String>> {
    let is_known = list.as_array()?.iter().all(|item| reported(path, item).is_some());
    lines(path, list).filter(|_| is_known)
}

fn known_items(path: &str, list: &Value, length_max: usize) -> Option<String> {
    Some(side(&known(path, list)?, &[], length_max))
}

/// Returns the items that another list does not have, and the number of items that both lists have.
fn side(own: &[String], other: &[String], length_max: usize) -> String {
    const ITEMS_MAX: usize = 8;
    let moved: Vec<&String> = own.iter().filter(|line| !other.contains(line)).collect();
    let shown = moved.iter().take(ITEMS_MAX).map(|line| cut(&escape(line), length_max));
    let more = moved.len().saturating_sub(ITEMS_MAX);
    let same = own.len() - moved.len();
    let rest = [(more, "more"), (same, "the same")].into_iter().filter(|(count, _)| *count > 0);
    shown.chain(rest.map(|(count, what)| format!("{count} {what}"))).collect::<Vec<_>>().join("; ")
}

/// Returns the items that only one of two lists of hours or labels has, and the number of items that both
/// have.
fn moved_items(path: &str, old: &Value, new: &Value, length_max: usize) -> Option<[String; 2]> {
    let (old, new) = (known(path, old)?, known(path, new)?);
    let sides = [side(&old, &new, length_max), side(&new, &old, length_max)];
    // Equal sides mean another order or duplicates, which only the lists themselves show.
    (sides[0] != sides[1]).then_some(sides)
}

/// Returns two different values, each in one line; for long values, the part around the first difference.
pub fn pair(path: &str, old: Option<&Value>, new: Option<&Value>) -> [String; 2] {
    pair_within(path, old, new, LENGTH_MAX)
}

/// Returns the same as [`pair`], cut to another length.
pub fn pair_within(path: &str, old: Option<&Value>, new: Option<&Value>, length_max: usize) -> [String; 2] {
    let (Some(one), Some(other)) = (old, new) else {
        return [old, new].map(|side| {
            side.and_then(|list| known_items(path, list, length_max))
                .unwrap_or_else(|| value_within(side, length_max))
        });
    };
    if let Some(sides) = moved_items(path, one, other, length_max) {
        return sides;
    }
    let [one, other] = [one, other].map(|value| escape(&value.to_string()));
    if one.chars().count().max(other.chars().count()) <= length_max {
        return [one, other];
    }
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(CONTEXT);
    [one, other].map(|text| {
        let lead = if from > 0 { "…" } else { "" };
        let rest: String = text.chars().skip(from).take(length_max - 2).collect();
        let tail = if text.chars().count() > from + length_max - 2 { "…" } else { "" };
        format!("{lead}{rest}{tail}")
    })
}

/// Returns an indented JSON document, with hidden characters escaped.
pub fn document(value: &Value) -> String {
    // Outside of strings, the only hidden character is the line break; in strings, JSON escapes it.
    escape_json(&format!("{value:#}\n"), '\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_short_and_have_no_hidden_characters() {
        assert_eq!(value(None), "(absent)");
        assert_eq!(value(Some(&json!("a\u{1b}[31m\u{202e}b\n"))), "\"a\\u001b[31m\\u{202e}b\\n\"");
        assert_eq!(value(Some(&json!(["x".repeat(300)]))).chars().count(), LENGTH_MAX);
    }

    #[test]
    fn two_long_values_are_shown_around_their_difference() {
        let list = |last: &str| json!([vec!["the same"; 40].join(" "), last]);
        let [old, new] = pair("x", Some(&list("old end")), Some(&list("new end")));
        assert!(old.starts_with('…') && old.ends_with("\"old end\"]"), "{old}");
        assert!(new.ends_with("\"new end\"]") && new.chars().count() <= LENGTH_MAX, "{new}");
        assert_eq!(pair("x", Some(&json!(1)), Some(&json!(2))), ["1", "2"]);
        assert_eq!(pair("x", None, Some(&json!(2))), ["(absent)", "2"]);
    }

    #[test]
    fn only_changed_hours_and_labels_are_shown() {
        let hours = |days: &[(&str, &str)]| {
            let rule =
                |(day, end): &(&str, &str)| json!({"dayOfWeek": day, "startTime": "09:00", "endTime": end});
            json!(days.iter().map(rule).collect::<Vec<_>>())
        };
        let old = hours(&[("MONDAY", "17:00"), ("TUESDAY", "17:00"), ("FRIDAY", "17:00")]);
        let new = hours(&[("MONDAY", "18:00"), ("TUESDAY", "17:00"), ("FRIDAY", "17:00")]);
        let of = |old: &Value, new: &Value| pair("availability.rules", Some(old), Some(new));
        assert_eq!(
            of(&old, &new),
            ["Monday 09:00 to 17:00; 2 the same", "Monday 09:00 to 18:00; 2 the same"]
        );
        let more = hours(&[("TUESDAY", "17:00"), ("SUNDAY", "12:00")]);
        assert_eq!(
            of(&hours(&[("TUESDAY", "17:00")]), &more),
            ["1 the same", "Sunday 09:00 to 12:00; 1 the same"]
        );
        // The same items in another order, an empty list, and items that are not hours are shown as JSON.
        let turned = hours(&[("FRIDAY", "17:00"), ("TUESDAY", "17:00"), ("MONDAY", "17:00")]);
        assert!(of(&old, &turned)[0].contains("dayOfWeek"), "{:?}", of(&old, &turned));
        assert_eq!(of(&json!([]), &json!([3])), ["[]", "[3]"]);
        let labels =
            |text: &str| json!([{"language": "de", "localizedLabels": [{"key": "K", "value": text}]}]);
        assert_eq!(
            pair("customI18nLabels", Some(&labels("a\u{202e}")), Some(&labels("b"))),
            ["de K: \"a\\u{202e}\"", "de K: \"b\""]
        );
        // An item with an unknown key is shown as JSON with that key.
        let tagged =
            json!([{"dayOfWeek": "MONDAY", "startTime": "09:00", "endTime": "17:00", "queue": "vip"}]);
        assert!(of(&tagged, &old)[0].contains("vip"), "{:?}", of(&tagged, &old));
        assert_eq!(
            pair("availability.rules", None, Some(&more))[1],
            "Tuesday 09:00 to 17:00; Sunday 09:00 to 12:00"
        );
        // Items beyond the limit are counted.
        let week =
            |end: &str| hours(&["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"].map(|day| (day, end)));
        assert!(of(&week("1"), &week("2"))[1].ends_with("H 09:00 to 2; 2 more"));
    }

    #[test]
    fn documents_have_no_hidden_characters_and_keep_their_values() {
        let hostile = json!({"a\u{7f}": ["\u{9b}31m", "\u{202e}\u{e0041}", "\u{1b}\n"]});
        let text = document(&hostile);
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), hostile);
    }
}
