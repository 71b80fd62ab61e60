//! Kind Project: the settings of the repository: severities of rules, waivers, guards, the audit log.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::choice::choice;
use super::field::present;
use super::text::{Date, Email, Items, Labels, Name, Reason, RuleId, Whole, form};
use super::{ApiVersion, Metadata};
use crate::model::plan::Limits;
use crate::model::{ObjectKind, Severity};

choice! {
    /// The value of `kind:`.
    pub enum ProjectKind {
        /// A project.
        Project = "Project",
    }
}

/// The settings of the whole repository. It is optional: without it the defaults apply.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Project")]
pub struct Project {
    /// The version of the manifest format.
    pub api_version: ApiVersion,
    /// The kind of this document.
    pub kind: ProjectKind,
    /// Its name.
    pub metadata: Metadata,
    /// The settings.
    #[serde(default)]
    pub spec: ProjectSpec,
}

/// The settings of the whole repository.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct ProjectSpec {
    /// The permanent id of this repository. genesync marks the objects that it writes with it. `genesync init` generates it.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "RepositoryId")]
    pub id: Option<RepositoryId>,
    /// Severities and waivers of rules.
    pub rules: Rules,
    /// Limits on changes. A larger change needs an approval.
    pub guards: Guards,
    /// Settings for the audit log.
    pub audit: Audit,
}

form!(
    RepositoryId,
    "a repository id",
    "The id of this repository: 8 to 64 lower-case letters, digits and dashes.",
    r"^[a-z0-9-]{8,64}$",
    64,
    ["4f1d0c8a92be7365"]
);

/// Settings for the audit log.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Audit {
    /// Kinds whose writes have no entries in the audit log of these organizations. genesync does not read entries for them, and they make no tenant Unconfirmed.
    pub unaudited_kinds: Items<KindName, 0, 20>,
}

/// The name of a kind of object.
#[derive(Debug, Clone, PartialEq)]
pub struct KindName(pub ObjectKind);

impl<'de> Deserialize<'de> for KindName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        ObjectKind::from_name(&name).map(Self).ok_or_else(|| D::Error::custom("not the name of a kind"))
    }
}

impl JsonSchema for KindName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "KindName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = ObjectKind::ALL.iter().map(|kind| kind.name()).collect();
        json_schema!({"type": "string", "enum": names, "description": "The name of a kind of object."})
    }
}

impl ProjectSpec {
    /// Returns the limits that it sets, and the defaults for the others.
    pub fn limits(&self) -> Limits {
        let unaudited = self.audit.unaudited_kinds.0.iter().map(|kind| kind.0).collect();
        let owner = self.id.as_ref().map(|id| id.0.as_str().into());
        Limits { unaudited, owner, ..self.guards.limits() }
    }
}

/// Severities and waivers of rules.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Rules {
    /// The severity of a rule's findings, by rule id: `error`, `warning`, `info` or `ignore`.
    pub severity: Labels<Weight>,
    /// Findings that the project accepts until a date. An expired waiver is an error.
    pub waivers: Items<Waiver, 0, 200>,
}

choice! {
    /// The severity of a finding.
    pub enum Weight {
        /// Stops every write of the tenant.
        Error = "error",
        /// Shown. It stops no write.
        Warning = "warning",
        /// Shown on request. It stops no write.
        Info = "info",
        /// Not checked.
        Ignore = "ignore",
    }
}

impl Weight {
    /// Returns the severity, or none for `ignore`.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Weight::Error => Some(Severity::Error),
            Weight::Warning => Some(Severity::Warning),
            Weight::Info => Some(Severity::Info),
            Weight::Ignore => None,
        }
    }
}

/// Findings of a rule that the project accepts until a date.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Waiver {
    /// The rule.
    pub rule: RuleId,
    /// The tenant that the waiver is for.
    pub tenant: Name,
    /// The contact for the waiver.
    pub owner: Email,
    /// The reason.
    pub reason: Reason,
    /// The last day of the waiver, in UTC.
    pub expires: Date,
}

/// Limits on changes. A larger change needs an approval.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Guards {
    /// Limits on one tenant's plan.
    pub tenant: TenantGuards,
    /// Limits on one run over all tenants.
    pub run: RunGuards,
}

/// Limits on the plan of a tenant that already has a configuration.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct TenantGuards {
    /// How many fields may change. Default 100.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<0, 100_000>")]
    pub changes_max: Option<Whole<0, 100_000>>,
    /// How many of the managed fields may change, in percent. Applies to ten managed fields or more. Default 100.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<0, 100>")]
    pub changes_max_percent: Option<Whole<0, 100>>,
    /// How often genesync may set back one field that another user changes. At the next change within the window genesync holds the tenant. Default 3.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<1, 1_000>")]
    pub flaps_max: Option<Whole<1, 1_000>>,
    /// The window for `flapsMax`, in milliseconds: one minute to one week. Default 3600000, one hour.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<60_000, 604_800_000>")]
    pub flap_window_ms: Option<Whole<60_000, 604_800_000>>,
}

/// Limits on how many tenants with an existing configuration one run may change.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct RunGuards {
    /// How many tenants may change. Default: no limit.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<0, 1_000_000>")]
    pub tenants_max: Option<Whole<0, 1_000_000>>,
    /// How many of all tenants may change, in percent. With three to nine tenants, only those count whose visitors may lose something. Default 50.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<0, 100>")]
    pub tenants_max_percent: Option<Whole<0, 100>>,
}

impl Guards {
    /// Returns the limits that they set, and the defaults for the others.
    fn limits(&self) -> Limits {
        let defaults = Limits::default();
        let count = |value: Option<u32>, default: usize| {
            value.map_or(default, |value| usize::try_from(value).unwrap_or(usize::MAX))
        };
        let percent = |value: Option<u32>, default: u8| {
            value.map_or(default, |value| u8::try_from(value).unwrap_or(100))
        };
        Limits {
            tenant_changes_max: count(self.tenant.changes_max.map(|max| max.0), defaults.tenant_changes_max),
            tenant_changes_max_percent: percent(
                self.tenant.changes_max_percent.map(|max| max.0),
                defaults.tenant_changes_max_percent,
            ),
            run_tenants_max: count(self.run.tenants_max.map(|max| max.0), defaults.run_tenants_max),
            run_tenants_max_percent: percent(
                self.run.tenants_max_percent.map(|max| max.0),
                defaults.run_tenants_max_percent,
            ),
            flaps_max: count(self.tenant.flaps_max.map(|max| max.0), defaults.flaps_max),
            flap_window_ms: self.tenant.flap_window_ms.map_or(defaults.flap_window_ms, |ms| ms.0.into()),
            drafts: Default::default(),
            allowed: defaults.allowed,
            owner: defaults.owner,
            unaudited: defaults.unaudited,
        }
    }
}
