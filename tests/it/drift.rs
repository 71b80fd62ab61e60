//! What a tenant's own people do to its live configuration, and how far genesync goes along with it.

use serde_json::{Value, json};

use crate::support::{Stage, delay, organization, tenant};

/// A tenant that leaves `greetings.delayMs` to somebody else until a day.
fn leaving_the_delay(organizations: &[u32], until: &str, ms: u32) -> Vec<(String, String)> {
    let rule = format!(
        "mode: enforce, ignore: [{{field: greetings.delayMs, until: {until}, reason: Tried by hand., owner: chat@example.com}}]"
    );
    let files = tenant("acme", organizations, &delay(ms)).into_iter();
    files.map(|(path, text)| (path, text.replace("mode: enforce", &rule))).collect()
}

fn delay_of(stage: &Stage, number: u32) -> Value {
    stage.live(number).1["greetings"]["delayMs"].clone()
}

#[test]
fn an_ignored_field_is_counted_and_left_alone_until_its_day() {
    let stage = Stage::applied(&[leaving_the_delay(&[1], "2099-12-31", 1)]);
    assert_eq!(delay_of(&stage, 1), 1, "where there is nothing yet, every field is written");
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    let mark = stage.mark();
    let plan = stage.genesync(&["plan", "--detailed-exitcode"]).expect(0);
    assert!(plan.stdout.contains("; 1 field differs and is ignored"), "{}", plan.stdout);
    assert!(plan.stdout.contains("= greetings.delayMs  ignored"), "{}", plan.stdout);
    let markdown = stage.genesync(&["plan", "--format", "markdown"]).expect(0);
    assert!(
        markdown.stdout.contains("Ignored, though they differ: `greetings.delayMs`"),
        "{}",
        markdown.stdout
    );
    let applied = stage.genesync(&["apply"]).expect(0);
    assert!(applied.stdout.contains("1 ignored"), "{}", applied.stdout);
    assert_eq!(stage.writes(mark), []);

    // What else was moved is set back, and the write keeps the value that is left alone. So does a commit.
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    stage.commit(&leaving_the_delay(&[1], "2099-12-31", 2));
    let plan = stage.genesync(&["plan", "--format", "json"]).expect(0).json();
    let target = &plan["tenants"][0]["targets"][0];
    assert_eq!((&plan["summary"]["ignored"], &target["ignored"]), (&json!(1), &json!(["greetings.delayMs"])));
    assert_eq!(target["changes"].as_array().unwrap().len(), 1);
    stage.genesync(&["apply"]).expect(0);
    let (_, body) = stage.live(1);
    assert_eq!((&body["greetings"]["enabled"], &body["greetings"]["delayMs"]), (&json!(true), &json!(777)));

    // The day is over: people are told to clean up, and the field is somebody's change to a managed one.
    stage.commit(&leaving_the_delay(&[1], "2020-12-31", 2));
    let plan = stage.genesync(&["plan", "--format", "json"]).expect(0).json();
    assert_eq!(
        (&plan["findings"][0]["rule"], &plan["findings"][0]["severity"]),
        (&json!("ignore"), &json!("warning"))
    );
    let change = &plan["tenants"][0]["targets"][0]["changes"][0];
    assert_eq!((&change["path"], &change["kind"]), (&json!("greetings.delayMs"), &json!("drift")));
    assert_eq!(change["by"]["actor"]["name"], "Mara Ionescu");
    let applied = stage.genesync(&["apply"]).expect(0);
    assert!(applied.stdout.contains("expired on 2020-12-31"), "{}", applied.stdout);
    assert_eq!(delay_of(&stage, 1), 2);
}

#[test]
fn a_new_region_is_made_from_git_and_not_from_the_value_that_is_left_alone() {
    let stage = Stage::applied(&[leaving_the_delay(&[1], "2099-12-31", 1)]);
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    stage.commit(&leaving_the_delay(&[1, 2], "2099-12-31", 1));
    let done = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["receipts"][0]["by"], "put");
    assert_eq!(done["tenants"][0]["receipts"][0]["organizationId"], organization(2));
    assert_eq!((delay_of(&stage, 1), delay_of(&stage, 2)), (json!(777), json!(1)));
}

#[test]
fn a_rule_for_no_field_stops_its_tenant() {
    let stage = Stage::new();
    let misspelled: Vec<_> = leaving_the_delay(&[1], "2099-12-31", 1)
        .into_iter()
        .map(|(path, text)| (path, text.replace("field: greetings.delayMs", "field: greetings.delay")))
        .collect();
    stage.commit(&misspelled);
    let ran = stage.genesync(&["apply"]).expect(1);
    assert!(ran.stdout.contains("did you mean `greetings.delayMs`?"), "{}", ran.stdout);
    assert_eq!(stage.live(1).0, 0);
}
