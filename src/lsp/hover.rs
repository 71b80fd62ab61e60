//! Hover: describes the field at a place, its value, the layer that won, and the contrast of its colours.

use std::fmt::Write as _;

use crate::fleet::desk::Desk;
use crate::manifest::kinds::Kind;
use crate::manifest::schema;
use crate::manifest::yaml::{Node, Span};
use crate::manifest::{Managed, TenantManifest};
use crate::model::colour::{Colour, NON_TEXT_RATIO, shown_ratio};
use crate::model::secret::is_telling;
use crate::render::markdown::code;
use crate::render::picture::look::looks;
use crate::render::value::value;
use crate::validate::rules::secrets;

/// Returns the Markdown text for a byte of a file; none if there is no field.
pub fn reported(desk: &Desk, path: &str, byte: usize) -> Option<String> {
    desk.tenants.iter().find_map(|manifest| hover_in(manifest, path, byte))
}

fn hover_in(manifest: &TenantManifest, path: &str, byte: usize) -> Option<String> {
    let is_here = |span: Span| {
        let file = manifest.files.file(span.file).map(|file| &*file.path);
        file == Some(path) && (span.start as usize..=span.end as usize).contains(&byte)
    };
    // The place is in a document of the tenant, or in a layer that it extends.
    for managed in manifest.managed() {
        for layer in managed.layers() {
            let mut keys = Vec::new();
            if is_here(layer.span) && descend(layer, byte, &mut keys) {
                return Some(of_field(manifest, &managed, &keys.join(".")));
            }
        }
    }
    let document = manifest.documents.iter().find(|document| is_here(document.span))?;
    let mut keys = Vec::new();
    let kind = document.get("kind").and_then(Node::text).and_then(Kind::from_name)?;
    descend(document, byte, &mut keys).then(|| {
        let field = keys.join(".");
        format!("{}\n\n{}", code(&field), description(kind, &field).unwrap_or_default())
    })
}

/// Collects the keys that lead to a byte; returns false if there is no key or value at it.
fn descend(node: &Node, byte: usize, keys: &mut Vec<String>) -> bool {
    for (key, below) in node.entries() {
        let on_key = (key.span.start as usize..=key.span.end as usize).contains(&byte);
        let within = (below.span.start as usize..=below.span.end as usize).contains(&byte);
        if on_key || within {
            keys.push(key.text.to_string());
            if within {
                descend(below, byte, keys);
            }
            return true;
        }
    }
    false
}

fn of_field(manifest: &TenantManifest, managed: &Managed<'_>, field: &str) -> String {
    let is_telling = field.rsplit('.').next().is_some_and(is_telling);
    let shown = |node: &Node| match is_telling || !secrets::places(node, "").is_empty() {
        true => "****".to_owned(),
        false => value(Some(&node.to_json())),
    };
    let place = |node: &Node| {
        let location = manifest.files.locate(node.span);
        format!("{}:{}:{}", location.file, location.line, location.column)
    };
    let mut out = code(field);
    // Writing to a String cannot fail, so the results are ignored.
    if let Some(merged) = managed.spec.path(field) {
        let _ = write!(out, " = {}", code(&shown(merged)));
    }
    let named: Vec<&Node> = managed.layers().rev().filter_map(|layer| layer.path(field)).collect();
    for (index, node) in named.iter().enumerate().filter(|_| named.len() > 1) {
        let word = if index == 0 { "won" } else { "beat" };
        let _ = write!(out, "\n\n{word} {} {}", code(&place(node)), code(&shown(node)));
    }
    if let Some(reported) = contrast(managed, field) {
        let _ = write!(out, "\n\n{reported}");
    }
    let kind = Kind::Object(managed.object.kind);
    if let Some(text) = description(kind, &format!("spec.{field}")) {
        let _ = write!(out, "\n\n{text}");
    }
    out
}

/// Returns the contrast of the widget's colours if the field is one of them.
fn contrast(managed: &Managed<'_>, field: &str) -> Option<String> {
    managed.spec.path(field)?.text().and_then(Colour::parse)?;
    let body = managed.spec.to_json();
    let look = looks(managed.object.kind, body.as_object()?).into_iter().next()?;
    let of = |one: Colour, other: Colour, needed: f64| {
        let ratio = one.contrast(other);
        let verdict = if ratio >= needed { "passes" } else { "fails" };
        format!("{} on {}: {} of {needed}, {verdict}", one.hex(), other.hex(), shown_ratio(ratio))
    };
    let is_drawn = field.starts_with("widget.theme.colors.") || field == "messenger.styles.primaryColor";
    is_drawn.then(|| {
        format!(
            "Contrast of the text {}, and of the launcher {}",
            of(look.on_accent, look.accent, look.needed),
            of(look.accent, look.panel, NON_TEXT_RATIO)
        )
    })
}

/// Returns the description of a field in the schema of a kind.
pub fn description(kind: Kind, field: &str) -> Option<String> {
    schema::section(kind, field.split('.'))?.get("description")?.as_str().map(str::to_owned)
}
