//! Tests of the audit trail.

use super::{draft, publish, put, rig, settings};
use crate::emulator::Request;
use crate::emulator::fixture::{Rig, body};
use serde_json::{Value, json};

const QUERY: &str = "/api/v2/audits/query";
const DAY: &str = "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z";

fn actions(answer: &Value) -> Vec<String> {
    let entities = answer["entities"].as_array().unwrap().iter();
    entities
        .map(|entity| {
            format!("{} {}", entity["action"].as_str().unwrap(), entity["entityType"].as_str().unwrap())
        })
        .collect()
}

/// A client writes and publishes, a person edits the deployment.
fn eventful() -> Rig {
    let mut rig = rig();
    put(&mut rig, &draft("conf"), &json!({"name": "Website", "description": "three"}));
    rig.pass(300);
    rig.post(&publish("conf"), &Value::Null);
    rig.pass(300);
    rig.post("/_emulator/edit", &json!({"organizationId": super::ORGANIZATION, "actor": "ann", "deployment": {"deployment": "Shop", "version": "newest"}}));
    rig
}

#[test]
fn records_have_the_actor_and_the_action() {
    let mut rig = eventful();
    let realtime = format!("{QUERY}/realtime");
    let asked = json!({"interval": DAY, "serviceName": "WebDeployments"});
    assert_eq!(
        actions(&body(&rig.post(&realtime, &asked))),
        ["Publish ConfigurationVersion", "Update Configuration"]
    );
    rig.pass(300);
    let found = body(&rig.post(&format!("{realtime}?expand=user"), &asked));
    assert_eq!(
        actions(&found),
        ["Update Deployment", "Publish ConfigurationVersion", "Update Configuration"]
    );
    let (person, program) = (&found["entities"][0], &found["entities"][2]);
    assert_eq!((&person["user"]["name"], &person["client"]), (&json!("ann"), &Value::Null));
    assert_eq!((&program["client"]["id"], &program["user"]), (&json!("c1"), &Value::Null));
    assert_eq!(
        program["propertyChanges"],
        json!([{"property": "description", "oldValues": ["two"], "newValues": ["three"]}])
    );
    let user = person["user"]["id"].as_str().unwrap().to_owned();
    for (property, value, expected) in [
        ("EntityId", "conf", 2),
        ("ClientId", "c1", 2),
        ("UserId", user.as_str(), 1),
        ("Action", "Publish", 1),
        ("EntityType", "Deployment", 1),
    ] {
        let filtered =
            json!({"interval": DAY, "filters": [{"property": property, "value": value}], "pageSize": 1});
        let page = body(&rig.post(&realtime, &filtered));
        assert_eq!(
            (&page["total"], page["entities"].as_array().unwrap().len()),
            (&json!(expected), 1),
            "{property}"
        );
    }
    let related = json!({"auditId": person["id"]});
    assert_eq!(actions(&body(&rig.post(&format!("{realtime}/related"), &related))), ["Update Deployment"]);
    rig.token = rig.token_for("c2", "s", "").1;
    assert_eq!(body(&rig.post(&realtime, &asked))["total"], json!(0));
}

#[test]
fn the_trail_can_have_wrong_times_and_copies() {
    let mut rig = rig();
    settings(&mut rig, &json!({"auditCopies": 2, "auditClockSkewMs": -1000, "auditDelayMs": 0}));
    rig.pass(5000);
    put(&mut rig, &draft("conf"), &json!({"name": "Website"}));
    let found = body(&rig.post(&format!("{QUERY}/realtime"), &json!({"interval": DAY})));
    let entities = found["entities"].as_array().unwrap();
    assert_eq!((entities.len(), &entities[0]["eventDate"]), (2, &json!("2026-03-01T00:00:04Z")));
    assert_ne!(entities[0]["id"], entities[1]["id"]);
}

