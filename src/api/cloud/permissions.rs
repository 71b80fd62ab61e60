//! What a client has to be allowed, command by command: said once, for `doctor` and for its page.

use std::fmt::Write as _;

use super::{CONFIGURATIONS, DEPLOYMENTS, INTEGRATIONS, get, wire};
use crate::api::ReadApi;
use crate::api::operation::Response;
use crate::model::{Fault, Target};

/// Commands that only look.
const LOOKS: &str = "plan, adopt, import, run, apply";
/// Commands that write, where the tenant is enforced.
const WRITES: &str = "run, apply";

/// One thing that a client has to be allowed.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// What for.
    pub what: &'static str,
    /// The permissions, all of which are needed.
    pub permissions: &'static [&'static str],
    /// The commands that need it.
    pub commands: &'static str,
    /// When it is needed.
    pub when: &'static str,
    /// What is read to find out; none where only a write would tell.
    pub probe: Option<&'static str>,
}

/// Everything that genesync may ask of the `cloud` dialect.
pub const NEEDS: &[Need] = &[
    Need {
        what: "read messenger configurations",
        permissions: &["webDeployments:configuration:view"],
        commands: LOOKS,
        when: "always",
        probe: Some(CONFIGURATIONS),
    },
    Need {
        what: "read deployments",
        permissions: &["webDeployments:deployment:view"],
        commands: LOOKS,
        when: "always",
        probe: Some(DEPLOYMENTS),
    },
    Need {
        what: "store drafts",
        permissions: &["webDeployments:configuration:edit"],
        commands: WRITES,
        when: "in `enforce`",
        probe: None,
    },
    Need {
        what: "create and publish configurations",
        permissions: &["webDeployments:configuration:add", "webDeployments:configuration:edit"],
        commands: WRITES,
        when: "in `enforce`",
        probe: None,
    },
    Need {
        what: "change deployments",
        permissions: &["webDeployments:deployment:edit"],
        commands: WRITES,
        when: "in `enforce`",
        probe: None,
    },
    Need {
        what: "create deployments",
        permissions: &["webDeployments:deployment:add"],
        commands: WRITES,
        when: "in `enforce`, for a deployment that is not there yet",
        probe: None,
    },
    Need {
        what: "confirm writes and name who drifted",
        permissions: &["audits:audit:view"],
        commands: "plan, run, apply",
        when: "always; without it writes end unconfirmed",
        probe: Some("api/v2/audits/query/realtime/servicemapping"),
    },
    Need {
        what: "find flows by name",
        permissions: &["architect:flow:view"],
        commands: LOOKS,
        when: "where a deployment has a flow",
        probe: Some("api/v2/flows?type=inboundshortmessage"),
    },
    Need {
        what: "find knowledge bases by name",
        permissions: &["knowledge:knowledgebase:view"],
        commands: LOOKS,
        when: "where a configuration has a knowledge base",
        probe: Some("api/v2/knowledge/knowledgebases"),
    },
    Need {
        what: "find supported content by name",
        permissions: &["messaging:supportedContent:view"],
        commands: LOOKS,
        when: "where something has a supported content profile",
        probe: Some("api/v2/conversations/messaging/supportedcontent"),
    },
    Need {
        what: "find messaging settings by name",
        permissions: &["messaging:setting:view"],
        commands: LOOKS,
        when: "where an integration has a messaging setting",
        probe: Some("api/v2/conversations/messaging/settings"),
    },
    Need {
        what: "find identity providers and push integrations by name",
        permissions: &["integrations:integration:view"],
        commands: LOOKS,
        when: "where something refers to one",
        probe: Some("api/v2/integrations"),
    },
    Need {
        what: "read open messaging integrations",
        permissions: &["messaging:integration:view"],
        commands: LOOKS,
        when: "where git has one",
        probe: Some(INTEGRATIONS),
    },
    Need {
        what: "create and change open messaging integrations",
        permissions: &["messaging:integration:add", "messaging:integration:edit"],
        commands: WRITES,
        when: "in `enforce`, where git has one",
        probe: None,
    },
];

/// The page of them, as Markdown.
pub fn page() -> String {
    let mut out = String::from(
        "# Permissions in Genesys Cloud

What the OAuth client of an organization has to be allowed, for tenants with `api: cloud`. The client is of the grant type
*Client Credentials*; it gets these permissions by a role, in the divisions of what it manages. To watch, it needs nothing
that can write: give it a role of its own for that, and the other one when the tenant is enforced.
`genesync doctor` tries out what can be tried without writing. This page is printed by `genesync doctor --permissions`.

| for | permissions | commands | when |
| --- | --- | --- | --- |
",
    );
    for need in NEEDS {
        let permissions: Vec<String> =
            need.permissions.iter().map(|permission| format!("`{permission}`")).collect();
        // Writing to a String can't fail.
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            need.what,
            permissions.join(", "),
            need.commands,
            need.when
        );
    }
    out
}

impl ReadApi {
    /// Asks who the token belongs to, and whether that is the organization that git names.
    ///
    /// # Errors
    /// It is another one, or can't be asked.
    pub async fn belongs(&self, target: &Target) -> Result<(), Fault> {
        self.identify(target).await
    }

    /// Tries out whether something may be read.
    ///
    /// # Errors
    /// It may not, or can't be asked for.
    pub async fn probe(&self, target: &Target, path: &str) -> Result<Response, Fault> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let paged =
            if path.contains("audits") { path.to_owned() } else { format!("{path}{joint}pageSize=1") };
        let response = self.call(target, &get(paged, format!("`{path}`"))).await?;
        wire::parse::<serde_json::Value>(&response)?;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_permissions_is_what_the_program_prints() {
        assert_eq!(
            include_str!("../../../docs/permissions.md"),
            page(),
            "run `genesync doctor --permissions`"
        );
    }
}
