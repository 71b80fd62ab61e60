//! What happens to a tenant when a fault occurs: each story with the real binary over real HTTP.

use serde_json::{Value, json};

use crate::support::{CLIENT_ID, Stage, delay, organization, tenant};

fn put_ok() -> (String, Option<u64>) {
    ("PUT".into(), Some(200))
}

// Guarantee: second-plan-is-empty
#[test]
fn a_commit_becomes_live_everywhere_and_a_second_plan_says_no_changes() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1, 2, 3], &delay(1500)));
    let done = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
    let result = &done["tenants"][0];
    assert_eq!(result["status"], "Synced");
    assert_eq!(result["receipts"].as_array().unwrap().len(), 3);
    for receipt in result["receipts"].as_array().unwrap() {
        assert!(receipt["auditEntry"].is_string() && receipt["servedMs"].is_u64(), "{receipt}");
    }
    for number in 1..=3 {
        assert_eq!(stage.live(number).1["greetings"]["delayMs"], 1500);
    }
    let again = stage.genesync(&["plan", "--detailed-exitcode"]).expect(0);
    assert!(again.stdout.contains("No changes"), "{}", again.stdout);
    let written: usize = stage.audit().values().sum();
    assert_eq!(written, 3);
}

// Guarantee: no-blind-write
#[test]
fn a_field_that_no_one_manages_survives_an_edit_between_read_and_write() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let mark = stage.mark();
    stage.fault(1, "PUT", &json!({"edit": {"actor": "Mara Ionescu", "patch": {"banner": {"n": 1}, "greetings": {"tone": "warm"}}}}));
    let ran = stage.genesync(&["apply"]).expect(0);
    assert!(ran.stderr.contains("another user changed"), "{}", ran.stderr);
    assert_eq!(stage.writes(mark), [("PUT".to_owned(), Some(409)), put_ok()]);
    let (version, body) = stage.live(1);
    assert_eq!(
        (version, &body["banner"]["n"], &body["greetings"]["tone"], &body["greetings"]["delayMs"]),
        (3, &json!(1), &json!("warm"), &json!(2))
    );
}

// Guarantee: conflict-is-read-again
#[test]
fn a_managed_field_edited_between_read_and_write_is_set_again_and_its_editor_named() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    stage.fault(
        1,
        "PUT",
        &json!({"edit": {"actor": "Mara Ionescu", "patch": {"greetings": {"delayMs": 777}}}}),
    );
    let ran = stage.genesync(&["apply"]).expect(0);
    assert!(
        ran.stderr.contains("Mara Ionescu changed") && ran.stderr.contains("greetings.delayMs"),
        "{}",
        ran.stderr
    );
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 2);
}

#[test]
fn another_user_who_always_writes_first_makes_the_tenant_contended() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let mark = stage.mark();
    let fault = json!({"match": {"method": "PUT"}, "times": 0, "do": {"edit": {"actor": "Mara Ionescu", "patch": {"greetings": {"delayMs": 777}}}}});
    stage.control("POST", "faults", &json!({"faults": [fault]}));
    let ran = stage.genesync(&["apply"]).expect(4);
    assert!(ran.stdout.contains("contended"), "{}", ran.stdout);
    let refused = stage.writes(mark);
    assert_eq!(refused, vec![("PUT".to_owned(), Some(409)); 6]);
}

#[test]
fn a_lost_answer_makes_one_new_version_and_not_two() {
    for (drop, writes) in [("after", 1), ("before", 2)] {
        let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
        stage.commit(&tenant("acme", &[1], &delay(2)));
        let mark = stage.mark();
        stage.fault(1, "PUT", &json!({"drop": drop}));
        let done = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
        assert_eq!(stage.live(1).0, 2, "drop {drop}");
        assert_eq!(stage.writes(mark).len(), writes, "drop {drop}");
        let by = if drop == "after" { "readback" } else { "put" };
        assert_eq!(done["tenants"][0]["receipts"][0]["by"], by);
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_read_back() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    stage.fault(1, "PUT", &json!({"garbage": true}));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(stage.live(1).0, 2);
}

#[test]
fn a_login_page_instead_of_a_configuration_is_never_taken_for_an_empty_one() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    let mark = stage.mark();
    let fault = json!({"match": {"method": "GET"}, "times": 0, "do": {"garbage": true}});
    stage.control("POST", "faults", &json!({"faults": [fault]}));
    stage.genesync(&["apply"]).expect(7);
    assert_eq!(stage.writes(mark), []);
}

