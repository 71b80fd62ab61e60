//! The README: its commands run, its tables are what the program says, its links lead somewhere.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use genesync::cli::Exit;
use genesync::cli::commands::demo::files::FILES;
use genesync::model::Status;
use serde_json::Value;

use crate::support::{Running, Stage, commit_all, ran, wait_until};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Lines of the README's `console` blocks that a reader would type.
fn typed() -> Vec<String> {
    let readme = read("README.md");
    let mut lines = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            line if inside => lines.extend(line.strip_prefix("$ ").map(str::to_owned)),
            _ => {}
        }
    }
    lines
}

/// Runs every command of the README in its order, in a copy of the example repository, as its reader would:
/// with the real emulator and the real controller in processes of their own. Only their ports are other ones,
/// and `make`, which is what runs this test, is looked up in the Makefile instead.
#[test]
fn every_command_in_the_readme_runs() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = folder.path().join("fleet");
    for (path, text) in FILES {
        let path = fleet.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    commit_all(&fleet);
    let mut emulator = None;
    let mut controller: Option<Running> = None;
    let mut environment: Vec<(String, String)> = [
        ("HOME", folder.path().to_str().unwrap()),
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@example.com"),
    ]
    .into_iter()
    .chain([("GIT_COMMITTER_NAME", "A"), ("GIT_COMMITTER_EMAIL", "a@example.com"), ("PATH", env!("PATH"))])
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let mut commands = 0;
    for line in typed() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["make", target] => {
                assert!(read("Makefile").contains(&format!("\n{target}:")), "there is no `{line}`")
            }
            ["genesync", "emulate"] => emulator = Some(Emulator::start()),
            ["export", pairs @ ..] => {
                let url = emulator.as_ref().map(|emulator| emulator.url.clone()).unwrap();
                let pairs = pairs.iter().map(|pair| pair.split_once('=').unwrap());
                environment
                    .extend(pairs.map(|(name, value)| {
                        (name.to_owned(), value.replace("http://127.0.0.1:8480", &url))
                    }));
            }
            ["genesync", "run", rest @ ..] if !rest.contains(&"--once") => {
                let mut run = Command::new(env!("CARGO_BIN_EXE_genesync"));
                run.env_clear().envs(environment.clone()).current_dir(&fleet).arg("run");
                run.args(rest.iter().map(|word| word.replace("127.0.0.1:8490", "127.0.0.1:0")));
                let running = controller.insert(Running::start(run));
                running.wait_for_log("took a head");
            }
            _ => {
                // The shell reads the quotes as the reader's would.
                let script = line.replacen(
                    "genesync ",
                    &format!("{} ", env!("CARGO_BIN_EXE_genesync")),
                    usize::from(words[0] == "genesync"),
                );
                let mut shell = Command::new("sh");
                shell.env_clear().envs(environment.clone()).current_dir(&fleet).args(["-c", &script]);
                let ran = ran(shell.output().unwrap());
                assert_eq!(ran.code, 0, "{line}\n{}{}", ran.stdout, ran.stderr);
                commands += 1;
                if controller.is_some() && line.starts_with("git -C") {
                    wait_until("the controller has applied the commit", || is_applied(&fleet, &environment));
                }
            }
        }
    }
    let (code, log) = controller.expect("the README shows a controller").stop();
    assert_eq!(code, 0, "{log}");
    assert!(commands >= 8, "the README shows only {commands} commands");
}

