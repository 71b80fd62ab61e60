//! Kind MessengerDeployment: the web sites that a configuration is served on, and the flow that answers.

use serde_json::{Map, Value};

use super::choice::choice;
use super::field::{Field, fields};
use super::platform::{Host, PlatformName, Prose};
use super::resource::{Named, resource};
use super::text::Items;

resource! {
    /// A deployment of a messenger on web sites or in apps, or, under `bases/`, a layer of one.
    pub document MessengerDeployment(MessengerDeploymentKind = "MessengerDeployment");

    /// The desired configuration of a deployment.
    pub struct MessengerDeploymentSpec {
        /// Its description in the platform's screens.
        pub description: Field<Prose>,
        /// The configuration that it serves, in the published version that is equal to git.
        pub configuration: Field<Named>,
        /// The published inbound message flow that answers.
        pub flow: Field<Named>,
        /// Whether it works on every web site.
        pub allow_all_domains: Field<bool>,
        /// Hosts of the web sites that it works on, including their subdomains. Empty if `allowAllDomains` is true.
        pub allowed_domains: Field<Items<Host, 0, 500>>,
        /// The supported content profile: the allowed media.
        pub supported_content: Field<Named>,
        /// The push services that wake up mobile apps.
        pub push_integrations: Field<Items<PushIntegration, 0, 20>>,
        /// Whether the deployment is active.
        pub status: Field<DeploymentStatus>,
    }
}

impl MessengerDeploymentSpec {
    /// Empties `allowedDomains` if all domains are allowed and the list is not managed, because the platform
    /// refuses a list together with `allowAllDomains: true`.
    pub fn empty_domains(&self, body: &mut Map<String, Value>) {
        if self.allow_all_domains == Field::Set(true) && self.allowed_domains.is_unnamed() {
            body.insert("allowedDomains".into(), Value::Array(Vec::new()));
        }
    }
}

choice! {
    /// Whether the deployment is active.
    pub enum DeploymentStatus {
        /// Visitors can use the messenger.
        Active = "Active",
        /// Visitors cannot use the messenger.
        Inactive = "Inactive",
    }
}

choice! {
    /// The provider of a push service.
    pub enum PushProvider {
        /// Apple's.
        Apns = "APNS",
        /// Google's.
        Fcm = "FCM",
    }
}

fields! {
    /// A push service that wakes up the mobile apps of one provider.
    pub struct PushIntegration {
        must {
            /// The provider of the push service.
            pub provider: PushProvider,
            /// The name of the push integration.
            pub name: PlatformName,
        }
    }
}
