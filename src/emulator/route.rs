//! Which operation a method and a path ask for.
//!
//! In: method and path. Out: a [`Route`]. Never: looks at who asks or whether the thing exists.

use crate::emulator::cloud::route::CloudRoute;
use crate::emulator::message::Request;
use crate::emulator::text::percent_decode;
use serde_json::Value;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A token is wanted.
    Token,
    /// Read an organization's configuration.
    Read(String),
    /// Write it.
    Write(String),
    /// Delete it.
    Delete(String),
    /// Start a replication.
    Replicate,
    /// Ask how a replication is doing.
    Job(String),
    /// Search the audit trail.
    Audit,
    /// Something of the cloud API.
    Cloud(CloudRoute),
    /// The path exists, but not with this method; the allowed ones, and the organization if it names one.
    WrongMethod(&'static str, Option<String>),
    /// There is nothing there.
    Unknown,
}

impl Route {
    /// Finds the route of a request.
    pub fn of(method: &str, path: &str) -> Route {
        let segments: Vec<&str> = path.split('/').collect();
        match segments.as_slice() {
            ["", "oauth", "token"] => only("POST", method, Route::Token),
            ["", "api", "v2", "webchat", "organizations", id, "configurations"] if !id.is_empty() => {
                let id = percent_decode(id);
                match method {
                    "GET" => Route::Read(id),
                    "PUT" => Route::Write(id),
                    "DELETE" => Route::Delete(id),
                    _ => Route::WrongMethod("GET, PUT, DELETE", Some(id)),
                }
            }
            ["", "api", "v2", "webchat", "configurations", "replicate"] => {
                only("POST", method, Route::Replicate)
            }
            ["", "api", "v2", "webchat", "configurations", "replicate", id] if !id.is_empty() => {
                only("GET", method, Route::Job(percent_decode(id)))
            }
            ["", "api", "v2", "audit", "records", "query"] => only("POST", method, Route::Audit),
            _ => CloudRoute::of(method, path).map_or(Route::Unknown, Route::Cloud),
        }
    }

    /// Names the organization a request is about: the path's, a replication's source, or the only one an
    /// audit query asks for.
    pub fn organization(&self, request: &Request) -> Option<String> {
        match self {
            Route::Read(id) | Route::Write(id) | Route::Delete(id) => Some(id.clone()),
            Route::WrongMethod(_, id) => id.clone(),
            Route::Replicate => text(body(request)?.get("sourceOrganizationId")?),
            Route::Audit => match body(request)?.get("query")?.get("organizations")?.as_array()?.as_slice() {
                [only] => text(only),
                _ => None,
            },
            Route::Token | Route::Job(_) | Route::Cloud(_) | Route::Unknown => None,
        }
    }
}

fn only(allowed: &'static str, method: &str, route: Route) -> Route {
    if method == allowed { route } else { Route::WrongMethod(allowed, None) }
}

fn body(request: &Request) -> Option<Value> {
    serde_json::from_slice(&request.body).ok()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use crate::emulator::message::Request;
    use crate::emulator::route::Route;

    #[test]
    fn finds_routes() {
        let base = "/api/v2/webchat/organizations";
        for (method, path, expected) in [
            ("POST", "/oauth/token".to_owned(), Route::Token),
            ("GET", "/oauth/token".to_owned(), Route::WrongMethod("POST", None)),
            ("GET", format!("{base}/a%20b/configurations"), Route::Read("a b".to_owned())),
            ("PUT", format!("{base}/a/configurations"), Route::Write("a".to_owned())),
            ("DELETE", format!("{base}/a/configurations"), Route::Delete("a".to_owned())),
            (
                "PATCH",
                format!("{base}/a/configurations"),
                Route::WrongMethod("GET, PUT, DELETE", Some("a".to_owned())),
            ),
            ("GET", format!("{base}//configurations"), Route::Unknown),
            ("GET", format!("{base}/a/configurations/"), Route::Unknown),
            ("POST", "/api/v2/webchat/configurations/replicate".to_owned(), Route::Replicate),
            (
                "GET",
                "/api/v2/webchat/configurations/replicate/job-1".to_owned(),
                Route::Job("job-1".to_owned()),
            ),
            ("POST", "/api/v2/audit/records/query".to_owned(), Route::Audit),
            ("GET", String::new(), Route::Unknown),
        ] {
            assert_eq!(Route::of(method, &path), expected, "{method} {path}");
        }
    }

    #[test]
    fn finds_the_organization() {
        for (route, body, expected) in [
            (Route::Read("a".to_owned()), "", Some("a")),
            (Route::Replicate, r#"{"sourceOrganizationId":"s"}"#, Some("s")),
            (Route::Replicate, r#"{"sourceOrganizationId":5}"#, None),
            (Route::Replicate, "{", None),
            (Route::Audit, r#"{"query":{"organizations":["x"]}}"#, Some("x")),
            (Route::Audit, r#"{"query":{"organizations":["x","y"]}}"#, None),
            (Route::Audit, "[]", None),
            (Route::Job("job-1".to_owned()), "", None),
        ] {
            let request = Request::new("POST", "/").with_body(body);
            assert_eq!(route.organization(&request).as_deref(), expected, "{route:?} {body}");
        }
    }
}
