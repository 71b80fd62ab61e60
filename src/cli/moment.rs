//! Moments as people type them: `2026-12-24T18:30` is wall-clock time of a zone, `2026-12-24T18:30Z` is not.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::{Exit, Failure};
use crate::model::zone;

/// The time zone that a tenant's hours are meant in: what the manifest says, or else what the operator says.
///
/// # Errors
/// There is no such zone, or the two name different ones.
pub fn zone(asked: Option<&str>, named: Option<&str>) -> Result<Option<TimeZone>, Failure> {
    let Some(name) = named.or(asked) else { return Ok(None) };
    if let Some(other) = asked.filter(|asked| *asked != name) {
        return Err(Failure::new(Exit::Usage, format!("the manifest's hours are in {name}, not in {other}"))
            .hint("leave --tz out; for a moment in another zone write it with its offset, such as 2026-12-24T18:30-05:00"));
    }
    let unknown = || {
        Failure::new(Exit::Usage, format!("there is no time zone `{name}`"))
            .hint("use an IANA name such as Europe/Berlin")
    };
    zone::find(name).map(Some).ok_or_else(unknown)
}

/// What there is to say of a wall-clock time that the clock passes over, or shows twice.
pub fn note(text: &str, zone: Option<&TimeZone>) -> Option<String> {
    let (local, zone) = (text.parse::<DateTime>().ok()?, zone?);
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let name = zone.iana_name().unwrap_or("this zone");
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => {
            let meant = ambiguous.compatible().ok()?.to_zoned(zone.clone()).strftime("%H:%M").to_string();
            Some(format!("{text} does not exist in {name}, where the clock goes forward: {meant} is taken"))
        }
        AmbiguousOffset::Fold { .. } => {
            Some(format!("{text} comes twice in {name}, where the clock goes back: the first one is taken"))
        }
    }
}

/// A moment as it was typed.
pub fn read(text: &str, zone: Option<&TimeZone>) -> Result<Timestamp, Failure> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Some(moment) = bracketed(text) {
        return Ok(moment);
    }
    let Ok(local) = text.parse::<DateTime>() else {
        return Err(Failure::new(Exit::Usage, format!("`{text}` is no moment"))
            .hint("write 2026-12-24T18:30 in the tenant's time zone, or 2026-12-24T18:30Z"));
    };
    let Some(zone) = zone else {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{text}` names no time zone, and neither does the manifest"),
        )
        .hint("add `--tz Europe/Berlin`, or write `timeZone` under `availability`"));
    };
    let moment = zone.to_ambiguous_timestamp(local).compatible();
    moment.map_err(|error| Failure::new(Exit::Usage, format!("`{text}` can't be read: {error}")))
}

/// A moment with the name of its zone behind it: `2026-12-24T18:30[Europe/Berlin]`, with an offset or without.
fn bracketed(text: &str) -> Option<Timestamp> {
    let (local, name) = text.strip_suffix(']')?.split_once('[')?;
    let zone = zone::find(name)?;
    if let Ok(moment) = local.parse::<Timestamp>() {
        let is_agreed = Pieces::parse(local).ok()?.to_numeric_offset()? == zone.to_offset(moment);
        return is_agreed.then_some(moment);
    }
    zone.to_ambiguous_timestamp(local.parse().ok()?).compatible().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_the_clock_passes_over_or_shows_twice_is_told() {
        let berlin = zone::find("Europe/Berlin").unwrap();
        for (text, told) in [
            (
                "2026-03-29T02:30",
                Some(
                    "2026-03-29T02:30 does not exist in Europe/Berlin, where the clock goes forward: 03:30 is taken",
                ),
            ),
            (
                "2026-10-25T02:30",
                Some(
                    "2026-10-25T02:30 comes twice in Europe/Berlin, where the clock goes back: the first one is taken",
                ),
            ),
            ("2026-10-25T03:00", None),
            ("2026-10-25T02:30Z", None),
        ] {
            assert_eq!(note(text, Some(&berlin)).as_deref(), told, "{text}");
        }
        let first = read("2026-10-25T02:30", Some(&berlin)).unwrap();
        assert_eq!(first, "2026-10-25T00:30:00Z".parse().unwrap());
    }
}