#[test]
fn a_query_takes_time() {
    let mut rig = eventful();
    rig.pass(300);
    let sort = json!([{"name": "Timestamp", "sortOrder": "ascending"}]);
    let started =
        body(&rig.post(QUERY, &json!({"interval": DAY, "serviceName": "WebDeployments", "sort": sort})));
    assert_eq!(started["state"], json!("Queued"));
    let target = format!("{QUERY}/{}", started["id"].as_str().unwrap());
    for (ms, state) in [(99, "Queued"), (1, "Running"), (199, "Running"), (1, "Succeeded")] {
        rig.pass(ms);
        if state != "Succeeded" {
            assert_eq!(rig.get(&format!("{target}/results")).status, 404);
        }
        assert_eq!(body(&rig.get(&target))["state"], json!(state));
    }
    let first = body(&rig.get(&format!("{target}/results?pageSize=2")));
    assert_eq!(actions(&first), ["Update Configuration", "Publish ConfigurationVersion"]);
    let second =
        body(&rig.get(&format!("{target}/results?pageSize=2&cursor={}", first["cursor"].as_str().unwrap())));
    assert_eq!((actions(&second), &second["cursor"]), (vec!["Update Deployment".to_owned()], &Value::Null));
    assert_eq!(rig.get(&format!("{target}/results?cursor=x")).status, 400);
    assert_eq!(rig.get(&format!("{target}/results?pageSize=501")).status, 400);
    let token = rig.token_for("c2", "s", "").1;
    let mine = std::mem::replace(&mut rig.token, token);
    assert_eq!(rig.get(&target).status, 404);
    rig.token = mine;
    settings(&mut rig, &json!({"auditQueryFails": true}));
    let started = body(&rig.post(QUERY, &json!({"interval": DAY})));
    rig.pass(300);
    assert_eq!(
        body(&rig.get(&format!("{QUERY}/{}", started["id"].as_str().unwrap())))["state"],
        json!("Failed")
    );
}

#[test]
fn a_download_needs_no_token() {
    let mut rig = eventful();
    settings(&mut rig, &json!({"auditRedirect": true}));
    let started = body(&rig.post(QUERY, &json!({"interval": DAY})));
    let target = format!("{QUERY}/{}/results", started["id"].as_str().unwrap());
    rig.pass(300);
    assert_eq!(rig.get(&target).status, 200, "without allowRedirect there is no redirect");
    let redirect =
        rig.call("GET", &format!("{target}?allowRedirect=true"), &[("host", "127.0.0.1:1")], &Value::Null);
    assert_eq!(redirect.status, 302);
    let link = redirect.header("location").unwrap().strip_prefix("http://127.0.0.1:1").unwrap().to_owned();
    let answer = rig.send(Request::new("GET", &link)).response.unwrap();
    assert_eq!((answer.status, actions(&body(&answer)).len()), (200, 3));
    assert_eq!(rig.get(&link).status, 400, "the emulator refuses it with a token");
    let log = body(&rig.get("/_emulator/requests"));
    let notes: Vec<&Value> = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["note"])
        .filter(|note| !note.is_null())
        .collect();
    assert_eq!(notes.len(), 1);
}

#[test]
fn invalid_queries_are_refused() {
    let mut rig = eventful();
    for sent in [
        json!({}),
        json!({"interval": "yesterday"}),
        json!({"interval": "2026-03-02T00:00:00Z/2026-03-01T00:00:00Z"}),
        json!({"interval": "2026-01-01T00:00:00Z/2026-03-01T00:00:00Z"}),
        json!({"interval": DAY, "serviceName": "Nothing"}),
        json!({"interval": DAY, "filters": [{"property": "Color", "value": "red"}]}),
        json!({"interval": DAY, "sort": [{"name": "Timestamp", "sortOrder": "up"}]}),
    ] {
        assert_eq!(rig.post(QUERY, &sent).status, 400, "{sent}");
        assert_eq!(rig.post(&format!("{QUERY}/realtime"), &sent).status, 400, "{sent}");
    }
    let asked = json!({"interval": DAY, "serviceName": "WebDeployments"});
    assert_eq!(rig.post(&format!("{QUERY}/realtime"), &asked).status, 200);
    settings(&mut rig, &json!({"auditRealtime": false}));
    assert_eq!(rig.post(&format!("{QUERY}/realtime"), &asked).status, 400);
    let services = body(&rig.get(&format!("{QUERY}/realtime/servicemapping")));
    let names: Vec<&Value> =
        services["services"].as_array().unwrap().iter().map(|service| &service["name"]).collect();
    assert_eq!(names, [&json!("Messaging"), &json!("Knowledge")]);
    let entities = services["services"][0]["entities"].as_array().unwrap().iter();
    let entities: Vec<&Value> = entities.map(|entity| &entity["name"]).collect();
    assert_eq!(entities, ["OpenIntegration", "MessagingDefaults", "SupportedContent", "MessagingSetting"]);
    assert_eq!(
        body(&rig.get(&format!("{QUERY}/servicemapping")))["services"][0]["name"],
        json!("WebDeployments")
    );
    rig.pass(15 * 86_400_000);
    rig.token = rig.token_for("c1", "s", "").1;
    settings(&mut rig, &json!({"auditRealtime": true}));
    assert_eq!(
        body(&rig.post(&format!("{QUERY}/realtime"), &asked))["total"],
        json!(0),
        "realtime reaches 14 days back"
    );
}
