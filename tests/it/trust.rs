//! What people rely on: a commit cannot lift a guard and use that at once, names come with proof, and the
//! state is still the one that was opened. Each story ends with the command that the refusal itself names.

use serde_json::{Value, json};

use crate::support::{Ran, Stage, commit_all, delay, organization, tenant, wait_until};

/// Returns a tenant with labels and its own `sync`, whose greeting is on or off.
fn labelled(name: &str, number: u32, protected: bool, sync: &str, greets: bool) -> Vec<(String, String)> {
    let web = format!("  greetings: {{enabled: {greets}, messages: [Hello], delayMs: 1}}\n");
    let labels = if protected { ", labels: {protected: \"true\"}" } else { "" };
    let files = tenant(name, &[number], &web).into_iter();
    files
        .map(|(path, text)| {
            let text = text.replace(&format!("{{name: {name}}}"), &format!("{{name: {name}{labels}}}"));
            (path, text.replace("mode: enforce", &format!("mode: enforce{sync}")))
        })
        .collect()
}

fn greets(stage: &Stage, number: u32) -> bool {
    stage.live(number).1["greetings"]["enabled"] == true
}

/// Returns a change window of one minute, three days from now.
fn shut() -> String {
    let day = jiff::Zoned::now()
        .with_time_zone(jiff::tz::TimeZone::UTC)
        .checked_add(jiff::SignedDuration::from_hours(72));
    let day = day.unwrap().strftime("%A").to_string().to_uppercase();
    format!(", windows: [{{days: [{day}], start: \"00:00\", end: \"00:01\", timeZone: Etc/UTC}}]")
}

