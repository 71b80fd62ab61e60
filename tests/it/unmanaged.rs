//! Changes of other users in fields that git does not name: genesync reports them until they are set back,
//! named in git or accepted.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::support::{Stage, organization, tenant, wait_until};

/// Returns a tenant whose manifest names only one field.
fn one_field(name: &str, number: u32, delay: u32, sync: &str) -> Vec<(String, String)> {
    let files = tenant(name, &[number], &format!("  greetings: {{delayMs: {delay}}}\n")).into_iter();
    files.map(|(path, text)| (path, text.replace("mode: enforce", &format!("mode: {sync}")))).collect()
}

fn plan(stage: &Stage) -> Value {
    stage.genesync(&["plan", "--format", "json", "--detailed-exitcode"]).expect(0).json()
}

fn paths(plan: &Value, list: &str) -> Vec<String> {
    let all = plan[list].as_array().unwrap().iter();
    all.map(|change| change["path"].as_str().unwrap().to_owned()).collect()
}

/// Returns a stage with an organization that was configured before genesync took it over.
fn adopted(sync: &str) -> Stage {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], "  greetings: {enabled: true, messages: [Hello], delayMs: 1}\n"));
    stage.stateless(&["apply"]).expect(0);
    stage.commit(&one_field("acme", 1, 1, sync));
    stage.genesync(&["apply"]).expect(0);
    stage
}

// Guarantee: unmanaged-is-reported
#[test]
fn a_switched_off_unmanaged_field_is_reported_until_a_person_accepts_it() {
    let stage = adopted("enforce");
    let text = stage.genesync(&["plan"]).expect(0).stdout;
    assert!(
        text.starts_with("No changes: 1 tenant is in sync") && !text.contains("Changed by other users"),
        "{text}"
    );
    stage.edit(1, &json!({"greetings": {"messages": ["Hi"]}}));
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    let reported = |text: &str| {
        let mut lines = text.lines().skip_while(|line| !line.starts_with("Changed by other users")).skip(1);
        let (first, second) = (lines.next().unwrap().to_owned(), lines.next().unwrap().to_owned());
        // The disabled field comes first.
        assert!(first.contains("greetings.enabled") && first.contains("off"), "{text}");
        assert!(second.contains("greetings.messages") && second.contains("text"), "{text}");
        assert!(first.contains("Mara Ionescu") && second.contains("Mara Ionescu"), "{text}");
    };
    let text = stage.genesync(&["plan", "--detailed-exitcode"]).expect(0).stdout;
    reported(&text);
    assert!(text.contains("2 fields that git does not name changed"), "{text}");
    let before = plan(&stage);
    assert_eq!(paths(&before, "unmanagedChanges"), ["greetings.enabled", "greetings.messages"]);
    assert_eq!(before["unmanagedChanges"][0]["was"], true);
    for format in ["markdown", "html"] {
        let text = stage.genesync(&["plan", "--format", format]).expect(0).stdout;
        assert!(text.contains("Changed by other users") && text.contains("greetings.enabled"), "{text}");
    }
    // A run does not write it, is in sync, and adds it once to the history.
    for _ in 0..2 {
        stage.genesync(&["apply"]).expect(0);
        reported(&stage.genesync(&["status"]).expect(0).stdout);
    }
    let history = stage.genesync(&["history", "acme"]).expect(0).stdout;
    assert_eq!(history.matches("greetings.enabled (off)").count(), 1, "{history}");
    // A write of ours keeps the change and does not accept it.
    stage.commit(&one_field("acme", 1, 5, "enforce"));
    stage.genesync(&["apply"]).expect(0);
    let live = stage.live(1).1;
    assert_eq!((&live["greetings"]["delayMs"], &live["greetings"]["enabled"]), (&json!(5), &json!(false)));
    assert_eq!(paths(&plan(&stage), "unmanagedChanges"), ["greetings.enabled", "greetings.messages"]);
    // A person accepts one field, then the rest.
    let wrong = stage.genesync(&["accept", "acme", "greetings.delayMs"]).expect(2);
    assert!(wrong.stderr.contains("greetings.enabled"), "{}", wrong.stderr);
    stage.genesync(&["accept", "acme", "greetings.messages"]).expect(0);
    assert_eq!(paths(&plan(&stage), "unmanagedChanges"), ["greetings.enabled"]);
    let status = stage.genesync(&["status"]).expect(0).stdout;
    assert!(status.contains("greetings.enabled") && !status.contains("greetings.messages"), "{status}");
    stage.genesync(&["accept", "acme"]).expect(0);
    assert_eq!(paths(&plan(&stage), "unmanagedChanges"), Vec::<String>::new());
    assert!(stage.genesync(&["accept", "acme"]).expect(0).stdout.contains("nothing to accept"));
    stage.genesync(&["apply"]).expect(0);
    assert!(!stage.genesync(&["status"]).expect(0).stdout.contains("Changed by other users"));
    let history = stage.genesync(&["history", "acme"]).expect(0).stdout;
    assert_eq!(history.matches("accepted").count(), 2, "{history}");
    // The next change is compared with what was accepted.
    stage.edit(1, &json!({"greetings": {"enabled": true}}));
    assert_eq!(paths(&plan(&stage), "unmanagedChanges"), ["greetings.enabled"]);
    assert_eq!(stage.live(1).1["greetings"]["messages"], json!(["Hi"]));
}

