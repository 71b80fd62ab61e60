//! Edits of people on the platform's own screens: deployments that they point elsewhere, and a tenant that
//! genesync only watches.

use serde_json::{Value, json};

use super::{Cloud, MARA, files, served};
use crate::support::wait_until;

fn repoint(cloud: &Cloud, version: &str) {
    cloud.edit(1, json!({"deployment": {"deployment": "Shop", "version": version}}));
}

#[test]
fn a_moved_pin_is_set_back_if_it_serves_other_values() {
    let cloud = Cloud::applied(1);
    cloud.commit("#222222");
    cloud.apply(&[]).expect(0);
    // To an older version with other values.
    repoint(&cloud, "1");
    let plan = cloud.plan().expect(0);
    assert!(
        plan.stdout.contains("configuration.version") && plan.stdout.contains("drift"),
        "{}",
        plan.stdout
    );
    assert!(plan.stdout.contains(MARA), "{}", plan.stdout);
    let mark = cloud.mark();
    let ran = cloud.apply(&[]).expect(0);
    assert!(ran.stderr.contains(MARA) && ran.stderr.contains("configuration.version"), "{}", ran.stderr);
    assert_eq!((cloud.writes(1, mark), cloud.served(1)), (vec!["pin".to_owned()], served(2, "#222222")));
    cloud.is_at_rest();

    // To a newer version of Mara's that holds what git says and more: no drift.
    let banner = json!({"description": "Sale!"});
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": banner}, "publish": {"configuration": "Website"}}));
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!(
        (cloud.writes(1, mark), cloud.served(1)),
        (vec![], served(2, "#222222")),
        "newest is not taken"
    );
    repoint(&cloud, "3");
    cloud.apply(&[]).expect(0);
    assert_eq!((cloud.writes(1, mark), cloud.served(1)), (vec![], served(3, "#222222")));
    assert_eq!(cloud.version(1, 3)["description"], "Sale!");
    cloud.is_at_rest();

    // Another colour of Mara's, published and pinned: git names no version, so that there is no drift of the
    // pin.
    let colour = json!({"messenger": {"styles": {"primaryColor": "#990000"}}});
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": colour}, "publish": {"configuration": "Website"}, "deployment": {"deployment": "Shop", "version": "newest"}}));
    let planned = cloud.plan().expect(0).stdout;
    assert!(planned.contains("2 drift, 0 conflicts"), "{planned}");
    let applied = cloud.apply(&[]).expect(0).stdout;
    assert!(applied.contains("pins 4 -> 5") && applied.contains("READ BACK AFTER"), "{applied}");
    cloud.is_at_rest();

    // To a version that no longer exists: the newest equals git.
    cloud
        .edit(1, json!({"deployment": {"deployment": "Shop", "patch": {"configuration": {"version": "9"}}}}));
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!((cloud.writes(1, mark), cloud.served(1)), (vec!["pin".to_owned()], served(5, "#222222")));
    cloud.is_at_rest();
}

/// Mara renames our deployment and gives its name to a copy.
fn swap_deployment(cloud: &Cloud) {
    let mut copy = cloud.state(1)["deployments"][0].clone();
    let rename = json!({"deployment": {"deployment": "Shop", "patch": {"name": "Shop of before"}}});
    cloud.edit(1, rename);
    for read_only in ["id", "dateCreated", "dateModified", "lastModifiedUser", "selfUri", "snippet", "status"]
    {
        copy.as_object_mut().unwrap().shift_remove(read_only);
    }
    cloud.edit(1, json!({"create": {"deployment": copy}}));
}

#[test]
fn a_copy_that_took_the_name_of_ours_is_not_taken_for_it() {
    for (colour, changes) in [("#111111", "0 of 1 tenant changes"), ("#222222", "primaryColor")] {
        let cloud = Cloud::applied(1);
        let ours = cloud.state(1)["deployments"][0]["id"].clone();
        swap_deployment(&cloud);
        cloud.commit(colour);
        let mark = cloud.mark();
        let plan = cloud.plan().expect(5);
        let ran = cloud.apply(&[]).expect(5);
        let reported = format!("genesync applied the id {}. ", ours.as_str().unwrap());
        for output in [&plan.stdout, &ran.stdout] {
            assert!(output.contains(&reported) && output.contains("recreate"), "{output}");
        }
        assert!(plan.stdout.contains(changes), "{}", plan.stdout);
        assert_eq!((cloud.writes(1, mark), cloud.counts(1)), (vec![], (1, 1, 2)));
        // Reported, not forgotten: neither run took the other deployment for ours.
        cloud.apply(&[]).expect(5);
        cloud.apply(&["--allow", "recreate", "--reason", "the new one is on the page"]).expect(0);
        let deployments = cloud.state(1)["deployments"].clone();
        let copy = deployments.as_array().unwrap().iter().find(|known| known["name"] == "Shop").unwrap();
        let (written, version) = if colour == "#111111" { (0, "1") } else { (3, "2") };
        assert_eq!(
            (cloud.writes(1, mark).len(), &copy["configuration"]["version"]),
            (written, &json!(version))
        );
        cloud.is_at_rest();
    }
}

