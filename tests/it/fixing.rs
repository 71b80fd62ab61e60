//! The way of an author: a finding, its fix, the plan, the page; and findings in the formats of other
//! programs.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Ran, Stage, commit_all, delay, ran, tenant};

pub fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub fn read(folder: &Path, path: &str) -> String {
    std::fs::read_to_string(folder.join(path)).unwrap()
}

pub fn genesync(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
    ran(command.env_clear().current_dir(folder).stdin(Stdio::null()).args(arguments).output().unwrap())
}

/// Returns a folder with one tenant whose configuration this is.
fn acme(web: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = tenant("acme", &[1], "");
    write(folder.path(), &files[0].0, &files[0].1);
    write(folder.path(), &files[1].0, web);
    folder
}

/// A new repository, an edit with a bad colour, the finding, the fix, the plan, the page: with the real
/// binary.
#[test]
fn a_new_user_gets_from_init_to_a_page() {
    let stage = Stage::new();
    let folder = stage.repository();
    stage.genesync(&["init", "--tenant", "acme"]).expect(0);
    let web = read(&folder, "tenants/acme/web.yaml");
    let base = read(&folder, "bases/house-style.yaml");
    write(
        &folder,
        "tenants/acme/tenant.yaml",
        &read(&folder, "tenants/acme/tenant.yaml").replace("credentials: acme", "credentials: main"),
    );
    stage.genesync(&["validate"]).expect(0);
    commit_all(&folder);

    write(&folder, "bases/house-style.yaml", &base.replace("#0B5CAD", "#F2A900"));
    let found = stage.genesync(&["validate"]).expect(1);
    for part in ["error[contrast]", "#F2A900", "use #", "bases/house-style.yaml:10:"] {
        assert!(found.stdout.contains(part), "{part}: {}", found.stdout);
    }
    let fixed = stage.genesync(&["validate", "--fix"]).expect(0);
    assert!(fixed.stderr.contains("fixed  bases/house-style.yaml:10: use #"), "{}", fixed.stderr);
    let fixed = read(&folder, "bases/house-style.yaml");
    let hex = fixed.split("primary: \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(fixed, base.replace("#0B5CAD", &hex), "nothing else changes");
    assert_eq!(read(&folder, "tenants/acme/web.yaml"), web);
    commit_all(&folder);

    stage.genesync(&["plan", "--since", "HEAD~1", "--out", "../plan.html", "--out", "../plan.md"]).expect(0);
    let page = std::fs::read_to_string(stage.path("plan.html")).unwrap();
    assert!(page.contains("Visitors get web messaging for the first time") && page.contains(&hex), "{page}");
    let comment = std::fs::read_to_string(stage.path("plan.md")).unwrap();
    assert!(comment.contains("`bases/house-style.yaml` changed and reaches 1 tenant: `acme`"), "{comment}");
    let picture = stage.genesync(&["picture", "acme", "--at", "2026-12-24T08:00"]).expect(0);
    assert!(picture.stdout.starts_with("<svg ") && picture.stdout.contains("A likeness drawn by genesync"));
}

const MESSY: &str = "apiVersion: genesync/v1alpha1
kind: WebMessaging
metadata: {name: web}
spec:
  widget:
    theme:
      # Brand colours; ask design.
      colors: {primary: \"#F2A900\", background: \"#FFFFFF\"}   # two of them
      typography: {fontSize: 16px, fontFamily: \"Inter\"}
    accessibility: {contrastRatio: 5.0}
  greetings:
    enabled: true
    messages:
      - \" Hello! \"   # with care
      - >
        Folded, and it ends in a line break
  availability:
    schedule: custom
    timeZone: America/New York
    rules:
      # Monday
      - {dayOfWeek: MONDAY, startTime: \"09:00\", endTime: \"17:00\"}
      - {dayOfWeek: WEDNESDAY, startTime: \"09:00\", endTime: \"17:00\"}
      # Short day.
      - dayOfWeek: TUESDAY
        startTime: \"09:00\"
        endTime: \"12:00\"   # lunch
  features:
    flags: {enableFileUplaod: true}
";

const MISSPELT: &str = "apiVersion: genesync/v1alpha1
kind: WebMesaging
metadata: {name: web}
spec:
  widget:
    theme:
      colors:
        primary: #F2A900
        background: FFFFFF   # paper
      typography: {fontSize: 20}
    accessibility: {contrastRatio: 3}
  greetings:
    enabled: yes
    delayMs: \"2000\"
  availability:
    schedule: custom
    timeZone: Europe/Berlin
    rules:
      - {dayOfWeek: MONDAI, startTime: \"8:00\", endTime: \"17:00\"}
";

/// Each mistake hides others: `fix` reads a fixed file again, until no automatic fix is left.
#[test]
fn missing_fields_are_added() {
    let folder = acme(MISSPELT);
    genesync(folder.path(), &["validate", "--fix"]).expect(0);
    let mut fixed = MISSPELT.to_owned();
    for (from, to) in [
        ("WebMesaging", "WebMessaging"),
        ("#F2A900", "\"#9E6D00\""),
        ("FFFFFF ", "\"#FFFFFF\" "),
        ("fontSize: 20", "fontSize: \"20px\""),
        ("contrastRatio: 3", "contrastRatio: 4.52"),
        ("yes", "true"),
        ("\"2000\"", "2000"),
        ("MONDAI", "MONDAY"),
        ("8:00", "08:00"),
    ] {
        fixed = fixed.replacen(from, to, 1);
    }
    assert_eq!(read(folder.path(), "tenants/acme/web.yaml"), fixed);

    // `fix` leaves what a person has to decide, and reports the reason.
    for (from, to, left) in [
        (
            "fontSize: \"20px\"",
            "fontSize: 40px",
            "some rules did not check acme; fix the errors to see all findings",
        ),
        ("MONDAY", "DAY", "1 error"),
    ] {
        let text = fixed.replacen(from, to, 1).replacen("\"#9E6D00\"", "\"#B07900\"", 1);
        write(folder.path(), "tenants/acme/web.yaml", &text);
        let ran = genesync(folder.path(), &["validate", "--fix"]);
        assert!(ran.stderr.contains(left), "{left}: {}", ran.stderr);
        let judged = read(folder.path(), "tenants/acme/web.yaml").contains("#B07900");
        assert_eq!(
            judged,
            from.starts_with("fontSize"),
            "a colour is not judged by a size that cannot be read"
        );
    }
    let twice = fixed.replacen("  greetings:", "  gretings: {}\n  greetings:", 1);
    write(folder.path(), "tenants/acme/web.yaml", &twice);
    let ran = genesync(folder.path(), &["validate", "--fix"]).expect(1);
    assert!(ran.stdout.contains("`greetings`? it is already here: keep one of the two"), "{}", ran.stdout);
    assert_eq!(read(folder.path(), "tenants/acme/web.yaml"), twice);
}

/// What looks like a mistake may be intended: genesync reports values that decide something and leaves them
/// to a person.
#[test]
fn no_fix_guesses_what_was_meant() {
    let folder = acme("");
    let web = |spec: &str| {
        format!("apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {{name: web}}\nspec:\n{spec}")
    };
    let rules = |items: &str| {
        format!("  availability:\n    schedule: custom\n    timeZone: Europe/Berlin\n    rules:\n{items}")
    };
    let item =
        |day: &str| format!("      - {{dayOfWeek: {day}, startTime: \"09:00\", endTime: \"17:00\"}}\n");
    let (monday, tuesday) = (item("MONDAY"), item("TUESDAY"));
    for spec in [
        "  widget: {accessibility: {wcagLevel: A}}\n".to_owned(),
        "  widget: {theme: {typography: {fontFamily: \"\"}}}\n".into(),
        "  features: {audiences: [_premium]}\n".into(),
        "  extends: [house-]\n".into(),
        "  availability: {schedule: custom, timeZone: GMT+1, rules: []}\n".into(),
        "  availability: {schedule: custom, timeZone: Africa/Laos, rules: []}\n".into(),
        "  greetings: {mesages: [a], messges: [b]}\n".into(),
        "  greetings:\n    messages:\n      - |\n        Hello\n".into(),
        "  greetings:\n    messages:\n      - Call us and dial #1 for cards\n".into(),
        "  widget: {theme: {colors: {primary: \"0B5CA\"}}}\n".into(),
        "  greetings:\n    messages:\n      - Press #1\n".into(),
        "  widget: {theme: {colors: {primary: &p #00594F}}}\n".into(),
        rules("      - {dayOfWeek: MONDAY, startTime: \"9999:\", endTime: \"17:00\"}\n"),
        // It is unclear which entry a comment above the first one, an indented comment or a blank line
        // belongs to.
        rules(&format!("      # this season\n{tuesday}      # mon\n{monday}")),
        rules(&format!("{tuesday}        # late\n{monday}")),
        rules(&format!("{tuesday}\n{monday}")),
        rules(&format!("{tuesday}{monday}        # Mondays start late\n")),
    ] {
        let text = web(&spec);
        write(folder.path(), "tenants/acme/web.yaml", &text);
        let ran = genesync(folder.path(), &["validate", "--fix", "--verbose"]);
        assert_eq!(read(folder.path(), "tenants/acme/web.yaml"), text, "{}", ran.stderr);
        assert!(!ran.stdout.contains("0 errors"), "{spec}");
    }
}

/// A fix of a layer that only one of two tenants needs is left to a person.
#[test]
fn a_skipped_fix_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let layer = "apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {name: house}\nspec:\n  widget: {theme: {colors: {primary: \"#F2A900\"}}}\n";
    write(folder.path(), "bases/house.yaml", layer);
    for (name, number, ground) in [("one", 1, "#FFFFFF"), ("two", 2, "#000000")] {
        let web = format!(
            "apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {{name: web}}\nspec:\n  extends: [house]\n  widget: {{theme: {{colors: {{background: \"{ground}\"}}}}}}\n"
        );
        let files = tenant(name, &[number], &delay(1));
        write(folder.path(), &files[0].0, &files[0].1);
        write(folder.path(), &files[1].0, &web);
    }
    let ran = genesync(folder.path(), &["validate", "--fix"]).expect(1);
    assert!(ran.stderr.contains("left   bases/house.yaml:5: use #"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(": not every document that extends this file needs this fix"),
        "{}",
        ran.stderr
    );
    assert_eq!(read(folder.path(), "bases/house.yaml"), layer);
    // It is unknown what a tenant needs if it cannot be read.
    let two = read(folder.path(), "tenants/two/web.yaml").replace("#000000", "#FFFFFF");
    write(folder.path(), "tenants/two/web.yaml", &format!("{two}  greetings: {{delayMs: soon}}\n"));
    genesync(folder.path(), &["validate", "--fix"]).expect(1);
    assert_eq!(read(folder.path(), "bases/house.yaml"), layer);
    write(folder.path(), "tenants/two/web.yaml", &two);
    genesync(folder.path(), &["validate", "--fix"]).expect(0);
    assert_ne!(read(folder.path(), "bases/house.yaml"), layer);
}

#[test]
fn what_can_be_fixed_is_fixed_and_everything_else_stays() {
    let folder = acme(MESSY);
    let ran = genesync(folder.path(), &["validate", "--fix", "--verbose"]);
    let expected = MESSY
        .replace("\"Inter\"", "\"Inter, sans-serif\"")
        .replace("\" Hello! \"", "\"Hello!\"")
        .replace("America/New York", "America/New_York")
        .replace("enableFileUplaod", "enableFileUpload")
        .replace(
            "      - {dayOfWeek: WEDNESDAY, startTime: \"09:00\", endTime: \"17:00\"}\n      # Short day.\n      - dayOfWeek: TUESDAY\n        startTime: \"09:00\"\n        endTime: \"12:00\"   # lunch\n",
            "      # Short day.\n      - dayOfWeek: TUESDAY\n        startTime: \"09:00\"\n        endTime: \"12:00\"   # lunch\n      - {dayOfWeek: WEDNESDAY, startTime: \"09:00\", endTime: \"17:00\"}\n",
        );
    let after = read(folder.path(), "tenants/acme/web.yaml");
    let colour = after.split("primary: \"").nth(1).unwrap().split('"').next().unwrap();
    let ratio = after.split("contrastRatio: ").nth(1).unwrap().split('}').next().unwrap();
    let expected =
        expected.replace("#F2A900", colour).replace("contrastRatio: 5.0", &format!("contrastRatio: {ratio}"));
    // A folded scalar differs from a quoted one: either fix puts the text on one line.
    let folded = "      - >\n        Folded, and it ends in a line break\n";
    let lines = |text: &str| {
        text.replace(folded, "").replace("      - \"Folded, and it ends in a line break\"\n", "")
    };
    assert_eq!(lines(&after), lines(&expected), "{}", ran.stderr);
    let again = genesync(folder.path(), &["validate", "--fix"]);
    assert!(!again.stderr.contains("fixed"), "{}", again.stderr);
    assert_eq!(read(folder.path(), "tenants/acme/web.yaml"), after);
}

#[test]
fn a_layer_is_not_fixed_for_one_of_its_tenants_and_nothing_that_is_waived() {
    let folder = tempfile::tempdir().unwrap();
    let base = "apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {name: house}\nspec:\n  widget: {theme: {colors: {primary: \"#0B5CAD\", background: \"#FFFFFF\"}}}\n";
    let dark = "  extends: [house]\n  widget: {theme: {colors: {background: \"#101418\"}}}\n";
    write(folder.path(), "bases/house.yaml", base);
    for (path, text) in [tenant("acme", &[1], "  extends: [house]\n"), tenant("dark", &[2], dark)].concat() {
        write(folder.path(), &path, &text);
    }
    for more in [&[][..], &["--tenant", "dark"]] {
        let ran = genesync(folder.path(), &[&["validate", "--fix"], more].concat()).expect(1);
        assert!(ran.stdout.contains("error[contrast]") && !ran.stderr.contains("fixed"), "{}", ran.stderr);
        assert_eq!(read(folder.path(), "bases/house.yaml"), base);
    }
    write(
        folder.path(),
        "genesync.yaml",
        "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: p}\nspec:\n  rules:\n    waivers:\n      - {rule: contrast, tenant: pale, owner: web@example.com, reason: Brand., expires: 2098-12-31}\n",
    );
    let pale = "  widget: {theme: {colors: {primary: \"#F2A900\", background: \"#FFFFFF\"}}}\n";
    for (path, text) in tenant("pale", &[3], pale) {
        write(folder.path(), &path, &text);
    }
    genesync(folder.path(), &["validate", "--fix"]).expect(1);
    assert!(read(folder.path(), "tenants/pale/web.yaml").contains("#F2A900"));
}

// Guarantee: nothing-is-guessed
#[test]
fn no_fix_guesses_a_region_or_a_mode() {
    let folder = tempfile::tempdir().unwrap();
    let files = tenant("acme", &[1], &delay(1));
    let wrong = files[0].1.replace("eu-west-1", "eu-west-9").replace("mode: enforce", "mode: enforc");
    write(folder.path(), "tenants/acme/tenant.yaml", &wrong);
    write(folder.path(), "tenants/acme/web.yaml", &files[1].1);
    let ran = genesync(folder.path(), &["validate", "--fix"]).expect(1);
    assert!(
        ran.stdout.contains("did you mean `enforce`?") && !ran.stderr.contains("fixed"),
        "{}",
        ran.stdout
    );
    assert_eq!(read(folder.path(), "tenants/acme/tenant.yaml"), wrong);
}

#[test]
fn findings_are_printed_in_the_formats_of_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in
        tenant("acme", &[1], "  widget: {theme: {colors: {primary: \"#F2A900\", background: \"#FFFFFF\"}}}\n")
    {
        write(folder.path(), &path, &text);
    }
    let of = |format: &str| genesync(folder.path(), &["validate", "--format", format]).expect(1).stdout;
    let sarif: Value = serde_json::from_str(&of("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "contrast");
    assert!(
        of("github").starts_with(
            "::error file=tenants/acme/web.yaml,line=5,col=38,title=genesync contrast::#F2A900 on #FFFFFF"
        ),
        "{}",
        of("github")
    );
    let gitlab: Value = serde_json::from_str(&of("gitlab")).unwrap();
    assert_eq!(gitlab[0]["location"]["path"], "tenants/acme/web.yaml");
    assert!(of("junit").contains("failures=\"1\""));
    genesync(folder.path(), &["validate", "--fix", "--rev", "HEAD"]).expect(2);
    genesync(folder.path(), &["validate", "--fix", "https://forge.example/fleet.git"]).expect(2);
}

#[test]
fn a_save_is_checked_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = tenant("acme", &[1], &delay(1));
    files.iter().for_each(|(path, text)| write(folder.path(), path, text));
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
    command.env_clear().current_dir(folder.path()).args(["validate", "--watch"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut next = |part: &str| lines.find(|line| line.contains(part)).unwrap();
    assert!(next("checked in").starts_with("1 tenant, 2 files: 0 errors, 0 warnings"));
    write(folder.path(), &files[1].0, &files[1].1.replace("delayMs", "delayMz"));
    next("there is no field `delayMz` here");
    assert!(next("checked in").starts_with("1 tenant, 2 files: 1 error"));
    write(folder.path(), &files[1].0, &files[1].1);
    assert!(next("checked in").starts_with("1 tenant, 2 files: 0 errors"));
    child.kill().and_then(|()| child.wait()).unwrap();
}

// Guarantee: no-zone-is-guessed
#[test]
fn a_similar_time_zone_is_proposed_and_not_written() {
    let stage = Stage::new();
    let hours = "  availability: {schedule: custom, timeZone: Europe/Berln, rules: [{dayOfWeek: MONDAY, startTime: \"08:00\", endTime: \"10:30\"}]}\n";
    stage.commit(&tenant("acme", &[1], hours));
    let found = stage.genesync(&["validate", "--fix"]).expect(1);
    assert!(found.stdout.contains("did you mean `Europe/Berlin`?"), "{}", found.stdout);
    let text = std::fs::read_to_string(stage.repository().join("tenants/acme/web.yaml")).unwrap();
    assert!(text.contains("timeZone: Europe/Berln,"), "{text}");
}
