//! Signatures of the webhook: checks whether the sender of a request knows a secret.
//!
//! GitHub signs the body. GitLab sends a token, or signs as Standard Webhooks specifies. Every secret is
//! compared with every signature, also after a match, so that the time reveals nothing.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::model::Secret;
use crate::model::mac::{
    Mac, SECRET_BYTES_MIN, SIGNATURES_MAX, STANDARD_PREFIX, Signature, from_base64, from_hex, is_fresh,
};

/// Why a secret is unusable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HookSecretError {
    /// There is no secret.
    #[error("there is no webhook secret")]
    None,
    /// The secret is too short.
    #[error("a webhook secret has fewer than {SECRET_BYTES_MIN} bytes")]
    Short,
    /// The secret has the prefix of a signing token but no base64.
    #[error("the text after `{STANDARD_PREFIX}` in a webhook secret is not base64")]
    NotBase64,
}

/// The secrets of the webhook: several during a rotation.
#[derive(Debug, Clone)]
pub struct HookSecrets(Vec<Known>);

#[derive(Debug, Clone)]
struct Known {
    secret: Secret,
    // The key of a signing token, as base64, because a secret is stored as text.
    signing: Option<Secret>,
}

impl HookSecrets {
    /// Checks the secrets.
    ///
    /// # Errors
    /// There is no secret, or one is unusable.
    pub fn new(secrets: Vec<Secret>) -> Result<Self, HookSecretError> {
        if secrets.is_empty() {
            return Err(HookSecretError::None);
        }
        let known = |secret: Secret| {
            if secret.expose().len() < SECRET_BYTES_MIN {
                return Err(HookSecretError::Short);
            }
            let signing = match secret.expose().strip_prefix(STANDARD_PREFIX) {
                None => None,
                Some(key) if STANDARD.decode(key).is_ok() => Some(Secret::new(key.to_owned())),
                Some(_) => return Err(HookSecretError::NotBase64),
            };
            Ok(Known { secret, signing })
        };
        secrets.into_iter().map(known).collect::<Result<_, _>>().map(Self)
    }

    /// Begins to check a request's signatures; none if no body could make the request valid.
    pub fn begin<'a>(&self, headers: &'a HeaderMap, now: Timestamp) -> Option<Proof<'a>> {
        let claims = Claims::of(headers, now);
        let (mut fits, mut made) = (false, Vec::new());
        for Known { secret, signing } in &self.0 {
            let secret = secret.expose().as_bytes();
            // Compares the MACs, not the tokens, so that the time does not depend on the token.
            let own = Mac::begin(secret, &[secret]).finish();
            for token in &claims.tokens {
                fits |= Mac::begin(secret, &[token]).fits(&own);
            }
            let standard = signing.as_ref().zip(claims.stamp.as_ref()).map(|(key, stamp)| {
                let key = STANDARD.decode(key.expose()).unwrap_or_default();
                Mac::begin(&key, &[stamp.id, b".", stamp.at, b"."])
            });
            made.push(Made { hub: Mac::begin(secret, &[]), standard });
        }
        let may_hold = fits || !claims.hub.is_empty() || !claims.standard.is_empty();
        may_hold.then_some(Proof { claims, made, fits })
    }
}

/// A check of signatures that reads the body in parts and stores none of it.
pub struct Proof<'a> {
    claims: Claims<'a>,
    made: Vec<Made>,
    fits: bool,
}

/// The MACs of one secret for a request.
struct Made {
    hub: Mac,
    standard: Option<Mac>,
}

impl Proof<'_> {
    /// Adds the next part of the body.
    pub fn update(&mut self, part: &[u8]) {
        for Made { hub, standard } in &mut self.made {
            std::iter::once(hub).chain(standard).for_each(|mac| mac.update(part));
        }
    }

    /// Whether one of the secrets made one of the request's signatures. Valid after the whole body was added.
    pub fn holds(&self) -> bool {
        let mut fits = self.fits;
        let fresh = self.claims.stamp.as_ref().is_some_and(|stamp| stamp.fresh);
        for Made { hub, standard } in &self.made {
            for signature in &self.claims.hub {
                fits |= hub.fits(signature);
            }
            for signature in &self.claims.standard {
                fits |= standard.as_ref().is_some_and(|mac| mac.fits(signature)) & fresh;
            }
        }
        fits & self.claims.few
    }
}

