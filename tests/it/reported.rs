//! The report of a change: it is complete, the worst change comes first, and unknown facts are marked as
//! unknown.

use serde_json::{Value, json};

use crate::support::{Ran, Stage, delay, organization, ran, tenant};

fn text(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

/// Mara sets 777, and then git sets 3: both changed the field.
fn in_conflict(sync: &str) -> Stage {
    let files = |ms: u32| {
        let mut files = tenant("acme", &[1], &delay(ms));
        files[0].1 = files[0].1.replace("{mode: enforce}", sync);
        files
    };
    let stage = Stage::applied(&[files(1)]);
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    stage.commit(&files(3));
    stage
}

// Guarantee: overwritten-is-kept
#[test]
fn what_is_overwritten_is_printed_beside_ours_and_kept() {
    let stage = in_conflict("{mode: enforce, onConflict: git}");
    let planned = stage.genesync(&["plan"]).expect(0);
    assert!(planned.stdout.contains("conflict  777 -> 3  by Mara Ionescu"), "{}", planned.stdout);
    let applied = stage.genesync(&["apply"]).expect(0);
    let reported =
        format!("greetings.delayMs of {}: 777, set by Mara Ionescu, is overwritten by 3", organization(1));
    assert!(applied.stdout.contains(&format!("acme: {reported}")), "{}", text(&applied));
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 3);
    let history = stage.genesync(&["history", "acme"]).expect(0).stdout;
    assert!(history.contains(&reported), "{history}");
    let row = stage.genesync(&["history", "acme", "--overwritten"]).expect(0).stdout;
    let row: Vec<&str> = row.lines().nth(1).unwrap().split_whitespace().skip(1).collect();
    assert_eq!(row.join(" "), format!("{} greetings.delayMs 777 Mara Ionescu 3", organization(1)));
    let kept = stage.genesync(&["history", "acme", "--overwritten", "--format", "json"]).expect(0).json();
    let field = &kept["overwritten"][0]["fields"][0];
    assert_eq!(
        (&field["path"], &field["before"], &field["after"], &field["by"]["name"]),
        (&json!("greetings.delayMs"), &json!(777), &json!(3), &json!("Mara Ionescu"))
    );
    // No other value was overwritten: not by a change of git alone, and not by a run that wrote nothing.
    stage.commit(&tenant("acme", &[1], &delay(4)));
    stage.genesync(&["apply"]).expect(0);
    let kept = stage.genesync(&["history", "acme", "--overwritten", "--format", "json"]).expect(0).json();
    assert_eq!(kept["overwritten"].as_array().unwrap().len(), 1);
}

// Guarantee: overwritten-is-kept
#[test]
fn what_a_copy_to_another_region_overwrites_is_kept_too() {
    let stage = Stage::applied(&[tenant("acme", &[1, 2], &delay(1))]);
    stage.edit(2, &json!({"greetings": {"delayMs": 777}}));
    let applied = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
    let reported = &applied["tenants"][0]["overwritten"][0];
    assert_eq!(
        (&reported["organizationId"], &reported["before"], &reported["after"]),
        (&json!(organization(2)), &json!(777), &json!(1))
    );
    let history = stage.genesync(&["history", "acme", "--overwritten"]).expect(0).stdout;
    assert!(history.contains(&organization(2)) && history.contains("777"), "{history}");
}

// Guarantee: conflict-on-hold
#[test]
fn a_held_conflict_overwrites_no_value() {
    let stage = in_conflict("{mode: enforce, onConflict: hold}");
    let held = stage.genesync(&["apply"]).expect(4);
    assert!(!text(&held).contains("overwritten"), "{}", text(&held));
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 777);
    let none = stage.genesync(&["history", "acme", "--overwritten"]).expect(0).stdout;
    assert_eq!(none, "no write overwrote a field\n");
}

#[test]
fn history_says_who_applied_with_which_guards_and_why_as_claimed() {
    let stage = in_conflict("{mode: enforce}");
    let with = |arguments: &[&str], variables: &[(&str, &str)]| {
        ran(stage.command(arguments).envs(variables.iter().copied()).output().unwrap()).expect(0)
    };
    let runner = [("GITHUB_ACTOR", "octavia"), ("GITHUB_RUN_ID", "42"), ("USER", "runner")];
    let opened = ["apply", "--format", "json", "--allow", "tenant-changes", "--reason", "urgent fix"];
    let applied = with(&opened, &runner).json();
    assert_eq!(applied["askedBy"], "octavia in GitHub run 42 (as claimed)");
    assert_eq!(applied["allowed"], json!({"guards": ["tenant-changes"], "reason": "urgent fix"}));
    stage.commit(&tenant("acme", &[1], &delay(9)));
    with(&["apply"], &[("USER", "ana"), ("HOSTNAME", "laptop")]);
    let gitlab = [("GITLAB_USER_LOGIN", "ben"), ("CI_JOB_ID", "7")];
    with(&["pause", "acme", "--reason", "freeze"], &gitlab);
    let history = stage.genesync(&["history", "acme"]).expect(0).stdout;
    for part in [
        "by octavia in GitHub run 42 (as claimed) (--allow tenant-changes: urgent fix)",
        "open during the write: tenant-changes",
        "777, set by Mara Ionescu, is overwritten by 3",
        "by ana@laptop (as claimed)",
        "by ben in GitLab job 7 (as claimed): freeze",
    ] {
        assert!(history.contains(part), "{part}: {history}");
    }
}

