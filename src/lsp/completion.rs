//! Completion: lists the fields of a section, or the values of a field.
//!
//! A text that the user is still writing is often not valid YAML. So the section is found by indentation, and
//! within a line by braces.

use tower_lsp_server::ls_types::{
    CompletionItem, CompletionItemKind, Documentation, MarkupContent, MarkupKind,
};

use serde_json::Value;

use crate::manifest::kinds::Kind;
use crate::manifest::schema;

/// The maximum number of lines to read above a place.
const LINES_MAX: usize = 2_000;

/// Returns the completion items at a byte of a text.
pub fn items(text: &str, byte: usize) -> Vec<CompletionItem> {
    let Some(before) = text.get(..byte) else { return Vec::new() };
    let start = before.rfind("\n---").map_or(0, |at| at + 4);
    let document = text.get(start..).unwrap_or_default();
    let document = document.split("\n---").next().unwrap_or_default();
    let Some(kind) = kind(document) else {
        return words("kind", before, Kind::ALL.iter().map(|kind| kind.name()));
    };
    let (keys, named) = path(before.get(start..).unwrap_or_default());
    let Some(section) = schema::section(kind, keys.iter().map(String::as_str)) else { return Vec::new() };
    if let Some(key) = named {
        let field = section.get("properties").and_then(|properties| properties.get(&key));
        return field.map(values).unwrap_or_default();
    }
    let properties = section.get("properties").and_then(Value::as_object);
    let item = |(name, field): (&String, &Value)| CompletionItem {
        label: name.clone(),
        kind: Some(CompletionItemKind::FIELD),
        insert_text: Some(format!("{name}: ")),
        documentation: documentation(field),
        ..CompletionItem::default()
    };
    properties.into_iter().flatten().map(item).collect()
}

/// Returns the kind of a document.
fn kind(document: &str) -> Option<Kind> {
    let word = document.lines().find_map(|line| line.strip_prefix("kind:"))?;
    Kind::from_name(word.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']))
}

fn words<'a>(key: &str, before: &str, words: impl Iterator<Item = &'a str>) -> Vec<CompletionItem> {
    let line = before.rsplit('\n').next().unwrap_or_default();
    let is_there = line.trim_start().starts_with(&format!("{key}:"));
    words.filter(|_| is_there).map(word).collect()
}

fn word(text: &str) -> CompletionItem {
    // Values that older YAML parsers read as booleans need quotes.
    let quoted = matches!(
        text.to_ascii_lowercase().as_str(),
        "on" | "off" | "yes" | "no" | "y" | "n" | "true" | "false"
    );
    let insert = if quoted { format!("\"{text}\"") } else { text.to_owned() };
    CompletionItem {
        label: text.to_owned(),
        kind: Some(CompletionItemKind::VALUE),
        insert_text: Some(insert),
        ..CompletionItem::default()
    }
}

/// Returns the possible values of a field, or its examples.
fn values(field: &Value) -> Vec<CompletionItem> {
    let list = |key: &str| field.get(key).and_then(Value::as_array).into_iter().flatten();
    let chosen: Vec<CompletionItem> = list("enum").filter_map(Value::as_str).map(word).collect();
    let types: Vec<&str> = match field.get("type") {
        Some(Value::String(word)) => vec![word],
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !chosen.is_empty() {
        chosen
    } else if types.contains(&"boolean") {
        ["true", "false"].map(|text| CompletionItem { insert_text: Some(text.into()), ..word(text) }).to_vec()
    } else {
        list("examples").filter_map(Value::as_str).map(word).collect()
    }
}

fn documentation(field: &Value) -> Option<Documentation> {
    let value = field.get("description")?.as_str()?.to_owned();
    Some(Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value }))
}