#[test]
fn retry_after_is_honoured_and_its_absence_survived() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let mark = stage.mark();
    stage.fault(1, "PUT", &json!({"status": 429, "retryAfter": 1}));
    stage.genesync(&["apply"]).expect(0);
    let (requests, _) = stage.requests(mark);
    let refused = requests.iter().position(|request| request["status"] == 429).unwrap();
    let time = |request: &Value| request["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let waited = time(&requests[refused + 1]).duration_since(time(&requests[refused]));
    assert!(waited.as_millis() >= 990, "only {waited:?} between the 429 and the next request");

    stage.commit(&tenant("acme", &[1], &delay(3)));
    stage.fault(1, "PUT", &json!({"status": 429}));
    stage.fault(1, "GET", &json!({"status": 429}));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(stage.live(1).0, 3);
}

#[test]
fn ten_refusals_in_a_row_open_the_breaker_and_leave_other_tenants_alone() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    stage.commit(&[tenant("acme", &[1], &delay(2)), tenant("zeta", &[2], &delay(2))].concat());
    let mark = stage.mark();
    let fault = json!({"match": {"organizationId": organization(1)}, "times": 0, "do": {"status": 429}});
    stage.control("POST", "faults", &json!({"faults": [fault]}));
    stage.genesync(&["apply"]).expect(6);
    assert_eq!((stage.live(1).0, stage.live(2).0), (1, 2));
    let (requests, _) = stage.requests(mark);
    assert!(requests.iter().filter(|request| request["status"] == 429).count() <= 10);
}

#[test]
fn a_token_that_expires_mid_run_is_replaced_and_nothing_is_written_twice() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let mark = stage.mark();
    stage.fault(1, "PUT", &json!({"status": 401}));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(stage.writes(mark), [("PUT".to_owned(), Some(401)), put_ok()]);
    assert_eq!(stage.live(1).0, 2);
}

#[test]
fn a_wrong_secret_is_reported_without_being_shown() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], &delay(1)));
    let mut command = stage.command(&["apply", "-v"]);
    command.env("GENESYNC_CREDENTIALS_MAIN_CLIENT_SECRET", "canary-wrong-4711");
    let ran = crate::support::ran(command.output().unwrap()).expect(7);
    assert!(ran.stdout.contains("the client's id or secret is wrong"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("canary") && !ran.stderr.contains("canary"));
}

#[test]
fn replication_that_fails_in_one_region_is_shown_and_repaired_there() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1, 2, 3], &delay(1)));
    let fault = json!({"match": {"path": "**/replicate"}, "do": {"failTargets": [organization(3)]}});
    stage.control("POST", "faults", &json!({"faults": [fault]}));
    let ran = stage.genesync(&["apply", "--format", "json"]).expect(0);
    assert!(ran.stderr.contains(&format!("replication did not reach {}", organization(3))), "{}", ran.stderr);
    let by = |number: u32| {
        let done = ran.json();
        let receipts = done["tenants"][0]["receipts"].as_array().unwrap().clone();
        receipts.iter().find(|receipt| receipt["organizationId"] == organization(number)).unwrap()["by"]
            .clone()
    };
    assert_eq!((by(1), by(2), by(3)), (json!("put"), json!("job"), json!("put")));
    assert_eq!(stage.live(3).1["greetings"]["delayMs"], 1);
}

