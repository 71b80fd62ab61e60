//! Checks opening hours: their order, their overlaps and their time zone.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::manifest::kinds::tenant::minutes;
use crate::manifest::yaml::{Node, Span};
use crate::model::Severity;
use crate::model::hours::DAYS;
use crate::validate::{Context, Rule, time_zone};

/// The rule.
pub const RULE: Rule = Rule {
    id: "availability",
    summary: "Opening hours start before they end, do not overlap, and are in a time zone that exists",
    severity: Severity::Error,
    tunable: true,
    check,
};

const DAY_MIN: i32 = 24 * 60;
const WEEK_MIN: i32 = 7 * DAY_MIN;

/// One rule of opening hours, in minutes after Monday 00:00; `end` may be after the end of the week.
struct Hours<'a> {
    node: &'a Node,
    index: usize,
    start: i32,
    end: i32,
}

fn check(context: &mut Context<'_>) {
    let Some(section) = context.web().and_then(|spec| spec.get("availability")) else { return };
    let rules = section.get("rules");
    let schedule = section.get("schedule").and_then(|node| node.text().map(|text| (node, text)));
    match (schedule, rules.map(Node::items)) {
        (Some((node, "custom")), Some([])) => {
            context
                .find(
                    node.span,
                    "/spec/availability/schedule",
                    "the schedule is custom but has no hours, so the widget would never be offered",
                )
                .help("add hours under `rules`, or write `schedule: always`");
        }
        (Some((_, "always")), Some([first, ..])) => {
            context
                .find(
                    first.span,
                    "/spec/availability/rules",
                    "these hours have no effect, because the schedule is `always`",
                )
                .help("write `schedule: custom`, or remove the hours")
                .weigh(Severity::Warning);
        }
        _ => {}
    }
    let mut hours: Vec<Hours<'_>> = Vec::new();
    for (index, node) in rules.map(Node::items).unwrap_or_default().iter().enumerate() {
        hours.extend(read(context, node, index));
    }
    check_overlaps(context, &hours);
    check_order(context, rules, &hours);
    check_zone(context, section, &hours);
}

fn read<'a>(context: &mut Context<'_>, node: &'a Node, index: usize) -> Option<Hours<'a>> {
    let day = DAYS.iter().position(|day| node.get("dayOfWeek").and_then(Node::text) == Some(day))?;
    let start_node = node.get("startTime")?;
    let end_node = node.get("endTime")?;
    let time = |node: &Node| node.text().filter(|text| text.len() == 5).map(|text| i32::from(minutes(text)));
    let (start, end) = (time(start_node)?, time(end_node)?);
    let crosses = node.get("crossesMidnight").and_then(Node::bool).unwrap_or(false);
    let pointer = format!("/spec/availability/rules/{index}/endTime");
    if start == end {
        context
            .find(end_node.span, pointer, "these hours end when they start")
            .help("write \"00:00\" to \"23:59\" for a whole day");
        return None;
    }
    if end < start && !crosses {
        context
            .find(end_node.span, pointer, "these hours end before they start")
            .help("swap the times, or add `crossesMidnight: true` if they end on the following day");
        return None;
    }
    if crosses && end > start {
        context
            .find(end_node.span, pointer, "these hours have `crossesMidnight: true` but end on the same day")
            .help("remove `crossesMidnight`");
        return None;
    }
    let base = i32::try_from(day).unwrap_or_default() * DAY_MIN;
    let length = if crosses { end + DAY_MIN - start } else { end - start };
    Some(Hours { node, index, start: base + start, end: base + start + length })
}

fn check_overlaps(context: &mut Context<'_>, hours: &[Hours<'_>]) {
    for (position, later) in hours.iter().enumerate() {
        for earlier in hours.iter().take(position) {
            // Hours that cross midnight on Sunday end on Monday: also compare with the next and the previous
            // week.
            let meets = |shift: i32| later.start + shift < earlier.end && earlier.start < later.end + shift;
            let inside =
                |shift: i32| earlier.start <= later.start + shift && later.end + shift <= earlier.end;
            let shifts = [0, WEEK_MIN, -WEEK_MIN];
            if !shifts.iter().any(|shift| meets(*shift)) {
                continue;
            }
            let message = if shifts.iter().any(|shift| inside(*shift)) {
                "these hours have no effect, because they are inside other hours"
            } else {
                "these hours overlap other hours"
            };
            let other = context.manifest.files.locate(earlier.node.span);
            let finding =
                context.find(later.node.span, format!("/spec/availability/rules/{}", later.index), message);
            finding.related.push((other, "the other hours".into()));
            finding.help("merge the two, or change one");
            break;
        }
    }
}

/// Reports days that are not in the order of the week. The platform ignores the order; it helps readers.
fn check_order(context: &mut Context<'_>, rules: Option<&Node>, hours: &[Hours<'_>]) {
    let Some(list) = rules.filter(|list| list.items().len() == hours.len()) else { return };
    let mut sorted: Vec<usize> = (0..hours.len()).collect();
    sorted.sort_by_key(|at| hours.get(*at).map(|line| (line.start, line.end)));
    if sorted.iter().enumerate().all(|(at, from)| at == *from) {
        return;
    }
    let files = &context.manifest.files;
    let Some((span, chunks)) =
        files.file(list.span.file).and_then(|file| chunks(&file.text, list, sorted.first() != Some(&0)))
    else {
        return;
    };
    let reordered: String = sorted.iter().filter_map(|from| chunks.get(*from)).map(String::as_str).collect();
    let finding =
        context.find(span, "/spec/availability/rules", "these days are not in the order of the week");
    finding.weigh(Severity::Info).help("sort the days for readers; the platform ignores their order");
    finding.fix("sort the days", reordered.trim_end_matches('\n').to_owned());
}

