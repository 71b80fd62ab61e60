//! A platform that refuses a feature, a value, a client or a name.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Cloud, each, files, served};
use crate::support::{CLIENT_ID, organization, ran};

const CONFIGURATIONS: &str = "/api/v2/webdeployments/configurations";

#[test]
fn a_feature_that_is_not_enabled_is_reported_at_once_at_creation_and_later() {
    let cobrowse = "cobrowse: {enabled: true}";
    let lacking = |world: &mut Value| world["organizations"][0]["cloud"]["notEnabled"] = json!(["cobrowse"]);
    let reported = |cloud: &Cloud| {
        let ran = cloud.apply(&[]).expect(4);
        for part in [
            "`cobrowse`",
            "the organization does not have this feature",
            "remove the field from the manifest",
        ] {
            assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
        }
        assert!(!ran.stderr.contains("trying again"), "{}", ran.stderr);
    };
    let cloud = Cloud::seeded(1, lacking);
    cloud.stage.commit(&files(1, "#111111", &[cobrowse]));
    reported(&cloud);
    assert_eq!((cloud.writes(1, 0), cloud.counts(1)), (vec!["create 400".to_owned()], (0, 0, 0)));
    cloud.commit("#111111");
    cloud.apply(&[]).expect(0);
    cloud.stage.commit(&files(1, "#111111", &[cobrowse]));
    let mark = cloud.mark();
    reported(&cloud);
    assert_eq!((cloud.writes(1, mark), cloud.counts(1)), (vec!["draft 400".to_owned()], (1, 1, 1)));
    assert_eq!(cloud.open(), (0, 0));
}

#[test]
fn a_refusal_is_reported_at_once_where_nothing_was_written_and_waited_out_where_something_was() {
    let refused = json!({"status": 400, "code": "bad.request", "message": "not yet"});
    let publish = "**/draft/publish";
    let table = [
        ("POST", CONFIGURATIONS, 1, vec!["create 400"], 4, "not yet"),
        // The platform may not know everywhere what was stored a moment ago.
        ("POST", publish, 1, vec!["create", "publish 400", "publish", "deploy"], 0, "1 of 1 tenants Synced"),
        ("POST", publish, 2, vec!["create", "publish 400", "publish 400", "publish", "deploy"], 0, "Synced"),
        (
            "POST",
            "/api/v2/webdeployments/deployments",
            1,
            vec!["create", "publish", "deploy 400", "deploy"],
            0,
            "Synced",
        ),
    ];
    for (method, path, times, writes, code, reported) in table {
        let cloud = Cloud::new(1);
        cloud.fault(json!({"match": {"method": method, "path": path}, "times": times, "do": refused}));
        let ran = cloud.apply(&[]).expect(code);
        assert_eq!(cloud.writes(1, 0), writes);
        assert!(ran.stdout.contains(reported), "{}", ran.stdout);
        if code == 0 {
            assert!(ran.stderr.contains("trying again") && ran.stderr.contains("not yet"), "{}", ran.stderr);
            assert_eq!((cloud.served(1), cloud.counts(1)), (served(1, "#111111"), (1, 1, 1)));
        }
        assert_eq!(cloud.open(), (0, 0));
    }
    // If the refusal lasts, the run ends in time, prints the platform's message, and a later run repairs the
    // tenant.
    let cloud = Cloud::new(1);
    cloud.fault(json!({"match": {"method": "POST", "path": publish}, "times": 0, "do": refused}));
    let ran = cloud.apply(&[]).expect(6);
    assert!(ran.stdout.contains("not yet"), "{}", ran.stdout);
    assert_eq!(cloud.counts(1), (1, 0, 0));
    assert_eq!(cloud.open(), (0, 0));
    cloud.no_faults();
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.writes(1, mark), ["publish", "deploy"]);
    cloud.is_at_rest();
}

#[test]
fn an_organization_that_does_not_match_the_token_is_never_written() {
    let cloud = Cloud::new(1);
    let mut tenant = files(1, "#111111", &[]);
    tenant[0].1 = tenant[0].1.replace(&organization(1), &organization(7));
    cloud.stage.commit(&tenant);
    for command in ["plan", "apply"] {
        let ran = cloud.genesync(&[command]).expect(7);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let reported = format!(
            "credentials `main` belong to organization {} (`Acme 1`), not to {}; fix the organization or the credentials in the manifest",
            organization(1),
            organization(7)
        );
        assert!(said.contains(&reported), "{said}");
    }
    assert_eq!(cloud.counts(1), (0, 0, 0));
    let asked = cloud.requests(1, 0);
    assert!(asked.iter().all(|request| request["path"] == "/api/v2/organizations/me"), "{asked:?}");
}

