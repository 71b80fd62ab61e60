//! Names and identifiers, each with its own type so that they cannot be confused.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps text that its parser has already checked.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// A tenant: the name of its folder under `tenants/`.
    TenantName
}
name_type! {
    /// A Genesys organization's id (a UUID).
    OrganizationId
}
name_type! {
    /// The name under which the operator keeps an OAuth client's id and secret.
    CredentialsName
}
name_type! {
    /// The name under which the operator keeps the secret that a webhook's messages are signed with.
    SecretName
}
name_type! {
    /// A git commit's hash, or `folder` for files read from a plain folder.
    Revision
}

impl Revision {
    /// Returns the first twelve characters, which identify a commit in a table.
    pub fn short(&self) -> &str {
        self.as_str().get(..12).unwrap_or(self.as_str())
    }
}

macro_rules! regions {
    ($($variant:ident $key:literal $domain:literal),+ $(,)?) => {
        /// A public Genesys Cloud region. Manifests name a region by its key and cannot name a host: the
        /// hosts come from this table or from the operator's settings.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Region {
            $(#[doc = concat!("`", $key, "`, served at `", $domain, "`.")] #[serde(rename = $key)] $variant),+
        }

        impl Region {
            /// Every region, in the order of Genesys.
            pub const ALL: &'static [Region] = &[$(Region::$variant),+];

            /// The key used in manifests, such as `eu-west-1`.
            pub fn key(self) -> &'static str {
                match self { $(Region::$variant => $key),+ }
            }

            /// The region's domain, such as `mypurecloud.ie`; the API host is `api.` plus the domain.
            pub fn domain(self) -> &'static str {
                match self { $(Region::$variant => $domain),+ }
            }
        }
    };
}

regions! {
    UsEast1 "us-east-1" "mypurecloud.com",
    UsEast2 "us-east-2" "use2.us-gov-pure.cloud",
    UsWest2 "us-west-2" "usw2.pure.cloud",
    CaCentral1 "ca-central-1" "cac1.pure.cloud",
    MxCentral1 "mx-central-1" "mxc1.pure.cloud",
    SaEast1 "sa-east-1" "sae1.pure.cloud",
    EuWest1 "eu-west-1" "mypurecloud.ie",
    EuWest2 "eu-west-2" "euw2.pure.cloud",
    EuCentral1 "eu-central-1" "mypurecloud.de",
    EuCentral2 "eu-central-2" "euc2.pure.cloud",
    EuscDeEast1 "eusc-de-east-1" "edee1.eusc-pure.cloud",
    MeCentral1 "me-central-1" "mec1.pure.cloud",
    ApSouth1 "ap-south-1" "aps1.pure.cloud",
    ApNortheast1 "ap-northeast-1" "mypurecloud.jp",
    ApNortheast2 "ap-northeast-2" "apne2.pure.cloud",
    ApNortheast3 "ap-northeast-3" "apne3.pure.cloud",
    ApSoutheast1 "ap-southeast-1" "apse1.pure.cloud",
    ApSoutheast2 "ap-southeast-2" "mypurecloud.com.au",
}

impl Region {
    /// Finds a region by its key.
    pub fn from_key(key: &str) -> Option<Region> {
        Region::ALL.iter().copied().find(|region| region.key() == key)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}
