//! Tests of deployments, of their files in the delivery network, and of open messaging integrations.

use super::{BASE, delete, draft, publish, put, rig, settings};
use crate::emulator::Request;
use crate::emulator::fixture::{Rig, body};
use serde_json::{Value, json};

fn edge(rig: &mut Rig, id: &str, file: &str) -> (u16, Value) {
    let target = format!("/webdeployments/v1/deployments/{id}/{file}");
    let response = rig.send(Request::new("GET", &target)).response.unwrap();
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    (response.status, body(&response))
}

#[test]
fn only_existing_versions_are_deployed() {
    let good = json!({"name": "d", "configuration": {"id": "conf", "version": "2"}, "flow": {"id": "f1"},
        "supportedContent": {"id": "s1"}, "pushIntegrations": [{"provider": "FCM", "id": "p1"}], "allowedDomains": ["acme.example"]});
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    for (sent, field) in [
        (good.clone(), None),
        (with("configuration", json!({"id": "conf", "version": "3"})), Some("configuration.version")),
        (with("configuration", json!({"id": "conf", "version": "DRAFT"})), Some("configuration.version")),
        (with("configuration", json!({"id": "no", "version": "1"})), Some("configuration.id")),
        (with("flow", json!({"id": "f2"})), Some("flow.id")),
        (with("flow", json!({"id": "f3"})), Some("flow.id")),
        (with("flow", json!({"id": "no"})), Some("flow.id")),
        (with("supportedContent", json!({"id": "no"})), Some("supportedContent.id")),
        (with("pushIntegrations", json!([{"provider": "FCM", "id": "no"}])), Some("pushIntegrations[0].id")),
        (with("allowAllDomains", json!(true)), Some("allowedDomains")),
        (with("name", json!("")), Some("name")),
    ] {
        let answer = rig().post(&format!("{BASE}/deployments"), &sent);
        assert_eq!(body(&answer)["details"][0]["fieldName"].as_str(), field, "{sent}");
        assert_eq!(answer.status, if field.is_some() { 400 } else { 200 }, "{sent}");
    }
}

#[test]
fn a_deployment_keeps_its_version_until_it_is_moved() {
    let mut rig = rig();
    let target = format!("{BASE}/deployments/dep");
    rig.post(&publish("conf"), &Value::Null);
    let shown = body(&rig.get(&target));
    assert_eq!(
        (&shown["configuration"]["version"], &shown["configuration"]["name"]),
        (&json!("1"), &json!("Website"))
    );
    assert_eq!(shown["flow"]["name"], json!("Inbound"));
    let moved = json!({"name": "Shop", "configuration": {"id": "conf", "version": "3"}});
    assert_eq!(put(&mut rig, &target, &moved).status, 400, "version 3 is still Pending");
    rig.pass(300);
    let written = body(&put(&mut rig, &target, &moved));
    assert_eq!(
        (&written["status"], &written["flow"], &written["allowAllDomains"]),
        (&json!("Pending"), &Value::Null, &Value::Null)
    );
    let active = body(&rig.get(&format!("{target}/configurations")));
    assert_eq!(active["configurationVersion"]["version"], json!("3"));
    assert_eq!(active["deployment"]["id"], json!("dep"));
    rig.pass(300);
    assert_eq!(body(&rig.get(&target))["status"], json!("Active"));
    let off = json!({"name": "Shop", "configuration": {"id": "conf", "version": "3"}, "status": "Inactive"});
    put(&mut rig, &target, &off);
    rig.pass(300);
    assert_eq!(body(&rig.get(&target))["status"], json!("Inactive"));
    assert_eq!(edge(&mut rig, "dep", "config.json").1["status"], json!("Inactive"));
}

#[test]
fn deployments_have_a_limit() {
    let mut rig = rig();
    let sent = json!({"name": "d", "configuration": {"id": "conf", "version": "2"}});
    for expected in [200, 200, 400] {
        assert_eq!(rig.post(&format!("{BASE}/deployments"), &sent).status, expected);
    }
    let refused = body(&rig.post(&format!("{BASE}/deployments"), &sent));
    assert_eq!(
        refused["limit"],
        json!({"namespace": "web.deployments", "key": "deployments.max", "value": 3})
    );
}

