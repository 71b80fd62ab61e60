//! Words that no text of the project uses, because each has a plain one: in code, comments, messages, pages and templates.

use std::path::{Path, PathBuf};

/// A refused word or phrase, and what to write.
const REFUSED: [(&str, &str); 19] = [
    ("told", "reported, printed, or the name of what happens"),
    ("somebody", "another user, a person, an operator"),
    ("nobody", "no user, no process"),
    ("whoever", "the user who"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("mending", "fixing"),
    ("go by", "are named"),
    ("goes by", "is named"),
    ("stands", "is"),
    ("anew", "again"),
    ("besides", "also"),
    ("goes over", "overwrites"),
    ("gone over", "overwritten"),
    ("went over", "overwrote"),
    ("became of", "the result of"),
    ("becomes of", "the result of"),
    ("all the same", "still"),
];

/// Lines that keep a refused word, by a part of each, and why.
const KEPT: [(&str, &str); 1] = [(r#"#[serde(rename = "told")]"#, "a name in JSON output, which stays")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of these folders, and these files.
fn texts() -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> =
        ["src", "docs", "templates", "deploy", "examples/starter", "README.md", "AGENTS.md"]
            .iter()
            .map(|path| root().join(path))
            .collect();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path
            .extension()
            .is_some_and(|ending| ["rs", "md", "html", "css", "yaml"].iter().any(|known| ending == *known))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The refused words of a line. A word ends where a letter does not follow, so that `is_told` has one and `hold` has none.
fn refused(line: &str) -> Vec<&'static str> {
    let line = line.to_lowercase();
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    let has = |word: &str| {
        line.match_indices(word).any(|(at, _)| {
            !is_letter(line[..at].chars().next_back()) && !is_letter(line[at + word.len()..].chars().next())
        })
    };
    REFUSED.iter().map(|(word, _)| *word).filter(|word| has(word)).collect()
}

#[test]
fn a_refused_word_is_found_in_prose_and_in_names() {
    for (line, expected) in [
        ("It is told once.", vec!["told"]),
        ("fn a_trouble_is_told_once()", vec!["told"]),
        ("Somebody stands there", vec!["somebody", "stands"]),
        ("it went over a write", vec!["went over"]),
        ("a threshold, an amendment, a manewer, it understands", vec![]),
    ] {
        assert_eq!(refused(line), expected, "{line}");
    }
}

#[test]
fn no_text_has_a_refused_word() {
    let mut wrong = Vec::new();
    let mut used = [false; KEPT.len()];
    for path in texts() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let words = refused(line);
            let kept = KEPT.iter().position(|(part, _)| line.contains(part));
            match kept {
                Some(kept) if !words.is_empty() => used[kept] = true,
                _ => wrong.extend(words.into_iter().map(|word| {
                    let instead =
                        REFUSED.iter().find(|(known, _)| *known == word).map_or("", |(_, instead)| instead);
                    let file = path.strip_prefix(root()).unwrap().display();
                    format!("{file}:{}: `{word}`, write: {instead}", number + 1)
                })),
            }
        }
    }
    assert!(wrong.is_empty(), "{} refused words:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(used, [true; KEPT.len()], "a line that was kept is gone: remove its entry");
}
