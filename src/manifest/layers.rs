//! How layers become one tree: maps merge, lists and values are replaced, later ones win.

use std::collections::BTreeMap;

use super::yaml::{Node, Span, Yaml};

/// Longest chain of layers that extend layers.
pub const CHAIN_MAX: usize = 16;

/// Why layers can't be put together.
#[derive(Debug, Clone, PartialEq)]
pub enum LayerProblem {
    /// There is no layer of this name.
    Missing(Span, String),
    /// A layer extends itself, by the names given.
    Cycle(Span, Vec<String>),
    /// The chain is longer than [`CHAIN_MAX`].
    TooLong(Span),
}

/// Lays `over` on `under` and keeps the place of every value.
pub fn merge(under: &Node, over: &Node) -> Node {
    let (Yaml::Map(below), Yaml::Map(above)) = (&under.value, &over.value) else { return over.clone() };
    let mut entries = below.clone();
    for (key, node) in above {
        match entries.iter_mut().find(|(existing, _)| existing.text == key.text) {
            Some(slot) => *slot = (key.clone(), merge(&slot.1, node)),
            None => entries.push((key.clone(), node.clone())),
        }
    }
    Node { value: Yaml::Map(entries), span: over.span }
}

/// The specs that a spec is made of, lowest first, itself last.
///
/// # Errors
/// A layer that is missing, or that extends itself.
pub fn stack<'a>(spec: &'a Node, bases: &'a BTreeMap<String, Node>) -> Result<Vec<&'a Node>, LayerProblem> {
    let mut order = Vec::new();
    collect(spec, bases, &mut Vec::new(), &mut order)?;
    Ok(order)
}

fn collect<'a>(
    spec: &'a Node,
    bases: &'a BTreeMap<String, Node>,
    open: &mut Vec<String>,
    order: &mut Vec<&'a Node>,
) -> Result<(), LayerProblem> {
    for reference in spec.get("extends").map(Node::items).unwrap_or_default() {
        let name = reference.text().unwrap_or_default().to_owned();
        let Some(layer) = bases.get(&name) else { return Err(LayerProblem::Missing(reference.span, name)) };
        if open.contains(&name) {
            open.push(name);
            return Err(LayerProblem::Cycle(reference.span, open.clone()));
        }
        // The number of layers is bounded too: a diamond of diamonds would double at every level.
        if open.len() >= CHAIN_MAX || order.len() >= CHAIN_MAX * 8 {
            return Err(LayerProblem::TooLong(reference.span));
        }
        open.push(name);
        collect(layer, bases, open, order)?;
        open.pop();
    }
    order.push(spec);
    Ok(())
}

/// One tree out of a stack, lowest first. None for an empty stack.
pub fn flatten(stack: &[&Node]) -> Option<Node> {
    let (first, rest) = stack.split_first()?;
    Some(rest.iter().fold((*first).clone(), |merged, layer| merge(&merged, layer)))
}

#[cfg(test)]
mod tests {
    use super::super::yaml::compose;
    use super::*;

    fn node(text: &str) -> Node {
        compose(text, 0).documents.remove(0)
    }

    fn bases(list: &[(&str, &str)]) -> BTreeMap<String, Node> {
        list.iter().map(|(name, text)| ((*name).to_owned(), node(text))).collect()
    }

    #[test]
    fn maps_merge_lists_and_values_are_replaced_and_the_last_wins() {
        let bases = bases(&[("a", "x: {p: 1, q: 1}\nl: [1, 2]"), ("b", "extends: [a]\nx: {q: 2}\nn: 5")]);
        let top = node("extends: [b]\nx: {r: 3}\nl: []\nn: null");
        let merged = flatten(&stack(&top, &bases).unwrap()).unwrap().to_json();
        assert_eq!(
            merged,
            serde_json::json!({"x": {"p": 1, "q": 2, "r": 3}, "l": [], "extends": ["b"], "n": null})
        );
    }

    #[test]
    fn missing_layers_cycles_and_endless_diamonds_are_refused() {
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
        let diamonds = diamonds.iter().map(|(name, text)| (name.clone(), node(text))).collect();
        assert!(matches!(stack(&node("extends: [l0]"), &diamonds), Err(LayerProblem::TooLong(_))));
    }
}
