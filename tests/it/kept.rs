//! What genesync stores, and who may read it: credentials as they were stored, and the state at rest.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sqlx::Connection as _;

use crate::support::{CLIENT_ID, Ran, SECRET, Stage, delay, ran, tenant, wait_until};

const ID: &str = "GENESYNC_CREDENTIALS_MAIN_CLIENT_ID";
const SECRET_OF: &str = "GENESYNC_CREDENTIALS_MAIN_CLIENT_SECRET";

fn staged() -> Stage {
    let stage = Stage::new();
    stage.commit(&tenant("acme", &[1], &delay(1)));
    stage
}

/// Runs `plan` with these variables instead of the stage's credentials; an empty list sets none.
fn plan(stage: &Stage, variables: &[(&str, &str)]) -> Ran {
    let mut command = stage.command(&["plan", "--credentials-dir"]);
    command.arg(stage.path("credentials")).env_remove(ID).env_remove(SECRET_OF);
    ran(command.envs(variables.iter().copied()).output().unwrap())
}

fn mounted(stage: &Stage, id: Option<&str>, secret: Option<&str>) {
    let folder = stage.path("credentials/main");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in [("client-id", id), ("client-secret", secret)] {
        if let Some(text) = text {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
}

fn commanded(stage: &Stage, id: &str, secret: &str) {
    let printed = serde_json::json!({"clientId": id, "clientSecret": secret}).to_string();
    std::fs::write(stage.path("printed.json"), printed).unwrap();
    let command = format!(
        "credentials.main.command = [\"cat\", {:?}]",
        stage.path("printed.json").display().to_string()
    );
    stage.configure(&[&command]);
}

#[test]
fn a_credential_is_the_same_however_its_source_ends_a_line() {
    let stage = staged();
    for ends in ["", "\n", "\r\n", " ", "\n\n", "\t"] {
        for begins in ["", "\u{feff}", " "] {
            let stored = |text: &str| format!("{begins}{text}{ends}");
            let (id, secret) = (stored(CLIENT_ID), stored(SECRET));
            plan(&stage, &[(ID, &id), (SECRET_OF, &secret)]).expect(0);
            mounted(&stage, Some(&id), Some(&secret));
            plan(&stage, &[]).expect(0);
            std::fs::remove_dir_all(stage.path("credentials")).unwrap();
            commanded(&stage, &id, &secret);
            let command = |stage: &Stage| {
                ran(stage
                    .command(&["plan"])
                    .env_remove(ID)
                    .env_remove(SECRET_OF)
                    .env("PATH", "/usr/bin:/bin")
                    .output()
                    .unwrap())
            };
            command(&stage).expect(0);
            stage.configure(&[]);
        }
    }
}

// Guarantee: one-source-of-credentials
#[test]
fn a_part_that_is_missing_or_empty_is_named_and_no_other_source_fills_it() {
    let stage = staged();
    // The directory has both parts: the command is not run.
    mounted(&stage, Some(CLIENT_ID), Some(SECRET));
    for (variables, reported) in [
        (&[(ID, CLIENT_ID)][..], format!("{SECRET_OF} is not set")),
        (&[(SECRET_OF, SECRET)], format!("{ID} is not set")),
        (&[(ID, CLIENT_ID), (SECRET_OF, "")], format!("{SECRET_OF} is empty")),
        (&[(ID, CLIENT_ID), (SECRET_OF, " \u{feff}\n")], format!("{SECRET_OF} is empty")),
        (&[(ID, ""), (SECRET_OF, "")], format!("{ID} is empty")),
    ] {
        let failed = plan(&stage, variables);
        assert_ne!(failed.code, 0, "{variables:?}");
        assert!(failed.stderr.contains(&reported), "{variables:?}: {}", failed.stderr);
    }
    plan(&stage, &[]).expect(0);
    // A command does not fill in a part that the directory lacks.
    commanded(&stage, CLIENT_ID, SECRET);
    for (id, secret, reported) in [
        (Some(CLIENT_ID), None, "main/client-secret` cannot be read"),
        (Some(CLIENT_ID), Some("\n"), "main/client-secret` is empty"),
        (Some(""), Some(SECRET), "main/client-id` is empty"),
    ] {
        mounted(&stage, id, secret);
        let failed = plan(&stage, &[]);
        assert_ne!(failed.code, 0, "{reported}");
        assert!(failed.stderr.contains(reported), "{reported}: {}", failed.stderr);
    }
    std::fs::remove_dir_all(stage.path("credentials")).unwrap();
    commanded(&stage, CLIENT_ID, " ");
    let failed = plan(&stage, &[("PATH", "/usr/bin:/bin")]);
    assert!(failed.stderr.contains("`cat` printed an empty `clientSecret`"), "{}", failed.stderr);
}

fn rights(path: &Path) -> String {
    format!("{:04o}", std::fs::metadata(path).unwrap().permissions().mode() & 0o7777)
}

/// Runs the binary with umask 0.
fn wide_open(stage: &Stage, arguments: &[&str]) -> Ran {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_genesync")]).args(arguments);
    let mut command = stage.dress(command);
    command.env("GENESYNC_CACHE_DIR", stage.path("a/cache")).env("PATH", "/usr/bin:/bin");
    ran(command.output().unwrap())
}

// Guarantee: owner-alone
#[test]
fn new_files_are_private_with_any_umask() {
    let stage = staged();
    let state = stage.path("made/by/genesync");
    let remote = format!("file://{}", stage.repository().display());
    let place = state.to_str().unwrap();
    let applied = wide_open(&stage, &["apply", &remote, "--state-dir", place]).expect(0);
    assert!(!applied.stderr.contains("may enter"), "{}", applied.stderr);
    let file = stage.path("plan.json");
    wide_open(&stage, &["plan", "--rev", "HEAD", "--state-dir", place, "--out", file.to_str().unwrap()])
        .expect(0);
    for (path, expected) in [
        (stage.path("made"), "0700"),
        (stage.path("made/by"), "0700"),
        (state.clone(), "0700"),
        (state.join("genesync.db"), "0600"),
        (stage.path("a"), "0700"),
        (stage.path("a/cache"), "0700"),
        (file, "0600"),
    ] {
        assert_eq!(rights(&path), expected, "{}", path.display());
    }
    for beside in std::fs::read_dir(&state).unwrap() {
        assert_eq!(rights(&beside.unwrap().path()), "0600");
    }
}

#[test]
fn an_existing_open_folder_gets_a_warning_and_is_not_changed() {
    let stage = staged();
    let state = stage.path("state");
    std::fs::create_dir(&state).unwrap();
    for (mode, is_warned) in [(0o755, true), (0o710, true), (0o700, false)] {
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(mode)).unwrap();
        let applied = stage.genesync(&["apply"]).expect(0);
        assert_eq!(applied.stderr.contains(&format!("(mode {mode:04o})")), is_warned, "{}", applied.stderr);
        assert_eq!(rights(&state), format!("{mode:04o}"));
    }
    assert_eq!(rights(&state.join("genesync.db")), "0600");
}

#[test]
fn an_unusable_state_is_reported_with_a_hint() {
    let stage = staged();
    let make = |name: &str, put: &dyn Fn(&Path)| {
        let folder = stage.path(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        put(&folder);
        folder
    };
    let text = make("text", &|folder| std::fs::write(folder.join("genesync.db"), "notes on chat\n").unwrap());
    let short = make("short", &|folder| std::fs::write(folder.join("genesync.db"), "x").unwrap());
    let nested = make("nested", &|folder| std::fs::create_dir(folder.join("genesync.db")).unwrap());
    let under = make("under", &|folder| std::fs::write(folder.join("file"), "").unwrap()).join("file/state");
    let unusable = format!("cannot use the state in `{}`", under.display());
    for (place, reported, way) in [
        (&text, "text/genesync.db` is another file, not a database of genesync", "move the file away"),
        (&short, "short/genesync.db` is another file, not a database of genesync", "move the file away"),
        (&nested, "nested/genesync.db` is a folder, not a database of genesync", "move the file away"),
        (&under, unusable.as_str(), "may enter and write it"),
    ] {
        let place = place.to_str().unwrap();
        let failed = stage.genesync(&["apply", "--state-dir", place]).expect(7);
        assert_eq!(stage.live(1).0, 0);
        for part in [reported, way] {
            assert!(failed.stderr.contains(part), "{part}: {}", failed.stderr);
        }
    }
    // A file that was a database: its pages no longer hold a tree.
    let damaged = make("damaged", &|_| {});
    stage.genesync(&["apply", "--state-dir", damaged.to_str().unwrap()]).expect(0);
    let file = damaged.join("genesync.db");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100..700].fill(0xFF);
    std::fs::write(&file, bytes).unwrap();
    let failed = stage.genesync(&["status", "--state-dir", damaged.to_str().unwrap()]).expect(7);
    for part in ["its file is damaged", "restore the last backup of the state"] {
        assert!(failed.stderr.contains(part), "{part}: {}", failed.stderr);
    }
    // genesync changed nothing in it.
    assert_eq!(std::fs::read_to_string(text.join("genesync.db")).unwrap(), "notes on chat\n");
    // An empty file is a database that was not written yet.
    let empty = make("empty", &|folder| std::fs::write(folder.join("genesync.db"), "").unwrap());
    stage.genesync(&["apply", "--state-dir", empty.to_str().unwrap()]).expect(0);
}

#[test]
fn a_key_that_is_empty_is_named_and_no_other_replaces_it() {
    let stage = staged();
    let empty = stage.path("key");
    std::fs::write(&empty, "\n").unwrap();
    let with = |key: Option<&str>| {
        let mut command = stage.command(&["status"]);
        command.envs(key.map(|key| ("GENESYNC_STATE_KEY", key)));
        ran(command.output().unwrap()).expect(2).stderr
    };
    for key in ["", "  ", "short"] {
        let reported = with(Some(key));
        assert!(reported.contains("the setting `GENESYNC_STATE_KEY` is not a key of 16 bytes"), "{reported}");
    }
    let text = std::fs::read_to_string(stage.path("settings.toml")).unwrap();
    std::fs::write(stage.path("settings.toml"), format!("state-key-file = {empty:?}\n{text}")).unwrap();
    let reported = with(None);
    assert!(reported.contains("the setting `state-key-file` is not a key of 16 bytes"), "{reported}");
}

#[test]
fn a_field_in_the_wrong_place_says_where_it_belongs() {
    let stage = Stage::new();
    let web = |text: &str| {
        let mut files = tenant("acme", &[1], &delay(1));
        files[1].1 = text.to_owned();
        files
    };
    let head = "apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {name: web}\n";
    for (text, reported) in [
        (
            format!("{head}extends: [house]\nspec:\n  greetings: {{delayMs: 1}}\n"),
            "`extends` belongs under `spec`",
        ),
        (format!("{head}spec:\n  delayMs: 1\n"), "`delayMs` belongs under `spec.greetings`"),
        (
            format!("{head}spec:\n  widget: {{colors: {{primary: \"#0B3D91\"}}}}\n"),
            "`colors` belongs under `spec.widget.theme`",
        ),
        (format!("{head}spec:\n  labels: {{a: b}}\n"), "`labels` belongs under `metadata`"),
        (format!("{head}spec:\n  organizationId: x\n"), "`organizationId` belongs under `spec` of a Tenant"),
        // A field that exists nowhere else gets a similar name as a suggestion.
        (format!("{head}spec:\n  greetngs: {{delayMs: 1}}\n"), "did you mean `greetings`?"),
    ] {
        stage.commit(&web(&text));
        let found = stage.genesync(&["validate"]).expect(1);
        assert!(found.stdout.contains(reported), "{reported}: {}", found.stdout);
    }
}

// Guarantee: overwritten-is-kept
#[test]
fn ended_rows_are_kept_as_long_as_the_settings_say() {
    let stage = Stage::applied(&[tenant("acme", &[1], &delay(1))]);
    stage.edit(1, &serde_json::json!({"greetings": {"delayMs": 777}}));
    stage.commit(&tenant("acme", &[1], &delay(2)));
    stage.genesync(&["apply"]).expect(0);
    stage.commit(&tenant("acme", &[1], &delay(3)));
    stage.genesync(&["apply"]).expect(0);
    stage.configure(&["controller.keep-days = 9"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let age = |days: i64| {
        runtime.block_on(async {
            let url = format!("sqlite://{}?mode=rw", stage.path("state/genesync.db").display());
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            for (table, column) in [("intents", "resolved_at"), ("history", "at"), ("runs", "ended_at")] {
                let text = format!("UPDATE {table} SET {column} = {column} - {days} * 86400000");
                sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
            }
            connection.close().await.unwrap();
        });
    };
    let kept = || {
        let history =
            |arguments: &[&str]| stage.genesync(&[&["history", "acme"], arguments].concat()).expect(0).stdout;
        (history(&["--overwritten"]).contains("777"), history(&[]).contains("set by Mara Ionescu"))
    };
    // At its start a controller deletes older rows.
    age(8);
    let running = stage.controller();
    stage.wait_for(&["acme"], "Synced");
    running.stop();
    assert_eq!(kept(), (true, true));
    age(2);
    let running = stage.controller();
    wait_until("rows of ten days ago are deleted", || kept() == (false, false));
    running.stop();
}
