use super::*;

const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PLAIN: &str = "correct horse battery staple";
const BODY: &[u8] = b"{\"messageId\": \"m-1\"}";

fn now() -> Timestamp {
    Timestamp::from_second(1_796_000_000).unwrap()
}

fn secrets(scheme: Scheme, texts: &[&str]) -> ChannelSecrets {
    let secrets = texts.iter().map(|text| Secret::new((*text).to_owned())).collect();
    ChannelSecrets::new(scheme, secrets).unwrap()
}

fn usual(scheme: Scheme) -> &'static str {
    if scheme == Scheme::Standard { STANDARD_SECRET } else { PLAIN }
}

fn holds(known: &ChannelSecrets, headers: &[(&str, String)], body: &[u8], now: Timestamp) -> bool {
    let headers: Vec<Header<'_>> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    known.verify(&headers, body, now).is_some()
}

const BY_HEADER: [Scheme; 4] = [Scheme::Standard, Scheme::Hmac, Scheme::Hub, Scheme::Genesys];

#[test]
fn what_is_signed_is_accepted_and_any_changed_byte_is_refused() {
    for scheme in BY_HEADER {
        let known = secrets(scheme, &[usual(scheme)]);
        let headers = known.sign("msg_1", BODY, now()).unwrap();
        assert!(holds(&known, &headers, BODY, now()), "{scheme:?}");
        for at in 0..BODY.len() {
            let mut other = BODY.to_vec();
            other[at] ^= 1;
            assert!(!holds(&known, &headers, &other, now()), "{scheme:?}, byte {at}");
        }
        // JSON that was written again has other bytes.
        assert!(!holds(&known, &headers, b"{\"messageId\":\"m-1\"}", now()), "{scheme:?}");
        for left_out in 0..headers.len() {
            let mut fewer = headers.clone();
            fewer.remove(left_out);
            assert!(!holds(&known, &fewer, BODY, now()), "{scheme:?} without {}", headers[left_out].0);
            let mut twice = headers.clone();
            twice.push(headers[left_out].clone());
            // Standard Webhooks allows several signatures, the others one.
            let allowed = headers[left_out].0 == "webhook-signature";
            assert_eq!(holds(&known, &twice, BODY, now()), allowed, "{scheme:?}: {}", headers[left_out].0);
        }
        for other in BY_HEADER.into_iter().filter(|other| *other != scheme) {
            let other = secrets(other, &[usual(other)]);
            assert!(!holds(&other, &headers, BODY, now()), "signed as {scheme:?}, checked as {other:?}");
        }
    }
}

#[test]
fn a_timestamp_is_valid_for_five_minutes_both_ways() {
    for scheme in BY_HEADER {
        let known = secrets(scheme, &[usual(scheme)]);
        let headers = known.sign("msg_1", BODY, now()).unwrap();
        let has_time = matches!(scheme, Scheme::Standard | Scheme::Hmac);
        for (seconds, in_window) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let later = now() + jiff::SignedDuration::from_secs(seconds);
            let expected = in_window || !has_time;
            assert_eq!(holds(&known, &headers, BODY, later), expected, "{scheme:?} {seconds}");
        }
    }
}

#[test]
fn secrets_change_without_a_gap() {
    let (old, new) = ("the old secret 2025", "the new secret 2026");
    for scheme in [Scheme::Hmac, Scheme::Hub, Scheme::Genesys] {
        let headers = secrets(scheme, &[old]).sign("msg_1", BODY, now()).unwrap();
        for (known, expected) in [(&[old][..], true), (&[new, old], true), (&[new], false)] {
            assert_eq!(
                holds(&secrets(scheme, known), &headers, BODY, now()),
                expected,
                "{scheme:?} {known:?}"
            );
        }
    }
}

#[test]
fn too_many_signatures_are_refused_even_with_a_valid_one() {
    let known = secrets(Scheme::Standard, &[STANDARD_SECRET]);
    for (others, expected) in [(SIGNATURES_MAX - 1, true), (SIGNATURES_MAX, false)] {
        let mut headers = known.sign("msg_1", BODY, now()).unwrap();
        headers[1].1.push_str(&" v1,x".repeat(others));
        assert_eq!(holds(&known, &headers, BODY, now()), expected, "{others}");
    }
}

