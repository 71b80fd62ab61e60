//! Import: for every example, the live configuration becomes manifests whose plan is empty; genesync reports
//! what a manifest cannot express.

use std::path::{Path, PathBuf};

use genesync::emulator::{World, seed_from_json};
use serde_json::{Value, json};

use crate::support::{CLIENT_ID, Ran, SECRET, Stage, ran};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An organization that a tenant names.
struct Named {
    organization: String,
    region: String,
    credentials: String,
    cloud: bool,
}

/// Returns the organizations of a tenant.yaml, read from its lines.
fn named(text: &str) -> Vec<Named> {
    let cloud = text.contains("api: cloud");
    let after = |line: &str, key: &str| {
        let (_, rest) = line.split_once(&format!("{key}: "))?;
        Some(rest.split(['}', ',', '#']).next().unwrap_or_default().trim().to_owned())
    };
    let mut found: Vec<Named> = Vec::new();
    for line in text.lines() {
        if let Some(organization) = after(line, "organizationId") {
            let credentials = found.first().map(|first| first.credentials.clone()).unwrap_or_default();
            found.push(Named { organization, region: String::new(), credentials, cloud });
        }
        let Some(last) = found.last_mut() else { continue };
        last.region = after(line, "region").unwrap_or_else(|| last.region.clone());
        last.credentials = after(line, "credentials").unwrap_or_else(|| last.credentials.clone());
    }
    found
}

/// Fills the world with these organizations and everything that the examples refer to.
fn world(stage: &Stage, organizations: &[Named], more: &Value) {
    let client = |named: &Named| json!({"id": named.organization, "secret": SECRET, "name": "genesync", "cloud": {"organization": named.organization}});
    let flows = ["Inbound messages", "Booking desk"].map(|name| json!({"name": name}));
    let bases = ["Help center", "Guest questions"].map(|name| json!({"name": name}));
    let seeded = organizations.iter().map(|named| match (named.cloud, more.get(&named.organization)) {
        (true, Some(cloud)) => json!({"id": named.organization, "cloud": cloud}),
        (true, None) => json!({"id": named.organization, "cloud": {"flows": flows, "knowledgeBases": bases}}),
        (false, _) => json!({"id": named.organization}),
    });
    let mut clients = vec![json!({"id": CLIENT_ID, "secret": SECRET, "name": "genesync"})];
    clients.extend(organizations.iter().filter(|named| named.cloud).map(client));
    let world = json!({
        "clients": clients,
        "organizations": seeded.collect::<Vec<Value>>(),
        "settings": {"auditDelayMs": 5, "activeDelayMs": 5, "replicationDelayMs": 5, "cdnDelayMs": 5},
    });
    let seed = seed_from_json(world.to_string().as_bytes()).unwrap();
    *stage.world.lock().unwrap() = World::new(&seed);
}

/// Runs the binary with the emulator as every region and a client for every name.
fn genesync(stage: &Stage, organizations: &[Named], arguments: &[&str]) -> Ran {
    let mut command = stage.command(arguments);
    for named in organizations {
        let variable = |text: &str| text.to_uppercase().replace('-', "_");
        command.env(format!("GENESYNC_ENDPOINT_{}", variable(&named.region)), &stage.url);
        let name = variable(&named.credentials);
        let id = if named.cloud { named.organization.as_str() } else { CLIENT_ID };
        command.env(format!("GENESYNC_CREDENTIALS_{name}_CLIENT_ID"), id);
        command.env(format!("GENESYNC_CREDENTIALS_{name}_CLIENT_SECRET"), SECRET);
    }
    ran(command.output().unwrap())
}

fn import(stage: &Stage, named: &Named, folder: &Path, more: &[&str]) -> Ran {
    let from = if named.cloud { "cloud" } else { "webchat" };
    let mut arguments = vec!["import", folder.to_str().unwrap(), "--tenant", "taken-in", "--from", from];
    arguments.extend(["--organization", &named.organization, "--region", &named.region]);
    arguments.extend(["--credentials", &named.credentials]);
    arguments.extend(more);
    genesync(stage, std::slice::from_ref(named), &arguments)
}

fn copy(from: &Path, to: &Path, change: &dyn Fn(String) -> String) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let target = to.join(entry.file_name().unwrap());
        match entry.is_dir() {
            true => copy(&entry, &target, change),
            false => std::fs::write(target, change(std::fs::read_to_string(&entry).unwrap())).unwrap(),
        }
    }
}

