//! What a commit changes in what git manages: who is in it, what of them, and whether it is written.
//!
//! In: a tenant before and after, the project before and after. Out: [`Sentence`]s. Never: says what visitors see, which is
//! `visitors`; what nobody manages any more stays live, so that no plan has a change that shows it.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::sentence::Sentence;
use super::value::{REVIEWED_LENGTH_MAX, counted, pair_within};
use crate::model::tenant::IgnoreRule;
use crate::model::{Class, Mode, Resource, Tenant, json};

/// Most fields that are named.
const NAMED_MAX: usize = 12;

/// What git says of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Managed<'a> {
    /// The tenant.
    pub tenant: &'a Tenant,
    /// What it asks for; none where its manifests are not valid.
    pub resources: Option<&'a [Resource]>,
    /// The time zone of its opening hours.
    pub time_zone: Option<&'a str>,
}

/// What is to be said of a tenant that is not there any more, or whose organization another one has now.
pub fn gone(heir: Option<&str>) -> Sentence {
    match heir {
        Some(heir) => {
            Sentence::new(Class::Reach, "its organization belongs to another tenant now: ").value(heir)
        }
        None => Sentence::new(
            Class::Reach,
            "no longer in git: what is live stays as it is, and nobody looks at it",
        ),
    }
}

/// What is to be said of what could not be read in the older revision.
pub fn unread() -> Sentence {
    Sentence::new(Class::Reach, "could not be read before: what changed in it can't be told")
}

/// What is to be said of a tenant that was not there.
pub fn new(after: Managed<'_>) -> Sentence {
    let words = match after.tenant.mode {
        Mode::Watch => "new in git, and only watched",
        Mode::Enforce => "new in git, and enforced",
    };
    Sentence::new(Class::Reach, words)
}

/// What changes about a tenant, as of a day.
pub fn sentences(before: Managed<'_>, after: Managed<'_>, today: Date) -> Vec<Sentence> {
    let said = |words: &str| Sentence::new(Class::Reach, words);
    let mut told = settings(before.tenant, after.tenant, today);
    if let (Some(old), Some(new)) = (before.resources, after.resources) {
        told.extend(given_up(old, new));
    }
    let is_read = before.resources.is_some() && after.resources.is_some();
    if is_read && before.time_zone != after.time_zone {
        let name = |zone: Option<&str>| zone.unwrap_or("none").to_owned();
        let moved = said("the time zone of its hours: ").value(name(before.time_zone)).words(" becomes ");
        let moved = moved.value(name(after.time_zone));
        told.push(moved.words("; it is not sent, so set it in the organization too"));
    }
    told
}

fn settings(before: &Tenant, after: &Tenant, today: Date) -> Vec<Sentence> {
    let said = |words: &str| Sentence::new(Class::Reach, words);
    let mut told = Vec::new();
    match (before.mode, after.mode) {
        (Mode::Enforce, Mode::Watch) => {
            told.push(said("only watched from now on: nothing is written any more"))
        }
        (Mode::Watch, Mode::Enforce) => told.push(said("enforced from now on: differences are written")),
        (Mode::Watch, Mode::Watch) | (Mode::Enforce, Mode::Enforce) => {}
    }
    let lifted: Vec<&str> = before.protected.difference(&after.protected).map(|what| what.name()).collect();
    if !lifted.is_empty() {
        told.push(said("no longer protected: ").value(lifted.join(", ")));
    }
    if before.policy != after.policy {
        told.push(said(
            "what becomes of conflicts, of what was switched off, and of fields that git does not name, changes",
        ));
    }
    let organizations = |tenant: &Tenant| -> Vec<String> {
        tenant.targets().map(|target| format!("{} {}", target.region, target.organization)).collect()
    };
    let (old, new) = (organizations(before), organizations(after));
    if old != new {
        told.push(said("its organizations: ").value(old.join(", ")).words(" becomes ").value(new.join(", ")));
    }
    // A rule that has expired leaves nothing to anybody.
    let in_force = |rule: &&IgnoreRule| today <= rule.until;
    for rule in after.ignore.iter().filter(in_force).filter(|rule| !before.ignore.contains(rule)) {
        told.push(
            said("left to somebody else until ").words(rule.until.to_string()).words(": ").value(&rule.field),
        );
    }
    for rule in before.ignore.iter().filter(in_force) {
        if !after.ignore.iter().any(|known| known.field == rule.field) {
            told.push(said("no longer left to somebody else: ").value(&rule.field));
        }
    }
    if before.windows != after.windows {
        told.push(said("the times change at which it may be written"));
    }
    told
}

/// Objects and fields that git named and does not name any more.
fn given_up(before: &[Resource], after: &[Resource]) -> Vec<Sentence> {
    let mut told = Vec::new();
    for old in before {
        let object = &old.object;
        let Some(new) = after.iter().find(|new| new.object == *object) else {
            let sentence = Sentence::new(Class::Reach, "no longer managed, and stays as it is: ");
            told.push(sentence.value(object.to_string()));
            continue;
        };
        // What an exclusive manifest does not name is removed: the plan shows that.
        if new.desired.exclusive {
            continue;
        }
        if old.desired.exclusive {
            told.push(Sentence::new(
                Class::Reach,
                "no longer exclusive: what it does not name stays as it is",
            ));
        }
        let now = leaves(&new.desired.body);
        let gone: Vec<String> =
            leaves(&old.desired.body).into_iter().filter(|path| !is_named(path, &now)).collect();
        if gone.is_empty() {
            continue;
        }
        let more = gone.len().saturating_sub(NAMED_MAX);
        let shown = gone.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        let sentence = Sentence::new(Class::Reach, "no longer managed, and stays as it is: ").value(shown);
        told.push(if more > 0 {
            sentence.words(format!(" and {}", counted(more, "further field")))
        } else {
            sentence
        });
    }
    told
}

fn leaves(body: &Map<String, Value>) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    json::leaves(body, &mut |path, _| {
        // Computed where nobody names it: it goes with the colours.
        if super::review::remark(path).is_none() {
            paths.insert(path.to_owned());
        }
    });
    paths
}

/// Whether a field is named, or stands in for what is: a section that became a value, or the other way round.
fn is_named(path: &str, now: &BTreeSet<String>) -> bool {
    let below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
    now.iter().any(|known| known == path || below(known, path) || below(path, known))
}

/// What changes in the settings that all tenants share.
pub fn project(before: Option<&Value>, after: Option<&Value>) -> Vec<Sentence> {
    let nothing = Map::new();
    let map =
        |document: Option<&Value>| document.and_then(|document| document.get("spec")?.as_object().cloned());
    let (old, new) = (map(before), map(after));
    let (old, new) = (old.as_ref().unwrap_or(&nothing), new.as_ref().unwrap_or(&nothing));
    let mut paths = BTreeSet::new();
    for side in [old, new] {
        json::leaves(side, &mut |path, _| {
            if json::at_dotted(old, path) != json::at_dotted(new, path) {
                paths.insert(path.to_owned());
            }
        });
    }
    let sentence = |path: &String| {
        let [before, now] =
            pair_within(path, json::at_dotted(old, path), json::at_dotted(new, path), REVIEWED_LENGTH_MAX);
        Sentence::new(Class::Reach, "").value(path).words(": ").value(before).words(" becomes ").value(now)
    };
    let more = paths.len().saturating_sub(NAMED_MAX);
    let mut told: Vec<Sentence> = paths.iter().take(NAMED_MAX).map(sentence).collect();
    if more > 0 {
        told.push(Sentence::new(Class::Reach, format!("and {}", counted(more, "further setting"))));
    }
    told
}
