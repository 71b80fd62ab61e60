//! Changes by other users in fields that git does not name, as the store keeps them for each tenant.
//!
//! In: plans of observed organizations. Out: the changes to report; a change in many organizations without
//! an author is reported once as the platform's. Never: reports another user's change as the platform's.
//! Start reading at [`Noticed`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::author::Author;
use super::plan::TargetPlan;
use super::{Class, Object, ObjectKind, OrganizationId, Plan, TenantName, json};

/// From this many organizations on, the same value without an author counts as a change by the platform.
const PLATFORM_FROM: usize = 3;

/// One field that differs from the value that genesync wrote last or saw at adoption, or that a person
/// accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Noticed {
    /// The organization.
    pub organization: OrganizationId,
    /// The object; omitted in JSON if it is the implied one.
    #[serde(default = "Object::implied", skip_serializing_if = "Object::is_implied")]
    pub object: Object,
    /// Dotted path in the API's shape.
    pub path: String,
    /// What it does to visitors.
    pub class: Class,
    /// Digest of the live value; equal values have equal digests.
    pub value: String,
    /// The author as text, or why the author is unknown; none if no new version was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether `by` is a name with proof.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_named: bool,
    /// The version at which genesync saw it.
    #[serde(default)]
    pub version: u64,
    /// When genesync first saw it, by its own clock.
    pub since: Timestamp,
}

impl Noticed {
    fn is_same(&self, other: &Self) -> bool {
        (&self.organization, &self.object, &self.path, &self.value)
            == (&other.organization, &other.object, &other.path, &other.value)
    }

    /// Returns the change with earlier knowledge: the time when it was first seen, and a proved name if
    /// only genesync made versions since then. `newest_of` returns the version that genesync's writes lead
    /// to from the known one. After any other version, another user may have set the same value.
    #[must_use]
    pub fn with_known(self, known: &[Self], newest_of: impl Fn(&Self) -> u64) -> Self {
        let Some(before) = self.among(known) else { return self };
        let since = before.since;
        let keeps_name =
            before.is_named && !self.is_named && self.by.is_some() && newest_of(before) == self.version;
        match keeps_name {
            true => Self { version: self.version, ..before.clone() },
            false => Self { since, ..self },
        }
    }

    /// Whether the change is new, or its author has become known.
    pub fn is_new(&self, known: &[Self]) -> bool {
        self.among(known).is_none_or(|before| self.is_named && !before.is_named)
    }

    /// Returns the same change in a list of known changes.
    pub fn among<'a>(&self, known: &'a [Self]) -> Option<&'a Self> {
        known.iter().find(|one| one.is_same(self))
    }

    /// Formats `launcherButton.visibility (off) of MessengerConfiguration `Acme web` …, by Mara Ionescu`.
    pub fn words(&self) -> String {
        let object = super::ObjectRef::new(self.organization.clone(), self.object.clone());
        let by = self.by.as_deref().unwrap_or("no version was made since");
        format!("{} ({}) of {object}, {by}", self.path, self.class.name())
    }
}

/// Returns the unmanaged changes of a plan, as the store keeps them.
pub fn noticed(plan: &Plan, now: Timestamp) -> Vec<Noticed> {
    plan.targets.iter().flat_map(|target| noticed_of(target, now)).collect()
}

/// Returns the unmanaged changes of one object. It keeps a digest of each value; for a hidden value, the
/// digest of the placeholder.
pub fn noticed_of(target: &TargetPlan, now: Timestamp) -> impl Iterator<Item = Noticed> {
    target.unmanaged.iter().map(move |change| {
        let [_, is] = change.shown();
        Noticed {
            organization: target.target.organization.clone(),
            object: target.target.object.clone(),
            class: change.class,
            value: json::digest_bytes(&is.as_ref().map(json::canonical_bytes).unwrap_or_default()),
            by: change.author.as_ref().map(ToString::to_string),
            is_named: matches!(change.author, Some(Author::Named(_) | Author::Own(_))),
            path: change.path.clone(),
            version: target.version.unwrap_or_default(),
            since: now,
        }
    })
}

/// One value that appeared in many organizations without a new version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformChange {
    /// The kind of the objects.
    pub kind: ObjectKind,
    /// Dotted path in the API's shape.
    pub path: String,
    /// Digest of the value.
    pub value: String,
    /// The number of organizations.
    pub organizations: usize,
    /// What it does to visitors.
    pub class: Class,
}

impl PlatformChange {
    /// Whether a change is one of these.
    pub fn covers(&self, one: &Noticed) -> bool {
        one.by.is_none() && (self.kind, &self.path, &self.value) == (one.object.kind, &one.path, &one.value)
    }

    /// Formats `the platform: launcherButton.shape (cosmetic) of MessengerConfiguration, in 12
    /// organizations`.
    pub fn words(&self) -> String {
        let (kind, class) = (self.kind.name(), self.class.name());
        format!("the platform: {} ({class}) of {kind}, in {} organizations", self.path, self.organizations)
    }
}

/// Returns the changes by the platform among all noticed changes.
pub fn by_the_platform<'a>(noticed: impl IntoIterator<Item = &'a Noticed>) -> Vec<PlatformChange> {
    let mut places: BTreeMap<_, (Class, BTreeSet<&OrganizationId>)> = BTreeMap::new();
    for one in noticed.into_iter().filter(|one| one.by.is_none()) {
        let key = (one.object.kind, &one.path, &one.value);
        let (class, organizations) = places.entry(key).or_insert_with(|| (one.class, BTreeSet::new()));
        *class = (*class).max(one.class);
        organizations.insert(&one.organization);
    }
    let many = places.into_iter().filter(|(_, (_, places))| places.len() >= PLATFORM_FROM);
    many.map(|((kind, path, value), (class, places))| PlatformChange {
        kind,
        path: path.clone(),
        value: value.clone(),
        organizations: places.len(),
        class,
    })
    .collect()
}

