//! How many files name each kind and each dialect, and which public types share a name.

use std::collections::{BTreeMap, BTreeSet};

use genesync::model::{Dialect, ObjectKind};

use super::code::{bare, whole_product, without_tests};
use super::{files_under, root};

/// Limit of files outside the emulator that name one kind: its row, its document, its port, its rules.
const KIND_FILES_MAX: usize = 9;
/// Limit of files of the emulator that name one kind.
const EMULATED_KIND_FILES_MAX: usize = 6;
/// Limit of files beside a dialect's own folders that name it.
const DIALECT_FILES_MAX: usize = 12;

/// The emulator's names for kinds, if they differ. `Configuration` has another meaning in each dialect's
/// folder.
const EMULATED: &[(ObjectKind, &[&str], &str)] = &[
    (ObjectKind::WebMessaging, &["Configuration"], "emulator/webchat/"),
    (ObjectKind::SupportedContent, &["SupportedContent", "Content"], "emulator/cloud/"),
    (ObjectKind::MessagingSetting, &["MessagingSetting", "SettingEdit"], "emulator/cloud/"),
    (ObjectKind::MessengerConfiguration, &["Configuration"], "emulator/cloud/"),
    (ObjectKind::MessengerDeployment, &["Deployment"], "emulator/"),
    (ObjectKind::OpenMessagingIntegration, &["OpenIntegration"], "emulator/"),
];

/// Returns the product's files, by their path below `src`, each with its text.
fn product() -> BTreeMap<String, String> {
    let src = root().join("src");
    let of_file = |file: &std::path::PathBuf| {
        let inside = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        let is_test =
            inside.ends_with("tests.rs") || inside.contains("/tests/") || inside.ends_with("fixture.rs");
        (!is_test).then(|| (inside, std::fs::read_to_string(file).unwrap()))
    };
    files_under(&src, ".rs").iter().filter_map(of_file).collect()
}

/// Returns the identifiers of a file's code, without tests.
fn identifiers(text: &str) -> BTreeSet<String> {
    let code = without_tests(&bare(text));
    code.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
}

/// Returns whether the product part of a file has a literal that is exactly this word.
fn has_literal(text: &str, word: &str) -> bool {
    let literal = format!("\"{word}\"");
    whole_product(text)
        .lines()
        .any(|line| line.split("//").next().is_some_and(|code| code.contains(&literal)))
}

/// Returns a name as constants have it: `MESSENGER_DEPLOYMENT` for `MessengerDeployment`.
fn screaming(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_uppercase());
    }
    out
}

/// Returns whether a file names a type, a constant or a word that begins with the name.
fn names(text: &str, name: &str) -> bool {
    let constant = screaming(name);
    let begins = |word: &String| word.starts_with(name) || word.starts_with(&constant);
    identifiers(text).iter().any(begins) || has_literal(text, name)
}

#[test]
fn few_files_name_a_kind() {
    let product = product();
    let assert_few = |words: &[&str], files_max: usize, is_counted: &dyn Fn(&str) -> bool| {
        let is_named = |text: &str| words.iter().any(|word| names(text, word));
        let counted = product.iter().filter(|(path, text)| is_counted(path) && is_named(text));
        let files: Vec<&str> = counted.map(|(path, _)| path.as_str()).collect();
        assert!(!files.is_empty(), "{words:?} are named nowhere: the test finds nothing");
        assert!(files.len() <= files_max, "{words:?} are named in {files:?}");
    };
    for kind in ObjectKind::ALL {
        let own = [kind.name()];
        assert_few(&own, KIND_FILES_MAX, &|path| !path.starts_with("emulator/"));
        let other = EMULATED.iter().find(|(known, ..)| known == kind);
        let (words, folder) = other.map_or((&own[..], "emulator/"), |(_, words, folder)| (*words, *folder));
        assert_few(words, EMULATED_KIND_FILES_MAX, &|path| path.starts_with(folder));
    }
}

#[test]
fn few_files_name_a_dialect() {
    for dialect in Dialect::ALL {
        let name = dialect.name();
        let words = [name.to_owned(), name.to_uppercase(), name[..1].to_uppercase() + &name[1..]];
        let own = format!("/{name}/");
        let names = |text: &str| {
            let is_it = |word: &String| words.contains(word) || word.split('_').any(|part| part == name);
            identifiers(text).iter().any(is_it) || has_literal(text, name)
        };
        let product = product();
        let outside = |path: &String| !path.contains(&own) && !path.starts_with("emulator/");
        let files: Vec<&String> = product
            .iter()
            .filter(|(path, text)| outside(path) && names(text))
            .map(|(path, _)| path)
            .collect();
        assert!(!files.is_empty(), "{name} is named nowhere: the test finds nothing");
        assert!(files.len() <= DIALECT_FILES_MAX, "{name} is named in {files:?}");
    }
}

/// Two types with one name cannot be distinguished if both are in scope.
#[test]
fn each_of_these_names_is_one_public_type() {
    let unique = [
        "Job", "Resource", "Span", "Status", "Page", "Look", "Place", "Origin", "Cause", "Trouble", "Dialect",
    ];
    let mut defined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in product() {
        let code = without_tests(&bare(&text));
        let words: Vec<&str> = code.split_whitespace().collect();
        for triple in words.windows(3) {
            let is_type =
                triple[0].starts_with("pub") && matches!(triple[1], "struct" | "enum" | "trait" | "type");
            let name: String = triple[2].chars().take_while(|c| c.is_alphanumeric()).collect();
            if is_type && unique.contains(&name.as_str()) {
                defined.entry(name).or_default().push(path.clone());
            }
        }
    }
    assert_eq!(defined.get("Look").map(Vec::len), Some(1), "the test finds nothing");
    defined.retain(|_, files| files.len() > 1);
    assert_eq!(defined, BTreeMap::new());
}

#[test]
fn a_name_is_seen_in_code_and_in_literals_and_not_in_comments_or_tests() {
    for (text, expected) in [
        ("let x = ObjectKind::MessengerDeployment;", true),
        ("struct MessengerDeploymentSpec;", true),
        ("const MESSENGER_DEPLOYMENT: u8 = 0;", true),
        ("let x = \"MessengerDeployment\";", true),
        ("// MessengerDeployment", false),
        ("/// [`MessengerDeployment`]", false),
        ("let x = \"a MessengerDeployment of\";", false),
        ("messenger_deployment();", false),
        ("#[cfg(test)]\nmod tests { use x::MessengerDeployment; }", false),
        ("#[cfg(test)]\nmod tests { const X: &str = \"MessengerDeployment\"; }", false),
        ("#[cfg(test)]\nuse x;\nconst ÄÖ: &str = \"ä\";\nconst X: &str = \"MessengerDeployment\";", true),
    ] {
        assert_eq!(names(text, "MessengerDeployment"), expected, "{text}");
    }
}
