//! Drafts that somebody left, and people who are quick: before a PUT, before a publication, in between.

use serde_json::{Value, json};

use super::{Cloud, MARA, Served, files, served};

const DRAFT: &str = "/api/v2/webdeployments/configurations/*/versions/draft";
const PUBLISH: &str = "/api/v2/webdeployments/configurations/*/versions/draft/publish";

/// Mara changes the draft: a field that git leaves alone.
fn a_banner() -> Value {
    json!({"draft": {"configuration": "Website", "patch": {"description": "Sale!"}}})
}

/// Mara changes the draft: a field that git manages.
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
fn a_draft_that_somebody_left_is_held_adopted_or_discarded() {
    for (arguments, code, writes, description) in [
        (&[][..], 4, &[][..], Value::Null),
        (&["--draft", "adopt"], 0, &["draft", "publish", "pin"], json!("Sale!")),
        (&["--draft", "discard"], 0, &["draft", "publish", "pin"], Value::Null),
    ] {
        let cloud = Cloud::applied(1);
        cloud.edit(1, a_banner());
        // Nobody's draft is in the way while there is nothing to do.
        cloud.is_at_rest();
        cloud.commit("#222222");
        let mark = cloud.mark();
        let ran = cloud.apply(arguments).expect(code);
        assert_eq!(cloud.writes(1, mark), writes, "{arguments:?}");
        if code == 4 {
            let when = cloud.draft(1)["dateModified"].as_str().unwrap().replace('T', " at ");
            let (when, _) = when.split_once('.').unwrap();
            for told in [
                when,
                "Mara Ionescu left a draft of MessengerConfiguration `Website` unpublished",
                "(description)",
                "with --draft adopt to publish along what git leaves alone, or with --draft discard to write over it",
            ] {
                assert!(ran.stdout.contains(told), "{told}: {}", ran.stdout);
            }
            assert_eq!(cloud.draft(1)["description"], "Sale!");
            assert_eq!((cloud.served(1), cloud.counts(1)), (served(1, "#111111"), (1, 1, 1)));
            let plan = cloud.plan().expect(4);
            assert!(plan.stdout.contains("unpublished"), "{}", plan.stdout);
            continue;
        }
        assert_eq!(cloud.version(1, 2)["description"], description, "{arguments:?}");
        let fate =
            if description.is_null() { "written over: description" } else { "published along: description" };
        let told = format!("draft of Mara Ionescu, {}", jiff::Timestamp::now().strftime("%Y-"));
        let told = ran.stdout.lines().any(|line| line.contains(&told) && line.ends_with(fate));
        assert!(told, "{fate}: {}", ran.stdout);
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
    // Visitors get the first version, which says what git says, all the time.
    assert_eq!(cloud.writes(1, mark), ["draft", "publish"]);
    assert_eq!((cloud.served(1), cloud.counts(1)), (served(1, "#111111"), (1, 3, 1)));
    cloud.is_at_rest();
}

/// What happens, just before the n-th request of which kind, what is written then, the exit code, what is told, and
/// what visitors get.
type Race = (Value, &'static str, &'static str, u64, &'static [&'static str], i32, &'static str, Served);

/// Runs a change in which Mara comes in between, and returns what became of the tenant.
fn race(cloud: &Cloud, (edit, method, path, nth, writes, code, told, visitors): Race) -> Value {
    let what = format!("{edit} before {method} {path}");
    cloud.commit("#222222");
    let mark = cloud.mark();
    cloud.fault(json!({"match": {"method": method, "path": path}, "nth": nth, "do": by_mara(&edit)}));
    // Held with something of ours written, if only a draft, is a part.
    let code = if code == 4 && !writes.is_empty() { 6 } else { code };
    let ran = cloud.apply(&["--format", "json"]).expect(code);
    assert_eq!(cloud.writes(1, mark), writes, "{what}: {}", ran.stderr);
    assert_eq!(cloud.served(1), visitors, "{what}");
    assert!(ran.stdout.contains(told), "{what}: {}", ran.stdout);
    assert_eq!(cloud.open().0, 0, "{what}");
    ran.json()["tenants"][0].clone()
}

#[test]
fn somebody_who_edits_the_draft_in_between_is_told_and_it_is_not_published_unseen() {
    let (stored, refused) = (&["draft"][..], &["draft", "publish 400"][..]);
    let before = || served(1, "#111111");
    let left = "Mara Ionescu left a draft";
    let races: [Race; 4] = [
        // Before the look that comes before the publication.
        (a_banner(), "GET", "**/versions", 2, stored, 4, left, before()),
        (a_colour(), "GET", "**/versions", 2, stored, 4, left, before()),
        // After that look: the platform does not publish what was edited a moment ago, and then it is seen.
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
fn what_somebody_edits_in_the_last_moment_is_told_and_not_pinned() {
    let published = &["draft", "publish"][..];
    let races: [Race; 2] = [
        (a_banner(), "POST", PUBLISH, 1, published, 4, "meanwhile: description", served(1, "#111111")),
        (
            a_colour(),
            "POST",
            PUBLISH,
            1,
            published,
            4,
            "meanwhile: messenger.styles.primaryColor",
            served(1, "#111111"),
        ),
    ];
    for case in races {
        let cloud = Cloud::applied(1);
        cloud.settings(json!({"activeDelayMs": 0}));
        let result = race(&cloud, case);
        assert_eq!(result["status"], "Held");
        assert!(result["reason"].as_str().unwrap().contains("had changed in the draft"), "{result:#}");
        assert_eq!(cloud.counts(1), (1, 2, 1));
    }
}

// Guarantee: faster-is-reported
#[test]
fn what_somebody_edits_right_before_our_write_goes_over_it_is_in_the_result() {
    let pinned = &["draft", "publish", "pin"][..];
    let deployment = json!({"deployment": {"deployment": "Shop", "patch": {"description": "Sale!"}}});
    let races: [Race; 2] = [
        (a_banner(), "PUT", DRAFT, 1, pinned, 0, "Synced", served(2, "#222222")),
        (deployment, "PUT", "**/deployments/*", 1, pinned, 0, "Synced", served(2, "#222222")),
    ];
    for case in races {
        let cloud = Cloud::applied(1);
        let result = race(&cloud, case);
        // No refusal tells us, and no version shows it: the audit log has it.
        let foreign = result["foreign"].as_array().unwrap();
        assert_eq!(foreign.len(), 1, "{result:#}");
        assert_eq!((&foreign[0]["actor"]["name"], &foreign[0]["action"]), (&json!(MARA), &json!("Update")));
        assert!(foreign[0]["changes"].to_string().contains("Sale!"), "{result:#}");
    }
}

#[test]
fn a_version_that_somebody_publishes_in_between_is_told() {
    let publish = json!({"publish": {"configuration": "Website"}});
    let pinned = &["draft", "publish", "pin"][..];
    let over = "went over a change that somebody made meanwhile";
    let races: [Race; 3] = [
        // The draft of before, published once more.
        (publish.clone(), "PUT", DRAFT, 1, pinned, 0, "Synced", served(3, "#222222")),
        // Our own draft, published by her before we do.
        (publish.clone(), "POST", PUBLISH, 1, pinned, 4, over, served(3, "#222222")),
        // After our publication, before the pin: what we published is pinned, and not the newest.
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
fn what_somebody_publishes_and_does_not_serve_is_not_served_by_us_unasked() {
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
fn what_becomes_of_a_draft_is_told_as_far_as_it_came() {
    // The tenant is held for something else: nothing became of it.
    let cloud = Cloud::applied(1);
    cloud.edit(1, a_banner());
    let nowhere = files(1, "#222222", &[]).into_iter();
    let nowhere: Vec<_> = nowhere.map(|(path, text)| (path, text.replace("Inbound", "Nowhere"))).collect();
    cloud.stage.commit(&nowhere);
    let ran = cloud.apply(&["--draft", "discard"]).expect(4);
    assert!(ran.stdout.contains("there is no inbound message flow `Nowhere`"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("written over"), "{}", ran.stdout);
    let planned = cloud.genesync(&["plan", "--draft", "discard"]).expect(4);
    assert!(planned.stdout.contains("written over: description"), "{}", planned.stdout);
    assert_eq!(cloud.draft(1)["description"], "Sale!");
    // It was stored, and could not be published.
    cloud.commit("#222222");
    cloud.configure(&["timing.ready-ms = 200"]);
    cloud.fault(json!({"match": {"path": PUBLISH}, "times": 0, "do": {"status": 503}}));
    let ran = cloud.apply(&["--draft", "discard"]).expect(6);
    assert!(ran.stdout.contains("written over: description"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("published along"), "{}", ran.stdout);
}