/// Returns the changes by other users for each tenant, with switched-off features first; leaves out the
/// platform's.
pub fn by_another_user<'a>(
    tenants: impl IntoIterator<Item = (&'a TenantName, &'a [Noticed])>,
    platform: &[PlatformChange],
) -> Vec<(&'a TenantName, Vec<&'a Noticed>)> {
    let theirs = |noticed: &'a [Noticed]| {
        let theirs = noticed.iter().filter(|one| !platform.iter().any(|known| known.covers(one)));
        let mut theirs: Vec<&Noticed> = theirs.collect();
        theirs.sort_by_key(|one| std::cmp::Reverse(one.class));
        theirs
    };
    let all = tenants.into_iter().map(|(tenant, noticed)| (tenant, theirs(noticed)));
    all.filter(|(_, theirs)| !theirs.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(organization: &str, value: &str, by: Option<&str>, class: Class) -> Noticed {
        Noticed {
            organization: OrganizationId::new(organization),
            object: Object::implied(),
            path: "launcher.shape".into(),
            class,
            value: value.into(),
            by: by.map(str::to_owned),
            is_named: by.is_some(),
            version: 5,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn one_value_in_three_organizations_without_an_author_is_a_platform_change() {
        let cosmetic = |organization, value, by| seen(organization, value, by, Class::Cosmetic);
        let table: [(Vec<Noticed>, &[usize]); 6] = [
            (vec![cosmetic("a", "v", None), cosmetic("b", "v", None)], &[]),
            (vec![cosmetic("a", "v", None), cosmetic("b", "v", None), cosmetic("c", "v", None)], &[3]),
            // The same organization twice counts once.
            (vec![cosmetic("a", "v", None), cosmetic("b", "v", None), cosmetic("b", "v", None)], &[]),
            (vec![cosmetic("a", "v", None), cosmetic("b", "v", None), cosmetic("c", "w", None)], &[]),
            // Another user changed one of them, also if the name is unknown.
            (
                vec![cosmetic("a", "v", None), cosmetic("b", "v", None), cosmetic("c", "v", Some("by Mara"))],
                &[],
            ),
            (Vec::new(), &[]),
        ];
        for (noticed, expected) in table {
            let found: Vec<usize> =
                by_the_platform(&noticed).iter().map(|change| change.organizations).collect();
            assert_eq!(found, expected, "{noticed:?}");
        }
    }

    #[test]
    fn a_proved_name_stays_and_a_late_name_is_news() {
        let unknown = Noticed { is_named: false, ..seen("a", "v", Some("author not known"), Class::Text) };
        let mara = Noticed {
            since: Timestamp::from_second(9).unwrap(),
            ..seen("a", "v", Some("by Mara"), Class::Text)
        };
        let later = |one: &Noticed| Noticed { since: Timestamp::from_second(99).unwrap(), ..one.clone() };
        let other = Noticed { value: "w".into(), ..unknown.clone() };
        let table = [
            // (known, seen, what the store keeps, whether it is news)
            (vec![], &mara, mara.clone(), true),
            (vec![mara.clone()], &later(&unknown), mara.clone(), false),
            (vec![unknown.clone()], &later(&mara), Noticed { since: unknown.since, ..mara.clone() }, true),
            (vec![mara.clone()], &later(&mara), mara.clone(), false),
            (vec![mara.clone()], &other, other.clone(), true),
        ];
        for (known, seen, remembered, is_news) in table {
            assert_eq!(seen.clone().with_known(&known, |before| before.version), remembered);
            assert_eq!(seen.is_new(&known), is_news, "{known:?} {seen:?}");
        }
        // After another user's version the value may be theirs; after genesync's version it is not.
        let moved = Noticed { version: 6, ..later(&unknown) };
        let theirs = moved.clone().with_known(std::slice::from_ref(&mara), |before| before.version);
        assert_eq!((theirs.is_named, theirs.by), (false, moved.by.clone()));
        let ours = moved.with_known(std::slice::from_ref(&mara), |before| before.version + 1);
        assert_eq!(ours, Noticed { version: 6, ..mara });
    }

    #[test]
    fn platform_changes_have_no_author_and_off_comes_first() {
        let of = |organization| {
            vec![
                seen(organization, "v", None, Class::Cosmetic),
                Noticed { path: "text".into(), ..seen(organization, "t", Some("by Mara"), Class::Text) },
                Noticed { path: "on".into(), ..seen(organization, "f", Some("by Mara"), Class::Off) },
            ]
        };
        let (a, b) = (TenantName::new("a"), TenantName::new("b"));
        let (of_a, of_b) = ([of("o-1"), of("o-2")].concat(), of("o-3"));
        let platform = by_the_platform(of_a.iter().chain(&of_b));
        assert_eq!(platform.iter().map(|change| change.organizations).collect::<Vec<_>>(), [3]);
        let theirs = by_another_user([(&a, &of_a[..]), (&b, &of_b[..]), (&b, &of_b[..1])], &platform);
        let reported: Vec<(&str, Vec<&str>)> = theirs
            .iter()
            .map(|(tenant, all)| (tenant.as_str(), all.iter().map(|one| one.path.as_str()).collect()))
            .collect();
        assert_eq!(reported, [("a", vec!["on", "on", "text", "text"]), ("b", vec!["on", "text"])]);
    }
}
