//! Which API a method and a path belong to, and what they ask of it.
//!
//! In: method and path. Out: a [`Route`]. Never: looks at who asks or whether the object exists.

use crate::emulator::cloud::route::CloudRoute;
use crate::emulator::message::Request;
use crate::emulator::webchat::route::WebchatRoute;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A token is wanted.
    Token,
    /// A token is wanted, but not with this method; the allowed one.
    WrongMethod(&'static str),
    /// An operation of the `webchat` API.
    Webchat(WebchatRoute),
    /// An operation of the cloud API.
    Cloud(CloudRoute),
    /// There is nothing there.
    Unknown,
}

impl Route {
    /// Finds the route of a request.
    pub fn of(method: &str, path: &str) -> Route {
        if path == "/oauth/token" {
            return if method == "POST" { Route::Token } else { Route::WrongMethod("POST") };
        }
        if let Some(route) = WebchatRoute::of(method, path) {
            return Route::Webchat(route);
        }
        CloudRoute::of(method, path).map_or(Route::Unknown, Route::Cloud)
    }

    /// Names the organization that a request of the `webchat` API is about, if it is one. The cloud API's is that
    /// of the token.
    pub fn organization(&self, request: &Request) -> Option<String> {
        match self {
            Route::Webchat(route) => route.organization(request),
            Route::Token | Route::WrongMethod(_) | Route::Cloud(_) | Route::Unknown => None,
        }
    }

    /// Says whether the answer shows a state that can be an older one.
    pub fn reads_state(&self, request: &Request) -> bool {
        matches!(self, Route::Webchat(WebchatRoute::Read(_))) || self.reads_cloud(request)
    }

    /// Says whether it is a GET of the cloud API.
    pub fn reads_cloud(&self, request: &Request) -> bool {
        matches!(self, Route::Cloud(_)) && request.method == "GET"
    }

    /// Says whether it starts a replication.
    pub fn replicates(&self) -> bool {
        matches!(self, Route::Webchat(WebchatRoute::Replicate))
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::route::Route;

    #[test]
    fn tells_the_apis_apart() {
        for (method, path, expected) in [
            ("POST", "/oauth/token", "Token"),
            ("GET", "/oauth/token", "WrongMethod"),
            ("GET", "/api/v2/webchat/organizations/a/configurations", "Webchat"),
            ("POST", "/api/v2/audit/records/query", "Webchat"),
            ("GET", "/api/v2/webdeployments/configurations", "Cloud"),
            ("POST", "/api/v2/audits/query", "Cloud"),
            ("GET", "/oauth/token/", "Unknown"),
            ("GET", "", "Unknown"),
        ] {
            let found = format!("{:?}", Route::of(method, path));
            assert!(found.starts_with(expected), "{method} {path}: {found}");
        }
    }
}
