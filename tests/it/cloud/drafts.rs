//! Drafts that another user left, and edits of another user before a PUT, before a publication, and in
//! between.

use serde_json::{Value, json};

use super::{Cloud, MARA, Served, files, served};

const DRAFT: &str = "/api/v2/webdeployments/configurations/*/versions/draft";
const PUBLISH: &str = "/api/v2/webdeployments/configurations/*/versions/draft/publish";

/// Mara changes a field of the draft that git does not name.
fn a_banner() -> Value {
    json!({"draft": {"configuration": "Website", "patch": {"description": "Sale!"}}})
}

/// Mara changes a field of the draft that git manages.
fn a_colour() -> Value {
    json!({"draft": {"configuration": "Website", "patch": {"messenger": {"styles": {"primaryColor": "#990000"}}}}})
}

fn by_mara(edit: &Value) -> Value {
    let mut edit = edit.clone();
    edit["actor"] = json!(MARA);
    json!({ "edit": edit })
}

// Guarantee: drafts-of-others
#[test]
fn a_draft_that_another_user_left_is_held_adopted_or_discarded() {
    for (arguments, code, writes, description) in [
        (&[][..], 4, &[][..], Value::Null),
        (&["--draft", "adopt"], 0, &["draft", "publish", "pin"], json!("Sale!")),
        (&["--draft", "discard"], 0, &["draft", "publish", "pin"], Value::Null),
    ] {
        let cloud = Cloud::applied(1);
        cloud.edit(1, a_banner());
        // A draft does not matter while there is nothing to write.
        cloud.is_at_rest();
        cloud.commit("#222222");
        let mark = cloud.mark();
        let ran = cloud.apply(arguments).expect(code);
        assert_eq!(cloud.writes(1, mark), writes, "{arguments:?}");
        if code == 4 {
            let when = cloud.draft(1)["dateModified"].as_str().unwrap().replace('T', " at ");
            let (when, _) = when.split_once('.').unwrap();
            for reported in [
                when,
                "Mara Ionescu left a draft of MessengerConfiguration `Website` unpublished",
                "(description)",
                "with --draft adopt to also publish the fields that git does not manage, or with --draft discard to overwrite it",
            ] {
                assert!(ran.stdout.contains(reported), "{reported}: {}", ran.stdout);
            }
            assert_eq!(cloud.draft(1)["description"], "Sale!");
            assert_eq!((cloud.served(1), cloud.counts(1)), (served(1, "#111111"), (1, 1, 1)));
            let plan = cloud.plan().expect(4);
            assert!(plan.stdout.contains("unpublished"), "{}", plan.stdout);
            continue;
        }
        assert_eq!(cloud.version(1, 2)["description"], description, "{arguments:?}");
        let fate =
            if description.is_null() { "overwritten: description" } else { "also published: description" };
        let reported = format!("draft of Mara Ionescu, {}", jiff::Timestamp::now().strftime("%Y-"));
        let reported = ran.stdout.lines().any(|line| line.contains(&reported) && line.ends_with(fate));
        assert!(reported, "{fate}: {}", ran.stdout);
        let over = cloud.genesync(&["history", "acme", "--overwritten"]).expect(0).stdout;
        let lost = over.lines().any(|line| {
            ["MessengerConfiguration `Website`", "  description  ", "\"Sale!\"", "(absent)"]
                .iter()
                .all(|part| line.contains(part))
        });
        assert_eq!(lost, description.is_null(), "{over}");
        let over = cloud.genesync(&["history", "acme", "--overwritten", "--format", "json"]).expect(0).json();
        let mut writes = over["overwritten"].as_array().unwrap().iter();
        let draft = writes.find(|write| write["object"]["kind"] == "MessengerConfiguration").unwrap();
        assert_eq!(draft["before"]["description"], "Sale!", "{over:#}");
        assert_eq!((cloud.served(1), cloud.counts(1)), (served(2, "#222222"), (1, 2, 1)));
        cloud.is_at_rest();
    }
}

#[test]
fn a_draft_that_says_what_git_says_is_published_as_it_is() {
    let cloud = Cloud::applied(1);
    cloud.edit(1, a_colour());
    cloud.commit("#990000");
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.writes(1, mark), ["publish", "pin"]);
    assert_eq!(cloud.served(1), served(2, "#990000"));
    cloud.is_at_rest();
}

