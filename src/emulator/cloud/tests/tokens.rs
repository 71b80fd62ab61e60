//! Tests of tokens, permissions and limits.

use super::{BASE, ORGANIZATION, delete, draft, publish, rig, settings};
use crate::emulator::Request;
use crate::emulator::fixture::{Rig, body};
use serde_json::{Value, json};

#[test]
fn token_errors_have_their_own_format() {
    for (basic, fault, status, error, text) in [
        ("Basic YzE6cw==", None, 200, Value::Null, ""),
        ("Basic YzE6eA==", None, 401, json!("invalid_client"), "secret"),
        ("Basic bm9ib2R5Ong=", None, 401, json!("invalid_client"), "secret"),
        (
            "Basic YzE6cw==",
            Some(json!({"status": 400})),
            400,
            json!("invalid_request"),
            "rate limit exceeded;",
        ),
        (
            "Basic YzE6cw==",
            Some(json!({"status": 400, "code": "invalid_client", "message": "no"})),
            400,
            json!("invalid_client"),
            "no",
        ),
        ("Basic YzE6cw==", Some(json!({"status": 503})), 503, json!("server_error"), "scripted"),
    ] {
        let mut rig = rig();
        if let Some(script) = fault {
            rig.fault(
                json!({"match": {"path": "/oauth/token", "organizationId": ORGANIZATION}, "do": script}),
            );
        }
        let request = Request::new("POST", "/oauth/token").with_header("authorization", basic);
        let response = rig.send(request.with_body("grant_type=client_credentials")).response.unwrap();
        let answer = body(&response);
        assert_eq!((response.status, &answer["error"]), (status, &error), "{basic}");
        if status != 200 {
            assert_eq!(answer["description"], answer["error_description"]);
            assert!(answer["description"].as_str().unwrap().contains(text), "{answer}");
            assert_eq!(answer["contextId"], Value::Null);
        }
    }
}

#[test]
fn token_requests_are_limited() {
    let mut rig = rig();
    settings(&mut rig, &json!({"tokenRequestsPerMinute": 2}));
    // The rig requested one token at its start.
    assert_eq!(rig.token_for("c1", "s", "").0, 200);
    assert_eq!(rig.token_for("c1", "s", "").0, 400);
    assert_eq!(rig.token_for("c2", "s", "").0, 200);
    rig.pass(60_000);
    assert_eq!(rig.token_for("c1", "s", "").0, 200);
}

#[test]
fn each_token_has_its_own_window() {
    let mut rig = rig();
    settings(&mut rig, &json!({"tokenRateLimitPerMinute": 2}));
    for count in ["1", "2"] {
        let response = rig.get(&draft("conf"));
        assert_eq!((response.status, response.header("inin-ratelimit-count")), (200, Some(count)));
        assert_eq!(response.header("inin-ratelimit-allowed"), Some("2"));
    }
    rig.pass(18_500);
    let refused = rig.get(&draft("conf"));
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("42")));
    assert_eq!(refused.header("inin-ratelimit-reset"), Some("42"));
    let error = body(&refused);
    assert_eq!(error["code"], json!("too.many.requests.retry.after"));
    assert_eq!(error["message"], json!("Rate limit exceeded the maximum. Retry the request in [42] seconds"));
    let first = rig.token.clone();
    rig.token = rig.token_for("c1", "s", "").1;
    assert_eq!(rig.get(&draft("conf")).status, 200);
    rig.token = first;
    rig.pass(41_500);
    assert_eq!(rig.get(&draft("conf")).status, 200);
    settings(&mut rig, &json!({"tokenRateLimitPerMinute": 0}));
    assert_eq!(rig.get(&draft("conf")).header("inin-ratelimit-allowed"), Some("1000000"));
}

#[test]
fn the_error_names_missing_permissions() {
    let mut rig = rig();
    rig.token = rig.token_for("weak", "s", "").1;
    let refused = rig.post(&publish("conf"), &Value::Null);
    let error = body(&refused);
    assert_eq!((refused.status, &error["code"]), (403, &json!("missing.permissions")));
    let text = "You are missing the following permission(s): webDeployments:configuration:add";
    assert!(error["message"].as_str().unwrap().ends_with(text), "{error}");
    assert_eq!(rig.get(&draft("conf")).status, 403);
    assert_eq!(rig.get("/api/v2/audits/query/servicemapping").status, 200);
    assert_eq!(rig.get("/api/v2/organizations/me").status, 200);
}

#[test]
fn a_token_has_a_description_until_it_is_revoked() {
    let mut rig = rig();
    let token = body(&rig.get("/api/v2/tokens/me"));
    assert_eq!(
        (&token["organization"]["id"], &token["OAuthClient"]["id"]),
        (&json!(ORGANIZATION), &json!("c1"))
    );
    assert_eq!(rig.call("HEAD", "/api/v2/tokens/me", &[], &Value::Null).status, 200);
    assert_eq!(delete(&mut rig, "/api/v2/tokens/me").status, 204);
    assert_eq!(rig.get("/api/v2/tokens/me").status, 401);
}

#[test]
fn limits_are_the_organizations_own() {
    let mut rig = rig();
    let base = "/api/v2/organizations/limits/namespaces/web.deployments";
    let value = |listed: Value| {
        listed["entities"]
            .as_array()
            .unwrap()
            .iter()
            .find(|limit| limit["key"] == json!("deployments.max"))
            .unwrap()["value"]
            .clone()
    };
    assert_eq!(value(body(&rig.get(base))), json!(3));
    assert_eq!(value(body(&rig.get(&format!("{base}/defaults")))), json!(1000));
    assert_eq!(rig.get("/api/v2/organizations/limits/namespaces/nothing").status, 404);
}

#[test]
fn without_a_world_file_every_uuid_is_a_client_of_its_own_organization() {
    let mut rig = Rig::new(&json!({}));
    assert_eq!(body(&rig.get("/api/v2/organizations/me"))["id"], json!("c"));
    let id = "0f0f0f0f-0000-4000-8000-000000000001";
    rig.token = rig.token_for(id, "s", "").1;
    assert_eq!(body(&rig.get("/api/v2/organizations/me"))["id"], json!(id));
    assert_eq!(body(&rig.get("/api/v2/flows"))["entities"][0]["name"], json!("Inbound messages"));
    assert_eq!(rig.token_for(id, "wrong", "").0, 401);
    assert_eq!(rig.token_for("unknown", "s", "").0, 401);
    assert_eq!(rig.post(&format!("{BASE}/configurations"), &json!({"name": "n"})).status, 200);
}
