//! Finds files that import each other in a circle: `a.rs -> b.rs -> a.rs`.
//!
//! A reader of one file in a circle has to read all of them. A parent that only declares and re-exports its
//! children is in no circle with them: an import through the parent counts as an import of the file that defines
//! the item.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::code::{bare, without_tests};

/// Folders without a circle. Add a folder when its last circle is removed.
const OPENED: &[&str] = &["src/controller", "src/service", "src/cli", "src/render", "src/manifest/kinds"];

/// Names of modules and of an item: `["crate", "model", "plan", "Drafts"]`.
type Path = Vec<String>;

/// Files, and which files each of them imports.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// One file: the parts that decide its arrows.
struct Module {
    file: String,
    /// Paths in its code, as written.
    used: Vec<Path>,
    /// Names that it re-exports with `pub use`, and the path of each.
    passed_on: BTreeMap<String, Path>,
    children: BTreeSet<String>,
}

/// Modules by their path from the root of the crate; the root's path is empty.
struct Crate(BTreeMap<Path, Module>);

impl Crate {
    /// Reads files: their paths from the root of the repository, and their texts. It skips files of tests.
    fn read(files: &[(&str, &str)]) -> Self {
        let is_test = |file: &str| file.ends_with("tests.rs") || file.contains("/tests/");
        let product = files.iter().filter(|(file, _)| !is_test(file));
        Self(product.map(|(file, text)| (module_path(file), Module::read(file, text))).collect())
    }

    /// Returns the file that defines what a path names in this module; none outside of the crate.
    fn file(&self, within: &Path, path: &Path) -> Option<&str> {
        let (mut within, mut path) = (within.clone(), path.clone());
        // The longest chain of re-exports of one name. A name that is re-exported in a circle does not
        // compile.
        for _ in 0..16 {
            let full = self.full(&within, &path)?;
            let length = (0..=full.len()).rev().find(|length| self.0.contains_key(&full[..*length]))?;
            let module = self.0.get(&full[..length])?;
            let Some(origin) = full.get(length).and_then(|name| module.passed_on.get(name)) else {
                return Some(&module.file);
            };
            path = [origin, &full[length + 1..]].concat();
            within = full[..length].to_vec();
        }
        None
    }

    /// Returns a path from the root of the crate; none if the path begins outside of the crate.
    fn full(&self, within: &Path, path: &Path) -> Option<Path> {
        let mut full = within.clone();
        for (at, name) in path.iter().enumerate() {
            match name.as_str() {
                "crate" => full.clear(),
                "super" => drop(full.pop()),
                "self" => {}
                _ => {
                    let is_child = self.0.get(within).is_some_and(|module| module.children.contains(name));
                    return (at > 0 || is_child).then(|| [&full, &path[at..]].concat());
                }
            }
        }
        Some(full)
    }

    /// Returns which files of a folder import which other files of it.
    fn arrows(&self, folder: &str) -> Arrows {
        let inside = |file: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let modules = self.0.iter().filter(|(_, module)| inside(&module.file));
        let arrows = modules.map(|(within, module)| {
            let used = module.used.iter().filter_map(|path| self.file(within, path));
            let others = used.filter(|file| inside(file) && **file != module.file);
            (module.file.clone(), others.map(str::to_owned).collect())
        });
        arrows.collect()
    }
}

impl Module {
    fn read(file: &str, text: &str) -> Self {
        let code = without_tests(&bare(text));
        let (mut used, mut passed_on) = (Vec::new(), BTreeMap::new());
        let (uses, rest) = split_uses(&code);
        for (is_public, tree) in uses {
            for (name, path) in leaves(&tree) {
                // A file may also use what it re-exports.
                if !is_public || words(&rest).any(|(_, word)| word == name) {
                    used.push(path.clone());
                }
                if is_public {
                    passed_on.insert(name, path);
                }
            }
        }
        used.extend(paths(&rest));
        Self { file: file.to_owned(), used, passed_on, children: children(&code) }
    }
}

/// Returns `["a", "b"]` for `src/a/b.rs` and for `src/a/b/mod.rs`.
fn module_path(file: &str) -> Path {
    let inside = file.strip_prefix("src/").unwrap_or(file).trim_end_matches(".rs");
    let names = inside.split('/').filter(|name| !matches!(*name, "mod" | "lib"));
    names.map(str::to_owned).collect()
}

/// Returns the words of code, and the position of each.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        at += code[at..].find(is_part)?;
        let word = code[at..].split(|c| !is_part(c)).next()?;
        let begin = at;
        at += word.len();
        Some((begin, word))
    })
}

