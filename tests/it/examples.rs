//! `examples/review`: the checked-in outputs of a pull request equal what the program prints today.
//!
//! `GENESYNC_EXAMPLES=1` writes them again.

use std::path::{Path, PathBuf};
use std::process::Command;

use genesync::emulator::{World, seed_from_json};
use git2::{IndexAddOption, Repository, Signature, Time};
use regex::Regex;
use serde_json::{Value, json};

use crate::support::{CLIENT_ID, Ran, SECRET, Stage, organization, ran};

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/review").join(path)
}

/// Copies a folder of the example over the stage's repository and commits it, always with the same hash.
fn commit(stage: &Stage, from: &str) {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let (path, to) = (entry.path(), to.join(entry.file_name()));
            if path.is_dir() {
                copy(&path, &to);
            } else {
                std::fs::copy(path, to).unwrap();
            }
        }
    }
    copy(&example(from), &stage.repository());
    let repository =
        Repository::open(stage.repository()).or_else(|_| Repository::init(stage.repository())).unwrap();
    let mut index = repository.index().unwrap();
    index.add_all(["*"], IndexAddOption::DEFAULT, None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let author = Signature::new("A Team", "team@example.com", &Time::new(1_800_000_000, 0)).unwrap();
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    repository.commit(Some("HEAD"), &author, &author, from, &tree, &parents).unwrap();
}

/// The fleet of the example, applied, with an edit by hand that is not in git.
struct Review {
    stage: Stage,
}

impl Review {
    fn new() -> Self {
        let stage = Stage::new();
        let plain = (1..=5).map(|number| json!({"id": organization(number)}));
        let cloud = json!({"id": organization(6), "cloud": {
            "name": "Al Bahr", "region": "eu-west-1", "flows": [{"name": "Inbound"}],
        }});
        let world = json!({
            "clients": [
                {"id": CLIENT_ID, "secret": SECRET, "name": "genesync"},
                {"id": "client-al-bahr", "secret": SECRET, "name": "genesync", "cloud": {"organization": organization(6)}},
            ],
            "organizations": plain.chain([cloud]).collect::<Vec<Value>>(),
            "settings": {"activeDelayMs": 5, "auditDelayMs": 0, "auditQueryDelayMs": 5, "cdnDelayMs": 0},
        });
        *stage.world.lock().unwrap() = World::new(&seed_from_json(world.to_string().as_bytes()).unwrap());
        stage.configure(&["timing.appear-ms = 300", "timing.ready-ms = 5000", "pacing.burst = 1000"]);
        let review = Self { stage };
        commit(&review.stage, "main");
        review.genesync(&["apply"]).expect(0);
        review.stage.edit(1, &json!({"greetings": {"delayMs": 9000}}));
        commit(&review.stage, "pull-request");
        review
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.stage.command(arguments);
        command
            .env("GENESYNC_CREDENTIALS_AL_BAHR_CLIENT_ID", "client-al-bahr")
            .env("GENESYNC_CREDENTIALS_AL_BAHR_CLIENT_SECRET", SECRET);
        command
    }

    fn genesync(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    fn written(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.stage.path(name)).unwrap();
        // The time of the edit is today's. So are the ids that the platform gives, and a digest covers them.
        let moment = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC").unwrap();
        let text = moment.replace_all(&text, "2026-11-20 09:41:00 UTC");
        let digest = Regex::new("sha256:[0-9a-f]{64}").unwrap();
        digest.replace_all(&text, "sha256:4a1f…").into_owned()
    }
}

#[test]
fn the_checked_in_outputs_equal_what_the_program_prints() {
    let review = Review::new();
    let plan = [
        "plan",
        "--since",
        "HEAD~1",
        "--at",
        "2026-11-20T12:00Z",
        "--out",
        "../plan.md",
        "--out",
        "../plan.html",
    ];
    review.genesync(&plan).expect(1);
    for (tenant, more) in [("northwind", &["--at", "2026-11-21T11:00"][..]), ("al-bahr", &["--lang", "ar"])] {
        let file = format!("../{tenant}.svg");
        let picture = ["picture", tenant, "--out", &file];
        review.genesync(&[&picture[..], more].concat()).expect(0);
    }
    for format in ["md", "html"] {
        let file = format!("../accessibility.{format}");
        let format = if format == "md" { "markdown" } else { "html" };
        review
            .genesync(&["accessibility", "--on", "2026-11-20", "--format", format, "--out", &file])
            .expect(1);
    }
    let names =
        ["plan.md", "plan.html", "northwind.svg", "al-bahr.svg", "accessibility.md", "accessibility.html"];
    for name in names {
        let made = review.written(name);
        let path = example("outputs").join(name);
        if std::env::var_os("GENESYNC_EXAMPLES").is_some() {
            std::fs::create_dir_all(example("outputs")).unwrap();
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            made == kept,
            "examples/review/outputs/{name} differs from the output of the program: run `make examples`"
        );
    }
}
