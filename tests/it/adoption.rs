//! Adoption of live objects that genesync never applied, and ownership of an object.

use serde_json::{Value, json};

use crate::cloud::{Cloud, files};
use crate::support::{Stage, delay, tenant, wait_until};
use crate::trust::{named_command, printed, run};

fn ms(stage: &Stage, number: u32) -> Value {
    stage.live(number).1["greetings"]["delayMs"].clone()
}

/// Live tenants that no state knows.
fn unknown_to_the_state() -> Stage {
    let stage = Stage::new();
    let fleet = [tenant("acme", &[1, 2], &delay(1)), tenant("zeta", &[3], &delay(1))].concat();
    stage.commit(&fleet);
    stage.stateless(&["apply"]).expect(0);
    stage
}

/// Runs the command that the refusal names.
fn open(stage: &Stage, refused: &crate::support::Ran) {
    let command =
        refused.stdout.lines().find_map(|line| line.strip_prefix("To open these guards, run: ")).unwrap();
    run(stage, &named_command(&format!("`{command}`"), "genesync apply")).expect(0);
}

// Guarantee: adopted-by-a-person
#[test]
fn equal_objects_are_adopted_and_different_ones_are_left() {
    let stage = unknown_to_the_state();
    // Another user changed one region of acme before git was connected.
    stage.edit(2, &json!({"greetings": {"delayMs": 777}}));
    let digest = |ran: &crate::support::Ran| ran.json()["digest"].clone();
    let plan = ["plan", "--rev", "HEAD", "--format", "json"];
    let without = stage.stateless(&plan).expect(0);
    let refused = stage.genesync(&["apply"]).expect(5);
    let text = printed(&refused);
    assert!(text.contains("this state is new"), "{text}");
    assert!(
        text.contains("adopt: the configuration of organization") && text.contains("greetings.delayMs"),
        "{text}"
    );
    assert_eq!((ms(&stage, 1), ms(&stage, 2), ms(&stage, 3)), (json!(1), json!(777), json!(1)));
    // A plan with a state reports what only the state knows; that is not part of the approved plan.
    let with = stage.genesync(&plan).expect(5);
    assert_eq!(digest(&with), digest(&without));
    let opens = "genesync apply --tenant acme --allow adopt --reason TEXT";
    assert_eq!((&with.json()["opens"], &without.json()["opens"]), (&json!(opens), &Value::Null));
    // The primary and the other tenant are applied.
    stage.commit(&[tenant("acme", &[1, 2], &delay(5)), tenant("zeta", &[3], &delay(5))].concat());
    let refused = stage.genesync(&["apply"]).expect(6);
    assert_eq!((ms(&stage, 1), ms(&stage, 2), ms(&stage, 3)), (json!(5), json!(777), json!(5)));
    open(&stage, &refused);
    assert_eq!(ms(&stage, 2), 5);
    // From then on the state knows it.
    stage.commit(&tenant("acme", &[1, 2], &delay(6)));
    stage.genesync(&["apply"]).expect(0);
    assert_eq!((ms(&stage, 1), ms(&stage, 2)), (json!(6), json!(6)));
}

#[test]
fn an_approved_plan_adopts_the_approved_objects() {
    let stage = unknown_to_the_state();
    stage.commit(&tenant("zeta", &[3], &delay(9)));
    let with = |more: &[&str]| {
        let plan = [&["plan", "--rev", "HEAD", "--out", "plan.json"], more].concat();
        stage.stateless(&plan).expect(0);
        stage.genesync(&["apply", "--plan", "plan.json"])
    };
    let refused = with(&[]).expect(5);
    assert!(printed(&refused).contains("adopt: "), "{}", printed(&refused));
    with(&["--allow", "adopt", "--reason", "reviewed"]).expect(0);
    assert_eq!(ms(&stage, 3), 9);
}

#[test]
fn a_job_and_a_controller_adopt_after_the_command_in_their_refusal() {
    for controller in [false, true] {
        let stage = unknown_to_the_state();
        stage.commit(&tenant("zeta", &[3], &delay(9)));
        stage.configure(&["controller.resync-ms = 300", "controller.git-poll-ms = 300"]);
        let _running = controller.then(|| stage.controller());
        let pass = || if controller { None } else { Some(stage.genesync(&["run", "--once"])) };
        let reason = || stage.status("zeta")["reason"].as_str().unwrap_or_default().to_owned();
        wait_until("it is refused", || {
            pass();
            reason().contains("genesync allow adopt zeta")
        });
        assert_eq!((ms(&stage, 3), stage.status("acme")["status"].clone()), (json!(1), json!("Synced")));
        run(&stage, &named_command(&reason(), "genesync allow")).expect(0);
        wait_until("it is written", || {
            pass();
            ms(&stage, 3) == 9
        });
    }
}

