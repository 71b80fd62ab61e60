//! JSON values as one short, harmless piece of text.

use serde_json::Value;

use crate::model::text::escape_json;
pub use crate::model::text::{counted, escape, is_hidden};

/// Longest text of a value in a line of a terminal; what is longer ends in `…`.
const LENGTH_MAX: usize = 96;
/// Longest text of a value where somebody has to read all of it: a greeting of 150 characters stands there whole.
pub const REVIEWED_LENGTH_MAX: usize = 400;

/// How much of what two long values share is shown before the part in which they differ.
const CONTEXT: usize = 40;

/// A value as compact JSON, invisible characters escaped, cut to a line's length. Absent is `(absent)`.
pub fn value(value: Option<&Value>) -> String {
    value_within(value, LENGTH_MAX)
}

/// The same cut to another length.
pub fn value_within(value: Option<&Value>, length_max: usize) -> String {
    value.map_or_else(|| "(absent)".into(), |value| cut(&escape(&value.to_string()), length_max))
}

fn cut(text: &str, length_max: usize) -> String {
    if text.chars().count() <= length_max {
        return text.to_owned();
    }
    text.chars().take(length_max - 1).chain(['…']).collect()
}

/// The items of a list as a person reads them; none where it is no list, or has no items.
pub fn lines(path: &str, value: &Value) -> Option<Vec<String>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    Some(items.iter().flat_map(|item| told(path, item).unwrap_or_else(|| vec![item.to_string()])).collect())
}

fn told(path: &str, item: &Value) -> Option<Vec<String>> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    // What holds more than is told here is shown as it stands.
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

/// The items of a list of hours, or of labels, where each is one.
fn known(path: &str, list: &Value) -> Option<Vec<String>> {
    let is_known = list.as_array()?.iter().all(|item| told(path, item).is_some());
    lines(path, list).filter(|_| is_known)
}

fn known_items(path: &str, list: &Value, length_max: usize) -> Option<String> {
    Some(side(&known(path, list)?, &[], length_max))
}

/// The items that another list does not have, and how many it has too.
fn side(own: &[String], other: &[String], length_max: usize) -> String {
    const ITEMS_MAX: usize = 8;
    let moved: Vec<&String> = own.iter().filter(|line| !other.contains(line)).collect();
    let shown = moved.iter().take(ITEMS_MAX).map(|line| cut(&escape(line), length_max));
    let more = moved.len().saturating_sub(ITEMS_MAX);
    let same = own.len() - moved.len();
    let rest = [(more, "more"), (same, "the same")].into_iter().filter(|(count, _)| *count > 0);
    shown.chain(rest.map(|(count, what)| format!("{count} {what}"))).collect::<Vec<_>>().join("; ")
}

/// Of two lists of hours, or of labels, the items that only one of them has, and how many both have.
fn moved_items(path: &str, old: &Value, new: &Value, length_max: usize) -> Option<[String; 2]> {
    let (old, new) = (known(path, old)?, known(path, new)?);
    let sides = [side(&old, &new, length_max), side(&new, &old, length_max)];
    // In another order, or some of them twice: then the lists themselves tell.
    (sides[0] != sides[1]).then_some(sides)
}

/// Two values that differ, each in a line; of long ones the part is shown in which they do.
pub fn pair(path: &str, old: Option<&Value>, new: Option<&Value>) -> [String; 2] {
    pair_within(path, old, new, LENGTH_MAX)
}

/// The same cut to another length.
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
        let [old, new] = pair("x", Some(&list("old end")), Some(&list("new end")));
        assert!(old.starts_with('…') && old.ends_with("\"old end\"]"), "{old}");
        assert!(new.ends_with("\"new end\"]") && new.chars().count() <= LENGTH_MAX, "{new}");
        assert_eq!(pair("x", Some(&json!(1)), Some(&json!(2))), ["1", "2"]);
        assert_eq!(pair("x", None, Some(&json!(2))), ["(absent)", "2"]);
    }

    #[test]
    fn of_hours_and_labels_the_ones_are_shown_that_moved() {
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
        // The same items in another order, no items, and items that are not hours: as they stand.
        let turned = hours(&[("FRIDAY", "17:00"), ("TUESDAY", "17:00"), ("MONDAY", "17:00")]);
        assert!(of(&old, &turned)[0].contains("dayOfWeek"), "{:?}", of(&old, &turned));
        assert_eq!(of(&json!([]), &json!([3])), ["[]", "[3]"]);
        let labels =
            |text: &str| json!([{"language": "de", "localizedLabels": [{"key": "K", "value": text}]}]);
        assert_eq!(
            pair("customI18nLabels", Some(&labels("a\u{202e}")), Some(&labels("b"))),
            ["de K: \"a\\u{202e}\"", "de K: \"b\""]
        );
        // What is not told here is not left out.
        let tagged =
            json!([{"dayOfWeek": "MONDAY", "startTime": "09:00", "endTime": "17:00", "queue": "vip"}]);
        assert!(of(&tagged, &old)[0].contains("vip"), "{:?}", of(&tagged, &old));
        assert_eq!(
            pair("availability.rules", None, Some(&more))[1],
            "Tuesday 09:00 to 17:00; Sunday 09:00 to 12:00"
        );
        // All of a week in two shifts: what does not fit is counted.
        let week =
            |end: &str| hours(&["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"].map(|day| (day, end)));
        assert!(of(&week("1"), &week("2"))[1].ends_with("H 09:00 to 2; 2 more"));
    }

    #[test]
    fn documents_are_plain_and_mean_the_same() {
        let hostile = json!({"a\u{7f}": ["\u{9b}31m", "\u{202e}\u{e0041}", "\u{1b}\n"]});
        let text = document(&hostile);
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), hostile);
    }
}