/// Returns the lines of each item of a list with the comments above it, and the span of all items. Returns
/// none if an item does not have its own lines, or if it is not certain which lines belong together.
fn chunks(text: &str, list: &Node, first_moves: bool) -> Option<(Span, Vec<String>)> {
    let line_start = |at: usize| text.get(..at)?.rfind('\n').map_or(Some(0), |newline| Some(newline + 1));
    let mut starts: Vec<usize> = Vec::new();
    for item in list.items() {
        let own = line_start(item.span.start as usize)?;
        // Only the dash may precede the item.
        if text.get(own..item.span.start as usize)?.trim() != "-" {
            return None;
        }
        let dash = text.get(own..)?.find('-')?;
        let mut start = own;
        while let Some(above) = start.checked_sub(1).and_then(line_start) {
            let line = text.get(above..start)?;
            let indent = line.len() - line.trim_start().len();
            if !line.trim_start().starts_with('#') || indent > dash || starts.is_empty() {
                break;
            }
            start = above;
        }
        starts.push(start);
    }
    // The span of a map of several lines ends at the next token, so the end is that of its last value.
    let last = list.items().last().map(last_byte)?;
    let end = text.get(last..)?.find('\n').map_or(text.len(), |newline| last + newline);
    let first = *starts.first()?;
    // A comment above an item moves with it. For an indented comment, a blank line, or a comment above the
    // whole list when its first item moves, it is not certain which item it belongs to.
    let dash = text.get(first..)?.find('-')?;
    let is_reported = |line: &str| {
        let rest = line.trim_start();
        rest.is_empty() || (rest.starts_with('#') && line.len() - rest.len() > dash)
    };
    // Of the comments after the last item, those with a deeper indent belong to it.
    let mut behind = text.get(end..)?.lines().skip(1).take_while(|line| line.trim_start().starts_with('#'));
    if behind.any(is_reported) {
        return None;
    }
    let above = text.get(..first)?.trim_end_matches('\n').rsplit('\n').next()?.trim_start();
    if text.get(first..end)?.lines().any(is_reported) || (first_moves && above.starts_with('#')) {
        return None;
    }
    let ends = starts.iter().skip(1).copied().chain([end]);
    let chunk = |(start, end): (usize, usize)| {
        let chunk = text.get(start..end)?.trim_end_matches('\n');
        Some(format!("{chunk}\n"))
    };
    let chunks: Option<Vec<String>> = starts.iter().copied().zip(ends).map(chunk).collect();
    let span =
        Span { file: list.span.file, start: u32::try_from(first).ok()?, end: u32::try_from(end).ok()? };
    Some((span, chunks?))
}

/// Returns the byte where the last value of a tree ends.
fn last_byte(node: &Node) -> usize {
    let below = node.entries().iter().map(|(_, value)| value).chain(node.items());
    below.map(last_byte).max().unwrap_or(node.span.end as usize)
}

fn check_zone(context: &mut Context<'_>, section: &Node, hours: &[Hours<'_>]) {
    let Some(node) = section.get("timeZone") else { return };
    let Some(zone) = time_zone::check(context, node, "/spec/availability/timeZone") else { return };
    let name = node.text().unwrap_or_default();
    for gap in gaps(&zone, context.today) {
        for line in hours {
            let edges = [("start", line.start), ("end", line.end)];
            let Some((edge, _)) = edges.iter().find(|(_, at)| gap.holds(*at)) else { continue };
            context
                .find(
                    line.node.span,
                    format!("/spec/availability/rules/{}", line.index),
                    format!("the {edge} of these hours does not exist on {}, because the clocks in {name} change from {} to {}", gap.day, clock(gap.from_min), clock(gap.to_min)),
                )
                .help("choose hours outside the clock change, or accept that the platform decides on that day")
                .weigh(Severity::Info);
        }
    }
}

/// The minutes of one day that a time zone skips.
struct Gap {
    day: jiff::civil::Date,
    weekday: Weekday,
    from_min: i32,
    to_min: i32,
}

impl Gap {
    fn holds(&self, week_min: i32) -> bool {
        let week_min = week_min.rem_euclid(WEEK_MIN);
        let day = i32::from(self.weekday.to_monday_zero_offset());
        let minute = week_min - day * DAY_MIN;
        (self.from_min..self.to_min).contains(&minute)
    }
}

/// Returns the gaps in the 366 days after `today`.
fn gaps(zone: &TimeZone, today: jiff::civil::Date) -> Vec<Gap> {
    let Ok(start) = today.to_zoned(TimeZone::UTC) else { return Vec::new() };
    let start: Timestamp = start.timestamp();
    let year_s = 366 * 24 * 3600;
    zone.following(start)
        .take_while(|change| change.timestamp().as_second() - start.as_second() < year_s)
        .filter_map(|change| {
            let before = zone.to_offset(change.timestamp() - jiff::SignedDuration::from_secs(1));
            let skipped_min = (change.offset().seconds() - before.seconds()) / 60;
            let local = before.to_datetime(change.timestamp());
            let from_min = i32::from(local.hour()) * 60 + i32::from(local.minute());
            (skipped_min > 0).then(|| Gap {
                day: local.date(),
                weekday: local.weekday(),
                from_min,
                to_min: from_min + skipped_min,
            })
        })
        .collect()
}

fn clock(minute: i32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