#[test]
fn an_unreachable_region_delays_no_other_and_is_written_later() {
    let stage = Stage::applied(&[tenant("acme", &[1, 2, 3], &delay(1))]);
    stage.commit(&tenant("acme", &[1, 2, 3], &delay(2)));
    let fault = json!({"match": {"organizationId": organization(2)}, "times": 0, "do": {"status": 503}});
    stage.control("POST", "faults", &json!({"faults": [fault]}));
    // Two regions are written and one is not: a partial result.
    let ran = stage.genesync(&["apply"]).expect(6);
    let reported = format!("us-east-1 (organization {}) is left out", organization(2));
    assert!(ran.stdout.contains("Degraded") && ran.stdout.contains(&reported), "{}", ran.stdout);
    let live = |number: u32| stage.live(number).1["greetings"]["delayMs"].clone();
    assert_eq!([live(1), live(2), live(3)], [2, 1, 2]);
    stage.control("DELETE", "faults", &Value::Null);
    let mark = stage.mark();
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(([live(1), live(2), live(3)], stage.writes(mark).len()), ([json!(2), json!(2), json!(2)], 1));
}

#[test]
fn a_replica_with_fields_of_its_own_is_written_and_never_copied_over() {
    let stage = Stage::applied(&[tenant("acme", &[1, 2, 3], &delay(1))]);
    stage.edit(2, &json!({"regional": {"notice": "hello"}}));
    stage.commit(&tenant("acme", &[1, 2, 3], &delay(2)));
    let done = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
    let receipts = done["tenants"][0]["receipts"].as_array().unwrap();
    assert!(
        receipts.iter().any(|receipt| receipt["organizationId"] == organization(2) && receipt["by"] == "put")
    );
    assert!(
        receipts.iter().any(|receipt| receipt["organizationId"] == organization(3) && receipt["by"] == "job")
    );
    assert_eq!(stage.live(2).1["regional"]["notice"], "hello");
}

#[test]
fn without_replication_jobs_every_region_is_written_directly() {
    for action in [json!({"status": 403}), json!({"drop": "before"}), json!({"drop": "after"})] {
        let stage = Stage::new();
        stage.commit(&tenant("acme", &[1, 2], &delay(1)));
        let fault = json!({"match": {"path": "**/replicate"}, "do": action});
        stage.control("POST", "faults", &json!({"faults": [fault]}));
        stage.genesync(&["apply"]).expect(0);
        assert_eq!(stage.live(2).1["greetings"]["delayMs"], 1, "{action}");
        assert_eq!(stage.live(2).0, 1, "{action}: one version, not two");
    }
}

#[test]
fn a_late_audit_entry_confirms_a_missing_one_does_not_and_neither_writes_again() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], &delay(1)));
    stage.control("POST", "settings", &json!({"auditDelayMs": 600}));
    stage.genesync(&["apply"]).expect(0);

    stage.commit(&tenant("acme", &[1], &delay(2)));
    stage.control("POST", "settings", &json!({"auditDelayMs": 3_600_000}));
    let mark = stage.mark();
    let done = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["status"], "Unconfirmed");
    assert_eq!(stage.writes(mark), [put_ok()]);
    // A user who needs the proof asks for it.
    stage.genesync(&["apply", "--require-confirmed"]).expect(6);
    assert_eq!(stage.writes(mark), [put_ok()]);

    stage.commit(&tenant("acme", &[1], &delay(3)));
    stage.fault(1, "POST", &json!({"status": 403}));
    let ran = stage.genesync(&["apply"]).expect(0);
    assert!(ran.stdout.contains("the audit log could not be queried"), "{}", ran.stdout);
}

#[test]
fn an_entry_of_another_user_in_our_window_is_reported_as_foreign() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    stage.fault(1, "PUT", &json!({"edit": {"actor": "Mara Ionescu", "patch": {"banner": 1}}}));
    let done = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["foreign"][0]["actor"]["name"], "Mara Ionescu");
}

#[test]
fn drift_is_named_with_its_author_whether_the_journal_is_there_or_not() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.control("POST", "settings", &json!({"auditDelayMs": 0}));
    stage.edit(1, &json!({"greetings": {"delayMs": 9}}));
    for state in ["state", "another-state"] {
        let state = stage.repository().join("..").join(state);
        let plan = stage
            .genesync(&["plan", "--format", "json", "--state-dir", state.to_str().unwrap()])
            .expect(0)
            .json();
        let change = &plan["tenants"][0]["targets"][0]["changes"][0];
        assert_eq!(
            (&change["kind"], &change["by"]["actor"]["name"]),
            (&json!("drift"), &json!("Mara Ionescu")),
            "{state:?}"
        );
        assert!(change["by"]["remoteIp"].is_string());
    }
}

