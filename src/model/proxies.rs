//! The proxy for requests that leave the operator's network, and the hosts without a proxy.

use std::fmt;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::address::is_loopback;

/// Which requests go through a proxy. Its URL may contain a password, so only its host and port are
/// printed.
#[derive(Clone, Default)]
pub struct Proxies(Option<Arc<Proxy>>);

struct Proxy {
    url: Url,
    matcher: Matcher,
    variable: &'static str,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Proxies(one)" } else { "Proxies(none)" })
    }
}

impl Proxies {
    /// Sends https requests through a proxy, except to the hosts in `exempt`, which has the form of
    /// `NO_PROXY`. `variable` is the environment variable with the proxy's URL.
    ///
    /// # Errors
    /// The form that the proxy's URL must have.
    pub fn through(proxy: &str, exempt: &str, variable: &'static str) -> Result<Self, &'static str> {
        let with_scheme = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
        let url = Url::parse(&with_scheme).map_err(|_| "a URL, such as http://proxy.example:3128")?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err("the URL of an http or https proxy");
        }
        // Use the parsed URL: the matcher may reject characters of the original text and then use no proxy.
        let matcher = Matcher::builder().https(url.as_str()).no(exempt.to_owned()).build();
        Ok(Self(Some(Arc::new(Proxy { url, matcher, variable }))))
    }

    /// Returns the proxy for a URL. Requests to this machine never use it, because they may carry secrets
    /// without TLS.
    pub fn of(&self, url: &Url) -> Option<Url> {
        self.found(url).map(|proxy| proxy.url.clone())
    }

    /// Returns the text that an error adds about the proxy of a request: its host, its port and its
    /// variable.
    pub fn way(&self, url: &Url) -> String {
        let Some(proxy) = self.found(url) else { return String::new() };
        let port = proxy.url.port_or_known_default().unwrap_or_default();
        let host = proxy.url.host_str().unwrap_or_default();
        format!(" through the proxy {host}:{port} of {}", proxy.variable)
    }

    fn found(&self, url: &Url) -> Option<&Proxy> {
        let proxy = self.0.as_deref()?;
        let is_asked = !is_loopback(url) && proxy.matcher.intercept(&url.as_str().parse().ok()?).is_some();
        is_asked.then_some(proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Guarantee: this-machine-directly
    #[test]
    fn https_uses_the_proxy_except_for_this_machine_and_exempt_hosts() {
        let exempt = "internal.example, 10.0.0.0/8";
        let proxies = Proxies::through("http://u:hunter2@proxy.example:3128", exempt, "HTTPS_PROXY").unwrap();
        for (url, is_through) in [
            ("https://api.mypurecloud.ie/", true),
            ("https://127.0.0.1:8480/", false),
            ("https://127.0.0.2/", false),
            ("https://localhost/", false),
            ("http://localhost:8480/", false),
            ("https://[::1]/", false),
            ("https://git.internal.example/", false),
            ("https://10.1.2.3/", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(proxies.of(&url).is_some(), is_through, "{url}");
            let way = if is_through { " through the proxy proxy.example:3128 of HTTPS_PROXY" } else { "" };
            assert_eq!(proxies.way(&url), way, "{url}");
            assert_eq!(Proxies::default().of(&url), None);
        }
        assert!(!format!("{proxies:?}").contains("hunter2"));
        for password in ["pa^ss", "pa|ss", "p\u{e4}", "{}\"<`"] {
            let proxy = format!("http://u:{password}@proxy.example:3128");
            let proxies = Proxies::through(&proxy, "", "HTTPS_PROXY").unwrap();
            assert!(proxies.of(&Url::parse("https://api.mypurecloud.ie/").unwrap()).is_some(), "{password}");
        }
        let bare = Proxies::through("proxy.example", "", "HTTPS_PROXY").unwrap();
        let api = Url::parse("https://api.mypurecloud.ie/").unwrap();
        assert_eq!(bare.of(&api).unwrap().as_str(), "http://proxy.example/");
        for bad in ["socks5://proxy.example", "http://", "ftp://x", "http://[x"] {
            assert!(Proxies::through(bad, "", "HTTPS_PROXY").is_err(), "{bad}");
        }
    }
}
