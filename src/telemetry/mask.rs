//! Masks secrets in log lines and traces.
//!
//! The types already keep secrets out of both, because a [`Secret`] cannot be printed. This is a second
//! protection, for text from other sources: a library's error that quotes a URL, a server that echoes a
//! header.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{LazyLock, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::Url;
use url::form_urlencoded;

use crate::model::Secret;

/// The text in place of a secret.
pub const MASK: &str = "****";
/// Bytes of a text's index key. A shorter secret is not masked, because it would match ordinary words.
const START_BYTES: usize = 4;
/// Shortest base64 text that is masked; a shorter one may be an ordinary word.
const BASE64_BYTES_MIN: usize = 8;
/// Most tokens in memory; the oldest is removed first.
const TOKENS_MAX: usize = 4096;

static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

/// Masks `secret` in all later logs and traces, also percent-encoded and base64-encoded.
pub fn mask(secret: &Secret) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add(secret.expose(), false);
}

/// Like [`mask`], for secrets that change often, such as access tokens. It keeps the last few thousand, so
/// that a process that runs for months does not grow.
pub fn mask_token(secret: &Secret) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add(secret.expose(), true);
}

/// Returns a text with all known secrets masked.
pub fn masked(text: &str) -> Cow<'_, str> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).masked(text)
}

#[derive(Default)]
struct Known {
    by_start: HashMap<[u8; START_BYTES], Vec<String>>,
    tokens: VecDeque<Vec<String>>,
}

impl Known {
    fn add(&mut self, secret: &str, passing: bool) {
        let mut added = Vec::new();
        for form in forms(secret) {
            let Some(start) = start_of(form.as_bytes()) else { continue };
            let bucket = self.by_start.entry(start).or_default();
            if !bucket.contains(&form) {
                bucket.push(form.clone());
                // The longest first, because one secret may begin with another.
                bucket.sort_by_key(|known| std::cmp::Reverse(known.len()));
                added.push(form);
            }
        }
        if passing && !added.is_empty() {
            self.tokens.push_back(added);
        }
        if self.tokens.len() > TOKENS_MAX
            && let Some(oldest) = self.tokens.pop_front()
        {
            for form in oldest {
                let Some(start) = start_of(form.as_bytes()) else { continue };
                if let Some(bucket) = self.by_start.get_mut(&start) {
                    bucket.retain(|known| *known != form);
                }
                self.by_start.retain(|_, bucket| !bucket.is_empty());
            }
        }
    }

    fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = String::new();
        let (mut copied, mut at) = (0, 0);
        while !self.by_start.is_empty()
            && let Some(start) = text.as_bytes().get(at..).and_then(start_of)
        {
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            let found = self
                .by_start
                .get(&start)
                .and_then(|bucket| bucket.iter().find(|form| rest.starts_with(form.as_bytes())));
            match found {
                Some(form) => {
                    // Each form is a whole text, so its start and end are character boundaries.
                    out.push_str(text.get(copied..at).unwrap_or_default());
                    out.push_str(MASK);
                    at += form.len();
                    copied = at;
                }
                None => at += 1,
            }
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(out)
    }
}

fn start_of(bytes: &[u8]) -> Option<[u8; START_BYTES]> {
    bytes.first_chunk::<START_BYTES>().copied()
}

/// Returns the forms of a secret in a line: unchanged, quoted by formatters, and encoded for URLs, forms
/// and `Authorization: Basic`.
fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    if secret.len() < START_BYTES {
        return forms;
    }
    let quoted = |text: &str| {
        let json = serde_json::to_string(text).unwrap_or_default();
        json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned()
    };
    let debug = secret.escape_debug().to_string();
    forms.extend([quoted(secret), quoted(&debug), debug]);
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let component = form.replace('+', "%20").replace('*', "%2A").replace("%7E", "~");
    forms.extend([lower_escapes(&form), form, lower_escapes(&component), component]);
    if let Ok(mut url) = Url::parse("https://x")
        && url.set_password(Some(secret)).is_ok()
    {
        forms.extend(url.password().map(str::to_owned));
    }
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        // After other bytes, as in `id:secret`, the text is shifted by one or two bytes. Its first and last
        // characters then also encode bits of the neighbours.
        for (shift, skipped) in [(0, 0), (1, 2), (2, 3)] {
            let text = engine.encode([&[0].repeat(shift), secret.as_bytes()].concat());
            let whole = (shift + secret.len()) * 8 / 6;
            let inner = text.get(skipped..whole).unwrap_or_default();
            if inner.len() >= BASE64_BYTES_MIN {
                forms.insert(inner.to_owned());
            }
        }
    }
    forms.insert(secret.to_owned());
    forms
}

/// Converts `%2F` to `%2f`, because programs write both.
fn lower_escapes(text: &str) -> String {
    let mut left = 0;
    text.chars()
        .map(|c| {
            left = if c == '%' { 2 } else { i32::max(left - 1, -1) };
            if c != '%' && left >= 0 { c.to_ascii_lowercase() } else { c }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn known(secrets: &[&str]) -> Known {
        let mut known = Known::default();
        secrets.iter().for_each(|secret| known.add(secret, false));
        known
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let secret = "p/ä ss+\"w0rd~*9\n";
        let known = known(&[secret]);
        let json = serde_json::to_string(secret).unwrap();
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut url = Url::parse("https://x.example").unwrap();
        url.set_password(Some(secret)).unwrap();
        let mut lines = vec![
            format!("raw {secret} end"),
            format!("debug {secret:?}"),
            format!("json {json}"),
            format!("debug in json {}", serde_json::to_string(&format!("{secret:?}")).unwrap()),
            format!("form secret={encoded}&x=1"),
            format!("lower {}", lower_escapes(&encoded)),
            format!("url {url}"),
        ];
        for before in ["", "i", "id", "id:", "id::", "client-7:"] {
            for after in ["", "x", "xy", "xyz"] {
                let text = format!("{before}{secret}{after}");
                lines.push(format!("basic {}", STANDARD.encode(&text)));
                lines.push(format!("safe {}", URL_SAFE_NO_PAD.encode(&text)));
            }
        }
        for line in lines {
            let masked = known.masked(&line);
            assert!(masked.contains(MASK), "{line}");
            for part in ["w0rd", "w0rd".to_uppercase().as_str(), "ss+", "ss%2B"] {
                assert!(!masked.contains(part), "{line} -> {masked}");
            }
        }
    }

    #[test]
    fn escapes_alone_become_lower_case() {
        assert_eq!(lower_escapes("A%2FB%C3%A4%2BCD%"), "A%2fB%c3%a4%2bCD%");
    }

    #[test]
    fn lines_without_secrets_stay_as_they_are() {
        let known = known(&["canary-1", "canary-12", "abc", ""]);
        assert!(matches!(known.masked("abc and canary, naïve"), Cow::Borrowed(_)));
        assert_eq!(known.masked("a canary-12, a canary-1; canary-1canary-1é"), "a ****, a ****; ********é");
        assert_eq!(Known::default().masked("canary-1"), "canary-1");
    }

    #[test]
    fn old_tokens_are_forgotten_and_secrets_are_not() {
        let mut known = known(&["lasting-secret"]);
        for number in 0..=TOKENS_MAX {
            known.add(&format!("token-{number:08}"), true);
        }
        assert_eq!(known.masked("lasting-secret token-00000001"), "**** ****");
        assert_eq!(known.masked("token-00000000 "), "token-00000000 ");
        assert_eq!(known.tokens.len(), TOKENS_MAX);
    }
}
