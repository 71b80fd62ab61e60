//! Tests of replication jobs and of their copies.

use crate::emulator::fixture::{REPLICATE, Rig, body, path};
use serde_json::{Value, json};

fn rig() -> Rig {
    Rig::new(&json!({
        "settings": {"replicationDelayMs": 300},
        "organizations": [
            {"id": "s", "configuration": {"n": 1}},
            {"id": "full", "configuration": {"n": 0}, "version": 7},
            {"id": "empty"},
            {"id": "bare"},
        ],
    }))
}

fn statuses(job: &Value) -> Vec<(Value, Value)> {
    let targets = job["targets"].as_array().unwrap();
    targets.iter().map(|target| (target["status"].clone(), target["version"].clone())).collect()
}

#[test]
fn advances_only_by_time_and_copies_the_source_at_the_end() {
    for (overwrite, full) in [(false, ("SKIPPED", 7)), (true, ("COMPLETED", 8))] {
        let mut rig = rig();
        let wanted = json!({
            "sourceOrganizationId": "s", "targetOrganizationIds": ["full", "empty", "gone"],
            "configType": "webchat", "overwriteExisting": overwrite,
        });
        let started = rig.post(REPLICATE, &wanted);
        let job = body(&started);
        assert_eq!((started.status, &job["status"]), (202, &json!("QUEUED")));
        let at = format!("{REPLICATE}/{}", job["id"].as_str().unwrap());
        for (pass_ms, status) in [(99, "QUEUED"), (1, "RUNNING"), (100, "RUNNING"), (99, "RUNNING")] {
            rig.pass(pass_ms);
            assert_eq!(body(&rig.get(&at))["status"], json!(status));
            assert_eq!(rig.get(&path("empty")).status, 404);
        }
        assert_eq!(rig.put("s", Some("1"), &json!({"n": 2})).status, 200);
        rig.pass(1);
        let job = body(&rig.get(&at));
        assert_eq!((&job["status"], &job["sourceVersion"]), (&json!("COMPLETED"), &json!(2)));
        let expected =
            [(json!(full.0), json!(full.1)), (json!("COMPLETED"), json!(1)), (json!("FAILED"), Value::Null)];
        assert_eq!(statuses(&job), expected);
        assert_eq!(body(&rig.get(&path("empty")))["n"], json!(2));
        assert_eq!(body(&rig.get(&path("full")))["n"], json!(if overwrite { 2 } else { 0 }));
    }
}

#[test]
fn settles_jobs_in_time_order_even_if_read_late() {
    let mut rig = rig();
    rig.post(REPLICATE, &json!({"sourceOrganizationId": "s", "targetOrganizationIds": ["empty"]}));
    rig.pass(1);
    rig.post("/_emulator/settings", &json!({"replicationDelayMs": 1200}));
    rig.post(
        REPLICATE,
        &json!({"sourceOrganizationId": "full", "targetOrganizationIds": ["s"],
        "overwriteExisting": true}),
    );
    rig.pass(60_000);
    rig.world.settle(rig.now);
    let done: Vec<(&str, String)> = rig
        .world
        .audit()
        .iter()
        .map(|record| (record.organization_id.as_str(), record.at.to_string()))
        .collect();
    let expected = [("empty", "2026-03-01T00:00:00.3Z"), ("s", "2026-03-01T00:00:01.201Z")];
    assert_eq!(done, expected.map(|(id, at)| (id, at.to_owned())));
    assert_eq!(body(&rig.get(&path("empty")))["n"], json!(1));
}

#[test]
fn fails_when_the_source_is_gone_at_the_end() {
    let mut rig = rig();
    let started =
        rig.post(REPLICATE, &json!({"sourceOrganizationId": "s", "targetOrganizationIds": ["empty"]}));
    let at = format!("{REPLICATE}/{}", body(&started)["id"].as_str().unwrap());
    rig.call("DELETE", &path("s"), &[("if-match", "1")], &Value::Null);
    rig.pass(300);
    let job = body(&rig.get(&at));
    assert_eq!((&job["status"], &job["sourceVersion"]), (&json!("FAILED"), &Value::Null));
    assert_eq!(rig.get(&format!("{at}0")).status, 404);
    assert_eq!(rig.get(&format!("{REPLICATE}/job-0")).status, 404);
    assert_eq!(rig.get(&format!("{REPLICATE}/job-01")).status, 404);
}

#[test]
fn refuses_invalid_replications() {
    for (wanted, status) in [
        (json!({"sourceOrganizationId": "unknown", "targetOrganizationIds": ["s"]}), 404),
        (json!({"sourceOrganizationId": "bare", "targetOrganizationIds": ["s"]}), 422),
        (json!({"sourceOrganizationId": "s", "targetOrganizationIds": []}), 422),
        (json!({"sourceOrganizationId": "s", "targetOrganizationIds": ["s"]}), 422),
        (json!({"sourceOrganizationId": "s", "targetOrganizationIds": ["bare", "bare"]}), 422),
        (json!({"sourceOrganizationId": "s", "targetOrganizationIds": ["bare"], "configType": "x"}), 422),
        (json!({"sourceOrganizationId": "s", "targetOrganizationIds": ["bare"], "overwrite": true}), 400),
        (json!({"sourceOrganizationId": "s"}), 400),
        (json!({"sourceOrganizationId": 5, "targetOrganizationIds": ["bare"]}), 400),
    ] {
        let mut rig = rig();
        assert_eq!(rig.post(REPLICATE, &wanted).status, status, "{wanted}");
        assert_eq!(rig.world.writes(), 0);
    }
}