#[test]
fn the_author_is_still_named_after_a_write_of_ours() {
    // The run that writes is the first one that sees the change.
    let stage = adopted("enforce");
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    stage.commit(&one_field("acme", 1, 5, "enforce"));
    stage.genesync(&["apply"]).expect(0);
    let cloud = Cloud::applied(1);
    let dark = json!({"messenger": {"launcherButton": {"visibility": "Off"}}});
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": dark}}));
    cloud.edit(1, json!({"publish": {"configuration": "Website"}}));
    cloud.commit("#222222");
    cloud.apply(&["--draft", "adopt"]).expect(0);
    for status in [stage.genesync(&["status"]), cloud.genesync(&["status"])] {
        let status = status.expect(0).stdout;
        let line = status.lines().find(|line| line.contains("(off)")).unwrap_or_else(|| panic!("{status}"));
        assert!(line.contains("Mara Ionescu"), "{status}");
    }
}

// Guarantee: names-with-proof
#[test]
fn the_earlier_author_is_not_named_for_a_repeated_edit_of_another_user() {
    let stage = adopted("enforce");
    let line = || {
        let status = stage.genesync(&["status"]).expect(0).stdout;
        status.lines().find(|line| line.contains("(off)")).unwrap_or_else(|| panic!("{status}")).to_owned()
    };
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    stage.genesync(&["apply"]).expect(0);
    assert!(line().contains("Mara Ionescu"), "{}", line());
    // Zoe switches it on and off again between two reads, and her audit entries are late.
    stage.control("POST", "settings", &json!({"auditDelayMs": 3_600_000}));
    for enabled in [true, false] {
        let patch = json!({"greetings": {"enabled": enabled}});
        let edit = json!({"organizationId": organization(1), "actor": "Zoe Okafor", "patch": patch});
        stage.control("POST", "edit", &edit);
    }
    stage.genesync(&["apply"]).expect(0);
    assert!(!line().contains("Mara") && line().contains("author not known"), "{}", line());
}

// Guarantee: unmanaged-drift
#[test]
fn an_unmanaged_change_is_set_back_as_drift_and_not_reported_if_ignored() {
    let stage = adopted("enforce, unmanaged: drift");
    stage.edit(1, &json!({"greetings": {"enabled": false}, "futureThing": {"on": true}}));
    let text = stage.genesync(&["plan", "--detailed-exitcode"]).expect(8).stdout;
    assert!(text.contains("drift") && text.contains("Mara Ionescu"), "{text}");
    stage.genesync(&["apply"]).expect(0);
    let live = stage.live(1).1;
    assert_eq!((&live["greetings"]["enabled"], live.get("futureThing")), (&json!(true), None));
    assert_eq!(paths(&plan(&stage), "unmanagedChanges"), Vec::<String>::new());
    // A person can accept it there as well.
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    stage.genesync(&["accept", "acme"]).expect(0);
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(stage.live(1).1["greetings"]["enabled"], false);

    let stage = adopted("enforce, unmanaged: ignore");
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(paths(&plan(&stage), "unmanagedChanges"), Vec::<String>::new());
    assert_eq!(stage.live(1).1["greetings"]["enabled"], false);
}

#[test]
fn a_watched_tenant_is_compared_with_what_it_held_when_it_was_seen_first() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], "  greetings: {enabled: true, messages: [Hello], delayMs: 1}\n"));
    stage.stateless(&["apply"]).expect(0);
    // Git has another value of one field, and the tenant is only watched.
    stage.commit(&one_field("acme", 1, 9, "watch"));
    stage.genesync(&["apply"]).expect(0);
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    stage.genesync(&["apply"]).expect(0);
    let status = stage.genesync(&["status"]).expect(0).stdout;
    assert!(status.contains("greetings.enabled (off)") && status.contains("Mara Ionescu"), "{status}");
    stage.genesync(&["accept", "acme"]).expect(0);
    stage.genesync(&["apply"]).expect(0);
    assert!(!stage.genesync(&["status"]).expect(0).stdout.contains("Changed by other users"));
}

#[test]
fn a_watched_tenant_drifts_by_unmanaged_fields_that_count_as_drift() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], "  greetings: {enabled: true, messages: [Hello], delayMs: 1}\n"));
    stage.stateless(&["apply"]).expect(0);
    // The audit log is late: the baseline of the first read shows the drift.
    stage.control("POST", "settings", &json!({"auditDelayMs": 3_600_000}));
    stage.commit(&one_field("acme", 1, 1, "watch, unmanaged: drift"));
    stage.genesync(&["apply"]).expect(0);
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    let plan = stage.genesync(&["plan", "--detailed-exitcode"]).expect(8).stdout;
    let line = plan.lines().find(|line| line.contains("greetings.enabled")).unwrap();
    assert!(line.contains("drift") && line.contains("off"), "{plan}");
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(stage.status("acme")["status"], "Drifted");
    assert_eq!(stage.live(1).1["greetings"]["enabled"], false);
}

