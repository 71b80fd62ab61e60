//! Kind Project: the repository's own settings: how much rules weigh, waivers, guards, what the audit log is asked for.

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
    /// The word `Project`.
    pub enum ProjectKind {
        /// A project.
        Project = "Project",
    }
}

/// The settings of the whole repository. Optional: without it the defaults hold.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Project")]
pub struct Project {
    /// The version of the manifest format.
    pub api_version: ApiVersion,
    /// What this document is.
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
    /// Which repository this is, for ever: whatever it writes is marked with it. `genesync init` draws it.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "RepositoryId")]
    pub id: Option<RepositoryId>,
    /// How rules are applied.
    pub rules: Rules,
    /// How much may change without being asked about.
    pub guards: Guards,
    /// What is asked of the audit log.
    pub audit: Audit,
}

form!(
    RepositoryId,
    "a repository id",
    "Which repository this is: 8 to 64 lower-case letters, digits and dashes.",
    r"^[a-z0-9-]{8,64}$",
    64,
    ["4f1d0c8a92be7365"]
);

/// What is asked of the audit log.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Audit {
    /// Kinds of whose writes the audit log of these organizations has no entries: none is asked for, and no tenant is Unconfirmed for them.
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
    /// The limits that it sets; the defaults where it is silent.
    pub fn limits(&self) -> Limits {
        let unaudited = self.audit.unaudited_kinds.0.iter().map(|kind| kind.0).collect();
        let owner = self.id.as_ref().map(|id| id.0.as_str().into());
        Limits { unaudited, owner, ..self.guards.limits() }
    }
}

/// How rules are applied.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct Rules {
    /// How much a rule's findings weigh, by rule id: `error`, `warning`, `info` or `ignore`.
    pub severity: Labels<Weight>,
    /// Findings that are accepted for a while. An expired waiver is itself an error.
    pub waivers: Items<Waiver, 0, 200>,
}

choice! {
    /// How much a finding weighs.
    pub enum Weight {
        /// Stops every write of the tenant.
        Error = "error",
        /// Shown, never in the way.
        Warning = "warning",
        /// Shown on request.
        Info = "info",
        /// Not checked.
        Ignore = "ignore",
    }
}

impl Weight {
    /// The severity, or none for `ignore`.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Weight::Error => Some(Severity::Error),
            Weight::Warning => Some(Severity::Warning),
            Weight::Info => Some(Severity::Info),
            Weight::Ignore => None,
        }
    }
}

/// A rule's findings that are accepted for a while.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Waiver {
    /// The rule.
    pub rule: RuleId,
    /// The tenant that it is accepted for.
    pub tenant: Name,
    /// Who answers for it.
    pub owner: Email,
    /// Why.
    pub reason: Reason,
    /// The last day on which it holds.
    pub expires: Date,
}

/// How much may change without being asked about.
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
    /// Most fields that may change. Default 100.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<0, 100_000>")]
    pub changes_max: Option<Whole<0, 100_000>>,
    /// Most of the managed fields that may change, in percent; counts from ten managed fields on. Default 100.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<0, 100>")]
    pub changes_max_percent: Option<Whole<0, 100>>,
    /// How often one field may be set back after somebody else moved it; moved once more within the window, the tenant is held. Default 3.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<1, 1_000>")]
    pub flaps_max: Option<Whole<1, 1_000>>,
    /// How long a field that was set back counts, in milliseconds: a minute to a week. Default 3600000, one hour.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<60_000, 604_800_000>")]
    pub flap_window_ms: Option<Whole<60_000, 604_800_000>>,
}

/// Limits on how many tenants with an existing configuration one run may change.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(inline)]
pub struct RunGuards {
    /// Most tenants. Default: no limit.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<0, 1_000_000>")]
    pub tenants_max: Option<Whole<0, 1_000_000>>,
    /// Most of all tenants, in percent; counts from ten tenants on. Default 50.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Whole<0, 100>")]
    pub tenants_max_percent: Option<Whole<0, 100>>,
}

impl Guards {
    /// The limits that they set; the defaults where they are silent.
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