/// Returns what is printed of a refusal, on either stream.
pub fn printed(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

/// Removes the state, as on a new runner.
fn forget(stage: &Stage) {
    std::fs::remove_dir_all(stage.path("state")).unwrap();
}

#[test]
fn a_runner_without_state_compares_each_commit_with_its_parent() {
    let stage = Stage::new();
    stage.commit(&[labelled("acme", 1, true, "", true), labelled("zeta", 2, false, "", true)].concat());
    let first = stage.stateless(&["apply"]).expect(0);
    assert_eq!(first.stderr.matches("this run keeps no state").count(), 1, "{}", first.stderr);
    // The commit removes the label that protects its own change; the other tenant is applied.
    stage.commit(&[labelled("acme", 1, false, "", false), tenant("zeta", &[2], &delay(2))].concat());
    let plan = stage.stateless(&["plan", "--rev", "HEAD", "--detailed-exitcode"]).expect(5);
    assert_eq!(plan.stderr.matches("planned without a state").count(), 1, "{}", plan.stderr);
    assert!(plan.stdout.contains("refused by guard `protected`: acme is protected"), "{}", plan.stdout);
    assert!(!plan.stdout.contains("adopt"), "{}", plan.stdout);
    let refused = stage.stateless(&["apply"]).expect(6);
    assert!(printed(&refused).contains("switches off greetings.enabled"), "{}", printed(&refused));
    assert!(greets(&stage, 1) && stage.live(2).1["greetings"]["delayMs"] == 2);
    let command = refused.stdout.lines().find_map(|line| line.strip_prefix("To open these guards, run: "));
    let words = named_command(&format!("`{}`", command.unwrap()), "genesync apply");
    stage.stateless(&words.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
    assert!(!greets(&stage, 1));
    // A commit of its own removes the label, and the next commit may use that.
    for (protected, greeting) in [(true, true), (false, true), (false, false)] {
        stage.commit(&labelled("acme", 1, protected, "", greeting));
        stage.stateless(&["apply"]).expect(0);
    }
    assert!(!greets(&stage, 1) && !stage.path("state").exists());
}

#[test]
fn a_clone_without_the_parent_reports_that_it_cannot_compare() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], &delay(1)));
    stage.commit(&tenant("acme", &[1], &delay(2)));
    let shallow = stage.path("shallow");
    let url = format!("file://{}", stage.repository().display());
    let cloned = std::process::Command::new("git")
        .args(["clone", "--quiet", "--depth", "1", &url, shallow.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(cloned.success());
    let ran = stage.genesync(&["apply", shallow.to_str().unwrap()]).expect(0);
    assert!(
        ran.stderr.contains("cannot check whether this commit loosens a guard that it needs"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("fetch-depth: 2"), "{}", ran.stderr);
    // Once the commit is applied, the state knows it.
    let again = stage.genesync(&["apply", shallow.to_str().unwrap()]).expect(0);
    assert!(!again.stderr.contains("not known"), "{}", again.stderr);
}

#[test]
fn with_a_state_a_guard_is_lifted_by_a_commit_that_was_applied_before() {
    let stage = Stage::applied(&[labelled("acme", 1, true, "", true), labelled("zeta", 2, false, "", true)]);
    // Several commits between two applies: the state has no proof that the commit that only removed the label
    // was applied.
    stage.commit(&labelled("acme", 1, false, "", true));
    stage.commit(&labelled("acme", 1, false, "", false));
    let refused = stage.genesync(&["apply"]).expect(5);
    assert!(
        printed(&refused).contains("acme is protected, and the plan switches off greetings.enabled"),
        "{}",
        printed(&refused)
    );
    // Reverted, removed alone, found in sync: the next commit may use it.
    stage.commit(&labelled("acme", 1, false, "", true));
    stage.genesync(&["apply"]).expect(0);
    stage.commit(&labelled("acme", 1, false, "", false));
    stage.genesync(&["apply"]).expect(0);
    assert!(!greets(&stage, 1));
    // A window that the commit opens stays closed until that commit was applied.
    stage.commit(&labelled("zeta", 2, false, &shut(), true));
    stage.genesync(&["apply"]).expect(0);
    let changed = labelled("zeta", 2, false, "", true).into_iter();
    let changed: Vec<_> =
        changed.map(|(path, text)| (path, text.replace("delayMs: 1", "delayMs: 5"))).collect();
    stage.commit(&changed);
    let waits = stage.genesync(&["apply"]).expect(3);
    assert!(printed(&waits).contains("outside the change window"), "{}", printed(&waits));
    stage.genesync(&["apply", "--tenant", "zeta", "--allow", "window", "--reason", "asked for"]).expect(0);
    assert_eq!(stage.live(2).1["greetings"]["delayMs"], 5);
}

fn project(guards: &str) -> (String, String) {
    let text = format!(
        "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {{name: p}}\nspec:\n  guards: {guards}\n"
    );
    ("genesync.yaml".into(), text)
}

fn fleet(numbers: std::ops::RangeInclusive<u32>, ms: u32) -> Vec<(String, String)> {
    numbers.flat_map(|number| tenant(&format!("t{number}"), &[number], &delay(ms))).collect()
}

// Guarantee: the-stricter-commit
#[test]
fn no_commit_lifts_the_run_limit_for_itself() {
    let stage = Stage::new();
    stage.commit(&[fleet(1..=6, 1), vec![project("{run: {tenantsMax: 2}}")]].concat());
    stage.genesync(&["apply"]).expect(0);
    for with_state in [true, false] {
        let ms = if with_state { 2 } else { 3 };
        stage.commit(&[fleet(1..=6, ms), vec![project("{run: {tenantsMax: 6}}")]].concat());
        let apply = || if with_state { stage.genesync(&["apply"]) } else { stage.stateless(&["apply"]) };
        let refused = apply().expect(5);
        assert!(
            printed(&refused).contains("one run changes 6 tenants, and the limit is 2"),
            "{}",
            printed(&refused)
        );
        // Reverted; a commit of its own lifts the limit.
        stage.commit(&[fleet(1..=6, 1), vec![project("{run: {tenantsMax: 2}}")]].concat());
        apply().expect(0);
    }
    stage.commit(&[project("{run: {tenantsMax: 6}}")]);
    stage.genesync(&["apply"]).expect(0);
    stage.commit(&fleet(1..=6, 4));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(stage.live(6).1["greetings"]["delayMs"], 4);
}

#[test]
fn protection_follows_the_organization_and_not_the_folder() {
    let stage = Stage::applied(&[labelled("acme", 1, true, "", true), labelled("zeta", 2, false, "", true)]);
    // Another folder, without the label, names the organization.
    std::fs::remove_dir_all(stage.repository().join("tenants/acme")).unwrap();
    stage.commit(&labelled("bank", 1, false, "", false));
    let refused = stage.genesync(&["apply"]).expect(5);
    assert!(printed(&refused).contains("bank is protected"), "{}", printed(&refused));
    assert!(greets(&stage, 1));
    // Two tenants swap their organizations: the protected organization would get the other tenant's disabled
    // greeting.
    let stage = Stage::applied(&[labelled("acme", 1, true, "", true), labelled("zeta", 2, false, "", false)]);
    stage.commit(&[labelled("acme", 2, true, "", true), labelled("zeta", 1, false, "", false)].concat());
    let refused = stage.genesync(&["apply"]).expect(6);
    assert!(printed(&refused).contains("zeta is protected"), "{}", printed(&refused));
    assert!(greets(&stage, 1));
}

// Guarantee: guards-refuse
#[test]
fn the_second_tenant_that_would_go_off_within_an_hour_is_refused() {
    let all = |greets: bool| {
        (1..=4).flat_map(move |number| labelled(&format!("t{number}"), number, false, "", greets))
    };
    let stage = Stage::new();
    stage.commit(&all(true).collect::<Vec<_>>());
    stage.genesync(&["apply"]).expect(0);
    stage.commit(&all(false).collect::<Vec<_>>());
    let open_run = ["--allow", "run-tenants", "--reason", "x"];
    let plan = stage.genesync(&["plan"]).expect(5);
    assert!(
        plan.stdout.contains(
            "To open these guards, run: genesync apply --allow run-tenants --allow run-off --reason TEXT"
        ),
        "{}",
        plan.stdout
    );
    assert!(plan.stdout.contains("refused by guard `run-off`: one run switches off what visitors use at 4 tenants (t1, t2, t3 and 1 more)"), "{}", plan.stdout);
    stage.genesync(&[&["apply"][..], &open_run].concat()).expect(5);
    assert!((1..=4).all(|number| greets(&stage, number)));
    // One by one, by separate processes: the store counts them all.
    stage.genesync(&[&["apply", "--tenant", "t1"][..], &open_run].concat()).expect(0);
    let refused = stage.genesync(&[&["apply", "--tenant", "t2"][..], &open_run].concat()).expect(5);
    let reported =
        "the plan switches something off at t2, and something was switched off at t1 within the last hour";
    assert!(printed(&refused).contains(reported), "{}", printed(&refused));
    assert!(!greets(&stage, 1) && greets(&stage, 2));
    stage
        .genesync(&["apply", "--allow", "run-off", "--allow", "run-tenants", "--reason", "closing down"])
        .expect(0);
    assert!((1..=4).all(|number| !greets(&stage, number)));
}

/// Replaces the last commit with another one.
fn amend(stage: &Stage, files: &[(String, String)]) {
    let repository = git2::Repository::open(stage.repository()).unwrap();
    let parent = repository.head().unwrap().peel_to_commit().unwrap().parent(0).unwrap();
    repository.reset(parent.as_object(), git2::ResetType::Hard, None).unwrap();
    stage.commit(files);
}

#[test]
fn an_unwritten_head_may_be_amended_and_a_written_one_may_not() {
    let stage = Stage::applied(&[labelled("acme", 1, true, "", true)]);
    stage.commit(&labelled("acme", 1, true, "", false));
    stage.genesync(&["apply"]).expect(5);
    let fixed = |ms: u32| {
        let files = labelled("acme", 1, true, "", true).into_iter();
        files
            .map(|(path, text)| (path, text.replace("delayMs: 1", &format!("delayMs: {ms}"))))
            .collect::<Vec<_>>()
    };
    amend(&stage, &fixed(3));
    stage.genesync(&["apply"]).expect(0);
    amend(&stage, &fixed(4));
    let refused = stage.genesync(&["apply"]).expect(5);
    assert!(printed(&refused).contains("refused by guard `rewind`"), "{}", printed(&refused));
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 3);
    // An invalid first commit was never applied.
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], "  greetings: {enabled: 7}\n"));
    stage.genesync(&["apply"]).expect(1);
    let other = stage.repository();
    std::fs::remove_dir_all(other.join(".git")).unwrap();
    stage.commit(&tenant("acme", &[1], &delay(1)));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!(commit_all(&other).len(), 40);
}

