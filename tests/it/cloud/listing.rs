//! Listings that are long, broken or empty: genesync does not believe that an object is gone because it is
//! not in one of them.

use serde_json::{Value, json};

use super::{Cloud, each, files, served};

const CONFIGURATIONS: &str = "/api/v2/webdeployments/configurations";

/// Returns an organization with many configurations and deployments of other users, on pages of two.
fn crowded() -> Cloud {
    let cloud = Cloud::seeded(1, |world| {
        let names = |prefix: &str| -> Vec<Value> {
            (1..=7).map(|n| json!({"name": format!("{prefix} {n}"), "versions": [{}]})).collect()
        };
        let deployments = (1..=7).map(|n| {
            json!({"name": format!("Site {n}"), "configuration": {"name": "Other 1", "version": "1"}, "allowAllDomains": true})
        });
        let flows: Vec<Value> = (1..=7).map(|n| json!({"name": format!("Inbound {n}")})).collect();
        let organization = &mut world["organizations"][0]["cloud"];
        organization["configurations"] = names("Other").into();
        organization["deployments"] = deployments.collect();
        organization["flows"].as_array_mut().unwrap().extend(flows);
    });
    cloud.settings(json!({"pageSizeMax": 2}));
    cloud
}

/// Returns what the deployment that git names serves.
fn shop(cloud: &Cloud) -> Value {
    let state = cloud.state(1);
    let deployments = state["deployments"].as_array().unwrap();
    deployments.iter().find(|known| known["name"] == "Shop").cloned().unwrap_or_default()
}

#[test]
fn listings_of_many_pages_are_read_to_their_end() {
    let cloud = crowded();
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.writes(1, 0), ["create", "publish", "deploy"]);
    assert_eq!(shop(&cloud)["configuration"]["version"], "1");
    cloud.commit("#222222");
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.writes(1, mark), ["draft", "publish", "pin"]);
    assert_eq!(shop(&cloud)["configuration"]["version"], "2");
    assert_eq!((cloud.counts(1).0, cloud.counts(1).2), (8, 8));
    cloud.is_at_rest();
}

#[test]
fn an_incomplete_listing_is_not_used() {
    let deployments = "/api/v2/webdeployments/deployments";
    let expired = json!({"status": 400, "message": "the cursor has expired"});
    let cases = [
        (CONFIGURATIONS, 3, json!({"status": 500}), 7),
        (CONFIGURATIONS, 4, expired.clone(), 4),
        (CONFIGURATIONS, 3, json!({"garbage": true}), 7),
        (deployments, 3, json!({"status": 500}), 7),
        (deployments, 4, expired, 4),
        (deployments, 4, json!({"drop": "before"}), 7),
    ];
    each(&cases, |(path, nth, action, code)| {
        let cloud = crowded();
        let at = json!({"method": "GET", "path": path});
        cloud.fault(json!({"match": at, "nth": nth, "times": 0, "do": action}));
        let ran = cloud.apply(&[]).expect(*code);
        assert!(ran.stdout.contains("Degraded"), "{path} {action}: {}", ran.stdout);
        assert_eq!(cloud.writes(1, 0), Vec::<String>::new(), "{path} {action}");
        assert_eq!(cloud.counts(1).0, 7, "{path} {action}");
        // A single failure does no harm.
        cloud.no_faults();
        cloud.fault(json!({"match": at, "nth": nth, "do": {"status": 500}}));
        cloud.apply(&[]).expect(0);
        assert_eq!(cloud.writes(1, 0), ["create", "publish", "deploy"], "{path}");
    });
}

#[test]
fn an_unreadable_list_of_versions_stops_the_write() {
    let cases = [
        (json!({"status": 500}), 7),
        (json!({"status": 403}), 7),
        (json!({"garbage": true}), 7),
        (json!({"drop": "before"}), 7),
    ];
    each(&cases, |(action, code)| {
        let cloud = Cloud::applied(1);
        cloud.commit("#222222");
        let mark = cloud.mark();
        cloud.fault(json!({"match": {"method": "GET", "path": "**/versions"}, "times": 0, "do": action}));
        let ran = cloud.apply(&[]).expect(*code);
        assert!(ran.stdout.contains("the versions of a configuration"), "{action}: {}", ran.stdout);
        assert_eq!((cloud.writes(1, mark), cloud.served(1)), (vec![], served(1, "#111111")), "{action}");
    });
}

/// Returns how many lists of versions were requested.
fn versions_asked(cloud: &Cloud, since: u64) -> usize {
    let lists = |request: &&Value| request["path"].as_str().unwrap().ends_with("/versions");
    cloud.requests(1, since).iter().filter(lists).count()
}

