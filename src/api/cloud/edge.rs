//! The files of the delivery network, as browsers of visitors get them. genesync sends no token there.

use serde::Deserialize;

use super::{segment, wire};
use crate::api::ReadApi;
use crate::model::{Fault, FaultKind, Target};

/// The content of a deployment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The published version that it contains.
    pub version: Option<u64>,
    /// Whether the messenger is offered.
    pub active: bool,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

impl ReadApi {
    /// Returns what the delivery network serves of a deployment; none if it does not serve it, or not yet.
    ///
    /// # Errors
    /// The request fails, or its answer cannot be read.
    pub async fn edge(&self, target: &Target, deployment: &str) -> Result<Option<Edge>, Fault> {
        let path = format!("webdeployments/v1/deployments/{}/config.json", segment(deployment));
        let subject = format!("what visitors of {target} are served");
        let response = self.client.fetch_public(target.region, "api-cdn", &path, &subject).await?;
        match response.status {
            // The network answers 403 for a missing object if the client may not list objects.
            403 | 404 => return Ok(None),
            200..=299 => {}
            status => {
                let message = format!("{subject} was answered with {status}");
                return Err(response.fault(FaultKind::Transient, message));
            }
        }
        let file: File = wire::parse(&response)?;
        Ok(Some(Edge {
            version: file.version.and_then(|version| version.parse().ok()),
            active: file.status.as_deref() != Some("Inactive"),
        }))
    }
}