#[test]
fn paused_is_paused_in_text_and_json() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.genesync(&["pause", "acme", "--reason", "freeze"]).expect(0);
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let table = stage.genesync(&["apply"]).expect(0).stdout;
    assert!(table.lines().any(|line| line.contains("acme") && line.contains("Paused")), "{table}");
    let document = stage.genesync(&["apply", "--format", "json"]).expect(0).json();
    assert_eq!(document["tenants"][0]["status"], "Paused");
    assert_eq!(stage.status("acme")["status"], "Paused");
    assert!(stage.genesync(&["status"]).expect(0).stdout.contains("Paused"));
    let history = stage.genesync(&["history", "acme", "--format", "json"]).expect(0).json();
    let runs: Vec<&Value> = history["runs"].as_array().unwrap().iter().map(|run| &run["status"]).collect();
    assert_eq!(runs, ["Paused", "Paused", "Synced"]);
}

/// Returns a layer for acme and beta, a greeting for zeta, and a project with a waiver.
fn fleet(layer: &str, greeting: &str) -> Vec<(String, String)> {
    let base = format!(
        "apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {{name: house}}\nspec:\n  greetings: {{{layer}}}\n"
    );
    let own =
        |ms: &str| format!("  extends: [house]\n  greetings: {{enabled: true, messages: [Hello]{ms}}}\n");
    let mut files = [
        tenant("acme", &[1], &own("")),
        tenant("beta", &[2], &own(", delayMs: 5")),
        tenant("zeta", &[3], &format!("  greetings: {{enabled: true, messages: [{greeting}]}}\n")),
    ]
    .concat();
    files.push(("bases/house.yaml".into(), base));
    files
}

#[test]
fn since_skips_tenants_that_render_as_before() {
    let stage = Stage::applied(&[fleet("delayMs: 1", "Hello")]);
    let since = |files: Vec<(String, String)>| {
        stage.commit(&files);
        stage.genesync(&["plan", "--since", "HEAD~1"]).expect(0).stdout
    };
    let nothing = "No tenant's configuration changed, so genesync read no live configuration\n";
    let commented = |files: Vec<(String, String)>| {
        files.into_iter().map(|(path, text)| (path, format!("# as agreed\n{text}"))).collect::<Vec<_>>()
    };
    assert_eq!(since(commented(fleet("delayMs: 1", "Hello"))), nothing);
    let quoted = fleet("\"delayMs\": 1", "\"Hello\"");
    assert_eq!(since(quoted), nothing);
    // beta itself sets the field of the layer to another value.
    let reported = since(fleet("delayMs: 2", "Hello"));
    assert!(reported.contains("bases/house.yaml changed and reaches 1 tenant: acme\n"), "{reported}");
    assert!(reported.contains("Plan: 1 of 1 tenant changes"), "{reported}");
    stage.genesync(&["apply"]).expect(0);
    // The report of a tenant's own change does not mention a layer whose comment also changed.
    let reported = since(commented(fleet("delayMs: 2", "Good day")));
    assert!(!reported.contains("bases/") && reported.contains("Plan: 1 of 1 tenant changes"), "{reported}");
}

#[test]
fn a_plan_opens_with_what_visitors_notice_worst_first() {
    let greeting = |name: &str, numbers: &[u32], enabled: bool, text: &str| {
        let spec = format!("  greetings: {{enabled: {enabled}, messages: [{text}]}}\n");
        tenant(name, numbers, &spec)
    };
    let both = |enabled: bool, text: &str| {
        [greeting("acme", &[1], true, text), greeting("beta", &[2, 3, 4], enabled, text)].concat()
    };
    let stage = Stage::applied(&[both(true, "Hello")]);
    stage.commit(&[both(false, "Hi"), tenant("zeta", &[5], "  greetings: {delay: 1}\n")].concat());
    let plan = stage.genesync(&["plan"]).expect(1).stdout;
    let at = |part: &str| plan.find(part).unwrap_or_else(|| panic!("{part}: {plan}"));
    let order = [
        "zeta  not valid",
        "beta  enforce",
        "  Visitors are no longer greeted\n  The greeting changes: “Hello” becomes “Hi”\n  eu-west-1",
        "~ greetings.enabled ",
        "~ greetings.messages ",
        "acme  enforce",
    ];
    let places: Vec<usize> = order.iter().map(|part| at(part)).collect();
    assert!(places.is_sorted(), "{places:?}: {plan}");
    // Two regions with the same loss share one line, which names both.
    stage.genesync(&["apply", "--tenant", "beta"]).expect(0);
    for number in [3, 4] {
        stage.edit(number, &json!({"greetings": {"enabled": true}}));
    }
    let plan = stage.genesync(&["plan", "--tenant", "beta"]).expect(0).stdout;
    let reported = "Visitors are no longer greeted, in us-east-1 and ap-south-1\n";
    assert_eq!((plan.matches("no longer greeted").count(), plan.contains(reported)), (1, true), "{plan}");
}