#[test]
fn a_draft_that_is_published_between_two_runs_is_drift_and_git_wins() {
    let cloud = Cloud::applied(1);
    let mut edit = a_colour();
    edit["publish"] = json!({"configuration": "Website"});
    cloud.edit(1, edit);
    let mark = cloud.mark();
    let ran = cloud.apply(&[]).expect(0);
    assert!(
        ran.stderr.contains("in fields that git manages: messenger.styles.primaryColor"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains(MARA), "{}", ran.stderr);
    // Visitors get the first version, which equals git, all the time.
    assert_eq!(cloud.writes(1, mark), ["draft", "publish"]);
    assert_eq!((cloud.served(1), cloud.counts(1)), (served(1, "#111111"), (1, 3, 1)));
    cloud.is_at_rest();
}

/// The edit, the request before which it happens (method, path, number), the expected writes, the exit code,
/// the report, and what visitors get.
type Race = (Value, &'static str, &'static str, u64, &'static [&'static str], i32, &'static str, Served);

/// Runs a change during which Mara edits, and returns the result of the tenant.
fn race(cloud: &Cloud, (edit, method, path, nth, writes, code, reported, visitors): Race) -> Value {
    let what = format!("{edit} before {method} {path}");
    cloud.commit("#222222");
    let mark = cloud.mark();
    cloud.fault(json!({"match": {"method": method, "path": path}, "nth": nth, "do": by_mara(&edit)}));
    // A hold after a write of ours, even of a draft only, is a partial result.
    let code = if code == 4 && !writes.is_empty() { 6 } else { code };
    let ran = cloud.apply(&["--format", "json"]).expect(code);
    assert_eq!(cloud.writes(1, mark), writes, "{what}: {}", ran.stderr);
    assert_eq!(cloud.served(1), visitors, "{what}");
    assert!(ran.stdout.contains(reported), "{what}: {}", ran.stdout);
    assert_eq!(cloud.open().0, 0, "{what}");
    ran.json()["tenants"][0].clone()
}

#[test]
fn an_edit_of_the_draft_in_between_is_reported_and_not_published_unseen() {
    let (stored, refused) = (&["draft"][..], &["draft", "publish 400"][..]);
    let before = || served(1, "#111111");
    let left = "Mara Ionescu left a draft";
    let races: [Race; 4] = [
        // Before the read that precedes the publication.
        (a_banner(), "GET", "**/versions", 2, stored, 4, left, before()),
        (a_colour(), "GET", "**/versions", 2, stored, 4, left, before()),
        // After that read: the platform does not publish a draft that was edited a moment ago, and then
        // genesync sees the edit.
        (
            a_banner(),
            "POST",
            PUBLISH,
            1,
            refused,
            4,
            "(description, messenger.styles.primaryColor)",
            before(),
        ),
        (a_colour(), "POST", PUBLISH, 1, refused, 4, left, before()),
    ];
    for case in races {
        let cloud = Cloud::applied(1);
        let result = race(&cloud, case);
        assert_eq!(result["status"], "Held");
        assert_eq!(cloud.counts(1), (1, 1, 1));
    }
}

#[test]
fn what_another_user_edits_in_the_last_moment_is_reported_and_not_pinned() {
    let published = &["draft", "publish"][..];
    let races: [Race; 2] = [
        (
            a_banner(),
            "POST",
            PUBLISH,
            1,
            published,
            4,
            "made to the draft after the read: description",
            served(1, "#111111"),
        ),
        (
            a_colour(),
            "POST",
            PUBLISH,
            1,
            published,
            4,
            "made to the draft after the read: messenger.styles.primaryColor",
            served(1, "#111111"),
        ),
    ];
    for case in races {
        let cloud = Cloud::applied(1);
        cloud.settings(json!({"activeDelayMs": 0}));
        let result = race(&cloud, case);
        assert_eq!(result["status"], "Held");
        assert!(
            result["reason"].as_str().unwrap().contains("changes that another user made to the draft"),
            "{result:#}"
        );
        assert_eq!(cloud.counts(1), (1, 2, 1));
    }
}

// Guarantee: faster-is-reported
#[test]
fn an_edit_that_our_write_overwrites_is_reported_in_the_result() {
    let pinned = &["draft", "publish", "pin"][..];
    let deployment = json!({"deployment": {"deployment": "Shop", "patch": {"description": "Sale!"}}});
    let races: [Race; 2] = [
        (a_banner(), "PUT", DRAFT, 1, pinned, 0, "Synced", served(2, "#222222")),
        (deployment, "PUT", "**/deployments/*", 1, pinned, 0, "Synced", served(2, "#222222")),
    ];
    for case in races {
        let cloud = Cloud::applied(1);
        let result = race(&cloud, case);
        // No refusal and no version shows it: the audit log does.
        let foreign = result["foreign"].as_array().unwrap();
        assert_eq!(foreign.len(), 1, "{result:#}");
        assert_eq!((&foreign[0]["actor"]["name"], &foreign[0]["action"]), (&json!(MARA), &json!("Update")));
        assert!(foreign[0]["changes"].to_string().contains("Sale!"), "{result:#}");
    }
}

#[test]
fn a_version_that_another_user_publishes_in_between_is_reported() {
    let publish = json!({"publish": {"configuration": "Website"}});
    let pinned = &["draft", "publish", "pin"][..];
    let over = "overwrote a change of another user";
    let races: [Race; 3] = [
        // The earlier draft, published once more.
        (publish.clone(), "PUT", DRAFT, 1, pinned, 0, "Synced", served(3, "#222222")),
        // Our own draft, published by her before we do.
        (publish.clone(), "POST", PUBLISH, 1, pinned, 4, over, served(3, "#222222")),
        // After our publication and before the pin: genesync pins the version that it published, not the
        // newest one.
        (publish, "PUT", "**/deployments/*", 1, pinned, 0, "Synced", served(2, "#222222")),
    ];
    for case in races {
        let cloud = Cloud::applied(1);
        let result = race(&cloud, case);
        let last = result["foreign"].as_array().unwrap().last().cloned().unwrap_or_default();
        assert_eq!(
            (&last["actor"]["name"], &last["action"]),
            (&json!(MARA), &json!("Publish")),
            "{result:#}"
        );
        assert_eq!(cloud.counts(1), (1, 3, 1));
        cloud.is_at_rest();
    }
}

#[test]
fn an_unpinned_version_of_another_user_is_not_pinned_without_a_decision() {
    let mut edit = a_banner();
    edit["publish"] = json!({"configuration": "Website"});
    let (published, stored) = (&[][..], &["draft"][..]);
    for (between, writes) in [(false, published), (true, stored)] {
        let cloud = Cloud::applied(1);
        let result = if between {
            race(
                &cloud,
                (edit.clone(), "PUT", DRAFT, 1, writes, 4, "no visitor has seen", served(1, "#111111")),
            )
        } else {
            cloud.edit(1, edit.clone());
            cloud.is_at_rest();
            cloud.commit("#222222");
            let mark = cloud.mark();
            let ran = cloud.apply(&["--format", "json"]).expect(4);
            assert_eq!(cloud.writes(1, mark), writes);
            assert!(ran.stdout.contains("no visitor has seen"), "{}", ran.stdout);
            assert_eq!(cloud.served(1), served(1, "#111111"));
            ran.json()["tenants"][0].clone()
        };
        assert_eq!(result["status"], "Held", "{result:#}");
        cloud.apply(&["--draft", "adopt"]).expect(0);
        let (version, _) = cloud.served(1);
        assert_eq!(cloud.version(1, version.parse().unwrap())["description"], "Sale!");
        assert_eq!(cloud.served(1).1, "#222222");
        cloud.is_at_rest();
    }
}

#[test]
fn the_result_of_a_draft_is_reported_as_far_as_it_came() {
    // The tenant is held for another reason: no draft was published.
    let cloud = Cloud::applied(1);
    cloud.edit(1, a_banner());
    let nowhere = files(1, "#222222", &[]).into_iter();
    let nowhere: Vec<_> = nowhere.map(|(path, text)| (path, text.replace("Inbound", "Nowhere"))).collect();
    cloud.stage.commit(&nowhere);
    let ran = cloud.apply(&["--draft", "discard"]).expect(4);
    assert!(ran.stdout.contains("there is no inbound message flow `Nowhere`"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("overwritten"), "{}", ran.stdout);
    let planned = cloud.genesync(&["plan", "--draft", "discard"]).expect(4);
    assert!(planned.stdout.contains("overwritten: description"), "{}", planned.stdout);
    assert_eq!(cloud.draft(1)["description"], "Sale!");
    // The draft was stored, but could not be published.
    cloud.commit("#222222");
    cloud.configure(&["timing.ready-ms = 200"]);
    cloud.fault(json!({"match": {"path": PUBLISH}, "times": 0, "do": {"status": 503}}));
    let ran = cloud.apply(&["--draft", "discard"]).expect(6);
    assert!(ran.stdout.contains("overwritten: description"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("also published"), "{}", ran.stdout);
}
