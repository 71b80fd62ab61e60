//! Tests of supported content, of messaging settings, and of their defaults.

use super::{BASE, ORGANIZATION, delete, put, rig, settings, world};
use crate::emulator::fixture::{Rig, body};
use crate::emulator::seed_from_json;
use serde_json::{Value, json};

const CONTENT: &str = "/api/v2/conversations/messaging/supportedcontent";
const SETTINGS: &str = "/api/v2/conversations/messaging/settings";
const OPEN: &str = "/api/v2/conversations/messaging/integrations/open";

fn patch(rig: &mut Rig, target: &str, sent: &Value) -> Value {
    let response = rig.call("PATCH", target, &[], sent);
    assert_eq!(response.status, 200, "{sent}");
    body(&response)
}

fn edit(rig: &mut Rig, part: &Value) -> (u16, Value) {
    let mut sent = json!({"organizationId": ORGANIZATION, "actor": "ann"});
    sent.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    let response = rig.post("/_emulator/edit", &sent);
    (response.status, body(&response))
}

/// Creates a profile and returns its path and its id.
fn made(rig: &mut Rig, path: &str, sent: &Value) -> (String, String) {
    let made = body(&rig.post(path, sent));
    let id = made["id"].as_str().unwrap().to_owned();
    (format!("{path}/{id}"), id)
}

/// Returns `Enabled` or `Disabled` for each part of a setting: mention, reply, typing in, typing out.
fn switches(setting: &Value) -> [bool; 4] {
    [
        "/content/story/mention/inbound",
        "/content/story/reply/inbound",
        "/event/typing/on/inbound",
        "/event/typing/on/outbound",
    ]
    .map(|path| match setting.pointer(path).and_then(Value::as_str) {
        Some("Enabled") => true,
        Some("Disabled") => false,
        other => panic!("{path}: {other:?} in {setting}"),
    })
}

#[test]
fn a_profile_lives_from_its_creation_to_its_deletion() {
    for (path, same, first, second) in [
        (CONTENT, "/api/v2/messaging/supportedcontent", json!(1), json!(2)),
        (SETTINGS, "/api/v2/messaging/settings", json!("1"), json!("2")),
    ] {
        let mut rig = rig();
        let answer = rig.post(path, &json!({"name": "One", "version": 9, "future": {"a": 1}}));
        let created = body(&answer);
        assert_eq!((answer.status, &created["version"], &created["future"]), (200, &first, &json!({"a": 1})));
        let target = format!("{path}/{}", created["id"].as_str().unwrap());
        assert_eq!(created["selfUri"], json!(target));
        assert_eq!(created["dateCreated"], json!("2026-03-01T00:00:00Z"));
        for user in ["createdBy", "modifiedBy", "updatedBy"] {
            assert_eq!(created[user], Value::Null, "a client is not a user");
        }
        assert_eq!(body(&rig.get(&target)), created);
        rig.pass(1000);
        let changed = patch(&mut rig, &target, &json!({"name": "Two"}));
        assert_eq!((&changed["version"], &changed["name"]), (&second, &json!("Two")));
        assert_eq!(
            (&changed["dateCreated"], &changed["dateModified"]),
            (&created["dateCreated"], &json!("2026-03-01T00:00:01Z"))
        );
        let page = body(&rig.get(&format!("{same}?pageSize=1&pageNumber=2")));
        assert_eq!(
            (&page["total"], &page["pageCount"], &page["entities"][0]),
            (&json!(2), &json!(2), &changed)
        );
        let other = target.replace(path, same);
        assert_eq!(delete(&mut rig, &other).status, 204);
        for method in ["GET", "DELETE", "PATCH"] {
            assert_eq!(rig.call(method, &target, &[], &json!({})).status, 404, "{method}");
        }
        assert_eq!(body(&rig.get(path))["total"], json!(1));
    }
}

