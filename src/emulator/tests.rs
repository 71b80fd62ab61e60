//! Tests of the whole world: faults, limits, the control surface, and properties for any input.

use crate::emulator::fixture::{AUDIT, Rig, body, configured, path};
use crate::emulator::seed_from_json;
use serde_json::{Value, json};

mod any_input;

/// Lists the status of each logged request after the first, which requested the token.
fn logged(rig: &mut Rig) -> Vec<Value> {
    let log = body(&rig.get("/_emulator/requests?since=1"));
    log["requests"].as_array().unwrap().iter().map(|entry| entry["status"].clone()).collect()
}

#[test]
fn each_fault_has_its_documented_effect() {
    // (do, status of a PUT or None if dropped, delay in milliseconds, version afterwards)
    for (script, status, delay_ms, after) in [
        (json!({"status": 503, "retryAfter": 7}), Some(503), 0, 1),
        (json!({"status": 204}), Some(204), 0, 1),
        (json!({"delayMs": 250}), Some(200), 250, 2),
        (json!({"drop": "before"}), None, 0, 1),
        (json!({"drop": "after"}), None, 0, 2),
        (json!({"garbage": true}), Some(200), 0, 2),
        (json!({"edit": {"actor": "ann", "patch": {"n": 5}}}), Some(409), 0, 2),
        (json!({"stale": true}), Some(200), 0, 2),
        (json!({"failTargets": ["p"]}), Some(200), 0, 2),
    ] {
        let mut rig = configured();
        rig.fault(
            json!({"match": {"method": "put", "path": "/api/**", "organizationId": "o"}, "do": script}),
        );
        let handled = rig.outcome("PUT", &path("o"), &[("if-match", "1")], &json!({"n": 2}));
        let response = handled.response;
        assert_eq!((response.as_ref().map(|r| r.status), handled.delay_ms), (status, delay_ms), "{script}");
        assert_eq!(rig.world.configuration("o").map(|known| known.version), Some(after), "{script}");
        assert_eq!(logged(&mut rig), [json!(status)]);
        match (response, script.get("status"), script.get("garbage")) {
            (Some(response), Some(Value::Number(_)), _) if status == Some(503) => {
                assert_eq!(response.header("retry-after"), Some("7"));
                assert_eq!(body(&response)["code"], json!("service.unavailable"));
            }
            (Some(response), _, Some(_)) => {
                assert_eq!(response.header("content-type"), Some("text/html"));
                assert_eq!(body(&response), Value::Null);
                assert!(response.header("x-request-id").is_some());
            }
            _ => {}
        }
        // The fault is used up, so the next request succeeds.
        let version = after.to_string();
        assert_eq!(rig.put("o", Some(&version), &json!({})).status, 200);
    }
}

#[test]
fn nth_and_times_count_matching_requests() {
    for (nth, times, expected) in [
        (1, 1, [503, 200, 200, 200, 200]),
        (2, 1, [200, 503, 200, 200, 200]),
        (2, 2, [200, 503, 503, 200, 200]),
        (3, 0, [200, 200, 503, 503, 503]),
    ] {
        let mut rig = configured();
        rig.fault(json!({"match": {"method": "GET"}, "nth": nth, "times": times, "do": {"status": 503}}));
        rig.post(AUDIT, &json!({}));
        assert_eq!([0; 5].map(|_| rig.get(&path("o")).status), expected, "{nth} {times}");
    }
    // Only one fault acts on a request, but all count it: the second fault misses its request.
    let mut rig = configured();
    rig.fault(json!({"do": {"status": 500}}));
    rig.fault(json!({"do": {"status": 502}}));
    rig.fault(json!({"nth": 2, "do": {"status": 503}}));
    assert_eq!([0; 3].map(|_| rig.get(&path("o")).status), [500, 503, 200]);
    let listed = body(&rig.get("/_emulator/faults"));
    let counts: Vec<(&Value, &Value)> =
        listed["faults"].as_array().unwrap().iter().map(|fault| (&fault["seen"], &fault["fired"])).collect();
    assert_eq!(counts, [(&json!(3), &json!(1)), (&json!(3), &json!(0)), (&json!(3), &json!(1))]);
    assert_eq!(rig.call("DELETE", "/_emulator/faults", &[], &Value::Null).status, 204);
    assert_eq!(body(&rig.get("/_emulator/faults")), json!({"faults": []}));
}

