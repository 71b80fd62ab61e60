//! A tenant as its manifest declares it: where its configuration lives and how it is kept in sync.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize, Serializer};

use super::{CredentialsName, Dialect, Object, ObjectRef, OrganizationId, Region, TenantName};

/// One object of one organization in one region, and how to reach it. Of a tenant, the organization alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The organization.
    pub organization: OrganizationId,
    /// The region that it lives in.
    pub region: Region,
    /// The name of the credentials to use there.
    pub credentials: CredentialsName,
    /// The object; what the `webchat` dialect has but one of is not written down.
    #[serde(default = "Object::implied", skip_serializing_if = "Object::is_implied")]
    pub object: Object,
}

impl Target {
    /// What has a version, a base and an audit trail of its own.
    pub fn object_ref(&self) -> ObjectRef {
        ObjectRef::new(self.organization.clone(), self.object.clone())
    }

    /// Another object of the same organization.
    #[must_use]
    pub fn of(&self, object: Object) -> Self {
        Self { object, ..self.clone() }
    }

    /// Its object and its organization: that of the implied object has no name of its own.
    pub fn in_full(&self) -> String {
        match self.object.is_implied() {
            true => format!("{} of {self}", self.object),
            false => self.to_string(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.object.is_implied() {
            true => write!(f, "organization {}", self.organization),
            false => self.object_ref().fmt(f),
        }
    }
}

/// Whether genesync may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Reports and never writes: what a new tenant starts in.
    Watch,
    /// Makes the live configuration equal to git.
    Enforce,
}

impl Mode {
    /// The word used in YAML and output.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Watch => "watch",
            Mode::Enforce => "enforce",
        }
    }
}

/// What a protected tenant does not lose by a commit alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protect {
    /// What visitors use is switched off.
    Off,
    /// A site may no longer show it.
    Domains,
    /// Git no longer names the tenant, or one of its objects.
    Removal,
    /// Fewer visitors get it: fewer hours, languages, audiences or media.
    Reach,
}

impl Protect {
    /// Everything that can be protected.
    pub const ALL: [Protect; 4] = [Protect::Off, Protect::Domains, Protect::Removal, Protect::Reach];
    /// What the label `protected: "true"` means.
    pub const USUAL: [Protect; 3] = [Protect::Off, Protect::Domains, Protect::Removal];

    /// The word in the label.
    pub fn name(self) -> &'static str {
        match self {
            Protect::Off => "off",
            Protect::Domains => "domains",
            Protect::Removal => "removal",
            Protect::Reach => "reach",
        }
    }

    /// Reads the label: `true`, `false`, or words with commas between.
    ///
    /// # Errors
    /// The word that is none of them.
    pub fn read(label: &str) -> Result<BTreeSet<Protect>, &str> {
        match label {
            "true" => return Ok(Protect::USUAL.into()),
            "false" => return Ok(BTreeSet::new()),
            _ => {}
        }
        let word = |word: &str| Protect::ALL.into_iter().find(|known| known.name() == word);
        label.split(',').map(str::trim).map(|text| word(text).ok_or(text)).collect()
    }
}

/// What becomes of a field that git and somebody else moved to different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// It gets git's value.
    #[default]
    Git,
    /// It stays as it is until a person decides.
    Hold,
}

/// What becomes of what somebody else switched off and git has on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnOff {
    /// It is switched on again.
    #[default]
    Repair,
    /// It stays off until a person decides: whoever is on call may have done it.
    Hold,
}

/// What becomes of what somebody else changed in fields that git does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnmanaged {
    /// It is told, and stays.
    #[default]
    Report,
    /// It is drift: what was there before is set back.
    Drift,
    /// It stays, and nobody is told.
    Ignore,
}

impl OnUnmanaged {
    fn is_usual(&self) -> bool {
        *self == Self::Report
    }
}

/// Where a difference is not written, but left to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// `sync.onConflict`.
    pub on_conflict: OnConflict,
    /// `sync.onOff`.
    pub on_off: OnOff,
    /// `sync.unmanaged`. The usual is left out: digests from before it was known stay what they are.
    #[serde(skip_serializing_if = "OnUnmanaged::is_usual")]
    pub unmanaged: OnUnmanaged,
}

/// Hours in which writes are allowed, by the clock of one time zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Days on which the window opens, Monday = 1 to Sunday = 7.
    pub days: Vec<i8>,
    /// Opening time, minutes after midnight.
    pub start_min: u16,
    /// Closing time, minutes after midnight; at or before `start_min` the window crosses midnight.
    pub end_min: u16,
    /// IANA time zone name.
    pub time_zone: String,
}

/// A field that somebody else may hold for a while.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct IgnoreRule {
    /// Dotted path of the field, or of a section with all that it holds.
    pub field: String,
    /// The last day on which it holds, in UTC.
    pub until: Date,
}

/// What git says of a tenant, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The tenant.
    pub tenant: TenantName,
    /// Digest of its rendered configuration and settings; none where they are not valid.
    pub digest: Option<Arc<str>>,
    /// Whether genesync may write, in which wave, and with which credentials; none where its settings can't be read:
    /// then what was known last stands.
    pub settings: Option<WantedSettings>,
    /// Where it is not valid, why.
    pub invalid: Option<String>,
}

/// What the store has to know of a tenant's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedSettings {
    /// Whether genesync may write.
    pub enforced: bool,
    /// The credentials of its primary organization.
    pub credentials: CredentialsName,
    /// Its wave.
    pub wave: u32,
}

/// A tenant: one primary organization and its replicas.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// Which API its organizations are managed by. The first one there was is not written down.
    #[serde(skip_serializing_if = "Dialect::is_implied")]
    pub dialect: Dialect,
    /// The organization that is written first and that replication copies from.
    pub primary: Target,
    /// The organizations of its other regions, in order.
    pub replicas: Vec<Target>,
    /// Whether genesync may write.
    pub mode: Mode,
    /// Lower waves are applied first.
    pub wave: u32,
    /// When writes are allowed; empty means always.
    pub windows: Vec<Window>,
    /// Fields that are left to somebody else for a while, expired rules included.
    pub ignore: Vec<IgnoreRule>,
    /// `metadata.labels.protected`: what is lost of it needs `--allow protected`.
    #[serde(serialize_with = "as_before")]
    pub protected: BTreeSet<Protect>,
    /// What is left to a person.
    #[serde(skip_serializing_if = "Policy::is_usual")]
    pub policy: Policy,
    /// Who to ask.
    pub owners: Vec<String>,
}

impl Policy {
    fn is_usual(&self) -> bool {
        *self == Policy::default()
    }
}

/// Digests of earlier versions stay what they were: a tenant that says the same has not moved.
fn as_before<S: Serializer>(protected: &BTreeSet<Protect>, serializer: S) -> Result<S::Ok, S::Error> {
    match protected.len() {
        0 => serializer.serialize_bool(false),
        _ if *protected == BTreeSet::from(Protect::USUAL) => serializer.serialize_bool(true),
        _ => protected.serialize(serializer),
    }
}

impl Tenant {
    /// The primary, then the replicas.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        std::iter::once(&self.primary).chain(&self.replicas)
    }

    /// The fields that are left to somebody else on a day.
    pub fn ignored_on(&self, today: Date) -> BTreeSet<String> {
        let in_force = self.ignore.iter().filter(|rule| today <= rule.until);
        in_force.map(|rule| rule.field.clone()).collect()
    }
}
