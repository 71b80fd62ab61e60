//! The pages: their tables equal the program's output, and their links have a target.

use std::path::Path;
use std::process::Stdio;

use genesync::cli::Exit;
use genesync::cli::commands::demo::files::FILES;
use genesync::model::Status;
use serde_json::Value;

use crate::support::Stage;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A reader finds the meaning of each status, and its effects.
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
    let page = read("docs/exit-codes.md");
    let stage = Stage::new();
    let help = stage.genesync(&["--help"]).expect(0).stdout;
    for exit in Exit::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| {} |", exit.code())));
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
fn usage_errors_exit_with_2_and_are_printed_to_stderr() {
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
fn links_between_documents_have_a_target() {
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
            assert!(folder.join(path).exists(), "{document} links to {target}, which does not exist");
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
fn explain_names_the_winning_line_and_the_overridden_ones() {
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
    let computed = ["explain", "widget.accessibility.contrastRatio", "--tenant", "kyoto-gakuin"];
    let computed = stage.genesync(&computed).expect(0).stdout;
    assert!(computed.contains("genesync computes it from the colours"), "{computed}");
    let unmanaged = stage.genesync(&["explain", "greetings.delayMs", "--tenant", "kyoto-gakuin"]).expect(0);
    assert!(unmanaged.stdout.contains("does not manage it"), "{}", unmanaged.stdout);
}

#[test]
fn every_shell_has_completions() {
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
    // A longer description continues in the next line, with a deeper indent.
    let names = commands
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty());
    let table = read("docs/commands.md");
    let mut count = 0;
    for command in names.filter(|name| *name != "help") {
        assert!(table.contains(&format!("\n| `{command}")), "docs/commands.md has no row for `{command}`");
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

/// The example of the `cloud` dialect has no findings, and its values can be explained.
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
    assert!(explained.contains("does not manage it"), "{explained}");
}

#[test]
fn the_demo_takes_ten_tenants_to_their_audit_entries() {
    let ran = Stage::new().genesync(&["demo"]).expect(0);
    assert!(ran.stdout.contains("No changes: 10 tenants are in sync with"), "{}", ran.stdout);
    // The demo prints at most a screen and a half, and no progress.
    assert!(ran.stdout.lines().count() <= 75, "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
    let verbose = Stage::new().genesync(&["demo", "-v"]).expect(0);
    assert!(
        verbose.stdout.contains("kyoto-gakuin  enforce") && verbose.stderr.contains("audit log"),
        "{}",
        verbose.stderr
    );
}
