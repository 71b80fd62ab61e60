//! From a commit to what visitors get, and to the audit log.

use serde_json::{Value, json};

use super::{Cloud, each, served};

// Guarantee: second-plan-is-empty
#[test]
fn a_commit_is_stored_published_and_pinned_everywhere_and_a_second_plan_says_no_changes() {
    let cloud = Cloud::new(2);
    let plan = cloud.genesync(&["plan", "--detailed-exitcode"]).expect(3);
    assert!(plan.stdout.contains("MessengerConfiguration `Website`"), "{}", plan.stdout);
    let mark = cloud.mark();
    let done = cloud.apply(&["--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["status"], "Synced");
    let receipts = done["tenants"][0]["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 4, "a version and a deployment for each organization: {done:#}");
    for receipt in receipts {
        assert!(receipt["auditEntry"].is_string() && receipt["servedMs"].is_u64(), "{receipt}");
    }
    for number in 1..=2 {
        assert_eq!(cloud.writes(number, mark), ["create", "publish", "deploy"]);
        assert_eq!((cloud.served(number), cloud.counts(number)), (served(1, "#111111"), (1, 1, 1)));
    }
    let again = cloud.genesync(&["plan", "--detailed-exitcode"]).expect(0);
    assert!(again.stdout.contains("No changes"), "{}", again.stdout);
    cloud.is_at_rest();

    cloud.commit("#222222");
    let plan = cloud.genesync(&["plan", "--detailed-exitcode"]).expect(3);
    assert!(plan.stdout.contains("messenger.styles.primaryColor"), "{}", plan.stdout);
    let mark = cloud.mark();
    let done = cloud.apply(&[]).expect(0);
    assert!(done.stdout.contains("1 of 1 tenants Synced"), "{}", done.stdout);
    for number in 1..=2 {
        assert_eq!(cloud.writes(number, mark), ["draft", "publish", "pin"]);
        assert_eq!((cloud.served(number), cloud.counts(number)), (served(2, "#222222"), (1, 2, 1)));
    }
    cloud.is_at_rest();
}

// Guarantee: a-planner-writes-nothing
#[test]
fn a_plan_and_a_watched_tenant_send_nothing_but_reads() {
    let cloud = Cloud::applied(1);
    cloud.commit("#222222");
    cloud.edit(1, json!({"deployment": {"deployment": "Shop", "patch": {"description": "hers"}}}));
    let mark = cloud.mark();
    cloud.plan().expect(0);
    let watched = super::files(1, "#222222", &[]).into_iter();
    let watched: Vec<_> = watched.map(|(path, text)| (path, text.replace("enforce", "watch"))).collect();
    cloud.stage.commit(&watched);
    let done = cloud.apply(&["--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["status"], "OutOfSync");
    for request in cloud.requests(1, mark) {
        let audit = request["path"].as_str().unwrap().starts_with("/api/v2/audits/query");
        assert!(request["method"] == "GET" || audit, "{request}");
    }
    assert_eq!(cloud.served(1), served(1, "#111111"));
}

/// Returns the audit queries of a run: the distinct paths, without ids.
fn asked_of_the_log(cloud: &Cloud, mark: u64) -> Vec<String> {
    let mut asked: Vec<String> = Vec::new();
    for request in cloud.requests(1, mark) {
        let path = request["path"].as_str().unwrap();
        let Some(below) = path.strip_prefix("/api/v2/audits/query") else { continue };
        let parts = below.split('/').map(|part| if part.len() == 36 { "*" } else { part });
        let shown =
            format!("{} {}", request["method"].as_str().unwrap(), parts.collect::<Vec<_>>().join("/"));
        if !asked.contains(&shown) {
            asked.push(shown);
        }
    }
    asked
}

#[test]
fn a_write_is_confirmed_by_the_log_at_once_by_a_query_or_late() {
    let at_once = &["GET /realtime/servicemapping", "POST /realtime"][..];
    let queried = &["GET /realtime/servicemapping", "POST ", "GET /*", "GET /*/results"][..];
    let cases = [
        (json!({}), at_once),
        (json!({"auditDelayMs": 300}), at_once),
        (json!({"auditClockSkewMs": 240_000}), at_once),
        (json!({"auditClockSkewMs": -240_000}), at_once),
        (json!({"auditCopies": 3}), at_once),
        (json!({"pageSizeMax": 1}), at_once),
        (json!({"auditRealtime": false}), queried),
        (json!({"auditRealtime": false, "auditRedirect": true}), queried),
        (json!({"auditRealtime": false, "auditDelayMs": 300}), queried),
        (json!({"auditRealtime": false, "auditCopies": 2, "pageSizeMax": 1}), queried),
    ];
    each(&cases, |(settings, asked)| {
        let cloud = Cloud::new(1);
        cloud.settings(settings.clone());
        let mark = cloud.mark();
        let done = cloud.apply(&["--format", "json"]).expect(0).json();
        let receipts = done["tenants"][0]["receipts"].as_array().unwrap();
        assert!(receipts.iter().all(|receipt| receipt["auditEntry"].is_string()), "{settings}: {done:#}");
        assert_eq!(asked_of_the_log(&cloud, mark), *asked, "{settings}");
        // If all records appear at once and with the right clock, each write has its own record.
        if settings.get("auditDelayMs").is_none() && settings.get("auditClockSkewMs").is_none() {
            let records = cloud.state(1)["audit"].clone();
            let proof = |receipt: &Value| {
                let is_it = |record: &&Value| record["id"] == receipt["auditEntry"];
                let found = records.as_array().unwrap().iter().find(is_it).unwrap();
                format!("{} {}", found["action"].as_str().unwrap(), found["entityType"].as_str().unwrap())
            };
            let proofs: Vec<String> = receipts.iter().map(proof).collect();
            assert_eq!(proofs, ["Publish ConfigurationVersion", "Create Deployment"], "{settings}");
        }
        assert_eq!(cloud.open(), (0, 0), "{settings}");
    });
}

#[test]
fn a_log_that_is_silent_forbidden_broken_or_of_another_time_is_reported_and_nothing_is_written_again() {
    let denied = json!({"match": {"path": "/api/v2/audits/**"}, "times": 0, "do": {"status": 403}});
    let unasked = "the audit log could not be queried";
    let cases = [
        (json!({"auditDelayMs": 3_600_000}), Value::Null, 0, "the audit log has no entry for it yet"),
        (json!({}), denied, 0, unasked),
        (json!({"auditRealtime": false, "auditQueryFails": true}), Value::Null, 0, "is failed"),
    ];
    each(&cases, |(settings, fault, code, reported)| {
        let cloud = Cloud::applied(1);
        cloud.commit("#222222");
        cloud.settings(settings.clone());
        if !fault.is_null() {
            cloud.fault(fault.clone());
        }
        let mark = cloud.mark();
        let ran = cloud.apply(&[]).expect(*code);
        assert!(ran.stdout.contains(*reported), "{settings}: {}", ran.stdout);
        assert_eq!(cloud.writes(1, mark), ["draft", "publish", "pin"], "{settings}");
        assert_eq!(cloud.served(1), served(2, "#222222"), "{settings}");
        let mark = cloud.mark();
        cloud.apply(&[]).expect(*code);
        assert_eq!(cloud.writes(1, mark), Vec::<String>::new(), "{settings}");
    });
}

// Guarantee: unnamed-fields-stay
#[test]
fn what_this_build_does_not_know_is_kept_in_every_write_and_refused_in_a_manifest() {
    let cloud = Cloud::applied(1);
    let unknown = json!({"invented": {"next": ["year"]}, "messenger": {"mood": "calm"}});
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": unknown}, "publish": {"configuration": "Website"}}));
    let patch = json!({"aura": {"strength": 7}});
    cloud.edit(1, json!({"deployment": {"deployment": "Shop", "version": "newest", "patch": patch}}));
    cloud.commit("#222222");
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.writes(1, mark), ["draft", "publish", "pin"]);
    let version = cloud.version(1, 3);
    assert_eq!(
        (&version["invented"], &version["messenger"]["mood"], &cloud.state(1)["deployments"][0]["aura"]),
        (&json!({"next": ["year"]}), &json!("calm"), &json!({"strength": 7}))
    );
    assert_eq!(cloud.served(1), served(3, "#222222"));
    cloud.is_at_rest();

    let mark = cloud.mark();
    for (line, reported) in [
        ("headlesMode: {enabled: true}", "did you mean `headlessMode`?"),
        ("position: {alignement: Left}", "did you mean `alignment`?"),
        ("invented: {next: [year]}", "there is no field `invented` here"),
    ] {
        cloud.stage.commit(&super::files(1, "#333333", &[line]));
        for command in ["validate", "plan", "apply"] {
            let ran = cloud.genesync(&[command]).expect(1);
            assert!(ran.stdout.contains("tenants/acme/messenger.yaml:9:"), "{command}: {}", ran.stdout);
            assert!(ran.stdout.contains(reported), "{command}: {}", ran.stdout);
        }
    }
    assert_eq!(cloud.requests(1, mark), Vec::<Value>::new());
}

#[test]
fn one_pass_of_the_controller_does_the_same_and_history_shows_it() {
    let cloud = Cloud::new(2);
    cloud.configure(&["controller.once-ms = 20_000"]);
    let ran = cloud.genesync(&["run", "--once"]).expect(0);
    assert!(ran.stdout.contains("1 of 1 tenants Synced"), "{}", ran.stdout);
    cloud.commit("#222222");
    let mark = cloud.mark();
    cloud.genesync(&["run", "--once"]).expect(0);
    for number in 1..=2 {
        assert_eq!(cloud.writes(number, mark), ["draft", "publish", "pin"]);
        assert_eq!(cloud.served(number), served(2, "#222222"));
    }
    let history = cloud.genesync(&["history", "acme"]).expect(0).stdout;
    assert!(history.contains("MessengerConfiguration `Website`"), "{history}");
    cloud.is_at_rest();
}

#[test]
fn a_rewind_that_was_asked_for_once_is_not_asked_about_again() {
    let cloud = Cloud::new(1);
    let first = cloud.commit("#333333");
    cloud.apply(&[]).expect(0);
    cloud.commit("#222222");
    cloud.apply(&[]).expect(0);
    cloud.apply(&["--rev", &first]).expect(5);
    cloud.apply(&["--rev", &first, "--allow", "rewind", "--reason", "bad release"]).expect(0);
    assert_eq!(cloud.served(1), served(3, "#333333"));
    cloud.apply(&["--rev", &first]).expect(0);
}
