//! The operations of the `webchat` API.
//!
//! In: method and path. Out: a [`WebchatRoute`]. Never: checks the caller or whether the object exists.

use crate::emulator::message::Request;
use crate::emulator::text::percent_decode;
use serde_json::Value;

/// The operation of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::emulator) enum WebchatRoute {
    /// Read an organization's configuration.
    Read(String),
    /// Write it.
    Write(String),
    /// Delete it.
    Delete(String),
    /// Start a replication.
    Replicate,
    /// Read the status of a replication.
    Replication(String),
    /// Search the audit trail.
    Audit,
    /// The path exists but not with this method; has the allowed methods, and the organization if the path
    /// has one.
    WrongMethod(&'static str, Option<String>),
}

impl WebchatRoute {
    /// Returns the route of a request, if its path is in this API.
    pub fn of(method: &str, path: &str) -> Option<WebchatRoute> {
        let segments: Vec<&str> = path.split('/').collect();
        Some(match segments.as_slice() {
            ["", "api", "v2", "webchat", "organizations", id, "configurations"] if !id.is_empty() => {
                let id = percent_decode(id);
                match method {
                    "GET" => WebchatRoute::Read(id),
                    "PUT" => WebchatRoute::Write(id),
                    "DELETE" => WebchatRoute::Delete(id),
                    _ => WebchatRoute::WrongMethod("GET, PUT, DELETE", Some(id)),
                }
            }
            ["", "api", "v2", "webchat", "configurations", "replicate"] => {
                only("POST", method, WebchatRoute::Replicate)
            }
            ["", "api", "v2", "webchat", "configurations", "replicate", id] if !id.is_empty() => {
                only("GET", method, WebchatRoute::Replication(percent_decode(id)))
            }
            ["", "api", "v2", "audit", "records", "query"] => only("POST", method, WebchatRoute::Audit),
            _ => return None,
        })
    }

    /// Returns the organization of a request: the path's, the source of a replication, or the only one in an
    /// audit query.
    pub fn organization(&self, request: &Request) -> Option<String> {
        match self {
            WebchatRoute::Read(id) | WebchatRoute::Write(id) | WebchatRoute::Delete(id) => Some(id.clone()),
            WebchatRoute::WrongMethod(_, id) => id.clone(),
            WebchatRoute::Replicate => text(body(request)?.get("sourceOrganizationId")?),
            WebchatRoute::Audit => {
                match body(request)?.get("query")?.get("organizations")?.as_array()?.as_slice() {
                    [only] => text(only),
                    _ => None,
                }
            }
            WebchatRoute::Replication(_) => None,
        }
    }
}

fn only(allowed: &'static str, method: &str, route: WebchatRoute) -> WebchatRoute {
    if method == allowed { route } else { WebchatRoute::WrongMethod(allowed, None) }
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
    use crate::emulator::webchat::route::WebchatRoute;

    #[test]
    fn finds_routes() {
        let base = "/api/v2/webchat/organizations";
        for (method, path, expected) in [
            ("GET", format!("{base}/a%20b/configurations"), Some(WebchatRoute::Read("a b".to_owned()))),
            ("PUT", format!("{base}/a/configurations"), Some(WebchatRoute::Write("a".to_owned()))),
            ("DELETE", format!("{base}/a/configurations"), Some(WebchatRoute::Delete("a".to_owned()))),
            (
                "PATCH",
                format!("{base}/a/configurations"),
                Some(WebchatRoute::WrongMethod("GET, PUT, DELETE", Some("a".to_owned()))),
            ),
            ("GET", format!("{base}//configurations"), None),
            ("GET", format!("{base}/a/configurations/"), None),
            ("POST", "/api/v2/webchat/configurations/replicate".to_owned(), Some(WebchatRoute::Replicate)),
            (
                "GET",
                "/api/v2/webchat/configurations/replicate/job-1".to_owned(),
                Some(WebchatRoute::Replication("job-1".to_owned())),
            ),
            ("POST", "/api/v2/audit/records/query".to_owned(), Some(WebchatRoute::Audit)),
            ("GET", String::new(), None),
        ] {
            assert_eq!(WebchatRoute::of(method, &path), expected, "{method} {path}");
        }
    }

    #[test]
    fn finds_the_organization() {
        for (route, body, expected) in [
            (WebchatRoute::Read("a".to_owned()), "", Some("a")),
            (WebchatRoute::Replicate, r#"{"sourceOrganizationId":"s"}"#, Some("s")),
            (WebchatRoute::Replicate, r#"{"sourceOrganizationId":5}"#, None),
            (WebchatRoute::Replicate, "{", None),
            (WebchatRoute::Audit, r#"{"query":{"organizations":["x"]}}"#, Some("x")),
            (WebchatRoute::Audit, r#"{"query":{"organizations":["x","y"]}}"#, None),
            (WebchatRoute::Audit, "[]", None),
            (WebchatRoute::Replication("job-1".to_owned()), "", None),
        ] {
            let request = Request::new("POST", "/").with_body(body);
            assert_eq!(route.organization(&request).as_deref(), expected, "{route:?} {body}");
        }
    }
}
