//! Supported content, messaging settings and the messaging defaults: imported, created before what refers to
//! them, changed, moved by a person, and repaired.

use serde_json::{Value, json};

use super::{Cloud, MARA, QUICK, files};
use crate::support::{CLIENT_ID, Ran, SECRET, Stage, organization, ran};

const MESSAGING: &str = "/api/v2/conversations/messaging/";
const SIGNATURE: &str = "a-signature-of-some-length";

/// Returns a document of a kind, with a spec in flow style.
fn document(file: &str, kind: &str, spec: &str) -> (String, String) {
    let text =
        format!("apiVersion: genesync/v1alpha1\nkind: {kind}\nmetadata: {{name: {file}}}\nspec: {spec}\n");
    (format!("tenants/acme/{file}.yaml"), text)
}

/// Commits the tenant with two profiles, the defaults, and an integration that refers to them.
fn commit(cloud: &Cloud, inbound: &str, typing: &str) {
    let mut all = files(1, "#111111", &[]);
    let allow = format!("{{mediaTypes: {{allow: {{inbound: [{inbound}], outbound: [{{type: image/*}}]}}}}}}");
    all.push(document("pictures", "SupportedContent", &format!("{{name: Pictures, {}", &allow[1..])));
    let event = format!("{{name: Typing, event: {{typing: {{\"on\": {{inbound: {typing}}}}}}}}}");
    all.push(document("typing", "MessagingSetting", &event));
    let both = "supportedContent: {name: Pictures}, messagingSetting: {name: Typing}";
    all.push(document("defaults", "MessagingDefaults", &format!("{{{both}}}")));
    let hook = "outboundNotificationWebhookUrl: https://hooks.acme.example/kiosk, signatureSecret: kiosk";
    all.push(document("kiosk", "OpenMessagingIntegration", &format!("{{name: Kiosk, {hook}, {both}}}")));
    cloud.stage.commit(&all);
}

const IMAGES: &str = "{type: image/*}";
const ALL: &str = "{type: \"*/*\"}";

fn genesync(cloud: &Cloud, arguments: &[&str]) -> Ran {
    let mut command = cloud.command(arguments);
    command.env("GENESYNC_CREDENTIALS_KIOSK_CLIENT_ID", "-");
    command.env("GENESYNC_CREDENTIALS_KIOSK_CLIENT_SECRET", SIGNATURE);
    ran(command.output().unwrap())
}

/// Returns the writes below the messaging API, in order.
fn writes(cloud: &Cloud, since: u64) -> Vec<String> {
    let of_one = |request: &Value| {
        let (method, path) = (request["method"].as_str()?, request["path"].as_str()?);
        let below = path.strip_prefix(MESSAGING).filter(|_| method != "GET")?;
        let mut parts = below.split('/').map(|part| if part.len() == 36 { "…" } else { part });
        Some(format!("{method} {}", parts.by_ref().collect::<Vec<_>>().join("/")))
    };
    cloud.requests(1, since).iter().filter_map(of_one).collect()
}

fn is_at_rest(cloud: &Cloud) {
    let mark = cloud.mark();
    let plan = genesync(cloud, &["plan"]).expect(0);
    assert!(plan.stdout.starts_with("No changes"), "{}", plan.stdout);
    genesync(cloud, &["apply"]).expect(0);
    assert_eq!((writes(cloud, mark), cloud.open()), (vec![], (0, 0)));
}

fn edit_default(cloud: &Cloud, content: &str) {
    cloud.edit(1, json!({"default": {"supportedContent": content}}));
}