/// Whether the controller's tenant is in sync at the newest commit, as its state says.
fn is_applied(fleet: &Path, environment: &[(String, String)]) -> bool {
    let head = git2::Repository::open(fleet.join("../our-fleet"))
        .unwrap()
        .head()
        .unwrap()
        .target()
        .unwrap()
        .to_string();
    let mut status = Command::new(env!("CARGO_BIN_EXE_genesync"));
    status.env_clear().envs(environment.iter().cloned()).current_dir(fleet);
    let ran = ran(status.args(["status", "northwind", "--format", "json"]).output().unwrap());
    let row = &ran.expect(0).json()["tenants"][0];
    row["revision"] == head.as_str() && row["status"] == "Synced"
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

/// Whoever reads a word somewhere finds what it means, and what it leads to.
#[test]
fn the_statuses_are_those_of_the_program() {
    let page = read("docs/watching.md");
    for status in Status::ALL {
        let row = status.row();
        let trouble = if row.trouble.is_empty() { String::new() } else { format!("`{}`", row.trouble) };
        let found = page.lines().any(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            cells.len() == 7
                && cells[1] == format!("`{}`", row.word)
                && (cells[2] == trouble
                    || !trouble.is_empty() && cells[2].split(", ").any(|one| one == trouble))
                && cells[3] == format!("`{}`", row.metric)
                && cells[4] == row.exit.code().to_string()
        });
        assert!(found, "no row for {status:?}: {row:?}");
    }
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let readme = read("README.md");
    let stage = Stage::new();
    let help = stage.genesync(&["--help"]).expect(0).stdout;
    for exit in Exit::ALL {
        let row = readme.lines().find(|line| line.starts_with(&format!("| {} |", exit.code())));
        let meaning = row
            .unwrap_or_else(|| panic!("no row for {}", exit.code()))
            .split('|')
            .nth(2)
            .unwrap()
            .trim()
            .replace('`', "");
        let in_help = help.lines().any(|line| {
            line.trim_start().starts_with(&exit.code().to_string())
                && line.contains(meaning.split(':').next().unwrap())
        });
        assert!(in_help, "--help has no line for {}: {meaning}", exit.code());
    }
}

