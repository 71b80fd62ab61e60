//! Hostile and broken input, row by row: what people and attackers can put into a configuration repository.
//!
//! Each row has an id (`Y` YAML text, `N` meaning, `P` repositories) that a failing assertion names. A row is
//! in the tenant `acme`. Beside it is the sound tenant `zebra`, which no row may affect: no finding, not
//! blocked, its configuration as written. The bounds are those of the reader (sizes, counts, depths) and
//! never timers.
//!
//! Rows that cannot be tested yet, and why:
//!
//! - N02 in part: only the API shows that a live organization is in another region. The offline half, an
//!   organization that two tenants claim, is here.
//! - N04, N05: no field holds a URL or a domain yet; they come with the deployment kinds of the cloud API.
//! - N09 in part: no field holds a regular expression; texts that are long and almost match are here.
//! - N10 in part: there are no quick replies and no languages yet; greetings, audiences and flags are here.
//! - N13 in part: genesync never removes anything. A tenant whose folder is deleted is no longer managed, so
//!   there is no limit on removals to test. A repository that loses its last tenant is here.
//! - N14: no field switches authentication or consent off yet; the guard `protected` is tested beside `plan`.
//! - N18: there are no overrides by region; two organizations in one region are a warning of `identity`.
//! - P04, in part: names that differ only in their Unicode normal form are two files to git and to genesync.
//!   Two documents of one kind are refused in any file.
//! - P06, in part: `file://` is accepted on purpose: only the operator can set a URL.
//! - P07, P18, P19: libgit2 handles host keys, redirects and progress texts; there is no TLS or ssh server in
//!   these tests. genesync asks for no redirects and reads no progress text.
//! - P08: libgit2's hash detects a collision, and a test cannot make one.
//! - P09 in part: packs beyond the fetch limits are gigabytes; blobs and trees over the limits are here.
//! - P12: signatures are not verified yet.

#![expect(clippy::disallowed_methods, reason = "these tests make files and repositories")]

mod following;
mod meaning;
mod repository;
mod yaml;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use genesync::fleet::{self, Fleet, Options};
use genesync::model::{Finding, Severity};
use genesync::render;
use genesync::source::{Source, SourceError};
use jiff::civil::Date;
use tempfile::TempDir;

/// The day on which every row is read.
pub const TODAY: Date = Date::constant(2026, 11, 20);

/// A tenant whose organization ends in `number`. `extra` is inserted into `spec`, from line 9 on.
pub fn tenant(name: &str, number: u32, extra: &str) -> String {
    format!(
        "apiVersion: genesync/v1alpha1\nkind: Tenant\nmetadata:\n  name: {name}\nspec:\n  organizationId: 5b0c8a2e-93d4-4a57-8f0f-{number:012}\n  region: eu-west-1\n  credentials: {name}\n{extra}"
    )
}

/// A WebMessaging document; `spec` starts on line 5.
pub fn web(spec: &str) -> String {
    format!("apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {{name: web}}\nspec:\n{spec}")
}

/// The desired configuration of the sound tenant.
pub const SOUND_SPEC: &str = "  widget: {theme: {colors: {primary: \"#0B3D91\", background: \"#FFFFFF\"}}}\n  greetings: {enabled: true, messages: [\"Hello!\"]}\n";

/// A file of a repository: its path and its bytes.
pub type FileOf = (String, Vec<u8>);

/// The files of a sound tenant.
pub fn sound(name: &str, number: u32) -> Vec<FileOf> {
    vec![
        (format!("tenants/{name}/tenant.yaml"), tenant(name, number, "").into_bytes()),
        (format!("tenants/{name}/web.yaml"), web(SOUND_SPEC).into_bytes()),
    ]
}

