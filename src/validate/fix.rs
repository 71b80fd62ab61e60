//! Fixes in place: comments and layout stay, and every other value keeps its meaning.
//!
//! A fix replaces some bytes. This module parses the text before and after each fix. It skips a fix that
//! changes any other value or that leaves a text that cannot be parsed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::manifest::yaml::{Composed, Node, Yaml, compose};
use crate::model::Finding;

/// The new text of a file, and the fixes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// Its path from the repository's root.
    pub path: Arc<str>,
    /// The text before.
    pub before: Arc<str>,
    /// The text after.
    pub after: String,
    /// The fixes, as `line: title`, in the order of their places.
    pub reported: Vec<String>,
}

/// The applied fixes, and the fixes that a person has to decide on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixes {
    /// The files that changed.
    pub files: Vec<Fixed>,
    /// The fixes that were not applied, in the order of their places.
    pub left: Vec<Left>,
}

/// A fix that was not applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// The file's path from the repository's root.
    pub path: Arc<str>,
    /// The line, counted from 1.
    pub line: u32,
    /// What the fix would do.
    pub title: String,
    /// Why it was not applied.
    pub why: &'static str,
}

/// Why a fix of a layer is not applied.
const NOT_ALL_WANT_IT: &str = "not every document that extends this file needs this fix";
/// Why one of several fixes for one place is not applied.
const ANOTHER_IS_MEANT: &str = "another fix changes the same place in a different way";
/// Why a fix that changes more than one value is not applied.
const CHANGES_MORE: &str = "it would change more than this value";

/// One replacement.
struct Edit {
    bytes: Range<usize>,
    replacement: String,
    line: u32,
    title: String,
}

/// Applies the fixes that are safe. A fix in a layer is safe if every tenant that extends the layer needs the
/// same fix; `extending` returns how many tenants extend a file. If two fixes overlap, or differ for one
/// place, neither is applied, because a person has to choose.
pub fn fix(
    findings: &[Finding],
    texts: &BTreeMap<Arc<str>, Arc<str>>,
    extending: &dyn Fn(&str) -> usize,
) -> Fixes {
    let mut wanted: BTreeMap<(&str, u32, u32, &str), BTreeSet<&str>> = BTreeMap::new();
    for finding in findings {
        if let (Some(fix), Some(tenant)) = (&finding.fix, &finding.tenant) {
            let place = &finding.location;
            let key = (&*place.file, place.bytes.start, place.bytes.end, fix.replacement.as_str());
            wanted.entry(key).or_default().insert(tenant.as_str());
        }
    }
    let agreed = |finding: &Finding, replacement: &str| {
        let place = &finding.location;
        let is_shared = finding.tenant.is_some() && extending(&place.file) > 0;
        let key = (&*place.file, place.bytes.start, place.bytes.end, replacement);
        !is_shared || wanted.get(&key).map_or(0, BTreeSet::len) == extending(&place.file)
    };
    let mut by_file: BTreeMap<&Arc<str>, Vec<Edit>> = BTreeMap::new();
    let mut left = BTreeSet::new();
    for finding in findings {
        let (Some(fix), location) = (&finding.fix, &finding.location) else { continue };
        let bytes = location.bytes.start as usize..location.bytes.end as usize;
        if location.line == 0 || bytes.is_empty() {
            continue;
        }
        let edit = Edit {
            bytes,
            replacement: fix.replacement.clone(),
            line: location.line,
            title: fix.title.clone(),
        };
        let edits = by_file.entry(&location.file).or_default();
        if !agreed(finding, &fix.replacement) {
            left.insert(edit.left(&location.file, NOT_ALL_WANT_IT));
        // The same finding of a layer comes once for each tenant that extends the layer.
        } else if !edits
            .iter()
            .any(|other| other.bytes == edit.bytes && other.replacement == edit.replacement)
        {
            edits.push(edit);
        }
    }
    let mut files = Vec::new();
    for (path, edits) in by_file {
        if let Some(text) = texts.get(path) {
            files.extend(fix_file(path, text, edits, &mut left));
        }
    }
    Fixes { files, left: left.into_iter().collect() }
}

impl Edit {
    fn overlaps(&self, other: &Self) -> bool {
        self.bytes.start < other.bytes.end && other.bytes.start < self.bytes.end
    }

