//! Closed sets of values: one macro generates the enum, its deserializer and its schema.
//!
//! A plain derive would describe a documented enum as `oneOf` of constants. The error for a wrong value would
//! then be "not valid under any of the schemas". With an `enum` list the error names the allowed values.

macro_rules! choice {
    ($(#[doc = $doc:literal])+ pub enum $name:ident { $(#[doc = $vdoc:literal] $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $(#[doc = $vdoc] #[serde(rename = $word)] $variant),+
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let description = concat!($($doc, "\n"),+ $(, "\n- `", $word, "`:", $vdoc)+);
                schemars::json_schema!({
                    "type": "string",
                    "enum": [$($word),+],
                    "description": description.trim(),
                })
            }
        }
    };
}
pub(crate) use choice;
