//! What `explain` answers: a rule, a guard, a field, a moment, and the effect of a tighter rule.

use std::path::Path;
use std::process::{Command, Stdio};

use genesync::cli::commands::explain::guard;
use serde_json::{Value, json};

use crate::support::{Ran, delay, ran, tenant};

fn genesync(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
    ran(command.env_clear().current_dir(folder).stdin(Stdio::null()).args(arguments).output().unwrap())
}

/// Returns a fleet of two: one with hours in Berlin, one with a waiver for its pale colour until the end of
/// 2098.
fn fleet() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let hours = "  greetings: {enabled: true, messages: [Guten Tag]}
  availability:
    schedule: custom
    timeZone: Europe/Berlin
    rules:
      - {dayOfWeek: THURSDAY, startTime: \"09:00\", endTime: \"18:00\"}
      - {dayOfWeek: SUNDAY, startTime: \"01:00\", endTime: \"04:00\"}
";
    let pale = "  widget: {theme: {colors: {primary: \"#F2A900\", background: \"#FFFFFF\"}, typography: {fontFamily: Inter}}}\n";
    let project = "apiVersion: genesync/v1alpha1
kind: Project
metadata: {name: p}
spec:
  rules:
    waivers:
      - {rule: contrast, tenant: souk, owner: web@example.com, reason: New colours come., expires: 2098-12-31}
";
    let files = [
        tenant("acme", &[1], hours),
        tenant("souk", &[2], pale),
        vec![("genesync.yaml".into(), project.into())],
    ];
    for (path, text) in files.concat() {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn a_moment_is_reported_with_the_rule_that_won_and_what_comes_next() {
    let folder = fleet();
    let reported = |at: &str| genesync(folder.path(), &["explain", "acme", "--at", at]).expect(0).stdout;
    assert_eq!(
        reported("2026-12-24T17:59"),
        "acme  Thursday 2026-12-24 17:59 Europe/Berlin\n  offered, until Thursday 2026-12-24 18:00\n    won   tenants/acme/web.yaml:10:9\n  greeted with \"Guten Tag\"\n    won   tenants/acme/web.yaml:5:41\n  note: the platform gets the hours without a time zone and uses its own: make sure that it is Europe/Berlin\n"
    );
    assert_eq!(
        reported("2026-12-24T18:30"),
        "acme  Thursday 2026-12-24 18:30 Europe/Berlin\n  not offered, until Sunday 2026-12-27 01:00\n    then  tenants/acme/web.yaml:11:9\n  no greeting while closed\n  note: the platform gets the hours without a time zone and uses its own: make sure that it is Europe/Berlin\n"
    );
    // The same moment in another format, and an hour that does not exist.
    assert_eq!(reported("2026-12-24T17:30Z"), reported("2026-12-24T18:30"));
    assert!(
        reported("2027-03-25T10:00")
            .contains("note: on 2027-03-28 the hours from 02:00 to 03:00 do not exist")
    );
    let json = genesync(folder.path(), &["explain", "acme", "--at", "2026-12-24T17:59", "--format", "json"])
        .expect(0)
        .json();
    assert_eq!(json["moment"]["objects"][0]["offered"], true);
    for (arguments, said) in [
        (&["explain", "nobody", "--at", "2026-12-24T17:59"][..], "tenants: acme, souk"),
        (&["explain", "acne", "--at", "2026-12-24T17:59"], "did you mean `acme`?"),
        (&["explain", "acme", "--at", "yesterday"], "`yesterday` is not a time"),
        (&["explain", "souk", "--at", "2026-12-24T17:59"], "has no time zone, and the manifest names none"),
        (&["explain", "souk", "--at", "2026-12-24T17:59", "--tz", "Europe/Berlinn"], "there is no time zone"),
        (
            &["explain", "acme", "--at", "2026-12-24T17:59", "--tz", "America/New_York"],
            "hours is Europe/Berlin, not",
        ),
    ] {
        let ran = genesync(folder.path(), arguments).expect(2);
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
}

/// A tenant that cannot be read is not explained as if it were empty.
#[test]
fn an_unreadable_tenant_is_not_explained() {
    let folder = fleet();
    let web = folder.path().join("tenants/acme/web.yaml");
    let sound = std::fs::read_to_string(&web).unwrap();
    std::fs::write(&web, sound.replacen("spec:", "spec:\n  extends: [lost]", 1)).unwrap();
    for arguments in [
        &["explain", "greetings.messages", "--tenant", "acme"][..],
        &["explain", "acme", "--at", "2026-12-24T17:59Z"],
    ] {
        let ran = genesync(folder.path(), arguments).expect(1);
        assert!(
            ran.stderr.contains("acme is not valid, so genesync cannot explain its configuration"),
            "{}",
            ran.stderr
        );
    }
    let others = genesync(folder.path(), &["explain", "greetings.messages"]).expect(0);
    assert!(
        others.stderr.contains("acme is not valid") && others.stdout.contains("souk"),
        "{}",
        others.stdout
    );
    // A value of the wrong form is reported together with every other value.
    std::fs::write(&web, format!("{sound}  widget: {{theme: {{typography: {{fontSize: 99px}}}}}}\n"))
        .unwrap();
    genesync(folder.path(), &["explain", "greetings.messages", "--tenant", "acme"]).expect(0);
    genesync(folder.path(), &["explain", "acme", "--at", "2026-12-24T17:59Z"]).expect(1);
}

#[test]
fn a_rule_a_guard_and_a_field_are_explained_and_other_names_are_refused() {
    let folder = fleet();
    let page = genesync(folder.path(), &["explain", "contrast"]).expect(0).stdout;
    assert!(
        page.starts_with("## contrast\n") && page.contains("**Fix.**") && page.contains("1.4.3"),
        "{page}"
    );
    let guard = genesync(folder.path(), &["explain", "run-tenants", "--format", "json"]).expect(0).json();
    assert_eq!(guard["id"], "run-tenants");
    assert_eq!(
        guard["guard"],
        json!({
            "scope": "run",
            "summary": "More tenants change in one run than the limit",
            "messages": [
                "refused by guard `run-tenants`: one run changes 61 of 80 tenants, and the limit is 50 %",
                "refused by guard `run-tenants`: one run takes something from the visitors of 3 of 5 tenants, and the limit is 50 %",
            ],
            "docs": "docs/guards.md#run-tenants",
        })
    );
    let guard = genesync(folder.path(), &["explain", "recreate"]).expect(0).stdout;
    assert!(
        guard.starts_with("## recreate\n")
            && guard.contains("**Scope.** tenant: ")
            && guard.contains("\nrefused by guard `recreate`: another user deleted ")
            && guard.ends_with("\n\nsee docs/guards.md#recreate\n"),
        "{guard}"
    );
    let field =
        genesync(folder.path(), &["explain", "greetings.messages", "--tenant", "acme"]).expect(0).stdout;
    assert!(field.contains("won   tenants/acme/web.yaml:5:40"), "{field}");
    let wrong = genesync(folder.path(), &["explain", "contrst"]).expect(2);
    assert!(wrong.stderr.contains("did you mean `contrast`?"), "{}", wrong.stderr);
    for (word, hint) in [
        ("acme", "add a time to see what visitors of acme get: --at 2026-"),
        ("fontsize", "write the full path: `widget.theme.typography.fontSize`"),
        ("greetings.messages[0]", "`genesync explain greetings.messages`"),
    ] {
        let wrong = genesync(folder.path(), &["explain", word]).expect(2);
        assert!(wrong.stderr.contains(hint), "{word}: {}", wrong.stderr);
    }
    // A rule has the same page for every tenant.
    assert_eq!(genesync(folder.path(), &["explain", "contrast", "--tenant", "acme"]).expect(0).stdout, page);
}

/// With `GENESYNC_GUARDS` set, the file is written instead.
#[test]
fn the_page_of_guards_shows_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guards.md");
    let kept = std::fs::read_to_string(&path).unwrap();
    let written = guard::written(&kept);
    if std::env::var_os("GENESYNC_GUARDS").is_some() {
        std::fs::write(&path, &written).unwrap();
        return;
    }
    assert!(
        kept == written,
        "docs/guards.md differs from the output of the program: run `GENESYNC_GUARDS=1 cargo test --test it the_page_of_guards`"
    );
}

#[test]
fn a_tighter_rule_lists_the_tenants_that_would_newly_fail() {
    let folder = fleet();
    genesync(folder.path(), &["validate"]).expect(0);
    let diff = |more: &[&str]| genesync(folder.path(), &[&["rules", "diff"], more].concat());
    let same = diff(&[]).expect(0).stdout;
    assert!(same.starts_with(
        "the manifests today, and nothing to compare with: add --set RULE=SEVERITY or --on DATE\n"
    ));
    assert!(same.ends_with("0 of 2 tenants would newly fail\n"));
    assert!(diff(&["--on", "soon"]).expect(2).stderr.contains("write a day as YYYY-MM-DD"));
    let tighter = diff(&["--set", "typography=error"]).expect(0).stdout;
    assert!(
        tighter.ends_with("0 of 2 tenants would newly fail\n"),
        "its own warning stays a warning: {tighter}"
    );
    // A waiver has expired on the day after its last day.
    let later = diff(&["--on", "2099-01-01"]).expect(1).stdout;
    assert!(
        later.starts_with("the manifests today, and on 2099-01-01\nsouk\n")
            && later.contains("contrast")
            && later.ends_with("1 of 2 tenants would newly fail\n"),
        "{later}"
    );
    let json = diff(&["--on", "2099-01-01", "--format", "json"]).expect(1).json();
    assert!(json["newlyFailing"]["souk"].as_array().is_some_and(|found| !found.is_empty()));
    assert!(diff(&["--set", "secrets=info"]).expect(2).stderr.contains("no tunable rule `secrets`"));
}

#[test]
fn a_fleets_accessibility_is_one_report() {
    let folder = fleet();
    let of = |more: &[&str], code: i32| {
        genesync(folder.path(), &[&["accessibility"], more].concat()).expect(code).stdout
    };
    let rows = |text: &str| -> Vec<(Value, Value)> {
        let report: Value = serde_json::from_str(text).unwrap();
        let rows = report["rows"].as_array().unwrap();
        rows.iter().map(|row| (row["tenant"].clone(), row["verdict"].clone())).collect()
    };
    assert_eq!(
        rows(&of(&["--format", "json"], 0)),
        [(json!("souk"), json!("waived")), (json!("acme"), json!("passes"))]
    );
    assert_eq!(rows(&of(&["--format", "json", "--on", "2099-01-01"], 1))[0], (json!("souk"), json!("fails")));
    let markdown = of(&[], 0);
    assert!(markdown.contains("waived by web@example.com until 2098-12-31: New colours come."), "{markdown}");
    assert!(of(&["--format", "html"], 0).contains("<h1>Accessibility: 1 waived, 1 pass</h1>"));
}

#[test]
fn a_picture_is_drawn_or_the_reason_is_reported() {
    let folder = fleet();
    let picture = |more: &[&str]| genesync(folder.path(), &[&["picture"], more].concat());
    assert!(picture(&["acme"]).expect(0).stdout.starts_with("<svg "));
    let closed = picture(&["acme", "--at", "2026-12-24T18:30"]).expect(0).stdout;
    assert!(closed.len() < picture(&["acme"]).expect(0).stdout.len());
    picture(&["souk", "--out", "x.png", "--scale", "0.5"]).expect(0);
    assert_eq!(&std::fs::read(folder.path().join("x.png")).unwrap()[1..4], b"PNG");
    for (more, code, said) in [
        (&["nobody"][..], 2, "there is no tenant nobody"),
        (&["acme", "--lang", "de"], 2, "names no languages"),
        (&["acme", "--out", "x.gif"], 2, "must end in `.svg` or `.png`"),
        (&["acme", "--scale", "99"], 2, "from 0.1 to 8"),
    ] {
        let ran = picture(more).expect(code);
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    let bad = tenant("acme", &[1], &delay(1).replace("delayMs", "delay"));
    std::fs::write(folder.path().join(&bad[1].0), &bad[1].1).unwrap();
    assert!(picture(&["acme"]).expect(1).stderr.contains("has no object that visitors see"));
}