#[test]
fn versions_are_listed_only_if_the_draft_may_have_changed() {
    let draft = |colour: &str| {
        let patch = json!({"messenger": {"styles": {"primaryColor": colour}}});
        json!({"draft": {"configuration": "Website", "patch": patch}})
    };
    let publish = || json!({"publish": {"configuration": "Website"}});
    let pin = || json!({"deployment": {"deployment": "Shop", "version": "newest"}});
    let other = || json!({"create": {"configuration": {"name": "Other"}}});
    let cases = [
        (vec![], 0),
        (vec![other()], 0),
        // It equals the version before.
        (vec![publish()], 0),
        (vec![publish(), pin()], 1),
        (vec![draft("#333333")], 1),
        (vec![draft("#333333"), publish()], 1),
        (vec![draft("#333333"), publish(), pin()], 1),
        // The draft equals its earlier value, but the published version does not.
        (vec![draft("#333333"), publish(), draft("#111111")], 1),
        (vec![draft("#333333"), publish(), pin(), draft("#111111")], 1),
    ];
    each(&cases, |(edits, asked)| {
        let cloud = Cloud::applied(1);
        for edit in edits {
            cloud.edit(1, edit.clone());
        }
        for colour in ["#111111", "#222222"] {
            cloud.commit(colour);
            let mark = cloud.mark();
            let plan = cloud.plan();
            let asked = if colour == "#111111" { *asked } else { 1 };
            assert_eq!(versions_asked(&cloud, mark), asked, "{edits:?}");
            cloud.move_sightings(1);
            let mark = cloud.mark();
            let again = cloud.plan();
            assert_eq!(versions_asked(&cloud, mark), 1, "{edits:?}");
            assert_eq!((plan.code, plan.stdout), (again.code, again.stdout), "{edits:?}");
            cloud.move_sightings(-1);
        }
        // The commit overwrites what was published meanwhile, if only git changed the field.
        if *asked == 0 || edits.len() == 2 && edits[0] == publish() {
            cloud.apply(&[]).expect(0);
            assert_eq!(cloud.served(1).1, json!("#222222"), "{edits:?}");
        }
    });
}

#[test]
fn pages_that_are_too_large_are_halved() {
    let cloud = crowded();
    cloud.settings(json!({"pageSizeMax": 0}));
    for path in [CONFIGURATIONS, "/api/v2/webdeployments/deployments"] {
        for status in [413, 400] {
            let at = json!({"method": "GET", "path": path});
            cloud.fault(json!({"match": at, "times": 2, "do": {"status": status, "message": "less"}}));
        }
    }
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.writes(1, 0), ["create", "publish", "deploy"]);
}

#[test]
fn an_unexpectedly_empty_listing_creates_nothing() {
    for path in [CONFIGURATIONS, "/api/v2/webdeployments/deployments"] {
        let cloud = Cloud::applied(1);
        cloud.commit("#222222");
        let mark = cloud.mark();
        cloud.fault(json!({"match": {"path": path}, "times": 0, "do": {"empty": true}}));
        let ran = cloud.apply(&[]).expect(5);
        assert!(
            ran.stdout.contains("recreate")
                && ran.stdout.contains("another user deleted or renamed Messenger"),
            "{}",
            ran.stdout
        );
        assert_eq!((cloud.writes(1, mark), cloud.counts(1)), (vec![], (1, 1, 1)), "{path}");
        // The failure passes.
        cloud.no_faults();
        cloud.apply(&[]).expect(0);
        assert_eq!(cloud.served(1), served(2, "#222222"));
    }
    // An empty list of versions does not prove that nothing was published.
    let cloud = Cloud::applied(1);
    cloud.commit("#222222");
    let mark = cloud.mark();
    cloud.fault(json!({"match": {"path": "**/versions"}, "times": 0, "do": {"empty": true}}));
    let ran = cloud.apply(&[]);
    assert_eq!(cloud.writes(1, mark), Vec::<String>::new(), "{}\n{}", ran.stdout, ran.stderr);
    assert_ne!(ran.code, 0);
}

#[test]
fn what_git_refers_to_and_does_not_manage_is_found_on_the_last_page() {
    let cloud = crowded();
    let mut named = files(1, "#111111", &[]);
    named[2].1 =
        named[2].1.replace("name: Website", "name: Other 7").replace("name: Inbound", "name: Inbound 7");
    cloud.stage.commit(&named);
    cloud.apply(&[]).expect(0);
    let shop = shop(&cloud);
    assert_eq!(
        (&shop["configuration"]["name"], &shop["configuration"]["version"], &shop["flow"]["name"]),
        (&json!("Other 7"), &json!("1"), &json!("Inbound 7"))
    );
}