#[test]
fn what_another_user_switched_off_or_deleted_is_reported_and_made_again_only_when_asked_for() {
    let cloud = Cloud::applied(1);
    cloud.edit(1, json!({"deployment": {"deployment": "Shop", "patch": {"allowAllDomains": false}}}));
    let mark = cloud.mark();
    let ran = cloud.apply(&[]).expect(0);
    assert!(ran.stderr.contains(MARA) && ran.stderr.contains("allowAllDomains"), "{}", ran.stderr);
    assert_eq!(cloud.state(1)["deployments"][0]["allowAllDomains"], true);
    assert_eq!(cloud.writes(1, mark), ["pin"]);

    cloud.edit(1, json!({"delete": {"deployment": "Shop"}}));
    let mark = cloud.mark();
    let ran = cloud.apply(&[]).expect(5);
    assert!(
        ran.stdout.contains("recreate")
            && ran.stdout.contains("another user deleted or renamed MessengerDeployment"),
        "{}",
        ran.stdout
    );
    assert_eq!((cloud.writes(1, mark), cloud.counts(1)), (vec![], (1, 1, 0)));
    cloud.apply(&["--allow", "recreate", "--reason", "by mistake"]).expect(0);
    assert_eq!((cloud.writes(1, mark), cloud.counts(1)), (vec!["deploy".to_owned()], (1, 1, 1)));
    assert_eq!(cloud.served(1), served(1, "#111111"));
    cloud.is_at_rest();
}

#[test]
fn an_object_that_another_user_renamed_or_copied_is_not_taken_for_another_and_not_made_again() {
    let cloud = Cloud::applied(1);
    let name = |name: &str| json!({"draft": {"configuration": "Website", "patch": {"name": name}}});
    let id = cloud.state(1)["configurations"][0]["id"].clone();
    cloud.edit(1, json!({"create": {"configuration": {"name": "Website (copy)", "languages": ["en-us"]}}}));
    cloud.is_at_rest();
    cloud.edit(1, name("Campaign"));
    cloud.commit("#222222");
    let mark = cloud.mark();
    let ran = cloud.apply(&[]).expect(5);
    assert!(ran.stdout.contains("recreate") && ran.stdout.contains("`Website`"), "{}", ran.stdout);
    assert_eq!((cloud.writes(1, mark), cloud.counts(1)), (vec![], (2, 1, 1)));
    // An object that took its name is not taken for it either.
    cloud.edit(1, json!({"create": {"configuration": {"name": "Website", "languages": ["en-us"]}}}));
    let ran = cloud.apply(&[]).expect(5);
    let reported = format!("genesync applied the id {}. ", id.as_str().unwrap());
    assert!(ran.stdout.contains(&reported), "{}", ran.stdout);
    assert_eq!((cloud.writes(1, mark), cloud.counts(1)), (vec![], (3, 1, 1)));
    cloud.edit(1, json!({"delete": {"configuration": "Website"}}));
    // git finds it again by its current name, with its versions.
    cloud.edit(1, json!({"draft": {"configuration": id, "patch": {"name": "Website"}}}));
    cloud.apply(&["--draft", "discard"]).expect(0);
    assert_eq!((cloud.counts(1), cloud.served(1)), ((2, 2, 1), served(2, "#222222")));
}

#[test]
fn a_watched_tenant_reports_who_published_and_pinned_and_is_not_written() {
    let cloud = Cloud::applied(1);
    cloud.configure(&["controller.resync-ms = 300"]);
    let watched = files(1, "#111111", &[]).into_iter();
    let watched: Vec<_> = watched.map(|(path, text)| (path, text.replace("enforce", "watch"))).collect();
    cloud.stage.commit(&watched);
    let running = cloud.controller();
    cloud.stage.wait_for(&["acme"], "Synced");
    let mark = cloud.mark();
    let patch = json!({"messenger": {"styles": {"primaryColor": "#990000"}}});
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": patch}, "publish": {"configuration": "Website"}}));
    repoint(&cloud, "newest");
    cloud.stage.wait_for(&["acme"], "Drifted");
    let status = cloud.genesync(&["status"]).expect(0).stdout;
    assert!(status.contains(&format!("{MARA} published ")), "{status}");
    wait_until("history shows it", || {
        cloud.genesync(&["history", "acme"]).expect(0).stdout.contains("configuration.version")
    });
    let history = cloud.genesync(&["history", "acme"]).expect(0).stdout;
    let reported = |part: &str| {
        history.lines().any(|line| line.contains(" drift ") && line.contains(part) && line.contains(MARA))
    };
    assert!(reported("messenger.styles.primaryColor: \"#111111\" in git, \"#990000\" live"), "{history}");
    assert!(reported("configuration.version"), "{history}");
    assert!(cloud.stage.status("acme")["driftedAt"].is_string());
    assert_eq!(running.stop().0, 0);
    assert_eq!((cloud.writes(1, mark), cloud.served(1)), (vec![], served(2, "#990000")));
    // One pass reports the same.
    let ran = cloud.genesync(&["run", "--once", "--format", "json"]);
    assert_eq!(ran.json()["tenants"][0]["status"], "Drifted");
    // If git wins, everything is set back.
    cloud.commit("#111111");
    cloud.configure(&[]);
    let ran = cloud.apply(&[]).expect(0);
    assert!(ran.stderr.contains(MARA), "{}", ran.stderr);
    assert_eq!(cloud.served(1).1, Value::from("#111111"));
    cloud.is_at_rest();
}

