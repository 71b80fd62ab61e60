//! Inputs from real users, each with an answer that they can act on.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Ran, Stage, delay, ran, tenant};

fn all(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

/// Runs git itself, without the machine's settings.
fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "protocol.file.allow=always"]).args(arguments);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "A Team")
            .env(format!("GIT_{role}_EMAIL"), "team@example.com");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Returns a stage with one tenant in a repository that a newer git made, with these options of `git init`.
fn made_by_git(options: &[&str]) -> Stage {
    let stage = Stage::new();
    let fleet = stage.repository();
    git(&fleet, &[&["init", "-q", "-b", "main"], options, &["."]].concat());
    for (path, text) in tenant("acme", &[1], &delay(1)) {
        std::fs::create_dir_all(fleet.join(&path).parent().unwrap()).unwrap();
        std::fs::write(fleet.join(&path), text).unwrap();
    }
    git(&fleet, &["add", "-A"]);
    git(&fleet, &["commit", "-q", "-m", "acme"]);
    stage
}

/// Runs `apply` on another folder than the stage's own, with its own state.
fn apply_to(stage: &Stage, place: &str) -> Ran {
    let mut command = stage.command(&["apply", place]);
    command.env("GENESYNC_STATE_DIR", stage.path("other-state"));
    command.env("GENESYNC_CACHE_DIR", stage.path("cache"));
    ran(command.output().unwrap())
}

#[test]
fn files_that_a_clone_leaves_out_are_committed_and_an_edit_is_not() {
    let stage = made_by_git(&[]);
    let from = format!("file://{}", stage.repository().display());
    let parent = stage.path("");
    for (name, options, reported) in
        [("sparse", &["--sparse"][..], false), ("nothing", &["--no-checkout"], false), ("edited", &[], true)]
    {
        git(&parent, &[&["clone", "-q"], options, &[&from, name]].concat());
        let clone = stage.path(name);
        if name == "edited" {
            std::fs::write(clone.join("tenants/acme/new.yaml"), "").unwrap();
        }
        let ran = apply_to(&stage, clone.to_str().unwrap());
        assert_eq!(ran.stderr.contains("not committed"), reported, "{name}: {}", ran.stderr);
        std::fs::remove_dir_all(stage.path("other-state")).unwrap();
    }
    // The index says that the file in the work tree counts as unchanged.
    let edited = stage.path("edited");
    std::fs::remove_file(edited.join("tenants/acme/new.yaml")).unwrap();
    std::fs::write(edited.join("tenants/acme/web.yaml"), "other").unwrap();
    assert!(apply_to(&stage, edited.to_str().unwrap()).stderr.contains("1 file is not committed"));
    git(&edited, &["update-index", "--skip-worktree", "tenants/acme/web.yaml"]);
    assert!(!apply_to(&stage, edited.to_str().unwrap()).stderr.contains("not committed"));
    // A sparse index does not show it.
    git(&edited, &["update-index", "--no-skip-worktree", "tenants/acme/web.yaml"]);
    std::fs::create_dir(edited.join("other")).unwrap();
    std::fs::write(edited.join("other/file"), "").unwrap();
    git(&edited, &["add", "other"]);
    git(&edited, &["commit", "-q", "-m", "other"]);
    git(&edited, &["sparse-checkout", "set", "--cone", "--sparse-index", "tenants"]);
    let unknown = apply_to(&stage, edited.to_str().unwrap());
    assert!(
        unknown
            .stderr
            .contains("cannot read the index of the work tree, so uncommitted files are not reported"),
        "{}",
        unknown.stderr
    );
    git(&edited, &["sparse-checkout", "reapply", "--no-sparse-index"]);
    assert!(apply_to(&stage, edited.to_str().unwrap()).stderr.contains("1 file is not committed"));
}

