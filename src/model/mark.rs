//! The owner's mark at the end of an object's description: ` [genesync 4f1d0c8a92be7365]`.
//!
//! In: descriptions, the id of a repository. Out: the text without the mark, the owner's id, the text with
//! a mark. Never: reads a mark that is not at the end of the text. Start reading at [`split`].

/// The first characters of a mark.
const BEGIN: &str = "[genesync ";
/// Allowed length of an id, in bytes.
const ID_BYTES: std::ops::RangeInclusive<usize> = 8..=64;
/// Longest description with a mark, in characters; a longer one gets no mark. The platform documents no
/// limit for this field, and this is its lowest documented limit for other fields.
const TEXT_CHARS_MAX: usize = 1_000;

/// Splits a text into the text without its mark and the id in the mark; the id is none if there is no mark.
pub fn split(text: &str) -> (&str, Option<&str>) {
    let Some((before, rest)) = text.rfind(BEGIN).map(|at| text.split_at(at)) else { return (text, None) };
    let id = rest.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(']')).filter(|id| is_id(id));
    match id {
        // A mark comes with one space before it; any other space belongs to the text.
        Some(id) => (split(before.strip_suffix(' ').unwrap_or(before)).0, Some(id)),
        None => (text, None),
    }
}

fn is_id(text: &str) -> bool {
    ID_BYTES.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Replaces any mark of a text by a new one; returns the text without a mark if the result would be too
/// long.
pub fn join(text: &str, id: &str) -> String {
    let (plain, _) = split(text);
    let gap = if plain.is_empty() { "" } else { " " };
    let marked = format!("{plain}{gap}{BEGIN}{id}]");
    if marked.chars().count() > TEXT_CHARS_MAX { plain.to_owned() } else { marked }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_end_of_a_text_and_nothing_else() {
        let id = "4f1d0c8a92be7365";
        let long = "x".repeat(990);
        let long_and_theirs = format!("{long} [genesync other-team-1]");
        let table = [
            // (text, text without the mark, owner, text with the new mark)
            ("", "", None, "[genesync 4f1d0c8a92be7365]".to_owned()),
            ("Our shop", "Our shop", None, "Our shop [genesync 4f1d0c8a92be7365]".to_owned()),
            (
                "Our shop [genesync other-team-1]",
                "Our shop",
                Some("other-team-1"),
                format!("Our shop [genesync {id}]"),
            ),
            ("[genesync other-team-1]", "", Some("other-team-1"), format!("[genesync {id}]")),
            // Two marks, as after a copy by hand.
            (
                "a [genesync aaaaaaaa] [genesync bbbbbbbb]",
                "a",
                Some("bbbbbbbb"),
                format!("a [genesync {id}]"),
            ),
            (
                "[genesync x] and more",
                "[genesync x] and more",
                None,
                format!("[genesync x] and more [genesync {id}]"),
            ),
            (
                "[genesync UPPERCASE]",
                "[genesync UPPERCASE]",
                None,
                format!("[genesync UPPERCASE] [genesync {id}]"),
            ),
            ("Our shop\n", "Our shop\n", None, format!("Our shop\n [genesync {id}]")),
            ("two  ", "two  ", None, format!("two   [genesync {id}]")),
            (" ", " ", None, format!("  [genesync {id}]")),
            (&long, &long, None, long.clone()),
            (&long_and_theirs, &long, Some("other-team-1"), long.clone()),
        ];
        for (text, plain, whose, marked) in table {
            assert_eq!(split(text), (plain, whose), "{text}");
            assert_eq!(join(text, id), marked, "{text}");
            if marked.ends_with(']') {
                assert_eq!(
                    (split(&marked), join(&marked, id)),
                    ((plain, Some(id)), marked.clone()),
                    "{text}"
                );
            }
        }
    }
}
