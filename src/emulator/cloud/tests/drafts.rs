//! Tests of drafts and versions.

use super::{BASE, created, delete, draft, publish, put, rig, settings};
use crate::emulator::fixture::body;
use serde_json::{Value, json};

#[test]
fn a_draft_becomes_active_before_it_is_published() {
    let mut rig = rig();
    let made =
        body(&rig.post(&format!("{BASE}/configurations"), &json!({"name": "New", "future": {"kept": 1}})));
    assert_eq!((&made["version"], &made["status"]), (&json!("DRAFT"), &json!("Pending")));
    assert_eq!(made["id"], json!("00000000-c0f1-4000-8000-000000000001"));
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(rig.post(&publish(&id), &Value::Null).status, 400, "a Pending draft is not published");
    rig.pass(300);
    assert_eq!(body(&rig.get(&draft(&id)))["status"], json!("Active"));
    for number in ["1", "2"] {
        let version = body(&rig.post(&publish(&id), &Value::Null));
        assert_eq!((&version["version"], &version["status"]), (&json!(number), &json!("Pending")));
        assert!(version["datePublished"].is_string());
        rig.pass(300);
        let read = body(&rig.get(&format!("{BASE}/configurations/{id}/versions/{number}")));
        assert_eq!((&read["status"], &read["future"]), (&json!("Active"), &json!({"kept": 1})));
    }
    let listed = body(&rig.get(&format!("{BASE}/configurations/{id}/versions")));
    let labels: Vec<&Value> =
        listed["entities"].as_array().unwrap().iter().map(|entity| &entity["version"]).collect();
    assert_eq!(labels, [&json!("1"), &json!("2"), &json!("DRAFT")]);
}

#[test]
fn a_put_replaces_the_whole_draft_and_no_version() {
    let mut rig = rig();
    let written = put(
        &mut rig,
        &draft("conf"),
        &json!({"name": "Website", "headlessMode": {"enabled": true}, "version": "9", "id": "x", "status": "Error"}),
    );
    let shown = body(&written);
    assert_eq!(
        (&shown["id"], &shown["version"], &shown["status"]),
        (&json!("conf"), &json!("DRAFT"), &json!("Pending"))
    );
    assert_eq!((&shown["description"], &shown["headlessMode"]), (&Value::Null, &json!({"enabled": true})));
    let version = body(&rig.get(&format!("{BASE}/configurations/conf/versions/2")));
    assert_eq!((&version["description"], &version["headlessMode"]), (&json!("two"), &Value::Null));
    // The later write wins, and the earlier writer gets no error.
    assert_eq!(put(&mut rig, &draft("conf"), &json!({"name": "Website"})).status, 200);
    assert_eq!(body(&rig.get(&draft("conf")))["headlessMode"], Value::Null);
}

#[test]
fn features_that_are_not_enabled_are_refused() {
    let mut rig = rig();
    let languages = json!({"name": "n", "messenger": {"enabled": true}});
    for (sent, field) in [
        (json!({"name": "n", "video": {"enabled": false}}), Some("video")),
        (
            json!({"name": "n", "authenticationSettings": {"enabled": true, "integrationId": "no"}}),
            Some("authenticationSettings.integrationId"),
        ),
        (json!({"name": "n", "authenticationSettings": {"enabled": true, "integrationId": "i1"}}), None),
        (
            json!({"name": "n", "messenger": {"apps": {"knowledge": {"knowledgeBase": {"id": "no"}}}}}),
            Some("messenger.apps.knowledge.knowledgeBase.id"),
        ),
        (json!({"name": "n", "supportCenter": {"knowledgeBase": {"id": "k1"}}}), None),
        (json!({"name": ""}), Some("name")),
        (languages, Some("languages")),
        (
            json!({"name": "n", "messenger": {"enabled": true}, "languages": ["en-us"], "defaultLanguage": "de"}),
            Some("defaultLanguage"),
        ),
        (
            json!({"name": "n", "messenger": {"enabled": true}, "languages": ["en-us"], "defaultLanguage": "en-us"}),
            None,
        ),
    ] {
        let answer = put(&mut rig, &draft("conf"), &sent);
        let error = body(&answer);
        assert_eq!(error["details"][0]["fieldName"].as_str(), field, "{sent}");
        assert_eq!(answer.status, if field.is_some() { 400 } else { 200 }, "{sent}");
        if field == Some("video") {
            assert_eq!(error["details"][0]["errorCode"], json!("feature is not yet implemented"));
        }
    }
}

#[test]
fn reads_lag_behind_writes() {
    let mut rig = rig();
    settings(&mut rig, &json!({"visibleDelayMs": 1000, "staleDelayMs": 500}));
    let id = created(&mut rig, "New");
    assert_eq!(rig.get(&draft(&id)).status, 404);
    assert_eq!(body(&rig.get(&format!("{BASE}/configurations")))["total"], json!(1));
    // A writer already sees the new state.
    assert_eq!(rig.post(&publish(&id), &Value::Null).status, 200);
    rig.pass(700);
    assert_eq!(body(&rig.get(&draft(&id)))["name"], json!("New"));
    assert_eq!(rig.get(&format!("{BASE}/configurations/{id}/versions/1")).status, 404);
    assert_eq!(body(&put(&mut rig, &draft(&id), &json!({"name": "Newer"})))["name"], json!("Newer"));
    assert_eq!(body(&rig.get(&draft(&id)))["name"], json!("New"));
    rig.pass(500);
    assert_eq!(body(&rig.get(&draft(&id)))["name"], json!("Newer"));
    assert_eq!(rig.get(&format!("{BASE}/configurations/{id}/versions/1")).status, 200);
    assert_eq!(delete(&mut rig, &format!("{BASE}/configurations/{id}")).status, 204);
    assert_eq!(
        (rig.get(&draft(&id)).status, put(&mut rig, &draft(&id), &json!({"name": "n"})).status),
        (200, 404)
    );
    rig.pass(500);
    assert_eq!(rig.get(&draft(&id)).status, 404);
}

#[test]
fn a_configuration_in_use_stays() {
    let mut rig = rig();
    let conf = format!("{BASE}/configurations/conf");
    assert_eq!(delete(&mut rig, &conf).status, 409);
    assert_eq!(delete(&mut rig, &format!("{BASE}/deployments/dep")).status, 204);
    assert_eq!(delete(&mut rig, &conf).status, 204);
    assert_eq!(delete(&mut rig, &conf).status, 404);
}

#[test]
fn revisions_name_people_and_not_clients() {
    let mut rig = rig();
    assert!(body(&rig.get(&draft("conf")))["lastModifiedUser"]["id"].is_string());
    put(&mut rig, &draft("conf"), &json!({"name": "Website"}));
    let shown = body(&rig.get(&draft("conf")));
    assert!(shown["createdUser"]["selfUri"].is_string());
    assert_eq!(shown["lastModifiedUser"], Value::Null);
}