#[test]
fn unsupported_repositories_are_reported_with_a_hint() {
    let sha256 = ("names its objects by SHA256", "git init --object-format=sha1");
    let reftable = ("keeps its branches as a reftable", "git refs migrate --ref-format=files");
    for (options, (form, way)) in [("--object-format=sha256", sha256), ("--ref-format=reftable", reftable)] {
        let stage = made_by_git(&[options]);
        let folder = stage.repository().display().to_string();
        for place in [folder.clone(), format!("file://{folder}")] {
            let ran = apply_to(&stage, &place).expect(7);
            for part in [format!("`{place}`").as_str(), form, way] {
                assert!(ran.stderr.contains(part), "{place}: {part}: {}", ran.stderr);
            }
            assert!(!ran.stderr.contains("class="), "the library's message: {}", ran.stderr);
        }
    }
    let stage = made_by_git(&[]);
    git(&stage.repository(), &["config", "uploadpack.allowFilter", "true"]);
    let from = format!("file://{}", stage.repository().display());
    git(&stage.path(""), &["clone", "-q", "--filter=blob:none", "--no-checkout", &from, "partial"]);
    let partial = stage.path("partial");
    let ran = apply_to(&stage, partial.to_str().unwrap()).expect(7);
    for part in ["tenants/acme/tenant.yaml", "the clone is partial", "git fetch --refetch --no-filter"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    git(&partial, &["fetch", "-q", "--refetch", "--no-filter"]);
    apply_to(&stage, partial.to_str().unwrap()).expect(0);
}

// Guarantee: links-are-not-followed
#[test]
fn a_submodule_is_reported_in_one_sentence_wherever_it_is_read() {
    let stage = made_by_git(&[]);
    let parent = stage.path("");
    git(&parent, &["init", "-q", "-b", "main", "super"]);
    let from = format!("file://{}", stage.repository().display());
    let over = stage.path("super");
    for place in ["tenants/acme", "tenants/zeta/inner", "bases"] {
        git(&over, &["submodule", "--quiet", "add", &from, place]);
    }
    std::fs::write(over.join("tenants/zeta/tenant.yaml"), &tenant("zeta", &[2], "")[0].1).unwrap();
    git(&over, &["add", "-A"]);
    git(&over, &["commit", "-q", "-m", "submodules"]);
    git(&parent, &["clone", "-q", &format!("file://{}", over.display()), "bare-folders"]);
    // Folders that `git add` would take for submodules.
    std::fs::create_dir_all(stage.path("embedded/tenants")).unwrap();
    for folder in ["tenants/acme", "tenants/zeta/inner", "bases"] {
        git(&stage.path("embedded"), &["clone", "-q", &from, folder]);
    }
    std::fs::write(stage.path("embedded/tenants/zeta/tenant.yaml"), &tenant("zeta", &[2], "")[0].1).unwrap();
    let findings = |arguments: &[&str]| {
        let found = stage.genesync(&[&["validate", "--format", "json"], arguments].concat()).expect(1).json();
        let reported = found["findings"].as_array().unwrap().iter();
        let reported =
            reported.filter(|finding| finding["rule"] == "repository" || finding["rule"] == "schema");
        let reported = reported.map(|finding| {
            format!(
                "{}: {}",
                finding["file"].as_str().unwrap_or_default(),
                finding["message"].as_str().unwrap()
            )
        });
        reported.collect::<BTreeSet<String>>()
    };
    let path = |name: &str| stage.path(name).display().to_string();
    let committed = findings(&[&path("super"), "--rev", "HEAD"]);
    assert!(
        committed
            .iter()
            .any(|reported| reported.contains("`tenants/acme` is a submodule instead of a folder"))
            && committed
                .iter()
                .any(|reported| reported.contains("`bases` is a submodule instead of a folder"))
            && committed
                .iter()
                .any(|reported| reported
                    .contains("this is a submodule, but genesync reads only regular files")),
        "{committed:#?}"
    );
    for name in ["super", "bare-folders", "embedded"] {
        assert_eq!(findings(&[&path(name)]), committed, "{name}");
    }
}

#[test]
fn a_world_file_says_which_field_is_wrong_and_where() {
    let stage = Stage::new();
    let world = stage.path("world.json");
    for (text, parts) in [
        (
            r#"{"organizations":[{"id":"x","configuraton":{}}]}"#,
            &["`organizations[0].configuraton`", "unknown field `configuraton`", "line 1 column 42"][..],
        ),
        ("{\n \"clients\": [{\"id\": 3}]}", &["`clients[0].id`", "line 2"]),
        ("{", &["the world file", "EOF", "line 1"]),
        ("{} x", &["the world file", "trailing characters", "column 4"]),
    ] {
        std::fs::write(&world, text).unwrap();
        let ran = stage.genesync(&["emulate", "--listen", "127.0.0.1:0", "--world", world.to_str().unwrap()]);
        let ran = ran.expect(2);
        for part in parts.iter().chain(&["world.json", "docs/emulator.md"]) {
            assert!(ran.stderr.contains(part), "{text}: {part}: {}", ran.stderr);
        }
    }
}

// Guarantee: no-zone-of-the-machine
#[test]
fn a_time_zone_means_the_same_on_every_machine() {
    let stage = Stage::new();
    // A machine whose zone files define Berlin differently, and define a zone that depends on Berlin.
    let machine = stage.path("machine");
    std::fs::create_dir_all(machine.join("Europe")).unwrap();
    let tokyo = zone("JST-9");
    for name in ["Europe/Berlin", "localtime"] {
        std::fs::write(machine.join(name), &tokyo).unwrap();
    }
    let hours = |zone: &str| {
        format!(
            "{}  availability: {{schedule: custom, timeZone: {zone}, rules: [{{dayOfWeek: MONDAY, startTime: \"08:00\", endTime: \"10:30\"}}]}}\n",
            delay(1)
        )
    };
    let ask = |arguments: &[&str], variable: &str| {
        ran(stage.command(arguments).env(variable, &machine).output().unwrap())
    };
    let explain = ["explain", "acme", "--at", "2026-11-30T00:15Z"];
    stage.commit(&tenant("acme", &[1], &hours("Europe/Berlin")));
    assert!(ask(&explain, "TZDIR").expect(0).stdout.contains("Monday 2026-11-30 01:15 Europe/Berlin"));
    // The machine's zones are used if the operator names their folder.
    assert!(ask(&explain, "GENESYNC_TIME_ZONES").expect(0).stdout.contains("Monday 2026-11-30 09:15"));
    let settings = std::fs::read_to_string(stage.path("settings.toml")).unwrap();
    let named = format!("time-zones = {:?}\n{settings}", machine.display().to_string());
    std::fs::write(stage.path("settings.toml"), named).unwrap();
    assert!(stage.genesync(&explain).expect(0).stdout.contains("Monday 2026-11-30 09:15"));
    let empty = stage.path("state");
    std::fs::create_dir_all(&empty).unwrap();
    let nothing = ran(stage.command(&explain).env("GENESYNC_TIME_ZONES", &empty).output().unwrap()).expect(2);
    assert!(nothing.stderr.contains("zic -d FOLDER"), "{}", nothing.stderr);
    std::fs::write(stage.path("settings.toml"), settings).unwrap();
    for zone in ["localtime", "posixrules", "Factory"] {
        let mut files = tenant("acme", &[1], &hours(zone));
        let window =
            format!("{{mode: enforce, windows: [{{start: \"08:00\", end: \"10:30\", timeZone: {zone}}}]}}");
        files[0].1 = files[0].1.replace("{mode: enforce}", &window);
        stage.commit(&files);
        let found = ask(&["validate"], "TZDIR").expect(1);
        let reported = format!("there is no time zone `{zone}`");
        assert_eq!(all(&found).matches(&reported).count(), 2, "{zone}: {}", all(&found));
        let applied = ask(&["apply"], "TZDIR").expect(1);
        assert!(all(&applied).contains(&reported), "{}", all(&applied));
    }
}

/// Returns a compiled time zone (RFC 8536) with one constant offset, given as a POSIX string.
fn zone(posix: &str) -> Vec<u8> {
    let header = |version: u8| {
        let mut bytes = [b"TZif".as_slice(), &[version], &[0; 15]].concat();
        // No leap seconds, no transitions; one type of six bytes and one name of four.
        for count in [0_u32, 0, 0, 0, 1, 4] {
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend((9 * 3600_i32).to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(b"JST\0");
        bytes
    };
    [header(b'2'), header(b'2'), format!("\n{posix}\n").into_bytes()].concat()
}

#[test]
fn a_colour_that_fails_is_not_shown_with_the_contrast_that_passes() {
    let stage = Stage::new();
    let colours = "  widget: {theme: {colors: {primary: \"#0078D7\", background: \"#FFFFFF\"}}}\n";
    stage.commit(&tenant("acme", &[1], colours));
    let found = stage.genesync(&["validate"]).expect(1);
    assert!(all(&found).contains("has a contrast of 4.49, but AA requires 4.5"), "{}", all(&found));
    assert!(!all(&found).contains("4.50"), "{}", all(&found));
}

#[test]
fn a_greeting_is_the_same_however_its_accents_are_encoded() {
    let stage = Stage::new();
    for (one, other) in [("Caf\\u00e9?", "Cafe\\u0301?"), ("Hello", "hello"), ("Stra\\u00dfe", "STRASSE")] {
        let messages = format!("  greetings: {{enabled: true, messages: [\"{one}\", \"{other}\"]}}\n");
        stage.commit(&tenant("acme", &[1], &messages));
        let found = stage.genesync(&["validate"]).expect(1);
        assert!(all(&found).contains("this message is in the list twice"), "{}", all(&found));
    }
}

#[test]
fn a_commit_that_was_never_written_may_be_amended() {
    let window =
        "{mode: enforce, windows: [{days: [TUESDAY], start: \"03:00\", end: \"03:01\", timeZone: UTC}]}";
    for case in ["invalid", "refused", "window"] {
        let stage = Stage::new();
        let fixed = tenant("acme", &[1], &delay(2));
        let mut first = tenant("acme", &[1], &delay(1));
        let code = match case {
            "invalid" => {
                first[1].1 = first[1].1.replace("delayMs: 1", "delayMs: x");
                1
            }
            "refused" => {
                stage.fault(1, "PUT", &json!({"status": 400}));
                4
            }
            _ => {
                first[0].1 = first[0].1.replace("{mode: enforce}", window);
                3
            }
        };
        stage.commit(&first);
        let ran = stage.genesync(&["apply"]).expect(code);
        assert_eq!(stage.live(1).0, 0, "{case}: {}", all(&ran));
        for (path, text) in &fixed {
            std::fs::write(stage.repository().join(path), text).unwrap();
        }
        git(&stage.repository(), &["add", "-A"]);
        git(&stage.repository(), &["commit", "-q", "--amend", "-m", "mended"]);
        let opened: &[&str] = if case == "window" { &["--allow", "window", "--reason", "now"] } else { &[] };
        let ran = stage.genesync(&[&["apply"], opened].concat());
        assert!(!all(&ran).contains("rewind"), "{case}: {}", all(&ran));
        assert_eq!((ran.code, stage.live(1).0), (0, 1), "{case}: {}", all(&ran));
    }
}

#[test]
fn loopback_requests_bypass_the_proxy_and_errors_name_the_proxy() {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], &delay(1)));
    // No process listens there.
    let proxy = "http://user:hunter2@127.0.0.1:9";
    let with = |arguments: &[&str], more: &[(&str, &str)]| {
        let mut command = stage.command(arguments);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"] {
            command.env(name, proxy);
        }
        let ran = ran(command.envs(more.iter().copied()).output().unwrap());
        assert!(!all(&ran).contains("hunter2"), "{}", all(&ran));
        ran
    };
    with(&["apply"], &[]).expect(0);
    let gateway = ("GENESYNC_ENDPOINT_EU_WEST_1", "https://gateway.example");
    let outside = with(&["plan"], &[gateway]).expect(7);
    assert!(all(&outside).contains("through the proxy 127.0.0.1:9 of HTTPS_PROXY"), "{}", all(&outside));
    let fetched = with(&["plan", "https://git.example/fleet"], &[]).expect(7);
    assert!(fetched.stderr.contains("through the proxy 127.0.0.1:9 of HTTPS_PROXY"), "{}", fetched.stderr);
    let unusable = with(&["plan"], &[("HTTPS_PROXY", "socks5://user:hunter2@127.0.0.1:9")]).expect(2);
    assert!(unusable.stderr.contains("the setting `HTTPS_PROXY` is not"), "{}", unusable.stderr);
}

