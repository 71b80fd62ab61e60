//! `docs/messages.md`, made from the source, and the rules for its texts.

mod reading;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use reading::{Kind, Message};

const PAGE: &str = "docs/messages.md";

/// What the page leaves out: the emulator answers as the documents of the API say.
const LEFT_OUT: [&str; 1] = ["src/emulator"];

/// The parts of the page, by the folders that make them. The first that matches takes a text.
const PARTS: [(&str, &[&str]); 6] = [
    ("Findings", &["src/manifest", "src/validate"]),
    (
        "Guards, and what a plan says",
        &["src/plan", "src/reconcile", "src/apply", "src/replicate", "src/confirm"],
    ),
    ("Pages and comments", &["src/render"]),
    ("Notifications", &["src/notify"]),
    ("Commands", &["src/cli"]),
    ("Everything else", &["src"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder with one of these endings, by its path from the root.
fn files(folder: &str, endings: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)) {
            found.insert(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

/// The texts of the product, with the file of each.
fn all() -> Vec<(String, Message)> {
    let hints = reading::hints(&read("src/cli/failure.rs"));
    let is_test = |file: &str| file.ends_with("/tests.rs") || file.contains("/tests/");
    files("src", &["rs"])
        .into_iter()
        .filter(|file| !is_test(file) && !LEFT_OUT.iter().any(|folder| file.starts_with(folder)))
        .flat_map(|file| {
            let messages = reading::messages(Path::new(&file), &read(&file), &hints);
            messages.into_iter().map(move |message| (file.clone(), message))
        })
        .collect()
}

fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace("](", "]\\(").replace('|', "\\|").replace('<', "&lt;")
}

fn table(out: &mut String, title: &str, rows: &[&Message]) {
    if rows.is_empty() {
        return;
    }
    let with_hints = rows.iter().any(|row| !row.hints.is_empty());
    let _ = write!(out, "\n## {title}\n\n| id | text | when |");
    out.push_str(if with_hints {
        " what to do |\n| --- | --- | --- | --- |\n"
    } else {
        "\n| --- | --- | --- |\n"
    });
    for row in rows {
        let _ = write!(out, "| `{}` | {} | {} |", row.id, cell(&row.text), cell(&row.when));
        if with_hints {
            let _ = write!(out, " {} |", cell(&row.hints.join(" or ")));
        }
        out.push('\n');
    }
}

fn page(all: &[(String, Message)]) -> String {
    let mut out = String::from(
        "# Messages\n\nFor operators who search for a message, and for people who change one. After this page you know where a text is made, when, and what to do.\n\
         A test generates this page from the source and compares the two. `{…}` is a value. A long message is put together from several of these\n\
         texts. The answers of the emulator are left out: they are those of the API.\n",
    );
    let of = |kind: Kind| all.iter().filter(move |(_, message)| message.kind == kind);
    let rows = |kind: Kind| of(kind).map(|(_, message)| message).collect::<Vec<_>>();
    table(&mut out, "Errors", &rows(Kind::Error));
    table(&mut out, "Hints", &rows(Kind::Hint));
    for (at, (title, _)) in PARTS.iter().enumerate() {
        let is_here = |file: &str, part: usize| PARTS[part].1.iter().any(|folder| file.starts_with(folder));
        let mine: Vec<&Message> = of(Kind::Other)
            .filter(|(file, _)| is_here(file, at) && (0..at).all(|before| !is_here(file, before)))
            .map(|(_, message)| message)
            .collect();
        table(&mut out, title, &mine);
    }
    table(&mut out, "Logs", &rows(Kind::Log));
    table(&mut out, "Help and schemas", &rows(Kind::Help));
    out
}

#[test]
fn the_page_of_messages_has_every_text_of_the_source() {
    let all = all();
    assert!(all.len() > 1000, "only {} texts were found", all.len());
    let made = page(&all);
    if std::env::var_os("GENESYNC_MESSAGES").is_some() {
        std::fs::write(root().join(PAGE), &made).unwrap();
    }
    assert!(made == read(PAGE), "{PAGE} is out of date: run `make messages`");
}

/// Words that `hint:` begins with: an imperative each.
const VERBS: [&str; 33] = [
    "add", "allow", "check", "clone", "commit", "convert", "delete", "fetch", "fix", "free", "give",
    "import", "list", "make", "name", "plan", "post", "publish", "read", "remove", "report", "restore",
    "review", "run", "see", "set", "start", "try", "unlock", "upgrade", "use", "wait", "write",
];

#[test]
fn hints_begin_with_a_verb() {
    let is_hint = |message: &Message| message.kind == Kind::Hint || message.id.ends_with("::hint");
    let wrong: Vec<String> = all()
        .into_iter()
        .map(|(_, message)| message)
        .filter(is_hint)
        .filter(|message| {
            let first = message.text.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
            !VERBS.contains(&first)
        })
        .map(|message| format!("{}: {}", message.id, message.text))
        .collect();
    assert!(wrong.is_empty(), "begin with a verb:\n{}", wrong.join("\n"));
}

#[test]
fn an_error_is_one_sentence() {
    let is_error = |message: &Message| matches!(message.kind, Kind::Error | Kind::Hint);
    let wrong: Vec<String> = all()
        .into_iter()
        .map(|(_, message)| message)
        .filter(|message| is_error(message) && (message.text.contains(';') || message.text.ends_with('.')))
        .map(|message| format!("{}: {}", message.id, message.text))
        .collect();
    assert!(wrong.is_empty(), "make it one sentence, without a full stop:\n{}", wrong.join("\n"));
}
