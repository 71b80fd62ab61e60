//! Maps a method and a path to an API and an operation.
//!
//! In: method and path. Out: a [`Route`]. Never: checks the caller or whether the object exists.

use crate::emulator::cloud::route::CloudRoute;
use crate::emulator::message::Request;
use crate::emulator::webchat::route::WebchatRoute;

/// The operation of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A token request.
    Token,
    /// A token request with a wrong method; the value is the allowed method.
    WrongMethod(&'static str),
    /// An operation of the `webchat` API.
    Webchat(WebchatRoute),
    /// An operation of the cloud API.
    Cloud(CloudRoute),
    /// An unknown path.
    Unknown,
}

impl Route {
    /// Returns the route of a request.
    pub fn of(method: &str, path: &str) -> Route {
        if path == "/oauth/token" {
            return if method == "POST" { Route::Token } else { Route::WrongMethod("POST") };
        }
        if let Some(route) = WebchatRoute::of(method, path) {
            return Route::Webchat(route);
        }
        CloudRoute::of(method, path).map_or(Route::Unknown, Route::Cloud)
    }

    /// Returns the organization of a request to the `webchat` API, if the request concerns exactly one. In
    /// the cloud API, the token determines the organization.
    pub fn organization(&self, request: &Request) -> Option<String> {
        match self {
            Route::Webchat(route) => route.organization(request),
            Route::Token | Route::WrongMethod(_) | Route::Cloud(_) | Route::Unknown => None,
        }
    }

    /// Returns whether the answer can show an older state.
    pub fn reads_state(&self, request: &Request) -> bool {
        matches!(self, Route::Webchat(WebchatRoute::Read(_))) || self.reads_cloud(request)
    }

    /// Returns whether it is a GET of the cloud API.
    pub fn reads_cloud(&self, request: &Request) -> bool {
        matches!(self, Route::Cloud(_)) && request.method == "GET"
    }

    /// Returns whether it starts a replication.
    pub fn replicates(&self) -> bool {
        matches!(self, Route::Webchat(WebchatRoute::Replicate))
    }
}

#[cfg(test)]
mod tests {
    use crate::emulator::route::Route;

    #[test]
    fn distinguishes_the_apis() {
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