#[test]
fn a_renamed_folder_keeps_what_was_applied() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1)), tenant("zeta", &[2], &delay(1))]);
    // Rename the folder there and back, so that no old row is left to compare with. Then swap two folders.
    for (old, new, ms_of_it) in [("acme", "bank", 2), ("bank", "acme", 3)] {
        std::fs::remove_dir_all(stage.repository().join("tenants").join(old)).unwrap();
        stage.commit(&tenant(new, &[1], &delay(ms_of_it)));
        stage.genesync(&["apply"]).expect(0);
        assert_eq!(ms(&stage, 1), ms_of_it);
        // A later edit by hand is reported as drift from the applied value.
        stage.edit(1, &json!({"greetings": {"delayMs": 777}}));
        let plan = stage.genesync(&["plan", "--detailed-exitcode"]).expect(8).stdout;
        assert!(plan.contains("drift"), "{plan}");
        stage.genesync(&["apply"]).expect(0);
    }
    stage.commit(&[tenant("acme", &[2], &delay(4)), tenant("zeta", &[1], &delay(5))].concat());
    stage.genesync(&["apply"]).expect(0);
    assert_eq!((ms(&stage, 1), ms(&stage, 2)), (json!(5), json!(4)));
}

#[test]
fn only_the_operator_can_choose_to_keep_no_state() {
    let stage = unknown_to_the_state();
    stage.commit(&tenant("zeta", &[3], &delay(9)));
    // The repository cannot set it.
    let project = |spec: &str| {
        let text = format!(
            "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {{name: fleet}}\nspec: {{{spec}}}\n"
        );
        stage.commit(&[("genesync.yaml".into(), text)]);
    };
    project("state: none");
    assert!(printed(&stage.genesync(&["apply"]).expect(1)).contains("state"));
    project("");
    // It cannot be combined with a place for the state.
    let mut both = stage.command(&["apply"]);
    let both = crate::support::ran(both.env("GENESYNC_STATE", "none").output().unwrap()).expect(2);
    assert!(both.stderr.contains("the settings turn the state off"), "{}", both.stderr);
    for command in [&["status"][..], &["history", "acme"], &["run"], &["pause", "acme", "--reason", "x"]] {
        let ran = stage.stateless(command).expect(2);
        assert!(ran.stderr.contains("this command needs a state"), "{command:?}: {}", ran.stderr);
    }
    // The settings file has the same effect, also for a pass of the whole repository.
    let settings = std::fs::read_to_string(stage.path("settings.toml")).unwrap();
    std::fs::write(stage.path("settings.toml"), format!("state = \"none\"\n{settings}")).unwrap();
    let mut pass = stage.command(&["run", "--once"]);
    let pass = crate::support::ran(pass.env_remove("GENESYNC_STATE_DIR").output().unwrap()).expect(0);
    assert_eq!(pass.stderr.matches("does not know earlier runs").count(), 1, "{}", pass.stderr);
    assert_eq!(ms(&stage, 3), 9);
}

fn project(id: &str) -> (String, String) {
    let text = format!(
        "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {{name: fleet}}\nspec: {{id: {id}}}\n"
    );
    ("genesync.yaml".into(), text)
}

/// The descriptions of the configuration and of the deployment on the platform's screens.
fn descriptions(cloud: &Cloud) -> [Value; 2] {
    let state = cloud.state(1);
    let newest = state["configurations"][0]["versions"].as_array().unwrap().last().unwrap().clone();
    [newest["description"].clone(), state["deployments"][0]["description"].clone()]
}

const OURS: &str = "4f1d0c8a92be7365";
const THEIRS: &str = "93be1a7c0d42f586";

