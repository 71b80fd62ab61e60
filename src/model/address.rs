//! Checks whether a URL is safe for a secret.

use url::{Host, Url};

/// Whether a URL leads to this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Checks that no other party can read a request to a URL: it uses TLS, or it stays on this machine.
///
/// # Errors
/// What the operator has to change.
pub fn travels_safely(url: &Url) -> Result<(), &'static str> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => Err("use https, because http is allowed for this machine only"),
        _ => Err("use https"),
    }
}