#[test]
fn the_control_surface_reads_and_changes_the_world() {
    let mut rig = configured();
    rig.fault(json!({"times": 0, "do": {"drop": "before"}}));
    let edited =
        rig.post("/_emulator/edit", &json!({"organizationId": "p", "actor": "ann", "patch": {"n": 1}}));
    assert_eq!(body(&edited), json!({"version": 1}));
    let settings = body(&rig.post("/_emulator/settings", &json!({"latencyMs": 5})));
    assert_eq!(settings, body(&rig.get("/_emulator/settings")));
    assert_eq!(
        settings,
        json!({"latencyMs": 5, "auditDelayMs": 300, "replicationDelayMs": 300,
        "rateLimitPerMinute": 0, "tokenLifetimeS": 3600, "activeDelayMs": 300, "visibleDelayMs": 0,
        "staleDelayMs": 0, "cdnDelayMs": 300, "integrationDelayMs": 300, "tokenRateLimitPerMinute": 0,
        "tokenRequestsPerMinute": 0, "pageSizeMax": 0, "auditQueryDelayMs": 300, "auditQueryFails": false,
        "auditCopies": 1, "auditClockSkewMs": 0, "auditRealtime": true, "auditRedirect": false, "unaudited": []})
    );
    let dropped = rig.outcome("PUT", &path("o"), &[("if-match", "\"1\"")], &json!({}));
    assert_eq!((dropped.response, dropped.delay_ms), (None, 5));
    let log = body(&rig.get("/_emulator/requests"));
    assert_eq!((&log["next"], &log["requests"][0]["clientId"]), (&json!(2), &json!("c")));
    let sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(
        log["requests"][1],
        json!({"n": 2, "time": "2026-03-01T00:00:00Z", "method": "PUT",
        "path": path("o"), "status": null, "organizationId": "o", "clientId": "c", "ifMatch": "\"1\"",
        "bodySha256": sha256})
    );
    assert_eq!(body(&rig.get("/_emulator/requests?since=2")), json!({"requests": [], "next": 2}));
    let state = body(&rig.get("/_emulator/state"));
    assert_eq!(state["organizations"]["p"]["configuration"], json!({"n": 1}));
    assert_eq!(
        state["organizations"]["p"]["modifiedBy"],
        json!({"id": "user-ann", "name": "ann", "type": "user"})
    );
    assert_eq!(state["organizations"]["q"]["version"], Value::Null);
    assert_eq!(state["audit"][0]["visibleAt"], json!("2026-03-01T00:00:00.3Z"));
    assert_eq!(state["jobs"], json!([]));
}