    fn left(&self, path: &Arc<str>, why: &'static str) -> Left {
        Left { path: Arc::clone(path), line: self.line, title: self.title.clone(), why }
    }
}

/// Whether two edits are sound alone but not together, for example because both write the same key.
fn rivals(before: &str, one: &Edit, other: &Edit) -> bool {
    if one.replacement != other.replacement {
        return false;
    }
    let (first, last) = if one.bytes.start < other.bytes.start { (one, other) } else { (other, one) };
    let mut both = before.to_owned();
    if [last, first].iter().any(|edit| before.get(edit.bytes.clone()).is_none()) {
        return false;
    }
    for edit in [last, first] {
        both.replace_range(edit.bytes.clone(), &edit.replacement);
    }
    hard(&compose(&both, 0)) > hard(&compose(before, 0))
}

fn fix_file(
    path: &Arc<str>,
    before: &Arc<str>,
    mut edits: Vec<Edit>,
    left: &mut BTreeSet<Left>,
) -> Option<Fixed> {
    edits.sort_by_key(|edit| (edit.bytes.start, edit.bytes.end));
    let mut after = before.to_string();
    let mut reported = Vec::new();
    // From the last to the first, so that the byte positions of the others stay valid.
    for (at, edit) in edits.iter().enumerate().rev() {
        if edits.iter().enumerate().any(|(other, overlapping)| at != other && edit.overlaps(overlapping)) {
            left.insert(edit.left(path, ANOTHER_IS_MEANT));
            continue;
        }
        let mut with = after.clone();
        if !changes_one_thing(before, &edit.bytes, &edit.replacement) {
            left.insert(edit.left(path, CHANGES_MORE));
            continue;
        }
        if edits.iter().enumerate().any(|(other, rival)| at != other && rivals(before, edit, rival)) {
            left.insert(edit.left(path, ANOTHER_IS_MEANT));
            continue;
        }
        with.replace_range(edit.bytes.clone(), &edit.replacement);
        if hard(&compose(&with, 0)) > hard(&compose(&after, 0)) {
            left.insert(edit.left(path, CHANGES_MORE));
            continue;
        }
        after = with;
        reported.insert(0, format!("{}: {}", edit.line, edit.title));
    }
    (after.as_str() != &**before).then(|| Fixed {
        path: Arc::clone(path),
        before: Arc::clone(before),
        after,
        reported,
    })
}

/// Whether a replacement changes exactly one value or one key, to what the replacement says, and nothing
/// else.
pub(super) fn changes_one_thing(before: &str, bytes: &Range<usize>, replacement: &str) -> bool {
    let mut after = before.to_owned();
    if before.get(bytes.clone()).is_none() {
        return false;
    }
    after.replace_range(bytes.clone(), replacement);
    let (old, new) = (compose(before, 0), compose(&after, 0));
    if hard(&new) > hard(&old) || old.documents.len() != new.documents.len() {
        return false;
    }
    let mut alone = compose(replacement, 0).documents;
    // A comment can cut text without quotes, and such text can also parse as another type.
    let is_itself = |node: &Node| match &node.value {
        Yaml::Text(text) => replacement.starts_with(['"', '\'']) || **text == *replacement,
        Yaml::Number(text) => **text == *replacement,
        Yaml::Null => false,
        Yaml::Bool(_) | Yaml::List(_) | Yaml::Map(_) => true,
    };
    let wanted = alone.pop().filter(|node| alone.is_empty() && is_itself(node)).map(|node| node.to_json());
    let mut differences = 0;
    for (old, new) in old.documents.iter().zip(&new.documents) {
        differences += count_differences(old, new, bytes, wanted.as_ref());
    }
    differences == 1
}

/// How many problems of a text are errors.
fn hard(composed: &Composed) -> usize {
    composed.problems.iter().filter(|problem| !problem.warning).count()
}

