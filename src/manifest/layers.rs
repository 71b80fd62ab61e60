//! Merges layers into one tree: maps merge, lists and values are replaced, and later layers win.

use std::sync::Arc;

use super::Bases;
use super::yaml::{Key, Node, Span, Yaml};
use crate::model::ObjectKind;

/// Limit of the chain of layers that extend layers.
pub const CHAIN_MAX: usize = 16;

/// Why layers cannot be merged.
#[derive(Debug, Clone, PartialEq)]
pub enum LayerProblem {
    /// There is no layer of this name.
    Missing(Span, String),
    /// The layer of this name is for documents of another kind.
    OtherKind(Span, String, ObjectKind),
    /// A layer extends itself through the layers with these names.
    Cycle(Span, Vec<String>),
    /// The chain is longer than [`CHAIN_MAX`].
    TooLong(Span),
}

/// Merges nodes, lowest first, and keeps the place of every value. It copies only the values that win.
fn merge(top: &Node, stack: &[&Node]) -> Node {
    // A list or a single value replaces everything below it.
    let maps =
        stack.iter().rposition(|node| !matches!(node.value, Yaml::Map(_))).map_or(0, |below| below + 1);
    let maps = match stack.get(maps..) {
        Some(maps) if maps.len() > 1 => maps,
        _ => return top.clone(),
    };
    let mut merged: Vec<(&Key, Vec<&Node>)> = Vec::new();
    for (key, node) in maps.iter().flat_map(|map| map.entries()) {
        match merged.iter_mut().find(|(existing, _)| existing.text == key.text) {
            Some((last, nodes)) => {
                *last = key;
                nodes.push(node);
            }
            None => merged.push((key, vec![node])),
        }
    }
    let entries = merged
        .into_iter()
        .filter_map(|(key, nodes)| Some((key.clone(), merge(nodes.last()?, &nodes))))
        .collect();
    Node { value: Yaml::Map(entries), span: top.span }
}

/// Returns the layers below a spec, lowest first.
///
/// # Errors
/// A layer is missing, has another kind, or extends itself.
pub fn stack<'a>(
    kind: ObjectKind,
    spec: &Node,
    bases: &'a Bases,
) -> Result<Vec<&'a Arc<Node>>, LayerProblem> {
    let mut order = Vec::new();
    collect(kind, spec, bases, &mut Vec::new(), &mut order)?;
    Ok(order)
}

fn collect<'a>(
    kind: ObjectKind,
    spec: &Node,
    bases: &'a Bases,
    open: &mut Vec<String>,
    order: &mut Vec<&'a Arc<Node>>,
) -> Result<(), LayerProblem> {
    for reference in spec.get("extends").map(Node::items).unwrap_or_default() {
        let name = reference.text().unwrap_or_default().to_owned();
        let Some(layer) = bases.layers.get(&name) else {
            return Err(LayerProblem::Missing(reference.span, name));
        };
        if let Some(other) = bases.kinds.get(&name).filter(|of| **of != kind) {
            return Err(LayerProblem::OtherKind(reference.span, name, *other));
        }
        if open.contains(&name) {
            open.push(name);
            return Err(LayerProblem::Cycle(reference.span, open.clone()));
        }
        // The number of layers also has a limit, because layers that extend one layer twice would double at
        // every level.
        if open.len() >= CHAIN_MAX || order.len() >= CHAIN_MAX * 8 {
            return Err(LayerProblem::TooLong(reference.span));
        }
        open.push(name);
        collect(kind, layer, bases, open, order)?;
        order.push(layer);
        open.pop();
    }
    Ok(())
}

/// Merges a spec with the layers below it, lowest first.
pub fn flatten(layers: &[&Arc<Node>], spec: &Node) -> Node {
    let stack: Vec<&Node> = layers.iter().map(|layer| &***layer).chain([spec]).collect();
    merge(spec, &stack)
}

#[cfg(test)]
mod tests {
    use super::super::yaml::compose;
    use super::*;

    fn node(text: &str) -> Node {
        compose(text, 0).documents.remove(0)
    }

    fn bases(list: &[(&str, &str)]) -> Bases {
        let layers = list.iter().map(|(name, text)| ((*name).to_owned(), Arc::new(node(text)))).collect();
        Bases { layers, ..Bases::default() }
    }

    fn stack<'a>(spec: &Node, bases: &'a Bases) -> Result<Vec<&'a Arc<Node>>, LayerProblem> {
        super::stack(ObjectKind::WebMessaging, spec, bases)
    }

    #[test]
    fn maps_merge_lists_and_values_are_replaced_and_the_last_wins() {
        let bases = bases(&[("a", "x: {p: 1, q: 1}\nl: [1, 2]"), ("b", "extends: [a]\nx: {q: 2}\nn: 5")]);
        let top = node("extends: [b]\nx: {r: 3}\nl: []\nn: null");
        let merged = flatten(&stack(&top, &bases).unwrap(), &top).to_json();
        assert_eq!(
            merged,
            serde_json::json!({"x": {"p": 1, "q": 2, "r": 3}, "l": [], "extends": ["b"], "n": null})
        );
    }

    #[test]
    fn missing_layers_cycles_and_too_many_layers_are_refused() {
        let cyclic = bases(&[("a", "extends: [b]"), ("b", "extends: [a]")]);
        assert!(
            matches!(stack(&node("extends: [a]"), &cyclic), Err(LayerProblem::Cycle(_, path)) if path == ["a", "b", "a"])
        );
        assert!(
            matches!(stack(&node("extends: [zz]"), &cyclic), Err(LayerProblem::Missing(_, name)) if name == "zz")
        );
        let diamonds: Vec<(String, String)> = (0..14)
            .map(|n| (format!("l{n}"), format!("extends: [l{}, l{}]", n + 1, n + 1)))
            .chain([("l14".into(), "x: 1".into())])
            .collect();
        let diamonds: Vec<(&str, &str)> = diamonds.iter().map(|(name, text)| (&**name, &**text)).collect();
        let diamonds = bases(&diamonds);
        assert!(matches!(stack(&node("extends: [l0]"), &diamonds), Err(LayerProblem::TooLong(_))));
    }
}