/// Returns the example repositories: this one's own, and those under `examples`.
fn examples() -> Vec<PathBuf> {
    let mut found = vec![root().to_owned(), root().join("examples/cloud"), root().join("examples/starter")];
    found.retain(|path| path.join("tenants").is_dir());
    assert_eq!(found.len(), 3);
    found
}

#[test]
fn what_was_applied_from_every_example_is_imported_as_a_plan_of_nothing() {
    let mut imported = 0;
    for example in examples() {
        let stage = Stage::new();
        let repository = stage.repository();
        for folder in ["bases", "tenants"] {
            let enforced = |text: String| text.replace("mode: watch", "mode: enforce");
            copy(&example.join(folder), &repository.join(folder), &enforced);
        }
        let mut organizations = Vec::new();
        for tenant in std::fs::read_dir(repository.join("tenants")).unwrap() {
            let text = std::fs::read_to_string(tenant.unwrap().path().join("tenant.yaml")).unwrap();
            organizations.extend(named(&text));
        }
        world(&stage, &organizations, &json!({}));
        stage.commit(&[]);
        let applied = genesync(&stage, &organizations, &["apply"]).expect(0);
        assert!(applied.stdout.contains("Synced"), "{}", applied.stdout);
        for (number, named) in organizations.iter().enumerate() {
            let folder = stage.path(&format!("imported-{number}"));
            let reported = import(&stage, named, &folder, &[]).expect(0);
            assert!(
                reported.stdout.contains("imported: its plan is empty"),
                "{}: {}",
                named.organization,
                reported.stdout
            );
            // A second import finds the first.
            assert!(import(&stage, named, &folder, &[]).expect(2).stderr.contains("` is not empty"));
            imported += 1;
            // The imported fields are managed: a change of any of them is found.
            let plan = genesync(&stage, &organizations, &["validate", folder.to_str().unwrap()]).expect(0);
            assert!(!plan.stdout.contains("error"), "{}", plan.stdout);
        }
    }
    assert!(imported >= 18, "{imported}");
}

const KNOWLEDGE: &str = "b1000000-0000-4000-8000-000000000001";

/// Adds an organization of the public API with what makes an import hard.
fn hard(stage: &Stage) -> Named {
    let named = Named {
        organization: "00000000-0000-4000-8000-000000000077".into(),
        region: "eu-central-1".into(),
        credentials: "hard".into(),
        cloud: true,
    };
    let body = |colour: &str| {
        json!({
            "languages": ["en-us"], "defaultLanguage": "en-us",
            "messenger": {"enabled": true, "styles": {"primaryColor": colour}},
            "position": {"alignment": "Auto"},
        })
    };
    let with = |body: Value, key: &str, value: Value| {
        let mut body = body;
        body[key] = value;
        body
    };
    let newer = with(
        with(body("#14532D"), "description", json!("newer")),
        "supportCenter",
        json!({"enabled": false, "knowledgeBase": {"id": KNOWLEDGE}}),
    );
    let cloud = json!({
        "knowledgeBases": [{"id": KNOWLEDGE, "name": "Help center"}],
        "flows": [{"id": "f1000000-0000-4000-8000-000000000001", "name": "In: box, \"quoted\" # 1"}],
        "configurations": [
            {"name": "Acme Web (DE)", "versions": [body("#0B3D91"), newer]},
            {"name": "acme web de", "versions": [with(body("#0B3D91"), "invented", json!({"by": "next year"}))]},
            {"name": "Only a draft", "versions": [], "draft": body("#111111")},
        ],
        "deployments": [
            {"name": "Served", "configuration": {"name": "Acme Web (DE)", "version": "1"}, "allowAllDomains": true,
             "flow": {"id": "f1000000-0000-4000-8000-000000000001"}},
            {"name": "Nameless flow", "configuration": {"name": "acme web de", "version": "1"}, "allowAllDomains": true,
             "flow": {"id": "f1000000-0000-4000-8000-00000000dead"}},
        ],
    });
    world(stage, std::slice::from_ref(&named), &json!({ (named.organization.clone()): cloud }));
    named
}

