//! Kind Tenant: which organizations serve a tenant's configuration, and how they are kept in sync.

use schemars::JsonSchema;
use serde::Deserialize;

use super::choice::choice;
use super::field::present;
use super::text::{Date, Email, FieldPath, Items, Name, Reason, TimeOfDay, TimeZoneName, Uuid, Whole};
use super::web_messaging::Day;
use super::{ApiVersion, Metadata};
use crate::model::{self, CredentialsName, OrganizationId, Region, TenantName};

choice! {
    /// The word `Tenant`.
    pub enum TenantKind {
        /// A tenant.
        Tenant = "Tenant",
    }
}

/// One tenant: its organization, its replicas in other regions, and how they are kept in sync.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Tenant")]
pub struct TenantDocument {
    /// The version of the manifest format.
    pub api_version: ApiVersion,
    /// What this document is.
    pub kind: TenantKind,
    /// Its name: the name of the folder that it stands in.
    pub metadata: Metadata,
    /// Where the tenant's configuration lives and how it is kept in sync.
    pub spec: TenantSpec,
}

choice! {
    /// Which API the organization speaks.
    pub enum Api {
        /// The web messaging configuration API with versions: one WebMessaging a tenant.
        Webchat = "webchat",
        /// Genesys Cloud's public API: messenger configurations, deployments and open messaging integrations.
        Cloud = "cloud",
    }
}

/// Where a tenant's configuration lives and how it is kept in sync.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct TenantSpec {
    /// The organization that is written first.
    pub organization_id: Uuid,
    /// The region that it lives in.
    pub region: RegionKey,
    /// Which API it speaks.
    #[serde(default = "webchat")]
    pub api: Api,
    /// The name under which the operator keeps the OAuth client. Never the client itself.
    pub credentials: Name,
    /// Organizations in other regions that serve the same configuration, in order.
    #[serde(default)]
    pub replicas: Items<Replica, 0, 20>,
    /// How the tenant is kept in sync.
    #[serde(default)]
    pub sync: Sync,
    /// Who to ask about this tenant.
    #[serde(default)]
    pub owners: Items<Email, 0, 20>,
}

fn webchat() -> Api {
    Api::Webchat
}

/// A region's key. An alias of the model's type that can describe itself to a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RegionKey(pub Region);

impl JsonSchema for RegionKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Region".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let keys: Vec<&str> = Region::ALL.iter().map(|region| region.key()).collect();
        schemars::json_schema!({"type": "string", "enum": keys, "examples": ["eu-west-1"]})
    }
}

/// An organization in another region that serves the same configuration.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Replica {
    /// The organization.
    pub organization_id: Uuid,
    /// The region that it lives in.
    pub region: RegionKey,
    /// The name of its credentials; the tenant's own where left out.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Name")]
    pub credentials: Option<Name>,
}

choice! {
    /// Whether genesync may write.
    pub enum SyncMode {
        /// Report and never write: what a new tenant starts in.
        Watch = "watch",
        /// Make the live configuration equal to git.
        Enforce = "enforce",
    }
}

choice! {
    /// What becomes of the live configuration when its manifest is removed.
    pub enum OnRemove {
        /// It stays and is no longer managed.
        Orphan = "orphan",
    }
}

choice! {
    /// What becomes of a field that git and somebody else moved to different values.
    pub enum OnConflict {
        /// It gets git's value.
        Git = "git",
        /// It stays as it is until a person decides.
        Hold = "hold",
    }
}

choice! {
    /// What becomes of what somebody else switched off and git has on.
    pub enum OnOff {
        /// It is switched on again.
        Repair = "repair",
        /// It stays off until a person decides.
        Hold = "hold",
    }
}

choice! {
    /// What becomes of what another user changed in fields that git does not name.
    pub enum OnUnmanaged {
        /// It is reported, and stays.
        Report = "report",
        /// It is drift: the value from before is set back.
        Drift = "drift",
        /// It stays, and nobody is told.
        Ignore = "ignore",
    }
}

/// How a tenant is kept in sync.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Sync {
    /// `watch` reports and never writes; `enforce` writes.
    pub mode: SyncMode,
    /// A change waits until it is in force in all lower waves.
    pub wave: Whole<0, 100>,
    /// What becomes of the live configuration when its manifest is removed.
    pub on_remove: OnRemove,
    /// What becomes of a field that git and somebody else moved to different values.
    pub on_conflict: OnConflict,
    /// What becomes of what somebody else switched off and git has on.
    pub on_off: OnOff,
    /// What becomes of what another user changed in fields that git does not name.
    pub unmanaged: OnUnmanaged,
    /// Hours in which writes are allowed. Empty: always.
    pub windows: Items<WindowSpec, 0, 20>,
    /// Fields that are left to somebody else for a while: differences there are counted, and neither told nor mended.
    pub ignore: Items<IgnoreSpec, 0, 50>,
}

