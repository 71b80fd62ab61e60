//! The files under deploy/ are valid, and name only what the program has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use genesync::config::file::SettingsFile;
use genesync::manifest::yaml;
use serde_json::Value;

use crate::support::Stage;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// Returns every file under deploy/, by its path there.
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder()];
    while let Some(inside) = folders.pop() {
        for entry in std::fs::read_dir(inside).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

fn manifest(name: &str) -> Value {
    let composed = yaml::compose(&text(name), 0);
    let problems: Vec<String> = composed.problems.iter().map(|problem| format!("{problem:?}")).collect();
    assert_eq!((problems, composed.documents.len()), (Vec::new(), 1), "{name}");
    composed.documents[0].to_json()
}

/// Returns the pod of a Deployment or CronJob.
fn pod(name: &str) -> Value {
    let manifest = manifest(name);
    let templates = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    templates.iter().find_map(|pointer| manifest.pointer(pointer)).unwrap().clone()
}

const PODS: [&str; 2] = ["kubernetes/deployment.yaml", "kubernetes/cronjob.yaml"];
const UNITS: [&str; 2] = ["systemd/genesync.service", "systemd/genesync-once.service"];

/// Returns the value of a unit's only line with this key.
fn line(unit: &str, key: &str) -> String {
    let text = text(unit);
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let value = lines.next().unwrap_or_else(|| panic!("{unit} has no {key}")).to_owned();
    assert_eq!(lines.next(), None, "{unit} has two {key}");
    value
}

/// Returns the arguments that each file starts the program with.
fn started_with() -> Vec<(String, Vec<String>)> {
    let pods = PODS.iter().map(|name| {
        let words = pod(name)["containers"][0]["args"].as_array().unwrap().clone();
        ((*name).to_owned(), words.iter().map(|word| word.as_str().unwrap().to_owned()).collect())
    });
    let units = UNITS.iter().map(|name| {
        let typed = line(name, "ExecStart");
        let words = typed.strip_prefix("/usr/local/bin/genesync ").unwrap().split(' ').map(str::to_owned);
        ((*name).to_owned(), words.collect())
    });
    pods.chain(units).collect()
}

/// Each command line is run with a repository that does not exist, so that the program accepts its arguments
/// and then fails.
#[test]
fn every_command_line_is_one_that_the_program_takes() {
    let stage = Stage::new();
    for (name, words) in started_with() {
        let placeholder = |word: &String| word == "$(REPOSITORY)" || word == "${REPOSITORY}";
        assert!(words.iter().any(placeholder) && words[0] == "run", "{name}: {words:?}");
        let words: Vec<&str> =
            words.iter().map(|word| if placeholder(word) { "no-such-folder" } else { word }).collect();
        let ran = stage.genesync(&words).expect(2);
        assert!(ran.stderr.contains("`no-such-folder` is not a folder"), "{name}: {}", ran.stderr);
    }
}

#[test]
fn every_variable_is_one_that_the_program_reads() {
    let source = include_str!("../../src/config/env.rs");
    let read: BTreeSet<&str> = source
        .lines()
        .filter(|line| line.starts_with("pub const"))
        .map(|line| line.split('"').nth(1).unwrap())
        .collect();
    for (name, text) in files() {
        for (at, _) in text.match_indices("GENESYNC_") {
            let word = |c: &char| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_';
            let variable: String = text[at..].chars().take_while(word).collect();
            let known = read.contains(variable.as_str())
                || read.iter().any(|prefix| prefix.ends_with('_') && variable.starts_with(prefix));
            assert!(known, "deploy/{name} names {variable}, which the program does not read");
        }
    }
}

#[test]
fn settings_are_those_of_the_program_and_stopping_gets_the_time_it_asks_for() {
    let settings: SettingsFile = toml::from_str(&text("kubernetes/settings.toml")).unwrap();
    let shutdown_s = settings.controller.shutdown_ms.unwrap() / 1000;
    for name in PODS {
        assert!(pod(name)["terminationGracePeriodSeconds"].as_u64().unwrap() > shutdown_s + 5, "{name}");
    }
    for name in UNITS {
        assert!(line(name, "TimeoutStopSec").parse::<u64>().unwrap() > shutdown_s + 5, "{name}");
    }
    // The unit's comment on a client from a file has the same lines.
    let example: String = text(UNITS[0])
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .filter(|line| line.starts_with('[') || line.starts_with("command"))
        .map(|line| format!("{line}\n"))
        .collect();
    let settings: SettingsFile = toml::from_str(&example).unwrap();
    assert_eq!(settings.credentials["northbank"].command.as_ref().unwrap()[0], "cat");
}

#[test]
fn manifests_can_be_read_and_name_each_other() {
    for (name, _) in files().iter().filter(|(name, _)| name.ends_with(".yaml")) {
        manifest(name);
    }
    let kustomization = manifest("kubernetes/kustomization.yaml");
    for resource in kustomization["resources"].as_array().unwrap() {
        manifest(&format!("kubernetes/{}", resource.as_str().unwrap()));
    }
    let made: Vec<&Value> =
        kustomization["configMapGenerator"].as_array().unwrap().iter().map(|map| &map["name"]).collect();
    for name in PODS {
        let pod = pod(name);
        assert_eq!(
            (&pod["securityContext"]["runAsNonRoot"], &pod["automountServiceAccountToken"]),
            (&true.into(), &false.into())
        );
        let container = &pod["containers"][0];
        let security = &container["securityContext"];
        assert_eq!(
            (&security["readOnlyRootFilesystem"], &security["allowPrivilegeEscalation"]),
            (&true.into(), &false.into())
        );
        let volumes = pod["volumes"].as_array().unwrap();
        for mount in container["volumeMounts"].as_array().unwrap() {
            assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{name}: {mount}");
        }
        for volume in volumes.iter().filter(|volume| volume["configMap"].is_object()) {
            assert!(made.contains(&&volume["configMap"]["name"]), "{name}: {volume}");
        }
        // The only folders that it writes to; the state is in the database.
        let writable: Vec<&str> = container["volumeMounts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|mount| mount["readOnly"] != true)
            .map(|mount| mount["mountPath"].as_str().unwrap())
            .collect();
        assert_eq!(writable, ["/var/cache/genesync"]);
        assert!(text("Containerfile").contains("GENESYNC_CACHE_DIR=/var/cache/genesync"));
    }
    let probes = &pod(PODS[0])["containers"][0];
    assert_eq!(probes["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(probes["readinessProbe"]["httpGet"]["path"], "/readyz");
}

#[test]
fn the_image_is_built_with_the_toolchain_of_the_repository() {
    let toolchain: toml::Table = toml::from_str(include_str!("../../rust-toolchain.toml")).unwrap();
    let version = toolchain["toolchain"]["channel"].as_str().unwrap();
    let containerfile = text("Containerfile");
    assert!(containerfile.contains(&format!("FROM rust:{version}-alpine AS build")), "{version}");
    assert!(containerfile.contains(&format!("RUSTUP_TOOLCHAIN={version}\n")), "{version}");
}

/// systemd itself checks the units, if it is installed. The program's path is the one of this build.
#[test]
fn systemd_accepts_the_units() {
    if !Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success())
    {
        println!("systemd-analyze is not installed: the units are not verified");
        return;
    }
    let copies = tempfile::tempdir().unwrap();
    std::fs::write(copies.path().join("environment"), "REPOSITORY=.\n").unwrap();
    let mut names = Vec::new();
    for (name, text) in files().iter().filter(|(name, _)| name.starts_with("systemd/")) {
        let path = copies.path().join(name.strip_prefix("systemd/").unwrap());
        let environment = copies.path().join("environment");
        let text = text.replace("/usr/local/bin/genesync", env!("CARGO_BIN_EXE_genesync")).replace(
            "EnvironmentFile=/etc/genesync/environment",
            &format!("EnvironmentFile={}", environment.display()),
        );
        std::fs::write(&path, text).unwrap();
        names.push(path);
    }
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&names).output().unwrap();
    let reported = String::from_utf8_lossy(&output.stderr);
    // Other units of the machine, which ours name, may have flaws.
    let ours: Vec<&str> = reported.lines().filter(|line| line.contains("genesync")).collect();
    assert_eq!(ours, Vec::<&str>::new());
    assert!(output.status.success() || !reported.contains("genesync"), "{reported}");
}
