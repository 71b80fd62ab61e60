//! Decides which messages are due: a pure function of current problems, what was sent, and the time.
//!
//! Problems of one cause are one group; external failures are one group for each reason. A message is due
//! when a group has lasted for the settling time, when it has twice as many tenants as in the last message,
//! at each reminder, and when it has been gone for the settling time. Each time that a group comes back, its
//! message is sent later.
//!
//! In: problems, what was sent before, the time. Out: messages, and the new state. Never: sends a message, or
//! reads a clock. Start reading at [`due`].

#![warn(clippy::wildcard_enum_match_arm, reason = "a new cause needs a decision here")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::message::{Message, MessageState, Troubled, Why};
use super::{Cause, NotifyPolicy, Trouble};
use crate::model::text::escape;

/// Most groups of external failures; the others share one group. So a server with a different text in every
/// error causes no flood of messages.
const DEGRADED_GROUPS_MAX: usize = 8;
/// The group of the other external failures.
const DEGRADED_REST: &str = "degraded/other";
/// How long a group is remembered after its end, to detect that it comes back.
const MEMORY: SignedDuration = SignedDuration::from_hours(6);
/// Longest delay for a group that comes back: the settling time multiplied by 2 to this power.
const FLAPS_MAX: u32 = 7;
/// Most groups that are remembered after their end.
const CLOSED_MAX: usize = 64;
/// If a tenant fails for this many settling times with changing reasons, it is reported in the group of the
/// other failures.
const RESTLESS: u32 = 4;
/// Most characters of a reason.
const REASON_CHARS_MAX: usize = 300;

/// What was sent; the caller stores it so that it survives a restart. Its size depends on the number of
/// groups, not on the number of tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sent {
    groups: BTreeMap<String, Group>,
    /// Since when there are external failures without a message for their reason.
    untold_since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    cause: Cause,
    /// When the group was first seen in this episode; part of the message ids.
    opened: Timestamp,
    /// Messages delivered in this episode.
    delivered: u32,
    /// Reminders delivered in this episode.
    reminders: u32,
    /// When the last message was delivered.
    last_at: Option<Timestamp>,
    /// The contents of the last message, or of the next first message.
    shown: Shown,
    /// The number of tenants in the last delivered message.
    #[serde(rename = "told")]
    reported: usize,
    /// Since when the group has no problems.
    gone_since: Option<Timestamp>,
    /// Failed deliveries in a row. The receiver may still have received them.
    failures: u32,
    /// No delivery is tried before this time.
    retry_at: Option<Timestamp>,
    /// Whether a failed delivery of the end may have been received.
    end_tried: bool,
    /// When the message on the end was delivered.
    closed_at: Option<Timestamp>,
    /// How often the group came back within [`MEMORY`] after its end.
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

/// Returns the messages that are due now, and the new state.
///
/// The caller first stores the state, also if there is no message. It then sends each message and records the
/// result with [`Sent::delivered`] or [`Sent::failed`]. A message without a result is due again at once. So a
/// crash can send a message twice with the same id, and never loses one.
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
    /// Records that the receiver accepted a message.
    pub fn delivered(&mut self, now: Timestamp, message: &Message) {
        let Some(group) = self.groups.get_mut(&message.group) else { return };
        group.delivered += 1;
        group.reminders += u32::from(message.why == Why::Reminder);
        group.last_at = Some(now);
        group.reported = message.count;
        group.failures = 0;
        group.retry_at = None;
        group.end_tried = false;
        if message.why == Why::Resolved {
            group.closed_at = Some(now);
            group.shown.tenants.clear();
        }
    }

    /// Records that the receiver did not accept a message, or that the result is not known. `asked` is the
    /// wait that the receiver requested.
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

/// Returns the known group, or a new one; none if there is no group and no problem.
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
            reported: 0,
            gone_since: None,
            failures: 0,
            retry_at: None,
            end_tried: false,
            closed_at: None,
            flaps: 0,
        })
    }

    /// Returns whether the receiver may have a message on the group, and no message on its end.
    fn is_open(&self) -> bool {
        (self.delivered > 0 || self.failures > 0) && self.closed_at.is_none()
    }

    /// Updates the group with its current problems, and returns why a message is due, if one is.
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
            // If no problem has lasted for the settling time, no message is due.
            settled.first().and_then(|oldest| {
                self.cause = oldest.cause;
                self.shown = shown(&settled, policy.listed);
                let grown = self.shown.count >= 2 * self.reported.max(1);
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
            // A group that came back and ended without a message is kept, because `flaps` counts its returns.
            None => present || self.is_open() || (self.flaps > 0 && self.gone_since.is_some_and(lately)),
        }
    }
}

/// Returns the problems by the key of their group, the oldest first.
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
        // The problem lasts long enough for a message, but its reason changes too often.
        let with_the_rest = restless
            && matches!(trouble.cause, Cause::Degraded(_))
            && now >= after(trouble.since, long)
            && !sent.is_open(&key);
        groups.entry(if with_the_rest { DEGRADED_REST.into() } else { key }).or_default().push(trouble);
    }
    let is_degraded = |key: &&String| key.starts_with("degraded/") && *key != DEGRADED_REST;
    let mut degraded: Vec<String> = groups.keys().filter(is_degraded).cloned().collect();
    // Reported groups stay separate; of the others, the largest stay separate.
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

/// Returns the key of a problem's group.
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

/// Returns a reason without the parts that differ between tenants and attempts: ids, numbers, names.
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
