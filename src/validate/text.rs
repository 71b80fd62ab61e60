//! Checks texts that visitors read: not blank, no markup, no invisible characters that change how text reads.

use std::sync::LazyLock;

use regex::Regex;

use super::Context;
use crate::manifest::yaml::{Node, Yaml};

/// Adds the findings of a text that visitors read. The messages call the text `noun`.
pub fn check(context: &mut Context<'_>, node: &Node, text: &str, pointer: &str, noun: &str) {
    let trimmed = text.trim();
    if is_blank(text) {
        context
            .find(node.span, pointer, format!("this {noun} is blank"))
            .help(format!("write a {noun}, or remove it"));
        return;
    }
    if trimmed != text {
        let side = if text.starts_with(trimmed) { "ends" } else { "begins" };
        let finding = context.find(node.span, pointer, format!("this {noun} {side} with white space"));
        finding
            .help("write a block scalar with `>-`, which removes its last line break")
            .fix("remove the white space at its start and end", quoted(trimmed));
    }
    if let Some(c) = trimmed.chars().find(|c| c.is_control()) {
        let what = if c == '\n' {
            "a line break".to_owned()
        } else {
            format!("the control character U+{:04X}", u32::from(c))
        };
        context.find(node.span, pointer, format!("this {noun} contains {what}")).help("write it on one line");
    }
    if let Some(c) = trick(trimmed) {
        context
            .find(node.span, pointer, format!("this {noun} contains the invisible character U+{:04X}, which can make text read differently from how it is written", u32::from(c)))
            .help("remove it: Arabic and Hebrew text does not need such characters");
    }
    if let Some(markup) = markup(trimmed) {
        context
            .find(
                node.span,
                pointer,
                format!("this {noun} contains {markup}, which the widget would show as text or run"),
            )
            .help("write plain text");
    }
}

/// A double-quoted YAML scalar.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a text shows nothing: white space, characters that Unicode does not draw by default, and combining
/// marks without a base character.
fn is_blank(text: &str) -> bool {
    static UNSEEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{C}\p{M}\x{2800}]*$").ok()
    });
    match &*UNSEEN {
        Some(unseen) => unseen.is_match(text),
        None => text.trim().is_empty(),
    }
}

/// Returns the first character that hides text or changes its direction: bidirectional embeddings, overrides
/// and isolates, zero-width spaces and tag characters. Allowed are the joiners U+200C and U+200D, the marks
/// U+200E and U+200F and variation selectors, because Persian, emoji and mixed text need them. The tags of a
/// regional flag, such as England's, are also allowed: they are an emoji tag sequence (UTS 51).
pub fn trick(text: &str) -> Option<char> {
    static FLAG: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\x{1F3F4}[\x{E0030}-\x{E0039}\x{E0061}-\x{E007A}]{3,6}\x{E007F}").ok());
    let is_trick = |c: &char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    text.chars().find(is_trick)?;
    match &*FLAG {
        Some(flag) => flag.replace_all(text, "").chars().find(is_trick),
        None => text.chars().find(is_trick),
    }
}

/// Returns the kind of text that a browser would not show as written, if there is any. A `<` begins a tag, a
/// comment or a declaration if a letter, `/`, `!` or `?` follows (HTML, 13.2.5.6: tag open state); `</`
/// begins one only if any character follows, also a space. A URL runs a script if code follows its colon
/// directly, or if a call or an assignment follows after spaces: *about JavaScript: ask us* is neither.
fn markup(text: &str) -> Option<&'static str> {
    static SCRIPT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let begun = r"\b(?:(?:java|vb)script:|data:text/)[^\s\p{Pf}\p{Pe}]";
        let spaced = r"\b(?:java|vb)script:\s+[\w.$]+(?:\(|\s*=)";
        Regex::new(&format!("(?i){begun}|{spaced}")).ok()
    });
    let tag = text.match_indices('<').any(|(at, _)| {
        let mut next = text.get(at + 1..).into_iter().flat_map(str::chars);
        match next.next() {
            Some('/') => next.next().is_some(),
            Some(c) => c.is_ascii_alphabetic() || matches!(c, '!' | '?'),
            None => false,
        }
    });
    if tag {
        Some("markup")
    } else if SCRIPT.as_ref().is_some_and(|script| script.is_match(text)) {
        Some("a script")
    } else if text.contains("${") || text.contains("$(") || text.contains("<%") {
        Some("a shell or template expression, which the platform does not expand")
    } else {
        None
    }
}

/// Calls `found` for every text below a value, with its JSON pointer.
pub fn each<'a>(node: &'a Node, pointer: &str, found: &mut dyn FnMut(&'a Node, &'a str, &str)) {
    match &node.value {
        Yaml::Text(text) => found(node, text, pointer),
        Yaml::List(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| each(item, &format!("{pointer}/{index}"), found));
        }
        Yaml::Map(entries) => {
            for (key, value) in entries {
                each(value, &format!("{pointer}/{}", key.text.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_what_a_browser_reads_as_markup() {
        for good in [
            "a < b, 3<4 and <3",
            "<- back, or <",
            "Questions about JavaScript: ask us!",
            "About JavaScript: ask (it is free)",
            "(javascript:)",
            "5 <6",
            "a data:text thing",
        ] {
            assert_eq!(markup(good), None, "{good}");
        }
        for bad in [
            "<b>hi</b>",
            "</p>",
            "</>",
            "Hello </ hidden from here",
            "<!-- x -->",
            "<?php",
            "<script",
            "if a<b",
            "<%= x %>",
            "JavaScript:alert(1)",
            "javascript: alert(1)",
            "javascript:  location.href = x",
            "[x](vbscript:y)",
            "data:text/html,x",
            "${HOME}",
            "$(id)",
        ] {
            assert!(markup(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_text_that_shows_nothing_is_blank() {
        for blank in [
            "",
            " \t\u{a0}\u{3000}",
            "\u{200b}",
            "\u{200c}\u{200d}",
            "\u{ad}",
            "\u{fe0f}",
            "\u{2800}",
            "\u{3164} \u{115f}",
            "\u{301}",
            "\u{feff}",
            "\u{e0067}",
        ] {
            assert!(is_blank(blank), "{}", blank.escape_unicode());
        }
        for text in ["a", "می\u{200c}خواهم", "\u{2764}\u{fe0f}", "न\u{93f}", "-", "\u{1f3f4}"] {
            assert!(!is_blank(text), "{text}");
        }
    }

    #[test]
    fn joiners_marks_selectors_and_regional_flags_are_allowed() {
        let england = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
        for good in ["می\u{200c}خواهم", "👩\u{200d}💻", "\u{2764}\u{fe0f}", "🇩🇪", england, "a\u{200f}b"]
        {
            assert_eq!(trick(good), None, "{good}");
        }
        for (bad, found) in [
            ("a\u{202e}b", '\u{202e}'),
            ("a\u{e0067}b", '\u{e0067}'),
            // Tags without an end, and tags that hide a text behind a flag.
            ("\u{1f3f4}\u{e0067}\u{e0062}", '\u{e0067}'),
            (&format!("{england}\u{e0061}"), '\u{e0061}'),
            ("\u{200b}", '\u{200b}'),
        ] {
            assert_eq!(trick(bad), Some(found), "{}", bad.escape_unicode());
        }
    }
}
