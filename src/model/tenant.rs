//! A tenant as its manifest declares it: its organizations and how genesync keeps them in sync.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize, Serializer};

use super::{CredentialsName, Dialect, Object, ObjectRef, OrganizationId, Region, TenantName};

/// One object of one organization in one region, with its credentials. In a tenant, the object is the
/// implied one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The organization.
    pub organization: OrganizationId,
    /// Its region.
    pub region: Region,
    /// The name of its credentials.
    pub credentials: CredentialsName,
    /// The object; omitted in JSON if it is the implied one.
    #[serde(default = "Object::implied", skip_serializing_if = "Object::is_implied")]
    pub object: Object,
}

impl Target {
    /// Returns the reference to the object, which has its own version, base and audit trail.
    pub fn object_ref(&self) -> ObjectRef {
        ObjectRef::new(self.organization.clone(), self.object.clone())
    }

    /// Returns the target for another object of the same organization.
    #[must_use]
    pub fn of(&self, object: Object) -> Self {
        Self { object, ..self.clone() }
    }

    /// Formats the object and its organization, also for the implied object, which has no name.
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
    /// Reports and never writes; the default of a new tenant.
    Watch,
    /// Makes the live configuration equal to git.
    Enforce,
}

impl Mode {
    /// Returns the name in YAML and output.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Watch => "watch",
            Mode::Enforce => "enforce",
        }
    }
}

/// What a protected tenant cannot lose by a commit alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protect {
    /// A feature that visitors use is switched off.
    Off,
    /// A site may no longer show the messenger.
    Domains,
    /// Git no longer names the tenant, or one of its objects.
    Removal,
    /// Fewer visitors get it: shorter hours, fewer languages, audiences or media types.
    Reach,
}

impl Protect {
    /// Every value.
    pub const ALL: [Protect; 4] = [Protect::Off, Protect::Domains, Protect::Removal, Protect::Reach];
    /// The meaning of the label `protected: "true"`.
    pub const USUAL: [Protect; 3] = [Protect::Off, Protect::Domains, Protect::Removal];

    /// Returns the name in the label.
    pub fn name(self) -> &'static str {
        match self {
            Protect::Off => "off",
            Protect::Domains => "domains",
            Protect::Removal => "removal",
            Protect::Reach => "reach",
        }
    }

    /// Parses the label: `true`, `false`, or names separated by commas.
    ///
    /// # Errors
    /// The name that is not valid.
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

/// What to do with a field that git and another user moved to different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// Write git's value.
    #[default]
    Git,
    /// Leave the live value until a person decides.
    Hold,
}

/// What to do if another user switched off a feature that is on in git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnOff {
    /// Switch it on again.
    #[default]
    Repair,
    /// Leave it off until a person decides: an on-call engineer may have switched it off.
    Hold,
}

/// What to do with another user's changes in fields that git does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnmanaged {
    /// Report and keep them.
    #[default]
    Report,
    /// Treat them as drift: set the earlier value back.
    Drift,
    /// Keep them without a report.
    Ignore,
}

impl OnUnmanaged {
    fn is_usual(&self) -> bool {
        *self == Self::Report
    }
}

/// Which differences genesync leaves to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// `sync.onConflict`.
    pub on_conflict: OnConflict,
    /// `sync.onOff`.
    pub on_off: OnOff,
    /// `sync.unmanaged`. Omitted if it has the default, so that older digests stay the same.
    #[serde(skip_serializing_if = "OnUnmanaged::is_usual")]
    pub unmanaged: OnUnmanaged,
}

/// A change window: hours in which writes are allowed, by the clock of one time zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Days on which the window opens, Monday = 1 to Sunday = 7.
    pub days: Vec<i8>,
    /// Opening time, minutes after midnight.
    pub start_min: u16,
    /// Closing time, minutes after midnight; if at or before `start_min`, the window crosses midnight.
    pub end_min: u16,
    /// IANA time zone name.
    pub time_zone: String,
}

/// A field that genesync leaves to another user until a date.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct IgnoreRule {
    /// Dotted path of the field, or of a section with all its fields.
    pub field: String,
    /// The last day of the rule, in UTC.
    pub until: Date,
}

/// The desired state of a tenant, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The tenant.
    pub tenant: TenantName,
    /// Digest of its rendered configuration and settings; none if they are not valid.
    pub digest: Option<Arc<str>>,
    /// Whether genesync may write, the wave, and the credentials; none if the settings cannot be read. The
    /// store then keeps the last known settings.
    pub settings: Option<WantedSettings>,
    /// The first error if it is not valid.
    pub invalid: Option<String>,
}

/// The settings of a tenant that the store needs.
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
    /// The API that manages its organizations; omitted in JSON if it is the first dialect.
    #[serde(skip_serializing_if = "Dialect::is_implied")]
    pub dialect: Dialect,
    /// The organization that genesync writes first and that replication copies from.
    pub primary: Target,
    /// The organizations of its other regions, in order.
    pub replicas: Vec<Target>,
    /// Whether genesync may write.
    pub mode: Mode,
    /// Lower waves are applied first.
    pub wave: u32,
    /// When writes are allowed; empty means always.
    pub windows: Vec<Window>,
    /// Fields that genesync leaves to another user until a date, including expired rules.
    pub ignore: Vec<IgnoreRule>,
    /// `metadata.labels.protected`: a loss needs `--allow protected`.
    #[serde(serialize_with = "as_before")]
    pub protected: BTreeSet<Protect>,
    /// Which differences are left to a person.
    #[serde(skip_serializing_if = "Policy::is_usual")]
    pub policy: Policy,
    /// The people to contact.
    pub owners: Vec<String>,
}

impl Policy {
    fn is_usual(&self) -> bool {
        *self == Policy::default()
    }
}

/// Serializes as earlier versions did, so that digests stay the same.
fn as_before<S: Serializer>(protected: &BTreeSet<Protect>, serializer: S) -> Result<S::Ok, S::Error> {
    match protected.len() {
        0 => serializer.serialize_bool(false),
        _ if *protected == BTreeSet::from(Protect::USUAL) => serializer.serialize_bool(true),
        _ => protected.serialize(serializer),
    }
}

impl Tenant {
    /// Returns the primary, then the replicas.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        std::iter::once(&self.primary).chain(&self.replicas)
    }

    /// Returns the fields that are ignored on a day.
    pub fn ignored_on(&self, today: Date) -> BTreeSet<String> {
        let in_force = self.ignore.iter().filter(|rule| today <= rule.until);
        in_force.map(|rule| rule.field.clone()).collect()
    }
}