#[test]
fn a_tenant_can_be_paused_before_there_is_a_state() {
    let stage = Stage::new();
    stage.commit(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))].concat());
    let paused = stage.genesync(&["pause", "acme", "--reason", "outage"]).expect(0);
    assert!(paused.stderr.contains("the state has no tenant acme yet"), "{}", paused.stderr);
    stage.genesync(&["apply"]).expect(0);
    assert_eq!((stage.live(1).0, stage.live(2).0), (0, 1));
    stage.genesync(&["apply", "--tenant", "acme", "--allow", "pause", "--reason", "needed"]).expect(0);
    assert_eq!(stage.live(1).0, 1);
}

// Guarantee: one-state
#[test]
fn a_state_that_is_deleted_under_a_controller_ends_its_writes_and_fails_its_probe() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.configure(&["controller.resync-ms = 300"]);
    let running = stage.controller();
    stage.wait_for(&["acme"], "Synced");
    assert!(running.get("/healthz").starts_with("HTTP/1.1 200"));
    for file in std::fs::read_dir(stage.path("state")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let mark = stage.mark();
    stage.edit(1, &json!({"greetings": {"delayMs": 9}}));
    wait_until("the probe fails", || running.get("/healthz").starts_with("HTTP/1.1 503"));
    let reported = running.get("/healthz");
    assert!(
        reported.contains("the state was replaced while this process ran") && reported.contains("is gone"),
        "{reported}"
    );
    assert_eq!(stage.writes(mark), []);
    assert_eq!(running.stop().0, 0);
    // A restarted process accepts the missing state: it creates one, which knows no earlier apply.
    let _running = stage.controller();
    wait_until("it is asked about", || stage.status("acme")["reason"].to_string().contains("genesync allow"));
    run(&stage, &named_command(&stage.status("acme")["reason"].to_string(), "genesync allow")).expect(0);
    wait_until("it is set back", || stage.live(1).1["greetings"]["delayMs"] == 1);
}

