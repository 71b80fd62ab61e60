//! Digests in place of confidential values, such as the headers that a webhook is called with.
//!
//! A digest shows only whether a value equals the written one. It is made with a key of the operator, so
//! that a reader of the state cannot test guesses. It names that key. A digest of another key cannot be
//! compared; genesync then assumes that the live value is the digested one.

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Secret;

/// The prefix of a digest. After it come 8 hexadecimal digits that name the key, a colon, and the 64 digits
/// of the digest. No API stores such a text.
const PREFIX: &str = "genesync:hmac-sha256:";
/// The path and text whose digest names a key. No real path is empty.
const KEY_NAME: &str = "";
/// Length of a key's name in hexadecimal digits.
const KEY_NAME_DIGITS: usize = 8;
/// Sections in which every value is confidential.
const SECTIONS: [&str; 1] = ["webhookHeaders"];
/// Parts of field names whose values are confidential.
const WORDS: [&str; 4] = ["token", "secret", "password", "authorization"];

/// The key of digests. It cannot be printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seal([u8; 32]);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// Whether the values at a path are confidential, by the path's first section or by a name in it.
pub fn is_confidential(path: &str) -> bool {
    SECTIONS.contains(&path.split('.').next().unwrap_or_default()) || path.split('.').any(is_telling_name)
}

fn is_telling_name(name: &str) -> bool {
    // API fields have shorter names, and lower-casing a name of a megabyte takes time.
    name.len() <= 200 && {
        let lower = name.to_ascii_lowercase();
        WORDS.iter().any(|word| lower.contains(word))
    }
}

/// The text in place of a value of which only a digest is kept.
pub const NOT_RESTORABLE: &str = "(confidential: it cannot be restored)";

/// Returns a body as it may be shown, and the paths at which only a digest is kept.
pub fn hidden(body: &Map<String, Value>) -> (Map<String, Value>, Vec<String>) {
    let (mut shown, mut paths) = (body.clone(), Vec::new());
    each_mut(&mut shown, &mut |path, value| {
        paths.push(path.to_owned());
        *value = NOT_RESTORABLE.into();
    });
    (shown, paths)
}

/// Whether a value is a digest.
pub fn is_sealed(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(PREFIX))
}

/// Whether a value is or contains a digest.
pub fn holds_digests(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(holds_digests),
        Value::Array(items) => items.iter().any(holds_digests),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => is_sealed(value),
    }
}

/// Whether a JSON text may contain a digest; faster than parsing it.
pub fn may_hold_digests(json: &str) -> bool {
    json.contains(PREFIX)
}

impl Seal {
    /// Derives the key from the operator's secret.
    pub fn of(secret: &Secret) -> Self {
        Self(Sha256::digest(secret.expose().as_bytes()).into())
    }

    /// Returns a body with digests in place of its confidential texts and numbers.
    pub fn sealed<'a>(&self, body: &'a Map<String, Value>) -> Cow<'a, Map<String, Value>> {
        let mut any = false;
        let mut copy = Cow::Borrowed(body);
        each(body, &mut |path, value| any |= !is_sealed(value) && !path.is_empty());
        if any {
            each_mut(copy.to_mut(), &mut |path, value| {
                if !is_sealed(value) {
                    *value = Value::String(self.digest(path, value));
                }
            });
        }
        copy
    }

    /// Replaces digests by their values if a candidate has them. A digest of another key cannot be
    /// compared: the first candidate with a value at that path is used, so that a new key does not show as
    /// a change of another user. Returns whether there was a digest of another key.
    pub fn reveal(&self, body: &mut Map<String, Value>, candidates: &[&Map<String, Value>]) -> bool {
        let own = self.prefix();
        let mut any_other = false;
        each_mut(body, &mut |path, value| {
            let Some(digest) = value.as_str().filter(|_| is_sealed(value)) else { return };
            let is_own = digest.starts_with(&own);
            any_other |= !is_own;
            let mut revealed = None;
            for candidate in candidates {
                each(candidate, &mut |other, found| {
                    let fits = || !is_own || digest == self.digest(path, found);
                    if revealed.is_none() && other == path && !is_sealed(found) && fits() {
                        revealed = Some(found.clone());
                    }
                });
            }
            if let Some(revealed) = revealed {
                *value = revealed;
            }
        });
        any_other
    }

    /// Returns the digest of a value at a path; equal values at two paths have different digests.
    fn digest(&self, path: &str, value: &Value) -> String {
        self.prefix() + &self.mac(path, &value.to_string())
    }

    /// Returns the prefix of every digest of this key.
    fn prefix(&self) -> String {
        let name = self.mac(KEY_NAME, KEY_NAME);
        format!("{PREFIX}{}:", name.get(..KEY_NAME_DIGITS).unwrap_or_default())
    }

    fn mac(&self, path: &str, text: &str) -> String {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(path.as_bytes());
        mac.update(b"\0");
        mac.update(text.as_bytes());
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Calls `found` for every confidential text and number, with its dotted path.
fn each(body: &Map<String, Value>, found: &mut dyn FnMut(&str, &Value)) {
    fn walk(value: &Value, path: &str, inside: bool, found: &mut dyn FnMut(&str, &Value)) {
        match value {
            Value::Object(map) => map.iter().for_each(|(name, below)| {
                let path = join(path, name);
                walk(below, &path, inside || is_inside(&path, name), found);
            }),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, item)| walk(item, &join(path, &index.to_string()), inside, found)),
            Value::String(_) | Value::Number(_) if inside => found(path, value),
            Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }
    body.iter().for_each(|(name, value)| walk(value, name, is_inside(name, name), found));
}

