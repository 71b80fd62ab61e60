//! The common parts of kinds with references: the first fields of their specs, references by name, and the
//! conversion of a spec into a body.
//!
//! Every field is optional: a field that is not named is not managed. `extends`, `exclusive`, `name` and
//! `signatureSecret` belong to genesync and are not in a body.

use serde::Serialize;
use serde_json::{Map, Value};

use super::field::fields;
use super::platform::PlatformName;

/// Generates a kind of object: the type of its `kind:`, its document, and its spec with the common first fields.
/// A `merged document` has no `exclusive`, because the platform merges each write, so leaving a field out does
/// not remove it. An `only document` also has no name on the platform.
macro_rules! resource {
    (
        $(#[doc = $doc:literal])+ pub document $name:ident($kind:ident = $word:literal);
        $(#[doc = $spec_doc:literal])+ pub struct $spec:ident { $($fields:tt)+ }
    ) => {
        crate::manifest::kinds::resource::resource! {
            $(#[doc = $doc])+ pub merged document $name($kind = $word);
            $(#[doc = $spec_doc])+ pub struct $spec {
                /// Whether genesync manages all fields. If true, genesync removes fields that are not named here from the live object.
                #[serde(skip_serializing)]
                pub exclusive: bool,
                $($fields)+
            }
        }
    };
    (
        $(#[doc = $doc:literal])+ pub merged document $name:ident($kind:ident = $word:literal);
        $(#[doc = $spec_doc:literal])+ pub struct $spec:ident { $($fields:tt)+ }
    ) => {
        crate::manifest::kinds::resource::resource! {
            $(#[doc = $doc])+ pub only document $name($kind = $word);
            $(#[doc = $spec_doc])+ pub struct $spec {
                /// Its name on the platform, 1 to 100 characters. Default: `metadata.name`. Another name means another object.
                #[serde(skip_serializing)]
                pub name: crate::manifest::kinds::field::Optional<crate::manifest::kinds::platform::ObjectName>,
                $($fields)+
            }
        }
    };
    (
        $(#[doc = $doc:literal])+ pub only document $name:ident($kind:ident = $word:literal);
        $(#[doc = $spec_doc:literal])+ pub struct $spec:ident {
            $($(#[$meta:meta])+ pub $field:ident: $type:ty),+ $(,)?
        }
    ) => {
        crate::manifest::kinds::choice::choice! {
            /// The value of `kind:`.
            pub enum $kind {
                /// The only value.
                Only = $word,
            }
        }

        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(title = $word)]
        pub struct $name {
            /// The version of the manifest format.
            pub api_version: crate::manifest::kinds::ApiVersion,
            /// The kind of this document.
            pub kind: $kind,
            /// Its name.
            pub metadata: crate::manifest::kinds::Metadata,
            /// The desired configuration. Fields that are left out are not managed and keep their live values.
            pub spec: $spec,
        }

        $(#[doc = $spec_doc])+
        #[derive(Debug, Clone, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(inline)]
        pub struct $spec {
            /// Names of layers of this kind under `bases/` to start from. Later layers win over earlier ones, and this document wins over all layers: maps merge, lists and values are replaced.
            #[serde(default, skip_serializing)]
            #[schemars(example = ["house-style"])]
            pub extends: crate::manifest::kinds::text::Items<crate::manifest::kinds::text::Name, 0, 8>,
            $(
                $(#[$meta])+
                #[serde(default, skip_serializing_if = "crate::manifest::kinds::field::is_unnamed")]
                pub $field: $type,
            )+
        }
    };
}
pub(crate) use resource;

fields! {
    /// A reference by name to an object of the same organization, because ids differ between organizations.
    pub struct Named {
        must {
            /// The name of the object, as the platform's screens show it.
            pub name: PlatformName,
        }
    }
}

/// Returns the fields that a spec names.
pub fn named(spec: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(spec) {
        Ok(Value::Object(body)) => body,
        // A spec always serializes to a map.
        _ => Map::new(),
    }
}

/// Removes sections that name no field, because an empty map manages nothing.
pub fn prune(map: &mut Map<String, Value>) {
    map.retain(|_, value| match value {
        Value::Object(inner) => {
            prune(inner);
            !inner.is_empty()
        }
        _ => true,
    });
}