const PALE: &str = "  widget: {theme: {colors: {primary: \"#F2A900\", background: \"#FFFFFF\"}}}\n";

#[test]
fn a_tenant_that_is_not_valid_shows_why_and_waivers_show_in_every_format() {
    let stage = Stage::new();
    let project = "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: fleet}\nspec:\n  rules:\n    waivers:\n      - {rule: contrast, tenant: zeta, owner: chat@example.com, expires: \"2999-03-31\", reason: rebrand in March}\n";
    let mut files = [tenant("acme", &[1], PALE), tenant("zeta", &[2], PALE)].concat();
    files.push(("genesync.yaml".into(), project.into()));
    stage.commit(&files);
    let (page, comment) = (stage.path("plan.html"), stage.path("plan.md"));
    let out = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    stage.genesync(&["plan", "--out", &out(&page), "--out", &out(&comment)]).expect(1);
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let contrast = "#F2A900 on #FFFFFF has a contrast of 2.01";
    let own = |text: &str, from: &str, to: &str| {
        text.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned()
    };
    let of_acme = own(&read(&comment), "#### `acme` (invalid)", "####");
    assert!(of_acme.contains(contrast) && of_acme.contains("tenants/acme/web.yaml:5:"), "{of_acme}");
    // It occurs there only.
    assert_eq!(read(&comment).matches("tenants/acme/web.yaml:5:").count(), 1, "{}", read(&comment));
    let of_acme = own(&read(&page), "aria-labelledby=\"tenant-1-name\"", "</section>");
    assert!(of_acme.contains(contrast) && of_acme.contains("tenants/acme/web.yaml:5:"), "{of_acme}");

    let waived = "waived by chat@example.com until 2999-03-31: rebrand in March";
    let printed = |arguments: &[&str]| text(&stage.genesync(arguments).expect(1));
    for format in ["text", "json", "sarif", "github", "gitlab", "junit"] {
        let reported = printed(&["validate", "--format", format]);
        assert!(reported.contains(waived), "validate {format}: {reported}");
    }
    for format in ["text", "json", "markdown", "html"] {
        let reported = printed(&["plan", "--format", format]);
        assert!(reported.contains(waived), "plan {format}: {reported}");
    }
    let sarif: Value =
        serde_json::from_str(&stage.genesync(&["validate", "--format", "sarif"]).expect(1).stdout).unwrap();
    let suppressed: Vec<&Value> = sarif["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|result| result["suppressions"].is_array())
        .collect();
    assert_eq!((suppressed.len(), &suppressed[0]["suppressions"][0]["justification"]), (1, &json!(waived)));
    let plan: Value =
        serde_json::from_str(&stage.genesync(&["plan", "--format", "json"]).expect(1).stdout).unwrap();
    let found =
        plan["findings"].as_array().unwrap().iter().find(|finding| finding["tenant"] == "zeta").unwrap();
    assert_eq!(
        found["waived"],
        json!({"by": "chat@example.com", "until": "2999-03-31", "reason": "rebrand in March"})
    );
}

#[test]
fn the_doctor_of_a_webchat_tenant_says_what_it_could_not_test() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1, 2], &delay(1)));
    let checks = |code: i32| {
        let found = stage.genesync(&["doctor", "--format", "json"]).expect(code).json();
        let of = |check: &Value| {
            let word = |key: &str| check[key].as_str().unwrap().to_owned();
            (word("organizationId"), word("check"), word("result"), word("detail"))
        };
        found["checks"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let result = |checks: &[(String, String, String, String)], what: &str| {
        let first =
            checks.iter().find(|check| check.1 == what).unwrap_or_else(|| panic!("{what}: {checks:?}"));
        (first.2.clone(), first.3.clone())
    };
    let well = checks(0);
    for (what, expected) in [
        ("credentials", "ok"),
        ("configuration", "ok"),
        ("clock", "ok"),
        ("audit log", "ok"),
        ("write", "not testable"),
        ("replication", "not testable"),
        ("rate limit", "not testable"),
        ("time zones", "ok"),
    ] {
        assert_eq!(result(&well, what).0, expected, "{what}: {well:?}");
    }
    assert!(result(&well, "rate limit").1.contains("genesync assumes 300 requests per minute"), "{well:?}");
    assert!(result(&well, "time zones").1.ends_with(", built in"), "{well:?}");
    stage.control("POST", "settings", &json!({"rateLimitPerMinute": 90}));
    assert_eq!(result(&checks(0), "rate limit"), ("ok".into(), "90 requests per minute".into()));
    // A client that may read only the audit log.
    stage.control("POST", "settings", &json!({"rateLimitPerMinute": 0}));
    let fault = json!({"match": {"path": "**/configurations"}, "times": 0, "do": {"status": 403}});
    stage.control("POST", "faults", &json!({"faults": [fault]}));
    let ill = checks(7);
    assert_eq!(result(&ill, "configuration").0, "failed");
    assert_eq!(stage.world.lock().unwrap().writes(), 0);
}
