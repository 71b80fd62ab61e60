//! Tests of versions, stored bodies and people's edits.

use crate::emulator::fixture::{Rig, body, path};
use crate::emulator::{Actor, Request};
use serde_json::{Value, json};

#[test]
fn versions_guard_every_write() {
    // (method, existing version, If-Match, status, code, version afterwards)
    for (method, existing, if_match, status, code, after) in [
        ("PUT", None, None, 200, None, Some(1)),
        ("PUT", None, Some("1"), 404, Some("webchat.configuration.not.found"), None),
        ("PUT", Some(4), None, 409, Some("version.conflict"), Some(4)),
        ("PUT", Some(4), Some("3"), 409, Some("version.conflict"), Some(4)),
        ("PUT", Some(4), Some("*"), 409, Some("version.conflict"), Some(4)),
        ("PUT", Some(4), Some("W/\"4\""), 409, Some("version.conflict"), Some(4)),
        ("PUT", Some(4), Some("4"), 200, None, Some(5)),
        ("PUT", Some(4), Some("\"4\""), 200, None, Some(5)),
        ("DELETE", None, None, 404, Some("webchat.configuration.not.found"), None),
        ("DELETE", Some(4), None, 409, Some("version.conflict"), Some(4)),
        ("DELETE", Some(4), Some("5"), 409, Some("version.conflict"), Some(4)),
        ("DELETE", Some(4), Some("4"), 204, None, None),
    ] {
        let organization = match existing {
            None => json!({"id": "o"}),
            Some(version) => json!({"id": "o", "version": version, "configuration": {"a": 1}}),
        };
        let mut rig = Rig::new(&json!({"organizations": [organization]}));
        let headers: Vec<(&str, &str)> = if_match.map(|tag| ("if-match", tag)).into_iter().collect();
        let sent = if method == "PUT" { json!({"a": 1}) } else { Value::Null };
        let response = rig.call(method, &path("o"), &headers, &sent);
        let answer = body(&response);
        assert_eq!(response.status, status, "{method} {existing:?} {if_match:?}");
        assert_eq!(answer.get("code").and_then(Value::as_str), code);
        assert_eq!(rig.world.configuration("o").map(|known| known.version), after);
        assert_eq!(rig.world.writes(), u64::from(status < 300));
        assert_eq!(rig.world.audit().len(), usize::from(status < 300));
        if status == 409 {
            assert_eq!(answer["version"], json!(4));
        }
        if status >= 400 {
            let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
            assert_eq!(names[..5], ["message", "code", "status", "contextId", "details"]);
            assert_eq!(answer["contextId"].as_str(), response.header("x-request-id"));
        }
    }
}

#[test]
fn stores_bodies_unchanged_and_sets_its_own_fields() {
    let mut rig = Rig::new(&json!({}));
    let sent =
        r#"{"z":1.50,"version":9,"modifiedBy":"x","a":{"n":12345678901234567890123},"dateModified":1}"#;
    let sent: Value = serde_json::from_str(sent).unwrap();
    let put = rig.put("o", None, &sent);
    let expected = concat!(
        r#"{"z":1.50,"a":{"n":12345678901234567890123},"version":1,"#,
        r#""dateModified":"2026-03-01T00:00:00Z","modifiedBy":{"id":"c","name":"c","type":"client"}}"#
    );
    assert_eq!(String::from_utf8_lossy(&put.body), expected);
    let read = rig.get(&path("o"));
    assert_eq!((read.status, &read.body), (200, &put.body));
    assert_eq!(read.header("etag"), Some("\"1\""));
    for (tags, status) in
        [("\"1\"", 304), ("\"0\", W/\"1\"", 304), ("*", 304), ("\"2\"", 200), ("1", 200), ("", 200)]
    {
        let response = rig.call("GET", &path("o"), &[("if-none-match", tags)], &Value::Null);
        assert_eq!(response.status, status, "{tags}");
        assert_eq!(response.body.is_empty(), status == 304);
    }
}

#[test]
fn refuses_bodies_before_it_checks_versions() {
    let mut rig = Rig::new(&json!({}));
    assert_eq!(rig.put("o", None, &json!({})).status, 200);
    let bad = json!({"greetings": {"enabled": 1, "delayMs": -1}});
    let refused = rig.put("o", Some("77"), &bad);
    assert_eq!(refused.status, 422);
    let fields: Vec<Value> =
        body(&refused)["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["greetings.enabled", "greetings.delayMs"]);
    for text in ["", "{", "[]", "\"x\"", "{} {}", "\u{feff}{}"] {
        let request = Request::new("PUT", &path("o"))
            .with_header("authorization", &format!("Bearer {}", rig.token))
            .with_body(text);
        assert_eq!(rig.send(request).response.unwrap().status, 400, "{text}");
    }
}

#[test]
fn people_edit_and_remove() {
    let mut rig =
        Rig::new(&json!({"organizations": [{"id": "o", "configuration": {"a": {"b": 1, "c": 2}}}]}));
    let (ann, now) = (Actor::user("ann"), rig.now);
    assert_eq!(rig.world.edit("o", &ann, &json!({"a": {"b": null}, "version": 7}), now), 2);
    assert_eq!(Value::Object(rig.world.configuration("o").unwrap().body.clone()), json!({"a": {"c": 2}}));
    assert_eq!(rig.world.edit("o", &ann, &json!(5), now), 3);
    assert_eq!(rig.world.edit("missing", &ann, &json!({}), now), 0);
    rig.world.remove("o", &ann, now);
    rig.world.remove("o", &ann, now);
    assert!(rig.world.configuration("o").is_none());
    assert_eq!(rig.world.edit("o", &ann, &json!({"x": 1}), now), 1, "a new life starts at 1");
    let names: Vec<&str> = rig.world.audit().iter().map(|record| record.action.name()).collect();
    let kinds = ["update", "update", "delete", "create"].map(|kind| format!("webchat:configuration:{kind}"));
    assert_eq!(names, kinds);
    assert_eq!(rig.world.writes(), 0);
}
