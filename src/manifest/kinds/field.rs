//! A field that a manifest can leave out, set, or set to `null`, with three different meanings.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The desired state of one field.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Field<T> {
    /// Not named and not managed: the live value stays.
    #[default]
    Unnamed,
    /// `null`: managed, and removed from the live configuration.
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

/// Reads a value that may be left out but must not be `null`.
///
/// # Errors
/// The value does not have the type `T`.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A value that may be left out but must not be `null`: a section, or a field of a list's item.
#[derive(Debug, Clone, PartialEq)]
pub struct Optional<T>(pub Option<T>);

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Optional<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        present(deserializer).map(Self)
    }
}

impl<T: Serialize> Serialize for Optional<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Optional<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A field that a document may leave out.
pub trait MayBeUnnamed {
    /// Whether the document leaves it out.
    fn is_unnamed(&self) -> bool;
}

impl<T> MayBeUnnamed for Field<T> {
    fn is_unnamed(&self) -> bool {
        Field::is_unnamed(self)
    }
}

impl<T> MayBeUnnamed for Optional<T> {
    fn is_unnamed(&self) -> bool {
        self.0.is_none()
    }
}

/// A switch of the manifest format, such as `exclusive`. It is never sent to the API.
impl MayBeUnnamed for bool {
    fn is_unnamed(&self) -> bool {
        !self
    }
}

/// [`MayBeUnnamed::is_unnamed`] as a function, for serde attributes.
pub fn is_unnamed(field: &impl MayBeUnnamed) -> bool {
    field.is_unnamed()
}

/// Generates a map of named fields. Fields under `must` are required, the others are optional. Unknown fields are
/// refused.
macro_rules! fields {
    ($(#[doc = $doc:literal])+ pub struct $name:ident {
        $(must { $($(#[$must_meta:meta])+ pub $must:ident: $must_type:ty),+ $(,)? })?
        $($(#[$meta:meta])+ pub $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(inline)]
        pub struct $name {
            $($($(#[$must_meta])+ pub $must: $must_type,)+)?
            $(
                $(#[$meta])+
                #[serde(default, skip_serializing_if = "crate::manifest::kinds::field::is_unnamed")]
                pub $field: $type,
            )*
        }
    };
}
pub(crate) use fields;