#[test]
fn media_that_is_not_allowed_is_blocked() {
    let allow =
        |inbound: Value, outbound: Value| json!({"allow": {"inbound": inbound, "outbound": outbound}});
    let images = json!([{"type": "image/*"}]);
    let mut rig = rig();
    assert_eq!(
        body(&rig.get(&format!("{CONTENT}/s1")))["mediaTypes"],
        allow(images.clone(), images.clone()),
        "the world file says nothing"
    );
    for (sent, expected) in [
        (json!({}), allow(json!([]), json!([]))),
        (json!({"allow": null}), allow(json!([]), json!([]))),
        (json!({"allow": {"inbound": images}}), allow(images.clone(), json!([]))),
        (json!({"allow": {"outbound": [{"type": "*/*"}]}}), allow(json!([]), json!([{"type": "*/*"}]))),
    ] {
        let (target, _) = made(&mut rig, CONTENT, &json!({"name": "n", "mediaTypes": sent}));
        assert_eq!(body(&rig.get(&target))["mediaTypes"], expected, "{sent}");
        // A change replaces both directions or neither.
        patch(&mut rig, &target, &json!({"name": "n", "mediaTypes": allow(images.clone(), images.clone())}));
        assert_eq!(
            patch(&mut rig, &target, &json!({"name": "n", "mediaTypes": sent}))["mediaTypes"],
            expected,
            "{sent}"
        );
        assert_eq!(patch(&mut rig, &target, &json!({"name": "m"}))["mediaTypes"], expected, "{sent}");
    }
}

#[test]
fn a_setting_is_merged_deeply() {
    let mut rig = rig();
    let on = json!({"typing": {"on": {"outbound": "Enabled"}}});
    let (target, _) = made(&mut rig, SETTINGS, &json!({"name": "n", "event": on}));
    assert_eq!(switches(&body(&rig.get(&target))), [false, false, false, true]);
    assert_eq!(switches(&body(&rig.get(&format!("{SETTINGS}/m1")))), [false; 4]);
    for (sent, expected) in [
        (json!({}), [false, false, false, true]),
        (json!({"content": {"story": {"reply": {"inbound": "Enabled"}}}}), [false, true, false, true]),
        (json!({"event": {"typing": {"on": {"inbound": "Enabled"}}}}), [false, true, true, true]),
        (json!({"event": {"typing": {"on": {"outbound": "Disabled"}}}}), [false, true, true, false]),
        (json!({"content": null, "event": {"typing": null}}), [false, true, true, false]),
    ] {
        assert_eq!(switches(&patch(&mut rig, &target, &sent)), expected, "{sent}");
    }
}

#[test]
fn wrong_bodies_are_refused_by_field() {
    let media = |kind: &str| json!({"name": "n", "mediaTypes": {"allow": {"inbound": [{"type": kind}]}}});
    let inbound = "mediaTypes.allow.inbound[0].type";
    for (path, sent, field) in [
        (CONTENT, json!({}), "name"),
        (CONTENT, json!({"name": ""}), "name"),
        (CONTENT, json!({"name": 5}), "name"),
        (CONTENT, media("png"), inbound),
        (CONTENT, media("*/png"), inbound),
        (CONTENT, media("image/png; q=1"), inbound),
        (
            CONTENT,
            json!({"name": "n", "mediaTypes": {"allow": {"outbound": [{}]}}}),
            "mediaTypes.allow.outbound[0].type",
        ),
        (SETTINGS, json!({"event": {}}), "name"),
        (
            SETTINGS,
            json!({"name": "n", "event": {"typing": {"on": {"inbound": "On"}}}}),
            "event.typing.on.inbound",
        ),
        (SETTINGS, json!({"name": "n", "content": {"story": []}}), "content.story"),
    ] {
        let mut rig = rig();
        let refused = rig.post(path, &sent);
        assert_eq!(
            (refused.status, &body(&refused)["details"][0]["fieldName"]),
            (400, &json!(field)),
            "{sent}"
        );
        if sent.get("name") == Some(&json!("n")) {
            let known = format!("{path}/{}", if path == CONTENT { "s1" } else { "m1" });
            assert_eq!(rig.call("PATCH", &known, &[], &sent).status, 400, "{sent}");
        }
        assert_eq!(body(&rig.get(path))["total"], json!(1));
    }
}

