//! Sentences of the pages that state a guarantee, and the tests that fail if one is false.
//!
//! In a page an anchor is right before the sentence: `<a id="g-no-blind-write"></a>`. Above the test, before
//! its attribute, is `// Guarantee: no-blind-write`. The generated page `docs/guarantees.md` lists both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const MARK: &str = "// Guarantee: ";
const PAGE: &str = "docs/guarantees.md";
/// Pages that the program writes, and pages with measurements.
const NOT_WALKED: [&str; 6] = [
    "docs/benchmarks.md",
    "docs/messages.md",
    "docs/reliability.md",
    "docs/permissions.md",
    "docs/guards.md",
    PAGE,
];

/// Blocks with `never` or `always` that promise nothing about genesync, by a part of each.
const NO_GUARANTEES: [(&str, &str); 7] = [
    ("docs/limits.md", "It reports no unmanaged change of an object that it has never seen in sync."),
    ("docs/rules.md", "With a custom schedule without hours, the widget is never available."),
    ("docs/rules.md", "never matches. Write names beyond ASCII"),
    ("docs/rules.md", "An entry that never matches leaves a site without its messenger"),
    ("docs/settings.md", "genesync writes an object that it never applied"),
    ("docs/watching.md", "One that was never in sync counts from its last change of status"),
    ("docs/watching.md", "`window` counts tenants whose window never opens"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the pages that are read, the README first.
fn pages() -> Vec<String> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let names = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().into_string().unwrap()));
    let walked = names.filter(|name| name.ends_with(".md") && !NOT_WALKED.contains(&name.as_str()));
    ["README.md".to_owned(), "deploy/README.md".to_owned()]
        .into_iter()
        .chain(walked.collect::<BTreeSet<_>>())
        .collect()
}

/// Returns paragraphs, items of lists and rows of tables, each in one line, without code blocks.
fn blocks(text: &str) -> Vec<String> {
    let (mut blocks, mut is_code, mut is_open) = (Vec::<String>::new(), false, false);
    for line in text.lines() {
        let bare = line.trim();
        if bare.starts_with("```") {
            is_code = !is_code;
            is_open = false;
            continue;
        }
        if is_code || bare.is_empty() {
            is_open = false;
            continue;
        }
        let begins = bare.starts_with("- ") || bare.starts_with('|') || bare.starts_with('#');
        match blocks.last_mut().filter(|_| is_open && !begins) {
            Some(block) => {
                block.push(' ');
                block.push_str(bare);
            }
            None => blocks.push(bare.to_owned()),
        }
        is_open = !bare.starts_with('#');
    }
    blocks
}

/// Returns the name and the sentence of each guarantee in a block.
fn guarantees(block: &str) -> Vec<(String, String)> {
    let anchors = block.split("<a id=\"g-").skip(1);
    let of = |part: &str| {
        let (name, rest) = part.split_once("\"></a>").unwrap();
        (name.to_owned(), sentence(rest))
    };
    anchors.map(of).collect()
}

/// Returns the first sentence of a text, without its markup.
fn sentence(text: &str) -> String {
    let ends = text.match_indices(['.', ':', '|']).find(|(at, mark)| {
        let (before, after) = (&text[..*at], &text[at + 1..]);
        let in_code =
            before.matches('`').count() % 2 == 1 || before.matches('(').count() > before.matches(')').count();
        let ends =
            after.is_empty() || after.starts_with(' ') || after.starts_with('*') || after.starts_with('<');
        !in_code && (*mark == "|" || ends && (*mark == "." || after.trim_start().starts_with('`')))
    });
    let end = ends.map_or(text.len(), |(at, _)| at);
    let plain = text[..end].replace("**", "");
    let mut out = String::new();
    let mut rest = plain.as_str();
    // A link counts as its text.
    while let Some((before, link)) = rest.split_once('[') {
        let (words, after) = link.split_once("](").map_or((link, ""), |(words, after)| {
            (words, after.split_once(')').map_or("", |(_, after)| after))
        });
        out.push_str(before);
        out.push_str(words);
        rest = after;
    }
    out.push_str(rest);
    out.trim().trim_end_matches('.').to_owned()
}

/// Returns every source file, by its path from here.
fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    ["src", "tests"].iter().for_each(|folder| walk(&root().join(folder), &mut found));
    found.sort();
    found
}