#[test]
fn in_watch_mode_an_ignored_change_becomes_the_baseline() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], "  greetings: {enabled: true, messages: [Hello], delayMs: 1}\n"));
    stage.stateless(&["apply"]).expect(0);
    stage.commit(&one_field("acme", 1, 1, "watch, unmanaged: ignore"));
    stage.genesync(&["apply"]).expect(0);
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    stage.genesync(&["apply"]).expect(0);
    stage.commit(&one_field("acme", 1, 1, "watch"));
    assert_eq!(paths(&plan(&stage), "unmanagedChanges"), Vec::<String>::new());
    stage.edit(1, &json!({"greetings": {"enabled": true}}));
    assert_eq!(paths(&plan(&stage), "unmanagedChanges"), ["greetings.enabled"]);
}

#[test]
fn a_change_of_the_platform_everywhere_is_one_line_without_an_author() {
    let stage = Stage::new();
    let fleet: Vec<_> =
        (1..=3).flat_map(|number| one_field(&format!("t{number}"), number, 1, "enforce")).collect();
    stage.commit(&fleet);
    stage.genesync(&["apply"]).expect(0);
    let release = |number: u32| {
        let body =
            json!({"organizationId": organization(number), "platform": {"newThing": {"shape": "round"}}});
        stage.control("POST", "edit", &body);
    };
    release(1);
    release(2);
    let two = plan(&stage);
    assert_eq!(paths(&two, "unmanagedChanges"), ["newThing.shape", "newThing.shape"]);
    assert!(two["unmanagedChanges"][0].get("by").is_none(), "{two}");
    release(3);
    stage.edit(3, &json!({"greetings": {"enabled": false}}));
    // Before the first write of genesync, any user who edited there may be the author.
    let text = stage.genesync(&["plan"]).expect(0).stdout;
    assert!(text.contains("newThing.shape") && !text.contains("the platform"), "{text}");
    let fourth = one_field("t4", 4, 1, "enforce");
    stage.commit(&fourth);
    stage.genesync(&["apply"]).expect(0);
    release(4);
    let four = plan(&stage);
    assert_eq!(four["platformChanges"][0]["organizations"], 3, "{four}");
    let mut left = paths(&four, "unmanagedChanges");
    left.sort();
    assert_eq!(left, ["greetings.enabled", "newThing.shape"], "{four}");
    // A commit to all tenants does not change that: the platform is still the author.
    let fleet: Vec<_> =
        (1..=4).flat_map(|number| one_field(&format!("t{number}"), number, 2, "enforce")).collect();
    stage.commit(&fleet);
    stage.genesync(&["apply", "--allow", "run-tenants", "--reason", "all of them"]).expect(0);
    assert_eq!(plan(&stage)["platformChanges"][0]["organizations"], 3);
    let status = stage.genesync(&["status"]).expect(0).stdout;
    assert_eq!(status.matches("the platform: newThing.shape").count(), 1, "{status}");
}

#[test]
fn a_switched_off_messenger_is_reported_with_its_publisher() {
    let cloud = Cloud::applied(1);
    let dark = json!({"messenger": {"launcherButton": {"visibility": "Off"}}});
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": dark}}));
    // Visitors do not get a draft.
    let text = cloud.plan().expect(0).stdout;
    assert!(text.contains("unpublished draft of Mara") && !text.contains("Changed by other users"), "{text}");
    cloud.edit(1, json!({"publish": {"configuration": "Website"}}));
    let text = cloud.plan().expect(0).stdout;
    assert!(text.contains("messenger.launcherButton.visibility") && text.contains("(off)"), "{text}");
    assert!(text.contains("published by “Mara Ionescu”"), "{text}");
    cloud.apply(&[]).expect(0);
    let status = cloud.genesync(&["status"]).expect(0).stdout;
    assert!(status.contains("messenger.launcherButton.visibility (off)"), "{status}");
}

// Guarantee: unmanaged-is-reported
#[test]
fn a_controller_reports_an_unmanaged_change() {
    let stage = adopted("enforce");
    stage.configure(&["controller.resync-ms = 300"]);
    let _running = stage.controller();
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    wait_until("it is noticed", || {
        let unmanaged = stage.status("acme")["unmanaged"].to_string();
        unmanaged.contains("greetings.enabled") && unmanaged.contains("Mara Ionescu")
    });
    assert_eq!(stage.status("acme")["status"], "Synced");
    stage.genesync(&["accept", "acme"]).expect(0);
    wait_until("it is no longer reported", || stage.status("acme")["unmanaged"] == json!([]));
    assert_eq!(stage.live(1).1["greetings"]["enabled"], false);
}
