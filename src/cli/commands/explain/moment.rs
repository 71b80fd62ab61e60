//! `genesync explain TENANT --at TIME`: shows what a visitor gets at a time, with the file and line that sets
//! it.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::manifest::yaml::Node;
use crate::manifest::{Declaration, TenantManifest};
use crate::model::Desired;
use crate::model::hours::Hours;
use crate::render::picture::look::looks;
use crate::render::value::{escape, value};

/// How far ahead genesync searches for the next change, in days.
const AHEAD_DAYS: i64 = 60;
/// How far ahead genesync reports clock changes, in days.
const CLOCK_DAYS: i64 = 30;

/// What a visitor gets, as text and as JSON.
pub struct Answer {
    /// The text output.
    pub text: String,
    /// The JSON output.
    pub document: Value,
}

/// Returns what a tenant's visitors get at a time.
pub fn reported(manifest: &TenantManifest, moment: Timestamp, zone: &TimeZone) -> Answer {
    let local = moment.to_zoned(zone.clone());
    let name = zone.iana_name().unwrap_or("UTC");
    // Writing to a String cannot fail.
    let mut text = String::new();
    let _ = writeln!(text, "{}  {} {name}", manifest.name, local.strftime("%A %Y-%m-%d %H:%M"));
    let mut objects: Vec<Value> = Vec::new();
    for resource in manifest.resources.iter().filter(|known| known.object.kind.has_looks()) {
        let Some(desired) = &resource.desired else { continue };
        if resource.object.kind.has_hours() {
            objects.push(by_the_hour(manifest, resource, desired, (moment, zone), &mut text));
            continue;
        }
        let off = looks(resource.object.kind, &desired.body).first().and_then(|look| look.off);
        let verdict = off.map_or_else(
            || "offered: a messenger has no hours".to_owned(),
            |off| format!("not offered: {off}"),
        );
        let _ = writeln!(text, "  {}: {verdict}", escape(&resource.object.to_string()));
        objects.push(json!({"object": resource.object, "offered": off.is_none(), "reason": off}));
    }
    if objects.is_empty() {
        let _ = writeln!(text, "  git names no object that visitors see");
    }
    let document = json!({
        "tenant": manifest.name.as_str(), "at": moment.to_string(), "timeZone": name, "objects": objects,
    });
    Answer { text, document }
}

/// Returns what visitors get from an object with opening hours.
fn by_the_hour(
    manifest: &TenantManifest,
    resource: &Declaration,
    desired: &Desired,
    (moment, zone): (Timestamp, &TimeZone),
    text: &mut String,
) -> Value {
    let name = zone.iana_name().unwrap_or("UTC");
    let hours = Hours::of(&desired.body, zone.clone());
    let standing = hours.at(moment);
    let rules = resource.spec.path("availability.rules").map(Node::items).unwrap_or_default();
    let next = hours.next_change(moment, SignedDuration::from_hours(24 * AHEAD_DAYS));
    let until = next.map(|next| next.to_zoned(zone.clone()).strftime("%A %Y-%m-%d %H:%M").to_string());
    let next_rules = next.map(|next| hours.at(next).rules).unwrap_or_default();
    let at = |index: usize| rules.get(index).map(|node| place(manifest, node));
    let is_off = looks(resource.object.kind, &desired.body).first().and_then(|look| look.off);
    let verdict = offered(standing.is_open, &hours, until.as_deref(), is_off);
    let _ = writeln!(text, "  {verdict}");
    for (index, rule) in standing.rules.iter().enumerate() {
        let word = if index == 0 { "won   " } else { "also  " };
        let _ = writeln!(text, "    {word}{}", at(*rule).unwrap_or_default());
    }
    if !standing.is_open
        && let Some(rule) = next_rules.first().and_then(|rule| at(*rule))
    {
        let _ = writeln!(text, "    then  {rule}");
    }
    let greetings = greetings(&resource.spec);
    if greetings.is_empty() || !standing.is_open {
        let why = if standing.is_open { "no greeting is named" } else { "no greeting while closed" };
        let _ = writeln!(text, "  {why}");
    }
    for node in greetings.iter().filter(|_| standing.is_open) {
        let _ = writeln!(
            text,
            "  greeted with {}\n    won   {}",
            value(Some(&node.to_json())),
            place(manifest, node)
        );
    }
    let to = moment.checked_add(SignedDuration::from_hours(24 * CLOCK_DAYS)).unwrap_or(moment);
    let clock: Vec<String> =
        hours.clock_changes(moment, to).into_iter().map(|(_, reported)| reported).collect();
    for reported in &clock {
        let _ = writeln!(text, "  note: {reported}");
    }
    if hours.is_custom() {
        let _ = writeln!(
            text,
            "  note: the platform gets the hours without a time zone and uses its own: make sure that it is {name}"
        );
    }
    let located =
        |key: &str, node: &Node| json!({key: node.to_json(), "location": manifest.files.locate(node.span)});
    let messages: Vec<Value> = greetings.iter().map(|node| located("message", node)).collect();
    let won = standing.rules.iter().filter_map(|index| rules.get(*index));
    let won: Vec<Value> = won.map(|node| located("rule", node)).collect();
    json!({
        "object": null,
        "offered": standing.is_open,
        "rules": won,
        "nextChange": next.map(|next| next.to_string()),
        "greeting": if standing.is_open { messages } else { Vec::new() },
        "clockChanges": clock,
    })
}

/// Returns whether the messenger is offered, and until when.
fn offered(is_open: bool, hours: &Hours, until: Option<&str>, off: Option<&str>) -> String {
    match (is_open, hours.is_custom(), until) {
        (true, false, _) => "offered: at all hours".to_owned(),
        (true, true, Some(until)) => format!("offered, until {until}"),
        (true, true, None) => "offered, with no end in the next 60 days".to_owned(),
        (false, _, Some(until)) => format!("not offered, until {until}"),
        (false, _, None) => format!("not offered: {}", off.unwrap_or("no opening hours in the next 60 days")),
    }
}

fn place(manifest: &TenantManifest, node: &Node) -> String {
    let location = manifest.files.locate(node.span);
    format!("{}:{}:{}", escape(&location.file), location.line, location.column)
}

/// Returns the greeting messages; none if the greeting is off.
fn greetings(spec: &Node) -> Vec<&Node> {
    let is_off = spec.path("greetings.enabled").and_then(Node::bool) == Some(false);
    let messages = spec.path("greetings.messages").map(Node::items).unwrap_or_default();
    messages.iter().filter(|_| !is_off).collect()
}