// Guarantee: one-bad-tenant
#[test]
fn one_bad_tenant_among_eight_stops_itself_alone() {
    let stage = Stage::new();
    let mut files: Vec<_> =
        (1..=8).flat_map(|number| tenant(&format!("t{number}"), &[number], &delay(1))).collect();
    files.extend(tenant("t4", &[4], "  greetings: {delayMs: 99999999}\n"));
    stage.commit(&files);
    let ran = stage.genesync(&["apply"]).expect(6);
    assert!(ran.stdout.contains("tenants/t4/web.yaml:5:24"), "{}", ran.stdout);
    for number in 1..=8 {
        assert_eq!(stage.live(number).0, u64::from(number != 4), "t{number}");
    }
}

// Guarantee: empty-deletes-nothing
#[test]
fn an_emptied_repository_writes_nothing_and_deletes_nothing() {
    let stage = Stage::applied(&[tenant("acme", &[1, 2], &delay(1))]);
    std::fs::remove_dir_all(stage.repository().join("tenants")).unwrap();
    std::fs::write(stage.repository().join("README.md"), "empty").unwrap();
    stage.commit(&[]);
    let mark = stage.mark();
    for command in ["apply", "plan", "validate"] {
        let ran = stage.genesync(&[command]).expect(1);
        assert!(ran.stderr.contains("found no tenants"), "{}", ran.stderr);
    }
    assert_eq!(stage.requests(mark).0, Vec::<Value>::new());
    assert_eq!(stage.live(1).0, 1);
}

// Guarantee: deletes-no-configuration
#[test]
fn a_tenant_that_is_gone_from_git_is_left_as_it_is() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    std::fs::remove_dir_all(stage.repository().join("tenants/acme")).unwrap();
    stage.commit(&[]);
    let mark = stage.mark();
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(stage.writes(mark), []);
    assert_eq!(stage.live(1).0, 1);
}

// Guarantee: rewound-is-asked-about
#[test]
fn a_rewound_branch_is_refused_until_a_person_allows_it() {
    let stage = Stage::new();
    let first = stage.commit(&tenant("acme", &[1], &delay(1)));
    stage.genesync(&["apply"]).expect(0);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    stage.genesync(&["apply"]).expect(0);
    let mark = stage.mark();
    let ran = stage.genesync(&["apply", "--rev", &first]).expect(5);
    assert!(ran.stderr.contains("`rewind`"), "{}", ran.stderr);
    assert_eq!(stage.requests(mark).0, Vec::<Value>::new());
    stage.genesync(&["apply", "--rev", &first, "--allow", "rewind", "--reason", "bad release"]).expect(0);
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 1);
}

// Guarantee: guards-refuse
#[test]
fn a_configuration_that_another_user_deleted_is_not_made_again_unasked() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    let person = genesync::emulator::Actor::user("Mara Ionescu");
    stage.world.lock().unwrap().remove(&organization(1), &person, jiff::Timestamp::now());
    let ran = stage.genesync(&["apply"]).expect(5);
    assert!(ran.stdout.contains("recreate"), "{}", ran.stdout);
    assert_eq!(stage.live(1).0, 0);
    stage.genesync(&["apply", "--allow", "recreate", "--reason", "deleted by mistake"]).expect(0);
    assert_eq!(stage.live(1).0, 1);
}

// Guarantee: guards-refuse
#[test]
fn a_run_over_many_tenants_is_refused_as_a_whole() {
    let tenants: Vec<_> =
        (1..=10).map(|number| tenant(&format!("t{number}"), &[number], &delay(1))).collect();
    let stage = Stage::applied(&tenants);
    let changed: Vec<_> = (1..=6).map(|number| tenant(&format!("t{number}"), &[number], &delay(2))).collect();
    stage.commit(&changed.concat());
    let mark = stage.mark();
    stage.genesync(&["plan"]).expect(5);
    stage.genesync(&["apply"]).expect(5);
    assert_eq!(stage.writes(mark), []);
    stage.genesync(&["apply", "--allow", "run-tenants", "--reason", "new house style"]).expect(0);
    assert_eq!(stage.writes(mark).len(), 6);
}