#[test]
fn a_permission_that_the_client_lacks_is_named() {
    let table = [
        ("webDeployments:configuration:view", vec![]),
        ("webDeployments:configuration:add", vec!["create 403"]),
        ("webDeployments:configuration:edit", vec!["create", "publish 403"]),
        ("webDeployments:deployment:view", vec![]),
        ("webDeployments:deployment:add", vec!["create", "publish", "deploy 403"]),
        ("architect:flow:view", vec![]),
    ];
    let all = [
        "webDeployments:configuration:view",
        "webDeployments:configuration:add",
        "webDeployments:configuration:edit",
        "webDeployments:deployment:view",
        "webDeployments:deployment:add",
        "webDeployments:deployment:edit",
        "architect:flow:view",
        "audits:audit:view",
    ];
    each(&table, |(missing, writes)| {
        let held: Vec<&str> = all.iter().copied().filter(|known| known != missing).collect();
        let cloud = Cloud::seeded(1, |world| world["clients"][0]["permissions"] = json!(held));
        // If a draft was stored before the refusal, something was written: a partial result.
        let wrote = writes.iter().any(|write| !write.ends_with(" 403"));
        let ran = cloud.apply(&[]).expect(if wrote { 6 } else { 7 });
        assert!(ran.stdout.contains(*missing), "{missing}: {}", ran.stdout);
        assert!(!ran.stderr.contains("trying again"), "{missing}: {}", ran.stderr);
        assert_eq!(cloud.writes(1, 0), *writes, "{missing}");
        assert_eq!(cloud.open().0, 0, "{missing}");
    });
    // Without the log everything is applied, and reported as unconfirmed.
    let held: Vec<&str> = all.iter().copied().filter(|known| *known != "audits:audit:view").collect();
    let cloud = Cloud::seeded(1, |world| world["clients"][0]["permissions"] = json!(held));
    let ran = cloud.apply(&["--require-confirmed"]).expect(6);
    assert!(ran.stdout.contains("applied, but the audit log could not be queried"), "{}", ran.stdout);
    assert!(ran.stdout.contains("audits:audit:view"), "{}", ran.stdout);
    assert_eq!(cloud.served(1), served(1, "#111111"));
}

#[test]
fn a_missing_or_ambiguous_name_is_reported_and_nothing_is_written() {
    let knowledge =
        ["headlessMode: {enabled: false}", "supportCenter: {enabled: true, knowledgeBase: {name: Answers}}"];
    let table = [
        ("flows", json!([]), "there is no inbound message flow `Inbound`"),
        (
            "flows",
            json!([{"name": "Inbound"}, {"name": "Inbound"}]),
            "found 2 objects named inbound message flow `Inbound`",
        ),
        (
            "flows",
            json!([{"name": "Inbound", "type": "inboundcall"}]),
            "there is no inbound message flow `Inbound`",
        ),
        ("knowledgeBases", json!([]), "there is no knowledge base `Answers`"),
        (
            "knowledgeBases",
            json!([{"name": "Answers"}, {"name": "Answers"}]),
            "found 2 objects named knowledge base `Answers`",
        ),
    ];
    for (shelf, found, reported) in table {
        let cloud = Cloud::seeded(1, |world| world["organizations"][0]["cloud"][shelf] = found.clone());
        cloud.stage.commit(&files(1, "#111111", &knowledge));
        let ran = cloud.apply(&[]).expect(4);
        assert!(ran.stdout.contains(reported), "{found}: {}", ran.stdout);
        assert_eq!((cloud.writes(1, 0), cloud.counts(1)), (vec![], (0, 0, 0)), "{found}");
    }
}

#[test]
fn two_objects_of_one_name_are_reported_and_neither_is_written() {
    for (kind, object) in [("configuration", "Website"), ("deployment", "Shop")] {
        let cloud = Cloud::applied(1);
        let id = cloud.state(1)["configurations"][0]["id"].clone();
        let body =
            json!({"name": object, "configuration": {"id": id, "version": "1"}, "allowAllDomains": true});
        let body = if kind == "deployment" { body } else { json!({"name": object}) };
        cloud.edit(1, json!({"create": {kind: body}}));
        cloud.commit("#222222");
        let mark = cloud.mark();
        let ran = cloud.apply(&[]).expect(4);
        let of_organization = format!("`{object}` in organization {}", organization(1));
        let is_reported =
            ran.stdout.contains("found 2 objects named") && ran.stdout.contains(&of_organization);
        assert!(is_reported, "{}", ran.stdout);
        assert_eq!((cloud.writes(1, mark), cloud.served(1)), (vec![], served(1, "#111111")), "{kind}");
    }
}

#[test]
fn a_draft_that_never_becomes_active_is_given_up_in_time_and_not_published() {
    let cloud = Cloud::new(1);
    cloud.configure(&["timing.ready-ms = 200"]);
    cloud.settings(json!({"activeDelayMs": 3_600_000}));
    let ran = cloud.apply(&[]).expect(6);
    assert!(
        ran.stdout.contains("`Website`") && ran.stdout.contains("is still not active after"),
        "{}",
        ran.stdout
    );
    assert_eq!((cloud.writes(1, 0), cloud.counts(1)), (vec!["create".to_owned()], (1, 0, 0)));
    // The earlier draft is still pending: genesync waits for it again, and does not write it again.
    cloud.apply(&[]).expect(7);
    assert_eq!(cloud.writes(1, 0), ["create"]);
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": {"status": "Active"}}}));
    cloud.settings(json!({"activeDelayMs": 5}));
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.writes(1, 0), ["create", "publish", "deploy"]);
}

