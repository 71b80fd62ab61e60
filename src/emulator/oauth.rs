//! Authorization: client credentials, tokens, scopes.
//!
//! In: token requests and `Authorization` headers. Out: tokens, and [`Grant`]s that handlers check.
//! Never: shows a secret in its `Debug` form. Start reading at [`World::issue_token`].

use crate::emulator::actor::Actor;
use crate::emulator::error::{Answer, ApiError};
use crate::emulator::message::{Request, Response};
use crate::emulator::seed::SeedClient;
use crate::emulator::text::{base64_decode, form_pairs, percent_decode};
use crate::emulator::time::later;
use crate::emulator::world::World;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A token that the emulator issued.
#[derive(Clone, Debug)]
pub(super) struct Token {
    client: Arc<SeedClient>,
    /// The scopes; `None` is all scopes.
    scopes: Option<Arc<BTreeSet<String>>>,
    expires_at: Timestamp,
}

/// The permissions of the caller.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    client: Arc<SeedClient>,
    scopes: Option<Arc<BTreeSet<String>>>,
}

impl Grant {
    /// Returns the client.
    pub fn client(&self) -> &SeedClient {
        &self.client
    }

    /// Returns the caller as an actor.
    pub fn actor(&self) -> Actor {
        Actor::client(&self.client.id, &self.client.name)
    }

    /// Returns an error if the token does not have the scope.
    pub fn require(&self, scope: &str) -> Result<(), ApiError> {
        if self.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope)) {
            return Ok(());
        }
        let message = format!("this needs the scope `{scope}`, which the token does not have");
        Err(ApiError::new(403, "missing.scope", message).with("details", json!([{ "scope": scope }])))
    }

    /// Returns whether the client has access to an organization.
    pub fn may_enter(&self, organization_id: &str) -> bool {
        self.client.organizations.as_ref().is_none_or(|ids| ids.iter().any(|id| id == organization_id))
    }

    /// Returns an error if the client has no access to the organization.
    pub fn enter(&self, organization_id: &str) -> Result<(), ApiError> {
        if self.may_enter(organization_id) {
            return Ok(());
        }
        let message =
            format!("client `{}` has no access to organization `{organization_id}`", self.client.id);
        Err(ApiError::new(403, "organization.access.denied", message))
    }
}

impl World {
    /// Answers a token request: form fields, or HTTP Basic for the client's id and secret.
    pub(super) fn issue_token(&mut self, request: &Request, now: Timestamp) -> Answer {
        let form = form_pairs(&String::from_utf8_lossy(&request.body));
        let field =
            |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match field("grant_type") {
            Some("client_credentials") => {}
            Some(_) => {
                return Err(refusal(400, "unsupported_grant_type", "only `client_credentials` is supported"));
            }
            None => return Err(refusal(400, "invalid_request", "the form has no `grant_type`")),
        }
        let known = self.credentials(request).and_then(|(id, secret)| {
            let listed = self.clients.get(&id).filter(|client| client.secret == secret).cloned();
            listed.or_else(|| self.unlisted_client(&id, &secret))
        });
        let Some(client) = known else {
            let error = refusal(401, "invalid_client", "the client's id or secret is wrong");
            return Err(error.with_header("www-authenticate", "Basic realm=\"emulator\""));
        };
        self.count_token_request(&client, now)?;
        let wanted: BTreeSet<String> =
            field("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        let scopes = match &client.scopes {
            Some(granted) if wanted.is_empty() => Some(granted.iter().cloned().collect()),
            Some(granted) => {
                if let Some(scope) = wanted.iter().find(|scope| !granted.contains(scope)) {
                    let message = format!("the client does not have the scope `{scope}`");
                    return Err(refusal(400, "invalid_scope", &message));
                }
                Some(wanted)
            }
            None => Some(wanted).filter(|wanted| !wanted.is_empty()),
        };
        self.tokens_issued += 1;
        let access_token = format!("emulator-token-{}", self.tokens_issued);
        let lifetime_s = self.settings.token_lifetime_s;
        let expires_at = later(now, lifetime_s.saturating_mul(1000));
        self.tokens.retain(|_, token| token.expires_at > now);
        self.tokens.insert(access_token.clone(), Token { client, scopes: scopes.map(Arc::new), expires_at });
        let body = json!({"access_token": access_token, "token_type": "bearer", "expires_in": lifetime_s});
        Ok(Response::json(200, &body).with_header("cache-control", "no-store"))
    }

