//! Reads as much Rust as the house rules need: what is code, what is a test, which names follow `crate::`.

use std::collections::BTreeSet;
use std::ops::Range;

const TEST: &str = "#[cfg(test)]";

/// Returns the modules that the code of a file names after `crate::`. Comments, literals and items under
/// `#[cfg(test)]` do not count.
pub fn imported(text: &str) -> BTreeSet<String> {
    let product = without_tests(&bare(text));
    let behind = product.match_indices("crate::").map(|(at, path)| &product[at + path.len()..]);
    behind.flat_map(first_names).collect()
}

/// Returns the first name of a path, or of each path of a group: `model` for `model::x`, `plan` and `store`
/// for `{plan::{a, b}, store::y}`.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut open, mut names, mut begin) = (1, Vec::new(), 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 || (open == 1 && c == ',') {
            names.push(name(&group[begin..at]));
            begin = at + 1;
        }
        if open == 0 {
            break;
        }
    }
    // The part after the last comma may be empty.
    names.retain(|name: &String| !name.is_empty());
    names
}

/// Returns bare code without the items under `#[cfg(test)]`.
pub fn without_tests(code: &str) -> String {
    product(code).into_iter().map(|span| &code[span]).collect()
}

/// Returns the text without the items under `#[cfg(test)]`; its comments and literals stay.
pub fn whole_product(text: &str) -> String {
    product(&bare(text)).into_iter().map(|span| &text[span]).collect()
}

/// Returns the ranges of bare code outside of `#[cfg(test)]`, in bytes.
fn product(code: &str) -> Vec<Range<usize>> {
    let (mut spans, mut begin) = (Vec::new(), 0);
    while let Some(at) = code[begin..].find(TEST) {
        spans.push(begin..begin + at);
        let item = begin + at + TEST.len();
        begin = item + item_length(&code[item..]);
    }
    spans.push(begin..code.len());
    spans
}

/// Returns the length of the item at the start of bare code, in bytes, with its other attributes: up to its
/// `;`, or up to the end of its braces if no `;` follows them.
fn item_length(code: &str) -> usize {
    let mut open = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => {
                let outer = open.checked_sub(1);
                open = outer.unwrap_or_else(|| {
                    panic!("`{TEST}` covers something that is not an item: {}", &code[..at])
                });
                if c == '}' && open == 0 && !code[at + 1..].trim_start().starts_with(';') {
                    return at + 1;
                }
            }
            ';' if open == 0 => return at + 1,
            _ => {}
        }
    }
    panic!("`{TEST}` covers an item without an end: {code}")
}