#[test]
fn a_watched_tenant_is_reported_and_never_written() {
    let stage = Stage::new();
    let files: Vec<_> = tenant("acme", &[1], &delay(1))
        .into_iter()
        .map(|(path, text)| (path, text.replace("enforce", "watch")))
        .collect();
    stage.commit(&files);
    let done = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["status"], "OutOfSync");
    assert_eq!(stage.live(1).0, 0);
}

// Guarantee: waves-wait
#[test]
fn a_failure_in_an_early_wave_keeps_later_waves_from_starting() {
    let stage = Stage::new();
    let late: Vec<_> = tenant("zeta", &[2], &delay(1))
        .into_iter()
        .map(|(path, text)| (path, text.replace("mode: enforce", "mode: enforce, wave: 1")))
        .collect();
    stage.commit(&[tenant("acme", &[1], &delay(1)), late].concat());
    stage.fault(1, "PUT", &json!({"status": 422}));
    stage.genesync(&["apply"]).expect(4);
    assert_eq!((stage.live(1).0, stage.live(2).0), (0, 0));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!((stage.live(1).0, stage.live(2).0), (1, 1));
}

// Guarantee: a-planner-writes-nothing
#[test]
fn a_plan_sends_nothing_but_reads() {
    let stage = Stage::applied(&[tenant("acme", &[1, 2], &delay(1)), tenant("zeta", &[3], &delay(1))]);
    stage.edit(1, &json!({"greetings": {"delayMs": 5}}));
    stage.commit(&tenant("zeta", &[3], &delay(2)));
    let mark = stage.mark();
    stage.genesync(&["plan", "--detailed-exitcode"]).expect(3);
    let (requests, _) = stage.requests(mark);
    assert!(requests.len() >= 4);
    for request in &requests {
        let audit = request["method"] == "POST" && request["path"] == "/api/v2/audit/records/query";
        assert!(request["method"] == "GET" || audit, "{request}");
    }
    assert_eq!((stage.live(1).0, stage.live(3).0), (2, 1));
}

#[test]
fn since_reads_only_the_tenants_that_changed() {
    let tenants: Vec<_> = (1..=5).map(|number| tenant(&format!("t{number}"), &[number], &delay(1))).collect();
    let stage = Stage::applied(&tenants);
    stage.commit(&tenant("t3", &[3], &delay(2)));
    let mark = stage.mark();
    let plan = stage.genesync(&["plan", "--since", "HEAD~1", "--format", "json"]).expect(0).json();
    assert_eq!(plan["summary"]["tenants"], 1);
    let (requests, _) = stage.requests(mark);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0]["organizationId"], organization(3));
}

#[test]
fn a_hundred_quiet_runs_send_no_write() {
    let stage = Stage::applied(&[tenant("acme", &[1, 2], &delay(1))]);
    // The platform stores it in another spelling; that is no change.
    stage.edit(1, &json!({"widget": {"theme": {"colors": {"background": "#fff"}}}}));
    let mark = stage.mark();
    for _ in 0..100 {
        stage.genesync(&["apply", "--quiet"]).expect(0);
    }
    assert_eq!(stage.writes(mark), []);
    assert_eq!(stage.requests(mark).0.len(), 200);
}

