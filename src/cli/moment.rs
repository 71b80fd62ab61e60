//! Parses a time from the command line: `2026-12-24T18:30` is local time in a zone, `2026-12-24T18:30Z` is
//! UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::{Exit, Failure};
use crate::model::zone;

/// Returns the time zone of a tenant's opening hours: from the manifest, else from `--tz`.
///
/// # Errors
/// The zone does not exist, or the manifest and `--tz` name different zones.
pub fn zone(asked: Option<&str>, named: Option<&str>) -> Result<Option<TimeZone>, Failure> {
    let Some(name) = named.or(asked) else { return Ok(None) };
    if let Some(other) = asked.filter(|asked| *asked != name) {
        return Err(Failure::new(
            Exit::Usage,
            format!("the time zone of the manifest's hours is {name}, not {other}"),
        )
        .hint(
            "remove --tz, and write a time of another zone with its offset, such as 2026-12-24T18:30-05:00",
        ));
    }
    let unknown = || {
        Failure::new(Exit::Usage, format!("there is no time zone `{name}`"))
            .hint("use an IANA name such as Europe/Berlin")
    };
    zone::find(name).map(Some).ok_or_else(unknown)
}

/// Returns a warning for a local time that does not exist or exists twice, because the clock changes.
pub fn note(text: &str, zone: Option<&TimeZone>) -> Option<String> {
    let (local, zone) = (text.parse::<DateTime>().ok()?, zone?);
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let name = zone.iana_name().unwrap_or("this zone");
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => {
            let meant = ambiguous.compatible().ok()?.to_zoned(zone.clone()).strftime("%H:%M").to_string();
            Some(format!(
                "{text} does not exist in {name}, because the clock goes forward; genesync uses {meant}"
            ))
        }
        AmbiguousOffset::Fold { .. } => Some(format!(
            "{text} exists twice in {name}, because the clock goes back; genesync uses the first"
        )),
    }
}

/// Parses a time.
pub fn read(text: &str, zone: Option<&TimeZone>) -> Result<Timestamp, Failure> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Some(moment) = bracketed(text) {
        return Ok(moment);
    }
    let Ok(local) = text.parse::<DateTime>() else {
        return Err(Failure::new(Exit::Usage, format!("`{text}` is not a time"))
            .hint("write 2026-12-24T18:30 in the tenant's time zone, or 2026-12-24T18:30Z"));
    };
    let Some(zone) = zone else {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{text}` has no time zone, and the manifest names none"),
        )
        .hint("add `--tz Europe/Berlin`, or write `timeZone` under `availability`"));
    };
    let moment = zone.to_ambiguous_timestamp(local).compatible();
    moment.map_err(|error| Failure::new(Exit::Usage, format!("cannot read the time `{text}`: {error}")))
}

/// Parses a time that ends with the name of its zone: `2026-12-24T18:30[Europe/Berlin]`, with or without an
/// offset.
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
    fn a_local_time_that_does_not_exist_or_exists_twice_is_reported() {
        let berlin = zone::find("Europe/Berlin").unwrap();
        for (text, reported) in [
            (
                "2026-03-29T02:30",
                Some(
                    "2026-03-29T02:30 does not exist in Europe/Berlin, because the clock goes forward; genesync uses 03:30",
                ),
            ),
            (
                "2026-10-25T02:30",
                Some(
                    "2026-10-25T02:30 exists twice in Europe/Berlin, because the clock goes back; genesync uses the first",
                ),
            ),
            ("2026-10-25T03:00", None),
            ("2026-10-25T02:30Z", None),
        ] {
            assert_eq!(note(text, Some(&berlin)).as_deref(), reported, "{text}");
        }
        let first = read("2026-10-25T02:30", Some(&berlin)).unwrap();
        assert_eq!(first, "2026-10-25T00:30:00Z".parse().unwrap());
    }
}
