//! Which messages are due: a pure function of what is wrong, what was sent, and the time.
//!
//! Troubles of one cause are one group, and so are those that something outside makes with one reason. A
//! group is told when it has lasted for a while, when it has grown to twice what was told, from time to time
//! while it lasts, and when it has been gone for a while. A group that comes and goes is told later each time.
//!
//! In: troubles, what was sent before, the time. Out: messages, and what counts as sent from now on. Never: sends
//! anything, or reads a clock. Start reading at [`due`].

#![warn(clippy::wildcard_enum_match_arm, reason = "a new cause is decided about here")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::message::{Message, MessageState, Troubled, Why};
use super::{Cause, NotifyPolicy, Trouble};
use crate::model::text::escape;

/// Groups that failures outside can make; what is beyond shares one. A server whose every error reads
/// differently makes no flood.
const DEGRADED_GROUPS_MAX: usize = 8;
/// The group of what is beyond.
const DEGRADED_REST: &str = "degraded/other";
/// How long a group that is over is remembered, to tell one that comes and goes.
const MEMORY: SignedDuration = SignedDuration::from_hours(6);
/// A group that comes and goes waits at most so many times longer: 2 to this power.
const FLAPS_MAX: u32 = 7;
/// Groups that are over and remembered.
const CLOSED_MAX: usize = 64;
/// A tenant whose failure has lasted so many times the settling, under reasons that come and go, is told
/// with the rest.
const RESTLESS: u32 = 4;
/// Characters of a reason.
const REASON_CHARS_MAX: usize = 300;

/// What was sent, to be kept where it outlives the process. What is in it is bounded by the groups, not by
/// the tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sent {
    groups: BTreeMap<String, Group>,
    /// Since when there have been failures outside of which nobody was told under their reason.
    untold_since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    cause: Cause,
    /// When it was first seen in this episode: part of its messages' ids.
    opened: Timestamp,
    /// Messages delivered in this episode.
    delivered: u32,
    /// Reminders among them.
    reminders: u32,
    /// When the last was.
    last_at: Option<Timestamp>,
    /// How it looked when it was last there and told, or about to be.
    shown: Shown,
    /// How many tenants the last delivered message spoke of.
    told: usize,
    /// Since when it has been gone.
    gone_since: Option<Timestamp>,
    /// Deliveries in a row that failed. What failed may have been received.
    failures: u32,
    /// No delivery is tried before.
    retry_at: Option<Timestamp>,
    /// Whether its end may have been received: telling it failed.
    end_tried: bool,
    /// When its end was told.
    closed_at: Option<Timestamp>,
    /// How often it came back soon after its end.
    flaps: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    reason: String,
    since: Timestamp,
    count: usize,
    tenants: Vec<Troubled>,
}

/// The messages that are to be sent now, and what to remember. Keep it even where there is no message; then
/// send, and say what became of each with [`Sent::delivered`] or [`Sent::failed`]. A message of which nothing
/// is said is due again at once: a crash in between sends one twice, with one id, and loses none.
pub fn due(now: Timestamp, troubles: &[Trouble], sent: &Sent, policy: &NotifyPolicy) -> (Vec<Message>, Sent) {
    let untold = troubles
        .iter()
        .any(|trouble| matches!(trouble.cause, Cause::Degraded(_)) && !sent.is_open(&key(trouble)));
    let untold_since = untold.then(|| sent.untold_since.unwrap_or(now));
    let mut present = grouped(now, troubles, sent, untold_since, policy);
    let mut kept = Sent { untold_since, ..Sent::default() };
    let mut messages = Vec::new();
    let keys: BTreeSet<String> = present.keys().chain(sent.groups.keys()).cloned().collect();
    for key in keys {
        let members = present.remove(&key).unwrap_or_default();
        let Some(mut group) = carried(now, sent.groups.get(&key), &members) else { continue };
        if let Some(why) = group.turn(now, &members, policy) {
            messages.push(group.message(&key, why, policy));
        }
        if group.is_worth_keeping(now, !members.is_empty()) {
            kept.groups.insert(key, group);
        }
    }
    kept.forget_old_ends();
    (messages, kept)
}

impl Sent {
    /// The receiver took a message.
    pub fn delivered(&mut self, now: Timestamp, message: &Message) {
        let Some(group) = self.groups.get_mut(&message.group) else { return };
        group.delivered += 1;
        group.reminders += u32::from(message.why == Why::Reminder);
        group.last_at = Some(now);
        group.told = message.count;
        group.failures = 0;
        group.retry_at = None;
        group.end_tried = false;
        if message.why == Why::Resolved {
            group.closed_at = Some(now);
            group.shown.tenants.clear();
        }
    }

