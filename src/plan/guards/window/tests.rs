//! Tests whether windows are open and when they open next, with fixed tables and with random windows.

use proptest::prelude::*;

use super::*;
use crate::model::Said;

fn window(days: &[i8], start: &str, end: &str, time_zone: &str) -> Window {
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':').unwrap();
        hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap()
    };
    Window {
        days: days.to_vec(),
        start_min: minutes(start),
        end_min: minutes(end),
        time_zone: time_zone.into(),
    }
}

fn berlin(day: i8, start: &str, end: &str) -> Window {
    window(&[day], start, end, "Europe/Berlin")
}

#[test]
fn windows_follow_their_own_clock_and_may_cross_midnight() {
    let night = berlin(5, "22:00", "04:00");
    // 2026-11-20 is a Friday; Berlin is one hour ahead of UTC.
    let table = [
        ("2026-11-20T20:59:00Z", false),
        ("2026-11-20T21:00:00Z", true),
        ("2026-11-21T02:59:00Z", true),
        ("2026-11-21T03:00:00Z", false),
        ("2026-11-20T01:00:00Z", false),
    ];
    for (now, open) in table {
        assert_eq!(is_open(std::slice::from_ref(&night), now.parse().unwrap()), open, "{now}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, whose cases share their windows")]
fn the_next_opening_is_the_first_open_moment_of_any_window() {
    let tuesday = || berlin(2, "09:00", "16:00");
    let apia = |start, end| window(&[5], start, end, "Pacific/Apia");
    let none = "2026-11-27T12:00:00Z";
    // 2026-11-27 is a Friday, 2026-12-01 a Tuesday. Berlin skips 02:00 to 03:00 on 2027-03-28 and repeats it
    // on 2026-10-25, both Sundays. Apia skipped 2011-12-30, a Friday.
    let table = [
        (vec![tuesday()], none, "2026-12-01T08:00:00Z Tuesday 09:00 Europe/Berlin"),
        (vec![tuesday()], "2026-12-01T07:59:30Z", "2026-12-01T08:00:00Z Tuesday 09:00 Europe/Berlin"),
        (vec![tuesday()], "2026-12-01T15:00:00Z", "2026-12-08T08:00:00Z Tuesday 09:00 Europe/Berlin"),
        (
            vec![window(&[1, 3], "09:00", "10:00", "Asia/Tokyo")],
            "2026-12-01T12:00:00Z",
            "2026-12-02T00:00:00Z Wednesday 09:00 Asia/Tokyo",
        ),
        // Midnight.
        (
            vec![berlin(5, "22:00", "04:00")],
            "2026-11-28T03:00:00Z",
            "2026-12-04T21:00:00Z Friday 22:00 Europe/Berlin",
        ),
        (vec![berlin(6, "00:00", "00:00")], none, "2026-11-27T23:00:00Z Saturday 00:00 Europe/Berlin"),
        (
            vec![berlin(7, "20:00", "20:00")],
            "2026-11-30T19:00:00Z",
            "2026-12-06T19:00:00Z Sunday 20:00 Europe/Berlin",
        ),
        // A skipped opening is the first minute after the gap; a skipped window waits for the next week.
        (
            vec![berlin(7, "02:30", "05:00")],
            "2027-03-28T00:00:00Z",
            "2027-03-28T01:00:00Z Sunday 03:00 Europe/Berlin",
        ),
        (
            vec![berlin(7, "02:15", "02:45")],
            "2027-03-27T12:00:00Z",
            "2027-04-04T00:15:00Z Sunday 02:15 Europe/Berlin",
        ),
        (
            vec![apia("09:00", "10:00")],
            "2011-12-29T22:00:00Z",
            "2012-01-05T19:00:00Z Friday 09:00 Pacific/Apia",
        ),
        (
            vec![apia("22:00", "04:00")],
            "2011-12-29T22:00:00Z",
            "2011-12-30T10:00:00Z Saturday 00:00 Pacific/Apia",
        ),
        // A repeated hour opens twice.
        (
            vec![berlin(7, "01:00", "02:30")],
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z Sunday 02:00 Europe/Berlin",
        ),
        (
            vec![berlin(7, "02:30", "02:45")],
            "2026-10-25T00:45:00Z",
            "2026-10-25T01:30:00Z Sunday 02:30 Europe/Berlin",
        ),
        // At 00:00:30 on 2010-11-07 the clock of St. John's is about to show 23:01 of the day before again.
        (
            vec![window(&[6], "23:30", "23:45", "America/St_Johns")],
            "2010-11-07T02:30:30Z",
            "2010-11-07T03:00:00Z Saturday 23:30 America/St_Johns",
        ),
        // The earliest of several.
        (
            vec![window(&[2], "03:30", "04:00", "America/New_York"), tuesday()],
            none,
            "2026-12-01T08:00:00Z Tuesday 09:00 Europe/Berlin",
        ),
        (
            vec![tuesday(), window(&[2], "02:30", "04:00", "America/New_York")],
            none,
            "2026-12-01T07:30:00Z Tuesday 02:30 America/New_York",
        ),
        // Windows that never open.
        (vec![], none, ""),
        (
            vec![berlin(2, "09:00", "16:00"), window(&[6], "00:00", "01:00", "Mars/Phobos")],
            none,
            "2026-12-01T08:00:00Z Tuesday 09:00 Europe/Berlin",
        ),
        (vec![window(&[6], "00:00", "01:00", "Mars/Phobos")], none, ""),
        (vec![window(&[], "00:00", "01:00", "Europe/Berlin")], none, ""),
    ];
    for (windows, now, expected) in table {
        let opening = next_opening(&windows, now.parse().unwrap());
        let shown = opening.map(|opening| format!("{} {opening}", opening.at)).unwrap_or_default();
        assert_eq!(shown, expected, "{windows:?} at {now}");
    }
}

// Guarantee: windows-are-waited-for
#[test]
fn a_window_is_waited_for_unless_it_is_open_or_never_opens() {
    let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
    let (opened, none) = (Limits { allowed: [Guard::Window].into(), ..Limits::default() }, Precedents::new());
    let never = Some("acme is outside its change window and no window ever opens");
    for (windows, opens, refused) in [
        (vec![berlin(2, "09:00", "16:00")], Some("Tuesday 09:00 Europe/Berlin"), None),
        (vec![window(&[2], "09:00", "16:00", "Mars/Phobos")], None, never),
        (vec![berlin(5, "09:00", "16:00")], None, None),
        (vec![], None, None),
    ] {
        let tenant = Tenant { windows, ..scenes::tenant() };
        let waits = super::opens(&tenant, &none, &Limits::default(), now).map(|opening| opening.to_string());
        let refusal = check(&tenant, &none, &Limits::default(), now).map(|refusal| refusal.message);
        assert_eq!((waits.as_deref(), refusal.as_deref()), (opens, refused), "{tenant:?}");
        assert_eq!(
            (super::opens(&tenant, &none, &opened, now), check(&tenant, &none, &opened, now)),
            (None, None)
        );
    }
}

// Guarantee: the-stricter-commit
#[test]
fn a_window_that_a_commit_opens_stays_shut_until_the_commit_was_applied() {
    let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
    let (tuesdays, fridays) = (berlin(2, "09:00", "16:00"), berlin(5, "09:00", "16:00"));
    let late = berlin(5, "15:00", "20:00");
    let never = window(&[2], "09:00", "16:00", "Mars/Phobos");
    let reported = |windows: &[Window], before: &[Window]| {
        let tenant = Tenant { windows: windows.to_vec(), ..scenes::tenant() };
        let said = Said { windows: before.to_vec(), ..Said::of(&tenant, &[], &Limits::default()) };
        let precedents = Precedents::from([(tenant.primary.organization.clone(), said)]);
        let opening = super::opens(&tenant, &precedents, &Limits::default(), now);
        let is_refused = check(&tenant, &precedents, &Limits::default(), now).is_some();
        (opening.map(|opening| opening.to_string()), is_refused)
    };
    let at = |text: &str| Some(text.to_owned());
    // Windows of this commit, windows of the commit before, next opening.
    assert_eq!(reported(&[], std::slice::from_ref(&tuesdays)), (at("Tuesday 09:00 Europe/Berlin"), false));
    assert_eq!(
        reported(std::slice::from_ref(&fridays), std::slice::from_ref(&tuesdays)),
        (None, true),
        "never both at once"
    );
    assert_eq!(
        reported(std::slice::from_ref(&fridays), std::slice::from_ref(&late)),
        (at("Friday 15:00 Europe/Berlin"), false)
    );
    assert_eq!(reported(std::slice::from_ref(&fridays), &[]), (None, false));
    assert_eq!(reported(&[], &[fridays]), (None, false));
    assert_eq!(reported(&[], &[never]), (None, true));
}

#[test]
fn an_opening_at_the_end_of_time_is_none() {
    assert_eq!(next_opening(&[berlin(2, "09:00", "16:00")], Timestamp::MAX), None);
}

#[test]
fn an_opening_in_an_unknown_zone_is_shown_in_utc() {
    let opening = Opening { at: Timestamp::UNIX_EPOCH, time_zone: "Mars/Phobos".into() };
    assert_eq!(opening.to_string(), "Thursday 00:00 UTC");
}

/// Zones whose clocks change at night, at midnight, by half an hour, and never.
const ZONES: &[&str] = &[
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
];

fn any_window(time_zone: &'static str) -> impl Strategy<Value = Window> {
    // Clocks change at night.
    let minute = || prop_oneof![0..240_u16, 0..1440_u16];
    let days = proptest::collection::btree_set(1..=7_i8, 1..7);
    (days, minute(), minute()).prop_map(move |(days, start_min, end_min)| Window {
        days: days.into_iter().collect(),
        start_min,
        end_min,
        time_zone: time_zone.into(),
    })
}

/// Moments around a clock change of a zone, most of them within hours; in a zone without any, around a fixed
/// moment.
fn any_moment(zone: &'static str) -> impl Strategy<Value = Timestamp> {
    let minutes = prop_oneof![3 => -240..240_i64, 1 => -2880..2880_i64];
    (0..4_usize, minutes, 0..60_i64).prop_map(move |(change, minutes, seconds)| {
        let from: Timestamp = "2025-11-15T12:00:00Z".parse().unwrap();
        let changes = crate::model::zone::find(zone).unwrap();
        let at = changes.following(from).nth(change).map_or(from, |change| change.timestamp());
        at + SignedDuration::from_secs(minutes * 60 + seconds)
    })
}

/// One window of the zone whose clock is about to change, sometimes another of any zone, and a moment.
fn scene() -> impl Strategy<Value = (Vec<Window>, Timestamp)> {
    let zone = || proptest::sample::select(ZONES);
    (zone(), zone()).prop_flat_map(|(zone, other)| {
        let more = proptest::collection::vec(any_window(other), 0..2);
        (any_window(zone), more, any_moment(zone))
            .prop_map(|(window, more, now)| ([vec![window], more].concat(), now))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_next_opening_is_open_and_no_minute_before_it_is((windows, now) in scene()) {
        prop_assume!(!is_open(&windows, now));
        let at = next_opening(&windows, now).map(|opening| opening.at);
        let at = at.expect("a window with a day and a known zone opens");
        prop_assert!(at > now && is_open(&windows, at));
        let mut minute = at - SignedDuration::from_secs(60);
        while minute > now {
            prop_assert!(!is_open(&windows, minute), "{} is open before {}", minute, at);
            minute -= SignedDuration::from_secs(60);
        }
    }
}
