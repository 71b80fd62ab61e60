//! Tests of people's edits, of scripted faults and of the log.

use super::{BASE, ORGANIZATION, draft, publish, put, rig};
use crate::emulator::fixture::{Rig, body};
use serde_json::{Value, json};

fn edit(rig: &mut Rig, part: &Value) -> (u16, Value) {
    let mut sent = json!({"organizationId": ORGANIZATION, "actor": "ann"});
    sent.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    let response = rig.post("/_emulator/edit", &sent);
    (response.status, body(&response))
}

#[test]
fn people_edit_everything() {
    let mut rig = rig();
    let (status, shown) = edit(
        &mut rig,
        &json!({"draft": {"configuration": "Website", "patch": {"description": "hers", "headlessMode": {"enabled": true}}}, "publish": {"configuration": "conf"}}),
    );
    assert_eq!(
        (status, &shown["published"]["version"], &shown["draft"]["description"]),
        (200, &json!("3"), &json!("hers"))
    );
    let (_, shown) = edit(
        &mut rig,
        &json!({"deployment": {"deployment": "dep", "version": "newest", "patch": {"description": "d"}}}),
    );
    assert_eq!(
        (&shown["deployment"]["configuration"]["version"], &shown["deployment"]["description"]),
        (&json!("3"), &json!("d"))
    );
    assert_eq!(shown["deployment"]["flow"]["id"], json!("f1"));
    edit(&mut rig, &json!({"draft": {"configuration": "conf", "patch": {"status": "Error"}}}));
    rig.pass(10_000);
    assert_eq!(body(&rig.get(&draft("conf")))["status"], json!("Error"));
    assert_eq!(edit(&mut rig, &json!({"delete": {"configuration": "conf"}})).0, 409);
    assert_eq!(edit(&mut rig, &json!({"delete": {"deployment": "Shop", "flow": "Inbound"}})).0, 200);
    assert_eq!(
        (rig.get("/api/v2/flows/f1").status, rig.get(&format!("{BASE}/deployments/dep")).status),
        (404, 404)
    );
    let (_, made) = edit(&mut rig, &json!({"create": {"configuration": {"name": "Hers"}}}));
    assert_eq!(rig.get(&draft(made["created"].as_str().unwrap())).status, 200);
    for (part, status) in [
        (json!({}), 400),
        (json!({"patch": {}, "publish": {"configuration": "conf"}}), 400),
        (json!({"publish": {"configuration": "unknown"}}), 404),
        (json!({"delete": {"planet": "earth"}}), 400),
        (json!({"draft": {"configuration": "conf"}}), 400),
    ] {
        assert_eq!(edit(&mut rig, &part).0, status, "{part}");
    }
}

#[test]
fn a_person_edits_between_two_requests() {
    let mut rig = rig();
    let hers = json!({"actor": "ann", "draft": {"configuration": "conf", "patch": {"description": "hers"}}});
    rig.fault(json!({"match": {"method": "POST", "path": "/**/publish", "organizationId": ORGANIZATION}, "do": {"edit": hers}}));
    put(&mut rig, &draft("conf"), &json!({"name": "Website", "description": "ours"}));
    rig.pass(300);
    // Her edit leaves the draft Pending. The emulator refuses the first publish, and the second publishes her
    // edit.
    assert_eq!(rig.post(&publish("conf"), &Value::Null).status, 400);
    rig.pass(300);
    assert_eq!(body(&rig.post(&publish("conf"), &Value::Null))["description"], json!("hers"));
    let listed = body(&rig.get("/_emulator/faults"));
    assert_eq!(listed["faults"][0]["do"]["edit"]["draft"]["configuration"], json!("conf"));
}

