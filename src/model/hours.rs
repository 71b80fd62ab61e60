//! Opening hours: whether visitors see the widget at a time, which rule decides, and until when.
//!
//! A rule's times are wall-clock times of a time zone. If the zone skips an hour, a rule in that hour is
//! never open; if the zone repeats an hour, it is open twice. The end time is exclusive, but `23:59` means
//! the end of the day, because the API has no other value for it.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

/// The platform's names of the days, Monday first.
pub const DAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];

const DAY_MIN: i32 = 24 * 60;
const WEEK_MIN: usize = 7 * 24 * 60;
/// Most edges of hours in one search: a century of the longest list.
const EDGES_MAX: usize = 1_000_000;

/// One rule: hours on a day of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its position in the list, from 0.
    pub index: usize,
    /// Monday is 0.
    day: i32,
    /// Minutes after midnight.
    start_min: i32,
    /// Minutes after the same midnight; more than a day if the hours pass the next midnight.
    end_min: i32,
}

impl Rule {
    /// Parses a rule in the API's shape; returns none if it is not valid.
    fn read(index: usize, value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let day = DAYS.iter().position(|day| text("dayOfWeek") == Some(day))?;
        let (start_min, end_min) = (minutes(text("startTime")?)?, minutes(text("endTime")?)?);
        let end_min = if end_min == DAY_MIN - 1 { DAY_MIN } else { end_min };
        let end_min = if end_min <= start_min { end_min + DAY_MIN } else { end_min };
        Some(Self { index, day: day as i32, start_min, end_min })
    }

    /// Whether a wall-clock time is within the rule.
    fn holds(&self, at: DateTime) -> bool {
        let minute = i32::from(at.hour()) * 60 + i32::from(at.minute());
        let today = i32::from(at.date().weekday().to_monday_zero_offset());
        let within =
            |day: i32, minute: i32| day == self.day && (self.start_min..self.end_min).contains(&minute);
        within(today, minute) || within((today + 6) % 7, minute + DAY_MIN)
    }
}

/// Parses `HH:MM` into minutes after midnight.
fn minutes(text: &str) -> Option<i32> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 60 + minutes)
}

/// The open minutes of a week, by the clock of the configuration's zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Week(Vec<bool>);

impl Week {
    /// Returns the week of a configuration.
    pub fn of(body: &Map<String, Value>) -> Self {
        let hours = Hours::of(body, TimeZone::UTC);
        let Some(rules) = hours.rules else { return Self(vec![true; WEEK_MIN]) };
        let mut minutes = vec![false; WEEK_MIN];
        for rule in rules {
            for minute in rule.start_min..rule.end_min {
                let at = (rule.day * DAY_MIN + minute).rem_euclid(7 * DAY_MIN).unsigned_abs() as usize;
                if let Some(is_open) = minutes.get_mut(at) {
                    *is_open = true;
                }
            }
        }
        Self(minutes)
    }

    /// Returns the number of open minutes.
    pub fn open_min(&self) -> usize {
        self.0.iter().filter(|is_open| **is_open).count()
    }

    /// Whether `after` is closed in a minute in which this week is open.
    pub fn loses_to(&self, after: &Self) -> bool {
        self.0.iter().zip(&after.0).any(|(before, after)| *before && !after)
    }
}

/// When visitors see the widget.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    /// The rules; none if it is always open.
    rules: Option<Vec<Rule>>,
    zone: TimeZone,
}

/// The opening state at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether visitors see the widget.
    pub is_open: bool,
    /// The open rules at that time, by their position in the list; one open rule is enough. Empty if there
    /// are no rules.
    pub rules: Vec<usize>,
}

