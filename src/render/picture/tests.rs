use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::look::looks;
use super::sheet::sheet;
use super::views::{Backdrop, Screen, Width};
use super::*;
use crate::model::ObjectKind;

fn body(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn web(value: Value) -> Appearance {
    looks(ObjectKind::WebMessaging, &body(value)).remove(0)
}

fn messengers(value: Value) -> Vec<Appearance> {
    looks(ObjectKind::MessengerConfiguration, &body(value))
}

fn drawn(looks: &[Appearance]) -> sheet::Sheet {
    let sheet = sheet("x", looks, &|_| true);
    // Every picture is readable and has an area.
    assert!(png::draw(&sheet.svg, 0.1).unwrap().len() > 100);
    sheet
}

fn screens(look: &Appearance) -> Vec<Screen> {
    let mut screens: Vec<Screen> = panels(look).iter().map(|panel| panel.view.screen).collect();
    screens.dedup();
    screens
}

#[test]
fn each_state_has_the_screens_that_visitors_can_see() {
    let hours = json!([{"dayOfWeek": "MONDAY", "startTime": "09:00", "endTime": "17:00"}]);
    let messenger = |value| messengers(json!({"messenger": value})).remove(0);
    let table = [
        (web(json!({})), &[Screen::Launcher, Screen::Conversation][..]),
        (
            web(json!({"availability": {"schedule": "custom", "rules": hours}})),
            &[Screen::Launcher, Screen::Conversation, Screen::Unavailable],
        ),
        (web(json!({"availability": {"schedule": "custom", "rules": []}})), &[Screen::Unavailable]),
        (messenger(json!({})), &[Screen::Launcher, Screen::Home, Screen::Conversation]),
        (messenger(json!({"enabled": false})), &[Screen::Unavailable]),
        (messenger(json!({"launcherButton": {"visibility": "Off"}})), &[Screen::Unavailable]),
        (messenger(json!({"homeScreen": {"enabled": false}})), &[Screen::Launcher, Screen::Conversation]),
    ];
    for (index, (look, expected)) in table.iter().enumerate() {
        assert_eq!(screens(look), *expected, "{index}");
    }
}

#[test]
fn only_failing_contrast_is_circled_and_reported() {
    let colours = |primary: &str| {
        web(json!({"widget": {"theme": {"colors": {"primary": primary, "background": "#FFFFFF"}}}}))
    };
    let reported = |look: &Appearance, page: Backdrop| {
        let panels = panels(look);
        let of = panels.iter().filter(|panel| panel.view.page == page);
        of.flat_map(|panel| panel.reported.iter().cloned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(reported(&colours("#0B3D91"), Backdrop::Light), Default::default());
    let reported_of = reported(&colours("#F2A900"), Backdrop::Light);
    assert_eq!(
        reported_of.iter().collect::<Vec<_>>(),
        [
            "circled: the contrast is 2.01, and 3 is needed",
            "circled: the contrast is 2.01, and 4.5 is needed"
        ]
    );
    // A dark launcher on a dark page is hard to see, with any text.
    assert!(
        reported(&colours("#0B3D91"), Backdrop::Dark)
            .iter()
            .any(|reported| reported.contains("on a dark page"))
    );
}

#[test]
fn a_right_to_left_language_is_drawn_from_right_to_left() {
    let looks = messengers(json!({"languages": ["ar", "en-us"], "defaultLanguage": "ar", "messenger": {}}));
    assert_eq!(looks.iter().map(|look| look.is_rtl).collect::<Vec<_>>(), [true, false]);
    let launcher = |look: &Appearance| {
        let view = View { screen: Screen::Launcher, width: Width::Wide, page: Backdrop::Light };
        let panel = draw(look, view).unwrap();
        panel.scene.shapes.iter().rev().find_map(|shape| match shape {
            scene::Shape::Icon { area, .. } => Some(area.x < panel.scene.width / 2.0),
            _ => None,
        })
    };
    assert_eq!((launcher(&looks[0]), launcher(&looks[1])), (Some(true), Some(false)));
    // An explicit side is the same in every language.
    let fixed = messengers(json!({"languages": ["ar"], "position": {"alignment": "Right"}}));
    assert_eq!(launcher(&fixed[0]), Some(false));
}

#[test]
fn pairs_are_the_views_that_differ() {
    let greeting = |text: &str| web(json!({"greetings": {"messages": [text]}}));
    let (old, new) = (greeting("Hello"), greeting("Good morning"));
    assert_eq!(pairs(Some(&old), Some(&old)), []);
    let changed = pairs(Some(&old), Some(&new));
    assert!(changed.iter().all(|pair| pair.view.screen == Screen::Conversation));
    assert_eq!(changed.len(), 3, "narrow, and wide on both pages");
    let gone = pairs(Some(&old), None);
    assert!(gone.iter().all(|pair| pair.before.is_some() && pair.after.is_none()) && !gone.is_empty());
}

#[test]
fn hostile_values_are_drawn_or_reported_and_never_become_markup() {
    let long = "a very long greeting ".repeat(500);
    let hostile = "</text><script>alert(1)</script>\u{202e}gnp.exe\u{202c} ]]>&#0;\u{1b}[31m\u{fffe}";
    let look = web(json!({
        "greetings": {"messages": [long, hostile, "日本語 👩‍👩‍👧 \u{0}"]},
        "widget": {"theme": {
            "colors": {"primary": "#11223380", "background": "red\"/><image href=x>"},
            "typography": {"fontSize": "99999px"},
        }},
    }));
    let sheet = drawn(std::slice::from_ref(&look));
    for word in ["script", "<image", "alert", "exe", "\u{1b}", "\u{202e}", "<!"] {
        assert!(!sheet.svg.contains(word), "{word}");
    }
    let reported: Vec<&str> = sheet.reported.iter().map(String::as_str).collect();
    assert!(
        reported
            .iter()
            .any(|reported| reported.contains("#11223380") && reported.contains("cannot be drawn")),
        "{reported:?}"
    );
    assert!(reported.contains(&"a message does not fit and is cut"), "{reported:?}");
    assert!(
        reported.iter().any(|reported| reported.starts_with("no bundled font has U+65E5")),
        "{reported:?}"
    );
    let shapes = |value| messengers(value).iter().map(|look| panels(look).len()).sum::<usize>();
    for odd in [
        json!({"languages": 3}),
        json!({"languages": [null, 1, ""], "customI18nLabels": "x"}),
        json!({"position": {"sideSpace": -1e9}}),
    ] {
        assert!(shapes(odd) > 0);
    }
}

#[test]
fn the_same_configuration_gives_the_same_bytes() {
    let look = || web(json!({"greetings": {"messages": ["Grüß Gott! {{name}}"]}}));
    assert_eq!(drawn(&[look()]), drawn(&[look()]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_text_in_any_field_is_drawn(text in "\\PC{0,200}|[\\s\\p{C}<>&\"'\u{5d0}\u{627}]{0,60}", px in "[0-9]{1,4}px") {
        let labels = ["MessengerHomeHeaderTitle", "MessengerHomeHeaderSubTitle", "MessengerLauncherButtonText"];
        let labels: Vec<Value> = labels.iter().map(|key| json!({"key": key, "value": text})).collect();
        let mut all = messengers(json!({
            "languages": ["he", text], "defaultLanguage": "he",
            "customI18nLabels": [{"language": "he", "localizedLabels": labels}],
            "messenger": {"launcherButton": {"displayType": "Text"}, "styles": {"primaryColor": text}},
        }));
        all.push(web(json!({"greetings": {"messages": [text]}, "widget": {"theme": {"typography": {"fontSize": px}}}})));
        let sheet = sheet("x", &all, &|_| true);
        resvg::usvg::Tree::from_str(&sheet.svg, &resvg::usvg::Options::default()).unwrap();
    }
}