#[test]
fn the_pace_is_kept_below_the_limit_of_a_token_and_a_refusal_is_waited_out() {
    let cloud = Cloud::new(2);
    cloud.settings(json!({"tokenRateLimitPerMinute": 300}));
    cloud.apply(&[]).expect(0);
    let refused =
        |number: u32| cloud.requests(number, 0).iter().filter(|request| request["status"] == 429).count();
    assert_eq!((refused(1), refused(2)), (0, 0));
    for number in 1..=2 {
        assert_eq!(cloud.writes(number, 0), ["create", "publish", "deploy"]);
    }
    cloud.settings(json!({"tokenRateLimitPerMinute": 0}));
    cloud.commit("#222222");
    let mark = cloud.mark();
    cloud.fault(json!({"match": {"method": "GET", "organizationId": organization(2)}, "nth": 4, "times": 2, "do": {"status": 429, "retryAfter": 1}}));
    let ran = cloud.apply(&[]).expect(0);
    assert!(ran.stderr.contains("the rate limit is reached"), "{}", ran.stderr);
    let refused = cloud.requests(2, mark).iter().filter(|request| request["status"] == 429).count();
    assert_eq!((refused, cloud.served(1), cloud.served(2)), (2, served(2, "#222222"), served(2, "#222222")));
}

#[test]
fn a_wrong_secret_and_too_many_token_requests_are_reported_without_being_shown() {
    let cloud = Cloud::new(1);
    let mut command = cloud.command(&["apply", "-v"]);
    command.env("GENESYNC_CREDENTIALS_MAIN_CLIENT_SECRET", "canary-wrong-4711");
    let output = ran(command.output().unwrap()).expect(7);
    assert!(output.stdout.contains("the client's id or secret is wrong"), "{}", output.stdout);
    assert!(!output.stdout.contains("canary") && !output.stderr.contains("canary"));
    assert_eq!(cloud.requests(1, 0), Vec::<Value>::new());
    // The limit on token requests comes as a 400, and is not a wrong secret. It lasts longer than this run
    // waits.
    cloud.configure(&["timing.backoff-max-ms = 100"]);
    cloud.fault(json!({"match": {"path": "/oauth/token"}, "do": {"status": 400}}));
    let output = cloud.apply(&[]).expect(7);
    let reported =
        format!("the token request of client `{CLIENT_ID}` was answered with 400: too many token requests");
    assert!(output.stdout.contains(&reported), "{}", output.stdout);
    cloud.configure(&[]);
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.served(1), served(1, "#111111"));
}

/// A server of another party, which records the requests that it gets.
fn elsewhere() -> (String, Arc<Mutex<String>>, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (heard, calls) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicUsize::new(0)));
    let (writing, counting) = (Arc::clone(&heard), Arc::clone(&calls));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counting.fetch_add(1, Ordering::SeqCst);
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap_or_default();
            writing.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}",
            );
        }
    });
    (url, heard, calls)
}

#[test]
fn a_redirect_is_not_followed_and_the_token_stays() {
    let (url, heard, calls) = elsewhere();
    let calls_of = [
        ("GET", "/api/v2/organizations/me"),
        ("GET", CONFIGURATIONS),
        ("POST", CONFIGURATIONS),
        ("POST", "/oauth/token"),
    ];
    let statuses = [301, 302, 303, 307, 308];
    // Each status at one of the calls, and each call with one status.
    let cases: Vec<_> = statuses.iter().zip(calls_of.iter().cycle()).chain([(&302, &calls_of[2])]).collect();
    each(&cases, |(status, (method, path))| {
        let what = format!("{status} at {method} {path}");
        let cloud = Cloud::new(1);
        let to = format!("{url}{path}");
        let answer = json!({"status": status, "location": to});
        cloud.fault(json!({"match": {"method": method, "path": path}, "times": 0, "do": answer}));
        let ran = cloud.apply(&[]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 7, "{what}: {said}");
        assert!(said.contains(&status.to_string()), "{what}: {said}");
        assert_eq!(cloud.counts(1), (0, 0, 0), "{what}");
    });
    assert_eq!((calls.load(Ordering::SeqCst), heard.lock().unwrap().as_str()), (0, ""));
}

#[test]
fn a_flow_that_was_never_published_is_reported_by_the_plan_and_nothing_is_sent() {
    let cloud = Cloud::seeded(1, |world| {
        world["organizations"][0]["cloud"]["flows"] = json!([{"name": "Inbound", "published": false}]);
    });
    let planned = cloud.genesync(&["plan"]).expect(4);
    let reported = "inbound message flow `Inbound` is not published";
    assert!(planned.stdout.contains(reported), "{}", planned.stdout);
    let applied = cloud.apply(&[]).expect(4);
    assert!(format!("{}{}", applied.stdout, applied.stderr).contains(reported), "{}", applied.stderr);
    assert_eq!(cloud.counts(1), (0, 0, 0));
}
