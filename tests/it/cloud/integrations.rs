//! Open messaging integrations: created, waited for, changed; and their secrets stay hidden.

use serde_json::{Value, json};

use super::{Cloud, MARA, files};
use crate::support::{Ran, ran};

const OPEN: &str = "/api/v2/conversations/messaging/integrations/open";
/// The secret that signs the webhook's messages, and the values of its headers.
const SIGNATURE: &str = "a-signature-of-some-length";
const KEYS: [&str; 3] = ["key-of-before", "key-of-today", "key-of-hers"];
/// A state key other than the one that the state was made with.
const OTHER_KEY: Option<&str> = Some("another key of 24 bytes");

/// The tenant with an integration beside its deployment.
fn commit(cloud: &Cloud, key: &str, content: &str) {
    let mut all = files(1, "#111111", &[]);
    let kiosk = format!(
        "apiVersion: genesync/v1alpha1\nkind: OpenMessagingIntegration\nmetadata: {{name: kiosk}}\nspec:\n  name: Kiosk\n  outboundNotificationWebhookUrl: https://hooks.acme.example/kiosk\n  signatureSecret: kiosk\n  webhookHeaders: {{X-Key: {key}}}\n  supportedContent: {{name: {content}}}\n"
    );
    all.push(("tenants/acme/kiosk.yaml".into(), kiosk));
    cloud.stage.commit(&all);
}

/// Returns an organization that holds what integrations refer to.
fn cloud(more: impl FnOnce(&mut Value)) -> Cloud {
    let cloud = Cloud::seeded(1, |world| {
        let organization = &mut world["organizations"][0]["cloud"];
        organization["supportedContent"] = json!([{"name": "Pictures"}]);
        more(organization);
    });
    cloud.settings(json!({"integrationDelayMs": 40}));
    cloud
}

fn genesync(cloud: &Cloud, arguments: &[&str]) -> Ran {
    keyed(cloud, None, arguments)
}

/// Runs the command with a state key, and checks that it prints no secret.
fn keyed(cloud: &Cloud, key: Option<&str>, arguments: &[&str]) -> Ran {
    let mut command = cloud.command(arguments);
    command.envs(key.map(|key| ("GENESYNC_STATE_KEY", key)));
    command.env("GENESYNC_CREDENTIALS_KIOSK_CLIENT_ID", "-");
    command.env("GENESYNC_CREDENTIALS_KIOSK_CLIENT_SECRET", SIGNATURE);
    let ran = ran(command.output().unwrap());
    for secret in KEYS.iter().chain([&SIGNATURE]) {
        for output in [&ran.stdout, &ran.stderr] {
            assert!(!output.contains(secret), "{arguments:?}: {output}");
        }
    }
    ran
}

/// Returns the writes of integrations, with the statuses of their answers.
fn writes(cloud: &Cloud, since: u64) -> Vec<String> {
    let of_one = |request: &Value| {
        let (method, path) = (request["method"].as_str()?, request["path"].as_str()?);
        let is_it = path.starts_with(OPEN) && method != "GET";
        is_it.then(|| {
            format!("{method} {}", request["status"].as_u64().map_or("lost".into(), |s| s.to_string()))
        })
    };
    cloud.requests(1, since).iter().filter_map(of_one).collect()
}

fn kiosk(cloud: &Cloud) -> Value {
    let all = cloud.state(1)["openIntegrations"].clone();
    let named: Vec<&Value> = all.as_array().unwrap().iter().filter(|open| open["name"] == "Kiosk").collect();
    assert_eq!(named.len(), 1, "{all:#}");
    named[0].clone()
}

/// Checks that nothing differs and that nothing is written.
fn is_at_rest(cloud: &Cloud) {
    let mark = cloud.mark();
    assert!(genesync(cloud, &["plan"]).expect(0).stdout.contains("No changes"));
    genesync(cloud, &["apply"]).expect(0);
    assert_eq!((writes(cloud, mark), cloud.open()), (vec![], (0, 0)));
}

