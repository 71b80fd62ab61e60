//! Suggests the word or the value that an author probably meant.

use jsonschema::ValidationError;
use serde_json::Value;

use super::violation::parent;
use crate::manifest::kinds::Kind;
use crate::manifest::kinds::platform::LongHexColour;
use crate::manifest::kinds::text::{FontSize, Form as _, HexColour, TimeOfDay};
use crate::manifest::yaml::{Node, Yaml, compose, shown};
use crate::model::secret::is_telling;

/// The longest word that gets a suggestion, because a comparison takes time and memory by its length.
const WORD_CHARS_MAX: usize = 100;

/// Returns a word as YAML, in quotes if some parsers would not read it as text.
pub(super) fn plain(word: &str) -> String {
    match compose(&format!("- {word}"), 0).problems.is_empty() {
        true => word.to_owned(),
        false => Value::String(word.to_owned()).to_string(),
    }
}

/// Whether two words differ only in capitals, spaces, dashes and underscores.
pub fn is_spelling_of(word: &str, known: &str) -> bool {
    let letters = |text: &str| text.replace([' ', '-', '_'], "").to_lowercase();
    letters(word) == letters(known)
}

/// Whether a word was certainly meant to be a known one. In short words one letter makes another word, such
/// as `Light` and `Right` or `A` and `AA`.
pub(super) fn is_surely(word: &str, known: &str) -> bool {
    const LETTERS_MIN: usize = 6;
    let is_word =
        |text: &str| text.len() >= LETTERS_MIN && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let (lower, known_lower) = (word.to_lowercase(), known.to_lowercase());
    let is_slip = || strsim::damerau_levenshtein(&lower, &known_lower) == 1;
    is_spelling_of(word, known) || (is_word(word) && is_word(known) && is_slip())
}

/// Returns the most similar known word. Returns none if no word is similar enough or two are equally similar.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    if word.chars().nth(WORD_CHARS_MAX).is_some() {
        return None;
    }
    let lower = word.to_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 5)
        .collect();
    near.sort_unstable();
    near.dedup();
    match near.as_slice() {
        [(one, _), (other, _), ..] if one == other => None,
        [(_, nearest), ..] => Some((*nearest).to_owned()),
        [] => None,
    }
}

/// Returns YAML that replaces a value of the wrong type or form: the same characters with or without quotes,
/// or with the part of a colour, a size or a time that people leave out. The schema accepts every value that
/// this returns.
pub(super) fn fixed(kind: Kind, error: &ValidationError<'_>, node: &Node) -> Option<String> {
    let key = error.instance_path().to_string();
    let written = match &node.value {
        Yaml::Text(text) | Yaml::Number(text) => text.trim(),
        Yaml::Bool(true) => "true",
        Yaml::Bool(false) => "false",
        Yaml::Null | Yaml::List(_) | Yaml::Map(_) => return None,
    };
    if is_telling(key.rsplit('/').next().unwrap_or_default()) || shown(written) != written {
        return None;
    }
    let text = |text: String| Some((Value::String(text.clone()), Value::String(text).to_string()));
    let truth = match written.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    };
    let section = parent(kind, error)?;
    let is = |pattern: &str| section.get("pattern").and_then(Value::as_str) == Some(pattern);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let px = written.trim_end_matches("px").trim_end();
    let completed = if (is(HexColour::PATTERN) || is(LongHexColour::PATTERN)) && hex(written) {
        text(format!("#{written}"))
    } else if is(FontSize::PATTERN) && digits(px) {
        text(format!("{px}px"))
    } else if is(TimeOfDay::PATTERN) && written.split(':').all(digits) {
        text(format!("0{written}"))
    } else {
        None
    };
    let candidates = [
        truth.map(|truth| (Value::Bool(truth), truth.to_string())),
        // Only a plain decimal number: `0x10` and `1e3` are not changed.
        written
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
            .then(|| Some((serde_json::from_str(written).ok()?, written.to_owned())))
            .flatten(),
        text(written.to_owned()).filter(|_| !written.is_empty()),
        completed,
    ];
    let accepts = jsonschema::validator_for(&section).ok()?;
    candidates.into_iter().flatten().find(|(value, _)| accepts.is_valid(value)).map(|(_, yaml)| yaml)
}