#[test]
fn an_aborted_import_does_not_block_the_next_one() {
    let stage = Stage::new();
    let named = hard(&stage);
    let folder = stage.path("imported");
    let listing = "**/webdeployments/configurations";
    // The import is denied at once, or after deployments were read, in the middle of its files.
    let cases = [
        (json!({"path": "**/webdeployments/deployments"}), 1, json!({"status": 403}), "doctor --permissions"),
        (json!({"path": listing}), 2, json!({"status": 403}), "doctor --permissions"),
        (json!({"path": listing}), 2, json!({"status": 500}), "500"),
    ];
    for (requests, nth, action, reported) in cases {
        let fault = json!({"match": requests, "nth": nth, "times": 0, "do": action});
        stage.control("POST", "faults", &json!({"faults": [fault]}));
        let ran = import(&stage, &named, &folder, &[]).expect(7);
        assert!(ran.stderr.contains(reported), "{}", ran.stderr);
        assert!(std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none()), "{action}");
        stage.control("DELETE", "faults", &Value::Null);
    }
    let other = Named {
        organization: "No-UUID".into(),
        region: named.region.clone(),
        credentials: named.credentials.clone(),
        cloud: true,
    };
    let ran = import(&stage, &other, &folder, &[]).expect(2);
    assert!(ran.stderr.contains("this is not an organization id"), "{}", ran.stderr);
    // Files of the user stay.
    std::fs::create_dir_all(folder.join("bases")).unwrap();
    std::fs::write(folder.join("bases/own.yaml"), "").unwrap();
    let mut wrong =
        vec!["import", folder.to_str().unwrap(), "--tenant", "taken-in", "--region", &named.region];
    wrong.extend([
        "--credentials",
        &named.credentials,
        "--organization",
        "00000000-0000-4000-8000-0000000000FF",
    ]);
    let ran = genesync(&stage, std::slice::from_ref(&named), &wrong).expect(7);
    assert!(ran.stderr.contains("not to 00000000-0000-4000-8000-0000000000ff"), "{}", ran.stderr);
    assert!(folder.join("bases/own.yaml").exists() && !folder.join("tenants").exists());
    import(&stage, &named, &folder, &[]).expect(0);
}

#[test]
fn what_a_manifest_cannot_express_is_reported() {
    let stage = Stage::new();
    let named = hard(&stage);
    let folder = stage.path("imported");
    let reported = import(&stage, &named, &folder, &[]).expect(0);
    assert!(reported.stderr.contains("`Only a draft`, which was never published"), "{}", reported.stderr);
    let read = |name: &str| std::fs::read_to_string(folder.join("tenants/taken-in").join(name)).unwrap();
    // Two names that lead to the same file name.
    let first = read("configuration-acme-web-de.yaml");
    let second = read("configuration-acme-web-de-2.yaml");
    let (newer, invented) = if first.contains("invented") { (&second, &first) } else { (&first, &second) };
    assert!(newer.contains("name: Acme Web (DE)") && !newer.contains("description: newer"), "{newer}");
    assert!(newer.contains("differs from what visitors are served: description"), "{newer}");
    assert!(newer.contains("served: messenger.styles.primaryColor"), "{newer}");
    // A reference by id, and only in the newer version.
    assert!(
        newer.contains("served: supportCenter.knowledgeBase") && !newer.contains("Help center"),
        "{newer}"
    );
    assert!(
        invented.contains("this build does not know it; genesync keeps the live value: invented.by"),
        "{invented}"
    );
    // For every quoting style: the plan of it is empty.
    assert!(read("deployment-served.yaml").contains(
        "
  flow:"
    ));
    let nameless = read("deployment-nameless-flow.yaml");
    assert!(
        nameless.contains("genesync found no name for it: flow") && !nameless.contains("\n  flow:"),
        "{nameless}"
    );
    for file in std::fs::read_dir(folder.join("tenants/taken-in")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(text.starts_with("# yaml-language-server: $schema=../../schemas/"), "{text}");
    }
}

#[test]
fn a_layer_takes_what_configurations_have_in_common() {
    let stage = Stage::new();
    let named = hard(&stage);
    let folder = stage.path("imported");
    import(&stage, &named, &folder, &["--layer", "house"]).expect(0);
    let layer = std::fs::read_to_string(folder.join("bases/house.yaml")).unwrap();
    assert!(layer.contains("defaultLanguage: en-us") && !layer.contains("primaryColor"), "{layer}");
    let own =
        std::fs::read_to_string(folder.join("tenants/taken-in/configuration-acme-web-de-2.yaml")).unwrap();
    assert!(own.contains("extends:") && !own.contains("defaultLanguage"), "{own}");
}

