//! Path patterns: `*` matches within a segment, `**` matches across segments, `**/` also matches nothing.
//!
//! In: a pattern and a path. Out: whether they match. Never: backtracks; the time is
//! proportional to pattern × path.

/// Returns whether the whole path matches the pattern.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let path = path.as_bytes();
    // reached[i]: the part of the pattern that was read so far matches the first i bytes of the path.
    let mut reached = vec![false; path.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    let mut rest = pattern.as_bytes();
    loop {
        match rest {
            [] => return reached.last().copied().unwrap_or(false),
            [b'*', b'*', b'/', tail @ ..] => {
                let mut before = false;
                advance(&mut reached, path, |here, _, byte| {
                    let matched = here || before && byte == Some(b'/');
                    before |= here;
                    matched
                });
                rest = tail;
            }
            [b'*', b'*', tail @ ..] => {
                advance(&mut reached, path, |here, previous, _| here || previous);
                rest = tail;
            }
            [b'*', tail @ ..] => {
                advance(&mut reached, path, |here, previous, byte| here || previous && byte != Some(b'/'));
                rest = tail;
            }
            [literal, tail @ ..] => {
                let mut before = false;
                advance(&mut reached, path, |here, _, byte| {
                    let matched = before && byte == Some(*literal);
                    before = here;
                    matched
                });
                rest = tail;
            }
        }
    }
}

/// Updates `reached` from left to right. `step` gets the old value at a position, the new value before it,
/// and the byte between them (`None` at the start).
fn advance(reached: &mut [bool], path: &[u8], mut step: impl FnMut(bool, bool, Option<u8>) -> bool) {
    let mut previous = false;
    let bytes = std::iter::once(None).chain(path.iter().copied().map(Some));
    for (place, byte) in reached.iter_mut().zip(bytes) {
        previous = step(*place, previous, byte);
        *place = previous;
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::glob::matches;

    #[test]
    fn follows_the_rules() {
        for (pattern, path, expected) in [
            ("", "", true),
            ("", "/", false),
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/*", "/ab", true),
            ("/*", "/a/b", false),
            ("/a*c", "/abbc", true),
            ("/a*c", "/ab/c", false),
            ("/**", "/a/b/c", true),
            ("**", "", true),
            ("/a/**/d", "/a/b/c/d", true),
            ("/a/**/d", "/a/d", true),
            ("/a/**/d", "/ad", false),
            ("/a/**/d", "/a/bd", false),
            ("**/configurations", "/api/v2/webchat/organizations/o/configurations", true),
            ("/*/x/*", "/a/x/b", true),
            ("/*/x/*", "/a/x/b/c", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn stars_cost_no_more_than_pattern_times_path() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!matches(&format!("{}b", "**/".repeat(200)), &"a/".repeat(2000)));
    }
}