impl Hours {
    /// Returns the hours of a configuration, with its times in `zone`.
    pub fn of(body: &Map<String, Value>, zone: TimeZone) -> Self {
        let section = body.get("availability");
        let at = |key: &str| section.and_then(|section| section.get(key));
        let is_custom = at("schedule").and_then(Value::as_str) == Some("custom");
        let listed = at("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let read = || listed.iter().enumerate().filter_map(|(index, rule)| Rule::read(index, rule)).collect();
        Self { rules: is_custom.then(read), zone }
    }

    /// Returns hours that are never open.
    pub fn never(zone: TimeZone) -> Self {
        Self { rules: Some(Vec::new()), zone }
    }

    /// Whether the hours have rules.
    pub fn is_custom(&self) -> bool {
        self.rules.is_some()
    }

    /// Returns the state at a time.
    pub fn at(&self, moment: Timestamp) -> Standing {
        let Some(rules) = &self.rules else { return Standing { is_open: true, rules: Vec::new() } };
        let local = self.zone.to_datetime(moment);
        let rules: Vec<usize> =
            rules.iter().filter(|rule| rule.holds(local)).map(|rule| rule.index).collect();
        Standing { is_open: !rules.is_empty(), rules }
    }

    /// Returns the times in a period at which the state can change: edges of rules, and clock changes.
    fn edges(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let Some(rules) = &self.rules else { return Vec::new() };
        let mut edges: Vec<Timestamp> =
            self.zone.following(from).map(|change| change.timestamp()).take_while(|at| *at <= to).collect();
        let first = self.zone.to_datetime(from).date();
        let last = self.zone.to_datetime(to).date();
        let mut day = first.yesterday().unwrap_or(first);
        while day <= last && edges.len() < EDGES_MAX {
            let weekday = i32::from(day.weekday().to_monday_zero_offset());
            for rule in rules.iter().filter(|rule| rule.day == weekday) {
                edges.extend(
                    [rule.start_min, rule.end_min].iter().flat_map(|minute| self.moments_of(day, *minute)),
                );
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        edges.retain(|at| (from..=to).contains(at));
        edges.sort();
        edges.dedup();
        edges
    }

    /// Converts a wall-clock minute to timestamps: two if the clock shows it twice; a skipped one is the
    /// time of the clock change.
    fn moments_of(&self, day: Date, minute: i32) -> Vec<Timestamp> {
        let (day, minute) = match minute >= DAY_MIN {
            true => (day.tomorrow().unwrap_or(day), minute - DAY_MIN),
            false => (day, minute),
        };
        let Ok(time) = Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0) else { return Vec::new() };
        let ambiguous = self.zone.to_ambiguous_timestamp(day.to_datetime(time));
        [ambiguous.earlier(), ambiguous.later()].into_iter().flatten().collect()
    }

    /// Returns the next time after `after` at which the widget opens or closes; none within the period.
    pub fn next_change(&self, after: Timestamp, within: SignedDuration) -> Option<Timestamp> {
        let to = after.checked_add(within).ok()?;
        let now = self.at(after).is_open;
        self.edges(after, to).into_iter().find(|at| *at > after && self.at(*at).is_open != now)
    }

    /// Describes the hours that a zone skips or repeats in a period and that a rule covers.
    pub fn clock_changes(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, String)> {
        let Some(rules) = &self.rules else { return Vec::new() };
        let changes = self.zone.following(from).take_while(|change| change.timestamp() <= to);
        changes
            .filter_map(|change| {
                let at = change.timestamp();
                let before = self.zone.to_offset(at.checked_sub(SignedDuration::from_secs(1)).ok()?);
                let moved_s = change.offset().seconds() - before.seconds();
                let (one, other) = (before.to_datetime(at), change.offset().to_datetime(at));
                let (first, last) = (one.min(other), one.max(other));
                // Checked minute by minute: a clock change is an hour or two long.
                let minutes = i64::from(moved_s.abs() / 60);
                let touched = (0..minutes).any(|minute| {
                    first
                        .checked_add(SignedDuration::from_mins(minute))
                        .is_ok_and(|local| rules.iter().any(|rule| rule.holds(local)))
                });
                let what = if moved_s > 0 { "do not exist" } else { "occur twice" };
                let reported =
                    format!("on {} the hours from {} to {} {what}", first.date(), clock(first), clock(last));
                (touched && moved_s != 0).then_some((at, reported))
            })
            .collect()
    }
}

fn clock(at: DateTime) -> String {
    format!("{:02}:{:02}", at.hour(), at.minute())
}

/// A period in which visitors see the widget either only before or only after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The start.
    pub from: Timestamp,
    /// The end.
    pub to: Timestamp,
    /// Whether they see it after the change.
    pub is_open_after: bool,
}

/// Returns the periods between two times in which a change of the hours makes a difference.
pub fn moments(before: &Hours, after: &Hours, from: Timestamp, to: Timestamp) -> Vec<Moment> {
    let mut edges = before.edges(from, to);
    edges.extend(after.edges(from, to));
    edges.extend([from, to]);
    edges.sort();
    edges.dedup();
    let mut moments: Vec<Moment> = Vec::new();
    for pair in edges.windows(2) {
        let &[start, end] = pair else { continue };
        let is_open_after = after.at(start).is_open;
        if before.at(start).is_open == is_open_after {
            continue;
        }
        match moments.last_mut().filter(|last| last.to == start && last.is_open_after == is_open_after) {
            Some(last) => last.to = end,
            None => moments.push(Moment { from: start, to: end, is_open_after }),
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn hours(zone: &str, rules: &[(&str, &str, &str)]) -> Hours {
        let rules: Vec<Value> = rules
            .iter()
            .map(|(day, start, end)| json!({"dayOfWeek": day, "startTime": start, "endTime": end}))
            .collect();
        let body = json!({"availability": {"schedule": "custom", "rules": rules}});
        Hours::of(body.as_object().unwrap(), crate::model::zone::find(zone).unwrap())
    }

    fn local(zone: &str, at: &str) -> Timestamp {
        at.parse::<DateTime>().unwrap().to_zoned(crate::model::zone::find(zone).unwrap()).unwrap().timestamp()
    }

    #[test]
    fn hours_are_open_by_the_wall_clock_of_their_zone() {
        let berlin = "Europe/Berlin";
        let hours = hours(
            berlin,
            &[
                ("THURSDAY", "09:00", "17:30"),
                ("THURSDAY", "17:00", "18:00"),
                ("FRIDAY", "22:00", "02:00"),
                ("SUNDAY", "00:00", "23:59"),
            ],
        );
        for (at, rules) in [
            ("2026-12-24T08:59:59", &[][..]),
            ("2026-12-24T09:00:00", &[0]),
            ("2026-12-24T17:15:00", &[0, 1]),
            ("2026-12-24T17:30:00", &[1]),
            ("2026-12-24T18:00:00", &[]),
            // Past midnight, Friday's rule is still open.
            ("2026-12-26T01:59:00", &[2]),
            ("2026-12-26T02:00:00", &[]),
            ("2026-12-27T23:59:59", &[3]),
        ] {
            assert_eq!(hours.at(local(berlin, at)).rules, rules, "{at}");
        }
        let change = |at: &str| hours.next_change(local(berlin, at), SignedDuration::from_hours(24 * 8));
        assert_eq!(change("2026-12-24T10:00:00"), Some(local(berlin, "2026-12-24T18:00:00")));
        assert_eq!(change("2026-12-24T18:00:00"), Some(local(berlin, "2026-12-25T22:00:00")));
        let always = Hours::of(&Map::new(), TimeZone::UTC);
        assert_eq!(
            always.at(local(berlin, "2026-12-24T18:00:00")),
            Standing { is_open: true, rules: vec![] }
        );
        assert_eq!(
            always.next_change(local(berlin, "2026-12-24T18:00:00"), SignedDuration::from_hours(9_000)),
            None
        );
    }

    #[test]
    fn a_skipped_hour_is_never_open_and_a_repeated_hour_is_open_twice() {
        let (berlin, utc) = ("Europe/Berlin", "UTC");
        let hours = hours(berlin, &[("SUNDAY", "02:00", "03:00")]);
        let from = |day: &str| local(utc, &format!("{day}T00:00:00"));
        // On 28 March 2027 the clock changes from 2 to 3; on 25 October 2026 from 3 to 2.
        assert_eq!(hours.next_change(from("2027-03-28"), SignedDuration::from_hours(24)), None);
        assert!(!hours.at(local(utc, "2027-03-28T01:00:00")).is_open);
        for at in ["2026-10-25T00:30:00", "2026-10-25T01:30:00"] {
            assert!(hours.at(local(utc, at)).is_open, "{at}");
        }
        let reported = |day: &str| {
            let from = from(day);
            hours
                .clock_changes(from, from.checked_add(24.hours()).unwrap())
                .into_iter()
                .map(|(_, reported)| reported)
                .collect::<Vec<_>>()
        };
        assert_eq!(reported("2027-03-28"), ["on 2027-03-28 the hours from 02:00 to 03:00 do not exist"]);
        assert_eq!(reported("2026-10-25"), ["on 2026-10-25 the hours from 02:00 to 03:00 occur twice"]);
        assert_eq!(reported("2026-11-25"), Vec::<String>::new());
    }

    #[test]
    fn repeated_hours_end_twice() {
        let hours = hours("America/New_York", &[("SUNDAY", "01:00", "01:30")]);
        let utc = |at: &str| local("UTC", at);
        // On 1 November 2026 the clock shows 01:10 at 05:10 UTC and again at 06:10 UTC.
        let next = |at: &str| hours.next_change(utc(at), SignedDuration::from_hours(24 * 8));
        assert_eq!(next("2026-11-01T05:10:00"), Some(utc("2026-11-01T05:30:00")));
        assert_eq!(next("2026-11-01T05:40:00"), Some(utc("2026-11-01T06:00:00")));
        assert_eq!(next("2026-11-01T06:10:00"), Some(utc("2026-11-01T06:30:00")));
    }

    #[test]
    fn a_change_is_seen_if_only_one_of_two_hours_is_open() {
        let zone = "Europe/Dublin";
        let before = hours(zone, &[("MONDAY", "09:00", "17:00")]);
        let after = hours(zone, &[("MONDAY", "10:00", "12:00"), ("MONDAY", "12:00", "18:00")]);
        let at = |at: &str| local(zone, at);
        let seen = moments(&before, &after, at("2026-11-23T00:00:00"), at("2026-11-24T00:00:00"));
        let moment =
            |from: &str, to: &str, is_open_after| Moment { from: at(from), to: at(to), is_open_after };
        assert_eq!(
            seen,
            [
                moment("2026-11-23T09:00:00", "2026-11-23T10:00:00", false),
                moment("2026-11-23T17:00:00", "2026-11-23T18:00:00", true)
            ]
        );
        assert_eq!(moments(&after, &after, at("2026-11-23T00:00:00"), at("2027-11-24T00:00:00")), []);
    }

    proptest! {
        /// Compares with a simple model that checks times one by one.
        #[test]
        fn moments_match_a_check_of_single_times(
            one in prop::collection::vec((0..7_usize, 0..24_u8, 0..24_u8), 0..4),
            other in prop::collection::vec((0..7_usize, 0..24_u8, 0..24_u8), 0..4),
            day in 0..400_i64,
        ) {
            let read = |rules: &[(usize, u8, u8)]| {
                let rules: Vec<(String, String, String)> = rules.iter().map(|(day, start, end)| (DAYS[*day].to_owned(), format!("{start:02}:30"), format!("{end:02}:00"))).collect();
                let rules: Vec<(&str, &str, &str)> = rules.iter().map(|(a, b, c)| (&**a, &**b, &**c)).collect();
                hours("America/New_York", &rules)
            };
            let (before, after) = (read(&one), read(&other));
            let from = Timestamp::from_second(1_790_000_000 + day * 86_400).unwrap();
            let to = from.checked_add(SignedDuration::from_hours(48)).unwrap();
            let seen = moments(&before, &after, from, to);
            let mut at = from;
            while at < to {
                let expected = after.at(at).is_open;
                let differs = before.at(at).is_open != expected;
                let found = seen.iter().find(|moment| moment.from <= at && at < moment.to);
                prop_assert_eq!(found.map(|moment| moment.is_open_after), differs.then_some(expected), "{}", at);
                at = at.checked_add(SignedDuration::from_mins(10)).unwrap();
            }
        }
    }
}
