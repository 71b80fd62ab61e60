//! Checks whether the sender of a request knows a secret of the channel.
//!
//! The source is section 1.8 of the messaging contract. A signature covers the raw bytes. Every secret is
//! compared with every signature, also after a match, so that the time reveals nothing.
//!
//! In: headers, the raw body, the secrets of the channel, the time. Out: the signed bytes, or nothing. Never:
//! parses the body. Start reading at [`ChannelSecrets::verify`].

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::excise::signature_in;
use crate::model::Secret;
use crate::model::mac::{
    Mac, SECRET_BYTES_MIN, SIGNATURES_MAX, STANDARD_PREFIX, Signature, from_base64, from_hex, is_fresh,
};

/// Bounds on the key of Standard Webhooks, in bytes.
const STANDARD_KEY_BYTES_MIN: usize = 24;
const STANDARD_KEY_BYTES_MAX: usize = 64;

/// A header of a request: its name in lower case, and its value.
pub type Header<'a> = (&'a str, &'a [u8]);

/// How a custom platform signs its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    Standard,
    /// `X-Webhook-Timestamp` and `X-Webhook-Signature`, over the timestamp, a dot and the body, in hex.
    Hmac,
    /// `X-Hub-Signature-256` over the body, in hex, as GitHub and Meta sign.
    Hub,
    /// `X-Hub-Signature-256` over the body, in base64, as Genesys Cloud signs.
    Genesys,
    /// The member `signature` of the body, over the body without the value of that member, in hex.
    LegacyBody,
}

/// Why a secret of a channel is unusable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChannelSecretError {
    /// There is no secret.
    #[error("the channel has no secret")]
    None,
    /// The secret is too short.
    #[error("a secret of the channel has fewer than {SECRET_BYTES_MIN} bytes")]
    Short,
    /// The secret does not have the form of Standard Webhooks.
    #[error(
        "a secret of the channel is not `{STANDARD_PREFIX}` and the base64 of {STANDARD_KEY_BYTES_MIN} to \
         {STANDARD_KEY_BYTES_MAX} bytes"
    )]
    NotStandard,
}

/// The scheme and the secrets of a channel: at least one secret, and several during a rotation.
#[derive(Debug, Clone)]
pub struct ChannelSecrets {
    scheme: Scheme,
    secrets: Vec<Secret>,
}

impl ChannelSecrets {
    /// Checks the secrets.
    ///
    /// # Errors
    /// There is no secret, or one is unusable.
    pub fn new(scheme: Scheme, secrets: Vec<Secret>) -> Result<Self, ChannelSecretError> {
        if secrets.is_empty() {
            return Err(ChannelSecretError::None);
        }
        for secret in &secrets {
            if scheme == Scheme::Standard {
                standard_key(secret).ok_or(ChannelSecretError::NotStandard)?;
            } else if secret.expose().len() < SECRET_BYTES_MIN {
                return Err(ChannelSecretError::Short);
            }
        }
        Ok(Self { scheme, secrets })
    }

