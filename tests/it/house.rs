//! The house rules that a compiler does not keep: who imports whom, which files import each other in a circle, where
//! rules have their fixtures and their documentation, how long files are.

mod circles;
mod code;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use genesync::cli::commands::demo;
use genesync::model::Guard;
use genesync::plan::guards;
use genesync::validate::rules;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn files_under(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_under(&path, ending));
        } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

const STAGES: &[&str] = &["manifest", "validate", "plan", "apply", "replicate", "confirm"];
const PORTS: &[&str] =
    &["source", "platform", "api", "store", "config", "clock", "crash", "telemetry", "notify", "forge"];

/// Who may import whom, besides itself.
fn allowed(module: &str) -> Box<dyn Fn(&str) -> bool> {
    let set = |groups: &[&[&'static str]]| -> Box<dyn Fn(&str) -> bool> {
        let names = groups.concat();
        Box::new(move |name| names.contains(&name))
    };
    match module {
        "model" => set(&[]),
        "manifest" | "plan" | "apply" | "replicate" | "confirm" => set(&[&["model"]]),
        "validate" => set(&[&["model", "manifest"]]),
        "reconcile" => set(&[&["model"], STAGES]),
        "api" => set(&[&["model", "clock", "crash", "platform"]]),
        "source" | "platform" | "store" | "config" | "clock" | "telemetry" | "notify" | "forge"
        | "emulator" => set(&[&["model", "clock", "crash"]]),
        "crash" => set(&[&["config"]]),
        "fleet" => set(&[&["model", "source", "manifest", "validate"]]),
        "driver" => set(&[&["model", "reconcile"], STAGES, PORTS]),
        // What becomes of a run it leaves to the driver.
        "controller" => {
            set(&[&["model", "clock", "crash", "fleet", "driver", "store", "source", "telemetry"]])
        }
        // It alone starts a controller. Its exit code and its messages are the terminal's.
        "service" => {
            let ports = ["source", "platform", "store", "config", "clock", "crash", "telemetry", "notify"];
            set(&[&["model", "fleet", "driver", "controller"], &ports])
        }
        "render" => set(&[&["model", "reconcile"]]),
        // What an editor sees is what `validate` says, and what the pictures hold.
        "lsp" => set(&[&["model", "manifest", "validate", "source", "clock", "fleet", "render"]]),
        // What it runs for long, it runs through `service`.
        "cli" | "main" | "lib" => Box::new(|name| name != "controller"),
        other => panic!("src/{other} is new: say here whom it may import"),
    }
}

#[test]
fn the_arrows_between_modules_hold() {
    let src = root().join("src");
    let mut wrong = Vec::new();
    for file in files_under(&src, ".rs") {
        let inside = file.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        let is_test = inside.ends_with("tests.rs")
            || inside.to_str().unwrap().contains("/tests/")
            || inside.ends_with("fixture.rs");
        if is_test {
            continue;
        }
        let may_import = allowed(module);
        for name in code::imported(&std::fs::read_to_string(&file).unwrap()) {
            if name != module && !may_import(&name) {
                wrong.push(format!("{} imports crate::{name}", inside.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_rule_has_its_file_its_fixtures_and_its_section() {
    let docs = read("docs/rules.md");
    let mut fixtures: BTreeSet<String> = std::fs::read_dir(root().join("tests/fixtures/rules"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for rule in rules::ALL {
        assert!(
            root().join(format!("src/validate/rules/{}.rs", rule.id.replace('-', "_"))).exists(),
            "{} has no file",
            rule.id
        );
        for name in ["ok", "bad"] {
            assert!(
                root().join(format!("tests/fixtures/rules/{}/{name}.yaml", rule.id)).exists(),
                "{} has no {name} fixture",
                rule.id
            );
        }
        let section = format!("\n## {}\n\n{}.", rule.id, rule.summary);
        assert!(docs.contains(&section), "docs/rules.md has no section that begins with:{section}");
        fixtures.remove(rule.id);
    }
    assert_eq!(fixtures, BTreeSet::new(), "fixtures of no rule");
    // Ids that the reader and the loader use, which are no rules that can be tuned.
    for id in ["yaml", "schema", "layers", "repository", "waiver"] {
        assert!(docs.contains(&format!("\n## {id}\n")), "docs/rules.md has no section for `{id}`");
    }
}

#[test]
fn every_guard_has_its_file_its_scene_and_its_section() {
    let files: BTreeSet<String> = files_under(&root().join("src/plan/guards"), ".rs")
        .iter()
        .filter(|file| file.parent().unwrap().ends_with("guards"))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().replace('_', "-"))
        .collect();
    let mut expected = BTreeSet::from(["mod".to_owned(), "scenes".to_owned()]);
    let docs = read("docs/guards.md");
    for info in guards::ALL {
        let name = info.guard.name();
        expected.insert(name.to_owned());
        let section = docs.split("\n## ").find(|section| section.starts_with(&format!("{name}\n")));
        let section = section.unwrap_or_else(|| panic!("docs/guards.md has no section for `{name}`"));
        let printed = info.printed();
        assert!(!printed.is_empty(), "the scene of `{name}` is not refused");
        for part in [info.summary.to_owned(), format!("**Scope.** {}: ", info.scope.name())]
            .into_iter()
            .chain(printed)
        {
            assert!(section.contains(&part), "docs/guards.md does not say under `{name}`: {part}");
        }
    }
    assert_eq!(files, expected, "one file a guard under src/plan/guards");
    let listed: Vec<Guard> = guards::ALL.iter().map(|info| info.guard).collect();
    assert_eq!(listed, Guard::ALL, "guards::ALL lists every guard in their order");
}

#[test]
fn the_demo_carries_every_example_file() {
    let mut expected = vec!["genesync.yaml".to_owned()];
    for folder in ["bases", "tenants"] {
        let files = files_under(&root().join(folder), ".yaml");
        expected
            .extend(files.iter().map(|file| file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()));
    }
    expected.sort();
    let mut embedded: Vec<String> = demo::files::FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
    embedded.sort();
    assert_eq!(embedded, expected);
}

#[test]
fn files_stay_short_enough_to_be_read() {
    // Room for tables of test cases; a file of the product that nears its limit wants to be two.
    let limits = [("src", 450), ("tests", 900)];
    let mut long = Vec::new();
    for (folder, lines_max) in limits {
        for file in files_under(&root().join(folder), ".rs") {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            if lines > lines_max {
                let file = file.strip_prefix(root()).unwrap();
                long.push(format!("{} has {lines} lines, {lines_max} are the limit", file.display()));
            }
        }
    }
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn every_module_says_what_comes_in_and_what_never_happens() {
    for module in [
        &[
            "model",
            "reconcile",
            "fleet",
            "driver",
            "controller",
            "service",
            "render",
            "emulator",
            "lsp",
            "cli",
        ][..],
        STAGES,
        &["source", "platform", "api", "store", "config", "telemetry", "notify", "forge", "service/http"],
    ]
    .concat()
    {
        let head: String = read(&format!("src/{module}/mod.rs"))
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        for label in ["In:", "Out:", "Never:"] {
            assert!(head.contains(label), "src/{module}/mod.rs does not say `{label}`");
        }
    }
}

#[test]
fn every_environment_variable_is_documented() {
    let docs = read("docs/settings.md");
    let source = read("src/config/env.rs");
    for line in source.lines().filter(|line| line.starts_with("pub const")) {
        let name = line.split('"').nth(1).unwrap();
        assert!(docs.contains(name), "docs/settings.md does not name {name}");
    }
}
