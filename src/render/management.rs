//! What a commit changes in what git manages: tenants, objects, fields, and modes.
//!
//! In: a tenant before and after, the project before and after. Out: [`Sentence`]s. Never: describes what
//! visitors see, which `visitors` does. A plan has no change for an object that is no longer managed, because
//! it stays live.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::sentence::Sentence;
use super::value::{REVIEWED_LENGTH_MAX, counted, pair_within};
use crate::model::tenant::IgnoreRule;
use crate::model::{Class, Mode, Resource, Tenant, json};

/// Most fields that a sentence names.
const NAMED_MAX: usize = 12;

/// The manifests of a tenant in one revision.
#[derive(Debug, Clone, Copy)]
pub struct Managed<'a> {
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The desired objects; none if the manifests are not valid.
    pub resources: Option<&'a [Resource]>,
    /// The time zone of the opening hours.
    pub time_zone: Option<&'a str>,
}

/// Returns the sentence for a tenant that was removed, or whose organization now belongs to another tenant
/// (`heir`).
pub fn gone(heir: Option<&str>) -> Sentence {
    match heir {
        Some(heir) => Sentence::new(Class::Reach, "its organization now belongs to tenant ").value(heir),
        None => Sentence::new(
            Class::Reach,
            "no longer in git: genesync stops managing it and leaves it unchanged",
        ),
    }
}

/// Returns the sentence for a tenant that was not readable in the older revision.
pub fn unread() -> Sentence {
    Sentence::new(Class::Reach, "could not be read before, so its changes are unknown")
}

/// Returns the sentence for a new tenant.
pub fn new(after: Managed<'_>) -> Sentence {
    let words = match after.tenant.mode {
        Mode::Watch => "new in git, and only watched",
        Mode::Enforce => "new in git, and enforced",
    };
    Sentence::new(Class::Reach, words)
}

/// Returns the sentences on what changes for a tenant, with the ignore rules that apply today.
pub fn sentences(before: Managed<'_>, after: Managed<'_>, today: Date) -> Vec<Sentence> {
    let said = |words: &str| Sentence::new(Class::Reach, words);
    let mut reported = settings(before.tenant, after.tenant, today);
    if let (Some(old), Some(new)) = (before.resources, after.resources) {
        reported.extend(given_up(old, new));
    }
    let is_read = before.resources.is_some() && after.resources.is_some();
    if is_read && before.time_zone != after.time_zone {
        let name = |zone: Option<&str>| zone.unwrap_or("none").to_owned();
        let moved =
            said("the time zone of its hours changes from ").value(name(before.time_zone)).words(" to ");
        let moved = moved.value(name(after.time_zone));
        reported.push(moved.words(": genesync does not send it, so set it in the organization too"));
    }
    reported
}

fn settings(before: &Tenant, after: &Tenant, today: Date) -> Vec<Sentence> {
    let said = |words: &str| Sentence::new(Class::Reach, words);
    let mut reported = Vec::new();
    match (before.mode, after.mode) {
        (Mode::Enforce, Mode::Watch) => {
            reported.push(said("only watched from now on: genesync writes nothing"))
        }
        (Mode::Watch, Mode::Enforce) => {
            reported.push(said("enforced from now on: genesync writes differences"))
        }
        (Mode::Watch, Mode::Watch) | (Mode::Enforce, Mode::Enforce) => {}
    }
    let lifted: Vec<&str> = before.protected.difference(&after.protected).map(|what| what.name()).collect();
    if !lifted.is_empty() {
        reported.push(said("no longer protected: ").value(lifted.join(", ")));
    }
    if before.policy != after.policy {
        reported.push(said(
            "the policy changes for conflicts, switched-off settings, or fields that git does not name",
        ));
    }
    let organizations = |tenant: &Tenant| -> Vec<String> {
        tenant.targets().map(|target| format!("{} {}", target.region, target.organization)).collect()
    };
    let (old, new) = (organizations(before), organizations(after));
    if old != new {
        reported.push(
            said("its organizations change from ").value(old.join(", ")).words(" to ").value(new.join(", ")),
        );
    }
    // An expired rule ignores nothing.
    let in_force = |rule: &&IgnoreRule| today <= rule.until;
    for rule in after.ignore.iter().filter(in_force).filter(|rule| !before.ignore.contains(rule)) {
        reported.push(said("ignored until ").words(rule.until.to_string()).words(": ").value(&rule.field));
    }
    for rule in before.ignore.iter().filter(in_force) {
        if !after.ignore.iter().any(|known| known.field == rule.field) {
            reported.push(said("no longer ignored: ").value(&rule.field));
        }
    }
    if before.windows != after.windows {
        reported.push(said("different change windows"));
    }
    reported
}

/// Returns the sentences for objects and fields that git no longer names.
fn given_up(before: &[Resource], after: &[Resource]) -> Vec<Sentence> {
    let mut reported = Vec::new();
    for old in before {
        let object = &old.object;
        let Some(new) = after.iter().find(|new| new.object == *object) else {
            let sentence = Sentence::new(Class::Reach, "no longer managed and left unchanged: ");
            reported.push(sentence.value(object.to_string()));
            continue;
        };
        // genesync removes fields that an exclusive manifest does not name: the plan shows that.
        if new.desired.exclusive {
            continue;
        }
        if old.desired.exclusive {
            reported.push(Sentence::new(
                Class::Reach,
                "no longer exclusive: fields that it does not name stay unchanged",
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
        let sentence = Sentence::new(Class::Reach, "no longer managed and left unchanged: ").value(shown);
        reported.push(if more > 0 {
            sentence.words(format!(" and {}", counted(more, "further field")))
        } else {
            sentence
        });
    }
    reported
}

fn leaves(body: &Map<String, Value>) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    json::leaves(body, &mut |path, _| {
        // genesync computes a field with a remark from the colours, so its removal is not a change of its
        // own.
        if super::review::remark(path).is_none() {
            paths.insert(path.to_owned());
        }
    });
    paths
}

/// Returns whether git names a field, a section above it, or a field below it.
fn is_named(path: &str, now: &BTreeSet<String>) -> bool {
    let below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
    now.iter().any(|known| known == path || below(known, path) || below(path, known))
}

/// Returns the sentences on what changes in the settings of the project.
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
    let mut reported: Vec<Sentence> = paths.iter().take(NAMED_MAX).map(sentence).collect();
    if more > 0 {
        reported.push(Sentence::new(Class::Reach, format!("and {}", counted(more, "further setting"))));
    }
    reported
}