impl Default for Sync {
    fn default() -> Self {
        Self {
            mode: SyncMode::Watch,
            wave: Whole(0),
            on_remove: OnRemove::Orphan,
            on_conflict: OnConflict::Git,
            on_off: OnOff::Repair,
            unmanaged: OnUnmanaged::Report,
            windows: Items(Vec::new()),
            ignore: Items(Vec::new()),
        }
    }
}

/// A field that is left to somebody else for a while.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct IgnoreSpec {
    /// The field, or a section with all that it holds.
    pub field: FieldPath,
    /// The last day on which it is left alone, in UTC. After it the field is managed again.
    pub until: Date,
    /// Why.
    pub reason: Reason,
    /// Who answers for it; the tenant's owners where left out.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Email")]
    pub owner: Option<Email>,
}

/// Hours in which writes are allowed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct WindowSpec {
    /// Days on which it opens; all where left out.
    #[serde(default)]
    pub days: Items<Day, 0, 7>,
    /// Opening time.
    pub start: TimeOfDay,
    /// Closing time; at or before the opening time it is on the following day.
    pub end: TimeOfDay,
    /// The time zone in which the hours are meant.
    pub time_zone: TimeZoneName,
}

impl TenantDocument {
    /// The tenant that it declares.
    pub fn lower(&self) -> model::Tenant {
        let spec = &self.spec;
        let credentials = CredentialsName::new(spec.credentials.0.as_str());
        let replica = |replica: &Replica| model::Target {
            organization: OrganizationId::new(replica.organization_id.0.as_str()),
            region: replica.region.0,
            credentials: replica
                .credentials
                .as_ref()
                .map_or_else(|| credentials.clone(), |name| CredentialsName::new(name.0.as_str())),
            object: model::Object::implied(),
        };
        model::Tenant {
            name: TenantName::new(self.metadata.name.0.as_str()),
            dialect: match spec.api {
                Api::Webchat => model::Dialect::Webchat,
                Api::Cloud => model::Dialect::Cloud,
            },
            primary: model::Target {
                organization: OrganizationId::new(spec.organization_id.0.as_str()),
                region: spec.region.0,
                credentials: credentials.clone(),
                object: model::Object::implied(),
            },
            replicas: spec.replicas.0.iter().map(replica).collect(),
            mode: match spec.sync.mode {
                SyncMode::Watch => model::Mode::Watch,
                SyncMode::Enforce => model::Mode::Enforce,
            },
            wave: spec.sync.wave.0,
            windows: spec.sync.windows.0.iter().map(window).collect(),
            ignore: spec.sync.ignore.0.iter().filter_map(ignore_rule).collect(),
            // What is no such word is a finding of its own.
            protected: (self.metadata.labels.0.get("protected"))
                .and_then(|label| model::Protect::read(&label.0).ok())
                .unwrap_or_default(),
            policy: model::Policy {
                on_conflict: match spec.sync.on_conflict {
                    OnConflict::Git => model::OnConflict::Git,
                    OnConflict::Hold => model::OnConflict::Hold,
                },
                on_off: match spec.sync.on_off {
                    OnOff::Repair => model::OnOff::Repair,
                    OnOff::Hold => model::OnOff::Hold,
                },
                unmanaged: match spec.sync.unmanaged {
                    OnUnmanaged::Report => model::OnUnmanaged::Report,
                    OnUnmanaged::Drift => model::OnUnmanaged::Drift,
                    OnUnmanaged::Ignore => model::OnUnmanaged::Ignore,
                },
            },
            owners: spec.owners.0.iter().map(|owner| owner.0.clone()).collect(),
        }
    }
}

fn window(spec: &WindowSpec) -> model::Window {
    let days = match spec.days.0.as_slice() {
        [] => (1..=7).collect(),
        days => days.iter().map(|day| *day as i8 + 1).collect(),
    };
    model::Window {
        days,
        start_min: minutes(&spec.start.0),
        end_min: minutes(&spec.end.0),
        time_zone: spec.time_zone.0.clone(),
    }
}

/// None where the day is not in the calendar, which is a finding of its own: such a rule never holds.
fn ignore_rule(spec: &IgnoreSpec) -> Option<model::IgnoreRule> {
    Some(model::IgnoreRule { field: spec.field.0.clone(), until: spec.until.0.parse().ok()? })
}

/// Minutes after midnight of a time in the form `HH:MM`; 0 for any other text.
pub fn minutes(text: &str) -> u16 {
    let (hours, minutes) = text.split_once(':').unwrap_or_default();
    let part = |text: &str| text.parse::<u16>().unwrap_or_default();
    part(hours).saturating_mul(60).saturating_add(part(minutes))
}
