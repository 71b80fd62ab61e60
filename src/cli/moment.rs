//! Moments as people type them: `2026-12-24T18:30` is wall-clock time of a zone, `2026-12-24T18:30Z` is not.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::{Exit, Failure};

/// The time zone that a tenant's hours are meant in: what the operator says, or else what the manifest says.
pub fn zone(asked: Option<&str>, named: Option<&str>) -> Result<Option<TimeZone>, Failure> {
    let Some(name) = asked.or(named) else { return Ok(None) };
    let unknown = |_| {
        Failure::new(Exit::Usage, format!("there is no time zone `{name}`"))
            .hint("use an IANA name such as Europe/Berlin")
    };
    TimeZone::get(name).map(Some).map_err(unknown)
}

/// A moment as it was typed.
pub fn read(text: &str, zone: Option<&TimeZone>) -> Result<Timestamp, Failure> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(moment) = text.parse::<Zoned>() {
        return Ok(moment.timestamp());
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