fn conflict(stage: &Stage, ms: u32) -> String {
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    stage.commit(
        &labelled("acme", 1, false, ", onConflict: hold", true)
            .into_iter()
            .map(|(path, text)| (path, text.replace("delayMs: 1", &format!("delayMs: {ms}"))))
            .collect::<Vec<_>>(),
    )
}

#[test]
fn a_conflict_is_held_until_the_named_command_lets_git_win() {
    for with_state in [true, false] {
        let stage = Stage::applied(&[labelled("acme", 1, false, ", onConflict: hold", true)]);
        if !with_state {
            // The audit log is late, too: then only the version shows the author.
            stage.control("POST", "settings", &json!({"auditDelayMs": 3_600_000}));
        }
        let genesync =
            |words: &[&str]| if with_state { stage.genesync(words) } else { stage.stateless(words) };
        conflict(&stage, 5);
        // A plan without a state names the possible authors, and contains nothing that only a state could
        // know.
        let plan = genesync(&["plan", "--detailed-exitcode"]).expect(if with_state { 4 } else { 3 });
        let held = genesync(&["apply"]).expect(4);
        let reported = match with_state {
            true => "git and another user changed greetings.delayMs (by Mara Ionescu)",
            false => {
                "Mara Ionescu changed the live object, and genesync has no record of what it applied last"
            }
        };
        assert!(printed(&held).contains(reported), "{}", printed(&held));
        assert_eq!(printed(&plan).contains(reported), with_state, "{}", printed(&plan));
        assert_eq!(
            plan.stdout.contains("no record of what was applied last"),
            !with_state,
            "{}",
            plan.stdout
        );
        assert_eq!(stage.live(1).1["greetings"]["delayMs"], 777);
        genesync(&["apply", "--tenant", "acme", "--allow", "conflict", "--reason", "git is right"]).expect(0);
        assert_eq!(stage.live(1).1["greetings"]["delayMs"], 5);
    }
}