#[test]
fn a_controller_sets_back_what_another_user_pointed_elsewhere() {
    let cloud = Cloud::applied(1);
    cloud.commit("#222222");
    cloud.apply(&[]).expect(0);
    cloud.configure(&["controller.resync-ms = 300"]);
    let running = cloud.controller();
    cloud.stage.wait_for(&["acme"], "Synced");
    let mark = cloud.mark();
    repoint(&cloud, "1");
    wait_until("it is set back", || cloud.served(1) == served(2, "#222222"));
    cloud.stage.wait_for(&["acme"], "Synced");
    assert_eq!(running.stop().0, 0);
    assert_eq!(cloud.writes(1, mark), ["pin"]);
}

#[test]
fn a_draft_under_another_name_is_the_same_configuration() {
    let cloud = Cloud::applied(1);
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": {"name": "Web shop"}}}));
    // Git takes over the new name: what is published still has the old one.
    let renamed: Vec<(String, String)> = files(1, "#111111", &[])
        .into_iter()
        .map(|(path, text)| (path, text.replace("Website", "Web shop")))
        .collect();
    cloud.stage.commit(&renamed);
    let planned = cloud.plan();
    assert!(!planned.stdout.contains("(absent)"), "{}", planned.stdout);
}

/// Ben edits the draft, Ana publishes it, and the log shows neither entry yet.
#[test]
fn who_published_is_reported_and_not_who_drafted() {
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
    for (permissions, reported) in [
        ([&all[..], &["directory:user:view"]].concat(), "published by Ana, "),
        (all.to_vec(), "(name not readable), "),
    ] {
        let cloud = Cloud::seeded(1, |world| world["clients"][0]["permissions"] = json!(permissions));
        cloud.commit("#111111");
        cloud.apply(&[]).expect(0);
        cloud.settings(json!({"auditDelayMs": 3_600_000}));
        let by = |actor: &str, edit: Value| {
            let mut edit = edit;
            edit["actor"] = json!(actor);
            cloud.edit(1, edit);
        };
        let patch = json!({"messenger": {"styles": {"primaryColor": "#990000"}}});
        by("Ben", json!({"draft": {"configuration": "Website", "patch": patch}}));
        by("Ana", json!({"publish": {"configuration": "Website"}}));
        let plan = cloud.genesync(&["plan"]).stdout;
        let line = plan.lines().find(|line| line.contains("messenger.styles.primaryColor")).unwrap();
        assert!(line.contains("published by ") && line.contains(reported) && !line.contains("Ben"), "{plan}");
    }
}

/// An unpublished draft is listed, and changes nothing of a plan.
#[test]
fn an_unfinished_draft_is_listed_with_its_author() {
    let cloud = Cloud::applied(1);
    let before = cloud.genesync(&["plan", "--format", "json"]).expect(0).json();
    let patch = json!({"messenger": {"homeScreen": {"enabled": false}}});
    cloud.edit(1, json!({"actor": "Ben", "draft": {"configuration": "Website", "patch": patch}}));
    let plan = cloud.genesync(&["plan", "--detailed-exitcode"]).expect(0).stdout;
    assert!(
        plan.contains("unpublished draft of Ben, ") && plan.contains("messenger.homeScreen.enabled"),
        "{plan}"
    );
    assert!(plan.contains("No changes"), "{plan}");
    let after = cloud.genesync(&["plan", "--format", "json"]).expect(0).json();
    assert_eq!(before["digest"], after["digest"]);
    let reported = |at: usize| after["tenants"][0]["targets"][at]["unfinished"]["by"].clone();
    assert!([reported(0), reported(1)].contains(&json!("Ben")), "{after:#}");
}