    /// Returns the grant of the caller, from the bearer token.
    pub(super) fn authenticate(&self, request: &Request, now: Timestamp) -> Result<Grant, ApiError> {
        let refuse = |code: &str, message: &str| {
            Err(ApiError::new(401, code, message).with_header("www-authenticate", "Bearer"))
        };
        let Some(bearer) = bearer(request) else {
            return refuse("authentication.required", "this needs a bearer token");
        };
        match self.tokens.get(bearer) {
            Some(token) if now < token.expires_at => {
                Ok(Grant { client: token.client.clone(), scopes: token.scopes.clone() })
            }
            Some(_) => refuse("token.expired", "the token has expired"),
            None => refuse("token.invalid", "the token is unknown"),
        }
    }

    /// Returns the client id of a request, for the log: the token's client, or the client that requests a
    /// token.
    pub(super) fn client_of(&self, request: &Request, asks_for_token: bool) -> Option<String> {
        if asks_for_token {
            return self.credentials(request).map(|(id, _)| id);
        }
        self.tokens.get(bearer(request)?).map(|token| token.client.id.clone())
    }

    /// Returns the client of the request's token, even if the token has expired.
    pub(super) fn client_by_token(&self, request: &Request) -> Option<&Arc<SeedClient>> {
        self.tokens.get(bearer(request)?).map(|token| &token.client)
    }

    /// Removes the token of a request.
    pub(super) fn revoke(&mut self, request: &Request) {
        if let Some(token) = bearer(request) {
            self.tokens.remove(token);
        }
    }

    /// Reads the client's id and secret from a token request.
    pub(super) fn credentials(&self, request: &Request) -> Option<(String, String)> {
        if let Some(encoded) = scheme(request, "basic") {
            let bytes = base64_decode(encoded)?;
            let text = String::from_utf8(bytes).ok()?;
            let (id, secret) = text.split_once(':')?;
            // RFC 6749 section 2.3.1 requires form encoding of both parts, which most clients omit.
            if self.clients.contains_key(id) {
                let raw = self.clients.get(id).is_some_and(|client| client.secret == secret);
                let secret = if raw { secret.to_owned() } else { percent_decode(&secret.replace('+', " ")) };
                return Some((id.to_owned(), secret));
            }
            let decode = |part: &str| percent_decode(&part.replace('+', " "));
            return Some((decode(id), decode(secret)));
        }
        let form = form_pairs(&String::from_utf8_lossy(&request.body));
        let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Some((field("client_id")?, field("client_secret").unwrap_or_default()))
    }
}

fn bearer(request: &Request) -> Option<&str> {
    scheme(request, "bearer")
}

fn scheme<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let (scheme, rest) = request.header("authorization")?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then(|| rest.trim())
}

/// Returns an error in the contract's format, and adds the `error` of RFC 6749 section 5.2.
fn refusal(status: u16, error: &str, message: &str) -> ApiError {
    ApiError::new(status, error, message).with("error", error.into())
}

#[cfg(test)]
mod tests {
    use crate::emulator::Request;
    use crate::emulator::fixture::{AUDIT, REPLICATE, Rig, body, path};
    use serde_json::{Value, json};

    fn rig() -> Rig {
        Rig::new(&json!({
            "clients": [
                {"id": "all", "secret": "s", "name": "All"},
                {"id": "id", "secret": "sec ret", "name": "One", "organizations": ["mine"],
                 "scopes": ["webchat:configuration:read", "audit:read"]},
            ],
            "settings": {"tokenLifetimeS": 60},
        }))
    }