// Guarantee: other-owners
#[test]
fn an_owner_mark_causes_no_write_of_its_own_and_a_foreign_mark_is_refused() {
    let cloud = Cloud::applied(1);
    assert_eq!(descriptions(&cloud), [Value::Null, Value::Null]);
    // An id alone causes no write.
    cloud.stage.commit(&[project(OURS)]);
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!(cloud.writes(1, mark), Vec::<String>::new());
    cloud.commit("#222222");
    let plan = cloud.plan().expect(0).stdout;
    assert!(!plan.contains("description") && !plan.contains(OURS), "{plan}");
    cloud.apply(&[]).expect(0);
    let ours = json!(format!("[genesync {OURS}]"));
    assert_eq!(descriptions(&cloud), [ours.clone(), ours.clone()]);
    cloud.is_at_rest();
    // The mark stays in a description from git and in a description from a person.
    cloud.edit(1, json!({"deployment": {"deployment": "Shop", "patch": {"description": format!("Hers [genesync {OURS}]")}}}));
    cloud.commit("#333333");
    cloud.apply(&[]).expect(0);
    assert_eq!(descriptions(&cloud), [ours.clone(), json!(format!("Hers [genesync {OURS}]"))]);
    // An import writes the mark into no manifest.
    let folder = cloud.stage.path("imported");
    let target = folder.to_str().unwrap();
    let organization = crate::support::organization(1);
    let arguments = [
        "import",
        target,
        "--tenant",
        "acme",
        "--organization",
        &organization,
        "--region",
        "eu-west-1",
        "--credentials",
        "main",
    ];
    let imported = cloud.genesync(&arguments);
    assert!(imported.code == 0, "{}{}", imported.stdout, imported.stderr);
    for file in std::fs::read_dir(folder.join("tenants/acme")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("[genesync"), "{text}");
    }
    // Another repository: the plan already refuses each object, and one command hands them over.
    cloud.stage.commit(&[&files(1, "#444444", &[])[..], &[project(THEIRS)]].concat());
    let plan = cloud.plan().expect(5).stdout;
    assert!(
        plan.contains("refused by guard `owner`") && plan.contains(OURS) && plan.contains(THEIRS),
        "{plan}"
    );
    let mark = cloud.mark();
    let refused = cloud.apply(&[]).expect(5).stdout;
    assert_eq!(cloud.writes(1, mark), Vec::<String>::new());
    let command = refused.lines().find_map(|line| line.strip_prefix("To open these guards, run: ")).unwrap();
    let words = named_command(&format!("`{command}`"), "genesync apply");
    cloud.genesync(&words.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
    assert_eq!(
        descriptions(&cloud),
        [json!(format!("[genesync {THEIRS}]")), json!(format!("Hers [genesync {THEIRS}]"))]
    );
    cloud.is_at_rest();
}

#[test]
fn a_repository_without_an_id_can_adopt_a_marked_object() {
    let cloud = Cloud::new(1);
    cloud.stage.commit(&[project(OURS)]);
    cloud.apply(&[]).expect(0);
    let plain = project(OURS).1.replace(&format!("id: {OURS}"), "");
    cloud.stage.commit(&[&files(1, "#222222", &[])[..], &[("genesync.yaml".into(), plain)]].concat());
    assert!(cloud.apply(&[]).expect(5).stdout.contains("this one has no `spec.id`"));
    cloud.apply(&["--allow", "owner", "--reason", "handed over"]).expect(0);
    assert!(
        descriptions(&cloud).iter().all(|text| !text.to_string().contains("genesync")),
        "{:?}",
        descriptions(&cloud)
    );
    cloud.commit("#333333");
    cloud.apply(&[]).expect(0);
}

#[test]
fn a_description_keeps_its_last_line_beside_the_mark() {
    let cloud = Cloud::new(1);
    let text = |colour: &str| {
        let all = files(1, colour, &[]).into_iter();
        all.map(|(path, text)| match path.ends_with("messenger.yaml") {
            true => (path, text.replacen("spec:\n", "spec:\n  description: |\n    Our shop\n", 1)),
            false => (path, text),
        })
        .collect::<Vec<_>>()
    };
    cloud.stage.commit(&[text("#222222"), vec![project(OURS)]].concat());
    cloud.apply(&[]).expect(0);
    assert_eq!(descriptions(&cloud)[0], json!(format!("Our shop\n [genesync {OURS}]")));
    cloud.is_at_rest();
}

#[test]
fn a_plan_names_another_program_that_wrote_an_unmarked_object() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    let actor = json!({"id": "6f0c", "name": "acme-bot", "type": "client"});
    let body = json!({"organizationId": crate::support::organization(1), "actor": actor, "patch": {"greetings": {"delayMs": 4}}});
    stage.control("POST", "edit", &body);
    let plan = stage.genesync(&["plan"]).expect(0).stdout;
    assert!(plan.contains("another program wrote it last: OAuth client acme-bot"), "{plan}");
    stage.edit(1, &json!({"greetings": {"delayMs": 5}}));
    let plan = stage.genesync(&["plan"]).expect(0).stdout;
    assert!(!plan.contains("another program"), "{plan}");
}

#[test]
fn each_new_repository_has_its_own_id() {
    let stage = Stage::new();
    let id = |folder: &str| {
        let path = stage.path(folder);
        stage.genesync(&["init", path.to_str().unwrap(), "--ci", "none"]).expect(0);
        let text = std::fs::read_to_string(path.join("genesync.yaml")).unwrap();
        stage.genesync(&["validate", path.to_str().unwrap()]).expect(0);
        text.lines().find_map(|line| line.trim().strip_prefix("id: ").map(str::to_owned)).unwrap()
    };
    let (one, other) = (id("one"), id("other"));
    assert!(one != other && one.len() == 16 && one != OURS, "{one} {other}");
}