#[test]
fn a_switched_off_field_stays_off_with_on_off_hold() {
    let stage = Stage::applied(&[labelled("acme", 1, true, ", onOff: hold", true)]);
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    let held = stage.genesync(&["apply", "--format", "json"]).expect(4).json();
    assert!(
        held["tenants"][0]["reason"]
            .to_string()
            .contains("another user switched off greetings.enabled (by Mara Ionescu)"),
        "{held}"
    );
    assert_eq!(
        held["tenants"][0]["targets"][0]["changes"][0]["class"], "off",
        "the class of the past change, not of the planned one"
    );
    assert!(!greets(&stage, 1));
    stage.genesync(&["apply", "--tenant", "acme", "--allow", "conflict", "--reason", "over"]).expect(0);
    assert!(greets(&stage, 1));
}

fn change(stage: &Stage, arguments: &[&str]) -> Value {
    let plan = stage.genesync(arguments).expect(0).json();
    plan["tenants"][0]["targets"][0]["changes"][0].clone()
}

// Guarantee: names-with-proof
#[test]
fn the_author_of_a_field_is_named_once_the_log_proves_it() {
    let stage = Stage::applied(&[tenant(
        "acme",
        &[1],
        &format!("{}  widget: {{theme: {{colors: {{primary: \"#0B5CAD\"}}}}}}\n", delay(1)),
    )]);
    let by = |actor: &str, patch: Value| {
        stage.control(
            "POST",
            "edit",
            &json!({"organizationId": organization(1), "actor": actor, "patch": patch}),
        );
    };
    // Ana changes the delay, then Zoe the greeting; the log is late for both.
    stage.control("POST", "settings", &json!({"auditDelayMs": 3_600_000}));
    by("Ana", json!({"greetings": {"delayMs": 777}}));
    let one = change(&stage, &["plan", "--format", "json"]);
    assert_eq!(
        (&one["path"], &one["by"]["actor"]["name"]),
        (&json!("greetings.delayMs"), &json!("Ana")),
        "one version lies in between"
    );
    by("Zoe", json!({"greetings": {"messages": ["Hi"]}}));
    let plan = stage.genesync(&["plan"]).expect(0).stdout;
    assert!(!plan.contains("Ana") && !plan.contains("Zoe"), "{plan}");
    assert_eq!(plan.matches("author not known: no audit entry found (1 lookup until").count(), 2, "{plan}");
    // If the client may not read the log, genesync reports that instead of a missing entry.
    stage.control(
        "POST",
        "faults",
        &json!({"faults": [{"match": {"path": "**/audit/**"}, "do": {"status": 403}, "times": 1000}]}),
    );
    let plan = stage.genesync(&["plan"]).expect(0).stdout;
    assert!(
        plan.contains("author not known: the client has no permission to read the audit log (audit:read)"),
        "{plan}"
    );
    let applied = stage.genesync(&["apply"]).expect(0).stdout;
    assert!(
        applied.contains("the client has no permission to read the audit log (audit:read)")
            && !applied.contains("missing"),
        "{applied}"
    );
}