/// Returns the tests of each guarantee: file and function.
fn tests() -> BTreeMap<String, BTreeSet<(String, String)>> {
    let mut tests: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(names) = line.strip_prefix(MARK) else { continue };
            let below = &lines[at + 1..];
            let function =
                below.iter().position(|line| line.starts_with("fn ") || line.starts_with("async fn "));
            let function = function.unwrap_or_else(|| panic!("{file}:{}: no test follows", at + 1));
            let is_test = below[..function]
                .iter()
                .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
            let is_ignored = below[..function].iter().any(|line| line.starts_with("#[ignore"));
            assert!(is_test && !is_ignored && function < 8, "{file}:{}: the next item is not a test", at + 1);
            let name = below[function].split("fn ").nth(1).unwrap().split('(').next().unwrap().to_owned();
            for guarantee in names.split(", ") {
                tests.entry(guarantee.to_owned()).or_default().insert((file.clone(), name.clone()));
            }
        }
    }
    tests
}

fn page(stated: &[(String, String, String)], tests: &BTreeMap<String, BTreeSet<(String, String)>>) -> String {
    let mut out = String::from(
        "# Guarantees\n\nFor reviewers of the safety of genesync: each sentence of the README and of these pages that states a guarantee, and the tests that\nfail if it is false. A test generates this page from anchors in the pages and marks above the tests, and fails if an anchor has no mark or a mark has no anchor.\n",
    );
    let mut last = "";
    for (file, name, sentence) in stated {
        if file != last {
            let _ = write!(out, "\n## {file}\n\n| guarantee | tests |\n| --- | --- |\n");
            last = file;
        }
        let links: Vec<String> =
            tests[name].iter().map(|(path, function)| format!("[`{function}`](../{path})")).collect();
        let page = file.strip_prefix("docs/").map_or_else(|| format!("../{file}"), str::to_owned);
        let _ = writeln!(out, "| [{sentence}]({page}#g-{name}) | {} |", links.join("<br>"));
    }
    out
}

#[test]
fn every_guarantee_has_a_test() {
    let mut stated = Vec::new();
    for file in pages() {
        for block in blocks(&read(&file)) {
            stated.extend(
                guarantees(&block).into_iter().map(|(name, sentence)| (file.clone(), name, sentence)),
            );
        }
    }
    let names: BTreeSet<&str> = stated.iter().map(|(_, name, _)| name.as_str()).collect();
    let tests = tests();
    let untested: Vec<&&str> = names.iter().filter(|name| !tests.contains_key(**name)).collect();
    let unstated: Vec<&String> = tests.keys().filter(|name| !names.contains(name.as_str())).collect();
    assert!(
        untested.is_empty() && unstated.is_empty(),
        "sentences without a test: {untested:?}, tests without a sentence: {unstated:?}"
    );
    let anchors: Vec<(&str, &str)> =
        stated.iter().map(|(file, name, _)| (file.as_str(), name.as_str())).collect();
    assert_eq!(
        anchors.iter().collect::<BTreeSet<_>>().len(),
        anchors.len(),
        "an anchor occurs twice in a page"
    );
    assert!(stated.iter().all(|(_, _, sentence)| sentence.len() > 15), "{stated:#?}");
    let made = page(&stated, &tests);
    if std::env::var_os("GENESYNC_GUARANTEES").is_some() {
        std::fs::write(root().join(PAGE), &made).unwrap();
    }
    assert!(
        made == read(PAGE),
        "{PAGE} is out of date: run `GENESYNC_GUARANTEES=1 cargo test --test it guarantees`"
    );
}

#[test]
fn a_sentence_that_promises_has_an_anchor() {
    let mut used = BTreeSet::new();
    for file in pages() {
        let promises = |block: &str| {
            let words: Vec<String> =
                block.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase).collect();
            words.iter().any(|word| word == "never" || word == "always")
        };
        for block in blocks(&read(&file)).into_iter().filter(|block| promises(block)) {
            let known = NO_GUARANTEES.iter().position(|(of, part)| *of == file && block.contains(part));
            used.extend(known);
            assert!(
                known.is_some() || block.contains("<a id=\"g-"),
                "{file} promises something without an anchor: {block}"
            );
        }
    }
    let unused: Vec<_> =
        (0..NO_GUARANTEES.len()).filter(|at| !used.contains(at)).map(|at| NO_GUARANTEES[at]).collect();
    assert!(unused.is_empty(), "these blocks no longer exist: {unused:?}");
    // Each item that keeps a chat from disappearing is a guarantee.
    let safety = read("docs/safety.md");
    for block in blocks(&safety).iter().filter(|block| block.starts_with("- ")) {
        assert!(block.contains("<a id=\"g-"), "a safety rule without an anchor: {block}");
    }
}