    #[test]
    fn answers_token_requests() {
        let grant = "grant_type=client_credentials";
        for (basic, form, status, error) in [
            ("", format!("{grant}&client_id=id&client_secret=sec+ret"), 200, None),
            ("", format!("{grant}&client_id=id&client_secret=sec%20ret&scope=audit%3Aread"), 200, None),
            ("Basic aWQ6c2VjIHJldA==", grant.to_owned(), 200, None),
            ("basic aWQ6c2VjK3JldA==", grant.to_owned(), 200, None),
            ("Basic aWQ6d3Jvbmc=", grant.to_owned(), 401, Some("invalid_client")),
            ("Basic !", grant.to_owned(), 401, Some("invalid_client")),
            ("", format!("{grant}&client_id=id&client_secret=no"), 401, Some("invalid_client")),
            ("", format!("{grant}&client_id=unknown&client_secret=s"), 401, Some("invalid_client")),
            ("", grant.to_owned(), 401, Some("invalid_client")),
            ("", format!("{grant}&client_id=id&client_secret=sec+ret&scope=x"), 400, Some("invalid_scope")),
            ("", "client_id=id&client_secret=sec+ret".to_owned(), 400, Some("invalid_request")),
            ("", "grant_type=password".to_owned(), 400, Some("unsupported_grant_type")),
        ] {
            let request = Request::new("POST", "/oauth/token")
                .with_header("authorization", basic)
                .with_body(form.as_bytes());
            let response = rig().send(request).response.unwrap();
            let answer = body(&response);
            assert_eq!((response.status, answer["error"].as_str()), (status, error), "{basic} {form}");
            if status == 200 {
                assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("bearer"), &json!(60)));
            }
        }
    }

    #[test]
    fn tokens_expire() {
        let mut rig = rig();
        rig.pass(59_999);
        assert_eq!(rig.get(&path("o")).status, 404);
        rig.pass(1);
        assert_eq!(body(&rig.get(&path("o")))["code"], json!("token.expired"));
        rig.token = "made-up".to_owned();
        assert_eq!(rig.get(&path("o")).status, 401);
        assert_eq!(rig.send(Request::new("GET", &path("o"))).response.unwrap().status, 401);
    }

    #[test]
    fn scopes_and_organizations_limit_a_token() {
        let replication = json!({"sourceOrganizationId": "mine", "targetOrganizationIds": ["b"]});
        for (scope, method, target, sent, status, code) in [
            ("", "GET", path("mine"), Value::Null, 404, "webchat.configuration.not.found"),
            ("", "GET", path("other"), Value::Null, 403, "organization.access.denied"),
            ("", "PUT", path("mine"), json!({}), 403, "missing.scope"),
            ("", "DELETE", path("mine"), Value::Null, 403, "missing.scope"),
            ("", "POST", REPLICATE.to_owned(), replication, 403, "missing.scope"),
            ("audit:read", "GET", path("mine"), Value::Null, 403, "missing.scope"),
            ("webchat:configuration:read", "POST", AUDIT.to_owned(), json!({}), 403, "missing.scope"),
            (
                "",
                "POST",
                AUDIT.to_owned(),
                json!({"query": {"organizations": ["other"]}}),
                403,
                "organization.access.denied",
            ),
        ] {
            let mut rig = rig();
            rig.put("other", None, &json!({}));
            rig.token = rig.token_for("id", "sec+ret", scope).1;
            let response = rig.call(method, &target, &[], &sent);
            let answer = body(&response);
            assert_eq!(
                (response.status, answer["code"].as_str()),
                (status, Some(code)),
                "{scope} {method} {target}"
            );
            if code == "missing.scope" {
                let scope = answer["details"][0]["scope"].as_str().unwrap();
                assert!(answer["message"].as_str().unwrap().contains(scope));
            }
            rig.pass(1000);
            let mine = body(&rig.post(AUDIT, &json!({})));
            assert!(mine["total"] == json!(0) || mine["code"] == json!("missing.scope"));
        }
    }
}
