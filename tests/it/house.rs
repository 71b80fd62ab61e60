//! The house rules that a compiler does not check: which module imports which, which files import each other
//! in a circle, that rules have fixtures and documentation, and how long files are.

mod circles;
mod code;
mod naming;

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
const PORTS: &[&str] = &[
    "source",
    "platform",
    "api",
    "store",
    "config",
    "clock",
    "crash",
    "private",
    "telemetry",
    "notify",
    "forge",
];

/// Returns which modules a module may import. It may always import itself.
fn allowed(module: &str) -> Box<dyn Fn(&str) -> bool> {
    let set = |groups: &[&[&'static str]]| -> Box<dyn Fn(&str) -> bool> {
        let names = groups.concat();
        Box::new(move |name| names.contains(&name))
    };
    match module {
        "model" | "private" => set(&[]),
        "manifest" | "plan" | "apply" | "replicate" | "confirm" | "messages" => set(&[&["model"]]),
        "validate" => set(&[&["model", "manifest"]]),
        "reconcile" => set(&[&["model"], STAGES]),
        "api" => set(&[&["model", "clock", "crash", "platform"]]),
        "source" | "platform" | "store" | "config" | "clock" | "telemetry" | "notify" | "forge"
        | "emulator" => set(&[&["model", "clock", "crash", "private"]]),
        "crash" => set(&[&["config"]]),
        "fleet" => set(&[&["model", "source", "manifest", "validate"]]),
        "driver" => set(&[&["model", "reconcile"], STAGES, PORTS]),
        // The driver handles the result of a run.
        "controller" => {
            set(&[&["model", "clock", "crash", "fleet", "driver", "store", "source", "telemetry"]])
        }
        // Only `service` starts a controller. Its exit code and its messages are the terminal's.
        "service" => {
            let ports = ["source", "platform", "store", "config", "clock", "crash", "telemetry", "notify"];
            set(&[&["model", "fleet", "driver", "controller"], &ports])
        }
        "render" => set(&[&["model", "reconcile"]]),
        // An editor gets the findings of `validate`, and the values in the pictures.
        "lsp" => set(&[&["model", "manifest", "validate", "source", "clock", "fleet", "render"]]),
        // `cli` runs long-lived commands through `service`.
        "cli" | "main" | "lib" => Box::new(|name| name != "controller"),
        other => panic!("src/{other} is new: add the modules that it may import here"),
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
    assert_eq!(fixtures, BTreeSet::new(), "fixtures without a rule");
    // Ids of the reader and the loader, which are not configurable rules.
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
    assert_eq!(files, expected, "one file per guard under src/plan/guards");
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
    // Tests have room for tables of cases; a product file near its limit should be split.
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

/// Every folder is a module whose file starts with what a newcomer has to know.
#[test]
fn every_folder_says_what_comes_in_and_out_what_never_happens_and_where_to_start() {
    let mut folders = BTreeSet::new();
    for file in files_under(&root().join("src"), ".rs") {
        folders.extend(file.strip_prefix(root()).unwrap().ancestors().skip(1).map(Path::to_path_buf));
    }
    folders.retain(|folder| {
        folder.components().count() > 1 && folder.components().all(|part| part.as_os_str() != "tests")
    });
    assert!(folders.len() > 30, "{folders:?}");
    let mut silent = Vec::new();
    for folder in &folders {
        let inside = root().join(folder).join("mod.rs");
        let file = if inside.exists() { inside } else { root().join(folder.with_extension("rs")) };
        let text = std::fs::read_to_string(&file).unwrap();
        let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        for label in ["In:", "Out:", "Never:", "Start"] {
            if !head.contains(label) {
                silent
                    .push(format!("{} does not say `{label}`", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}

/// The map of the code has a line with a description for each module.
#[test]
fn the_map_has_a_line_for_every_module() {
    let map = read("src/lib.rs");
    let mut lines = BTreeSet::new();
    for line in map.lines().filter(|line| line.starts_with("pub mod ")) {
        let (module, word) = line["pub mod ".len()..]
            .split_once("; // ")
            .unwrap_or_else(|| panic!("{line} has no description"));
        assert!(!word.is_empty());
        lines.insert(module.to_owned());
    }
    let modules: BTreeSet<String> = std::fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !["lib", "main"].contains(&name.as_str()))
        .collect();
    assert_eq!(lines, modules);
}

/// A test file that no runner names is never compiled and never fails.
#[test]
fn every_test_file_is_in_a_runner() {
    let tests = root().join("tests");
    let mut forgotten = Vec::new();
    for file in files_under(&tests, ".rs") {
        let inside = file.strip_prefix(&tests).unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let is_root = inside.components().count() == 1 || name == "main";
        let folder = file.parent().unwrap();
        let parents = match name {
            "mod" => vec![folder.parent().unwrap().join("main.rs"), folder.with_extension("rs")],
            _ => vec![folder.join("main.rs"), folder.join("mod.rs"), folder.with_extension("rs")],
        };
        let module = if name == "mod" { folder.file_name().unwrap().to_str().unwrap() } else { name };
        let declared = parents.iter().filter_map(|parent| std::fs::read_to_string(parent).ok()).any(|text| {
            text.lines().any(|line| line.trim().trim_start_matches("pub ") == format!("mod {module};"))
        });
        if !is_root && !declared {
            forgotten.push(inside.to_path_buf());
        }
    }
    assert_eq!(forgotten, Vec::<PathBuf>::new());
}

/// Checks the paths of this repository that pages and module comments name.
#[test]
fn every_path_that_is_named_exists() {
    let mut texts: Vec<PathBuf> = files_under(&root().join("docs"), ".md");
    texts.extend(["README.md", "CHANGELOG.md", "AGENTS.md"].map(|file| root().join(file)));
    texts.extend(files_under(&root().join("src"), ".rs"));
    let (mut seen, mut missing) = (0, Vec::new());
    for file in texts {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter(|line| {
            file.extension().is_some_and(|end| end == "md") || line.trim_start().starts_with("//")
        });
        for word in lines.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && !"/._-".contains(c))) {
            let word = word.trim_end_matches(['.', '/']);
            let is_path = ["src/", "tests/", "docs/", "benches/", "schemas/", "examples/", "migrations/"]
                .iter()
                .any(|folder| word.starts_with(folder) && word.len() > folder.len());
            if is_path && !word.contains("..") {
                seen += 1;
                if !root().join(word).exists() {
                    missing.push(format!("{} names {word}", file.strip_prefix(root()).unwrap().display()));
                }
            }
        }
    }
    assert!(seen > 40, "only {seen} paths were found");
    assert_eq!(missing, Vec::<String>::new());
}

/// The page for contributors names targets and tests that exist.
#[test]
fn the_page_for_contributors_names_what_exists() {
    let page = read("AGENTS.md");
    let makefile = read("Makefile");
    let in_code: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let mut count = 0;
    for code in in_code {
        if let Some(target) = code.strip_prefix("make ") {
            assert!(makefile.contains(&format!("\n{target}:")), "the Makefile has no target `{target}`");
            count += 1;
        }
        if let Some(test) = code.strip_prefix("house::") {
            assert!(read("tests/it/house.rs").contains(&format!("fn {test}()")), "there is no test `{code}`");
            count += 1;
        }
    }
    assert!(count >= 7, "{count} targets and tests are named");
}

/// The page that follows one change links each function that it names.
#[test]
fn the_story_of_a_change_names_functions_that_exist() {
    let story = read("docs/a-change.md");
    let mut count = 0;
    for link in story.split("[`").skip(1) {
        let (name, rest) = link.split_once("`](../").unwrap_or_else(|| panic!("no link: {}", &link[..40]));
        let path = rest.split(')').next().unwrap();
        let text = read(path);
        let is_there = text.contains(&format!("fn {name}(")) || text.contains(&format!("fn {name}<"));
        assert!(is_there, "{path} has no function `{name}`");
        count += 1;
    }
    assert!(count > 20, "{count} functions are named");
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
