//! Tokens of the cloud API: their organizations, and the errors of token requests.
//!
//! In: clients, tokens, errors. Out: the organization of a call, the answers of `/oauth/token` and
//! `/api/v2/tokens/me`. Never: checks scopes, because they do not limit a client of this API.

use crate::emulator::cloud::error::refusal;
use crate::emulator::cloud::ids::is_uuid;
use crate::emulator::cloud::route::{CloudRoute, Operation};
use crate::emulator::cloud::seed::SeedClientCloud;
use crate::emulator::error::ApiError;
use crate::emulator::message::{Request, Response};
use crate::emulator::route::Route;
use crate::emulator::seed::SeedClient;
use crate::emulator::world::World;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Returns the answer to a refused token request, in the format that only this endpoint uses.
pub(in crate::emulator) fn refuse(error: &ApiError) -> Response {
    let (kind, message) = (error.text("error"), error.text("message"));
    let body = json!({"error": kind, "error_description": message, "description": message});
    let mut response = Response::json(error.status(), &body);
    response.headers.extend(error.headers().iter().cloned());
    response
}

/// Returns the error for too many token requests; this endpoint uses the status 400.
pub(in crate::emulator) fn too_many() -> ApiError {
    let message = "rate limit exceeded; too many token requests for this client";
    ApiError::new(400, "invalid_request", message).with("error", "invalid_request".into())
}

/// Returns the answer for a scripted status of the token endpoint.
pub(in crate::emulator) fn scripted(status: u16, code: Option<&str>, message: Option<&str>) -> Response {
    let usual = match status {
        401 => "invalid_client",
        400..=499 => "invalid_request",
        _ => "server_error",
    };
    // By default, a 400 is the rate limit error, which clients retry.
    let explained = match status {
        400 => "rate limit exceeded; scripted by a fault of the emulator",
        _ => "scripted by a fault of the emulator",
    };
    let (kind, message) = (code.unwrap_or(usual), message.unwrap_or(explained));
    Response::json(status, &json!({"error": kind, "error_description": message, "description": message}))
}

impl World {
    /// Returns a client that the world file does not list. Without a world file, every UUID is the id of a
    /// client, and also of that client's organization.
    pub(in crate::emulator) fn unlisted_client(&self, id: &str, secret: &str) -> Option<Arc<SeedClient>> {
        let model = self.clients.values().next().filter(|_| self.any_client)?;
        let known = is_uuid(id) && model.secret == secret;
        known.then(|| {
            Arc::new(SeedClient {
                id: id.to_owned(),
                secret: secret.to_owned(),
                name: id.to_owned(),
                scopes: None,
                organizations: None,
                cloud: Some(SeedClientCloud { organization: id.to_owned() }),
                permissions: None,
            })
        })
    }

    /// Returns whether the token endpoint answers a request in the cloud API's format.
    pub(in crate::emulator) fn speaks_cloud(&self, request: &Request) -> bool {
        let id = self.credentials(request).map(|(id, _)| id);
        match id.as_ref().and_then(|id| self.clients.get(id)) {
            Some(client) => client.cloud.is_some(),
            None => {
                self.any_client && id.is_some_and(|id| is_uuid(&id))
                    || self.clients.values().any(|client| client.cloud.is_some())
            }
        }
    }

    /// Counts a token request against the client's limit.
    pub(in crate::emulator) fn count_token_request(
        &mut self,
        client: &SeedClient,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        if client.cloud.is_none() {
            return Ok(());
        }
        let per_minute = self.settings.token_requests_per_minute;
        self.cloud.windows.count(&format!("client {}", client.id), per_minute, now).map_err(|_| too_many())
    }

    /// Returns the organization of a client: its own, the only one that it has access to, or, without a world
    /// file, the one with the client's id.
    pub(in crate::emulator) fn organization_of(&self, client: &SeedClient) -> Option<String> {
        if let Some(cloud) = &client.cloud {
            return Some(cloud.organization.clone());
        }
        match client.organizations.as_deref() {
            Some([only]) => Some(only.clone()),
            Some(_) => None,
            None => self.listed.is_none().then(|| client.id.clone()),
        }
    }

    /// Returns the organization of a call of the cloud API, if it is known.
    pub(in crate::emulator) fn cloud_organization(&self, request: &Request, route: &Route) -> Option<String> {
        match route {
            Route::Token => {
                let (id, _) = self.credentials(request)?;
                Some(self.clients.get(&id)?.cloud.as_ref()?.organization.clone())
            }
            Route::Cloud(route) if route.operation == Operation::Download => {
                let found = self.cloud.trail.transactions.iter().find(|known| known.has_id(route.id(0)));
                found.map(|known| known.organization_id().to_owned())
            }
            Route::Cloud(route) if route.is_public() => self.cloud.homes.get(route.id(0)).cloned(),
            Route::Cloud(_) => self.organization_of(self.client_by_token(request)?),
            _ => None,
        }
    }

    /// Returns an error if the client does not have all permissions that an operation requires.
    pub(in crate::emulator) fn check_permissions(
        &self,
        client: &SeedClient,
        route: &CloudRoute,
    ) -> Result<(), ApiError> {
        let Some(granted) = &client.permissions else { return Ok(()) };
        let has = |wanted: &str| granted.iter().any(|granted| covers(granted, wanted));
        let missing: Vec<&str> = route.permissions.iter().copied().filter(|wanted| !has(wanted)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(crate::emulator::cloud::error::missing_permissions(&missing))
        }
    }

    /// Renders the description of a token.
    pub(in crate::emulator) fn render_token(&mut self, client: &SeedClient, organization_id: &str) -> Value {
        let organization = self.cloud.organization(organization_id);
        let named = json!({"id": organization.id, "name": organization.name});
        json!({
            "organization": named,
            "homeOrganization": named,
            "authorizedScope": [],
            "OAuthClient": {
                "id": client.id,
                "name": client.name,
                "authorizedGrantType": "CLIENT-CREDENTIALS",
                "state": "active",
                "scope": [],
                "roleDivisions": [],
                "organization": named,
            },
        })
    }
}

/// Returns the error for a call without a token or with an invalid token.
pub(in crate::emulator) fn unauthenticated(has_token: bool) -> ApiError {
    let error = if has_token {
        refusal(401, "bad.credentials", "Invalid login credentials.")
    } else {
        refusal(
            401,
            "authentication.required",
            "No authentication bearer token specified in authorization header.",
        )
    };
    error.with_header("www-authenticate", "Bearer")
}

/// Returns whether a granted `domain:entity:action` covers a wanted one; `*` matches any part.
fn covers(granted: &str, wanted: &str) -> bool {
    let (granted, wanted): (Vec<&str>, Vec<&str>) =
        (granted.split(':').collect(), wanted.split(':').collect());
    granted.len() == wanted.len()
        && granted
            .iter()
            .zip(&wanted)
            .all(|(granted, wanted)| *granted == "*" || granted.eq_ignore_ascii_case(wanted))
}
