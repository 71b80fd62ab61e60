//! Finds a time zone by its IANA name, which means the same on every machine.

use jiff::tz::TimeZone;

use super::Context;
use crate::manifest::schema::{is_spelling_of, nearest};
use crate::manifest::yaml::{Node, shown};
use crate::model::zone;

/// Returns the time zone that a value names. Adds a finding if there is no zone of this name.
pub fn check(context: &mut Context<'_>, node: &Node, pointer: &str) -> Option<TimeZone> {
    let name = node.text()?;
    let found = zone::find(name);
    if found.is_none() {
        let names = zone::names();
        let near = nearest(name, names.iter().map(String::as_str));
        let finding = context.find(node.span, pointer, format!("there is no time zone `{}`", shown(name)));
        match near {
            // The names of two places can differ in one letter: only another spelling of the same name is
            // fixed.
            Some(near) if is_spelling_of(name, &near) => {
                finding.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), near)
            }
            Some(near) if !name.bytes().any(|byte| byte.is_ascii_digit()) => {
                finding.help(format!("did you mean `{near}`?"))
            }
            _ => finding.help("use an IANA name such as Europe/Berlin, which includes daylight saving time"),
        };
    }
    found
}