/// Calls `found` for every confidential text and number, with its dotted path, so that it can change them.
fn each_mut(body: &mut Map<String, Value>, found: &mut dyn FnMut(&str, &mut Value)) {
    fn walk(value: &mut Value, path: &str, inside: bool, found: &mut dyn FnMut(&str, &mut Value)) {
        match value {
            Value::Object(map) => map.iter_mut().for_each(|(name, below)| {
                let path = join(path, name);
                walk(below, &path, inside || is_inside(&path, name), found);
            }),
            Value::Array(items) => items
                .iter_mut()
                .enumerate()
                .for_each(|(index, item)| walk(item, &join(path, &index.to_string()), inside, found)),
            Value::String(_) | Value::Number(_) if inside => found(path, value),
            Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }
    body.iter_mut().for_each(|(name, value)| walk(value, name, is_inside(name, name), found));
}

fn join(path: &str, name: &str) -> String {
    format!("{path}.{name}")
}

fn is_inside(path: &str, name: &str) -> bool {
    SECTIONS.contains(&path) || is_telling_name(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn seal(text: &str) -> Seal {
        Seal::of(&Secret::new(text.to_owned()))
    }

    // Guarantee: digests-alone
    #[test]
    fn confidential_texts_and_numbers_become_digests_and_other_values_stay() {
        let body = map(json!({
            "webhookHeaders": {"X-Key": "k-1", "X-List": ["a", {"b": 7}], "on": true, "none": null},
            "auth": {"accessToken": "t-1", "Password": "p", "proxy-authorization": "b", "clientSecretHint": 4},
            "tokenEnabled": true,
            "title": "t-1", "list": [{"secret": "s"}],
        }));
        let sealed = seal("key").sealed(&body).into_owned();
        let text = Value::Object(sealed.clone()).to_string();
        for gone in ["k-1", "\"a\"", ":7}", "\"p\"", "\"b\"}", ":4}", "\"s\""] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        for kept in ["\"title\":\"t-1\"", "\"on\":true", "\"none\":null", "\"tokenEnabled\":true"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert_eq!(text.matches(PREFIX).count(), 8);
        // Sealing twice equals sealing once, and a body without confidential values is not copied.
        assert_eq!(*seal("key").sealed(&sealed), sealed);
        let plain = map(json!({"title": "x", "flags": {"a": true}}));
        assert!(matches!(seal("key").sealed(&plain), Cow::Borrowed(_)));
        assert_eq!(format!("{:?}", seal("key")), "****");
    }

    #[test]
    fn a_digest_is_revealed_by_its_value_at_its_path_with_its_key() {
        let body = map(json!({"webhookHeaders": {"A": "one", "B": "one"}, "n": 1}));
        let sealed = seal("key").sealed(&body).into_owned();
        assert_ne!(sealed["webhookHeaders"]["A"], sealed["webhookHeaders"]["B"]);
        let revealed = |by: &Seal, candidates: &[Value]| {
            let candidates: Vec<Map<String, Value>> = candidates.iter().cloned().map(map).collect();
            let mut copy = sealed.clone();
            by.reveal(&mut copy, &candidates.iter().collect::<Vec<_>>());
            copy
        };
        let whole = json!({"webhookHeaders": {"A": "one", "B": "one"}});
        assert_eq!(revealed(&seal("key"), std::slice::from_ref(&whole)), body);
        let parts =
            [json!({"webhookHeaders": {"A": "one"}}), json!({"webhookHeaders": {"A": "two", "B": "one"}})];
        assert_eq!(revealed(&seal("key"), &parts), body);
        for (by, candidate) in [
            (seal("key"), json!({"webhookHeaders": {"A": "two", "B": "two"}})),
            (seal("key"), json!({"A": "one", "B": "one"})),
        ] {
            assert_eq!(revealed(&by, std::slice::from_ref(&candidate)), sealed, "{candidate}");
        }
        // With another key the value is unknown, so the first candidate, the live value, is used.
        let moved = json!({"webhookHeaders": {"A": "two"}});
        let other = revealed(&seal("other"), &[moved, whole]);
        assert_eq!(other["webhookHeaders"], json!({"A": "two", "B": "one"}));
        assert_eq!(revealed(&seal("other"), &[json!({"n": 2})]), sealed);
        assert!(holds_digests(&json!([{"a": sealed["webhookHeaders"]}])) && !holds_digests(&json!(body)));
    }
}