#[test]
fn usage_errors_exit_with_2_and_say_so_on_stderr() {
    let stage = Stage::new();
    for arguments in [
        &["plan", "--nonsense"][..],
        &["frobnicate"],
        &["plan", "--allow", "nothing", "--reason", "x"],
        &["validate", "no-such-folder"],
    ] {
        let ran = stage.genesync(arguments).expect(2);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("error"), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents =
        ["README.md", "CHANGELOG.md", "AGENTS.md", "deploy/README.md"].map(str::to_owned).to_vec();
    for folder in ["docs", "docs/decisions"] {
        let entries = std::fs::read_dir(root().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        documents.extend(entries.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")));
    }
    for document in documents {
        let text = read(&document);
        let folder = root().join(&document).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let path = target.split('#').next().unwrap();
            assert!(folder.join(path).exists(), "{document} links to {target}, which is not there");
        }
    }
}

#[test]
fn init_makes_a_repository_that_is_valid_and_is_kept_on_a_second_call() {
    let stage = Stage::new();
    stage.genesync(&["init", "--tenant", "northwind"]).expect(0);
    let checked = stage.genesync(&["validate", "--format", "json"]).expect(0).json();
    assert_eq!(
        (&checked["summary"]["tenants"], &checked["findings"]),
        (&Value::from(1), &Value::from(Vec::<Value>::new()))
    );
    let page = std::fs::read_to_string(stage.repository().join("AGENTS.md")).unwrap();
    assert!(page.contains("`genesync explain greetings.enabled --tenant northwind`"), "{page}");
    let explained = stage.genesync(&["explain", "greetings.enabled", "--tenant", "northwind"]).expect(0);
    assert!(explained.stdout.contains("won   tenants/northwind/web.yaml"), "{}", explained.stdout);
    std::fs::write(stage.repository().join("genesync.yaml"), "mine").unwrap();
    stage.genesync(&["init", "--tenant", "northwind"]).expect(0);
    assert_eq!(std::fs::read_to_string(stage.repository().join("genesync.yaml")).unwrap(), "mine");
}

#[test]
fn explain_names_the_line_that_won_and_those_that_it_beat() {
    let stage = Stage::new();
    for (path, text) in FILES {
        let path = stage.repository().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let ran = stage
        .genesync(&["explain", "widget.theme.typography.fontSize", "--tenant", "sundale-clinic"])
        .expect(0);
    assert!(
        ran.stdout.contains("won   tenants/sundale-clinic/web.yaml:")
            && ran.stdout.contains("beat  bases/public-service.yaml:"),
        "{}",
        ran.stdout
    );
    let unmanaged = stage.genesync(&["explain", "greetings.delayMs", "--tenant", "kyoto-gakuin"]).expect(0);
    assert!(unmanaged.stdout.contains("not managed"), "{}", unmanaged.stdout);
}

#[test]
fn completions_come_for_every_shell() {
    let stage = Stage::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stage.genesync(&["completions", shell]).expect(0).stdout.contains("genesync"));
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let stage = Stage::new();
    let folder = stage.path("man1");
    stage.genesync(&["man", "--out", folder.to_str().unwrap()]).expect(0);
    let page = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.1"))).unwrap();
    let whole = page("genesync");
    assert!(whole.contains(".TH genesync 1") && whole.contains("Exit codes"), "{whole}");
    let help = stage.genesync(&["--help"]).expect(0).stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    // A longer description goes on in the next line, further to the right.
    let names = commands
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty());
    let mut count = 0;
    for command in names.filter(|name| *name != "help") {
        let page = page(&format!("genesync-{command}"));
        assert!(page.contains("Example"), "{command}: {page}");
        assert!(
            page.contains("genesync 0.") && !page.contains(&format!("\"{command} 0.")),
            "{command}: {page}"
        );
        assert_eq!(stage.genesync(&["man", command]).expect(0).stdout, page);
        count += 1;
    }
    for nested in ["list", "diff"] {
        let printed = stage.genesync(&["man", "rules", nested]).expect(0).stdout;
        assert_eq!(printed, page(&format!("genesync-rules-{nested}")));
    }
    assert!(count > 20, "{count} commands are listed");
    let unknown = stage.genesync(&["man", "aply"]).expect(2).stderr;
    assert!(
        unknown.contains("there is no command `aply`") && unknown.contains("genesync --help"),
        "{unknown}"
    );
}

/// A reader that has seen enough closes the pipe: no panic, no message.
#[test]
fn a_closed_pipe_is_no_error() {
    let stage = Stage::new();
    let mut child = stage
        .command(&["schema", "web-messaging"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

/// The example of the `cloud` dialect has nothing to be said against it, and its values can be explained.
#[test]
fn the_cloud_example_is_valid_and_explains_itself() {
    let stage = Stage::new();
    let place = root().join("examples/cloud");
    let place = place.to_str().unwrap();
    let checked = stage.genesync(&["validate", place, "--format", "json"]).expect(0).json();
    assert_eq!(
        (&checked["summary"]["tenants"], &checked["findings"]),
        (&Value::from(1), &Value::from(Vec::<Value>::new()))
    );
    let explained = stage.genesync(&["explain", "messenger.styles.primaryColor", place]).expect(0).stdout;
    assert!(
        explained
            .contains("acme  MessengerConfiguration `Acme web`  messenger.styles.primaryColor = \"#0B3D91\"")
            && explained.contains("won   bases/house-style.yaml:10:"),
        "{explained}"
    );
    let explained = stage.genesync(&["explain", "video.enabled", place]).expect(0).stdout;
    assert!(explained.contains("not managed"), "{explained}");
}

#[test]
fn the_demo_takes_ten_tenants_to_their_audit_entries() {
    let ran = Stage::new().genesync(&["demo"]).expect(0);
    assert!(ran.stdout.contains("No changes: 10 tenants are in sync with"), "{}", ran.stdout);
    // In a screen and a half, and without a word about how it goes.
    assert!(ran.stdout.lines().count() <= 75, "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
    let verbose = Stage::new().genesync(&["demo", "-v"]).expect(0);
    assert!(
        verbose.stdout.contains("kyoto-gakuin  enforce") && verbose.stderr.contains("audit log"),
        "{}",
        verbose.stderr
    );
}