#[test]
fn each_fault_has_its_documented_effect() {
    for (script, status, code) in [
        (json!({"status": 503, "retryAfter": 3}), Some(503), json!("service.unavailable")),
        (json!({"status": 429, "retryAfter": 3}), Some(429), json!("too.many.requests.retry.after")),
        (
            json!({"status": 400, "code": "bad.request", "message": "not yet"}),
            Some(400),
            json!("bad.request"),
        ),
        (json!({"status": 302, "location": "http://169.254.169.254/"}), Some(302), json!("scripted")),
        (json!({"garbage": true}), Some(200), Value::Null),
        (json!({"drop": "before"}), None, Value::Null),
    ] {
        let mut rig = rig();
        rig.fault(json!({"match": {"path": "/api/v2/webdeployments/**"}, "do": script}));
        let handled = rig.outcome("GET", &draft("conf"), &[], &Value::Null).response;
        assert_eq!(handled.as_ref().map(|response| response.status), status, "{script}");
        if let Some(response) = handled {
            assert_eq!(body(&response)["code"], code, "{script}");
            assert_eq!(response.header("retry-after").is_some(), script["retryAfter"].is_number());
            assert_eq!(response.header("location"), script["location"].as_str());
        }
    }
    for script in
        [json!({"code": "x"}), json!({"stale": true, "message": "x"}), json!({"edit": {"actor": "a"}})]
    {
        assert_eq!(rig().post("/_emulator/faults", &json!({"faults": [{"do": script}]})).status, 400);
    }
}

#[test]
fn an_empty_listing_hides_existing_objects() {
    let mut rig = rig();
    rig.fault(json!({"match": {"path": "/api/v2/**"}, "times": 2, "do": {"empty": true}}));
    let listed = body(&rig.get(&format!("{BASE}/configurations")));
    assert_eq!((&listed["entities"], &listed["total"]), (&json!([]), &json!(0)));
    assert_eq!(body(&rig.get(&draft("conf")))["name"], json!("Website"), "one object is not a listing");
    assert_eq!(body(&rig.get(&format!("{BASE}/configurations")))["total"], json!(1));
}

#[test]
fn stale_reads_show_the_state_before() {
    let mut rig = rig();
    put(&mut rig, &draft("conf"), &json!({"name": "Newer"}));
    rig.pass(300);
    rig.post(&publish("conf"), &Value::Null);
    put(&mut rig, &draft("conf"), &json!({"name": "Newest"}));
    rig.fault(json!({"times": 0, "do": {"stale": true}}));
    assert_eq!(body(&rig.get(&draft("conf")))["name"], json!("Newer"));
    assert_eq!(rig.get(&format!("{BASE}/configurations/conf/versions/3")).status, 404);
    assert_eq!(body(&rig.get(&format!("{BASE}/configurations/conf/versions")))["total"], json!(3));
    assert_eq!(body(&rig.get(&format!("{BASE}/deployments")))["total"], json!(1));
}

#[test]
fn the_log_and_the_state_have_organizations() {
    let mut rig = rig();
    rig.world.keep_exchanges();
    rig.get(&draft("conf"));
    rig.world.handle(
        &crate::emulator::Request::new("GET", "/webdeployments/v1/deployments/dep/config.json"),
        rig.now,
    );
    let log = body(&rig.get("/_emulator/requests"));
    for entry in log["requests"].as_array().unwrap() {
        assert_eq!(entry["organizationId"], json!(ORGANIZATION), "{entry}");
    }
    assert_eq!(log["requests"][1]["clientId"], json!("c1"));
    let state = body(&rig.get("/_emulator/state"));
    assert_eq!(state["cloud"][ORGANIZATION]["configurations"][0]["versions"][1]["description"], json!("two"));
    assert_eq!(rig.world.cloud_state(ORGANIZATION, rig.now).unwrap()["name"], json!("Acme EU"));
    let paths: Vec<String> = rig.world.exchanges().into_iter().map(|(request, _)| request.path).collect();
    assert_eq!(paths, [draft("conf"), "/webdeployments/v1/deployments/dep/config.json".to_owned()]);
}
