//! Signatures by HMAC-SHA256 (RFC 2104), for webhooks in and out, and the limits that all of them share.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

/// Length of the shortest secret, in bytes: a shorter one could be guessed.
pub const SECRET_BYTES_MIN: usize = 16;
/// Largest number of signatures of a request; a request with more is refused.
pub const SIGNATURES_MAX: usize = 8;
/// The prefix of a secret of Standard Webhooks; the base64 of its key follows.
pub const STANDARD_PREFIX: &str = "whsec_";
/// Largest difference between a request's timestamp and the clock, in seconds, as Standard Webhooks advises.
const TOLERANCE_SECONDS: u64 = 300;

/// A signature: 32 bytes.
pub type Signature = [u8; 32];

/// A signature that is being computed; it takes the text in parts and stores none of it.
#[derive(Clone)]
pub struct Mac(Option<Hmac<Sha256>>);

impl Mac {
    /// Begins with a key and the first parts of the text.
    pub fn begin(key: &[u8], parts: &[&[u8]]) -> Self {
        // HMAC accepts a key of any length, so the inner value always exists. If it did not, nothing would fit.
        let mut mac = Self(Hmac::new_from_slice(key).ok());
        parts.iter().for_each(|part| mac.update(part));
        mac
    }

    /// Adds the next part.
    pub fn update(&mut self, part: &[u8]) {
        if let Some(mac) = &mut self.0 {
            mac.update(part);
        }
    }

    /// Whether this is the signature of the text so far. Compares in constant time.
    pub fn fits(&self, signature: &Signature) -> bool {
        self.0.as_ref().is_some_and(|mac| mac.clone().verify_slice(signature).is_ok())
    }

    /// Returns the signature.
    pub fn finish(self) -> Signature {
        self.0.map(|mac| mac.finalize().into_bytes().into()).unwrap_or_default()
    }
}

/// Reads 64 lower-case hex digits.
pub fn from_hex(digits: &[u8]) -> Option<Signature> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let bytes: Option<Vec<u8>> =
        digits.chunks(2).map(|pair| Some(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?)).collect();
    bytes?.try_into().ok()
}

/// Reads base64 with padding.
pub fn from_base64(text: &[u8]) -> Option<Signature> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Whether a timestamp, in seconds since 1970, is near enough to the clock.
pub fn is_fresh(at: &[u8], now: Timestamp) -> bool {
    let sent = std::str::from_utf8(at).ok().and_then(|at| at.parse::<i64>().ok());
    sent.is_some_and(|sent| now.as_second().abs_diff(sent) <= TOLERANCE_SECONDS)
}
