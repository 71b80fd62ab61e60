//! The files that `init` writes: a repository, and the jobs of the two forges, run unchanged.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::fixing::{genesync, read};
use crate::support::{Stage, delay, ran, tenant};

#[test]
fn init_is_refused_inside_a_repository() {
    let folder = tempfile::tempdir().unwrap();
    genesync(folder.path(), &["init"]).expect(0);
    let inside = folder.path().join("tenants/acme");
    let lost = genesync(&inside, &["validate"]).expect(1);
    assert!(lost.stderr.contains("name the configuration repository `"), "{}", lost.stderr);
    for arguments in [&["init"][..], &["init", "new/deep"]] {
        let refused = genesync(&inside, arguments).expect(2);
        assert!(refused.stderr.contains("is inside the configuration repository"), "{}", refused.stderr);
    }
    assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 2);
    let deep = genesync(folder.path(), &["init", "sub/dir"]).expect(2);
    assert!(deep.stderr.contains("is inside the configuration repository"), "{}", deep.stderr);
    // If a repository already exists, its files are kept.
    genesync(folder.path(), &["init"]).expect(0);
}

/// Returns the lines of a step's `run: |` in a workflow file.
fn script(workflow: &str, step: &str) -> String {
    let after = workflow.split(&format!("- name: {step}")).nth(1).unwrap();
    let block = after.split("run: |\n").nth(1).unwrap();
    let lines = block.lines().take_while(|line| line.starts_with("          ") || line.is_empty());
    lines.map(|line| format!("{}\n", line.trim_start_matches("          "))).collect()
}

/// Runs GitLab's jobs in a real shell with a real git. The job that builds the code of all contributors has
/// no credentials.
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
        // No process listens there: another test covers posting.
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
    assert_eq!(tenants, ["acme"], "only the change of the merge request");
    assert!(planned.join("plan.html").exists() && !planned.join("tenants").exists());
}

/// Runs the workflow's own commands in a real shell with a real git. The pull request is only data, and its
/// plan starts at its merge base.
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
    // Meanwhile the other tenant changed on the default branch: that is not part of the pull request.
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
