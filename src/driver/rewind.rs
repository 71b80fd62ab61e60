//! The guard `rewind`: genesync applies no older commit without a person who allows it.

use std::collections::BTreeSet;

use crate::model::{Guard, Refusal, Revision};
use crate::plan::guards;

pub use guards::rewind::refusal;

/// Returns why a commit may not replace the last applied ones: the repository's last head, or the commits
/// that a tenant's objects were last applied from. `holds` says whether the commit has another one in its
/// history.
///
/// # Errors
/// `holds` failed.
pub fn refused<'a, E>(
    revision: &Revision,
    applied: impl IntoIterator<Item = &'a Revision>,
    allowed: &BTreeSet<Guard>,
    holds: &mut dyn FnMut(&Revision) -> Result<bool, E>,
) -> Result<Option<Refusal>, E> {
    if allowed.contains(&Guard::Rewind) {
        return Ok(None);
    }
    for last in applied {
        if let Some(refusal) =
            guards::rewind::check(revision, last, last == revision || holds(last)?, allowed)
        {
            return Ok(Some(refusal));
        }
    }
    Ok(None)
}

/// Returns why a commit may not become the head after another one. A sibling commit, such as an amended one,
/// may replace a head of which nothing was applied because it was invalid or refused. An ancestor of the head
/// may not.
///
/// # Errors
/// `holds` failed. It says whether the first commit has the second one in its history.
pub fn head_refused<E>(
    revision: &Revision,
    head: &Revision,
    written: Option<&Revision>,
    allowed: &BTreeSet<Guard>,
    holds: &mut dyn FnMut(&Revision, &Revision) -> Result<bool, E>,
) -> Result<Option<Refusal>, E> {
    if allowed.contains(&Guard::Rewind) || revision == head || holds(revision, head)? {
        return Ok(None);
    }
    let follows_written = match written {
        Some(written) if written == head => false,
        // This clone may not contain the head. Then the written commit shows whether this is an older copy.
        Some(written) => written != revision && !holds(written, revision)? && holds(revision, written)?,
        None => true,
    };
    if follows_written && !holds(head, revision)? {
        return Ok(None);
    }
    Ok(Some(refusal(revision, head)))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn a_commit_contains_the_applied_commits_or_is_refused() {
        let revision = |text: &str| Revision::new(text);
        let line = ["r1", "r2"];
        // The applied commits, whether the guard is open, the refused commit.
        let table: [(&[&str], bool, Option<&str>); 6] = [
            (&[], false, None),
            (&["r3"], false, None),
            (&["r1", "r2"], false, None),
            (&["r1", "other"], false, Some("other")),
            (&["r4"], false, Some("r4")),
            (&["r4"], true, None),
        ];
        for (applied, open, expected) in table {
            let applied: Vec<Revision> = applied.iter().map(|text| revision(text)).collect();
            let allowed = open.then_some(Guard::Rewind).into_iter().collect();
            let mut holds = |known: &Revision| Ok::<_, Infallible>(line.contains(&known.as_str()));
            let Ok(found) = refused(&revision("r3"), &applied, &allowed, &mut holds);
            let message = expected.map(|last| {
                format!("revision r3 does not contain revision {last}, which genesync used last")
            });
            assert_eq!(found.map(|refusal| refusal.message), message, "{applied:?}");
        }
    }

    #[test]
    fn a_head_that_was_not_applied_is_replaced_by_a_sibling_but_not_by_an_ancestor() {
        // b1 and its amended form c1 are children of a2, a child of a1; x is unrelated.
        let parents = [("a2", "a1"), ("b1", "a2"), ("c1", "a2"), ("b2", "b1")];
        let mut holds = |newer: &Revision, older: &Revision| {
            let mut at = newer.as_str();
            while at != older.as_str() {
                match parents.iter().find(|(child, _)| *child == at) {
                    Some((_, parent)) => at = parent,
                    None => return Ok::<_, Infallible>(false),
                }
            }
            Ok(true)
        };
        // The new commit, the head, the last written head, whether the commit is refused.
        let table = [
            ("b2", "b1", Some("b1"), false),
            ("c1", "b1", Some("b1"), true),
            ("c1", "b1", Some("a2"), false),
            ("c1", "b2", Some("a1"), false),
            // Two commits, of which the first was applied.
            ("c1", "b2", Some("b1"), true),
            ("a2", "b1", Some("a2"), true),
            ("a1", "b1", None, true),
            ("c1", "b1", None, false),
            // The first commit was invalid: any other may replace it.
            ("x", "a1", None, false),
            ("x", "b1", Some("a2"), true),
            // A copy that is behind does not contain the head.
            ("a2", "unknown", Some("a2"), true),
            ("a1", "unknown", Some("a2"), true),
            ("b1", "unknown", Some("a2"), false),
        ];
        for (new, head, written, refused) in table {
            let (new, head) = (Revision::new(new), Revision::new(head));
            let written = written.map(Revision::new);
            let Ok(found) = head_refused(&new, &head, written.as_ref(), &BTreeSet::new(), &mut holds);
            assert_eq!(found.is_some(), refused, "{new} after {head}, written {written:?}");
            let open = BTreeSet::from([Guard::Rewind]);
            assert_eq!(head_refused(&new, &head, written.as_ref(), &open, &mut holds), Ok(None));
        }
    }

    #[test]
    fn an_unreadable_history_is_an_error() {
        let applied = [Revision::new("r1")];
        let found = refused(&Revision::new("r2"), &applied, &BTreeSet::new(), &mut |_| Err("unreadable"));
        assert_eq!(found, Err("unreadable"));
    }
}