#[test]
fn profiles_are_created_before_what_refers_to_them_and_drift_names_its_author() {
    let cloud = Cloud::new(1);
    commit(&cloud, IMAGES, "Enabled");
    // An object that the same run creates is a dependency, and holds nothing.
    let plan = genesync(&cloud, &["plan"]).expect(0).stdout;
    assert!(plan.contains("SupportedContent `Pictures`") && !plan.contains("held"), "{plan}");
    assert!(plan.contains("the messaging defaults"), "{plan}");
    let done = genesync(&cloud, &["apply", "--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["status"], "Synced", "{done:#}");
    let made = writes(&cloud, 0);
    // Independent objects are written in parallel; the defaults take one call each.
    let (mut needed, mut others) = (made[..2].to_vec(), made[2..].to_vec());
    needed.sort();
    others.sort();
    assert_eq!(needed, ["POST settings", "POST supportedcontent"]);
    assert_eq!(others, ["POST integrations/open", "PUT settings/default", "PUT supportedcontent/default"]);
    let state = cloud.state(1);
    let id = |list: &str| state[list][0]["id"].clone();
    let defaults =
        json!({"supportedContent": id("supportedContent"), "messagingSetting": id("messagingSettings")});
    assert_eq!(state["defaults"], defaults);
    assert_eq!(state["openIntegrations"][0]["supportedContent"]["name"], "Pictures");
    is_at_rest(&cloud);

    let mark = cloud.mark();
    commit(&cloud, ALL, "Disabled");
    let plan = genesync(&cloud, &["plan", "--format", "json"]).expect(0).json();
    let classes: Vec<(&str, &str)> = plan["tenants"][0]["targets"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|target| target["changes"].as_array().unwrap())
        .map(|change| (change["path"].as_str().unwrap(), change["class"].as_str().unwrap()))
        .collect();
    let expected = [("mediaTypes.allow.inbound", "reach"), ("event.typing.on.inbound", "behaviour")];
    assert_eq!(classes, expected);
    genesync(&cloud, &["apply"]).expect(0);
    let mut patched = writes(&cloud, mark);
    patched.sort();
    assert_eq!(patched, ["PATCH settings/…", "PATCH supportedcontent/…"]);
    is_at_rest(&cloud);

    let blocked = json!({"mediaTypes": {"allow": {"inbound": []}}});
    cloud.edit(1, json!({"supportedContent": {"supportedContent": "Pictures", "patch": blocked}}));
    let enabled = json!({"event": {"typing": {"on": {"inbound": "Enabled"}}}});
    cloud.edit(1, json!({"messagingSetting": {"messagingSetting": "Typing", "patch": enabled}}));
    cloud.edit(1, json!({"create": {"supportedContent": {"name": "Hers"}}}));
    edit_default(&cloud, "Hers");
    let mark = cloud.mark();
    let ran = genesync(&cloud, &["apply"]).expect(0);
    let named = |what: &str| ran.stderr.lines().any(|line| line.contains(MARA) && line.contains(what));
    for what in ["mediaTypes.allow.inbound", "event.typing.on.inbound", "supportedContent.id"] {
        assert!(named(what), "{what}: {}", ran.stderr);
    }
    let mut repaired = writes(&cloud, mark);
    repaired.sort();
    let once_each = ["PATCH settings/…", "PATCH supportedcontent/…", "PUT supportedcontent/default"];
    assert_eq!(repaired, once_each);
    let over = genesync(&cloud, &["history", "acme", "--overwritten"]).expect(0).stdout;
    assert!(
        over.lines().any(|line| line.contains("the messaging defaults") && line.contains(MARA)),
        "{over}"
    );
    is_at_rest(&cloud);
}

/// A default has no version and may change no date: genesync verifies the write by reading the value back.
#[test]
fn a_default_that_is_seen_late_or_whose_answer_is_lost_is_set_once() {
    let lost = json!({"match": {"method": "PUT", "path": "/api/v2/conversations/messaging/*/default"}, "times": 1, "do": {"drop": "after"}});
    let never = json!({"match": {"method": "PUT", "path": "/api/v2/conversations/messaging/*/default"}, "times": 1, "do": {"drop": "before"}});
    for (fault, stale_ms, puts) in [(None, 60, 1), (Some(lost), 0, 1), (Some(never), 0, 2)] {
        let cloud = Cloud::new(1);
        cloud.configure(&QUICK);
        commit(&cloud, IMAGES, "Enabled");
        genesync(&cloud, &["apply"]).expect(0);
        cloud.edit(1, json!({"create": {"supportedContent": {"name": "Hers"}}}));
        edit_default(&cloud, "Hers");
        cloud.settings(json!({"staleDelayMs": stale_ms}));
        fault.into_iter().for_each(|fault| cloud.fault(fault));
        let mark = cloud.mark();
        genesync(&cloud, &["apply"]).expect(0);
        let set = writes(&cloud, mark).iter().filter(|write| write.starts_with("PUT")).count();
        assert_eq!(set, puts, "{:?}", writes(&cloud, mark));
        cloud.settings(json!({"staleDelayMs": 0}));
        is_at_rest(&cloud);
    }
}

/// Shortly after our last write, a read may still return the older value.
#[test]
fn a_stale_read_after_a_repair_is_not_drift() {
    let cloud = Cloud::new(1);
    commit(&cloud, IMAGES, "Enabled");
    genesync(&cloud, &["apply"]).expect(0);
    cloud.edit(1, json!({"create": {"supportedContent": {"name": "Hers"}}}));
    edit_default(&cloud, "Hers");
    genesync(&cloud, &["apply"]).expect(0);
    let old = json!({"match": {"method": "GET", "path": "/api/v2/conversations/messaging/supportedcontent/default"}, "times": 2,
        "do": {"stale": true}});
    cloud.fault(old);
    let mark = cloud.mark();
    let ran = genesync(&cloud, &["apply"]).expect(0);
    assert!(ran.stderr.contains("may not show the last write yet"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(MARA), "{}", ran.stderr);
    assert_eq!(writes(&cloud, mark), Vec::<String>::new());
    is_at_rest(&cloud);
}

/// Nothing was applied yet, and the object names no author: the audit log does, each for their own field.
#[test]
fn who_set_the_defaults_that_a_first_apply_overwrites_is_reported() {
    let cloud = Cloud::new(1);
    commit(&cloud, IMAGES, "Enabled");
    for kind in ["supportedContent", "messagingSetting"] {
        cloud.edit(1, json!({"create": {kind: {"name": "Hers"}}}));
    }
    edit_default(&cloud, "Hers");
    let by_zoe = json!({"organizationId": organization(1), "actor": "Zoe Okafor", "default": {"messagingSetting": "Hers"}});
    cloud.stage.control("POST", "edit", &by_zoe);
    let refused = genesync(&cloud, &["apply"]).expect(6);
    assert!(refused.stdout.contains("adopt: the messaging defaults"), "{}", refused.stdout);
    genesync(&cloud, &["apply", "--allow", "adopt", "--reason", "git is right"]).expect(0);
    let over = genesync(&cloud, &["history", "acme", "--overwritten"]).expect(0).stdout;
    let reported = |who: &str, field: &str| {
        over.lines()
            .any(|line| line.contains(who) && line.contains(field) && line.contains("the messaging defaults"))
    };
    assert!(reported(MARA, "supportedContent.id") && reported("Zoe Okafor", "messagingSetting.id"), "{over}");
}

#[test]
fn a_default_that_the_platform_does_not_keep_is_not_written_for_ever() {
    let cloud = Cloud::new(1);
    commit(&cloud, IMAGES, "Enabled");
    genesync(&cloud, &["apply"]).expect(0);
    cloud.edit(1, json!({"create": {"supportedContent": {"name": "Hers"}}}));
    edit_default(&cloud, "Hers");
    // The write is accepted, and never becomes visible.
    cloud.settings(json!({"staleDelayMs": 600_000}));
    let mark = cloud.mark();
    // The tenant is held, and a write has no audit entry: the missing entry decides the exit code.
    let ran = genesync(&cloud, &["apply"]).expect(6);
    assert!(ran.stdout.contains("does not keep what was written: supportedContent.id"), "{}", ran.stdout);
    assert_eq!(writes(&cloud, mark), ["PUT supportedcontent/default"]);
}

/// Writes the plan for the review.
fn plan_for_review(cloud: &Cloud) {
    genesync(cloud, &["plan", "--rev", "HEAD", "--out", "../plan.json"]).expect(0);
}

const APPLY_REVIEWED: [&str; 5] = ["apply", "--plan", "../plan.json", "--format", "json"];

/// An object that the run creates has no id in the reviewed plan.
#[test]
fn a_reviewed_plan_makes_profiles_and_what_refers_to_them() {
    let cloud = Cloud::new(1);
    commit(&cloud, IMAGES, "Enabled");
    plan_for_review(&cloud);
    let done = genesync(&cloud, &APPLY_REVIEWED).expect(0).json();
    assert_eq!(done["tenants"][0]["status"], "Synced", "{done:#}");
    assert_eq!(writes(&cloud, 0).len(), 5);
    is_at_rest(&cloud);
}

/// Both defaults are one object: an edit of either one, before or during the write, was not reviewed.
#[test]
fn a_default_that_a_person_moved_after_the_review_is_held() {
    let during = json!({"match": {"method": "PUT", "path": "/api/v2/conversations/messaging/settings/default"}, "times": 1,
        "do": {"edit": {"actor": MARA, "default": {"supportedContent": "Hers"}}}});
    for (default, during, code) in
        [("supportedContent", None, 4), ("messagingSetting", None, 4), ("", Some(during), 6)]
    {
        let cloud = Cloud::new(1);
        commit(&cloud, IMAGES, "Enabled");
        genesync(&cloud, &["apply"]).expect(0);
        for kind in ["supportedContent", "messagingSetting"] {
            cloud.edit(1, json!({"create": {kind: {"name": "Hers"}}}));
        }
        cloud.edit(1, json!({"default": {"messagingSetting": "Hers"}}));
        plan_for_review(&cloud);
        let mark = cloud.mark();
        let is_before = during.is_none();
        match during {
            Some(fault) => cloud.fault(fault),
            // The default is removed: it was `Hers` before.
            None if default == "messagingSetting" => cloud.edit(1, json!({"default": {default: null}})),
            None => edit_default(&cloud, "Hers"),
        }
        let before = cloud.state(1);
        let done = genesync(&cloud, &APPLY_REVIEWED).expect(code).json();
        assert_eq!(done["tenants"][0]["status"], "Held", "{done:#}");
        let reason = done["tenants"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("not as reviewed") && !reason.contains("version"), "{reason}");
        let after = cloud.state(1);
        if is_before {
            assert!(reason.contains(&format!("last changed by {MARA}")), "{reason}");
            assert_eq!((&after["defaults"], writes(&cloud, mark)), (&before["defaults"], vec![]));
        }
        if default != "messagingSetting" {
            assert_eq!(after["defaults"]["supportedContent"], before["supportedContent"][1]["id"]);
        }
    }
}

/// One object that takes two calls counts as one repair.
#[test]
fn both_defaults_count_as_one_repair() {
    let cloud = Cloud::new(1);
    let project = "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: fleet}\nspec: {guards: {tenant: {flapsMax: 1, flapWindowMs: 60000}}}\n";
    cloud.stage.commit(&[("genesync.yaml".into(), project.into())]);
    commit(&cloud, IMAGES, "Enabled");
    genesync(&cloud, &["apply"]).expect(0);
    for kind in ["supportedContent", "messagingSetting"] {
        cloud.edit(1, json!({"create": {kind: {"name": "Hers"}}}));
        cloud.edit(1, json!({"default": {kind: "Hers"}}));
    }
    genesync(&cloud, &["apply"]).expect(0);
    is_at_rest(&cloud);
    // One more repair is too many, for that field only.
    edit_default(&cloud, "Hers");
    let mark = cloud.mark();
    let ran = genesync(&cloud, &["apply"]).expect(4);
    assert!(
        ran.stdout.contains("supportedContent.id") && ran.stdout.contains("was set back 1 time"),
        "{}",
        ran.stdout
    );
    assert_eq!(writes(&cloud, mark), Vec::<String>::new());
}

#[test]
fn a_watched_tenant_reports_who_changed_a_default() {
    let cloud = Cloud::new(1);
    commit(&cloud, IMAGES, "Enabled");
    genesync(&cloud, &["apply"]).expect(0);
    let tenant = std::fs::read_to_string(cloud.stage.repository().join("tenants/acme/tenant.yaml")).unwrap();
    cloud.stage.commit(&[("tenants/acme/tenant.yaml".into(), tenant.replace("enforce", "watch"))]);
    genesync(&cloud, &["run", "--once"]).expect(0);
    cloud.edit(1, json!({"create": {"supportedContent": {"name": "Hers"}}}));
    edit_default(&cloud, "Hers");
    let mark = cloud.mark();
    let done = genesync(&cloud, &["run", "--once", "--format", "json"]).json();
    assert_eq!(done["tenants"][0]["status"], "Drifted", "{done:#}");
    let status = genesync(&cloud, &["status"]).stdout;
    assert!(
        status.contains(&format!("{MARA} changed ")) && status.contains("supportedContent.id"),
        "{status}"
    );
    assert_eq!(writes(&cloud, mark), Vec::<String>::new());
}

/// A change cannot remove anything from these kinds: an omitted field stays.
#[test]
fn exclusive_is_refused_for_kinds_that_keep_omitted_fields() {
    let cloud = Cloud::new(1);
    for kind in ["SupportedContent", "MessagingSetting", "MessagingDefaults"] {
        let mut all = files(1, "#111111", &[]);
        all.push(document("one", kind, "{exclusive: true}"));
        cloud.stage.commit(&all);
        let said = cloud.genesync(&["validate"]).expect(1);
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(text.contains("tenants/acme/one.yaml:4") && text.contains("exclusive"), "{kind}: {text}");
    }
}

/// Without an entry in the log genesync claims nothing: the tenant stays unconfirmed.
#[test]
fn a_write_without_an_audit_entry_stays_unconfirmed() {
    let cloud = Cloud::new(1);
    cloud.settings(json!({"unaudited": ["MessagingSetting"]}));
    cloud.configure(&["timing.confirm-ms = 200"]);
    commit(&cloud, IMAGES, "Enabled");
    let done = genesync(&cloud, &["apply", "--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["status"], "Unconfirmed", "{done:#}");
    // Until git says that this kind has no audit entries.
    let project = "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: fleet}\nspec: {audit: {unauditedKinds: [MessagingSetting]}}\n";
    cloud.stage.commit(&[("genesync.yaml".into(), project.into())]);
    let done = genesync(&cloud, &["apply", "--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["status"], "Synced", "{done:#}");
    commit(&cloud, IMAGES, "Disabled");
    let done = genesync(&cloud, &["apply"]).expect(0);
    assert!(done.stdout.contains("Synced") && done.stdout.contains("not asked for"), "{}", done.stdout);
}

#[test]
fn names_that_git_does_not_have_are_warned_of_and_null_is_refused() {
    let cloud = Cloud::new(1);
    let mut all = files(1, "#111111", &[]);
    all.push(document(
        "pictures",
        "SupportedContent",
        "{name: Pictures, mediaTypes: {allow: {inbound: [], outbound: []}}}",
    ));
    all.push(document("defaults", "MessagingDefaults", "{supportedContent: {name: Picture}}"));
    cloud.stage.commit(&all);
    let said = cloud.genesync(&["validate"]).expect(0);
    let text = format!("{}{}", said.stdout, said.stderr);
    assert!(text.contains("no SupportedContent of this tenant is named `Picture`"), "{text}");
    assert!(text.contains("did you mean `Pictures`?"), "{text}");
    all.pop();
    all.push(document("defaults", "MessagingDefaults", "{supportedContent: null}"));
    all.push(document("more", "MessagingDefaults", "{}"));
    cloud.stage.commit(&all);
    let said = cloud.genesync(&["validate"]).expect(1);
    let text = format!("{}{}", said.stdout, said.stderr);
    assert!(text.contains("supportedContent") && text.contains("null"), "{text}");
    assert!(text.contains("this tenant has a second MessagingDefaults document"), "{text}");
}

/// Returns a live organization: two profiles that a deployment and an integration refer to, one of each kind
/// that nothing refers to, and the defaults.
fn inhabited() -> Stage {
    let stage = Stage::new();
    let pictures = json!({"name": "Pictures", "mediaTypes": {"allow": {"inbound": [{"type": "image/*"}], "outbound": []}}});
    let seed = json!({
        "clients": [{"id": CLIENT_ID, "secret": SECRET, "name": "genesync", "cloud": {"organization": organization(1)}}],
        "organizations": [{"id": organization(1), "cloud": {
            "name": "Acme", "region": "eu-west-1", "flows": [{"name": "Inbound"}],
            "supportedContent": [pictures, {"name": "Unused", "isDefault": true}],
            "messagingSettings": [{"id": "s-typing", "name": "Typing", "event": {"typing": {"on": {"inbound": "Enabled"}}}}, {"name": "Idle"}],
            "configurations": [{"name": "Website", "versions": [{"languages": ["en-us"], "defaultLanguage": "en-us", "messenger": {"enabled": true}}]}],
            "deployments": [{"name": "Shop", "configuration": {"name": "Website"}, "flow": {"name": "Inbound"}, "allowAllDomains": true}],
            "openIntegrations": [{"name": "Kiosk", "outboundNotificationWebhookUrl": "https://hooks.acme.example/kiosk",
                "outboundNotificationWebhookSignatureSecretToken": "somebody-set-this-one", "messagingSetting": {"id": "s-typing"}}],
        }}],
    });
    let world = genesync::emulator::World::new(
        &genesync::emulator::seed_from_json(seed.to_string().as_bytes()).unwrap(),
    );
    *stage.world.lock().unwrap() = world;
    stage
}

#[test]
fn an_import_takes_what_is_referred_to_or_everything() {
    for (more, expected) in [
        (&[][..], &["setting-typing.yaml"][..]),
        (
            &["--all"],
            &[
                "content-pictures.yaml",
                "content-unused.yaml",
                "defaults.yaml",
                "setting-idle.yaml",
                "setting-typing.yaml",
            ],
        ),
    ] {
        let stage = inhabited();
        let to = stage.path("imported");
        let mut command = stage.command(&[
            "import",
            to.to_str().unwrap(),
            "--tenant",
            "acme",
            "--organization",
            &organization(1),
            "--region",
            "eu-west-1",
            "--credentials",
            "main",
        ]);
        let done = ran(command.args(more).output().unwrap());
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        let folder = to.join("tenants/acme");
        let mut found: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|file| ["content", "setting", "defaults"].iter().any(|prefix| file.starts_with(prefix)))
            .collect();
        found.sort();
        assert_eq!(found, expected);
        let typing = std::fs::read_to_string(folder.join("setting-typing.yaml")).unwrap();
        assert!(typing.contains("inbound: Enabled"), "{typing}");
    }
}
