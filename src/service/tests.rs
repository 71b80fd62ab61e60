//! docs/settings.md must list every setting with its default.

#![expect(clippy::disallowed_methods, reason = "a test writes the settings that it reads")]

use super::logging::LOG;
use crate::config::file::SettingsFile;
use crate::config::{ControllerSettings, Flags, Settings};
use crate::notify::NotifyPolicy;

const DOCS: &str = include_str!("../../docs/settings.md");

/// Returns the TOML blocks of the document.
fn examples() -> String {
    let blocks = DOCS.split("```toml\n").skip(1);
    blocks.filter_map(|block| block.split("```").next()).collect::<Vec<_>>().join("\n")
}

fn settings(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    // The settings name this file, so it must exist.
    let key = folder.path().join("state-key");
    std::fs::write(&key, "0123456789abcdef").unwrap();
    std::fs::write(&path, text.replace("/run/secrets/genesync/state-key", key.to_str().unwrap())).unwrap();
    Settings::resolve(Flags { settings: Some(path), ..Flags::default() }).unwrap()
}

/// Formats every setting that has a default.
fn outcome(settings: &Settings) -> String {
    let policy = NotifyPolicy::default();
    let controller = ControllerSettings {
        notify_settle: Some(settings.controller.notify_settle.unwrap_or(policy.settle)),
        instance: Some(settings.controller.instance.clone().unwrap_or(policy.instance)),
        // These have no default: without them genesync serves nothing and sends no traces.
        listen: None,
        otlp_endpoint: None,
        log: Some(settings.controller.log.clone().unwrap_or_else(|| LOG.to_owned())),
        ..settings.controller.clone()
    };
    let pacing = (settings.pacing.requests_per_minute, settings.pacing.burst);
    format!("{:?}", (settings.timing, settings.lease, pacing, controller))
}

#[test]
fn the_example_in_the_documentation_is_the_default() {
    assert_eq!(outcome(&settings(&examples())), outcome(&settings("")));
}

/// The reader's error for a misspelled setting lists all settings.
#[test]
fn the_example_in_the_documentation_names_every_setting() {
    let example: toml::Table = toml::from_str(&examples()).unwrap();
    for section in ["", "timing", "pacing", "controller", "waves"] {
        let misspelled = if section.is_empty() { "x = 1".into() } else { format!("[{section}]\nx = 1") };
        let error = toml::from_str::<SettingsFile>(&misspelled).unwrap_err().to_string();
        let names = error.rsplit("expected one of ").next().unwrap().rsplit("expected ").next().unwrap();
        let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{error}");
        let written = if section.is_empty() { &example } else { example[section].as_table().unwrap() };
        for name in names {
            // A folder, a database, or nowhere: one of the three.
            assert!(
                written.contains_key(name) || matches!(name, "store" | "state"),
                "docs/settings.md has no `{name}` under [{section}]"
            );
        }
    }
}