/// Returns how many values and keys differ. Returns `TOO_MANY` if one of them is outside the edit or differs
/// from the replacement, for example because quotes inside a block scalar are text.
fn count_differences(old: &Node, new: &Node, edited: &Range<usize>, wanted: Option<&Value>) -> usize {
    const TOO_MANY: usize = 1_000;
    let touches =
        |node: &Node| (node.span.start as usize) < edited.end && edited.start < node.span.end as usize;
    match (&old.value, &new.value) {
        (old_value, new_value) if bare(old_value) && bare(new_value) => {
            match (old_value == new_value, touches(old) && Some(&new.to_json()) == wanted) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => TOO_MANY,
            }
        }
        (Yaml::List(one), Yaml::List(other)) if one.len() == other.len() => {
            // The same items in another order are one difference.
            if one.iter().zip(other).any(|(one, other)| !same(one, other)) && is_permutation(one, other) {
                return if touches(old) { 1 } else { TOO_MANY };
            }
            one.iter().zip(other).map(|(one, other)| count_differences(one, other, edited, wanted)).sum()
        }
        (Yaml::Map(one), Yaml::Map(other)) if one.len() == other.len() => {
            let entry = |((key, value), (new_key, new_value)): (&(_, Node), &(_, Node))| {
                let (key, new_key): (&crate::manifest::yaml::Key, &crate::manifest::yaml::Key) =
                    (key, new_key);
                let renamed = usize::from(key.text != new_key.text);
                let key_touched =
                    (key.span.start as usize) < edited.end && edited.start < key.span.end as usize;
                let is_meant = key_touched && wanted.and_then(Value::as_str) == Some(&*new_key.text);
                let renamed = if renamed > 0 && !is_meant { TOO_MANY } else { renamed };
                renamed + count_differences(value, new_value, edited, wanted)
            };
            one.iter().zip(other).map(entry).sum()
        }
        _ => TOO_MANY,
    }
}

fn bare(value: &Yaml) -> bool {
    !matches!(value, Yaml::List(_) | Yaml::Map(_))
}

/// Whether two values are equal, without regard to their places.
fn same(one: &Node, other: &Node) -> bool {
    one.to_json() == other.to_json()
}