#[test]
fn one_profile_or_none_is_the_default() {
    for (path, field, known) in [(CONTENT, "id", "s1"), (SETTINGS, "settingId", "m1")] {
        let mut rig = rig();
        let target = format!("{path}/default");
        assert_eq!(rig.get(&target).status, 404);
        let before = body(&rig.get(&format!("{path}/{known}")));
        for sent in [json!({}), json!({"other": "s1"}), json!({field: "no"}), json!({field: 5})] {
            let refused = rig.call("PUT", &target, &[], &sent);
            assert_eq!(
                (refused.status, &body(&refused)["details"][0]["fieldName"]),
                (400, &json!(field)),
                "{sent}"
            );
        }
        rig.pass(1000);
        let set = put(&mut rig, &target, &json!({field: known}));
        assert_eq!((set.status, body(&set)), (200, before.clone()), "the profile does not change");
        assert_eq!(
            (body(&rig.get(&target)), body(&rig.get(&format!("{path}/{known}")))),
            (before.clone(), before)
        );
        let (other, id) = made(&mut rig, path, &json!({"name": "Other"}));
        put(&mut rig, &target, &json!({field: id}));
        assert_eq!(body(&rig.get(&target))["id"], json!(id));
        assert_eq!(delete(&mut rig, &other).status, 204);
        assert_eq!(rig.get(&target).status, 404, "no default after its profile is deleted");
    }
    let mut rig = rig();
    let target = format!("{SETTINGS}/default");
    assert_eq!(delete(&mut rig, &target).status, 404);
    put(&mut rig, &target, &json!({"settingId": "m1"}));
    assert_eq!(delete(&mut rig, "/api/v2/messaging/settings/default").status, 204);
    assert_eq!((rig.get(&target).status, rig.get(&format!("{SETTINGS}/m1")).status), (404, 200));
    assert_eq!(delete(&mut rig, &format!("{CONTENT}/default")).status, 405);
}

#[test]
fn reads_lag_behind_writes() {
    for (path, field) in [(CONTENT, "id"), (SETTINGS, "settingId")] {
        let mut rig = rig();
        settings(&mut rig, &json!({"visibleDelayMs": 500, "staleDelayMs": 200}));
        let (target, id) = made(&mut rig, path, &json!({"name": "One"}));
        let default = format!("{path}/default");
        let seen = |rig: &mut Rig| (rig.get(&target).status, body(&rig.get(path))["total"].clone());
        put(&mut rig, &default, &json!({field: id}));
        rig.pass(499);
        assert_eq!((seen(&mut rig), rig.get(&default).status), ((404, json!(1)), 404));
        rig.pass(1);
        assert_eq!((seen(&mut rig), rig.get(&default).status), ((200, json!(2)), 200));
        patch(&mut rig, &target, &json!({"name": "Two"}));
        rig.pass(199);
        assert_eq!(body(&rig.get(&target))["name"], json!("One"));
        rig.pass(1);
        assert_eq!(body(&rig.get(&target))["name"], json!("Two"));
        rig.fault(json!({"do": {"stale": true}}));
        assert_eq!(body(&rig.get(&target))["name"], json!("One"));
        assert_eq!(delete(&mut rig, &target).status, 204);
        assert_eq!(
            (rig.call("PATCH", &target, &[], &json!({})).status, seen(&mut rig)),
            (404, (200, json!(2)))
        );
        assert_eq!(rig.get(&default).status, 200);
        rig.pass(200);
        assert_eq!((seen(&mut rig), rig.get(&default).status), ((404, json!(1)), 404));
    }
}

