//! Plans that a person reviewed: genesync writes what the person saw, object by object.

use serde_json::{Value, json};

use crate::cloud::{Cloud, MARA, served};
use crate::support::{Stage, delay, tenant};

/// Two tenants in sync, one of them with a replica, and a commit that changes both.
fn with_a_plan() -> (Stage, Value) {
    let both = |ms| [tenant("acme", &[1, 2], &delay(ms)), tenant("zeta", &[3], &delay(ms))];
    let stage = Stage::applied(&both(1));
    stage.commit(&both(2).concat());
    stage.genesync(&["plan", "--rev", "HEAD", "--out", "../plan.json", "--out", "../plan.md"]).expect(0);
    let plan = std::fs::read_to_string(stage.path("plan.json")).unwrap();
    assert_eq!(plan.lines().count(), 1, "canonical JSON is one line");
    assert!(std::fs::read_to_string(stage.path("plan.md")).unwrap().contains("2 of 2 tenants change"));
    let plan = serde_json::from_str(&plan).unwrap();
    (stage, plan)
}

fn delay_of(stage: &Stage, number: u32) -> Value {
    stage.live(number).1["greetings"]["delayMs"].clone()
}

#[test]
fn a_reviewed_plan_is_applied_after_later_commits() {
    let (stage, plan) = with_a_plan();
    // The person did not review a later commit.
    stage.commit(&tenant("acme", &[1, 2], &delay(3)));
    let digest = plan["digest"].as_str().unwrap();
    let apply = ["apply", "--plan", "../plan.json", "--approve", digest];
    let ran = stage.genesync(&apply).expect(0);
    assert!(ran.stdout.contains("2 of 2 tenants Synced"), "{}", ran.stdout);
    assert_eq!([1, 2, 3].map(|number| delay_of(&stage, number)), [json!(2), json!(2), json!(2)]);
    // The second time there is nothing to do: the live configuration equals the plan.
    let mark = stage.mark();
    stage.genesync(&apply).expect(0);
    assert_eq!(stage.writes(mark), []);
}

