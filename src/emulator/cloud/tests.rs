//! Tests of the whole cloud API.

use crate::emulator::fixture::{Rig, body};
use crate::emulator::{Request, Response, seed_from_json};
use serde_json::{Value, json};

mod audits;
mod control;
mod deployments;
mod drafts;
mod listings;
mod profiles;
mod tokens;

const BASE: &str = "/api/v2/webdeployments";
const ORGANIZATION: &str = "0f000000-0000-4000-8000-000000000001";
const OTHER: &str = "0f000000-0000-4000-8000-000000000002";

fn world() -> Value {
    json!({
        "clients": [
            {"id": "c1", "secret": "s", "name": "First", "cloud": {"organization": ORGANIZATION}},
            {"id": "c2", "secret": "s", "name": "Second", "cloud": {"organization": OTHER}},
            {"id": "weak", "secret": "s", "name": "Weak", "cloud": {"organization": ORGANIZATION},
             "permissions": ["webDeployments:configuration:edit", "audits:*:view"]},
        ],
        "organizations": [
            {"id": ORGANIZATION, "cloud": {
                "name": "Acme EU", "region": "eu-west-1", "notEnabled": ["video"],
                "limits": {"web.deployments": {"deployments.max": 3}},
                "flows": [
                    {"id": "f1", "name": "Inbound"},
                    {"id": "f2", "name": "Unpublished", "published": false},
                    {"id": "f3", "name": "Voice", "type": "inboundcall"},
                ],
                "knowledgeBases": [{"id": "k1", "name": "Help"}],
                "supportedContent": [{"id": "s1", "name": "Pictures"}],
                "messagingSettings": [{"id": "m1", "name": "Typing"}],
                "openIdIntegrations": [{"id": "i1", "name": "Login"}],
                "pushIntegrations": [{"id": "p1", "name": "Phones", "provider": "FCM"}],
                "configurations": [
                    {"id": "conf", "name": "Website", "versions": [{"description": "one"}, {"description": "two"}]},
                ],
                "deployments": [
                    {"id": "dep", "name": "Shop", "configuration": {"name": "Website", "version": "1"}, "flow": {"id": "f1"}, "allowAllDomains": true},
                ],
            }},
            {"id": OTHER, "cloud": {}},
        ],
    })
}

fn rig() -> Rig {
    Rig::new(&world())
}

fn put(rig: &mut Rig, target: &str, sent: &Value) -> Response {
    rig.call("PUT", target, &[], sent)
}

fn delete(rig: &mut Rig, target: &str) -> Response {
    rig.call("DELETE", target, &[], &Value::Null)
}

fn settings(rig: &mut Rig, patch: &Value) {
    assert_eq!(rig.post("/_emulator/settings", patch).status, 200);
}

fn draft(id: &str) -> String {
    format!("{BASE}/configurations/{id}/versions/draft")
}

fn publish(id: &str) -> String {
    format!("{BASE}/configurations/{id}/versions/draft/publish")
}

/// Creates an Active configuration and returns its id.
fn created(rig: &mut Rig, name: &str) -> String {
    let made = body(&rig.post(&format!("{BASE}/configurations"), &json!({ "name": name })));
    rig.pass(300);
    made["id"].as_str().unwrap().to_owned()
}

#[test]
fn world_files_have_a_strict_grammar() {
    for (cloud, named) in [
        (json!({"region": "mars-1"}), "mars-1"),
        (json!({"state": "asleep"}), "asleep"),
        (json!({"flow": []}), "unknown field `flow`"),
        (json!({"flows": [{"id": "x"}]}), "no name"),
        (
            json!({"configurations": [{"name": "c"}], "deployments": [{"name": "d", "configuration": {"name": "c"}}]}),
            "`d`",
        ),
    ] {
        let file = json!({"organizations": [{"id": "o", "cloud": cloud}]});
        let error = seed_from_json(file.to_string().as_bytes()).unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(format!("{error} {cause}").contains(named), "{error} {cause}");
    }
    let client = json!({"id": "c", "secret": "s", "name": "n", "cloud": {"organization": "p"}});
    let file = json!({"clients": [client], "organizations": [{"id": "o"}]});
    assert!(seed_from_json(file.to_string().as_bytes()).unwrap_err().to_string().contains("`p`"));
}

#[test]
fn organizations_are_separate() {
    let mut rig = rig();
    assert_eq!(body(&rig.get("/api/v2/organizations/me"))["name"], json!("Acme EU"));
    rig.token = rig.token_for("c2", "s", "").1;
    assert_eq!(body(&rig.get("/api/v2/organizations/me"))["id"], json!(OTHER));
    for target in [draft("conf"), format!("{BASE}/deployments/dep"), "/api/v2/flows/f1".to_owned()] {
        assert_eq!(rig.get(&target).status, 404, "{target}");
    }
    assert_eq!(body(&rig.get(&format!("{BASE}/configurations")))["total"], json!(0));
    assert_eq!(delete(&mut rig, &format!("{BASE}/configurations/conf")).status, 404);
    let pin = json!({"name": "d", "configuration": {"id": "conf", "version": "1"}});
    assert_eq!(rig.post(&format!("{BASE}/deployments"), &pin).status, 400);
}

#[test]
fn errors_have_the_body_of_the_api() {
    let mut rig = rig();
    let refused = put(
        &mut rig,
        &draft("conf"),
        &json!({"name": 5, "messenger": {"apps": {"knowledge": {"knowledgeBase": {}}}}}),
    );
    let error = body(&refused);
    assert_eq!((refused.status, &error["status"], &error["code"]), (400, &json!(400), &json!("bad.request")));
    assert_eq!(error["contextId"].as_str(), refused.header("inin-correlation-id"));
    assert_eq!(error["errors"], json!([]));
    let fields: Vec<&Value> =
        error["details"].as_array().unwrap().iter().map(|detail| &detail["fieldName"]).collect();
    assert_eq!(fields, [&json!("name"), &json!("messenger.apps.knowledge.knowledgeBase.id")]);
    for (method, target, sent, status, code) in [
        ("PATCH", draft("conf"), Value::Null, 405, "method.not.allowed"),
        ("GET", draft("nothing"), Value::Null, 404, "not.found"),
        ("PUT", draft("conf"), json!([]), 400, "bad.request"),
        ("PUT", draft("conf"), json!({"name": "x".repeat(600_000)}), 413, "request.too.large"),
        ("GET", format!("{BASE}/configurations?pageSize=301"), Value::Null, 400, "invalid.value"),
    ] {
        let refused = rig.call(method, &target, &[], &sent);
        assert_eq!((refused.status, &body(&refused)["code"]), (status, &json!(code)), "{method} {target}");
    }
    let typed = rig.call("PUT", &draft("conf"), &[("content-type", "text/plain")], &json!({"name": "n"}));
    assert_eq!(typed.status, 415);
    for (header, code) in [("", "authentication.required"), ("Bearer nothing", "bad.credentials")] {
        let mut request = Request::new("GET", &draft("conf"));
        if !header.is_empty() {
            request = request.with_header("authorization", header);
        }
        let refused = rig.send(request).response.unwrap();
        assert_eq!((refused.status, &body(&refused)["code"]), (401, &json!(code)));
    }
}