/// Kills an apply whose write is executed and whose answer is delayed.
fn kill_an_apply_in_the_middle_of_its_write(stage: &Stage) {
    let before = stage.live(1).0;
    stage.fault(1, "PUT", &json!({"delayMs": 60_000}));
    let mut child = stage.command(&["apply"]).spawn().unwrap();
    while stage.live(1).0 == before {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

// Guarantee: after-a-crash
#[test]
fn a_process_killed_in_the_middle_of_a_write_leaves_one_version_and_a_receipt() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let mark = stage.mark();
    kill_an_apply_in_the_middle_of_its_write(&stage);
    let ran = stage.genesync(&["apply", "-v", "--format", "json"]).expect(0);
    assert!(
        ran.stderr.contains("of unknown outcome") && ran.stderr.contains("is in force as version 2"),
        "{}",
        ran.stderr
    );
    assert_eq!(stage.writes(mark).len(), 1);
    let receipts = &ran.json()["tenants"][0]["receipts"];
    assert_eq!((&receipts[0]["version"], receipts[0]["auditEntry"].is_string()), (&json!(2), true));
    // The outcome is recorded: genesync does not search for it again, and the next commit is applied.
    stage.control("DELETE", "faults", &Value::Null);
    let again = stage.genesync(&["apply", "-v"]).expect(0);
    assert!(
        !again.stderr.contains("unknown outcome") && !again.stderr.contains("is in force"),
        "{}",
        again.stderr
    );
    stage.commit(&tenant("acme", &[1], &delay(3)));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(stage.live(1).0, 3);
}

#[test]
fn a_write_that_landed_before_a_crash_does_not_hold_the_next_commit() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    kill_an_apply_in_the_middle_of_its_write(&stage);
    stage.control("DELETE", "faults", &Value::Null);
    stage.commit(&tenant("acme", &[1], &delay(3)));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!((stage.live(1).0, &stage.live(1).1["greetings"]["delayMs"]), (3, &json!(3)));
}

#[test]
fn writes_that_keep_failing_while_reads_work_end_the_run() {
    for (action, writes) in [(json!({"status": 500}), 5), (json!({"status": 429}), 10)] {
        let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
        stage.commit(&tenant("acme", &[1], &delay(2)));
        let mark = stage.mark();
        let fault = json!({"match": {"method": "PUT"}, "times": 0, "do": action});
        stage.control("POST", "faults", &json!({"faults": [fault]}));
        stage.genesync(&["apply"]).expect(7);
        assert_eq!(stage.writes(mark).len(), writes, "{action}");
    }
}

#[test]
fn a_version_that_is_no_count_is_refused_for_its_tenant_alone() {
    let stage = Stage::new();
    let world = json!({
        "clients": [{"id": CLIENT_ID, "secret": crate::support::SECRET, "name": "genesync"}],
        "organizations": [
            {"id": organization(1), "configuration": {}, "version": u64::MAX},
            {"id": organization(2)},
        ],
    });
    let seed = genesync::emulator::seed_from_json(world.to_string().as_bytes()).unwrap();
    *stage.world.lock().unwrap() = genesync::emulator::World::new(&seed);
    stage.commit(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))].concat());
    stage.genesync(&["apply"]).expect(6);
    assert_eq!(stage.live(2).0, 1);
}

#[test]
fn a_plan_that_waited_for_earlier_waves_is_made_again_before_it_is_applied() {
    let late = |ms: u32| -> Vec<(String, String)> {
        tenant("zeta", &[2, 3], &delay(ms))
            .into_iter()
            .map(|(path, text)| (path, text.replace("mode: enforce", "mode: enforce, wave: 1")))
            .collect()
    };
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), late(1)]);
    stage.edit(3, &json!({"greetings": {"delayMs": 7}}));
    stage.commit(&[tenant("acme", &[1], &delay(2)), late(2)].concat());
    // Wave 0 takes 6 s, as long as its answer is delayed; meanwhile a person adds an unmanaged field.
    std::fs::write(
        stage.repository().join("../settings.toml"),
        "[timing]\nwrite-ms = 20000\nsettle-ms = 50\npoll-ms = 20\nconfirm-ms = 3000\n",
    )
    .unwrap();
    stage.fault(1, "PUT", &json!({"delayMs": 6_000}));
    let child = stage.command(&["apply"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    while stage.live(1).0 < 2 {
        std::thread::yield_now();
    }
    stage.edit(3, &json!({"legal": {"notice": "kept"}}));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let (_, body) = stage.live(3);
    assert_eq!((&body["legal"]["notice"], &body["greetings"]["delayMs"]), (&json!("kept"), &json!(2)));
}

#[test]
fn a_copy_over_another_users_edit_is_reported_and_left_to_a_person() {
    let stage = Stage::applied(&[tenant("acme", &[1, 2], &delay(1))]);
    stage.commit(&tenant("acme", &[1, 2], &delay(2)));
    // Long enough to edit in between on any machine.
    stage.control("POST", "settings", &json!({"replicationDelayMs": 4_000}));
    std::fs::write(stage.repository().join("../settings.toml"), "[timing]\npoll-ms = 20\njob-ms = 60000\n")
        .unwrap();
    let child = stage.command(&["apply"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    while stage.live(1).0 < 2 || !stage.requests(0).0.iter().any(|request| request["status"] == 202) {
        std::thread::yield_now();
    }
    // The first job was the first apply's: wait for the second.
    while stage.requests(0).0.iter().filter(|request| request["status"] == 202).count() < 2 {
        std::thread::yield_now();
    }
    stage.edit(2, &json!({"banner": "sale"}));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&output.stdout).contains("replication overwrote a change"));
}

#[test]
fn tenants_applied_one_by_one_are_guarded_against_a_rewind_too() {
    let stage = Stage::new();
    let first = stage.commit(&tenant("acme", &[1], &delay(1)));
    stage.genesync(&["apply", "--tenant", "acme"]).expect(0);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    stage.genesync(&["apply", "--tenant", "acme"]).expect(0);
    stage.genesync(&["apply", "--rev", &first]).expect(5);
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 2);
}

