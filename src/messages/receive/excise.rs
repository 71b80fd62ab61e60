//! Finds the signature inside a body.

use std::ops::Range;

/// Returns the range between the quotes of the value of the top-level member `signature`.
///
/// None unless the body has exactly one such member, written without escapes, with a string as its value. It
/// reads no more of JSON than this needs: the form of the body is checked later, after its signature.
pub(super) fn signature_in(body: &[u8]) -> Option<Range<usize>> {
    let (mut at, mut depth, mut found) = (0, 0_usize, None);
    while let Some(byte) = body.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let name = string_at(body, at)?;
                at = name.end;
                // In JSON, a string before a colon is the name of a member.
                let colon = past_space(body, at + 1);
                if depth == 1 && body.get(colon) == Some(&b':') && body.get(name) == Some(b"signature") {
                    let value = string_at(body, past_space(body, colon + 1))?;
                    at = value.end;
                    if found.replace(value).is_some() {
                        return None;
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Returns the range between the quotes of the string that begins at a quote.
fn string_at(body: &[u8], quote: usize) -> Option<Range<usize>> {
    if body.get(quote) != Some(&b'"') {
        return None;
    }
    let start = quote + 1;
    let mut end = start;
    loop {
        match body.get(end)? {
            b'"' => return Some(start..end),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

/// Returns the position of the first byte that is not white space (RFC 8259, 2).
fn past_space(body: &[u8], from: usize) -> usize {
    let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    from + body.get(from..).unwrap_or_default().iter().take_while(space).count()
}

#[cfg(test)]
mod tests {
    use super::signature_in;
    use proptest::prelude::*;

    #[test]
    fn the_signature_is_the_only_top_level_string_of_that_name() {
        for (body, expected) in [
            (r#"{"signature":"ab"}"#, Some("ab")),
            (r#"{"text":"x", "signature" : "ab" ,"n":1}"#, Some("ab")),
            (r#"{"signature":""}"#, Some("")),
            (r#"{"text":"\"signature\":\"no\"","signature":"ab"}"#, Some("ab")),
            (r#"{"text":"signature","signature":"ab"}"#, Some("ab")),
            (r#"{"metadata":{"signature":"no"},"signature":"ab"}"#, Some("ab")),
            (r#"{"metadata":{"signature":"no"}}"#, None),
            (r#"["signature","ab"]"#, None),
            (r#"{"signature":5}"#, None),
            (r#"{"signature":null}"#, None),
            (r#"{"signature":"ab","signature":"cd"}"#, None),
            (r#"{"sign\u0061ture":"ab"}"#, None),
            (r#"{"signature":"ab"#, None),
            (r#"{"signature":"ab\"#, None),
            (r#"}{"signature":"ab"}"#, None),
            ("", None),
        ] {
            let found = signature_in(body.as_bytes()).map(|range| &body[range]);
            assert_eq!(found, expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_is_too_odd(body in r#"[{}\[\]":\\ ,a]{0,40}(\{"signature":")?[{}\[\]":\\ ,a]{0,40}"#) {
            if let Some(range) = signature_in(body.as_bytes()) {
                prop_assert!(range.end < body.len());
            }
        }
    }
}