/// Returns the modules that code declares: `mod child;`.
fn children(code: &str) -> BTreeSet<String> {
    let declared = words(code).zip(words(code).skip(1)).filter(|((_, word), (at, name))| {
        *word == "mod" && code[at + name.len()..].trim_start().starts_with(';')
    });
    declared.map(|(_, (_, name))| name.to_owned()).collect()
}

/// Returns the trees of all `use` items, each with whether it is `pub`, and the code without them.
fn split_uses(code: &str) -> (Vec<(bool, String)>, String) {
    let (mut uses, mut rest, mut end) = (Vec::new(), String::new(), 0);
    for (at, word) in words(code) {
        let behind = &code[at + word.len()..];
        // `impl Trait + use<'a>` imports nothing.
        if word != "use" || at < end || behind.trim_start().starts_with('<') {
            continue;
        }
        let Some(length) = behind.find(';') else { continue };
        rest.push_str(&code[end..at]);
        uses.push((is_public(&code[..at]), behind[..length].to_owned()));
        end = at + word.len() + length + 1;
    }
    rest.push_str(&code[end..]);
    (uses, rest)
}

/// Returns whether code ends with `pub` or `pub(…)`.
fn is_public(before: &str) -> bool {
    let before = before.trim_end();
    let visible = before.strip_suffix(')').and_then(|open| Some(open.rsplit_once('(')?.0)).unwrap_or(before);
    words(visible)
        .last()
        .is_some_and(|(at, word)| word == "pub" && at + word.len() == visible.trim_end().len())
}

/// Returns the name of each leaf of a `use` tree, and its path: `c` with `a::b` for `a::{b as c}`.
fn leaves(tree: &str) -> Vec<(String, Path)> {
    let tree = tree.trim();
    if let Some((before, group)) = tree.split_once('{') {
        let prefix: Path = words(before).map(|(_, name)| name.to_owned()).collect();
        let group = group.trim_end().trim_end_matches('}');
        let inner = members(group).into_iter().flat_map(leaves);
        return inner.map(|(name, path)| below(&prefix, name, path)).collect();
    }
    let (path, alias) =
        tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let path: Path =
        path.split("::").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let Some(last) = path.last() else { return Vec::new() };
    vec![(alias.unwrap_or(last).to_owned(), path)]
}

/// Returns a leaf of a group with its prefix. `a::{self}` is `a`.
fn below(prefix: &Path, name: String, path: Path) -> (String, Path) {
    if path != ["self"] {
        return (name, [prefix.clone(), path].concat());
    }
    let name = if name == "self" { prefix.last().cloned().unwrap_or(name) } else { name };
    (name, prefix.clone())
}

/// Returns the parts between the commas of a group; a part may be a group.
fn members(group: &str) -> Vec<&str> {
    let mut open = 0;
    let at_comma = move |c: char| {
        open += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && open == 0
    };
    group.split(at_comma).collect()
}

/// Returns paths in code that no `use` imported: `crate::a::b()`, `child::C`.
fn paths(code: &str) -> Vec<Path> {
    let (mut paths, mut end) = (Vec::new(), 0);
    for (at, _) in words(code) {
        if at < end || code[..at].ends_with("::") || code[..at].ends_with('.') {
            continue;
        }
        let length = code[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        let text = &code[at..length.map_or(code.len(), |length| at + length)];
        let path: Path = text.split("::").map(str::to_owned).take_while(|name| !name.is_empty()).collect();
        if path.len() > 1 {
            end = at + text.len();
            paths.push(path);
        }
    }
    paths
}

/// Returns the shortest circle through each file, as a line; each circle once.
fn circles(arrows: &Arrows) -> BTreeSet<String> {
    let around = arrows.keys().filter_map(|file| shortest(arrows, file));
    let line = |mut circle: Vec<&str>| {
        let first = circle.iter().enumerate().min_by_key(|(_, file)| **file).map_or(0, |(at, _)| at);
        circle.rotate_left(first);
        circle.extend(circle.first().copied());
        circle.join(" -> ")
    };
    around.map(line).collect()
}

/// Returns the shortest way from a file to itself.
fn shortest<'a>(arrows: &'a Arrows, file: &'a str) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![file]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in way.last().and_then(|last| arrows.get(*last)).into_iter().flatten() {
            if next == file {
                return Some(way);
            }
            if seen.insert(next) {
                ways.push_back([way.as_slice(), &[next]].concat());
            }
        }
    }
    None
}