/// Returns the command that a text names between backticks, with a reason instead of `TEXT`.
pub fn named_command(text: &str, begins: &str) -> Vec<String> {
    let named = text.split('`').find(|part| part.starts_with(begins)).unwrap_or_else(|| panic!("{text}"));
    let words = named.strip_prefix("genesync ").unwrap().split(' ');
    words.map(|word| if word == "TEXT" { "asked for".to_owned() } else { word.to_owned() }).collect()
}

pub fn run(stage: &Stage, words: &[String]) -> Ran {
    stage.genesync(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

// Guarantee: guards-refuse
#[test]
fn a_controllers_refusal_names_the_command_that_opens_the_guard_for_one_run() {
    let stage = Stage::applied(&[labelled("acme", 1, true, "", true)]);
    stage.configure(&["controller.resync-ms = 400"]);
    let _running = stage.controller();
    let reason = || stage.status("acme")["reason"].to_string();
    for _ in 0..2 {
        stage.commit(&labelled("acme", 1, true, "", false));
        stage.genesync(&["sync", "acme"]).expect(0);
        wait_until("it is refused", || reason().contains("genesync allow"));
        assert!(reason().contains("protected: acme is protected"), "{}", reason());
        run(&stage, &named_command(&reason(), "genesync allow")).expect(0);
        wait_until("it is written", || !greets(&stage, 1));
        wait_until("the state knows", || stage.status("acme")["status"] == "Synced");
        // The next commit switches it on again, and the one after that is refused again.
        stage.commit(&labelled("acme", 1, true, "", true));
        wait_until("it is on again", || greets(&stage, 1));
        wait_until("the state knows", || stage.status("acme")["status"] == "Synced");
    }
    let history = stage.genesync(&["history", "acme"]).expect(0).stdout;
    assert_eq!(history.matches("protected by ops@desk (as claimed) until").count(), 2, "{history}");
    assert!(history.contains("asked for"), "{history}");
    let shared = stage.genesync(&["allow", "protected,run-tenants", "acme", "--reason", "x"]).expect(2);
    assert!(shared.stderr.contains("`run-tenants` checks all tenants together"), "{}", shared.stderr);
}

#[test]
fn a_scheduled_job_uses_the_guards_that_were_opened_for_its_tenant() {
    let stage = Stage::applied(&[labelled("acme", 1, true, "", true), tenant("zeta", &[2], &delay(1))]);
    stage.commit(&[labelled("acme", 1, true, "", false), tenant("zeta", &[2], &delay(2))].concat());
    let refused = stage.genesync(&["run", "--once"]).expect(6);
    assert!(greets(&stage, 1));
    run(&stage, &named_command(&printed(&refused), "genesync allow")).expect(0);
    stage.genesync(&["run", "--once"]).expect(0);
    assert!(!greets(&stage, 1));
    // By hand the command is another one: the one that applies.
    stage.commit(&labelled("acme", 1, true, "", true));
    stage.genesync(&["run", "--once"]).expect(0);
    stage.commit(&labelled("acme", 1, true, "", false));
    let refused = stage.genesync(&["apply"]).expect(5).stdout;
    let command = refused.lines().find_map(|line| line.strip_prefix("To open these guards, run: ")).unwrap();
    assert_eq!(command, "genesync apply --tenant acme --allow protected --reason TEXT");
    run(&stage, &named_command(&format!("`{command}`"), "genesync apply")).expect(0);
    assert!(!greets(&stage, 1));
}

#[test]
fn an_approved_plan_opens_the_guards_that_were_approved_with_it() {
    let stage = Stage::applied(&[labelled("acme", 1, true, "", true)]);
    stage.commit(&labelled("acme", 1, true, "", false));
    let file = stage.path("plan.json");
    let out = file.to_str().unwrap();
    let page = stage.path("plan.html");
    let plan = ["plan", "--rev", "HEAD", "--out", out, "--out", page.to_str().unwrap()];
    let open = ["--allow", "protected", "--reason", "closing at the new year"];
    stage.genesync(&[&plan[..], &open].concat()).expect(0);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains("Made with guards open:") && page.contains("protected (closing at the new year)"),
        "{page}"
    );
    let text = std::fs::read_to_string(&file).unwrap();
    let mut whole: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole["allowed"], json!({"guards": ["protected"], "reason": "closing at the new year"}));
    // Another guard or another reason makes another plan.
    let digest = whole["digest"].as_str().unwrap().to_owned();
    whole["allowed"]["reason"] = "x".into();
    std::fs::write(&file, whole.to_string()).unwrap();
    stage.genesync(&["apply", "--plan", out]).expect(5);
    std::fs::write(&file, text).unwrap();
    let applied = stage.genesync(&["apply", "--plan", out, "--approve", &digest]).expect(0);
    assert!(
        applied.stderr.contains("guards opened for this run: protected (closing at the new year)"),
        "{}",
        applied.stderr
    );
    assert!(!greets(&stage, 1));
}