#[test]
fn an_integration_is_made_waited_for_changed_and_proved_and_no_header_is_printed() {
    let cloud = cloud(|_| {});
    commit(&cloud, KEYS[0], "Pictures");
    let done = genesync(&cloud, &["apply", "--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["status"], "Synced", "{done:#}");
    assert_eq!(writes(&cloud, 0), ["POST 200"]);
    let made = kiosk(&cloud);
    assert_eq!(
        (&made["createStatus"], &made["webhookHeaders"]["X-Key"]),
        (&json!("Completed"), &json!(KEYS[0]))
    );
    assert_eq!(made["supportedContent"]["name"], "Pictures");
    is_at_rest(&cloud);

    commit(&cloud, KEYS[1], "Pictures");
    for format in ["text", "json", "markdown"] {
        let plan = genesync(&cloud, &["plan", "--format", format]).expect(0).stdout;
        assert!(plan.contains("webhookHeaders.X-Key") && plan.contains("(hidden)"), "{plan}");
    }
    let mark = cloud.mark();
    let done = genesync(&cloud, &["apply", "-v", "--format", "json"]).expect(0).json();
    assert!(done["tenants"][0]["receipts"][0]["auditEntry"].is_string(), "{done:#}");
    assert_eq!(writes(&cloud, mark), ["PATCH 200"]);
    assert_eq!(kiosk(&cloud)["webhookHeaders"]["X-Key"], KEYS[1]);
    let over = genesync(&cloud, &["history", "acme", "--overwritten"]).expect(0).stdout;
    let hidden =
        |line: &str| line.contains("webhookHeaders.X-Key") && line.matches("cannot be restored").count() == 2;
    assert!(over.lines().any(hidden), "{over}");
    genesync(&cloud, &["history", "acme", "--overwritten", "--format", "json"]).expect(0);
    is_at_rest(&cloud);
}

#[test]
fn headers_that_git_does_not_name_stay_and_drift_is_reported_without_them() {
    let cloud = cloud(|organization| {
        organization["openIntegrations"] = json!([{
            "name": "Kiosk", "outboundNotificationWebhookUrl": "https://hooks.acme.example/old",
            "outboundNotificationWebhookSignatureSecretToken": "somebody-set-this-one",
            "webhookHeaders": {"X-Key": KEYS[1], "X-Hers": KEYS[2]},
        }]);
    });
    commit(&cloud, KEYS[0], "Pictures");
    genesync(&cloud, &["apply", "--allow", "adopt", "--reason", "taken over"]).expect(0);
    assert_eq!(writes(&cloud, 0), ["PATCH 200"]);
    let headers = json!({"X-Key": KEYS[0], "X-Hers": KEYS[2]});
    assert_eq!(kiosk(&cloud)["webhookHeaders"], headers);
    is_at_rest(&cloud);

    let patch = json!({"openIntegration": {"openIntegration": "Kiosk", "patch": {"webhookHeaders": {"X-Key": KEYS[2]}}}});
    cloud.edit(1, patch);
    let ran = genesync(&cloud, &["apply"]).expect(0);
    assert!(ran.stderr.contains(MARA) && ran.stderr.contains("webhookHeaders.X-Key"), "{}", ran.stderr);
    assert_eq!(kiosk(&cloud)["webhookHeaders"], headers);
    is_at_rest(&cloud);
}

#[test]
fn an_integration_whose_answer_is_lost_or_whose_process_dies_is_made_once() {
    for lost in [true, false] {
        let cloud = cloud(|_| {});
        cloud.configure(&super::QUICK);
        cloud.apply(&[]).expect(0);
        commit(&cloud, KEYS[0], "Pictures");
        if lost {
            cloud.fault(json!({"match": {"method": "POST", "path": OPEN}, "do": {"drop": "after"}}));
        } else {
            let mut command = cloud.command(&["apply"]);
            command.env("GENESYNC_CREDENTIALS_KIOSK_CLIENT_ID", "-");
            command.env("GENESYNC_CREDENTIALS_KIOSK_CLIENT_SECRET", SIGNATURE);
            let output = command.env("GENESYNC_CRASH_AT", "C08").output().unwrap();
            assert_eq!(output.status.code(), None, "{output:?}");
        }
        genesync(&cloud, &["apply"]).expect(0);
        assert_eq!(kiosk(&cloud)["webhookHeaders"]["X-Key"], KEYS[0]);
        is_at_rest(&cloud);
    }
}

#[test]
fn an_integration_that_refers_to_nothing_or_has_no_secret_is_reported_and_nothing_is_written() {
    let cloud = cloud(|_| {});
    commit(&cloud, KEYS[0], "Films");
    let ran = genesync(&cloud, &["apply"]).expect(4);
    assert!(ran.stdout.contains("there is no supported content profile `Films`"), "{}", ran.stdout);
    commit(&cloud, KEYS[0], "Pictures");
    let ran = cloud.apply(&[]);
    assert_ne!(ran.code, 0);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("GENESYNC_CREDENTIALS_KIOSK_CLIENT_SECRET"), "{said}");
    assert_eq!((writes(&cloud, 0), cloud.writes(1, 0)), (vec![], vec![]));
}

/// Returns everything that the state's files hold.
fn at_rest(cloud: &Cloud) -> String {
    let folder = cloud.stage.path("state");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

// Guarantee: digests-alone
#[test]
fn headers_are_kept_as_digests_that_compare_and_reveal_nothing() {
    let cloud = cloud(|_| {});
    commit(&cloud, KEYS[0], "Pictures");
    genesync(&cloud, &["apply"]).expect(0);
    let is_kept = |cloud: &Cloud| KEYS.iter().any(|key| at_rest(cloud).contains(key));
    assert!(at_rest(&cloud).contains("genesync:hmac-sha256:") && !is_kept(&cloud));
    // A digest compares as well as its value: nothing differs, and git's change is no conflict.
    is_at_rest(&cloud);
    commit(&cloud, KEYS[1], "Pictures");
    let plan = genesync(&cloud, &["plan"]).expect(0).stdout;
    assert!(plan.contains("1 to apply, 0 drift, 0 conflicts"), "{plan}");
    genesync(&cloud, &["apply"]).expect(0);
    let patch = json!({"openIntegration": {"openIntegration": "Kiosk", "patch": {"webhookHeaders": {"X-Key": KEYS[2]}}}});
    cloud.edit(1, patch.clone());
    let plan = genesync(&cloud, &["plan"]).expect(0).stdout;
    assert!(plan.contains("0 to apply, 1 drift, 0 conflicts"), "{plan}");
    genesync(&cloud, &["apply"]).expect(0);
    assert!(!is_kept(&cloud), "a header is in the state");
    // An overwritten secret cannot be restored, and the history reports that.
    let reported = genesync(&cloud, &["history", "acme", "--overwritten"]).expect(0).stdout;
    let lost = "(confidential: it cannot be restored)";
    assert!(reported.contains("webhookHeaders.X-Key") && reported.contains(lost), "{reported}");
    let reported =
        genesync(&cloud, &["history", "acme", "--overwritten", "--format", "json"]).expect(0).json();
    let of_header = reported["overwritten"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["notRestorable"] == json!(["webhookHeaders.X-Key"]));
    assert_eq!(of_header.unwrap()["before"]["webhookHeaders"]["X-Key"], lost, "{reported:#}");
    // Under another key a digest cannot be compared: genesync takes the live value as the base, and git's
    // change is a change.
    commit(&cloud, KEYS[0], "Pictures");
    let warned = |ran: &Ran| ran.stderr.matches("the state key was changed").count();
    for command in ["plan", "apply"] {
        let ran = keyed(&cloud, OTHER_KEY, &[command]).expect(0);
        assert_eq!(warned(&ran), 1, "{command}: {}", ran.stderr);
        assert!(
            command == "apply" || ran.stdout.contains("1 to apply, 0 drift, 0 conflicts"),
            "{}",
            ran.stdout
        );
    }
    commit(&cloud, KEYS[1], "Pictures");
    let ran = keyed(&cloud, OTHER_KEY, &["plan"]).expect(0);
    assert!(ran.stdout.contains("1 to apply, 0 drift, 0 conflicts") && warned(&ran) == 0, "{}", ran.stderr);
}

// Guarantee: no-digest-is-sent
/// The state holds only a digest of a header that git does not name.
#[test]
fn a_digest_never_leaves_the_state() {
    let cloud = cloud(|_| {});
    commit_drift(&cloud);
    genesync(&cloud, &["apply"]).expect(0);
    let hers = |value: &str| {
        let headers = json!({"X-Key": KEYS[0], "X-Hers": value});
        let patch = json!({"openIntegration": "Kiosk", "patch": {"webhookHeaders": headers}});
        cloud.edit(1, json!({"openIntegration": patch}));
    };
    hers(KEYS[1]);
    genesync(&cloud, &["accept", "acme"]);
    genesync(&cloud, &["apply"]).expect(0);
    let live = || kiosk(&cloud)["webhookHeaders"].clone();
    let before = live();
    is_at_rest(&cloud);
    // Under another key the state knows nothing of the header. genesync stores a digest of the live value
    // under that key: twice, there and back.
    for (command, key) in [("plan", OTHER_KEY), ("apply", OTHER_KEY), ("apply", None), ("plan", None)] {
        let ran = keyed(&cloud, key, &[command]).expect(0);
        assert!(!ran.stdout.contains("X-Hers"), "{}", ran.stdout);
        assert_eq!(live(), before);
    }
    // Mara's change cannot be set back: it is reported, and stays.
    hers(KEYS[2]);
    let plan = genesync(&cloud, &["plan"]).expect(0).stdout;
    assert!(plan.contains("webhookHeaders.X-Hers"), "{plan}");
    let mark = cloud.mark();
    genesync(&cloud, &["apply"]).expect(0);
    assert_eq!((writes(&cloud, mark), live()["X-Hers"].clone()), (vec![], json!(KEYS[2])));
    assert!(genesync(&cloud, &["plan"]).expect(0).stdout.contains("webhookHeaders.X-Hers"));
}

/// Commits as [`commit`] does, with a setting that sets back changes of other users in fields that git does
/// not name.
fn commit_drift(cloud: &Cloud) {
    commit(cloud, KEYS[0], "Pictures");
    let path = cloud.stage.repository().join("tenants/acme/tenant.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let drift = text.replace("sync: {mode: enforce}", "sync: {mode: enforce, unmanaged: drift}");
    assert_ne!(drift, text);
    cloud.stage.commit(&[("tenants/acme/tenant.yaml".into(), drift)]);
}

// Guarantee: old-rows-are-rewritten
#[test]
fn rows_that_hold_the_values_themselves_are_rewritten_once() {
    let cloud = cloud(|_| {});
    commit(&cloud, KEYS[0], "Pictures");
    genesync(&cloud, &["apply"]).expect(0);
    // Rows in the format of an earlier version.
    let plainly = |statement: &'static str| {
        cloud.in_store(async |store| sqlx::query(statement).execute(store).await.map(drop).unwrap());
    };
    plainly(
        "UPDATE bases SET body = '{\"name\":\"Kiosk\",\"webhookHeaders\":{\"X-Key\":\"key-of-before\"}}' WHERE object LIKE '%OpenMessagingIntegration%'",
    );
    plainly(
        "INSERT INTO baselines (tenant, object, version, body, id) SELECT tenant, object, version, body, '' FROM bases WHERE object LIKE '%OpenMessagingIntegration%'",
    );
    plainly(
        "UPDATE intents SET intent = json_set(intent, '$.action.body.webhookHeaders.X-Key', 'key-of-before') WHERE intent LIKE '%X-Key%'",
    );
    plainly("UPDATE identity SET sealed = 0");
    plainly("VACUUM");
    assert!(at_rest(&cloud).contains(KEYS[0]));
    // A command that only reads changes nothing; a command that opens the state for writing rewrites it.
    genesync(&cloud, &["plan"]).expect(0);
    genesync(&cloud, &["pause", "acme", "--reason", "freeze"]).expect(0);
    for read in [
        "SELECT body FROM bases WHERE object LIKE '%OpenMessagingIntegration%'",
        "SELECT body FROM baselines",
        "SELECT intent FROM intents WHERE intent LIKE '%X-Key%'",
    ] {
        let kept = cloud.in_store(async |store| {
            let row: (String,) = sqlx::query_as(read).fetch_one(store).await.unwrap();
            row.0
        });
        assert!(kept.contains("genesync:hmac-sha256:") && !kept.contains(KEYS[0]), "{read}: {kept}");
    }
    plainly("DELETE FROM baselines");
    // Free space of the database file holds no old rows either.
    assert!(!at_rest(&cloud).contains(KEYS[0]));
    genesync(&cloud, &["resume", "acme"]).expect(0);
    commit(&cloud, KEYS[1], "Pictures");
    let plan = genesync(&cloud, &["plan"]).expect(0).stdout;
    assert!(plan.contains("1 to apply, 0 drift, 0 conflicts"), "{plan}");
}