/// Returns the keys of the sections around the end of a text, and the key whose value is at the end.
fn path(before: &str) -> (Vec<String>, Option<String>) {
    let mut lines = before.rsplit('\n');
    let current = lines.next().unwrap_or_default();
    let (mut indent, content) = item(current);
    let (mut keys, named) = within(content);
    for line in lines.take(LINES_MAX) {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let (own, content) = item(line);
        let is_section = own < indent
            || (own == indent
                && line.trim_start().starts_with("- ")
                && !current.trim_start().starts_with("- "));
        if own >= indent && !is_section {
            continue;
        }
        let key = content.split(':').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        if own < indent && !key.is_empty() && content.contains(':') {
            keys.insert(0, key.to_owned());
            indent = own;
        }
        if indent == 0 {
            break;
        }
    }
    (keys, named)
}

/// Returns the indentation of a line, including the dash of a list item, and the rest of the line.
fn item(line: &str) -> (usize, &str) {
    let mut rest = line.trim_start();
    while let Some(inner) = rest.strip_prefix("- ") {
        rest = inner.trim_start();
    }
    (line.len() - rest.len(), rest)
}

/// Returns the sections that a line opens and does not close, and the key whose value is at its end.
fn within(line: &str) -> (Vec<String>, Option<String>) {
    let mut keys: Vec<String> = Vec::new();
    let mut named: Option<String> = None;
    let mut word = String::new();
    for c in line.chars() {
        match c {
            ':' => named = Some(std::mem::take(&mut word).trim().trim_matches(['"', '\'']).to_owned()),
            '{' => {
                keys.extend(named.take());
                word.clear();
            }
            '}' => {
                keys.pop();
                (named, word) = (None, String::new());
            }
            ',' | '[' | ']' => {
                if c == ',' {
                    named = None;
                }
                word.clear();
            }
            c => word.push(c),
        }
    }
    (keys, named)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "apiVersion: genesync/v1alpha1
kind: WebMessaging
metadata: {name: web}
spec:
  widget:
    accessibility:
      wcagLevel: 
      @
    theme: {colors: {@
  availability:
    schedule: 
    rules:
      - {dayOfWeek: 
      - dayOfWeek: MONDAY
        @
  greetings: {enabled: 
---
kind: MessengerConfiguration
spec:
  messenger:
    launcherButton: {visibility: 
";

    fn at(marker: &str) -> Vec<String> {
        let byte = TEXT.find(marker).unwrap() + marker.trim_end_matches('@').len();
        let text = TEXT.replace('@', " ");
        items(&text, byte).into_iter().map(|item| item.insert_text.unwrap()).collect()
    }

    #[test]
    fn completion_lists_the_fields_and_values_of_a_place() {
        assert_eq!(at("wcagLevel: "), ["AA", "AAA"]);
        assert_eq!(at("wcagLevel: \n      @"), ["wcagLevel: ", "contrastRatio: ", "ariaLiveRegion: "]);
        assert_eq!(at("theme: {colors: {@"), ["primary: ", "background: "]);
        assert_eq!(at("schedule: "), ["always", "custom"]);
        assert_eq!(at("{dayOfWeek: ")[..2], ["MONDAY", "TUESDAY"]);
        assert_eq!(
            at("dayOfWeek: MONDAY\n        @"),
            ["dayOfWeek: ", "startTime: ", "endTime: ", "crossesMidnight: "]
        );
        assert_eq!(at("greetings: {enabled: "), ["true", "false"]);
        assert_eq!(at("visibility: "), ["\"On\"", "\"Off\"", "OnDemand"]);
    }

    #[test]
    fn no_text_causes_a_panic() {
        for text in [
            "",
            "kind:",
            "kind: ",
            ":::",
            "{{{{",
            "- - - -",
            "kind: Tenant\nspec:\n\t",
            "\u{feff}kind: Project\n}}}",
            "---\n---\n---",
        ] {
            for byte in 0..=text.len() {
                let _ = items(text, byte);
            }
        }
        assert!(items("kind: ", 6).iter().any(|item| item.label == "Tenant"));
    }
}
