//! The table of documents: which Rust type describes each kind.
//!
//! In: a kind. Out: its schema, whether a document is valid, the body of a spec. Never: a rule about a single
//! kind, which belongs in the file of the kind.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::Kind;
use super::deployment::{MessengerDeployment, MessengerDeploymentSpec};
use super::integration::{OpenMessagingIntegration, OpenMessagingIntegrationSpec};
use super::messaging_defaults::{MessagingDefaults, MessagingDefaultsSpec};
use super::messaging_setting::{MessagingSetting, MessagingSettingSpec};
use super::messenger::{MessengerConfiguration, MessengerConfigurationSpec};
use super::project::Project;
use super::resource::{named, prune};
use super::supported_content::{SupportedContent, SupportedContentSpec};
use super::tenant::TenantDocument;
use super::web_messaging::{WebMessaging, WebMessagingSpec};
use crate::manifest::yaml::Node;
use crate::model::ObjectKind;

/// Adds fields to a body that the spec does not contain.
type Finish<S> = fn(&S, &mut Map<String, Value>);

fn as_it_is<S>(_: &S, _: &mut Map<String, Value>) {}

/// An action on the type of a kind.
trait Visit {
    type Out;

    fn visit<D: JsonSchema + for<'de> Deserialize<'de>>(self) -> Self::Out;
}

/// Runs an action on the type of a kind.
fn with<V: Visit>(kind: Kind, visit: V) -> V::Out {
    match kind {
        Kind::Project => visit.visit::<Project>(),
        Kind::Tenant => visit.visit::<TenantDocument>(),
        Kind::Object(ObjectKind::WebMessaging) => visit.visit::<WebMessaging>(),
        Kind::Object(ObjectKind::SupportedContent) => visit.visit::<SupportedContent>(),
        Kind::Object(ObjectKind::MessagingSetting) => visit.visit::<MessagingSetting>(),
        Kind::Object(ObjectKind::MessagingDefaults) => visit.visit::<MessagingDefaults>(),
        Kind::Object(ObjectKind::OpenMessagingIntegration) => visit.visit::<OpenMessagingIntegration>(),
        Kind::Object(ObjectKind::MessengerConfiguration) => visit.visit::<MessengerConfiguration>(),
        Kind::Object(ObjectKind::MessengerDeployment) => visit.visit::<MessengerDeployment>(),
    }
}

/// Returns the schema of the type of a kind.
pub fn schema(kind: Kind, generator: SchemaGenerator) -> Schema {
    struct Describe(SchemaGenerator);
    impl Visit for Describe {
        type Out = Schema;

        fn visit<D: JsonSchema + for<'de> Deserialize<'de>>(self) -> Schema {
            self.0.into_root_schema_for::<D>()
        }
    }
    with(kind, Describe(generator))
}

/// Whether the type of a kind accepts a document.
pub fn reads(kind: Kind, document: &Node) -> bool {
    struct Read<'a>(&'a Node);
    impl Visit for Read<'_> {
        type Out = bool;

        fn visit<D: JsonSchema + for<'de> Deserialize<'de>>(self) -> bool {
            D::deserialize(self.0).is_ok()
        }
    }
    with(kind, Read(document))
}

/// Returns the fields that a spec names, in the API's shape except for references. Returns none if the spec is not
/// valid.
pub fn body<'de>(kind: ObjectKind, spec: impl Deserializer<'de>) -> Option<Map<String, Value>> {
    fn lowered<'de, S: Deserialize<'de> + Serialize>(
        spec: impl Deserializer<'de>,
        finish: Finish<S>,
    ) -> Option<Map<String, Value>> {
        let spec = S::deserialize(spec).ok()?;
        let mut body = named(&spec);
        finish(&spec, &mut body);
        prune(&mut body);
        Some(body)
    }
    match kind {
        ObjectKind::WebMessaging => lowered(spec, WebMessagingSpec::fill_contrast_ratio),
        ObjectKind::SupportedContent => lowered(spec, as_it_is::<SupportedContentSpec>),
        ObjectKind::MessagingSetting => lowered(spec, as_it_is::<MessagingSettingSpec>),
        ObjectKind::MessagingDefaults => lowered(spec, as_it_is::<MessagingDefaultsSpec>),
        ObjectKind::OpenMessagingIntegration => lowered(spec, as_it_is::<OpenMessagingIntegrationSpec>),
        ObjectKind::MessengerConfiguration => lowered(spec, as_it_is::<MessengerConfigurationSpec>),
        ObjectKind::MessengerDeployment => lowered(spec, MessengerDeploymentSpec::empty_domains),
    }
}