/// A night on a small fleet: a pause, a conflict, an emergency fix, and a commit that would switch off a
/// protected chat. `runs` starts the next run; the command in each refusal resolves it.
fn night(stage: &Stage, runs: &dyn Fn()) {
    let sync = ", onConflict: hold, onOff: hold";
    let reason = |name: &str| stage.status(name)["reason"].as_str().unwrap_or_default().to_owned();
    let settle = |name: &str, what: &str, is_so: &dyn Fn() -> bool| {
        wait_until(&format!("{name}: {what}"), || {
            if is_so() {
                return true;
            }
            runs();
            is_so()
        });
    };
    // One tenant had another live delay before git was connected; the others equal git.
    settle("mono", "asked about", &|| reason("mono").contains("genesync allow adopt mono"));
    assert_eq!(stage.live(3).1["greetings"]["delayMs"], 9);
    run(stage, &named_command(&reason("mono"), "genesync allow")).expect(0);
    settle("mono", "taken over", &|| stage.live(3).1["greetings"]["delayMs"] == 1);
    for name in ["acme", "zeta", "mono"] {
        settle(name, "in sync", &|| stage.status(name)["status"] == "Synced");
    }
    // A person pauses a tenant; its commit waits, and the others are applied.
    stage.genesync(&["pause", "zeta", "--reason", "release freeze"]).expect(0);
    stage.commit(&[tenant("zeta", &[2], &delay(5)), tenant("mono", &[3], &delay(5))].concat());
    settle("mono", "written", &|| stage.live(3).1["greetings"]["delayMs"] == 5);
    assert_eq!(stage.live(2).1["greetings"]["delayMs"], 1);
    stage.genesync(&["resume", "zeta"]).expect(0);
    settle("zeta", "written", &|| stage.live(2).1["greetings"]["delayMs"] == 5);
    // On-call switches the greeting off: it stays off until a person decides.
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    settle("acme", "held", &|| {
        reason("acme").contains("another user switched off greetings.enabled (by Mara Ionescu)")
    });
    assert!(!greets(stage, 1));
    run(stage, &named_command(&reason("acme").replace('…', "TEXT"), "genesync apply")).expect(0);
    assert!(greets(stage, 1));
    // Git and a person change one field before a run sees either change.
    stage.genesync(&["pause", "acme", "--reason", "both at once"]).expect(0);
    stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
    let moved = labelled("acme", 1, true, sync, true).into_iter();
    stage.commit(
        &moved.map(|(path, text)| (path, text.replace("delayMs: 1", "delayMs: 6"))).collect::<Vec<_>>(),
    );
    settle("acme", "the commit is known", &|| stage.status("acme")["applied"] == false);
    stage.genesync(&["resume", "acme"]).expect(0);
    settle("acme", "held", &|| reason("acme").contains("git and another user changed greetings.delayMs"));
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 777);
    run(stage, &named_command(&reason("acme").replace('…', "TEXT"), "genesync apply")).expect(0);
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 6);
    // A commit removes the protected greeting, and the label with it.
    stage.commit(&labelled("acme", 1, false, sync, false));
    settle("acme", "refused", &|| reason("acme").contains("genesync allow"));
    assert!(greets(stage, 1));
    run(stage, &named_command(&reason("acme"), "genesync allow")).expect(0);
    settle("acme", "written", &|| !greets(stage, 1));
}

