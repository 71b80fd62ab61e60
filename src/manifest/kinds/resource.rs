//! What kinds with references have in common: the head of their specs, references by name, and how
//! a spec becomes a body.
//!
//! Every field can be left out: what is not named is not managed. `extends`, `exclusive`, `name` and
//! `signatureSecret` are ours and no part of a body.

use serde::Serialize;
use serde_json::{Map, Value};

use super::field::fields;
use super::platform::PlatformName;

/// A kind of object: its word, its document, and its spec with the head that all of them have. A `merged document` can't
/// be exclusive: the platform merges what it is sent, so that nothing can be removed by leaving it out. An `only document`
/// has no name on the platform either.
macro_rules! resource {
    (
        $(#[doc = $doc:literal])+ pub document $name:ident($kind:ident = $word:literal);
        $(#[doc = $spec_doc:literal])+ pub struct $spec:ident { $($fields:tt)+ }
    ) => {
        crate::manifest::kinds::resource::resource! {
            $(#[doc = $doc])+ pub merged document $name($kind = $word);
            $(#[doc = $spec_doc])+ pub struct $spec {
                /// Whether genesync manages everything: fields that are not named here are removed from the live object.
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
                /// What the platform calls it, 1 to 100 characters; `metadata.name` where left out. Another name is another object.
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
            /// The word after `kind:`.
            pub enum $kind {
                /// The only one.
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
            /// What this document is.
            pub kind: $kind,
            /// Its name.
            pub metadata: crate::manifest::kinds::Metadata,
            /// What the platform should hold. Fields that are left out are not managed: they stay as they are.
            pub spec: $spec,
        }

        $(#[doc = $spec_doc])+
        #[derive(Debug, Clone, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(inline)]
        pub struct $spec {
            /// Names of layers of this kind under `bases/` to start from. Later ones win over earlier ones, and this document over all: maps merge, lists and values are replaced.
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
    /// Something in the same organization, by its name: ids differ from one organization to the next.
    pub struct Named {
        must {
            /// Its name, as the platform's screens show it.
            pub name: PlatformName,
        }
    }
}

/// The fields that a spec names.
pub fn named(spec: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(spec) {
        Ok(Value::Object(body)) => body,
        // Specs serialize to maps; there is nothing else that they could be.
        _ => Map::new(),
    }
}

/// Drops sections that name nothing: an empty map manages no field.
pub fn prune(map: &mut Map<String, Value>) {
    map.retain(|_, value| match value {
        Value::Object(inner) => {
            prune(inner);
            !inner.is_empty()
        }
        _ => true,
    });
}
