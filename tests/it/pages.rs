//! The commands of the README and of the tutorials. A test follows each page in its order, as a reader would: with the real
//! program, git, emulator and controller. If a page shows output, the command has to print it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use genesync::cli::commands::demo::files::FILES;
use serde_json::Value;

use crate::support::{Running, commit_all, ran, wait_until};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A command of a page, and the output that the page shows below it.
#[derive(Debug, Default)]
struct Step {
    command: String,
    /// `…` is any text. Empty: the page shows none.
    shown: String,
}

/// The commands of the `console` blocks of a page.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            line if inside => match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), ..Step::default() }),
                None => {
                    let step = steps.last_mut().expect("output follows a command");
                    step.shown.push_str(line);
                    step.shown.push('\n');
                }
            },
            _ => {}
        }
    }
    steps
}

/// Whether a command printed what its page shows.
fn is_shown(shown: &str, printed: &str) -> bool {
    let mut rest = printed.trim_end();
    let pieces: Vec<&str> = shown.trim_end().split('…').collect();
    let Some((last, before)) = pieces.split_last() else { return true };
    for (at, piece) in before.iter().enumerate() {
        match rest.find(piece) {
            Some(0) => rest = &rest[piece.len()..],
            Some(found) if at > 0 => rest = &rest[found + piece.len()..],
            _ => return false,
        }
    }
    if before.is_empty() { rest == *last } else { rest.ends_with(last) }
}

/// A reader in a copy of the example repository.
struct Reader {
    here: PathBuf,
    environment: Vec<(String, String)>,
    emulator: Option<Emulator>,
    controller: Option<Running>,
    _folder: tempfile::TempDir,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("fleet");
        for (path, text) in FILES {
            let path = here.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        commit_all(&here);
        let program = Path::new(env!("CARGO_BIN_EXE_genesync")).parent().unwrap();
        let environment = [
            ("HOME", folder.path().to_str().unwrap().to_owned()),
            ("PATH", format!("{}:{}", program.display(), env!("PATH"))),
            ("GIT_AUTHOR_NAME", "A".to_owned()),
            ("GIT_AUTHOR_EMAIL", "a@example.com".to_owned()),
            ("GIT_COMMITTER_NAME", "A".to_owned()),
            ("GIT_COMMITTER_EMAIL", "a@example.com".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        Self { here, environment, emulator: None, controller: None, _folder: folder }
    }

    /// A command with this reader's folder and environment. The emulator has a port of its own.
    fn shell(&self, script: &str) -> Command {
        let script = match &self.emulator {
            Some(emulator) => script.replace("http://127.0.0.1:8480", &emulator.url),
            None => script.to_owned(),
        };
        let mut shell = Command::new("sh");
        shell.env_clear().envs(self.environment.clone()).current_dir(&self.here).args(["-c", &script]);
        shell
    }

    fn take(&mut self, step: &Step) {
        let words: Vec<&str> = step.command.split_whitespace().collect();
        match words.as_slice() {
            ["make", target] => {
                assert!(read("Makefile").contains(&format!("\n{target}:")), "there is no `{}`", step.command);
            }
            ["genesync", "emulate"] => self.emulator = Some(Emulator::start()),
            ["cd", folder] => self.here = self.here.join(folder),
            ["export", rest @ ..] => {
                let (name, value) =
                    rest.join(" ").split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap();
                let value = ran(self.shell(&format!("printf %s {value}")).output().unwrap()).stdout;
                self.environment.retain(|(known, _)| *known != name);
                self.environment.push((name, value));
            }
            ["genesync", "run", ..] if !words.contains(&"--once") => {
                let running =
                    Running::start(self.shell(&format!("exec {}", step.command.replace(":8490", ":0"))));
                self.controller.insert(running).wait_for_log("took a head");
            }
            // The controller works beside its reader, who looks again until it is done.
            ["genesync", "status", ..] if self.controller.is_some() => {
                wait_until(&step.command, || is_shown(&step.shown, &self.run(&step.command)));
            }
            _ => {
                let printed = self.run(&step.command);
                let is_as_shown = step.shown.is_empty() || is_shown(&step.shown, &printed);
                assert!(is_as_shown, "$ {}\n{}--- the page shows:\n{}", step.command, printed, step.shown);
            }
        }
    }

    fn run(&self, command: &str) -> String {
        let ran = ran(self.shell(command).output().unwrap());
        assert_eq!(ran.code, 0, "$ {command}\n{}{}", ran.stdout, ran.stderr);
        ran.stdout
    }
}

/// The emulator as `genesync emulate` runs it, ended with the test.
struct Emulator {
    child: Child,
    url: String,
}

impl Emulator {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
        let mut child =
            command.args(["emulate", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            ready.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["url", "clientId", "clientSecret"]
        );
        Self { child, url: ready["url"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).unwrap();
    }
}

/// Follows a page to its end.
fn follow(page: &str, commands_min: usize) -> Reader {
    let steps = steps(&read(page));
    assert!(steps.len() >= commands_min, "{page} shows only {} commands", steps.len());
    let mut reader = Reader::new();
    for step in &steps {
        reader.take(step);
    }
    reader
}

#[test]
fn what_is_shown_is_compared_piece_by_piece() {
    for (shown, printed, expected) in [
        ("a\n", "a\n", true),
        ("a\n", "ab\n", false),
        ("a…c\n", "abc\n", true),
        ("a…c\n", "bac\n", false),
        ("…b…\n", "abc\n", true),
        ("a\n…\nd\n", "a\nb\nc\nd\n", true),
        ("a\n…\nd\n", "a\nb\nc\n", false),
        ("…x…\n", "abc\n", false),
    ] {
        assert_eq!(is_shown(shown, printed), expected, "{shown:?} {printed:?}");
    }
}

#[test]
fn the_commands_of_the_readme_exist() {
    follow("README.md", 2);
}

/// The plan on the first screen is the one that the tutorial makes, which the next test runs.
#[test]
fn the_plan_in_the_readme_is_the_one_of_the_first_tenant() {
    let readme = read("README.md");
    let plan = readme.split("```text\n$ genesync plan\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(plan.contains("1 drift") && plan.lines().count() >= 8, "{plan}");
    let printed = format!("{plan}Revision folder, digest sha256:0");
    let tutorial = steps(&read("docs/first-tenant.md"));
    assert!(
        tutorial.iter().any(|step| step.command == "genesync plan" && is_shown(&step.shown, &printed)),
        "docs/first-tenant.md shows another plan than the README:\n{plan}"
    );
}

#[test]
fn the_first_tenant_gets_to_its_audit_entry() {
    follow("docs/first-tenant.md", 20);
}

#[test]
fn the_first_pull_request_gets_from_a_mistake_to_live() {
    follow("docs/first-pull-request.md", 15);
}

#[test]
fn the_first_day_with_the_controller_ends_with_a_stop() {
    let reader = follow("docs/first-day-with-the-controller.md", 15);
    let (code, log) = reader.controller.expect("the page shows a controller").stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn the_cloud_tutorial_imports_what_it_applied() {
    follow("docs/genesys-cloud.md", 8);
}
