//! Finds the page of a rule or guard: the section of the documentation with its id.

use std::borrow::Cow;

use super::guard;

const RULES: &str = include_str!("../../../../docs/rules.md");
const GUARDS: &str = include_str!("../../../../docs/guards.md");

/// Returns the page of a rule or guard; none if the id is unknown. The generated part of a guard's page comes
/// from the program, not from the document.
pub fn page(id: &str) -> Option<Cow<'static, str>> {
    match guard::named(id) {
        Some(_) => section(&guard::written(GUARDS), id).map(|page| Cow::Owned(page.to_owned())),
        None => [RULES, GUARDS].into_iter().find_map(|document| section(document, id)).map(Cow::Borrowed),
    }
}

/// Returns every id that has a page, in the order of the documents.
pub fn ids() -> impl Iterator<Item = &'static str> {
    let heads = |document: &'static str| document.lines().filter_map(|line| line.strip_prefix("## "));
    heads(RULES).chain(heads(GUARDS))
}

fn section<'a>(document: &'a str, id: &str) -> Option<&'a str> {
    let head = format!("## {id}");
    let (mut start, mut in_code, mut at) = (None, false, 0);
    for line in document.split_inclusive('\n') {
        in_code ^= line.starts_with("```");
        // A `#` comment in an example is not a heading.
        let is_heading = !in_code && (line.starts_with("# ") || line.starts_with("## "));
        match start {
            None if line.trim_end() == head => start = Some(at),
            Some(start) if is_heading => return document.get(start..at).map(str::trim_end),
            _ => {}
        }
        at += line.len();
    }
    document.get(start?..).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Guard;
    use crate::validate::rules;

    #[test]
    fn every_rule_and_every_guard_has_a_page_with_all_its_parts() {
        let guards = Guard::ALL.iter().map(|guard| guard.name());
        let readers = rules::READER.iter().map(|(id, _)| *id);
        for id in rules::ALL.iter().map(|rule| rule.id).chain(readers).chain(guards).chain(["reviewed"]) {
            let page = page(id).unwrap_or_else(|| panic!("`{id}` has no page"));
            let page = page.as_ref();
            for part in ["**Why.** ", "**Example.**\n\n```", "**Fix.** ", "**Source.** "] {
                assert_eq!(page.matches(part).count(), 1, "the page of `{id}` has no {part}");
            }
            let fences: Vec<&str> = page.lines().filter(|line| line.starts_with("```")).collect();
            assert!(
                fences.chunks(2).all(|pair| pair.len() == 2 && pair[0] != "```" && pair[1] == "```"),
                "the page of `{id}` has an example that does not begin or end: {fences:?}"
            );
            assert!(ids().any(|known| known == id));
        }
        assert_eq!(page("nothing"), None);
        assert!(!page("contrast").unwrap().contains("## domains"));
    }
}