fn a_small_fleet() -> Stage {
    let sync = ", onConflict: hold, onOff: hold";
    let fleet = [labelled("acme", 1, true, sync, true), tenant("zeta", &[2], &delay(1))].concat();
    let stage = Stage::new();
    stage.commit(&[fleet, tenant("mono", &[3], &delay(9))].concat());
    stage.stateless(&["apply"]).expect(0);
    stage.commit(&tenant("mono", &[3], &delay(1)));
    stage
}

#[test]
fn a_night_with_a_scheduled_job() {
    let stage = a_small_fleet();
    stage.configure(&[]);
    night(&stage, &|| {
        stage.genesync(&["run", "--once"]);
    });
}

#[test]
fn a_night_with_a_controller() {
    let stage = a_small_fleet();
    stage.configure(&["controller.resync-ms = 300", "controller.git-poll-ms = 300"]);
    let _running = stage.controller();
    night(&stage, &|| ());
}

#[test]
fn a_new_state_keeps_the_guards_of_the_parent_commit() {
    let stage = Stage::new();
    stage.commit(&[]);
    stage.commit(&labelled("acme", 1, true, "", true));
    stage.genesync(&["apply"]).expect(0);
    forget(&stage);
    // In sync also with its parent commit: the state stores that, too.
    stage.commit(&[("README.md".into(), "one".into())]);
    stage.genesync(&["apply"]).expect(0);
    stage.commit(&labelled("acme", 1, false, "", false));
    stage.genesync(&["apply"]).expect(5);
    stage.commit(&[("README.md".into(), "two".into())]);
    stage.genesync(&["apply"]).expect(5);
    assert!(greets(&stage, 1));
    // The same if the state's first commit is refused.
    forget(&stage);
    stage.commit(&labelled("acme", 1, true, "", true));
    stage.commit(&labelled("acme", 1, false, "", false));
    stage.genesync(&["apply"]).expect(5);
    stage.commit(&[("README.md".into(), "three".into())]);
    stage.genesync(&["apply"]).expect(5);
    assert!(greets(&stage, 1));
    // A removed label does not count either before a run found the commit in force.
    let stage = Stage::applied(&[labelled("bank", 1, false, "", true)]);
    let moved = |protected: bool, sync: &str, greets: bool| {
        let files = labelled("bank", 1, protected, sync, greets).into_iter();
        files.map(|(path, text)| (path, text.replace("delayMs: 1", "delayMs: 9"))).collect::<Vec<_>>()
    };
    stage.commit(&moved(true, &shut(), true));
    stage.genesync(&["apply"]).expect(3);
    stage.commit(&moved(false, "", false));
    let refused = stage.genesync(&["apply"]).expect(5);
    assert!(printed(&refused).contains("bank is protected"), "{}", printed(&refused));
}

#[test]
fn what_another_user_switched_off_at_several_tenants_is_switched_on_again() {
    let all = |greets: bool| {
        (1..=3).flat_map(move |number| labelled(&format!("t{number}"), number, true, "", greets))
    };
    let stage = Stage::applied(&[all(true).collect()]);
    stage.edit(1, &json!({"greetings": {"enabled": false}}));
    stage.edit(2, &json!({"greetings": {"enabled": false}}));
    stage.genesync(&["run", "--once"]).expect(0);
    assert!((1..=3).all(|number| greets(&stage, number)));
}
