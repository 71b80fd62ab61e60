//! Resolves scalars without quotes.

use super::Yaml;

/// Limit of the digits of a number: a float of 64 bits keeps this many.
pub(super) const DIGITS_MAX: usize = 15;

/// Whether a character is not allowed in a value.
pub(super) fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t' | '\r')
}

/// The result for a plain scalar.
pub(super) enum Plain {
    Value(Yaml),
    OddNumber,
    LongNumber,
    OddBoolean,
    LooksBoolean,
}

/// Resolves a plain scalar by the core schema of YAML 1.2, except values that other parsers read differently.
pub(super) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Value(Yaml::Null),
        "true" => return Plain::Value(Yaml::Bool(true)),
        "false" => return Plain::Value(Yaml::Bool(false)),
        "True" | "TRUE" | "False" | "FALSE" => return Plain::OddBoolean,
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => {
            return Plain::LooksBoolean;
        }
        _ => {}
    }
    let first = text.as_bytes().first().copied().unwrap_or_default();
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return Plain::Value(Yaml::Text(text.into()));
    }
    if is_plain_decimal(text) {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        return if digits <= DIGITS_MAX {
            Plain::Value(Yaml::Number(text.into()))
        } else {
            Plain::LongNumber
        };
    }
    if is_odd_number(text) {
        return Plain::OddNumber;
    }
    Plain::Value(Yaml::Text(text.into()))
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`, but not `-0` and not `-0.0`.
fn is_plain_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numeric(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(numeric)
        && (text == digits || digits.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
}

/// Whether some YAML parser reads a text as a number although it is not a plain decimal.
fn is_odd_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), ".inf" | ".nan") {
        return true;
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return !digits.is_empty() && digits.chars().all(|c| c == '_' || c.is_digit(radix));
        }
    }
    let mut parts = lower.splitn(2, 'e');
    let mantissa = parts.next().unwrap_or_default();
    let exponent = parts.next();
    let mantissa_ok = mantissa.bytes().any(|byte| byte.is_ascii_digit())
        && mantissa.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'_'))
        && mantissa.matches('.').count() <= 1;
    let exponent_ok = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    mantissa_ok && exponent_ok
}
