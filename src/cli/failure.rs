//! Turns every error into a message, hints and an exit code. No other module does.

use serde_json::json;

use super::{Exit, Output};
use crate::config::ConfigError;
use crate::driver::pass::PassError;
use crate::model::{Fault, FaultKind, causes};
use crate::render;
use crate::service::ServiceError;
use crate::source::SourceError;
use crate::store::{StoreError, StoreTrouble};

/// The failure of a command.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// One sentence without a full stop, causes after colons.
    pub message: String,
    /// What to do next, each an imperative.
    pub hints: Vec<String>,
}

impl Failure {
    /// Makes a failure without hints.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hints: Vec::new() }
    }

    /// Makes a failure for a bug in genesync.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Exit::Bug, message).hint("report this bug with the command line and this message")
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts the object of the failure before the message.
    pub fn about(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Returns the failure as one JSON document.
    pub fn document(&self) -> String {
        let document =
            json!({"error": {"message": self.message, "hints": self.hints}, "exitCode": self.exit.code()});
        crate::render::value::document(&document)
    }

    /// Prints the failure on stderr; with `json` also as the only JSON document on stdout.
    pub fn print(&self, output: &Output, json: bool) {
        if json {
            output.data(&self.document());
        }
        // Messages contain names from the repository, so they are escaped. Line breaks stay: some causes have
        // several lines.
        let plain = |text: &str| text.split('\n').map(render::value::escape).collect::<Vec<_>>().join("\n");
        output.error(&plain(&self.message));
        for hint in &self.hints {
            output.hint(&plain(hint));
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let message = causes(&error);
        match &error {
            SourceError::NotARepository { .. } => Failure::new(Exit::Outside, message)
                .hint("run `git init` and commit, or name a path that holds a git repository"),
            SourceError::NoTenants { .. } => Failure::new(Exit::Findings, message)
                .hint("start a repository with `genesync init`, or name another path or branch"),
            SourceError::Url { .. } => Failure::new(Exit::Usage, message),
            SourceError::Revision { .. } => Failure::new(Exit::Outside, message),
            SourceError::Limit { .. } | SourceError::Malformed { .. } => {
                Failure::new(Exit::Findings, message)
            }
            SourceError::Form { form, .. } => Failure::new(Exit::Outside, message).hint(form.hint()),
            SourceError::Git { source, .. } if source.code() == git2::ErrorCode::Owner => {
                Failure::new(Exit::Outside, message).hint(
                    "add the repository to git's safe.directory if you trust it: it belongs to another user",
                )
            }
            SourceError::Git { .. } | SourceError::Io { .. } => Failure::new(Exit::Outside, message),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::from(&error)
    }
}

impl From<PassError> for Failure {
    fn from(error: PassError) -> Self {
        let message = causes(&error);
        match error {
            PassError::Rewound(_) => Failure::new(Exit::Refused, message)
                .hint("run this again with --allow rewind --reason … if you rewrote the history on purpose"),
            PassError::Overtaken(_) => Failure::new(Exit::Outside, message).hint("run the command again"),
            PassError::NoClients(error) => Failure::from(&*error),
            PassError::Store(error) => Failure::from(error),
            PassError::Source(error) => Failure::from(error),
        }
    }
}

impl From<&ConfigError> for Failure {
    fn from(error: &ConfigError) -> Self {
        let message = causes(error);
        match error {
            ConfigError::NoCredentials { name } => {
                let variable = name.to_ascii_uppercase().replace('-', "_");
                Failure::new(Exit::Usage, message).hint(format!(
                    "set GENESYNC_CREDENTIALS_{variable}_CLIENT_ID and GENESYNC_CREDENTIALS_{variable}_CLIENT_SECRET, or mount {name}/client-id and {name}/client-secret under --credentials-dir, or name a command in the settings file"
                ))
            }
            ConfigError::StateNowhere => Failure::new(Exit::Usage, message)
                .hint("remove the folder or URL of the state if the runner keeps no files, else remove the value `none`"),
            ConfigError::Unreadable { .. }
            | ConfigError::Invalid { .. }
            | ConfigError::Endpoint { .. }
            | ConfigError::Value { .. }
            | ConfigError::Store => Failure::new(Exit::Usage, message),
            ConfigError::Credentials { .. } => Failure::new(Exit::Outside, message),
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let message = causes(&error);
        match error {
            ServiceError::Client(fault) => Failure::from(fault),
            ServiceError::HookSecrets(_) | ServiceError::Notifications(_) => {
                Failure::new(Exit::Usage, message)
            }
            ServiceError::Listen { .. } | ServiceError::Overdue => Failure::new(Exit::Outside, message),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = causes(&error);
        match &error {
            StoreError::Newer { .. } => Failure::new(Exit::Outside, message).hint(
                "use the newer version of genesync that wrote the store, or give this version another store",
            ),
            StoreError::OtherRepository { .. } => Failure::new(Exit::Usage, message).hint(
                "give each repository its own store, or, if this is the same repository under another name, run `genesync apply --allow rewind --reason …` once with that name",
            ),
            StoreError::Corrupt { .. } | StoreError::Damaged { .. } | StoreError::Status { .. } => Failure::new(Exit::Outside, message).hint(
                "restore the last backup of the state, or give genesync an empty store, which loses pauses, holds and history",
            ),
            StoreError::NotADatabase { .. } => {
                Failure::new(Exit::Outside, message).hint(StoreTrouble::NotADatabase.hint())
            }
            StoreError::Folder { .. } => Failure::new(Exit::Outside, message).hint(StoreTrouble::Unopenable.hint()),
            StoreError::Database { .. } => {
                let failure = Failure::new(Exit::Outside, message);
                match error.trouble() {
                    Some(trouble) => failure.hint(trouble.hint()),
                    None => failure,
                }
            }
            StoreError::Fenced { .. } | StoreError::Superseded { .. } => {
                Failure::new(Exit::Outside, message).hint("run the command again")
            }
            StoreError::Off { .. } => Failure::new(Exit::Outside, message)
                .hint("run the command again after an hour, or with --allow run-off --reason …"),
            StoreError::Exchanged { .. } => Failure::new(Exit::Outside, message).hint("start genesync again"),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let failure = Failure::new(Exit::Outside, fault.to_string());
        match fault.kind {
            FaultKind::Denied => {
                failure.hint("list the permissions that a client needs with `genesync doctor --permissions`")
            }
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::notify::{NotifyFormat, Sender};
    use crate::service::http::HookSecrets;

    #[test]
    fn every_service_error_has_its_exit_code_and_message() {
        let address = "127.0.0.1:8490".parse().unwrap();
        let source = std::io::Error::other("address in use");
        let secret = |text: &str| Secret::new(text.to_owned());
        let short = HookSecrets::new(vec![secret("short")]).unwrap_err();
        let no_url = Sender::new(&secret("nowhere"), NotifyFormat::Json, &Default::default()).unwrap_err();
        let table = [
            (
                ServiceError::Client(Fault::new(FaultKind::Local, "TLS cannot be set up")),
                (Exit::Outside, "TLS cannot be set up"),
            ),
            (
                ServiceError::Listen { address, source },
                (Exit::Outside, "cannot listen on `127.0.0.1:8490`: address in use"),
            ),
            (
                ServiceError::HookSecrets(short),
                (Exit::Usage, "GENESYNC_HOOK_SECRETS: a webhook secret has fewer than 16 bytes"),
            ),
            (
                ServiceError::Notifications(no_url),
                (
                    Exit::Usage,
                    "GENESYNC_NOTIFY_URL: cannot use the receiver's URL: relative URL without a base",
                ),
            ),
            (ServiceError::Overdue, (Exit::Outside, "the store did not answer within the shutdown time")),
        ];
        for (error, (exit, message)) in table {
            let failure = Failure::from(error);
            assert_eq!((failure.exit, failure.message.as_str()), (exit, message));
        }
    }
}
