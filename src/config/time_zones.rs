//! Reads the operator's own release of the time zone database: a folder of compiled zones, as `zic` writes
//! it.

#![expect(clippy::disallowed_methods, reason = "this module reads the operator's time zones")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::tz::TimeZone;

use super::ConfigError;
use crate::model::zone::TimeZones;

/// The maximum depth of folders; `America/Argentina/Ushuaia` is in the second.
const DEPTH_MAX: usize = 3;
/// The maximum size of one zone, in bytes; the largest one has about 4 KB.
const ZONE_BYTES_MAX: u64 = 256 * 1024;
/// The maximum number of zones; there are about 600, and twice as many copies.
const ZONES_MAX: usize = 5_000;

/// Reads every zone below a folder once, so that later changes of the folder do not affect a run.
///
/// # Errors
/// The folder cannot be read, or it contains no zone.
pub fn read(folder: &Path) -> Result<TimeZones, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: folder.to_owned(), source };
    let mut zones = BTreeMap::new();
    walk(folder, "", DEPTH_MAX, &mut zones).map_err(unreadable)?;
    if zones.is_empty() {
        return Err(ConfigError::Value {
            name: "time-zones",
            given: folder.display().to_string(),
            expected: "a folder of compiled time zones, as `zic -d FOLDER` makes one",
        });
    }
    Ok(TimeZones { release: release(folder), zones })
}

fn walk(
    folder: &Path,
    name: &str,
    depth: usize,
    zones: &mut BTreeMap<String, TimeZone>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(part) = entry.file_name().into_string() else { continue };
        let name = if name.is_empty() { part } else { format!("{name}/{part}") };
        // Links are followed, because many zones are links to others.
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if metadata.is_dir() && depth > 0 {
            walk(&entry.path(), &name, depth - 1, zones)?;
        } else if metadata.is_file() && metadata.len() <= ZONE_BYTES_MAX && zones.len() < ZONES_MAX {
            let bytes = fs::read(entry.path())?;
            if let Ok(zone) = TimeZone::tzif(&name, &bytes) {
                zones.insert(name, zone);
            }
        }
    }
    Ok(())
}

/// Returns the release of the database: the first line of `tzdata.zi`, or the content of `+VERSION` on some
/// systems.
fn release(folder: &Path) -> Option<String> {
    let first_line = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        text.lines().next().map(|line| line.trim().trim_start_matches("# version ").to_owned())
    };
    let found = first_line("tzdata.zi").or_else(|| first_line("+VERSION"))?;
    let is_release = (5..=12).contains(&found.len())
        && found.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_release.then_some(found)
}
