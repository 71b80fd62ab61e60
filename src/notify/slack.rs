//! A message for Slack: a text for the notification, and blocks for the channel.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::text::counted;

use super::message::{Message, MessageState, Why};

/// Slack's limits, in characters.
const HEADER_MAX: usize = 150;
const SECTION_MAX: usize = 3000;

/// Returns the request body for an incoming webhook.
pub(super) fn body(message: &Message) -> Value {
    let title = message.title();
    let mark = match message.state {
        MessageState::Firing => ":red_circle:",
        MessageState::Resolved => ":large_green_circle:",
    };
    let instance = escaped(&message.instance);
    let mut lines = Vec::new();
    if message.tenants.is_empty() {
        lines.push(code(&message.reason));
    }
    for troubled in &message.tenants {
        lines.push(format!("• *{}* {}", escaped(troubled.tenant.as_str()), code(&troubled.reason)));
    }
    let more = (message.more > 0).then(|| format!("and {} more", message.more));
    let context = match (message.until, message.why) {
        (Some(until), _) => format!("{instance}, from {} to {}", time(message.since), time(until)),
        (None, Why::Grown) => format!("{instance}, since {}, more tenants than before", time(message.since)),
        (None, Why::Reminder) => format!("{instance}, still lasts, since {}", time(message.since)),
        (None, _) => format!("{instance}, since {}", time(message.since)),
    };
    json!({
        "text": format!("{mark} {}", escaped(&title)),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": cut(&title, HEADER_MAX)}},
            {"type": "section", "text": {"type": "mrkdwn", "text": fitting(lines, more)}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": format!("{mark} {context}")}]},
        ],
    })
}

/// Returns the lines that fit without a cut, the number of the other lines, and the last line.
fn fitting(lines: Vec<String>, last: Option<String>) -> String {
    let room = SECTION_MAX - 100;
    let mut text = String::new();
    let mut left_out = 0_usize;
    for line in lines {
        if left_out > 0 || text.chars().count() + line.chars().count() > room {
            left_out += 1;
        } else {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if left_out > 0 {
        text.push_str(&format!("{} not shown here\n", counted(left_out, "tenant")));
    }
    text.push_str(&last.unwrap_or_default());
    text.trim_end().to_owned()
}

/// Returns text without markup: these three characters begin links, mentions and entities.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Returns text as inline code, where Slack does not interpret asterisks.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("`{}`", escaped(text).replace('`', "'"))
}

fn time(at: Timestamp) -> String {
    // Slack shows the time in the reader's time zone; other clients show the UTC time after the bar.
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{at:.0}>", at.as_second())
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        text.to_owned()
    } else {
        text.chars().take(chars - 1).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TenantName;
    use crate::notify::{Cause, Troubled};

    fn message(tenants: &[(&str, &str)], more: usize) -> Message {
        let at: Timestamp = "2026-03-02T09:41:00Z".parse().unwrap();
        Message {
            version: 1,
            id: "drift@1#1-first".into(),
            group: "drift".into(),
            instance: "eu <prod>".into(),
            state: MessageState::Firing,
            why: Why::First,
            cause: Cause::Drift,
            reason: "why".into(),
            since: at,
            until: None,
            count: tenants.len() + more,
            tenants: tenants
                .iter()
                .map(|(name, reason)| Troubled {
                    tenant: TenantName::new(*name),
                    since: at,
                    reason: (*reason).to_owned(),
                })
                .collect(),
            more,
            repeat: 0,
        }
    }

    fn section(message: &Message) -> String {
        body(message)["blocks"][1]["text"]["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn external_text_never_becomes_markup() {
        let hostile = message(&[("a", "<!channel> `*bold*` <https://evil.example|click> & &lt;")], 0);
        assert_eq!(
            section(&hostile),
            "• *a* `&lt;!channel&gt; '*bold*' &lt;https://evil.example|click&gt; &amp; &amp;lt;`"
        );
        let whole = body(&hostile).to_string();
        assert!(
            !whole.contains("<!channel") && !whole.contains("<https") && !whole.contains("<prod"),
            "{whole}"
        );
    }

    #[test]
    fn every_part_is_within_the_limits_of_slack() {
        let long = "<".repeat(300);
        let tenants = vec![("t", long.as_str()); 10];
        let section = section(&message(&tenants, 490));
        assert!(section.chars().count() <= SECTION_MAX, "{}", section.chars().count());
        assert!(section.ends_with("not shown here\nand 490 more"), "{section}");
        assert!(section.matches('`').count().is_multiple_of(2), "cut between lines: {section}");
        assert_eq!(cut(&"x".repeat(200), HEADER_MAX).chars().count(), HEADER_MAX);
    }

    #[test]
    fn times_are_shown_in_the_readers_zone() {
        let at: Timestamp = "2026-03-02T09:41:00.123Z".parse().unwrap();
        assert_eq!(time(at), "<!date^1772444460^{date_short_pretty} {time}|2026-03-02T09:41:00Z>");
    }
}
