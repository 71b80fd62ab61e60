//! Edits of a tenant's live configuration by its own people, and what genesync sets back.

use serde_json::{Value, json};

use crate::support::{Stage, delay, organization, tenant};

/// Returns a tenant that leaves `greetings.delayMs` to other users until a date.
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

/// Changes the delay and applies, this many times; each apply sets it back.
fn quarrel(stage: &Stage, times: usize) {
    for _ in 0..times {
        stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
        stage.genesync(&["apply"]).expect(0);
        assert_eq!(delay_of(stage, 1), 1);
    }
}

// Guarantee: no-endless-fight
#[test]
fn a_field_that_drifts_a_fourth_time_is_held() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    quarrel(&stage, 3);
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    stage.edit(2, &json!({"greetings": {"delayMs": 9}}));
    let mark = stage.mark();
    // The other tenant is applied: one is done, one is held.
    let ran = stage.genesync(&["apply", "--format", "json"]).expect(6);
    assert_eq!(stage.writes(mark).len(), 1);
    assert_eq!((delay_of(&stage, 1), delay_of(&stage, 2)), (json!(777), json!(1)));
    let result = ran.json()["tenants"][0].clone();
    let reason = format!(
        "fought over: greetings.delayMs of {} was set back 3 times within 60 min and Mara Ionescu changed it again. Agree on one owner, then run `genesync resume acme`",
        organization(1)
    );
    assert_eq!((&result["status"], &result["reason"]), (&json!("Held"), &json!(reason)));
    // It stays held in every later run, until git or the person accepts the other value.
    let mark = stage.mark();
    stage.genesync(&["apply", "--tenant", "acme"]).expect(4);
    assert_eq!(stage.writes(mark), []);
    stage.edit(1, &json!({"greetings": {"delayMs": 1}}));
    stage.genesync(&["apply"]).expect(0);
}

#[test]
fn the_project_says_how_often_a_field_may_be_set_back_in_any_region() {
    let stage = Stage::new();
    let project = "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: p}\nspec:\n  guards:\n    tenant: {flapsMax: 1, flapWindowMs: 60000}\n";
    stage.commit(
        &[tenant("acme", &[1, 2], &delay(1)), vec![("genesync.yaml".into(), project.into())]].concat(),
    );
    stage.genesync(&["apply"]).expect(0);
    let by = |actor: &str| json!({"organizationId": organization(2), "actor": actor, "patch": {"greetings": {"delayMs": 777}}});
    stage.control("POST", "edit", &by("terraform"));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(delay_of(&stage, 2), 1);
    stage.control("POST", "edit", &by("Mara Ionescu"));
    let ran = stage.genesync(&["apply"]).expect(4);
    let said = "was set back 1 time within 1 min and Mara Ionescu changed it again (earlier: terraform)";
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
    assert_eq!(delay_of(&stage, 2), 777);
}

#[test]
fn an_ignored_field_is_reported_and_not_written_until_its_date() {
    let stage = Stage::applied(&[leaving_the_delay(&[1], "2099-12-31", 1)]);
    assert_eq!(delay_of(&stage, 1), 1, "every field of a new configuration is written");
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

    // Other changed fields are set back, and the write keeps the ignored value. A commit does the same.
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    stage.commit(&leaving_the_delay(&[1], "2099-12-31", 2));
    let plan = stage.genesync(&["plan", "--format", "json"]).expect(0).json();
    let target = &plan["tenants"][0]["targets"][0];
    assert_eq!((&plan["summary"]["ignored"], &target["ignored"]), (&json!(1), &json!(["greetings.delayMs"])));
    assert_eq!(target["changes"].as_array().unwrap().len(), 1);
    stage.genesync(&["apply"]).expect(0);
    let (_, body) = stage.live(1);
    assert_eq!((&body["greetings"]["enabled"], &body["greetings"]["delayMs"]), (&json!(true), &json!(777)));

    // After the date the report asks people to delete the rule, and the field counts as drift again.
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
fn a_new_region_gets_the_value_in_git_of_an_ignored_field() {
    let stage = Stage::applied(&[leaving_the_delay(&[1], "2099-12-31", 1)]);
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    stage.commit(&leaving_the_delay(&[1, 2], "2099-12-31", 1));
    let done = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
    assert_eq!(done["tenants"][0]["receipts"][0]["by"], "put");
    assert_eq!(done["tenants"][0]["receipts"][0]["organizationId"], organization(2));
    assert_eq!((delay_of(&stage, 1), delay_of(&stage, 2)), (json!(777), json!(1)));
}

#[test]
fn an_ignore_rule_for_an_unknown_field_stops_its_tenant() {
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