/// Returns the text with blanks instead of comments and literals; every byte keeps its position.
pub fn bare(text: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let in_word = code.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let length = match blank_length(rest, in_word) {
            Some(length) => {
                code.extend(rest[..length].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
                length
            }
            None => {
                code.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    code
}

/// Returns the length of the comment or literal at the start of a text, in bytes; none for code. Within a
/// word, an `r` starts no literal.
fn blank_length(text: &str, in_word: bool) -> Option<usize> {
    match text.as_bytes() {
        [b'/', b'/', ..] => Some(text.find('\n').unwrap_or(text.len())),
        [b'/', b'*', ..] => Some(comment_length(text)),
        [b'"', ..] => Some(string_length(text)),
        [b'\'', ..] => char_length(text),
        [b'r' | b'b' | b'c', ..] if !in_word => raw_length(text),
        _ => None,
    }
}

/// Block comments can be nested.
fn comment_length(text: &str) -> usize {
    let (mut open, mut at) = (0, 0);
    while at < text.len() {
        let (step, deeper) = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        open += deeper;
        if open == 0 {
            break;
        }
    }
    at
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Returns none if the quote starts a lifetime.
fn char_length(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    let (after, next) = chars.next()?;
    match first {
        // An escaped character may be a quote.
        '\\' => text[after + next.len_utf8()..].find('\'').map(|end| after + next.len_utf8() + end + 1),
        _ => (next == '\'').then_some(after + 1),
    }
}

/// Returns the length of `r"…"` or `br#"…"#`. None for other words, also for raw identifiers.
fn raw_length(text: &str) -> Option<usize> {
    let behind = text.strip_prefix(['b', 'c']).unwrap_or(text).strip_prefix('r')?;
    let inside = behind.trim_start_matches('#');
    let hashes = &behind[..behind.len() - inside.len()];
    let inside = inside.strip_prefix('"')?;
    let end = format!("\"{hashes}");
    let begin = text.len() - inside.len();
    Some(inside.find(&end).map_or(text.len(), |at| begin + at + end.len()))
}

#[test]
fn every_way_to_write_an_import_is_seen() {
    let table: &[(&str, &[&str])] = &[
        ("use crate::model::x;", &["model"]),
        ("fn f() { crate::api::g() }", &["api"]),
        ("use crate::{plan, store::y};", &["plan", "store"]),
        ("use crate::{plan::{a, b::{c, d}}, store::y,};", &["plan", "store"]),
        (
            "use crate::{\n    plan::a, // crate::cli\n    store,\n};\nuse crate::api;",
            &["api", "plan", "store"],
        ),
        ("macro_rules! m { () => { $crate::model::x } }", &["model"]),
    ];
    for (text, expected) in table {
        assert_eq!(imported(text).iter().map(String::as_str).collect::<Vec<_>>(), *expected, "{text}");
    }
}

#[test]
fn comments_and_literals_name_nothing() {
    for hidden in [
        "// crate::cli",
        "/// [`crate::cli`]",
        "/* crate::cli /* crate::cli */ crate::cli */",
        r#"let x = "crate::cli";"#,
        r#"let x = "\"crate::cli\\";"#,
        r##"let x = r#""crate::cli"#;"##,
        r#"let x = br"\"; let y = "crate::cli";"#,
        r#"let x = b"crate::cli";"#,
    ] {
        let text = format!("{hidden}\nuse crate::model;");
        assert_eq!(imported(&text).into_iter().collect::<Vec<_>>(), ["model"], "{hidden}");
    }
}

/// Quotes and braces that open nothing must not hide the code after them.
#[test]
fn code_goes_on_behind_literals_of_every_kind() {
    for before in [
        "'\"'",
        r"'\''",
        r"'\\'",
        r"'\u{22}'",
        "b'\"'",
        "'ä'",
        "x::<'a>()",
        "'outer: loop {}",
        "r#type",
        "for_r\"\"",
        r##"r#"""#"##,
        "\"//\"",
        "\"/*\"",
        "'/'",
        "1 /* \" */",
    ] {
        let text = format!("{before}; crate::model::x();");
        assert_eq!(imported(&text).into_iter().collect::<Vec<_>>(), ["model"], "{before}");
    }
}

#[test]
fn exactly_the_items_under_cfg_test_are_left_out() {
    for item in [
        "mod tests;",
        "use crate::cli;",
        "use crate::{cli, main};",
        "pub(crate) use crate::cli::{a, b};",
        "#[path = \"x.rs\"]\n#[expect(dead_code, reason = \"{\")]\nmod tests;",
        "fn f(x: [u8; 2]) -> crate::cli::X { if x { crate::cli::y() } else { \"}\" } }",
        "const X: crate::cli::X = crate::cli::X { a: [1; 2] };",
        "impl crate::cli::X {}",
        "mod tests {\n use crate::cli;\n #[cfg(test)]\n mod more { /* } */ const C: char = '}'; }\n crate::cli::x!();\n}",
    ] {
        let text = format!(
            "use crate::api;\n#[cfg(test)]\n{item}\nuse crate::model;\n// #[cfg(test)]\nuse crate::plan;"
        );
        assert_eq!(imported(&text).into_iter().collect::<Vec<_>>(), ["api", "model", "plan"], "{item}");
    }
}

#[test]
#[should_panic(expected = "covers something that is not an item")]
fn a_field_under_cfg_test_is_not_passed_over() {
    imported("struct X {\n #[cfg(test)]\n a: u8,\n}");
}