#[test]
fn the_delivery_network_has_a_delay() {
    let mut rig = rig();
    settings(&mut rig, &json!({"cdnDelayMs": 1000}));
    let (status, config) = edge(&mut rig, "dep", "config.json");
    assert_eq!((status, &config["version"], &config["status"]), (200, &json!("1"), &json!("Active")));
    assert_eq!(config["apiEndpoint"], json!("https://api.mypurecloud.ie"));
    assert_eq!(
        edge(&mut rig, "dep", "domains.json").1,
        json!({"allowAllDomains": true, "allowedDomains": []})
    );
    let moved = json!({"name": "Shop", "configuration": {"id": "conf", "version": "2"}, "allowedDomains": ["a.example"]});
    put(&mut rig, &format!("{BASE}/deployments/dep"), &moved);
    rig.pass(999);
    assert_eq!(edge(&mut rig, "dep", "config.json").1["version"], json!("1"));
    rig.pass(1);
    assert_eq!(edge(&mut rig, "dep", "config.json").1["version"], json!("2"));
    assert_eq!(edge(&mut rig, "dep", "domains.json").1["allowedDomains"], json!(["a.example"]));
    let new = body(&rig.post(&format!("{BASE}/deployments"), &moved));
    let id = new["id"].as_str().unwrap();
    rig.pass(1299);
    assert_eq!(edge(&mut rig, id, "config.json").0, 403, "Active for less than the delay");
    rig.pass(1);
    assert_eq!(edge(&mut rig, id, "config.json").0, 200);
    delete(&mut rig, &format!("{BASE}/deployments/dep"));
    rig.pass(1000);
    assert_eq!(edge(&mut rig, "dep", "config.json").0, 403);
    assert_eq!(edge(&mut rig, "unknown", "config.json").0, 403);
}

#[test]
fn a_draft_is_not_delivered() {
    let mut rig = rig();
    put(&mut rig, &draft("conf"), &json!({"name": "Website", "headlessMode": {"enabled": true}}));
    rig.pass(10_000);
    assert_eq!(edge(&mut rig, "dep", "config.json").1["headlessMode"], Value::Null);
}

#[test]
fn identity_resolution_is_kept_with_its_deployment() {
    let mut rig = rig();
    let target = format!("{BASE}/deployments/dep/identityresolution");
    assert_eq!(body(&rig.get(&target))["resolveIdentities"], json!(false));
    assert_eq!(put(&mut rig, &target, &json!({})).status, 400);
    let sent = json!({"resolveIdentities": true, "automerge": {"webTracking": true}});
    assert_eq!(put(&mut rig, &target, &sent).status, 200);
    assert_eq!(body(&rig.get(&target))["automerge"], json!({"webTracking": true}));
    assert_eq!(rig.get(&format!("{BASE}/deployments/no/identityresolution")).status, 404);
}

#[test]
fn open_integrations_take_time() {
    let mut rig = rig();
    let base = "/api/v2/conversations/messaging/integrations/open";
    let good = json!({"name": "o", "outboundNotificationWebhookUrl": "https://hook.example/x",
        "outboundNotificationWebhookSignatureSecretToken": "0123456789abcdef", "supportedContent": {"id": "s1"}});
    for (name, value) in [
        ("outboundNotificationWebhookUrl", json!("http://hook.example")),
        ("outboundNotificationWebhookUrl", json!("https://hook.example:8443")),
        ("outboundNotificationWebhookSignatureSecretToken", json!("0123456789abcde")),
        ("supportedContent", json!({"id": "no"})),
        ("name", Value::Null),
    ] {
        let mut sent = good.clone();
        sent[name] = value;
        let refused = body(&rig.post(base, &sent));
        assert!(refused["details"][0]["fieldName"].as_str().unwrap().starts_with(name), "{sent}");
    }
    let made = body(&rig.post(base, &good));
    assert_eq!(
        (&made["createStatus"], &made["supportedContent"]["name"]),
        (&json!("Initiated"), &json!("Pictures"))
    );
    let target = format!("{base}/{}", made["id"].as_str().unwrap());
    rig.pass(300);
    let read = body(&rig.get(&target));
    assert_eq!(read["createStatus"], json!("Completed"));
    assert_eq!(read["outboundNotificationWebhookSignatureSecretToken"], json!("********"));
    let changed = rig.call("PATCH", &target, &[], &json!({"name": "p"}));
    assert_eq!(
        (&body(&changed)["name"], &body(&changed)["outboundNotificationWebhookUrl"]),
        (&json!("p"), &good["outboundNotificationWebhookUrl"])
    );
    // The emulator refuses the body of a read if a client writes it back.
    assert_eq!(rig.call("PATCH", &target, &[], &read).status, 400);
    assert_eq!(body(&rig.get(base))["total"], json!(1));
    assert_eq!(delete(&mut rig, &target).status, 204);
    assert_eq!(rig.get(&target).status, 404);
}