#[test]
fn a_profile_in_use_stays() {
    let mut rig = rig();
    let open = json!({"name": "Kiosk", "outboundNotificationWebhookUrl": "https://hook.example/x",
        "outboundNotificationWebhookSignatureSecretToken": "0123456789abcdef",
        "supportedContent": {"id": "s1"}, "messagingSetting": {"id": "m1"}});
    let (integration, _) = made(&mut rig, OPEN, &open);
    for target in [format!("{CONTENT}/s1"), format!("{SETTINGS}/m1")] {
        let refused = delete(&mut rig, &target);
        assert_eq!((refused.status, &body(&refused)["code"]), (409, &json!("conflict")));
        assert!(body(&refused)["message"].as_str().unwrap().contains("Kiosk"));
    }
    delete(&mut rig, &integration);
    assert_eq!(delete(&mut rig, &format!("{SETTINGS}/m1")).status, 204);
    let shop = json!({"name": "Shop", "configuration": {"id": "conf", "version": "1"}, "supportedContent": {"id": "s1"}});
    assert_eq!(put(&mut rig, &format!("{BASE}/deployments/dep"), &shop).status, 200);
    let read = body(&rig.get(&format!("{BASE}/deployments/dep?expand=supportedContent")));
    assert_eq!(read["supportedContent"]["mediaTypes"]["allow"]["inbound"], json!([{"type": "image/*"}]));
    assert_eq!(delete(&mut rig, &format!("{CONTENT}/s1")).status, 409);
    assert_eq!(delete(&mut rig, &format!("{BASE}/deployments/dep")).status, 204);
    assert_eq!(delete(&mut rig, &format!("{CONTENT}/s1")).status, 204);
    let refused = body(&rig.post(OPEN, &open));
    let fields: Vec<&Value> =
        refused["details"].as_array().unwrap().iter().map(|detail| &detail["fieldName"]).collect();
    assert_eq!(fields, [&json!("supportedContent.id"), &json!("messagingSetting.id")]);
}

#[test]
fn people_edit_profiles_and_defaults() {
    let mut rig = rig();
    for (path, name, known, field) in [
        (CONTENT, "supportedContent", "Pictures", "mediaTypes"),
        (SETTINGS, "messagingSetting", "Typing", "event"),
    ] {
        let (status, shown) = edit(&mut rig, &json!({"create": {name: {"name": "Hers"}}}));
        assert_eq!(status, 200);
        let hers = format!("{path}/{}", shown["created"].as_str().unwrap());
        let read = body(&rig.get(&hers));
        assert_eq!((&read["name"], read["createdBy"]["id"].is_string()), (&json!("Hers"), true));
        let (_, shown) =
            edit(&mut rig, &json!({name: {name: known, "patch": {"name": "Renamed", field: null}}}));
        assert_eq!(shown[name]["name"], json!("Renamed"));
        assert!(shown[name][field].is_object(), "{shown}");
        let by = if path == CONTENT { "modifiedBy" } else { "updatedBy" };
        assert_eq!(shown[name][by], read["createdBy"]);
        let (_, shown) = edit(&mut rig, &json!({"default": {name: "Renamed"}}));
        assert_eq!(shown["default"][name]["name"], json!("Renamed"));
        let state = body(&rig.get("/_emulator/state"))["cloud"][ORGANIZATION].clone();
        assert_eq!(state["defaults"][name], shown["default"][name]["id"]);
        let (_, shown) = edit(&mut rig, &json!({"default": {name: null}}));
        assert_eq!(
            (&shown["default"][name], rig.get(&format!("{path}/default")).status),
            (&Value::Null, 404)
        );
        assert_eq!(edit(&mut rig, &json!({"delete": {name: "Hers"}})).0, 200);
        assert_eq!(rig.get(&hers).status, 404);
        for (part, status) in [
            (json!({"default": {name: null}}), 404),
            (json!({"default": {name: "unknown"}}), 404),
            (json!({"default": {"flow": "Inbound"}}), 400),
            (json!({name: {name: "unknown", "patch": {}}}), 404),
            (json!({name: {name: "Renamed"}}), 400),
            (json!({"delete": {name: "unknown"}}), 404),
        ] {
            assert_eq!(edit(&mut rig, &part).0, status, "{part}");
        }
    }
}

