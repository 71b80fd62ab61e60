//! Small encodings that URLs and headers need.
//!
//! In: text or bytes from outside. Out: decoded text; parts that cannot be decoded are replaced or refused.

use std::fmt::Write as _;

/// Decodes percent escapes. Invalid escapes stay unchanged, and bytes that are not UTF-8 become U+FFFD.
pub(super) fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, after @ ..]) => nibble(*high).zip(nibble(*low)).map(|pair| (pair, after)),
            _ => None,
        };
        match escaped {
            Some(((high, low), after)) => {
                bytes.push(high << 4 | low);
                rest = after;
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Splits `a=b&c=d` and decodes plus signs and percent escapes.
pub(super) fn form_pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| percent_decode(&part.replace('+', " "));
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}

/// Decodes standard base64 (RFC 4648, section 4), with or without padding.
pub(super) fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// Writes bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use crate::emulator::text::{base64_decode, form_pairs, percent_decode};

    #[test]
    fn decodes_percent_escapes() {
        for (text, expected) in
            [("a%20b", "a b"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%C3%A9%ff", "é\u{fffd}")]
        {
            assert_eq!(percent_decode(text), expected);
        }
    }

    #[test]
    fn decodes_forms() {
        let expected = [("a", "b c"), ("d", ""), ("e", "1=2&")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(form_pairs("a=b+c&&d&e=1=2%26"), expected);
    }

    #[test]
    fn decodes_base64() {
        for (text, expected) in
            [("", ""), ("YQ==", "a"), ("YWI", "ab"), ("YWJj", "abc"), ("aWQ6c2VjcmV0", "id:secret")]
        {
            assert_eq!(base64_decode(text).as_deref(), Some(expected.as_bytes()));
        }
        assert_eq!(base64_decode("a b"), None);
    }
}
