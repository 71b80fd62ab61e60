//! The guard `rewind`: history does not go back without a person who says so.

use std::collections::BTreeSet;

use crate::model::{Guard, Refusal, Revision};
use crate::plan::guards;

pub use guards::rewind::refusal;

/// Why a commit may not be applied over what was applied last: the repository's last head, or the commits that a
/// tenant's objects were last applied from. `holds` says whether the commit has an earlier one in its history; its
/// error is that of the caller.
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn a_commit_holds_what_was_applied_last_or_is_refused() {
        let revision = |text: &str| Revision::new(text);
        let line = ["r1", "r2"];
        // The applied commits, what is open, the refused one.
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
    fn a_history_that_cannot_be_read_is_an_error_and_no_consent() {
        let applied = [Revision::new("r1")];
        let found = refused(&Revision::new("r2"), &applied, &BTreeSet::new(), &mut |_| Err("unreadable"));
        assert_eq!(found, Err("unreadable"));
    }
}
