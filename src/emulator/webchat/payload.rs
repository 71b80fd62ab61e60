//! The rules of the configuration's payload.
//!
//! In: the object of a PUT. Out: every rule that it breaks, by field. Never: requires a field, sets a
//! default, or refuses an unknown field. Start reading at [`violations`], which follows the contract's table.

use crate::emulator::webchat::error::FieldError;
use serde_json::{Map, Value};

const DAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
const GREETINGS_MAX: usize = 3;
const GREETING_CHARS_MAX: usize = 150;

/// Lists every broken rule, in the order of the contract's table.
pub(super) fn violations(body: &Map<String, Value>) -> Vec<FieldError> {
    let mut check = Check { errors: Vec::new() };
    if let Some(widget) = check.section(body, "", "widget") {
        check.widget(widget);
    }
    if let Some(greetings) = check.section(body, "", "greetings") {
        check.boolean(greetings, "greetings", "enabled");
        check.strings(greetings, "greetings", "messages", true);
        check.field(greetings, "greetings", "delayMs", "must be an integer from 0 to 60000", |value| {
            value.as_i64().is_some_and(|delay_ms| (0..=60_000).contains(&delay_ms))
        });
    }
    if let Some(availability) = check.section(body, "", "availability") {
        check.one_of(availability, "availability", "schedule", &["always", "custom"]);
        check.rules(availability);
    }
    if let Some(features) = check.section(body, "", "features") {
        if let Some(flags) = check.section(features, "features", "flags") {
            for name in flags.keys() {
                check.boolean(flags, "features.flags", name);
            }
        }
        check.strings(features, "features", "audiences", false);
        check.boolean(features, "features", "dynamicRouting");
    }
    check.errors
}

struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    fn widget(&mut self, widget: &Map<String, Value>) {
        if let Some(theme) = self.section(widget, "widget", "theme") {
            if let Some(colors) = self.section(theme, "widget.theme", "colors") {
                for name in ["primary", "background"] {
                    let message = "must be a colour, `#RGB` or `#RRGGBB`";
                    self.field(colors, "widget.theme.colors", name, message, |v| {
                        v.as_str().is_some_and(is_colour)
                    });
                }
            }
            let at = "widget.theme.typography";
            if let Some(typography) = self.section(theme, "widget.theme", "typography") {
                let message = "must be `<n>px` with a whole n from 14 to 24";
                self.field(typography, at, "fontSize", message, |v| v.as_str().is_some_and(is_font_size));
                self.field(typography, at, "fontFamily", "must be a string", Value::is_string);
            }
        }
        let at = "widget.accessibility";
        if let Some(accessibility) = self.section(widget, "widget", "accessibility") {
            self.one_of(accessibility, at, "wcagLevel", &["AA", "AAA"]);
            self.field(accessibility, at, "contrastRatio", "must be a number from 4.5 to 21", |value| {
                value.as_f64().is_some_and(|ratio| (4.5..=21.0).contains(&ratio))
            });
            self.one_of(accessibility, at, "ariaLiveRegion", &["off", "polite", "assertive"]);
        }
    }

    fn rules(&mut self, availability: &Map<String, Value>) {
        let Some(rules) = self.list(availability, "availability", "rules") else { return };
        for (position, rule) in rules.iter().enumerate() {
            let at = format!("availability.rules[{position}]");
            let Some(rule) = rule.as_object() else {
                self.report(at, "must be an object");
                continue;
            };
            self.one_of(rule, &at, "dayOfWeek", &DAYS);
            for name in ["startTime", "endTime"] {
                let message = "must be a time `HH:MM` from 00:00 to 23:59";
                self.field(rule, &at, name, message, |value| value.as_str().is_some_and(is_time));
            }
        }
    }

    fn strings(&mut self, object: &Map<String, Value>, at: &str, name: &str, greetings: bool) {
        let Some(items) = self.list(object, at, name) else { return };
        if greetings && !(1..=GREETINGS_MAX).contains(&items.len()) {
            self.report(format!("{at}.{name}"), "must hold 1 to 3 messages");
        }
        for (position, item) in items.iter().enumerate() {
            match item.as_str() {
                None => self.report(format!("{at}.{name}[{position}]"), "must be a string"),
                Some(text) if greetings && text.chars().count() > GREETING_CHARS_MAX => {
                    self.report(format!("{at}.{name}[{position}]"), "must have at most 150 characters");
                }
                Some(_) => {}
            }
        }
    }

    fn one_of(&mut self, object: &Map<String, Value>, at: &str, name: &str, allowed: &[&str]) {
        let message = format!("must be one of `{}`", allowed.join("`, `"));
        self.field(object, at, name, &message, |value| {
            value.as_str().is_some_and(|text| allowed.contains(&text))
        });
    }

    fn boolean(&mut self, object: &Map<String, Value>, at: &str, name: &str) {
        self.field(object, at, name, "must be true or false", Value::is_boolean);
    }

    fn list<'a>(&mut self, object: &'a Map<String, Value>, at: &str, name: &str) -> Option<&'a [Value]> {
        self.field(object, at, name, "must be a list", Value::is_array);
        object.get(name)?.as_array().map(Vec::as_slice)
    }

    fn section<'a>(
        &mut self,
        object: &'a Map<String, Value>,
        at: &str,
        name: &str,
    ) -> Option<&'a Map<String, Value>> {
        self.field(object, at, name, "must be an object", Value::is_object);
        object.get(name)?.as_object()
    }

    fn field(
        &mut self,
        object: &Map<String, Value>,
        at: &str,
        name: &str,
        message: &str,
        holds: impl Fn(&Value) -> bool,
    ) {
        if object.get(name).is_some_and(|value| !holds(value)) {
            self.report(if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }, message);
        }
    }

    fn report(&mut self, field: String, message: &str) {
        self.errors.push(FieldError { field, message: message.to_owned() });
    }
}

fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_font_size(text: &str) -> bool {
    let digits = text.strip_suffix("px").unwrap_or_default();
    // Exactly two digits: no sign, no leading zero, no fraction.
    digits.len() == 2
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.parse::<u8>().is_ok_and(|size| (14..=24).contains(&size))
}

fn is_time(text: &str) -> bool {
    let two_digits = |part: &str, below: u8| {
        part.len() == 2
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse::<u8>().is_ok_and(|number| number < below)
    };
    text.split_once(':').is_some_and(|(hours, minutes)| two_digits(hours, 24) && two_digits(minutes, 60))
}

#[cfg(test)]
mod tests {
    use crate::emulator::webchat::payload::violations;
    use serde_json::{Value, json};

    /// Nests a value below a dotted path.
    fn nested(path: &str, value: Value) -> Value {
        path.rsplit('.').fold(value, |inner, name| json!({ name: inner }))
    }

    fn fields(body: &Value) -> Vec<String> {
        violations(body.as_object().unwrap()).into_iter().map(|error| error.field).collect()
    }

    fn number(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// A field's path, its valid values and its invalid values.
    type Row = (&'static str, Vec<Value>, Vec<Value>);

    fn check(table: Vec<Row>) {
        for (path, good, bad) in table {
            for value in good {
                assert_eq!(fields(&nested(path, value.clone())), Vec::<String>::new(), "{path} {value}");
            }
            for value in bad {
                assert_eq!(fields(&nested(path, value.clone())), [path], "{path} {value}");
            }
        }
    }

    #[test]
    fn checks_each_field_of_the_widget() {
        check(vec![
            (
                "widget.theme.colors.primary",
                vec![json!("#abc"), json!("#00AAff")],
                vec![
                    json!("abc"),
                    json!("#abcd"),
                    json!("#ggg"),
                    json!(""),
                    json!(5),
                    json!(null),
                    json!("#é1"),
                ],
            ),
            ("widget.theme.colors.background", vec![json!("#FFFFFF")], vec![json!("white")]),
            (
                "widget.theme.typography.fontSize",
                vec![json!("14px"), json!("24px")],
                vec![
                    json!("13px"),
                    json!("25px"),
                    json!("+9px"),
                    json!("16"),
                    json!("014px"),
                    json!("16.5px"),
                    json!(16),
                ],
            ),
            ("widget.theme.typography.fontFamily", vec![json!("Inter")], vec![json!(1)]),
            (
                "widget.accessibility.wcagLevel",
                vec![json!("AA"), json!("AAA")],
                vec![json!("A"), json!("aa")],
            ),
            (
                "widget.accessibility.contrastRatio",
                vec![json!(21), number("4.50")],
                vec![number("4.49"), number("21.1"), number("1e400"), json!("7")],
            ),
            ("widget.accessibility.ariaLiveRegion", vec![json!("off"), json!("polite")], vec![json!("loud")]),
            ("widget", vec![json!({})], vec![json!([]), json!(null)]),
            ("widget.theme", vec![json!({})], vec![json!("dark")]),
        ]);
    }

    #[test]
    fn checks_each_field_of_greetings_hours_and_features() {
        let long = "é".repeat(150);
        check(vec![
            ("greetings.enabled", vec![json!(true)], vec![json!("true"), json!(1)]),
            (
                "greetings.messages",
                vec![json!(["a"]), json!([long, "", "c"])],
                vec![json!([]), json!(["1", "2", "3", "4"]), json!("a")],
            ),
            (
                "greetings.delayMs",
                vec![json!(0), json!(60_000)],
                vec![json!(-1), json!(60_001), number("2000.5"), json!("1")],
            ),
            ("availability.schedule", vec![json!("always"), json!("custom")], vec![json!("never")]),
            ("availability.rules", vec![json!([]), json!([{}])], vec![json!({})]),
            ("features.flags", vec![json!({}), json!({"x": false})], vec![json!([])]),
            ("features.flags.x", vec![json!(true)], vec![json!("yes"), json!(null)]),
            ("features.audiences", vec![json!([]), json!(["a"])], vec![json!("a")]),
            ("features.dynamicRouting", vec![json!(false)], vec![json!(0)]),
            ("unknown.field", vec![json!(null), json!([1, {"a": number("1e400")}])], vec![]),
        ]);
    }

    #[test]
    fn reports_everything_at_once_with_positions() {
        let body = json!({
            "widget": {"theme": {"colors": {"primary": "red"}}},
            "greetings": {"enabled": 1, "messages": ["a", 2, "x".repeat(151), "d"]},
            "availability": {"rules": [{"dayOfWeek": "MON", "startTime": "9:00", "endTime": "24:00"}, 7]},
        });
        assert_eq!(
            fields(&body),
            [
                "widget.theme.colors.primary",
                "greetings.enabled",
                "greetings.messages",
                "greetings.messages[1]",
                "greetings.messages[2]",
                "availability.rules[0].dayOfWeek",
                "availability.rules[0].startTime",
                "availability.rules[0].endTime",
                "availability.rules[1]",
            ]
        );
    }
}
