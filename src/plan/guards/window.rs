//! `window`: the time is outside the change windows of a tenant.
//!
//! In: the windows of a tenant and a time. Out: the next opening, or a refusal if no window ever opens.
//! Never: reads a clock. Start reading at [`opens`].

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::{GuardInfo, Scope, scenes};
use crate::model::plan::Limits;
use crate::model::zone;
use crate::model::{Guard, Precedents, Refusal, Tenant, Window};

/// The guard.
pub const GUARD: GuardInfo = GuardInfo {
    guard: Guard::Window,
    scope: Scope::Tenant,
    summary: "The time is outside the tenant's change windows. If a window opens later, genesync waits for it",
    scene: scenes::window,
    waiting: Some(scenes::window_waits),
};

/// How many days ahead genesync searches an opening: a window opens once a week, and a clock change may skip
/// one.
const HORIZON_DAYS: i64 = 15;
/// The maximum number of openings to try if several windows have to be open at the same time.
const OPENINGS_MAX: usize = 100;

/// Refuses a write to a tenant if no change window ever opens. If one opens later, genesync waits for it.
pub fn check(tenant: &Tenant, precedents: &Precedents, limits: &Limits, now: Timestamp) -> Option<Refusal> {
    let is_waited_for = opens(tenant, precedents, limits, now).is_some();
    let is_open = || windows_of(tenant, precedents).iter().all(|windows| is_open(windows, now));
    if limits.allowed.contains(&Guard::Window) || is_waited_for || is_open() {
        return None;
    }
    let message = format!("{} is outside its change window and no window ever opens", tenant.name);
    Some(Refusal { guard: Guard::Window, message })
}

/// Returns the message of a write that waits for a window.
pub fn waits_for(opening: &Opening) -> String {
    format!("outside the change window, which opens {opening}")
}

/// Returns the opening that a write has to wait for; none if it does not have to wait, or if no window ever
/// opens.
pub fn opens(tenant: &Tenant, precedents: &Precedents, limits: &Limits, now: Timestamp) -> Option<Opening> {
    let all = windows_of(tenant, precedents);
    if limits.allowed.contains(&Guard::Window) || all.iter().all(|windows| is_open(windows, now)) {
        return None;
    }
    // Finds the first opening at which all other windows are open too.
    let mut at = now;
    for _ in 0..OPENINGS_MAX {
        let shut = all.iter().filter(|windows| !is_open(windows, at));
        let openings: Option<Vec<Opening>> = shut.map(|windows| next_opening(windows, at)).collect();
        let opening = openings?.into_iter().max_by_key(|opening| opening.at)?;
        at = opening.at;
        if all.iter().all(|windows| is_open(windows, at)) {
            return Some(opening);
        }
    }
    None
}

/// Returns the lists of windows that have to be open at the same time: those of this commit, and those of the
/// commit that was applied last.
fn windows_of<'a>(tenant: &'a Tenant, precedents: &'a Precedents) -> Vec<&'a [Window]> {
    let before = tenant.targets().filter_map(|target| precedents.get(&target.organization));
    let mut all = vec![tenant.windows.as_slice()];
    for windows in before.map(|said| said.windows.as_slice()) {
        if !all.contains(&windows) {
            all.push(windows);
        }
    }
    all
}

/// Returns whether writes are allowed at a time: inside any window, or always if there is no window.
pub fn is_open(windows: &[Window], now: Timestamp) -> bool {
    windows.is_empty() || windows.iter().any(|window| holds(window, now))
}

/// The time at which a window opens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Opening {
    /// The time.
    pub at: Timestamp,
    /// The IANA time zone of the window that opens.
    pub time_zone: String,
}

impl fmt::Display for Opening {
    /// Writes weekday, time and zone: `Tuesday 09:00 Europe/Berlin`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = zone::find(&self.time_zone);
        let (zone, name) = known.map_or((TimeZone::UTC, "UTC"), |zone| (zone, self.time_zone.as_str()));
        write!(f, "{} {name}", self.at.to_zoned(zone).strftime("%A %H:%M"))
    }
}

/// Returns the next opening after a time outside all windows; none if there is no window, or if no window
/// ever opens, for example in an unknown time zone.
pub fn next_opening(windows: &[Window], now: Timestamp) -> Option<Opening> {
    let opening = |window: &Window| {
        Some(Opening { at: opens_after(window, now)?, time_zone: window.time_zone.clone() })
    };
    windows.iter().filter_map(opening).min_by_key(|opening| opening.at)
}

/// Returns the first time after `now` at which a window is open: an opening time, or a clock change.
fn opens_after(window: &Window, now: Timestamp) -> Option<Timestamp> {
    let zone = zone::find(&window.time_zone)?;
    let today = now.to_zoned(zone.clone()).date();
    let time = Time::midnight().checked_add(i64::from(window.start_min).minutes()).ok()?;
    // A clock that goes back over midnight shows yesterday again.
    let starts = (-1..=HORIZON_DAYS)
        .filter_map(|days| today.checked_add(days.days()).ok())
        .filter(|day: &Date| window.days.contains(&day.weekday().to_monday_one_offset()))
        .map(|day| zone.to_ambiguous_timestamp(day.to_datetime(time)))
        .flat_map(|start| [start.earlier().ok(), start.later().ok()])
        .flatten();
    let horizon = now.checked_add(SignedDuration::from_hours(24 * HORIZON_DAYS)).unwrap_or(Timestamp::MAX);
    let clock_changes = zone.following(now).map(|change| change.timestamp()).take_while(|at| *at <= horizon);
    starts.chain(clock_changes).filter(|at| *at > now && holds(window, *at)).min()
}

fn holds(window: &Window, now: Timestamp) -> bool {
    // A window in a zone that this machine does not know stays closed: a late write is better than a wrong
    // one.
    let Some(zone) = zone::find(&window.time_zone) else { return false };
    let local = now.to_zoned(zone);
    let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
    let day = local.weekday().to_monday_one_offset();
    let yesterday = if day == 1 { 7 } else { day - 1 };
    if window.start_min < window.end_min {
        return window.days.contains(&day) && (window.start_min..window.end_min).contains(&minute);
    }
    (window.days.contains(&day) && minute >= window.start_min)
        || (window.days.contains(&yesterday) && minute < window.end_min)
}

#[cfg(test)]
mod tests;
