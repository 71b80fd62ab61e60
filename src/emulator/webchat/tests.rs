//! Tests of the whole `webchat` API: stale reads, failing replications, limits.

use crate::emulator::fixture::{AUDIT, REPLICATE, body, configured, path};
use serde_json::{Value, json};

#[test]
fn stale_reads_show_the_version_before() {
    let mut rig = configured();
    rig.fault(json!({"times": 0, "do": {"stale": true}}));
    assert_eq!(body(&rig.get(&path("o")))["version"], json!(1), "there is nothing before the first");
    rig.put("o", Some("1"), &json!({"n": 2}));
    assert_eq!(body(&rig.get(&path("o")))["version"], json!(1));
    let tagged = rig.call("GET", &path("o"), &[("if-none-match", "\"1\"")], &Value::Null);
    assert_eq!(tagged.status, 304);
    rig.call("DELETE", &path("o"), &[("if-match", "2")], &Value::Null);
    assert_eq!(body(&rig.get(&path("o")))["version"], json!(2));
}

#[test]
fn fail_targets_fails_only_these_targets() {
    let mut rig = configured();
    rig.fault(json!({"do": {"failTargets": ["p"]}}));
    let started = body(
        &rig.post(REPLICATE, &json!({"sourceOrganizationId": "o", "targetOrganizationIds": ["p", "q"]})),
    );
    rig.pass(300);
    let job = body(&rig.get(&format!("{REPLICATE}/{}", started["id"].as_str().unwrap())));
    assert_eq!(job["status"], json!("COMPLETED"));
    assert_eq!(
        (&job["targets"][0]["status"], &job["targets"][1]["status"]),
        (&json!("FAILED"), &json!("COMPLETED"))
    );
    assert!(job["targets"][0]["error"].is_string());
}

#[test]
fn limits_each_organization_separately() {
    let mut rig = configured();
    rig.post("/_emulator/settings", &json!({"rateLimitPerMinute": 60}));
    for left in (0..10).rev() {
        let response = rig.get(&path("o"));
        assert_eq!((response.status, response.header("x-ratelimit-limit")), (200, Some("60")));
        assert_eq!(response.header("x-ratelimit-remaining"), Some(left.to_string().as_str()));
    }
    let refused = rig.get(&path("o"));
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(rig.get(&path("p")).status, 404);
    assert_eq!(rig.post(AUDIT, &json!({"query": {"organizations": ["o"]}})).status, 429);
    let unlimited = rig.post(AUDIT, &json!({}));
    assert_eq!((unlimited.status, unlimited.header("x-ratelimit-limit")), (200, None));
    rig.pass(1000);
    assert_eq!(rig.get(&path("o")).status, 200);
}