#[test]
fn no_files_of_these_folders_import_each_other_in_a_circle() {
    let files = super::files_under(&super::root().join("src"), ".rs");
    let texts: Vec<(String, String)> = files
        .iter()
        .map(|file| (file.strip_prefix(super::root()).unwrap().to_str().unwrap().to_owned(), file))
        .map(|(name, file)| (name, std::fs::read_to_string(file).unwrap()))
        .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let all = Crate::read(&texts);
    for folder in OPENED {
        let arrows = all.arrows(folder);
        assert!(!arrows.is_empty(), "{folder} has no files");
        assert_eq!(circles(&arrows), BTreeSet::new(), "{folder} has circles");
    }
}

/// Returns the circles in `src/a` of these files.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    circles(&Crate::read(files).arrows("src/a")).into_iter().collect()
}

#[test]
fn a_circle_is_found_however_its_arrows_are_written() {
    for to_c in [
        "use crate::a::c::X;",
        "use super::c::X;",
        "use super::c;",
        "use super::{c, e};",
        "use super::{e, c::{self, X}};",
        "pub use super::c::X; fn f(_: X) {}",
        "pub(super) use super::c::X; fn f(_: X) {}",
        "use crate::{a::{e, c::X as Y}, e};",
        "fn f() { super::c::g() }",
        "fn f(x: crate::a::c::X) {}",
        "macro_rules! m { () => { $crate::a::c::g() } }",
    ] {
        let files = [
            ("src/a/mod.rs", "mod b; mod c; mod d;"),
            ("src/a/b.rs", to_c),
            ("src/a/c.rs", "use super::d::D;"),
            ("src/a/d.rs", "fn f() -> crate::a::b::B {}"),
        ];
        assert_eq!(found(&files), ["src/a/b.rs -> src/a/c.rs -> src/a/d.rs -> src/a/b.rs"], "{to_c}");
    }
}

#[test]
fn a_parent_that_uses_its_child_is_in_a_circle_with_it() {
    for parent in [
        "mod b; use b::X;",
        "mod b; use self::b::X;",
        "mod b; fn f() { b::g() }",
        "mod b; pub use b::X; fn f() -> X {}",
    ] {
        let files = [("src/a/mod.rs", parent), ("src/a/b.rs", "use super::Y;")];
        assert_eq!(found(&files), ["src/a/b.rs -> src/a/mod.rs -> src/a/b.rs"], "{parent}");
        let files = [("src/a/b.rs", parent), ("src/a/b/b.rs", "use super::Y;")];
        assert_eq!(found(&files), ["src/a/b.rs -> src/a/b/b.rs -> src/a/b.rs"], "{parent}");
    }
}

#[test]
fn a_re_export_is_no_arrow() {
    let b = "use super::{X, inner::Z}; use crate::a::Y as Other;";
    for parent in [
        "mod b; mod c; mod d; pub use b::B; pub use c::X; pub use d::{Y, inner};",
        "mod b;\npub mod c;\nmod d;\npub use b::B;\npub use self::c::X;\npub(crate) use crate::a::d::{self, Y, inner};",
    ] {
        let files = [
            ("src/a/mod.rs", parent),
            ("src/a/b.rs", b),
            ("src/a/c.rs", "use crate::e::E;"),
            ("src/a/d.rs", "use crate::e::E;"),
        ];
        assert_eq!(found(&files), Vec::<String>::new(), "{parent}");
        // A use through the parent is an arrow to the file that defines the item.
        let files = [files[0], files[1], ("src/a/c.rs", "use super::B;"), files[3]];
        assert_eq!(found(&files), ["src/a/b.rs -> src/a/c.rs -> src/a/b.rs"], "{parent}");
    }
}

#[test]
fn tests_comments_and_other_folders_are_left_out() {
    let files = [
        ("src/a/mod.rs", "mod b; mod c; #[cfg(test)] mod tests; #[cfg(test)] use c::C;"),
        ("src/a/b.rs", "use super::c::C; use std::fmt; fn f() { fmt::g(); x.c::<u8>() }"),
        (
            "src/a/c.rs",
            "// use super::b::B;\n#[cfg(test)]\nmod tests { use super::super::b::B; }\nuse crate::e::E;",
        ),
        ("src/a/tests.rs", "use super::b; use super::c;"),
        ("src/e.rs", "use crate::a::b::B;"),
    ];
    assert_eq!(found(&files), Vec::<String>::new());
}
