//! The pages of rules and guards: sections of the documentation, found by their id.

const RULES: &str = include_str!("../../../../docs/rules.md");
const GUARDS: &str = include_str!("../../../../docs/guards.md");

/// The page of an id; none where nothing has it.
pub fn page(id: &str) -> Option<&'static str> {
    [RULES, GUARDS].into_iter().find_map(|document| section(document, id))
}

/// Every id that has a page, in the order of the documents.
pub fn ids() -> impl Iterator<Item = &'static str> {
    let heads = |document: &'static str| document.lines().filter_map(|line| line.strip_prefix("## "));
    heads(RULES).chain(heads(GUARDS))
}

fn section(document: &'static str, id: &str) -> Option<&'static str> {
    let head = format!("## {id}\n");
    let start = if document.starts_with(&head) { 0 } else { document.find(&format!("\n{head}"))? + 1 };
    let rest = document.get(start..)?;
    let below = rest.get(head.len()..)?;
    let end = ["\n## ", "\n# "].iter().filter_map(|next| below.find(next)).min();
    rest.get(..end.map_or(rest.len(), |end| head.len() + end)).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Guard;
    use crate::validate::rules;

    #[test]
    fn every_rule_and_every_guard_has_a_page_with_all_its_parts() {
        let guards = Guard::ALL.iter().map(|guard| guard.name());
        let others = ["yaml", "schema", "layers", "repository", "waiver", "reviewed"];
        for id in rules::ALL.iter().map(|rule| rule.id).chain(guards).chain(others) {
            let page = page(id).unwrap_or_else(|| panic!("`{id}` has no page"));
            for part in ["**Why.** ", "**Example.**\n\n```", "**Fix.** ", "**Source.** "] {
                assert_eq!(page.matches(part).count(), 1, "the page of `{id}` has no {part}");
            }
            assert!(ids().any(|known| known == id));
        }
        assert_eq!(page("nothing"), None);
        assert!(!page("contrast").unwrap().contains("## domains"));
    }
}