/// A folder with these files and the sound tenant `zebra`.
pub fn folder(files: &[FileOf]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in files.iter().chain(&sound("zebra", 99)) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// Loads a plain folder.
pub fn load(dir: &Path) -> Result<Fleet, SourceError> {
    fleet::load(&Source::folder(dir), "folder", &Options::on(TODAY))
}

/// Loads `acme` from these files. They replace its sound files or are added to them.
pub fn load_acme(files: &[FileOf]) -> Fleet {
    let mut all = sound("acme", 1);
    all.retain(|(path, _)| files.iter().all(|(other, _)| other != path));
    all.extend(files.iter().cloned());
    load(folder(&all).path()).unwrap()
}

/// Checks what holds for every repository: the sound tenant is unchanged, and the findings are short and
/// printable.
pub fn assert_zebra_is_sound(id: &str, fleet: &Fleet) {
    let zebra = fleet.tenants.iter().find(|loaded| loaded.name.as_str() == "zebra");
    let zebra = zebra.unwrap_or_else(|| panic!("{id}: the sound tenant is missing"));
    assert!(!zebra.blocked && !zebra.resources.is_empty(), "{id}: the sound tenant is affected");
    let of_zebra: Vec<&Finding> = fleet
        .findings
        .iter()
        .filter(|finding| {
            finding.location.file.starts_with("tenants/zebra/")
                || finding.tenant.as_ref().is_some_and(|tenant| tenant.as_str() == "zebra")
        })
        .collect();
    assert!(of_zebra.is_empty(), "{id}: {of_zebra:#?}");
    assert_harmless(id, fleet);
}

/// Checks that every finding has a bounded length and, once rendered, moves no cursor and hides no text.
pub fn assert_harmless(id: &str, fleet: &Fleet) {
    for finding in &fleet.findings {
        let help = finding.help.as_deref().unwrap_or_default();
        let longest = finding.message.chars().count().max(help.chars().count());
        assert!(longest <= 600, "{id}: a finding of {longest} characters: {:.200}", finding.message);
        assert!(
            finding.location.file.len() <= 1_100,
            "{id}: a path of {} bytes",
            finding.location.file.len()
        );
    }
    assert_shown_plainly(id, &render::finding::text(&fleet.findings, &fleet.files, false));
}

/// Checks that a text has no control character except the line break, no direction override, and no
/// zero-width character.
pub fn assert_shown_plainly(id: &str, text: &str) {
    let bad = text.chars().find(|&c| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{61c}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    });
    assert_eq!(bad, None, "{id}: {text:.2000}");
}

/// The error that a row must have: rule, `line:column` (`-` for a file as a whole), a part of the message.
pub struct Expected<'a> {
    pub id: &'a str,
    pub file: &'a str,
    pub place: &'a str,
    pub rule: &'a str,
    pub says: &'a str,
}

/// Checks that every row's error is in the expected place and stops its tenant and no other. It checks all
/// rows before the test fails.
pub fn assert_all_refused<'a>(rows: impl IntoIterator<Item = (Fleet, Expected<'a>)>) {
    let wrong: Vec<String> =
        rows.into_iter().filter_map(|(fleet, expected)| missed(&fleet, &expected)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Checks that the row's error is in the expected place and stops its tenant and no other.
pub fn assert_refused(fleet: &Fleet, expected: &Expected<'_>) {
    if let Some(wrong) = missed(fleet, expected) {
        panic!("{wrong}");
    }
}

fn missed(fleet: &Fleet, expected: &Expected<'_>) -> Option<String> {
    let Expected { id, file, place, rule, says } = *expected;
    let place_of = |finding: &Finding| match finding.location.line {
        0 => "-".to_owned(),
        line => format!("{line}:{}", finding.location.column),
    };
    let hit = fleet.findings.iter().any(|finding| {
        finding.severity == Severity::Error
            && finding.rule == rule
            && &*finding.location.file == file
            && place_of(finding) == place
            && finding.message.contains(says)
    });
    let found: Vec<String> = fleet
        .findings
        .iter()
        .take(20)
        .map(|finding| {
            format!(
                "{} {} {}:{} {:.200} | {:?}",
                finding.severity.name(),
                finding.rule,
                finding.location.file,
                place_of(finding),
                finding.message,
                finding.help
            )
        })
        .collect();
    if !hit {
        return Some(format!("{id}: no error of `{rule}` at {file}:{place} says `{says}`, but: {found:#?}"));
    }
    if let Some(acme) = fleet.tenants.iter().find(|loaded| loaded.name.as_str() == "acme") {
        assert!(acme.blocked, "{id}: the tenant is not blocked");
    }
    assert_zebra_is_sound(id, fleet);
    None
}

/// Checks that the tenant of the row can be written, and returns its desired configuration.
pub fn assert_accepted(id: &str, fleet: &Fleet) -> serde_json::Value {
    let errors: Vec<&Finding> =
        fleet.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{id}: {errors:#?}");
    assert_zebra_is_sound(id, fleet);
    let acme = fleet.tenants.iter().find(|loaded| loaded.name.as_str() == "acme");
    let acme = acme.unwrap_or_else(|| panic!("{id}: the tenant is missing"));
    assert!(!acme.blocked, "{id}: the tenant is blocked");
    let desired = &acme
        .resources
        .first()
        .unwrap_or_else(|| panic!("{id}: the tenant has no desired configuration"))
        .desired;
    serde_json::Value::Object((*desired.body).clone())
}

/// Runs the binary without the environment of the test.
pub fn genesync(state: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_genesync"))
        .args(args)
        .env_clear()
        .env("GENESYNC_STATE_DIR", state)
        .env("GENESYNC_CACHE_DIR", state.join("cache"))
        .output()
        .unwrap()
}

/// Returns what a run printed on both streams.
pub fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
