//! What an author meets: a finding, its fix, the plan, the page; and findings for the programs around them.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Ran, Stage, commit_all, delay, ran, tenant};

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn read(folder: &Path, path: &str) -> String {
    std::fs::read_to_string(folder.join(path)).unwrap()
}

fn genesync(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
    ran(command.env_clear().current_dir(folder).stdin(Stdio::null()).args(arguments).output().unwrap())
}

/// A new repository, an edit with a bad colour, the finding, the fix, the plan, the page: with the real binary.
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
    let mended = read(&folder, "bases/house-style.yaml");
    let hex = mended.split("primary: \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(mended, base.replace("#0B5CAD", &hex), "nothing else is touched");
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

/// Each mistake hides others: what is mended is read again, until nothing is left that a program may mend.
#[test]
fn what_people_leave_out_is_put_in() {
    let folder = tempfile::tempdir().unwrap();
    let files = tenant("acme", &[1], &delay(1));
    write(folder.path(), &files[0].0, &files[0].1);
    write(folder.path(), "tenants/acme/web.yaml", MISSPELT);
    genesync(folder.path(), &["validate", "--fix"]).expect(0);
    let mut mended = MISSPELT.to_owned();
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
        mended = mended.replacen(from, to, 1);
    }
    assert_eq!(read(folder.path(), "tenants/acme/web.yaml"), mended);

    // What a person has to decide is left, and why is said.
    for (from, to, left) in [
        (
            "fontSize: \"20px\"",
            "fontSize: 40px",
            "not every rule could judge acme: mended errors may show others",
        ),
        ("MONDAY", "DAY", "1 error"),
    ] {
        let text = mended.replacen(from, to, 1).replacen("\"#9E6D00\"", "\"#B07900\"", 1);
        write(folder.path(), "tenants/acme/web.yaml", &text);
        let ran = genesync(folder.path(), &["validate", "--fix"]);
        assert!(ran.stderr.contains(left), "{left}: {}", ran.stderr);
        let judged = read(folder.path(), "tenants/acme/web.yaml").contains("#B07900");
        assert_eq!(
            judged,
            from.starts_with("fontSize"),
            "a colour is not judged by a size that can't be read"
        );
    }
    let twice = mended.replacen("  greetings:", "  gretings: {}\n  greetings:", 1);
    write(folder.path(), "tenants/acme/web.yaml", &twice);
    let ran = genesync(folder.path(), &["validate", "--fix"]).expect(1);
    assert!(
        ran.stdout.contains("`greetings`? it stands here already: keep one of the two"),
        "{}",
        ran.stdout
    );
    assert_eq!(read(folder.path(), "tenants/acme/web.yaml"), twice);
}

#[test]
fn nothing_is_started_inside_of_a_repository() {
    let folder = tempfile::tempdir().unwrap();
    genesync(folder.path(), &["init"]).expect(0);
    let inside = folder.path().join("tenants/acme");
    let lost = genesync(&inside, &["validate"]).expect(1);
    assert!(
        lost.stderr.contains("this folder lies inside a configuration repository: name `"),
        "{}",
        lost.stderr
    );
    for arguments in [&["init"][..], &["init", "new/deep"]] {
        let refused = genesync(&inside, arguments).expect(2);
        assert!(refused.stderr.contains("lies inside the configuration repository"), "{}", refused.stderr);
    }
    assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 2);
    let deep = genesync(folder.path(), &["init", "sub/dir"]).expect(2);
    assert!(deep.stderr.contains("lies inside the configuration repository"), "{}", deep.stderr);
    // Where a repository stands already, what is there is kept.
    genesync(folder.path(), &["init"]).expect(0);
}

/// What looks like a slip may be a wish: words that decide something are told of, and written by a person.
#[test]
fn no_fix_guesses_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let files = tenant("acme", &[1], &delay(1));
    write(folder.path(), &files[0].0, &files[0].1);
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
        // Whose comment it is that stands above the first, or is indented, and where a blank line belongs, is not sure.
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

