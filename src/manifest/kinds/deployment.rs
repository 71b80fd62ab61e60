//! Kind MessengerDeployment: where a configuration is served, and which flow answers.

use serde_json::{Map, Value};

use super::choice::choice;
use super::field::{Field, fields};
use super::platform::{Host, PlatformName, Prose};
use super::resource::{Named, resource};
use super::text::Items;

resource! {
    /// A deployment: what visitors of a web site or an app are served, or, under `bases/`, a layer of one.
    pub document MessengerDeployment(MessengerDeploymentKind = "MessengerDeployment");

    /// What a deployment should hold.
    pub struct MessengerDeploymentSpec {
        /// What people read about it in the platform's screens.
        pub description: Field<Prose>,
        /// The configuration that it serves: the published version of it that says what git says.
        pub configuration: Field<Named>,
        /// The published inbound message flow that answers.
        pub flow: Field<Named>,
        /// Whether it works on every web site.
        pub allow_all_domains: Field<bool>,
        /// Hosts of the web sites that it works on; their subdomains are included. Empty where all are allowed.
        pub allowed_domains: Field<Items<Host, 0, 500>>,
        /// Which media may pass.
        pub supported_content: Field<Named>,
        /// What wakes up mobile apps.
        pub push_integrations: Field<Items<PushIntegration, 0, 20>>,
        /// Whether visitors are served.
        pub status: Field<DeploymentStatus>,
    }
}

impl MessengerDeploymentSpec {
    /// The platform refuses a list of domains beside all of them: a list that another user made meanwhile has to go.
    pub fn empty_domains(&self, body: &mut Map<String, Value>) {
        if self.allow_all_domains == Field::Set(true) && self.allowed_domains.is_unnamed() {
            body.insert("allowedDomains".into(), Value::Array(Vec::new()));
        }
    }
}

choice! {
    /// Whether visitors are served.
    pub enum DeploymentStatus {
        /// They are.
        Active = "Active",
        /// They are not.
        Inactive = "Inactive",
    }
}

choice! {
    /// Whose push service.
    pub enum PushProvider {
        /// Apple's.
        Apns = "APNS",
        /// Google's.
        Fcm = "FCM",
    }
}

fields! {
    /// What wakes up mobile apps of one provider.
    pub struct PushIntegration {
        must {
            /// Whose push service.
            pub provider: PushProvider,
            /// The name of the push integration.
            pub name: PlatformName,
        }
    }
}