fn is_permutation(one: &[Node], other: &[Node]) -> bool {
    let sorted = |nodes: &[Node]| {
        let mut texts: Vec<String> = nodes.iter().map(|node| node.to_json().to_string()).collect();
        texts.sort();
        texts
    };
    sorted(one) == sorted(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Fix, Location, Severity};

    fn finding(text: &str, from: &str, to: &str) -> Finding {
        let start = text.find(from).unwrap();
        Finding {
            rule: "contrast",
            severity: Severity::Error,
            message: String::new(),
            location: Location {
                file: "f.yaml".into(),
                line: u32::try_from(text[..start].lines().count().max(1)).unwrap(),
                column: 1,
                bytes: u32::try_from(start).unwrap()..u32::try_from(start + from.len()).unwrap(),
            },
            pointer: String::new(),
            tenant: None,
            related: Vec::new(),
            help: None,
            fix: Some(Fix { title: format!("write {to}"), replacement: to.to_owned() }),
            waived: None,
        }
    }

    fn fixed(text: &str, fixes: &[(&str, &str)]) -> Option<String> {
        let findings: Vec<Finding> = fixes.iter().map(|(from, to)| finding(text, from, to)).collect();
        let texts = BTreeMap::from([(Arc::from("f.yaml"), Arc::from(text))]);
        fix(&findings, &texts, &|_| 0).files.into_iter().next().map(|fixed| fixed.after)
    }

    const TEXT: &str = "# head\nspec:\n  colors: {primary: \"#F2A900\", background: \"#FFFFFF\"}  # brand\n  messages:\n    - \" Hi \"   # greeting\n    - Ho\n  enableFileUplaod: true\n";

    #[test]
    fn comments_and_layout_stay() {
        let after = fixed(
            TEXT,
            &[
                ("\"#F2A900\"", "\"#8A5A00\""),
                ("\" Hi \"", "\"Hi\""),
                ("enableFileUplaod", "enableFileUpload"),
            ],
        )
        .unwrap();
        assert_eq!(
            after,
            TEXT.replace("F2A900", "8A5A00").replace("\" Hi \"", "\"Hi\"").replace("Uplaod", "Upload")
        );
    }

    #[test]
    fn a_fix_that_changes_more_than_one_value_is_not_applied() {
        for (from, to) in [
            ("\"#F2A900\"", "\"#8A5A00\", extra: 1"),
            ("\"#F2A900\"", "*a"),
            ("\"#F2A900\"", "\""),
            ("\" Hi \"", "Hi\n    - more"),
            ("Ho", "Ho # x"),
            ("\" Hi \"", "a #b"),
            ("\" Hi \"", "null"),
            ("enableFileUplaod", "background: 1\n  x"),
            ("# brand\n  messages", "# brand\n  messages"),
            ("Ho\n  enableFileUplaod: true", "He\n  enableFileUpload: false"),
        ] {
            assert_eq!(fixed(TEXT, &[(from, to)]), None, "{from} to {to}");
        }
        // Two fixes for one place differ.
        assert_eq!(fixed(TEXT, &[("\"#F2A900\"", "\"#8A5A00\""), ("\"#F2A900\"", "\"#000000\"")]), None);
        assert_eq!(
            fixed(TEXT, &[("\"#F2A900\"", "\"#8A5A00\""), ("\"#F2A900\"", "\"#8A5A00\"")]).unwrap(),
            TEXT.replace("F2A900", "8A5A00")
        );
    }

    #[test]
    fn two_fixes_that_write_the_same_key_are_both_not_applied() {
        let text = "flags: {enableFileUplaod: true, enableFileUploda: false}\n";
        let after = fixed(
            text,
            &[("enableFileUplaod", "enableFileUpload"), ("enableFileUploda", "enableFileUpload")],
        );
        assert_eq!(after, None, "a person has to decide which of the two is meant");
    }

    #[test]
    fn a_layer_is_fixed_if_all_tenants_that_extend_it_need_the_same_fix() {
        let of = |tenant: &str| {
            let tenant = Some(crate::model::TenantName::new(tenant));
            Finding { tenant, ..finding(TEXT, "\"#F2A900\"", "\"#8A5A00\"") }
        };
        let texts = BTreeMap::from([(Arc::from("f.yaml"), Arc::from(TEXT))]);
        let fixed = |findings: &[Finding]| {
            let fixes = fix(findings, &texts, &|_| 2);
            (fixes.files.len(), fixes.left.first().map(|left| left.why))
        };
        assert_eq!(fixed(&[of("a")]), (0, Some(NOT_ALL_WANT_IT)));
        assert_eq!(fixed(&[of("a"), of("b")]), (1, None));
    }

    #[test]
    fn a_fix_whose_quotes_would_become_text_is_not_applied() {
        let text = "messages:\n  - |\n    Hello\n";
        let node = &compose(text, 0).documents[0];
        let span = node.get("messages").unwrap().items()[0].span;
        let bytes = span.start as usize..span.end as usize;
        assert!(!changes_one_thing(text, &bytes, "\"Hello\""), "{:?}", text.get(bytes));
    }

    #[test]
    fn items_in_another_order_are_one_change() {
        let text = "days:\n  - {d: b}\n  - {d: a}\nx: 1\n";
        assert_eq!(
            fixed(text, &[("- {d: b}\n  - {d: a}", "- {d: a}\n  - {d: b}")]).unwrap(),
            "days:\n  - {d: a}\n  - {d: b}\nx: 1\n"
        );
        assert_eq!(fixed(text, &[("- {d: b}\n  - {d: a}", "- {d: c}\n  - {d: e}")]), None);
    }

    proptest! {
        /// For any replacement, only the fixed value differs between the text before and after.
        #[test]
        fn no_fix_changes_anything_else(at in 0..4_usize, to in "[ -~\\n\u{e9}]{0,24}|\"[a-z]{0,8}\"|[a-z#]{1,8}") {
            let from = ["\"#F2A900\"", "\" Hi \"", "Ho", "true"][at];
            let Some(after) = fixed(TEXT, &[(from, &to)]) else { return Ok(()) };
            let read = |text: &str| compose(text, 0).documents.remove(0).to_json();
            let (mut old, new) = (read(TEXT), read(&after));
            let pointer = ["/spec/colors/primary", "/spec/messages/0", "/spec/messages/1", "/spec/enableFileUplaod"][at];
            *old.pointer_mut(pointer).unwrap() = new.pointer(pointer).unwrap().clone();
            prop_assert_eq!(old, new);
            let comments = |text: &str| text.matches("# ").count();
            prop_assert!(comments(&after) >= comments(TEXT));
        }
    }
}