#[test]
fn the_trail_has_profiles_by_default() {
    for (unaudited, expected) in [
        (
            json!([]),
            vec![
                "Create SupportedContent New",
                "Update SupportedContent Newer",
                "Update MessagingDefaults ",
                "Delete SupportedContent Newer",
                "Create MessagingSetting New",
                "Update MessagingSetting Newer",
                "Update MessagingDefaults ",
                "Delete MessagingSetting Newer",
            ],
        ),
        (
            json!(["SupportedContent", "MessagingDefaults", "Nothing"]),
            vec![
                "Create MessagingSetting New",
                "Update MessagingSetting Newer",
                "Delete MessagingSetting Newer",
            ],
        ),
    ] {
        let mut rig = rig();
        settings(&mut rig, &json!({"auditDelayMs": 0, "unaudited": unaudited}));
        for (path, field) in [(CONTENT, "id"), (SETTINGS, "settingId")] {
            let (target, id) = made(&mut rig, path, &json!({"name": "New"}));
            patch(&mut rig, &target, &json!({"name": "Newer"}));
            put(&mut rig, &format!("{path}/default"), &json!({field: id}));
            delete(&mut rig, &target);
        }
        let asked = json!({"interval": "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z", "serviceName": "Messaging",
            "sort": [{"name": "Timestamp", "sortOrder": "ascending"}]});
        let found = body(&rig.post("/api/v2/audits/query/realtime", &asked));
        let entities = found["entities"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let named: Vec<String> = entities
            .iter()
            .map(|entity| {
                let parts = [&entity["action"], &entity["entityType"], &entity["entity"]["name"]];
                parts.map(text).join(" ")
            })
            .collect();
        assert_eq!(named, expected);
        let last = entities.last().unwrap();
        let uri = format!("{SETTINGS}/{}", text(&last["entity"]["id"]));
        assert_eq!(last["entity"]["selfUri"], json!(uri));
        let of_defaults = entities.iter().rfind(|entity| entity["entityType"] == "MessagingDefaults");
        if let Some(entity) = of_defaults {
            assert_eq!(entity["propertyChanges"][0]["property"], "messagingSetting.id");
        }
    }
}

#[test]
fn a_world_file_describes_profiles() {
    let mut file = world();
    let cloud = &mut file["organizations"][0]["cloud"];
    cloud["supportedContent"] = json!([
        {"id": "s1", "name": "Pictures"},
        {"name": "Text", "isDefault": true, "mediaTypes": {"allow": {"inbound": [{"type": "text/*"}]}}},
    ]);
    cloud["messagingSettings"] = json!([{"id": "m1", "name": "Typing", "isDefault": true, "event": {"typing": {"on": {"inbound": "Enabled"}}}}]);
    let mut rig = Rig::new(&file);
    let text = body(&rig.get(&format!("{CONTENT}/default")));
    assert_eq!((&text["name"], &text["isDefault"]), (&json!("Text"), &Value::Null));
    assert_eq!(text["mediaTypes"]["allow"], json!({"inbound": [{"type": "text/*"}], "outbound": []}));
    assert_eq!(switches(&body(&rig.get(&format!("{SETTINGS}/default")))), [false, false, true, false]);
    rig.fault(json!({"do": {"stale": true}}));
    assert_eq!(
        body(&rig.get(&format!("{SETTINGS}/default")))["id"],
        json!("m1"),
        "there is nothing before it"
    );
    for (profiles, named) in [
        (json!([{"name": "a", "isDefault": true}, {"name": "b", "isDefault": true}]), "more than one"),
        (json!([{"name": "a", "isDefault": "yes"}]), "isDefault"),
        (json!([{"isDefault": true}]), "no name"),
    ] {
        let mut wrong = file.clone();
        wrong["organizations"][0]["cloud"]["messagingSettings"] = profiles;
        let error = seed_from_json(wrong.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    // An organization that the world file does not describe has a default of each kind.
    let mut usual = Rig::new(
        &json!({"clients": [{"id": "c", "secret": "s", "name": "C", "cloud": {"organization": "o"}}],
        "organizations": [{"id": "o"}]}),
    );
    for path in [CONTENT, SETTINGS] {
        assert_eq!(body(&usual.get(&format!("{path}/default")))["name"], json!("Default"));
    }
}

#[test]
fn every_operation_requires_its_permission() {
    let mut rig = rig();
    rig.token = rig.token_for("weak", "s", "").1;
    for (path, entity) in [(CONTENT, "messaging:supportedContent"), (SETTINGS, "messaging:setting")] {
        for (method, below, action) in [
            ("GET", "", "view"),
            ("POST", "", "add"),
            ("GET", "/x", "view"),
            ("PATCH", "/x", "edit"),
            ("DELETE", "/x", "delete"),
            ("GET", "/default", "view"),
            ("PUT", "/default", "edit"),
        ] {
            let refused = rig.call(method, &format!("{path}{below}"), &[], &Value::Null);
            let message = body(&refused)["message"].as_str().unwrap().to_owned();
            assert!(message.ends_with(&format!("{entity}:{action}")), "{method} {below}: {message}");
        }
    }
}