#[test]
fn a_run_that_waits_ends_on_a_signal() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let mark = stage.mark();
    let fault = json!({"match": {"path": "**/query"}, "times": 0, "do": {"status": 429, "retryAfter": 3600}});
    stage.control("POST", "faults", &json!({"faults": [fault]}));
    std::fs::write(stage.repository().join("../settings.toml"), "[timing]\nconfirm-ms = 60000\n").unwrap();
    let mut child = stage.command(&["apply"]).spawn().unwrap();
    while !stage.requests(mark).0.iter().any(|request| request["status"] == 429) {
        std::thread::yield_now();
    }
    let killed =
        std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(6));
    assert_eq!(stage.live(1).0, 2);
}

#[test]
fn control_characters_in_a_name_are_not_printed() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    let actor = json!({"organizationId": organization(1), "actor": "ev\u{1b}]0;pwned\u{7}il", "patch": {"greetings": {"delayMs": 9}}});
    stage.control("POST", "edit", &actor);
    for command in ["plan", "apply"] {
        let ran = stage.genesync(&[command]).expect(0);
        assert!(
            !ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'),
            "{} {}",
            ran.stdout,
            ran.stderr
        );
    }
}

#[test]
fn an_expired_waiver_stops_its_own_tenant() {
    let stage = Stage::new();
    let project = "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: p}\nspec:\n  rules:\n    waivers: [{rule: contrast, tenant: acme, owner: a@example.com, reason: Old., expires: 2020-01-01}]\n";
    stage.commit(
        &[
            tenant("acme", &[1], &delay(1)),
            tenant("zeta", &[2], &delay(1)),
            vec![("genesync.yaml".into(), project.into())],
        ]
        .concat(),
    );
    stage.genesync(&["apply"]).expect(6);
    assert_eq!((stage.live(1).0, stage.live(2).0), (0, 1));
}

// Guarantee: one-process-a-tenant
#[test]
fn two_applies_on_one_store_take_turns() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    stage.fault(1, "PUT", &json!({"delayMs": 1_000}));
    let mut first = stage.command(&["apply"]).spawn().unwrap();
    while stage.live(1).0 < 2 {
        std::thread::yield_now();
    }
    let ran = stage.genesync(&["apply"]).expect(0);
    assert!(ran.stderr.contains("leased by"), "{}", ran.stderr);
    assert!(first.wait().unwrap().success());
    assert_eq!(stage.live(1).0, 2, "the second process found everything done");
}

#[test]
fn a_failed_run_also_prints_its_json_document() {
    let stage = Stage::new();
    for arguments in [
        &["plan", "--format", "json"][..],
        &["apply", "--format", "json"],
        &["validate", "--format", "json", "nowhere"],
        &["plan", "--format", "json", "--nonsense"],
    ] {
        let ran = stage.genesync(arguments);
        assert_ne!(ran.code, 0);
        assert_eq!(ran.json()["exitCode"], ran.code);
        assert!(ran.json()["error"]["message"].is_string());
    }
}

