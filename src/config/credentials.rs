//! Finds credentials by name: in the environment, in a mounted directory, or by a command.

#![expect(clippy::disallowed_methods, reason = "this module reads mounted credentials")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::{ConfigError, Settings, env};
use crate::model::secret::stored;
use crate::model::{CredentialsName, Secret};

/// An OAuth client.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The id; it is not secret, and the audit log shows it.
    pub client_id: String,
    /// The secret.
    pub client_secret: Secret,
}

/// The time limit of a command, so that a vault that does not answer cannot block a run.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    client_id: String,
    client_secret: String,
}

impl Settings {
    /// Returns the credentials with a name: first from the environment, then the directory, then the command.
    /// The first source with any part of the name counts alone, because an id and a secret from two sources
    /// could be of two clients.
    ///
    /// # Errors
    /// No source has the name, or the credentials cannot be read or are incomplete. No error contains their
    /// text.
    pub async fn credentials(&self, name: &CredentialsName) -> Result<Credentials, ConfigError> {
        let name = name.as_str();
        if let Some(found) = env::credentials(name) {
            let (client_id, client_secret) =
                found.map_err(|reason| ConfigError::Credentials { name: name.into(), reason })?;
            return Ok(Credentials { client_id, client_secret });
        }
        if let Some(found) = self.credentials_dir.as_deref().and_then(|dir| from_dir(dir, name)) {
            return found;
        }
        match self.credentials.get(name).and_then(|entry| entry.command.as_deref()) {
            Some(command) => from_command(name, command).await,
            None => Err(ConfigError::NoCredentials { name: name.into() }),
        }
    }

    /// Returns how many tokens of a client are used in parallel; 1 by default.
    pub fn tokens(&self, name: &CredentialsName) -> u8 {
        self.credentials.get(name.as_str()).map_or(1, |entry| entry.tokens)
    }
}

fn from_dir(dir: &Path, name: &str) -> Option<Result<Credentials, ConfigError>> {
    let folder = dir.join(name);
    if !folder.is_dir() {
        return None;
    }
    let read = |file: &str| {
        let path = folder.join(file);
        let fail = |why: String| ConfigError::Credentials {
            name: name.into(),
            reason: format!("`{}` {why}", path.display()),
        };
        let text =
            std::fs::read_to_string(&path).map_err(|error| fail(format!("cannot be read: {error}")))?;
        stored(&text).map(str::to_owned).ok_or_else(|| fail("is empty".into()))
    };
    Some(read("client-id").and_then(|client_id| {
        Ok(Credentials { client_id, client_secret: Secret::new(read("client-secret")?) })
    }))
}

async fn from_command(name: &str, command: &[String]) -> Result<Credentials, ConfigError> {
    let fail = |reason: String| ConfigError::Credentials { name: name.into(), reason };
    let Some((program, arguments)) = command.split_first() else {
        return Err(fail("the command is empty".into()));
    };
    let run = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match tokio::time::timeout(COMMAND_TIMEOUT, run).await {
        Ok(output) => output.map_err(|error| fail(format!("`{program}` did not start: {error}")))?,
        Err(_) => return Err(fail(format!("`{program}` took longer than {} s", COMMAND_TIMEOUT.as_secs()))),
    };
    if !output.status.success() {
        return Err(fail(format!("`{program}` ended with {}", output.status)));
    }
    // The error of the JSON parser may quote the secret, so only the position is reported.
    let printed: Printed = serde_json::from_slice(&output.stdout).map_err(|error| {
        fail(format!(
            "`{program}` did not print {{\"clientId\", \"clientSecret\"}} (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    let part = |text: &str, field: &str| {
        stored(text).map(str::to_owned).ok_or_else(|| fail(format!("`{program}` printed an empty `{field}`")))
    };
    let client_id = part(&printed.client_id, "clientId")?;
    let client_secret = Secret::new(part(&printed.client_secret, "clientSecret")?);
    Ok(Credentials { client_id, client_secret })
}
