//! Where a secret may travel to.

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

/// Whether nobody can listen in on the way to a URL: over TLS, or inside this machine.
///
/// # Errors
/// What should be different.
pub fn travels_safely(url: &Url) -> Result<(), &'static str> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => Err("use https; http is for this machine alone"),
        _ => Err("use https"),
    }
}