#[test]
fn a_remote_repository_is_fetched_over_a_file_url() {
    let stage = Stage::new();
    let first = stage.commit(&tenant("acme", &[1], &delay(1)));
    let url = format!("file://{}", stage.repository().display());
    let cache = stage.repository().join("../cache");
    let apply = |stage: &Stage, rev: &str| {
        let mut command = stage.command(&["apply", &url, "--rev", rev]);
        command.env("GENESYNC_CACHE_DIR", &cache).current_dir(std::env::temp_dir());
        crate::support::ran(command.output().unwrap())
    };
    apply(&stage, "HEAD").expect(0);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    apply(&stage, "HEAD").expect(0);
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 2);
    apply(&stage, &first[..12]).expect(5);
    assert_eq!(stage.audit()[&(organization(1), format!("{CLIENT_ID} webchat:configuration:update"))], 1);
}

#[test]
fn a_project_under_a_wrong_name_stops_everything_rather_than_leave_its_guards_unread() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    let project = "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: p}\n";
    stage.commit(&[tenant("acme", &[1], &delay(2)), vec![("genesync.yml".into(), project.into())]].concat());
    let mark = stage.mark();
    let ran = stage.genesync(&["apply"]).expect(1);
    assert!(ran.stdout.contains("only from `genesync.yaml`"), "{}", ran.stdout);
    assert_eq!(stage.requests(mark).0, Vec::<Value>::new());
}

#[test]
fn a_rewind_that_was_asked_for_once_is_not_asked_about_again() {
    let stage = Stage::new();
    let tenants = |ms: u32| [tenant("acme", &[1], &delay(ms)), tenant("zeta", &[2], &delay(1))].concat();
    let first = stage.commit(&tenants(1));
    stage.genesync(&["apply"]).expect(0);
    // An unmanaged field changes, so that genesync also records zeta again at the second commit.
    stage.edit(2, &json!({"banner": 1}));
    stage.commit(&tenants(2));
    stage.genesync(&["apply"]).expect(0);
    stage.genesync(&["apply", "--rev", &first]).expect(5);
    stage.genesync(&["apply", "--rev", &first, "--allow", "rewind", "--reason", "bad release"]).expect(0);
    stage.genesync(&["apply", "--rev", &first]).expect(0);
    for name in ["acme", "zeta"] {
        stage.genesync(&["apply", "--rev", &first, "--tenant", name]).expect(0);
    }
}

#[test]
fn a_write_after_its_deadline_is_not_sent() {
    use genesync::api::{Api, ReadApi};
    use genesync::model::{
        Act, CredentialsName, Look, Object, OrganizationId, Outcome, Region, Secret, Target, Write,
    };
    use genesync::platform::{ClientCredentials, Options};

    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    let name = CredentialsName::new("main");
    let client = ClientCredentials {
        id: CLIENT_ID.into(),
        secret: Secret::new(crate::support::SECRET.into()),
        tokens: 1,
    };
    let base = format!("{}/", stage.url).parse().unwrap();
    let target = Target {
        organization: OrganizationId::new(organization(1)),
        region: Region::EuWest1,
        credentials: name.clone(),
        object: Object::implied(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        let read =
            ReadApi::new([(Region::EuWest1, base)].into(), [(name, client)].into(), Options::default())
                .unwrap();
        // With a token and a connection ready, nothing else delays the write.
        let seen = read.observe(&Look::of_one(target.clone())).await.unwrap();
        let observed = &seen.objects[0];
        let deadline = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(1);
        Api::new(read)
            .write(&Write {
                target,
                if_match: observed.version(),
                body: observed.body(),
                deadline,
                act: Act::Store,
                id: None,
                secret: None,
            })
            .await
    });
    assert!(matches!(outcome, Outcome::Unsent(_)), "{outcome:?}");
    assert_eq!(stage.live(1).0, 1);
}