#[test]
fn only_the_exact_encoding_is_accepted() {
    let signature = Mac::begin(PLAIN.as_bytes(), &[BODY]).finish();
    let (digits, base64) = (hex(&signature), STANDARD.encode(signature));
    for (value, hub, genesys) in [
        (format!("sha256={digits}"), true, false),
        (format!("sha256={base64}"), false, true),
        (format!("sha256={}", digits.to_uppercase()), false, false),
        (format!("sha256={}", base64.trim_end_matches('=')), false, false),
        (format!("sha1={digits}"), false, false),
        (digits.clone(), false, false),
        (base64.clone(), false, false),
        (format!("sha256={digits}0"), false, false),
        (String::new(), false, false),
    ] {
        for (scheme, expected) in [(Scheme::Hub, hub), (Scheme::Genesys, genesys)] {
            let headers = [("x-hub-signature-256", value.clone())];
            assert_eq!(
                holds(&secrets(scheme, &[PLAIN]), &headers, BODY, now()),
                expected,
                "{scheme:?} {value}"
            );
        }
    }
}

/// T5: no sender can compute a signature over a body that contains it, so its value is left out.
#[test]
fn a_signature_in_the_body_covers_the_body_without_it() {
    let known = secrets(Scheme::LegacyBody, &[PLAIN]);
    assert_eq!(known.sign("msg_1", BODY, now()), None);
    let signed = br#"{"messageId": "m-1", "signature": "", "text": "caf\u00e9"}"#;
    let digits = hex(&Mac::begin(PLAIN.as_bytes(), &[signed]).finish());
    let body = String::from_utf8(signed.to_vec()).unwrap().replace("\"\"", &format!("\"{digits}\""));
    let kept = known.verify(&[], body.as_bytes(), now());
    assert_eq!(kept.as_deref(), Some(signed.as_slice()));
    assert_eq!(known.verify(&[], body.replace("m-1", "m-2").as_bytes(), now()), None);
    assert_eq!(known.verify(&[], &signed[..], now()), None);
    assert_eq!(known.verify(&[], b"", now()), None);
}

/// A signer and a verifier of another project.
#[test]
fn the_library_of_standard_webhooks_agrees_both_ways() {
    let other = standardwebhooks::Webhook::new(STANDARD_SECRET).unwrap();
    let known = secrets(Scheme::Standard, &[STANDARD_SECRET]);
    let at = now().as_second();
    let theirs = [
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", other.sign("msg_1", at, BODY).unwrap()),
    ];
    assert!(holds(&known, &theirs, BODY, now()));
    let mut ours = known.sign("msg_1", BODY, now()).unwrap();
    ours.sort();
    let mut theirs = theirs.to_vec();
    theirs.sort();
    assert_eq!(ours, theirs);
    // The library reads the clock itself.
    let mut headers = axum::http::HeaderMap::new();
    for (name, value) in known.sign("msg_1", BODY, crate::clock::now()).unwrap() {
        headers.insert(name, value.parse().unwrap());
    }
    other.verify(BODY, &headers).unwrap();
    assert!(other.verify(b"another body", &headers).is_err());
}

/// T56: a channel without a usable secret refuses everything, because it cannot be made.
#[test]
fn unusable_secrets_are_refused() {
    let new = |scheme, texts: &[&str]| {
        let secrets = texts.iter().map(|text| Secret::new((*text).to_owned())).collect();
        ChannelSecrets::new(scheme, secrets).unwrap_err()
    };
    for scheme in BY_HEADER.into_iter().chain([Scheme::LegacyBody]) {
        assert_eq!(new(scheme, &[]), ChannelSecretError::None);
        let short = if scheme == Scheme::Standard {
            ChannelSecretError::NotStandard
        } else {
            ChannelSecretError::Short
        };
        assert_eq!(new(scheme, &[usual(scheme), ""]), short);
        assert_eq!(new(scheme, &["fifteen bytes.."]), short);
    }
    let of_bytes = |count| format!("whsec_{}", STANDARD.encode(vec![7; count]));
    for (secret, usable) in [
        (of_bytes(23), false),
        (of_bytes(24), true),
        (of_bytes(64), true),
        (of_bytes(65), false),
        ("whsec_not/base64?!".to_owned(), false),
        (PLAIN.to_owned(), false),
    ] {
        let made = ChannelSecrets::new(Scheme::Standard, vec![Secret::new(secret.clone())]);
        assert_eq!(made.is_ok(), usable, "{secret}");
    }
    let shown = format!("{:?}", secrets(Scheme::Hub, &[PLAIN]));
    assert!(!shown.contains("horse"), "{shown}");
}