/// The signatures and tokens of a request.
struct Claims<'a> {
    hub: Vec<Signature>,
    tokens: Vec<&'a [u8]>,
    standard: Vec<Signature>,
    stamp: Option<Stamp<'a>>,
    few: bool,
}

/// The id and the time that a signature of Standard Webhooks covers in addition to the body.
struct Stamp<'a> {
    id: &'a [u8],
    at: &'a [u8],
    fresh: bool,
}

impl<'a> Claims<'a> {
    fn of(headers: &'a HeaderMap, now: Timestamp) -> Self {
        let all = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let listed = || {
            all("webhook-signature")
                .flat_map(|list| list.split(|byte| *byte == b' '))
                .filter(|one| !one.is_empty())
        };
        let few = all("x-hub-signature-256")
            .chain(all("x-gitlab-token"))
            .chain(listed())
            .take(SIGNATURES_MAX + 1)
            .count()
            <= SIGNATURES_MAX;
        let only = |name: &str| {
            let mut values = all(name);
            values.next().filter(|_| values.next().is_none())
        };
        let stamp = only("webhook-id").zip(only("webhook-timestamp")).map(|(id, at)| Stamp {
            id,
            at,
            fresh: is_fresh(at, now),
        });
        Self {
            hub: all("x-hub-signature-256").filter_map(from_hub).take(SIGNATURES_MAX).collect(),
            tokens: all("x-gitlab-token").take(SIGNATURES_MAX).collect(),
            standard: listed().filter_map(from_standard).take(SIGNATURES_MAX).collect(),
            stamp,
            few,
        }
    }
}

/// Parses `sha256=` and 64 lower-case hex digits, the only form that GitHub sends.
fn from_hub(value: &[u8]) -> Option<Signature> {
    from_hex(value.strip_prefix(b"sha256=")?)
}

