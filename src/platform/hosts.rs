//! Decides which hosts belong to a region: those for requests, and those that an answer may point to.

use url::Url;

/// Returns whether genesync may fetch a URL from an answer of the API: a URL by https at another host of the
/// same region or at the platform's hosting provider. An endpoint that replaces a region's API host may point
/// to itself.
pub fn may_follow(base: &Url, url: &Url) -> bool {
    if (url.scheme(), url.host(), url.port()) == (base.scheme(), base.host(), base.port()) {
        return true;
    }
    let Some(url::Host::Domain(host)) = url.host() else { return false };
    let domain = base.host_str().and_then(|host| host.strip_prefix("api."));
    let below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let plain = url.port().is_none() && url.username().is_empty();
    url.scheme() == "https" && plain && domain.is_some_and(|domain| below(domain) || below("amazonaws.com"))
}

/// Returns the URL of another host of the same region: `login.mypurecloud.de` for `api.mypurecloud.de`. An
/// endpoint that replaces a region's API host serves all of them at one address.
pub fn sibling(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    if let Some(domain) = base.host_str().and_then(|host| host.strip_prefix("api.")) {
        // The new host is valid because the old one is.
        let _ = url.set_host(Some(&format!("{name}.{domain}")));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_in_an_answer_is_followed_only_to_hosts_of_the_platform() {
        let real = "https://api.mypurecloud.de/";
        let stand_in = "http://127.0.0.1:8480/";
        let table = [
            (real, "https://apps.mypurecloud.de/x", true),
            (real, "https://bucket.s3.eu-central-1.amazonaws.com/x?y", true),
            (real, "/x", true),
            (real, "http://apps.mypurecloud.de/x", false),
            (real, "https://apps.mypurecloud.de:8443/x", false),
            (real, "https://user@apps.mypurecloud.de/x", false),
            (real, "https://evilmypurecloud.de/x", false),
            (real, "https://mypurecloud.de.evil.example/x", false),
            (real, "https://amazonaws.com.evil.example/x", false),
            (real, "http://169.254.169.254/latest/meta-data", false),
            (real, "https://169.254.169.254/x", false),
            (real, "file:///etc/passwd", false),
            (stand_in, "http://127.0.0.1:8480/_download/x", true),
            (stand_in, "http://127.0.0.1:8481/x", false),
            (stand_in, "https://bucket.amazonaws.com/x", false),
        ];
        for (base, location, follows) in table {
            let base: Url = base.parse().unwrap();
            assert_eq!(may_follow(&base, &base.join(location).unwrap()), follows, "{location} from {base}");
        }
    }

    #[test]
    fn a_sibling_is_another_host_of_the_same_region() {
        let of = |base: &str| sibling(&base.parse().unwrap(), "login").to_string();
        assert_eq!(of("https://api.mypurecloud.de/"), "https://login.mypurecloud.de/");
        assert_eq!(of("http://127.0.0.1:8480/"), "http://127.0.0.1:8480/");
    }
}