#[test]
fn the_control_surface_refuses_unknown_input() {
    let fault = |script: Value| json!({"faults": [{ "do": script }]});
    for (method, target, sent, status, named) in [
        ("POST", "edit", json!({"organizationId": "o", "actor": "a", "patch": {}, "extra": 1}), 400, "extra"),
        ("POST", "edit", json!({"organizationId": "o", "actor": {"mail": "a"}, "patch": {}}), 400, "mail"),
        ("POST", "edit", json!({"organizationId": "o", "actor": "a", "patch": []}), 400, "map"),
        ("POST", "edit", json!({"organizationId": "zz", "actor": "a", "patch": {}}), 404, "zz"),
        ("POST", "settings", json!({"latency": 1}), 400, "latency"),
        ("POST", "settings", json!({"latencyMs": -1}), 400, "-1"),
        ("POST", "faults", fault(json!({"explode": true})), 400, "explode"),
        ("POST", "faults", fault(json!({})), 400, "exactly one"),
        ("POST", "faults", fault(json!({"stale": true, "garbage": true})), 400, "exactly one"),
        ("POST", "faults", fault(json!({"stale": true, "retryAfter": 1})), 400, "retryAfter"),
        ("POST", "faults", fault(json!({"status": 503, "retryAfter": "a\nb"})), 400, "retryAfter"),
        ("POST", "faults", fault(json!({"status": 100})), 400, "status"),
        ("POST", "faults", json!({"faults": [{"do": {"stale": true}, "nth": 0}]}), 400, "nth"),
        ("POST", "faults", json!({"faults": [{"do": {"stale": true}, "match": {"host": "x"}}]}), 400, "host"),
        ("GET", "requests?since=x", Value::Null, 400, "since"),
        ("GET", "requests?until=5", Value::Null, 400, "until"),
        ("PUT", "faults", Value::Null, 405, "POST"),
        ("GET", "nothing", Value::Null, 404, "nothing"),
    ] {
        let response = configured().call(method, &format!("/_emulator/{target}"), &[], &sent);
        let message = body(&response)["message"].to_string();
        assert_eq!(response.status, status, "{target} {sent}");
        assert!(message.contains(named), "{message}");
    }
}

#[test]
fn world_files_have_a_strict_grammar() {
    for (file, named) in [
        (json!({"client": []}), "unknown field `client`"),
        (
            json!({"clients": [{"id": "a", "secret": "s", "name": "n"}, {"id": "a", "secret": "s", "name": "n"}]}),
            "`a`",
        ),
        (json!({"organizations": [{"id": "o"}, {"id": "o"}]}), "`o`"),
        (json!({"organizations": [{"id": "o", "version": 2}]}), "`o`"),
        (json!({"organizations": [{"id": "o", "version": 0, "configuration": {}}]}), "`o`"),
        (json!({"faults": [{"do": {"drop": "during"}}]}), "during"),
    ] {
        let error = seed_from_json(file.to_string().as_bytes()).unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(format!("{error} {cause}").contains(named), "{error} {cause}");
    }
    assert!(!format!("{:?}", seed_from_json(b"{}").unwrap().or_client("id", "hush")).contains("hush"));
}

#[test]
fn the_manual_shows_a_world_file_and_faults_that_work() {
    let manual = include_str!("../../docs/emulator.md");
    let fences: Vec<&str> =
        manual.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let file = fences.iter().find(|text| text.contains("\"clients\"")).unwrap();
    assert_eq!(seed_from_json(file.as_bytes()).unwrap().clients[0].id, "ci");
    let cloud = fences.iter().find(|text| text.contains("\"cloud\"")).unwrap();
    let mut rig = Rig::new(&serde_json::from_str(cloud).unwrap());
    let organization = rig.world.cloud_state("7d0c5a52-0000-4000-8000-000000000001", rig.now).unwrap();
    assert_eq!(organization["deployments"][0]["configuration"]["version"], json!("1"));
    let edits = fences.iter().filter(|text| text.starts_with("{\"organizationId\""));
    let answers: Vec<u16> =
        edits.map(|edit| rig.post("/_emulator/edit", &serde_json::from_str(edit).unwrap()).status).collect();
    assert_eq!(answers, [200; 9]);
    for setting in body(&rig.get("/_emulator/settings")).as_object().unwrap().keys() {
        assert!(manual.contains(&format!("| `{setting}` |")), "the manual does not explain {setting}");
    }
    let scripts: Vec<&str> =
        manual.lines().filter_map(|line| line.strip_prefix("| `{")?.split('`').next()).collect();
    assert_eq!(scripts.len(), 11);
    for script in scripts {
        let script = format!("{{{}", script.replace('…', "\"n\":1"));
        configured().fault(json!({"do": serde_json::from_str::<Value>(&script).unwrap()}));
    }
}
