//! Open messaging integrations: made, waited for, changed, and whose secrets stay where they belong.

use serde_json::{Value, json};

use super::{Cloud, MARA, files};
use crate::support::{Ran, ran};

const OPEN: &str = "/api/v2/conversations/messaging/integrations/open";
/// What signs the webhook's messages, and what its headers say.
const SIGNATURE: &str = "a-signature-of-some-length";
const KEYS: [&str; 3] = ["key-of-before", "key-of-today", "key-of-hers"];

/// The tenant with an integration beside its deployment.
fn commit(cloud: &Cloud, key: &str, content: &str) {
    let mut all = files(1, "#111111", &[]);
    let kiosk = format!(
        "apiVersion: genesync/v1alpha1\nkind: OpenMessagingIntegration\nmetadata: {{name: kiosk}}\nspec:\n  name: Kiosk\n  outboundNotificationWebhookUrl: https://hooks.acme.example/kiosk\n  signatureSecret: kiosk\n  webhookHeaders: {{X-Key: {key}}}\n  supportedContent: {{name: {content}}}\n"
    );
    all.push(("tenants/acme/kiosk.yaml".into(), kiosk));
    cloud.stage.commit(&all);
}

/// An organization that knows what integrations refer to.
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
    let mut command = cloud.command(arguments);
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

/// The writes of integrations, with the statuses of their answers.
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

/// Nothing differs, and nothing is written.
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
    let hidden = |line: &str| line.contains("webhookHeaders.X-Key") && line.matches("(hidden)").count() == 2;
    assert!(over.lines().any(hidden), "{over}");
    genesync(&cloud, &["history", "acme", "--overwritten", "--format", "json"]).expect(0);
    is_at_rest(&cloud);
}

#[test]
fn headers_that_git_does_not_name_stay_and_drift_is_told_without_them() {
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
fn an_integration_that_refers_to_nothing_or_has_no_secret_is_told_and_nothing_is_written() {
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
