//! A time zone by its IANA name, which means the same on every machine.

use jiff::tz::TimeZone;

use super::Context;
use crate::manifest::schema::{is_spelling_of, nearest};
use crate::manifest::yaml::{Node, shown};
use crate::model::zone;

/// The time zone that a value names. Adds a finding where there is none of this name.
pub fn check(context: &mut Context<'_>, node: &Node, pointer: &str) -> Option<TimeZone> {
    let name = node.text()?;
    let found = zone::find(name);
    if found.is_none() {
        let names = zone::names();
        let near = nearest(name, names.iter().map(String::as_str));
        let finding = context.find(node.span, pointer, format!("there is no time zone `{}`", shown(name)));
        match near {
            // One letter lies between two places, and one digit between two hours: only a spelling is mended.
            Some(near) if is_spelling_of(name, &near) => {
                finding.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), near)
            }
            Some(near) if !name.bytes().any(|byte| byte.is_ascii_digit()) => {
                finding.help(format!("did you mean `{near}`?"))
            }
            _ => finding.help("use an IANA name such as Europe/Berlin: it knows when the clock changes"),
        };
    }
    found
}
