//! What visitors' browsers are given: the files of the delivery network. No token goes there.

use serde::Deserialize;

use super::{segment, wire};
use crate::api::ReadApi;
use crate::model::{Fault, FaultKind, Target};

/// What a deployment's file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The published version whose content it holds.
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
    /// What the delivery network serves of a deployment; none where it does not know it, or not yet.
    ///
    /// # Errors
    /// It can't be asked, or its answer can't be read.
    pub async fn edge(&self, target: &Target, deployment: &str) -> Result<Option<Edge>, Fault> {
        let path = format!("webdeployments/v1/deployments/{}/config.json", segment(deployment));
        let subject = format!("what visitors of {target} are served");
        let response = self.client.fetch_public(target.region, "api-cdn", &path, &subject).await?;
        match response.status {
            // An object that is not there is forbidden, to whoever may not list what is.
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