/// Parses `v1,` and base64 with padding.
fn from_standard(value: &[u8]) -> Option<Signature> {
    from_base64(value.strip_prefix(b"v1,")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    const SECRET: &str = "correct horse battery staple";
    // The key of the example in the specification of Standard Webhooks.
    const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const STAMPED: &str = "{\"test\": 2432232314}";

    fn secrets(texts: &[&str]) -> HookSecrets {
        HookSecrets::new(texts.iter().map(|text| Secret::new((*text).to_owned())).collect()).unwrap()
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
        };
        let mut map = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            map.append(name, value);
        }
        map
    }

    fn hub(secret: &str, body: &[u8]) -> String {
        let digits = Mac::begin(secret.as_bytes(), &[body]).finish().map(|byte| format!("{byte:02x}"));
        format!("sha256={}", digits.concat())
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_614_265_330).unwrap()
    }

    /// Checks a request whose body arrives in two parts.
    fn signed(known: &HookSecrets, headers: &HeaderMap, body: &[u8], now: Timestamp) -> bool {
        let Some(mut proof) = known.begin(headers, now) else { return false };
        let (one, other) = body.split_at(body.len() / 2);
        proof.update(one);
        proof.update(other);
        proof.holds()
    }

    #[track_caller]
    fn check(expected: bool, texts: &[&str], pairs: &[(&str, &str)], body: &str) {
        assert_eq!(signed(&secrets(texts), &headers(pairs), body.as_bytes(), now()), expected, "{pairs:?}");
    }

    #[test]
    fn the_forges_own_examples_are_accepted() {
        // From GitHub's documentation.
        let github = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        check(true, &["It's a Secret to Everybody"], &[("x-hub-signature-256", github)], "Hello, World!");
        let standard = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        check(true, &[SIGNING], &standard, STAMPED);
        check(true, &[SECRET], &[("x-gitlab-token", SECRET)], "anything");
    }

    #[test]
    fn nothing_but_the_exact_form_is_accepted() {
        let good = hub(SECRET, b"body");
        check(true, &[SECRET], &[("x-hub-signature-256", &good)], "body");
        let digits = &good["sha256=".len()..];
        for bad in [
            "",
            "sha256=",
            digits,
            &good[..good.len() - 1],
            &good[..good.len() - 2],
            &format!("{good}0"),
            &format!("{good}00"),
            &format!(" {good} x"),
            &good.to_uppercase(),
            &format!("sha256={}", digits.to_uppercase()),
            &format!("SHA256={digits}"),
            &format!("sha1={digits}"),
            &format!("sha256={}", STANDARD.encode(Mac::begin(SECRET.as_bytes(), &[b"body"]).finish())),
            &format!("sha256={}", "0".repeat(64)),
            &hub(SECRET, b"other body"),
            &hub("another secret of some length", b"body"),
        ] {
            check(false, &[SECRET], &[("x-hub-signature-256", bad)], "body");
        }
        check(false, &[SECRET], &[], "body");
        check(false, &[SECRET], &[("x-hub-signature", &good)], "body");
        for bad in ["", "correct horse", "correct horse battery staple ", "Correct horse battery staple"] {
            check(false, &[SECRET], &[("x-gitlab-token", bad)], "body");
        }
    }

    #[test]
    fn a_stamped_signature_covers_id_time_and_body() {
        let id = ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        let at = ("webhook-timestamp", "1614265330");
        let of = ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let listed = format!("v1a,xyz {} v1,{}", of.1, STANDARD.encode([7; 32]));
        check(true, &[SIGNING], &[id, at, ("webhook-signature", &listed)], STAMPED);
        for bad in [
            &[at, of][..],
            &[id, of],
            &[id, at],
            &[id, id, at, of],
            &[id, at, at, of],
            &[("webhook-id", "msg_other"), at, of],
            &[id, ("webhook-timestamp", "1614265331"), of],
            &[id, ("webhook-timestamp", "soon"), of],
            &[id, at, ("webhook-signature", "v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=")],
            &[id, at, ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE")],
            &[id, at, ("webhook-signature", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")],
        ] {
            check(false, &[SIGNING], bad, STAMPED);
        }
        check(false, &[SIGNING], &[id, at, of], "{\"test\": 2432232315}");
        let known = secrets(&[SIGNING]);
        let all = headers(&[id, at, of]);
        for (seconds, fits) in [(300, true), (301, false), (-300, true), (-301, false)] {
            let later = now() + jiff::SignedDuration::from_secs(seconds);
            assert_eq!(signed(&known, &all, STAMPED.as_bytes(), later), fits, "{seconds}");
        }
    }

    #[test]
    fn secrets_are_changed_without_a_gap() {
        let (old, new) = ("the old secret 2025", "the new secret 2026");
        for (known, by, fits) in [
            (&[old][..], old, true),
            (&[old, new], old, true),
            (&[old, new], new, true),
            (&[new], old, false),
            (&[SIGNING, new], new, true),
        ] {
            check(fits, known, &[("x-hub-signature-256", &hub(by, b"body"))], "body");
            check(fits, known, &[("x-gitlab-token", by)], "body");
        }
    }

    #[test]
    fn too_many_signatures_are_refused_even_with_a_valid_one() {
        let (good, bad) = (hub(SECRET, b"body"), hub(SECRET, b"no"));
        let crowd = |count: usize| {
            let mut pairs = vec![("x-hub-signature-256", bad.as_str()); count - 1];
            pairs.push(("x-hub-signature-256", good.as_str()));
            pairs
        };
        check(true, &[SECRET], &crowd(SIGNATURES_MAX), "body");
        check(false, &[SECRET], &crowd(SIGNATURES_MAX + 1), "body");
        let listed = vec!["v1,x"; 1000].join(" ");
        check(false, &[SECRET], &[("x-hub-signature-256", &good), ("webhook-signature", &listed)], "body");
    }

    #[test]
    fn unusable_secrets_are_refused() {
        let new = |texts: &[&str]| {
            HookSecrets::new(texts.iter().map(|text| Secret::new((*text).to_owned())).collect()).unwrap_err()
        };
        assert_eq!(new(&[]), HookSecretError::None);
        assert_eq!(new(&[SECRET, ""]), HookSecretError::Short);
        assert_eq!(new(&["fifteen bytes.."]), HookSecretError::Short);
        assert_eq!(new(&["whsec_not/base64?!"]), HookSecretError::NotBase64);
        assert!(!format!("{:?}", secrets(&[SECRET, SIGNING])).contains("horse"));
    }
}
