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
    // Whatever is drawn can be read and has an area.
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
fn what_fails_is_circled_and_told_and_what_passes_is_not() {
    let colours = |primary: &str| {
        web(json!({"widget": {"theme": {"colors": {"primary": primary, "background": "#FFFFFF"}}}}))
    };
    let told = |look: &Appearance, page: Backdrop| {
        let panels = panels(look);
        let of = panels.iter().filter(|panel| panel.view.page == page);
        of.flat_map(|panel| panel.told.iter().cloned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(told(&colours("#0B3D91"), Backdrop::Light), Default::default());
    let told_of = told(&colours("#F2A900"), Backdrop::Light);
    assert_eq!(
        told_of.iter().collect::<Vec<_>>(),
        ["circled: a contrast of 2.01 where 3 is needed", "circled: a contrast of 2.01 where 4.5 is needed"]
    );
    // A dark launcher on a dark page is hard to see, whatever is written on it.
    assert!(told(&colours("#0B3D91"), Backdrop::Dark).iter().any(|told| told.contains("on a dark page")));
}

#[test]
fn a_language_that_is_written_from_the_right_is_drawn_from_the_right() {
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
    // A side that is named is that side in every language.
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
    assert_eq!(changed.len(), 3, "narrow, and wide on either page");
    let gone = pairs(Some(&old), None);
    assert!(gone.iter().all(|pair| pair.before.is_some() && pair.after.is_none()) && !gone.is_empty());
}

#[test]
fn hostile_values_are_drawn_or_told_and_never_stand_in_the_picture() {
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
    let told: Vec<&str> = sheet.told.iter().map(String::as_str).collect();
    assert!(
        told.iter().any(|told| told.contains("#11223380") && told.contains("can't be drawn")),
        "{told:?}"
    );
    assert!(told.contains(&"a message does not fit and is cut"), "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("no bundled font has U+65E5")), "{told:?}");
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
    fn any_text_in_any_place_is_drawn(text in "\\PC{0,200}|[\\s\\p{C}<>&\"'\u{5d0}\u{627}]{0,60}", px in "[0-9]{1,4}px") {
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
