//! Operations on JSON values for several stages: paths, overlays, digests.

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Serializes a value so that equal values give equal bytes: object keys sorted, no white space.
pub fn canonical_bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => write_object(map, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        // serde_json has one form for each scalar; numbers keep their digits.
        scalar => write_scalar(scalar, out),
    }
}

fn write_scalar(scalar: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail, and neither can serializing a text, a number, a boolean or null.
    let _ = serde_json::to_writer(out, scalar);
}

fn write_object(map: &Map<String, Value>, out: &mut Vec<u8>) {
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort_unstable();
    out.push(b'{');
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_scalar(key.as_str(), out);
        out.push(b':');
        if let Some(value) = map.get(key) {
            write_canonical(value, out);
        }
    }
    out.push(b'}');
}

/// Returns `sha256:` and the hash of an object's canonical bytes.
pub fn digest(map: &Map<String, Value>) -> String {
    let mut bytes = Vec::with_capacity(256);
    write_object(map, &mut bytes);
    digest_bytes(&bytes)
}

/// Returns `sha256:` and the hash of some bytes.
pub fn digest_bytes(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Returns the value at a dotted path, such as `greetings.messages`. A key may itself contain dots.
pub fn at_dotted<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = map.get(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let inner = map.get(path.get(..dot)?)?.as_object()?;
        at_dotted(inner, path.get(dot + 1..)?)
    })
}

/// Whether a path is a section or is below it.
pub fn lies_in(path: &str, section: &str) -> bool {
    path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns the map with another value at a dotted path; `None` removes the value.
pub fn with(map: &Map<String, Value>, path: &str, value: Option<&Value>) -> Map<String, Value> {
    let nest = |inner: Value, key: &str| {
        let mut outer = Map::new();
        outer.insert(key.to_owned(), inner);
        Value::Object(outer)
    };
    let nested = path.rsplit('.').fold(value.cloned().unwrap_or(Value::Null), nest);
    let mut map = map.clone();
    if let Value::Object(nested) = nested {
        overlay(&mut map, &nested);
    }
    map
}

/// Lays `over` on `under`: objects merge, everything else is replaced, `null` removes.
/// Keys that `over` does not name keep their values and their order.
pub fn overlay(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match value {
            Value::Null => {
                under.shift_remove(key);
            }
            Value::Object(inner) => match under.get_mut(key) {
                Some(Value::Object(existing)) => overlay(existing, inner),
                _ => {
                    let mut fresh = Map::new();
                    overlay(&mut fresh, inner);
                    under.insert(key.clone(), Value::Object(fresh));
                }
            },
            scalar => {
                under.insert(key.clone(), scalar.clone());
            }
        }
    }
}

/// Like [`overlay`], but `null` is an ordinary value.
pub fn graft(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (value, under.get_mut(key)) {
            (Value::Object(inner), Some(Value::Object(existing))) => graft(existing, inner),
            _ => {
                under.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Returns the leaves whose dotted path passes `keep`, in the same order; an object without any such leaf
/// is removed.
pub fn pick(map: &Map<String, Value>, keep: &impl Fn(&str) -> bool) -> Map<String, Value> {
    fn walk(map: &Map<String, Value>, path: &mut String, keep: &impl Fn(&str) -> bool) -> Map<String, Value> {
        let mut picked = Map::new();
        for (key, value) in map {
            let length = path.len();
            if length > 0 {
                path.push('.');
            }
            path.push_str(key);
            match value {
                Value::Object(inner) if !inner.is_empty() => {
                    let inner = walk(inner, path, keep);
                    if !inner.is_empty() {
                        picked.insert(key.clone(), Value::Object(inner));
                    }
                }
                leaf if keep(path) => {
                    picked.insert(key.clone(), leaf.clone());
                }
                _ => {}
            }
            path.truncate(length);
        }
        picked
    }
    walk(map, &mut String::new(), keep)
}

/// Calls `visit` with the dotted path of every leaf: a scalar, a list, or an empty object.
pub fn leaves<'a>(map: &'a Map<String, Value>, visit: &mut impl FnMut(&str, &'a Value)) {
    fn walk<'a>(map: &'a Map<String, Value>, path: &mut String, visit: &mut impl FnMut(&str, &'a Value)) {
        for (key, value) in map {
            let length = path.len();
            if length > 0 {
                path.push('.');
            }
            path.push_str(key);
            match value {
                Value::Object(inner) if !inner.is_empty() => walk(inner, path, visit),
                leaf => visit(path, leaf),
            }
            path.truncate(length);
        }
    }
    walk(map, &mut String::new(), visit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn digest_ignores_key_order_and_keeps_digits() {
        let a: Value = serde_json::from_str(r#"{"b":1.10,"a":{"y":2,"x":12345678901234567890123}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":{"x":12345678901234567890123,"y":2},"b":1.10}"#).unwrap();
        assert_eq!(canonical_bytes(&a), canonical_bytes(&b));
        assert_eq!(
            String::from_utf8(canonical_bytes(&a)).unwrap(),
            r#"{"a":{"x":12345678901234567890123,"y":2},"b":1.10}"#
        );
    }

    #[test]
    fn overlay_keeps_keys_that_it_does_not_name_in_order() {
        let mut under = object(json!({"z": 1, "a": {"keep": true, "set": 1}, "gone": 3}));
        overlay(&mut under, &object(json!({"a": {"set": 2, "new": [1]}, "gone": null})));
        assert_eq!(Value::Object(under).to_string(), r#"{"z":1,"a":{"keep":true,"set":2,"new":[1]}}"#);
    }

    #[test]
    fn dotted_paths_find_keys_with_dots() {
        let map = object(json!({"a.b": {"c": 1}, "a": {"b.c": 2, "x": {"y": 3}}}));
        for (path, expected) in
            [("a.b.c", Some(json!(2))), ("a.x.y", Some(json!(3))), ("a.z", None), ("", None)]
        {
            assert_eq!(at_dotted(&map, path).cloned(), expected, "{path}");
        }
    }

    #[test]
    fn picking_keeps_whole_leaves_and_drops_emptied_objects() {
        let map = object(json!({"z": {"a": 1, "b": {"c": [1], "d": null}}, "y": {}, "x": {"w": 1}}));
        let picked = pick(&map, &|path| path.starts_with("z.b") || path == "y");
        assert_eq!(Value::Object(picked).to_string(), r#"{"z":{"b":{"c":[1],"d":null}},"y":{}}"#);
    }

    #[test]
    fn leaves_are_scalars_lists_and_empty_objects() {
        let map = object(json!({"a": {"b": 1, "c": [1, 2]}, "d": {}}));
        let mut paths = Vec::new();
        leaves(&map, &mut |path, _| paths.push(path.to_owned()));
        assert_eq!(paths, ["a.b", "a.c", "d"]);
    }
}