    /// The receiver did not take a message, or it is not known whether it did. `asked` is how long it asked
    /// to wait.
    pub fn failed(
        &mut self,
        now: Timestamp,
        message: &Message,
        asked: Option<Duration>,
        policy: &NotifyPolicy,
    ) {
        let Some(group) = self.groups.get_mut(&message.group) else { return };
        let wait = policy.retry.saturating_mul(1 << group.failures.min(16)).min(policy.retry_max);
        group.failures = group.failures.saturating_add(1);
        group.end_tried |= message.why == Why::Resolved;
        group.retry_at = Some(after(now, wait.max(asked.unwrap_or_default())));
    }

    fn is_open(&self, key: &str) -> bool {
        self.groups.get(key).is_some_and(Group::is_open)
    }

    fn forget_old_ends(&mut self) {
        let mut closed: Vec<(Timestamp, String)> =
            self.groups.iter().filter_map(|(key, group)| Some((group.closed_at?, key.clone()))).collect();
        closed.sort();
        for (_, key) in closed.iter().rev().skip(CLOSED_MAX) {
            self.groups.remove(key);
        }
    }
}

/// The group as it was, or a new one. None where there is nothing.
fn carried(now: Timestamp, known: Option<&Group>, members: &[&Trouble]) -> Option<Group> {
    match (known, members.first()) {
        (Some(group), Some(_)) if group.closed_at.is_some() => {
            Some(Group { flaps: group.flaps.saturating_add(1).min(FLAPS_MAX), ..Group::new(now, members)? })
        }
        (Some(group), _) => Some(group.clone()),
        (None, Some(_)) => Group::new(now, members),
        (None, None) => None,
    }
}

impl Group {
    fn new(now: Timestamp, members: &[&Trouble]) -> Option<Self> {
        let oldest = members.first()?;
        Some(Self {
            cause: oldest.cause,
            opened: now,
            delivered: 0,
            reminders: 0,
            last_at: None,
            shown: Shown { reason: String::new(), since: oldest.since, count: 0, tenants: Vec::new() },
            told: 0,
            gone_since: None,
            failures: 0,
            retry_at: None,
            end_tried: false,
            closed_at: None,
            flaps: 0,
        })
    }

    /// Whether somebody may have been told, and not of its end.
    fn is_open(&self) -> bool {
        (self.delivered > 0 || self.failures > 0) && self.closed_at.is_none()
    }

    /// Takes in what is there now, and says which message is due.
    fn turn(&mut self, now: Timestamp, members: &[&Trouble], policy: &NotifyPolicy) -> Option<Why> {
        let lasted = |since: Timestamp, wait: Duration| now >= after(since, wait);
        let why = if members.is_empty() {
            let gone = *self.gone_since.get_or_insert(now);
            (self.is_open() && lasted(gone, policy.settle)).then_some(Why::Resolved)
        } else {
            if self.gone_since.take().is_some() && !self.is_open() {
                self.opened = now;
            }
            let has_settled = |trouble: &&Trouble| match self.is_open() {
                true => lasted(trouble.since, policy.settle),
                false => {
                    lasted(trouble.since.max(self.opened), policy.settle.saturating_mul(1 << self.flaps))
                }
            };
            let settled: Vec<&Trouble> = members.iter().copied().filter(has_settled).collect();
            // Where all that is there is too young to speak of, nothing has ended and nothing is told.
            settled.first().and_then(|oldest| {
                self.cause = oldest.cause;
                self.shown = shown(&settled, policy.listed);
                let grown = self.shown.count >= 2 * self.told.max(1);
                match self.last_at {
                    None => Some(Why::First),
                    Some(_) if self.end_tried => Some(Why::Reminder),
                    Some(last) if grown && lasted(last, policy.growth_pause) => Some(Why::Grown),
                    Some(last) if self.wait_for_reminder(policy).is_some_and(|wait| lasted(last, wait)) => {
                        Some(Why::Reminder)
                    }
                    Some(_) => None,
                }
            })
        };
        why.filter(|_| self.retry_at.is_none_or(|at| now >= at))
    }

    fn wait_for_reminder(&self, policy: &NotifyPolicy) -> Option<Duration> {
        let at = usize::try_from(self.reminders).unwrap_or(usize::MAX);
        policy.repeat.get(at).or(policy.repeat.last()).copied()
    }

