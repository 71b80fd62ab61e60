//! Kind Tenant: the organizations of a tenant, and how genesync keeps them in sync.

use schemars::JsonSchema;
use serde::Deserialize;

use super::choice::choice;
use super::field::present;
use super::text::{Date, Email, FieldPath, Items, Name, Reason, TimeOfDay, TimeZoneName, Uuid, Whole};
use super::web_messaging::Day;
use super::{ApiVersion, Metadata};
use crate::model::{self, CredentialsName, OrganizationId, Region, TenantName};

choice! {
    /// The value of `kind:`.
    pub enum TenantKind {
        /// A tenant.
        Tenant = "Tenant",
    }
}

/// One tenant: its organization, its replicas in other regions, and how genesync keeps them in sync.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Tenant")]
pub struct TenantDocument {
    /// The version of the manifest format.
    pub api_version: ApiVersion,
    /// The kind of this document.
    pub kind: TenantKind,
    /// Its name, which must be the name of its folder.
    pub metadata: Metadata,
    /// The tenant's organizations and how genesync keeps them in sync.
    pub spec: TenantSpec,
}

choice! {
    /// The API of the organization.
    pub enum Api {
        /// The web messaging configuration API with versions: one WebMessaging for each tenant.
        Webchat = "webchat",
        /// Genesys Cloud's public API: messenger configurations, deployments and open messaging integrations.
        Cloud = "cloud",
    }
}

/// A tenant's organizations and how genesync keeps them in sync.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct TenantSpec {
    /// The primary organization, which genesync writes first.
    pub organization_id: Uuid,
    /// Its region.
    pub region: RegionKey,
    /// The API of its organizations.
    #[serde(default = "webchat")]
    pub api: Api,
    /// The name under which the operator keeps the OAuth client. Never the client itself.
    pub credentials: Name,
    /// Organizations in other regions with the same configuration, in the order of writes.
    #[serde(default)]
    pub replicas: Items<Replica, 0, 20>,
    /// How genesync keeps the tenant in sync.
    #[serde(default)]
    pub sync: Sync,
    /// The contacts for this tenant.
    #[serde(default)]
    pub owners: Items<Email, 0, 20>,
}

fn webchat() -> Api {
    Api::Webchat
}

/// A region's key. It wraps the model's type to add a schema.
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

/// An organization in another region with the same configuration.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Replica {
    /// The organization.
    pub organization_id: Uuid,
    /// Its region.
    pub region: RegionKey,
    /// The name of its credentials. Default: the tenant's credentials.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Name")]
    pub credentials: Option<Name>,
}

choice! {
    /// Whether genesync may write.
    pub enum SyncMode {
        /// Report and never write. This is the default.
        Watch = "watch",
        /// Make the live configuration equal to git.
        Enforce = "enforce",
    }
}

choice! {
    /// What genesync does with the live configuration if its manifest is removed.
    pub enum OnRemove {
        /// It leaves the configuration as it is and stops managing it.
        Orphan = "orphan",
    }
}

choice! {
    /// What genesync does if git and another user changed a field to different values.
    pub enum OnConflict {
        /// It writes git's value.
        Git = "git",
        /// It leaves the field as it is until a person decides.
        Hold = "hold",
    }
}

choice! {
    /// What genesync does if another user switched off a feature or an object that git has on.
    pub enum OnOff {
        /// It switches it on again.
        Repair = "repair",
        /// It leaves it off until a person decides.
        Hold = "hold",
    }
}

choice! {
    /// What genesync does if another user changed fields that git does not name.
    pub enum OnUnmanaged {
        /// It reports the change and leaves it.
        Report = "report",
        /// It treats the change as drift and writes the previous value.
        Drift = "drift",
        /// It leaves the change and does not report it.
        Ignore = "ignore",
    }
}

/// How genesync keeps a tenant in sync.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Sync {
    /// `watch` reports and never writes; `enforce` writes.
    pub mode: SyncMode,
    /// The wave of the tenant, 0 to 100. A change waits until all lower waves have applied it.
    pub wave: Whole<0, 100>,
    /// What genesync does with the live configuration if its manifest is removed.
    pub on_remove: OnRemove,
    /// What genesync does if git and another user changed a field to different values.
    pub on_conflict: OnConflict,
    /// What genesync does if another user switched off a feature or an object that git has on.
    pub on_off: OnOff,
    /// What genesync does if another user changed fields that git does not name.
    pub unmanaged: OnUnmanaged,
    /// Change windows: the hours in which genesync may write. Empty: always.
    pub windows: Items<WindowSpec, 0, 20>,
    /// Fields that genesync ignores until a date. It counts differences there, but does not report or overwrite them.
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

/// A field that genesync ignores until a date.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct IgnoreSpec {
    /// The field, or a section with all its fields.
    pub field: FieldPath,
    /// The last day on which genesync ignores it, in UTC. Then genesync manages the field again.
    pub until: Date,
    /// The reason.
    pub reason: Reason,
    /// The contact for this rule. Default: the tenant's owners.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Email")]
    pub owner: Option<Email>,
}

/// A change window: the hours in which genesync may write.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct WindowSpec {
    /// Days on which it opens. Default: every day.
    #[serde(default)]
    pub days: Items<Day, 0, 7>,
    /// Opening time.
    pub start: TimeOfDay,
    /// Closing time. If it is not after the opening time, it is on the next day.
    pub end: TimeOfDay,
    /// The time zone of the hours.
    pub time_zone: TimeZoneName,
}

impl TenantDocument {
    /// Converts the document to the model's tenant.
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
            // An invalid label already has a finding.
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

/// Returns none if the date is not in the calendar: such a rule has a finding and never applies.
fn ignore_rule(spec: &IgnoreSpec) -> Option<model::IgnoreRule> {
    Some(model::IgnoreRule { field: spec.field.0.clone(), until: spec.until.0.parse().ok()? })
}

/// Returns the minutes after midnight of a time `HH:MM`; 0 for any other text.
pub fn minutes(text: &str) -> u16 {
    let (hours, minutes) = text.split_once(':').unwrap_or_default();
    let part = |text: &str| text.parse::<u16>().unwrap_or_default();
    part(hours).saturating_mul(60).saturating_add(part(minutes))
}
