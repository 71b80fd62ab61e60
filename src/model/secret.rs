//! The only type for a secret: it cannot be printed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A client secret or an access token. `Debug` shows `****`. There is no `Display` and no `Serialize`, so a
/// log line, an error or a plan cannot contain one.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text.
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// Returns the text, for the request that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// Trims a stored credential: removes a byte order mark, a trailing line break, and spaces around it, which
/// editors, shells and vaults may add. None if the rest is empty.
pub fn stored(text: &str) -> Option<&str> {
    let bare = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    (!bare.is_empty()).then_some(bare)
}

/// Prefixes that vendors put before their tokens so that scanners find them.
const TOKEN_PREFIXES: &[&str] = &[
    "-----BEGIN",
    "whsec_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk_live_",
    "AKIA",
];

/// Keys whose value is always a secret.
const TELLING_KEYS: &[&str] = &[
    "clientsecret",
    "secret",
    "password",
    "passwd",
    "token",
    "accesstoken",
    "apikey",
    "privatekey",
    "authorization",
    "proxyauthorization",
    "xapikey",
    "xauthtoken",
    "outboundnotificationwebhooksignaturesecrettoken",
];

/// Whether a key names a secret value: `clientSecret`, `api_key`.
pub fn is_telling(key: &str) -> bool {
    let bare = || key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    // The longest key plus room for separators: a key of a megabyte is not converted.
    let Some(first) = bare().next().filter(|_| key.len() <= 60) else { return false };
    TELLING_KEYS.iter().any(|telling| telling.starts_with(first) && bare().eq(telling.chars()))
}

/// Length of the shortest token: the shortest prefix plus eight characters. Every prefix has a dash, an
/// underscore or a `K`.
const TOKEN_BYTES_MIN: usize = 12;
/// Length of a 128-bit key in hex.
const KEY_BYTES_MIN: usize = 32;

/// Whether a text looks like a secret: a private key, a token with a known prefix, a JSON web token, a
/// password inside a URL, or a long run of digits and letters that no person would write.
///
/// Words, sentences, UUIDs, colours and hostnames do not. A run has at least 32 characters, as a 128-bit
/// key in hex.
pub fn resembles_secret(text: &str) -> bool {
    let text = text.trim();
    // This runs for every value of every file, and most are short words, so it skips most of them early.
    let marked = text.len() >= TOKEN_BYTES_MIN && text.bytes().any(|byte| matches!(byte, b'-' | b'_' | b'K'));
    if marked && TOKEN_PREFIXES.iter().any(|prefix| text.contains(prefix) && text.len() >= prefix.len() + 8) {
        return true;
    }
    if let Some((_, rest)) = text.split_once("://") {
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.split_once('@').is_some_and(|(user, _)| user.contains(':')) {
            return true;
        }
    }
    text.len() >= KEY_BYTES_MIN
        && text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';')).any(is_key_material)
}

fn is_key_material(word: &str) -> bool {
    let word = word.strip_prefix("Bearer").unwrap_or(word).trim_matches('=');
    if word.len() < KEY_BYTES_MIN
        || !word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'.'))
    {
        return false;
    }
    if word.starts_with("eyJ") && word.matches('.').count() == 2 {
        return true;
    }
    // One unbroken run of letters and digits: `customers_of_the_premium_plan_2026` consists of words.
    let longest = word.split(['-', '_', '.', '/']).max_by_key(|part| part.len()).unwrap_or_default();
    let digits = longest.bytes().filter(u8::is_ascii_digit).count();
    let letters = longest.bytes().filter(u8::is_ascii_alphabetic).count();
    longest.len() >= 32 && digits >= 4 && letters >= 4
}

/// Replaces the value after a secret key, and every word that resembles a secret, by asterisks of the same
/// length. For lines that could not be parsed, because no rule has checked their values.
pub fn mask_secrets(line: &str) -> String {
    let reported = line.match_indices(':').find(|(colon, _)| {
        let before = line.get(..*colon).unwrap_or_default().trim_end_matches(['"', '\'', ' ', '\t']);
        let key = before.rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).next();
        key.is_some_and(is_telling)
    });
    match reported.and_then(|(colon, _)| line.split_at_checked(colon + 1)) {
        Some((head, value)) => {
            let hide = |c: char| if c.is_whitespace() { vec![c] } else { vec!['*'; c.len_utf8()] };
            mask_words(head).chars().chain(value.chars().flat_map(hide)).collect()
        }
        None => mask_words(line),
    }
}

fn mask_words(line: &str) -> String {
    let breaks = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '[' | ']' | '{' | '}');
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(breaks).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        if resembles_secret(word) {
            // One asterisk for each byte, so that columns in the line stay the same.
            out.extend(std::iter::repeat_n('*', word.len()));
        } else {
            out.push_str(word);
        }
        let step = tail.chars().next().map_or(0, char::len_utf8);
        out.push_str(tail.get(..step).unwrap_or_default());
        rest = tail.get(step..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_distinguished_from_words() {
        for secret in [
            "-----BEGIN PRIVATE KEY-----",
            "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH",
            "0123456789abcdef0123456789abcdef",
            "https://user:hunter2@example.com/x",
            "Bearer 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        ] {
            assert!(resembles_secret(secret), "{secret}");
            assert!(
                !mask_secrets(&format!("key: \"{secret}\"")).contains(secret.split(' ').next_back().unwrap())
                    || secret.contains("BEGIN")
            );
        }
        for plain in [
            "Never share your password or PIN in the chat.",
            "5b0c8a2e-93d4-4a57-8f0f-3c1a9d2b7e61",
            "#0B3D91",
            "customers_of_the_premium_plan_in_2026",
            "Donaudampfschifffahrtsgesellschaftskapitaen",
            "https://help.northbank.example/chat/contact",
            "",
        ] {
            assert!(!resembles_secret(plain), "{plain}");
            assert_eq!(mask_secrets(plain), plain);
        }
    }

    #[test]
    fn debug_never_shows_the_text() {
        let secret = Secret::new("canary-7f3a".into());
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "**** Some(****)");
        assert_eq!(secret.expose(), "canary-7f3a");
    }
}