#[test]
fn a_redirect_is_an_outage_and_not_a_refusal() {
    for (status, method, reported) in [
        (302, "GET", "genesync does not follow redirects"),
        (304, "GET", "genesync uses no cache"),
        (407, "GET", "the proxy requires credentials: a proxy or gateway in between"),
        (307, "PUT", "genesync does not follow redirects"),
    ] {
        let stage = Stage::new();
        stage.commit(&tenant("acme", &[1], &delay(1)));
        let fault = json!({"match": {"method": method, "path": "**/configurations"}, "times": 0, "do": {"status": status, "location": "https://login.example/?session=canary"}});
        stage.control("POST", "faults", &json!({"faults": [fault]}));
        let ran = stage.genesync(&["apply"]).expect(7);
        let said = all(&ran);
        assert!(said.contains("Degraded") && said.contains(reported), "{status}: {said}");
        assert!(!said.contains("canary"), "{said}");
        assert_eq!(stage.live(1).0, 0, "{status}");
    }
}

// Guarantee: commits-alone
#[test]
fn apply_reads_the_commit_and_not_the_files() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    std::fs::write(stage.repository().join("tenants/acme/web.yaml"), &tenant("acme", &[1], &delay(2))[1].1)
        .unwrap();
    let applied = stage.genesync(&["apply"]).expect(0);
    assert!(applied.stderr.contains("1 file is not committed"), "{}", applied.stderr);
    assert_eq!(stage.live(1).1["greetings"]["delayMs"], 1);
    // `plan` without a revision reads the edited files.
    assert!(stage.genesync(&["plan"]).expect(0).stdout.contains("1 -> 2"));
}
