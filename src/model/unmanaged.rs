//! What somebody changed in fields that git does not name, as it is remembered of a tenant.
//!
//! In: what each organization was seen to hold. Out: what is told of it, once for many organizations where nobody there did
//! it. Never: takes what somebody edited for the platform's own doing. Start reading at [`Noticed`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::author::Author;
use super::plan::TargetPlan;
use super::{Class, Object, ObjectKind, OrganizationId, Plan, TenantName, json};

/// In so many organizations one value has to appear for it to be the platform's own doing.
const PLATFORM_FROM: usize = 3;

/// One field that differs from what we wrote last, saw adopted, or a person accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Noticed {
    /// The organization.
    pub organization: OrganizationId,
    /// The object; left out where the organization has but one.
    #[serde(default = "Object::implied", skip_serializing_if = "Object::is_implied")]
    pub object: Object,
    /// Dotted path in the API's shape.
    pub path: String,
    /// What was done to visitors by it.
    pub class: Class,
    /// Digest of the live value: equal values have equal ones.
    pub value: String,
    /// Who did it, in words, or why that is not known; none where no version was made since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether that is a name, told with proof.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_named: bool,
    /// The version at which that was so.
    #[serde(default)]
    pub version: u64,
    /// When it was first seen, by our clock.
    pub since: Timestamp,
}

impl Noticed {
    fn is_same(&self, other: &Self) -> bool {
        (&self.organization, &self.object, &self.path, &self.value)
            == (&other.organization, &other.object, &other.path, &other.value)
    }

    /// The same with what was known of it: when it was seen first, and a name that was proved then, if since then no version
    /// was made but by us. `newest_of` says to which version writes of ours lead from the one that was known: after any other
    /// version another user may have set the same value.
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

    /// Whether it was not there before, or nobody could be named for it.
    pub fn is_new(&self, known: &[Self]) -> bool {
        self.among(known).is_none_or(|before| self.is_named && !before.is_named)
    }

    /// The same change, as it was known.
    pub fn among<'a>(&self, known: &'a [Self]) -> Option<&'a Self> {
        known.iter().find(|one| one.is_same(self))
    }

    /// `launcherButton.visibility (off) of MessengerConfiguration `Acme web` …, by Mara Ionescu`.
    pub fn words(&self) -> String {
        let object = super::ObjectRef::new(self.organization.clone(), self.object.clone());
        let by = self.by.as_deref().unwrap_or("no version was made since");
        format!("{} ({}) of {object}, {by}", self.path, self.class.name())
    }
}

/// What is remembered of a plan's unmanaged changes.
pub fn noticed(plan: &Plan, now: Timestamp) -> Vec<Noticed> {
    plan.targets.iter().flat_map(|target| noticed_of(target, now)).collect()
}

/// What is remembered of one object's. A value is kept as its digest, and one that is not to be shown as none.
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

/// One value that appeared in many organizations while nobody edited anything there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformChange {
    /// The kind of the objects.
    pub kind: ObjectKind,
    /// Dotted path in the API's shape.
    pub path: String,
    /// Digest of the value.
    pub value: String,
    /// In how many organizations.
    pub organizations: usize,
    /// What it does to visitors.
    pub class: Class,
}

impl PlatformChange {
    /// Whether this is one of those that it speaks of.
    pub fn covers(&self, one: &Noticed) -> bool {
        one.by.is_none() && (self.kind, &self.path, &self.value) == (one.object.kind, &one.path, &one.value)
    }

    /// `the platform: launcherButton.shape (cosmetic) of MessengerConfiguration, in 12 organizations`.
    pub fn words(&self) -> String {
        let (kind, class) = (self.kind.name(), self.class.name());
        format!("the platform: {} ({class}) of {kind}, in {} organizations", self.path, self.organizations)
    }
}

/// What is the platform's own doing, of all that was noticed.
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

/// What somebody did, tenant by tenant, what was switched off first; what the platform did is left out.
pub fn by_somebody<'a>(
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
    fn one_value_in_three_organizations_without_an_editor_is_the_platforms() {
        let cosmetic = |organization, value, by| seen(organization, value, by, Class::Cosmetic);
        let table: [(Vec<Noticed>, &[usize]); 6] = [
            (vec![cosmetic("a", "v", None), cosmetic("b", "v", None)], &[]),
            (vec![cosmetic("a", "v", None), cosmetic("b", "v", None), cosmetic("c", "v", None)], &[3]),
            // One organization twice is one.
            (vec![cosmetic("a", "v", None), cosmetic("b", "v", None), cosmetic("b", "v", None)], &[]),
            (vec![cosmetic("a", "v", None), cosmetic("b", "v", None), cosmetic("c", "w", None)], &[]),
            // Somebody edited there, whether or not it is known who.
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
    fn a_name_that_was_proved_stays_and_one_that_comes_late_is_news() {
        let unknown = Noticed { is_named: false, ..seen("a", "v", Some("author not known"), Class::Text) };
        let mara = Noticed {
            since: Timestamp::from_second(9).unwrap(),
            ..seen("a", "v", Some("by Mara"), Class::Text)
        };
        let later = |one: &Noticed| Noticed { since: Timestamp::from_second(99).unwrap(), ..one.clone() };
        let other = Noticed { value: "w".into(), ..unknown.clone() };
        let table = [
            // (known, seen, what is remembered, whether it is news)
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
        // After a version of another user it may be theirs; after one of ours it is not.
        let moved = Noticed { version: 6, ..later(&unknown) };
        let theirs = moved.clone().with_known(std::slice::from_ref(&mara), |before| before.version);
        assert_eq!((theirs.is_named, theirs.by), (false, moved.by.clone()));
        let ours = moved.with_known(std::slice::from_ref(&mara), |before| before.version + 1);
        assert_eq!(ours, Noticed { version: 6, ..mara });
    }

    #[test]
    fn what_the_platform_did_is_nobodys_and_off_stands_first() {
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
        let theirs = by_somebody([(&a, &of_a[..]), (&b, &of_b[..]), (&b, &of_b[..1])], &platform);
        let told: Vec<(&str, Vec<&str>)> = theirs
            .iter()
            .map(|(tenant, all)| (tenant.as_str(), all.iter().map(|one| one.path.as_str()).collect()))
            .collect();
        assert_eq!(told, [("a", vec!["on", "on", "text", "text"]), ("b", vec!["on", "text"])]);
    }
}