#[test]
fn only_what_changed_since_the_review_is_skipped_and_its_author_is_reported() {
    let (stage, _) = with_a_plan();
    // A field that git manages, and one that it does not: the reviewer saw neither edit.
    for (patch, said) in [
        (json!({"greetings": {"delayMs": 777}}), "greetings.delayMs was 1 and is 777"),
        (json!({"features": {"dynamicRouting": false}}), "an unmanaged field changed"),
    ] {
        let (stage, _) = with_a_plan();
        stage.edit(3, &patch);
        let ran = stage.genesync(&["apply", "--plan", "../plan.json", "--format", "json"]).expect(6);
        let result = ran.json();
        assert_eq!(result["tenants"][0]["status"], "Synced");
        assert_eq!(result["tenants"][1]["status"], "Held");
        let reason = result["tenants"][1]["reason"].as_str().unwrap();
        for part in
            ["not as reviewed, and left as it is", said, "version 1 -> 2", "last changed by Mara Ionescu"]
        {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        assert_eq!([1, 2].map(|number| delay_of(&stage, number)), [json!(2), json!(2)]);
        assert_ne!(delay_of(&stage, 3), json!(2));
    }
    // A replica that changed is left out, and its primary is applied. If the primary changed, its copies
    // wait.
    stage.edit(2, &json!({"greetings": {"delayMs": 5}}));
    stage.genesync(&["apply", "--plan", "../plan.json"]).expect(6);
    assert_eq!([1, 2, 3].map(|number| delay_of(&stage, number)), [json!(2), json!(5), json!(2)]);
    let (stage, _) = with_a_plan();
    stage.edit(1, &json!({"greetings": {"delayMs": 5}}));
    let ran = stage.genesync(&["apply", "--plan", "../plan.json"]).expect(6);
    assert!(ran.stdout.contains("which is not as reviewed"), "{}", ran.stdout);
    assert_eq!([1, 2, 3].map(|number| delay_of(&stage, number)), [json!(5), json!(1), json!(2)]);
}

#[test]
fn an_edit_that_is_faster_than_the_write_is_not_overwritten_unseen() {
    let (stage, _) = with_a_plan();
    stage.fault(
        3,
        "PUT",
        &json!({"edit": {"actor": "Mara Ionescu", "patch": {"greetings": {"delayMs": 9}}}}),
    );
    let ran = stage.genesync(&["apply", "--plan", "../plan.json"]).expect(6);
    assert!(ran.stdout.contains("greetings.delayMs was 1 and is 9"), "{}", ran.stdout);
    assert_eq!([1, 2, 3].map(|number| delay_of(&stage, number)), [json!(2), json!(2), json!(9)]);
}

#[test]
fn a_plan_that_was_changed_has_expired_or_was_not_approved_writes_nothing() {
    let (stage, plan) = with_a_plan();
    let mark = stage.mark();
    let write = |plan: &Value| std::fs::write(stage.path("plan.json"), plan.to_string()).unwrap();
    let refused = |code: i32, said: &str| {
        let ran = stage.genesync(&["apply", "--plan", "../plan.json"]).expect(code);
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    };
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut plan = plan.clone();
        change(&mut plan);
        plan
    };
    write(&changed(&|plan| plan["tenants"][1]["targets"][0]["digest"] = "sha256:0".into()));
    refused(5, "was changed after it was made");
    write(&changed(&|plan| plan["revision"] = "0123456789012345678901234567890123456789".into()));
    refused(5, "was changed after it was made");
    // A tenant that the person did not review, and a tenant that occurs twice.
    write(&changed(&|plan| {
        let mut more = plan["tenants"][1].clone();
        (more["tenant"], more["digest"]) = ("zulu".into(), Value::Null);
        plan["tenants"].as_array_mut().unwrap().push(more);
    }));
    refused(5, "was changed after it was made");
    write(&changed(&|plan| {
        let again = plan["tenants"][1].clone();
        plan["tenants"].as_array_mut().unwrap().push(again);
    }));
    refused(5, "was changed after it was made");
    write(&changed(&|plan| plan["tenants"][1]["state"] = "failed".into()));
    refused(5, "was changed after it was made");
    write(&changed(&|plan| plan["expiresAt"] = "2020-01-01T00:00:00Z".into()));
    refused(5, "expired at 2020-01-01 00:00:00 UTC");
    write(&changed(&|plan| plan["format"] = "genesync/plan/v9".into()));
    refused(2, "its format is `genesync/plan/v9`");
    std::fs::write(stage.path("plan.json"), "{").unwrap();
    refused(2, "cannot read the plan");
    write(&plan);
    let ran = stage.genesync(&["apply", "--plan", "../plan.json", "--approve", "sha256:other"]).expect(5);
    assert!(ran.stderr.contains("the approved digest is sha256:other"), "{}", ran.stderr);
    stage.genesync(&["apply", "--plan", "../plan.json", "--tenant", "acme"]).expect(2);
    // A plan from files has no commit that could be applied.
    stage.genesync(&["plan", "--out", "../plan.json"]).expect(0);
    refused(2, "was made from files, not from a commit");
    assert_eq!(stage.writes(mark), []);
}

#[test]
fn a_deployment_does_not_pin_unreviewed_edits() {
    // Stored, published and pinned: the run's own writes change its later plans.
    let cloud = Cloud::applied(1);
    let plan = |colour: &str| {
        cloud.commit(colour);
        cloud.genesync(&["plan", "--rev", "HEAD", "--out", "../plan.json"]).expect(0);
    };
    plan("#222222");
    cloud.genesync(&["apply", "--plan", "../plan.json"]).expect(0);
    assert_eq!(cloud.served(1), served(2, "#222222"));
    plan("#333333");
    let colour = json!({"messenger": {"styles": {"primaryColor": "#990000"}}});
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": colour}, "publish": {"configuration": "Website"}}));
    let mark = cloud.mark();
    let ran = cloud.genesync(&["apply", "--plan", "../plan.json"]).expect(4);
    assert!(ran.stdout.contains("not as reviewed") && ran.stdout.contains(MARA), "{}", ran.stdout);
    assert_eq!((cloud.writes(1, mark), cloud.served(1)), (vec![], served(2, "#222222")));
}

#[test]
fn a_draft_that_appears_after_the_review_is_not_overwritten() {
    let cloud = Cloud::applied(1);
    cloud.commit("#222222");
    cloud.genesync(&["plan", "--rev", "HEAD", "--draft", "discard", "--out", "../plan.json"]).expect(0);
    let draft = json!({"messenger": {"fileUpload": {"enableAttachments": true}}});
    cloud.edit(1, json!({"draft": {"configuration": "Website", "patch": draft}}));
    let mark = cloud.mark();
    let ran = cloud.genesync(&["apply", "--plan", "../plan.json", "--draft", "discard"]).expect(4);
    assert!(ran.stdout.contains("not as reviewed"), "{}", ran.stdout);
    assert_eq!(cloud.writes(1, mark), Vec::<String>::new());
}