/// What one tenant of two wants of a layer is left to a person.
#[test]
fn a_fix_that_is_left_is_told() {
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
    assert!(ran.stderr.contains(": not every document that extends this file wants it"), "{}", ran.stderr);
    assert_eq!(read(folder.path(), "bases/house.yaml"), layer);
    // What a tenant wants that can't be read, nobody knows.
    let two = read(folder.path(), "tenants/two/web.yaml").replace("#000000", "#FFFFFF");
    write(folder.path(), "tenants/two/web.yaml", &format!("{two}  greetings: {{delayMs: soon}}\n"));
    genesync(folder.path(), &["validate", "--fix"]).expect(1);
    assert_eq!(read(folder.path(), "bases/house.yaml"), layer);
    write(folder.path(), "tenants/two/web.yaml", &two);
    genesync(folder.path(), &["validate", "--fix"]).expect(0);
    assert_ne!(read(folder.path(), "bases/house.yaml"), layer);
}

#[test]
fn what_can_be_mended_is_mended_and_everything_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    let files = tenant("acme", &[1], &delay(1));
    write(folder.path(), &files[0].0, &files[0].1);
    write(folder.path(), "tenants/acme/web.yaml", MESSY);
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
    // A folded scalar is no quoted one: whichever way it was mended, it is on one line of text.
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
fn a_layer_is_not_mended_for_one_of_its_tenants_and_nothing_that_is_waived() {
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

#[test]
fn nobody_guesses_where_a_tenant_is_or_whether_it_is_written() {
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
fn findings_come_in_the_forms_of_the_programs_around() {
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

/// The lines of a step's `run: |` in a workflow file.
fn script(workflow: &str, step: &str) -> String {
    let after = workflow.split(&format!("- name: {step}")).nth(1).unwrap();
    let block = after.split("run: |\n").nth(1).unwrap();
    let lines = block.lines().take_while(|line| line.starts_with("          ") || line.is_empty());
    lines.map(|line| format!("{}\n", line.trim_start_matches("          "))).collect()
}

/// What GitLab's jobs run, by a real shell with a real git; and the job that builds everybody's code has no credentials.
#[test]
fn the_jobs_that_init_writes_for_gitlab_plan_a_merge_request() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    let folder = stage.repository();
    let repository = git2::Repository::open(&folder).unwrap();
    let base = repository.head().unwrap().target().unwrap();
    let name = repository.head().unwrap().shorthand().unwrap().to_owned();
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let head = repository.head().unwrap().target().unwrap();

    let started = tempfile::tempdir().unwrap();
    genesync(started.path(), &["init", "--ci", "gitlab"]).expect(0);
    assert!(!started.path().join(".github").exists());
    let jobs = genesync::manifest::yaml::compose(&read(started.path(), ".gitlab/genesync.yml"), 0);
    assert_eq!(jobs.problems, []);
    let jobs = jobs.documents[0].to_json();
    let runs = |job: &str, key: &str| -> String {
        let lines = jobs[job][key].as_array().unwrap();
        lines.iter().map(|line| format!("{}\n", line.as_str().unwrap())).collect()
    };
    assert!(runs("genesync-install", "script").contains("cargo install --locked "));
    assert_eq!(jobs["genesync-install"]["environment"], Value::Null);
    assert_eq!(jobs["genesync-plan"]["environment"]["name"], "genesync-plan");
    assert_eq!(jobs[".genesync-run"]["needs"][0], "genesync-install");
    for job in ["genesync-check", "genesync-plan"] {
        assert!(!runs(job, "script").contains("cargo") && jobs[job]["extends"] == ".genesync-run", "{job}");
    }

    let bin = Path::new(env!("CARGO_BIN_EXE_genesync")).parent().unwrap().to_owned();
    let run = |job: &str, code: i32| {
        let work = stage.path(job);
        std::fs::create_dir(&work).unwrap();
        let script = format!("{}{}", runs(".genesync-run", "before_script"), runs(job, "script"));
        // Nothing listens there: what is posted is another test's.
        let script = script.replace("genesync pr-comment", "true");
        let mut shell = stage.dress(Command::new("bash"));
        shell.current_dir(&work).args(["-eo", "pipefail", "-c", &script]);
        shell.env("PATH", format!("{}:{}", bin.display(), env!("PATH")));
        shell
            .env("TMPDIR", &work)
            .env("CI_PROJECT_DIR", &work)
            .env("CI_PIPELINE_URL", "https://ci.example/1");
        shell.env("CI_REPOSITORY_URL", format!("file://{}", folder.display()));
        shell.env("CI_COMMIT_SHA", head.to_string()).env("CI_DEFAULT_BRANCH", &name);
        shell.env("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.to_string());
        ran(shell.output().unwrap()).expect(code);
        work
    };
    let checked = run("genesync-check", 0);
    assert!(read(&checked, "genesync-junit.xml").contains("name=\"acme\""));
    assert_eq!(read(&checked, "genesync-quality.json").trim(), "[]");
    let planned = run("genesync-plan", 0);
    let plan: Value = serde_json::from_str(&read(&planned, "plan.json")).unwrap();
    let tenants: Vec<&Value> =
        plan["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["tenant"]).collect();
    assert_eq!(tenants, ["acme"], "what the merge request moved, and nothing else");
    assert!(planned.join("plan.html").exists() && !planned.join("tenants").exists());
}

/// The workflow's own commands, by a real shell with a real git: the pull request is data, and is planned from where it
/// branched off.
#[test]
fn the_workflow_that_init_writes_plans_a_pull_request() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    let folder = stage.repository();
    let repository = git2::Repository::open(&folder).unwrap();
    let base = repository.head().unwrap().target().unwrap();
    let name = repository.head().unwrap().shorthand().unwrap().to_owned();
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let head = repository.head().unwrap().target().unwrap();
    repository.reference("refs/pull/7/head", head, true, "a pull request").unwrap();
    repository.reset(repository.find_commit(base).unwrap().as_object(), git2::ResetType::Hard, None).unwrap();
    // Meanwhile the other tenant moved on the default branch: that is not the pull request's.
    stage.commit(&tenant("zeta", &[2], &delay(9)));

    let started = tempfile::tempdir().unwrap();
    genesync(started.path(), &["init", "--ci", "github"]).expect(0);
    assert!(!started.path().join(".gitlab").exists());
    let workflow = read(started.path(), ".github/workflows/genesync-plan.yml");
    let work = stage.path("runner");
    std::fs::create_dir(&work).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_genesync")).parent().unwrap().to_owned();
    let run = |step: &str| {
        let mut shell = stage.dress(Command::new("bash"));
        shell.current_dir(&work).args(["-eo", "pipefail", "-c", &script(&workflow, step)]);
        shell
            .env("PATH", format!("{}:{}", bin.display(), env!("PATH")))
            .env("TOKEN", "none")
            .env("BASE", &name);
        shell.env("SERVER", format!("file://{}", stage.path("").display())).env("REPOSITORY", "fleet");
        shell
            .env("NUMBER", "7")
            .env("HEAD", head.to_string())
            .env("RUN_URL", "https://ci.example/1")
            .env("GITHUB_OUTPUT", work.join("output"));
        ran(shell.output().unwrap()).expect(0)
    };
    run("Fetch the pull request's commits");
    assert_eq!(read(&work, "base.txt").trim(), base.to_string());
    run("Plan");
    assert_eq!(read(&work, "output"), "code=0\n");
    let comment = read(&work, "plan.md");
    assert!(comment.contains("#### `acme`") && !comment.contains("zeta"), "{comment}");
    assert!(comment.contains("[The whole plan](https://ci.example/1)"), "{comment}");
    // Nothing of it was checked out.
    assert!(!work.join("tenants").exists() && !work.join("fleet.git/tenants").exists());
}

/// What nobody manages any more stays live, so that no change shows it: the plan of a commit says it all the same.
#[test]
fn a_plan_says_what_git_gives_up() {
    let web = |spec: &str| {
        format!("apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {{name: web}}\nspec:\n{spec}")
    };
    let both = web(
        "  greetings: {enabled: true, delayMs: 1500}\n  availability: {schedule: always, timeZone: Europe/Dublin}\n",
    );
    let files = |name: &str, number: u32, spec: &str| {
        let mut files = tenant(name, &[number], &delay(1));
        files[1].1 = spec.to_owned();
        files
    };
    let stage = Stage::applied(&[files("acme", 1, &both), files("beta", 2, &both)]);
    let folder = stage.repository();
    let plan = || {
        commit_all(&folder);
        stage.genesync(&["plan", "--since", "HEAD~1", "--out", "../p.md", "--out", "../p.html"]).expect(0);
        let text = stage.genesync(&["plan", "--since", "HEAD~1"]).expect(0).stdout;
        let page = std::fs::read_to_string(stage.path("p.html")).unwrap();
        assert!(page.contains("<h2>What git manages</h2>"), "{page}");
        (std::fs::read_to_string(stage.path("p.md")).unwrap(), text)
    };
    let told = |part: &str| {
        let (comment, text) = plan();
        assert!(comment.starts_with("### genesync plan: what git manages changes"), "{comment}");
        assert!(comment.contains(part), "{part}: {comment}");
        let plain = part.replace('`', "");
        assert!(text.replace(['“', '”'], "").contains(plain.trim_start_matches("- ")), "{part}: {text}");
    };
    write(&folder, "tenants/acme/web.yaml", &both.replace("enabled: true, ", ""));
    for arguments in [&["plan", "--since", "HEAD"][..], &["apply"]] {
        let ran = stage.genesync(arguments).expect(0);
        assert!(ran.stderr.contains("1 file is not committed, and is not looked at"), "{}", ran.stderr);
    }
    for arguments in [&["plan"][..], &["apply", "--rev", "HEAD"]] {
        assert!(!stage.genesync(arguments).expect(0).stderr.contains("committed"), "{arguments:?}");
    }
    told("- `acme`: no longer managed, and stays as it is: `greetings.enabled`");
    write(&folder, "tenants/acme/web.yaml", &both.replace("Dublin", "Paris").replace("enabled: true, ", ""));
    told("- `acme`: the time zone of its hours: `Europe/Dublin` becomes `Europe/Paris`; it is not sent");
    // What was not valid before can be given up all the same.
    let ill = both.replace("delayMs: 1500", "messages: [\" \"]").replace("enabled: true, ", "");
    write(&folder, "tenants/acme/web.yaml", &ill);
    commit_all(&folder);
    write(
        &folder,
        "tenants/acme/web.yaml",
        &web("  availability: {schedule: always, timeZone: Europe/Paris}\n"),
    );
    told("- `acme`: no longer managed, and stays as it is: `greetings.messages`");
    write(&folder, "tenants/acme/web.yaml", &web("  availability: {schedule: always}\n"));
    told("- `acme`: the time zone of its hours: `Europe/Paris` becomes `none`; it is not sent");
    let settings = read(&folder, "tenants/acme/tenant.yaml");
    write(&folder, "tenants/acme/tenant.yaml", &format!("{settings}oops: [\n"));
    commit_all(&folder);
    write(&folder, "tenants/acme/tenant.yaml", &settings);
    told("- `acme`: could not be read before: what changed in it can't be told");
    write(&folder, "tenants/acme/tenant.yaml", &settings.replace("mode: enforce", "mode: watch"));
    told("- `acme`: only watched from now on: nothing is written any more");
    write(
        &folder,
        "genesync.yaml",
        "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {name: fleet}\nspec: {rules: {severity: {contrast: ignore}}}\n",
    );
    told("- `genesync.yaml`: `rules.severity.contrast`: `(absent)` becomes `\"ignore\"`");
    std::fs::rename(folder.join("tenants/beta"), folder.join("tenants/gamma")).unwrap();
    let renamed = read(&folder, "tenants/gamma/tenant.yaml").replace("name: beta", "name: gamma");
    write(&folder, "tenants/gamma/tenant.yaml", &renamed);
    told("- `beta`: its organization belongs to another tenant now: `gamma`");
    std::fs::remove_dir_all(folder.join("tenants/gamma")).unwrap();
    told("- `gamma`: no longer in git: what is live stays as it is, and nobody looks at it");
    std::fs::remove_file(folder.join("tenants/acme/web.yaml")).unwrap();
    told("- `acme`: no longer managed, and stays as it is:");
    let ran = stage.genesync(&["validate"]).expect(0);
    assert!(
        ran.stderr.contains("nothing is managed of acme: there is a tenant.yaml, and no configuration"),
        "{}",
        ran.stderr
    );
    let nothing = stage.genesync(&["plan"]).expect(0).stdout;
    assert!(
        nothing.contains("No changes: 0 tenants are in sync with folder, 1 with nothing to manage"),
        "{nothing}"
    );
}