    fn message(&self, key: &str, why: Why, policy: &NotifyPolicy) -> Message {
        let Shown { reason, since, count, tenants } = self.shown.clone();
        let over = why == Why::Resolved;
        Message {
            version: 1,
            id: format!("{key}@{}#{}-{}", self.opened.as_second(), self.delivered + 1, why.name()),
            group: key.to_owned(),
            instance: policy.instance.clone(),
            state: if over { MessageState::Resolved } else { MessageState::Firing },
            why,
            cause: self.cause,
            reason,
            since,
            until: self.gone_since.filter(|_| over),
            count,
            more: count.saturating_sub(tenants.len()),
            tenants,
            repeat: self.delivered,
        }
    }

    fn is_worth_keeping(&self, now: Timestamp, present: bool) -> bool {
        let lately = |since: Timestamp| now.duration_since(since) < MEMORY;
        match self.closed_at {
            Some(closed) => lately(closed),
            // One that came back after its end and left again untold: how often it came counts.
            None => present || self.is_open() || (self.flaps > 0 && self.gone_since.is_some_and(lately)),
        }
    }
}

/// Troubles by their group's key, the oldest first.
fn grouped<'a>(
    now: Timestamp,
    troubles: &'a [Trouble],
    sent: &Sent,
    untold_since: Option<Timestamp>,
    policy: &NotifyPolicy,
) -> BTreeMap<String, Vec<&'a Trouble>> {
    let long = policy.settle.saturating_mul(RESTLESS);
    let restless = untold_since.is_some_and(|since| now >= after(since, long));
    let mut groups: BTreeMap<String, Vec<&Trouble>> = BTreeMap::new();
    for trouble in troubles {
        let key = key(trouble);
        // Its reason does not last long enough to be told, though the trouble does.
        let with_the_rest = restless
            && matches!(trouble.cause, Cause::Degraded(_))
            && now >= after(trouble.since, long)
            && !sent.is_open(&key);
        groups.entry(if with_the_rest { DEGRADED_REST.into() } else { key }).or_default().push(trouble);
    }
    let is_degraded = |key: &&String| key.starts_with("degraded/") && *key != DEGRADED_REST;
    let mut degraded: Vec<String> = groups.keys().filter(is_degraded).cloned().collect();
    // Those that were told stay; of the others, the largest are told.
    degraded.sort_by_key(|key| {
        (!sent.is_open(key), std::cmp::Reverse(groups.get(key).map_or(0, Vec::len)), key.clone())
    });
    for key in degraded.into_iter().skip(DEGRADED_GROUPS_MAX) {
        let members = groups.remove(&key).unwrap_or_default();
        groups.entry(DEGRADED_REST.into()).or_default().extend(members);
    }
    for members in groups.values_mut() {
        members.sort_by(|one, other| (one.since, &one.tenant).cmp(&(other.since, &other.tenant)));
    }
    groups
}

/// What a trouble is told together with.
fn key(trouble: &Trouble) -> String {
    match trouble.cause {
        Cause::Degraded(failing) => {
            let digest = Sha256::digest(same_words(trouble));
            let digits: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("degraded/{}/{digits}", failing.name())
        }
        cause @ (Cause::Drift
        | Cause::Held
        | Cause::Refused
        | Cause::Unconfirmed
        | Cause::Invalid
        | Cause::Unmanaged
        | Cause::SwitchedOff
        | Cause::SourceStale) => cause.name().into(),
    }
}

/// A reason without what differs between tenants and from try to try: ids, numbers, names.
fn same_words(trouble: &Trouble) -> String {
    let name = trouble.tenant.as_ref().map_or("", |tenant| tenant.as_str());
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let mut words = String::new();
    for piece in trouble.reason.split_inclusive(|c| !is_word(c)) {
        let word = piece.trim_end_matches(|c| !is_word(c));
        let differs = word == name || word.contains(|c: char| c.is_ascii_digit());
        words.push_str(if differs { "#" } else { word });
        words.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    words
}

fn shown(settled: &[&Trouble], listed: usize) -> Shown {
    let short = |reason: &str| escape(reason).chars().take(REASON_CHARS_MAX).collect::<String>();
    let troubled = |trouble: &&Trouble| {
        let tenant = trouble.tenant.clone()?;
        Some(Troubled { tenant, since: trouble.since, reason: short(&trouble.reason) })
    };
    let oldest = settled.first();
    Shown {
        reason: oldest.map(|oldest| short(&oldest.reason)).unwrap_or_default(),
        since: oldest.map(|oldest| oldest.since).unwrap_or_default(),
        count: settled.iter().filter(|trouble| trouble.tenant.is_some()).count(),
        tenants: settled.iter().filter_map(troubled).take(listed).collect(),
    }
}

fn after(at: Timestamp, wait: Duration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
