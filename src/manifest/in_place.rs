//! Lets serde and the schema validator read a tree in place, because a JSON copy for each of them costs more
//! time than both together.

use std::borrow::Cow;
use std::slice;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, NodeIdentity, Object};
use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{IntoDeserializer, Visitor};
use serde_json::{Number, Value};

use super::yaml::{Key, Node, Span, Yaml, number};

/// The representation of JSON by [`Node`]s.
pub struct Tree;

/// A buffer for a name while the validator checks it against `propertyNames`.
pub struct Name(Node);

impl Default for Name {
    fn default() -> Self {
        Self(Node { value: Yaml::Null, span: Span { file: 0, start: 0, end: 0 } })
    }
}

impl Json for Tree {
    type Node<'a> = &'a Node;
    type PreparedKey = Box<str>;
    type StringBuffer = Name;

    // A lookup compares the keys one after another, so it is cheap only for few keys.
    const KEYS_PER_LOOKUP: usize = 2;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>(buffer: &mut Name, string: &str, f: impl FnOnce(&Node) -> T) -> T {
        buffer.0.value = Yaml::Text(string.into());
        f(&buffer.0)
    }
}

impl<'a> jsonschema::json::Node<'a, Tree> for &'a Node {
    type Object = &'a [(Key, Node)];
    type Array = &'a [Node];
    type Number = Number;

    fn as_object(&self) -> Option<&'a [(Key, Node)]> {
        match &self.value {
            Yaml::Map(entries) => Some(entries),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<&'a [Node]> {
        match &self.value {
            Yaml::List(items) => Some(items),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match &self.value {
            Yaml::Text(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Number> {
        match &self.value {
            Yaml::Number(text) => number(text),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        self.bool()
    }

    fn is_null(&self) -> bool {
        matches!(self.value, Yaml::Null)
    }

    fn is_number(&self) -> bool {
        matches!(self.value, Yaml::Number(_))
    }

    fn json_type(&self) -> JsonType {
        match self.value {
            Yaml::Null => JsonType::Null,
            Yaml::Bool(_) => JsonType::Boolean,
            Yaml::Number(_) => JsonType::Number,
            Yaml::Text(_) => JsonType::String,
            Yaml::List(_) => JsonType::Array,
            Yaml::Map(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (&self.value, expected) {
            // The fast path: nearly every `const` and `enum` contains text.
            (Yaml::Text(text), Value::String(word)) => **text == **word,
            (Yaml::Text(_), _) | (_, Value::String(_)) => false,
            _ => jsonschema::json::cmp::equal(&self.to_json(), expected),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(self.to_json())
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref::<Node>(self).addr()))
    }
}

impl<'a> Object<'a, Tree> for &'a [(Key, Node)] {
    type Node = &'a Node;
    type MemberName = &'a str;
    type MembersIter = Entries<'a>;

    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn get(&self, key: &Box<str>) -> Option<&'a Node> {
        self.iter().find(|(name, _)| name.text == *key).map(|(_, node)| node)
    }

    fn members(&self) -> Entries<'a> {
        Entries(self.iter())
    }
}

/// Keys and values of a map.
pub struct Entries<'a>(slice::Iter<'a, (Key, Node)>);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, &'a Node);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, node)| (&*key.text, node))
    }
}

impl<'a> Array<'a, Tree> for &'a [Node] {
    type Node = &'a Node;
    type ElementsIter = slice::Iter<'a, Node>;

    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn elements(&self) -> slice::Iter<'a, Node> {
        self.iter()
    }
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Returns a deserializer of a map without some of its keys.
pub fn without<'de>(
    node: &'de Node,
    left_out: &'static [&'static str],
) -> impl Deserializer<'de, Error = serde_json::Error> {
    let kept = node.entries().iter().filter(move |(key, _)| !left_out.contains(&&*key.text));
    MapDeserializer::new(kept.map(|(key, node)| (&*key.text, node)))
}