    /// Returns the signed bytes of the body if one of the secrets made one of the request's signatures; none
    /// otherwise, whatever is wrong. They are the body itself, except for [`Scheme::LegacyBody`], where the
    /// signature is left out.
    pub fn verify<'a>(
        &self,
        headers: &[Header<'_>],
        body: &'a [u8],
        now: Timestamp,
    ) -> Option<Cow<'a, [u8]>> {
        let Claim { stamp, signatures, signed } = Claim::of(self.scheme, headers, body, now)?;
        let mut fits = false;
        for secret in &self.secrets {
            let mut mac = Mac::begin(&self.key(secret), &[&stamp]);
            mac.update(&signed);
            for signature in &signatures {
                fits |= mac.fits(signature);
            }
        }
        fits.then_some(signed)
    }

    /// Returns the headers of a request with this id and body, signed with the first secret. None for a scheme
    /// whose signature is in the body.
    pub fn sign(&self, id: &str, body: &[u8], now: Timestamp) -> Option<Vec<(&'static str, String)>> {
        let at = now.as_second().to_string();
        let key = self.key(self.secrets.first()?);
        let made = |stamp: &[&[u8]]| {
            let mut mac = Mac::begin(&key, stamp);
            mac.update(body);
            mac.finish()
        };
        Some(match self.scheme {
            Scheme::Standard => {
                let signature = made(&[id.as_bytes(), b".", at.as_bytes(), b"."]);
                vec![
                    ("webhook-id", id.to_owned()),
                    ("webhook-signature", format!("v1,{}", STANDARD.encode(signature))),
                    ("webhook-timestamp", at),
                ]
            }
            Scheme::Hmac => {
                let signature = made(&[at.as_bytes(), b"."]);
                vec![
                    ("x-webhook-signature", format!("sha256={}", hex(&signature))),
                    ("x-webhook-timestamp", at),
                ]
            }
            Scheme::Hub => vec![("x-hub-signature-256", format!("sha256={}", hex(&made(&[]))))],
            Scheme::Genesys => {
                vec![("x-hub-signature-256", format!("sha256={}", STANDARD.encode(made(&[]))))]
            }
            Scheme::LegacyBody => return None,
        })
    }

    fn key<'a>(&self, secret: &'a Secret) -> Cow<'a, [u8]> {
        match self.scheme {
            // `new` checked the form.
            Scheme::Standard => Cow::Owned(standard_key(secret).unwrap_or_default()),
            Scheme::Hmac | Scheme::Hub | Scheme::Genesys | Scheme::LegacyBody => {
                Cow::Borrowed(secret.expose().as_bytes())
            }
        }
    }
}

fn standard_key(secret: &Secret) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.expose().strip_prefix(STANDARD_PREFIX)?).ok()?;
    (STANDARD_KEY_BYTES_MIN..=STANDARD_KEY_BYTES_MAX).contains(&key.len()).then_some(key)
}

fn hex(signature: &Signature) -> String {
    signature.map(|byte| format!("{byte:02x}")).concat()
}

/// What a request says about its signature.
struct Claim<'a> {
    /// The bytes that are signed before the body.
    stamp: Vec<u8>,
    signatures: Vec<Signature>,
    signed: Cow<'a, [u8]>,
}

impl<'a> Claim<'a> {
    /// Reads the claim; none if no secret could make the request valid.
    fn of(scheme: Scheme, headers: &[Header<'_>], body: &'a [u8], now: Timestamp) -> Option<Self> {
        let all = |name: &'static str| {
            headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
        };
        let only = |name: &'static str| {
            let mut values = all(name);
            values.next().filter(|_| values.next().is_none())
        };
        let prefixed = |name: &'static str| only(name)?.strip_prefix(b"sha256=".as_slice());
        let whole = Cow::Borrowed(body);
        let claim = |stamp, signatures, signed| Some(Self { stamp, signatures, signed });
        match scheme {
            Scheme::Standard => {
                let (id, at) = only("webhook-id").zip(only("webhook-timestamp"))?;
                let listed: Vec<&[u8]> = all("webhook-signature")
                    .flat_map(|list| list.split(|byte| *byte == b' '))
                    .filter(|one| !one.is_empty())
                    .take(SIGNATURES_MAX + 1)
                    .collect();
                let signatures: Vec<Signature> =
                    listed.iter().filter_map(|one| from_base64(one.strip_prefix(b"v1,")?)).collect();
                let few = listed.len() <= SIGNATURES_MAX && !signatures.is_empty();
                (few && is_fresh(at, now)).then_some(())?;
                claim([id, b".", at, b"."].concat(), signatures, whole)
            }
            Scheme::Hmac => {
                let at = only("x-webhook-timestamp").filter(|at| is_fresh(at, now))?;
                claim([at, b"."].concat(), vec![from_hex(prefixed("x-webhook-signature")?)?], whole)
            }
            Scheme::Hub => claim(Vec::new(), vec![from_hex(prefixed("x-hub-signature-256")?)?], whole),
            Scheme::Genesys => claim(Vec::new(), vec![from_base64(prefixed("x-hub-signature-256")?)?], whole),
            Scheme::LegacyBody => {
                let place = signature_in(body)?;
                let signature = from_hex(body.get(place.clone())?)?;
                let signed = [body.get(..place.start)?, body.get(place.end..)?].concat();
                claim(Vec::new(), vec![signature], Cow::Owned(signed))
            }
        }
    }
}

#[cfg(test)]
mod tests;
