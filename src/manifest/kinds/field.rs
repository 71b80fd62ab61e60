//! A field that can be left out, set, or set to nothing: three different wishes.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What a manifest says of one field.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Field<T> {
    /// Not named: not managed, whatever is live stays.
    #[default]
    Unnamed,
    /// `null`: managed, and should be absent.
    Null,
    /// Managed, with this value.
    Set(T),
}

impl<T> Field<T> {
    /// Whether the manifest leaves the field out.
    pub fn is_unnamed(&self) -> bool {
        matches!(self, Field::Unnamed)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Field::Null, Field::Set))
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Field::Set(value) => value.serialize(serializer),
            Field::Unnamed | Field::Null => serializer.serialize_none(),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        if let Some(word) = schema.get("type").and_then(Value::as_str).map(str::to_owned) {
            schema.insert("type".into(), serde_json::json!([word, "null"]));
        }
        if let Some(Value::Array(words)) = schema.get_mut("enum") {
            words.push(Value::Null);
        }
        schema
    }
}

/// Reads what may be left out but may not be `null`.
///
/// # Errors
/// The value is not one of its type.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