/// Deserializes every type like a `serde_json::Value` with the same content.
impl<'de> Deserializer<'de> for &'de Node {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match &self.value {
            Yaml::Null => visitor.visit_unit(),
            Yaml::Bool(value) => visitor.visit_bool(*value),
            Yaml::Number(text) => match number(text) {
                Some(number) => number.deserialize_any(visitor),
                None => visitor.visit_borrowed_str(text),
            },
            Yaml::Text(text) => visitor.visit_borrowed_str(text),
            Yaml::List(items) => {
                let mut items = SeqDeserializer::new(items.iter());
                let value = visitor.visit_seq(&mut items)?;
                items.end().map(|()| value)
            }
            Yaml::Map(entries) => {
                let mut entries = MapDeserializer::new(entries.iter().map(|(key, node)| (&*key.text, node)));
                let value = visitor.visit_map(&mut entries)?;
                entries.end().map(|()| value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.value {
            Yaml::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Refuses a list: serde would read it as a struct, field by field, but a document names its fields.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.value {
            Yaml::List(_) => Err(serde::de::Error::custom("this must be a map, not a list")),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match &self.value {
            Yaml::Text(text) => {
                let word: serde::de::value::StrDeserializer<'_, Self::Error> = (**text).into_deserializer();
                word.deserialize_enum(name, variants, visitor)
            }
            // Every enum here is a closed set of texts; for other types the error comes from `serde_json`.
            _ => self.to_json().deserialize_enum(name, variants, visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use jsonschema::{Draft, PatternOptions, Validator};
    use proptest::prelude::*;
    use serde::Deserialize as _;

    use super::super::kinds::Kind;
    use super::super::schema::{schema, validator};
    use super::super::yaml::compose;
    use super::*;

    fn at_no_place(value: Yaml) -> Node {
        Node { value, span: Span { file: 0, start: 0, end: 0 } }
    }

    /// Generates trees with names and values of the kinds, in right and in wrong places.
    fn any_tree() -> impl Strategy<Value = Node> {
        let words = [
            "spec",
            "widget",
            "theme",
            "colors",
            "primary",
            "extends",
            "flags",
            "rules",
            "name",
            "zz",
            "messenger",
            "styles",
            "languages",
            "screens",
        ];
        let values = ["#0B3D91", "WebMessaging", "always", "genesync/v1alpha1", "retail", "", "ü"];
        let leaf = prop_oneof![
            Just(Yaml::Null),
            any::<bool>().prop_map(Yaml::Bool),
            any::<i32>().prop_map(|value| Yaml::Number(value.to_string().into())),
            Just(Yaml::Number("5.0".into())),
            Just(Yaml::Number("123456789012345678901234567890.5".into())),
            prop::sample::select(values.to_vec()).prop_map(|text| Yaml::Text(text.into())),
        ]
        .prop_map(at_no_place);
        let key = prop::sample::select(words.to_vec())
            .prop_map(|text| Key { text: text.into(), span: Span { file: 0, start: 0, end: 0 } });
        leaf.prop_recursive(5, 40, 6, move |inner| {
            let entries =
                prop::collection::vec((key.clone(), inner.clone()), 0..6).prop_map(|mut entries| {
                    let mut seen = std::collections::BTreeSet::new();
                    entries.retain(|(key, _)| seen.insert(key.text.clone()));
                    Yaml::Map(entries)
                });
            prop_oneof![entries, prop::collection::vec(inner, 0..4).prop_map(Yaml::List)]
                .prop_map(at_no_place)
        })
    }

    static OF_JSON: LazyLock<Vec<Validator>> = LazyLock::new(|| {
        let options = || {
            jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(PatternOptions::regex())
        };
        Kind::ALL.iter().map(|kind| options().build(&schema(*kind)).unwrap()).collect()
    });

    /// Asserts that the validator of trees has the same result as the validator of JSON.
    fn same_as_json(node: &Node) {
        let json = node.to_json();
        assert_eq!(Value::deserialize(node).unwrap(), json);
        for (kind, of_json) in Kind::ALL.iter().zip(&*OF_JSON) {
            let said = |error: jsonschema::ValidationError<'_>| {
                (error.instance_path().to_string(), error.schema_path().to_string(), error.to_string())
            };
            let expected: Vec<_> = of_json.iter_errors(&json).map(said).collect();
            let of_tree = validator(*kind).unwrap();
            assert_eq!(of_tree.iter_errors(node).map(said).collect::<Vec<_>>(), expected);
            assert_eq!(of_tree.is_valid(node), expected.is_empty());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn any_tree_reads_like_its_json(spec in any_tree()) {
            same_as_json(&spec);
            for kind in ["WebMessaging", "MessengerConfiguration"] {
                let head = format!("apiVersion: genesync/v1alpha1\nkind: {kind}\nmetadata: {{name: web}}");
                let mut document = compose(&head, 0).documents.into_iter().next().unwrap();
                if let Yaml::Map(entries) = &mut document.value {
                    let key = Key { text: "spec".into(), span: spec.span };
                    entries.push((key, spec.clone()));
                }
                same_as_json(&document);
            }
        }
    }
}