#[test]
fn adopt_shows_what_enforce_would_change_and_writes_nothing() {
    let stage = Stage::new();
    let named = hard(&stage);
    let folder = stage.path("imported");
    import(&stage, &named, &folder, &[]).expect(0);
    let path = folder.join("tenants/taken-in/deployment-served.yaml");
    let before = std::fs::read_to_string(&path).unwrap();
    let text =
        before.replace("allowAllDomains: true", "allowAllDomains: false\n  allowedDomains: [acme.example]");
    std::fs::write(&path, text).unwrap();
    let all = std::slice::from_ref(&named);
    let folder = folder.to_str().unwrap();
    let adopt = || genesync(&stage, all, &["adopt", folder, "--tenant", "taken-in"]);
    let shown = adopt().expect(0);
    assert!(shown.stdout.contains("taken-in  enforce  2 to apply"), "{}", shown.stdout);
    assert!(shown.stderr.ends_with("tenant.yaml would apply the plan above\n"), "{}", shown.stderr);
    std::fs::write(&path, before).unwrap();
    assert!(adopt().expect(0).stderr.ends_with("would change nothing now\n"));
    assert_eq!(stage.world.lock().unwrap().writes(), 0);
}

#[test]
fn the_doctor_says_what_is_missing_and_how_to_fix_it() {
    let stage = Stage::new();
    let named = hard(&stage);
    let folder = stage.path("imported");
    import(&stage, &named, &folder, &[]).expect(0);
    let all = std::slice::from_ref(&named);
    let path_of_manifests = folder.to_str().unwrap();
    let well = genesync(&stage, all, &["doctor", path_of_manifests]).expect(0);
    assert!(
        well.stdout.contains("the client belongs to this organization") && well.stdout.contains(", 0 failed"),
        "{}",
        well.stdout
    );
    let documents =
        genesync(&stage, all, &["doctor", path_of_manifests, "--format", "json"]).expect(0).json();
    assert!(documents["checks"].as_array().unwrap().len() > 8);
    // The client of another organization.
    let tenant = folder.join("tenants/taken-in/tenant.yaml");
    let text = std::fs::read_to_string(&tenant).unwrap();
    std::fs::write(&tenant, text.replace("000000000077", "000000000078")).unwrap();
    let ill = genesync(&stage, all, &["doctor", path_of_manifests]).expect(7);
    assert!(
        ill.stdout.contains("fix the organization or the credentials in the manifest\n"),
        "{}",
        ill.stdout
    );
    std::fs::write(&tenant, &text).unwrap();
    // A missing permission is named. It fails the command if git has an object that needs it.
    let denied = |path: &str| {
        let fault = json!({"match": {"path": path}, "times": 0, "do": {"status": 403}});
        stage.control("POST", "faults", &json!({ "faults": [fault] }));
        let exit = if path.contains("messaging/settings") { 0 } else { 7 };
        let reported = genesync(&stage, all, &["doctor", path_of_manifests]).expect(exit);
        stage.control("DELETE", "faults", &Value::Null);
        reported.stdout
    };
    let table = [
        (
            "/api/v2/webdeployments/deployments",
            "not allowed, but needed always; add to a role of the client: webDeployments:deployment:view",
        ),
        (
            "/api/v2/flows",
            "needed if git refers to some inbound message flow; add to a role of the client: architect:flow:view",
        ),
        (
            "/api/v2/conversations/messaging/settings",
            "not allowed: messaging:setting:view; needed only if git refers to some messaging setting, which this tenant does not have",
        ),
    ];
    for (path, reported) in table {
        let shown = denied(path);
        assert!(shown.contains(reported), "{path}: {shown}");
    }
    // A signing secret that is stored nowhere.
    let integration = "apiVersion: genesync/v1alpha1\nkind: OpenMessagingIntegration\nmetadata: {name: kiosk}\nspec:\n  outboundNotificationWebhookUrl: https://kiosk.example.com/hook\n  signatureSecret: kiosk-signature\n";
    std::fs::write(folder.join("tenants/taken-in/integration-kiosk.yaml"), integration).unwrap();
    let ill = genesync(&stage, all, &["doctor", path_of_manifests]).expect(7);
    let reported = "secret `kiosk-signature`";
    assert!(
        ill.stdout.lines().any(|line| line.contains(reported) && line.contains("failed")),
        "{}",
        ill.stdout
    );
}
