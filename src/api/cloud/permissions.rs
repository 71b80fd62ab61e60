//! The permissions that a client needs, by command: for `doctor` and for its page.

use std::fmt::Write as _;

use super::need::{Need, Use};
use super::{get, kinds, wire};
use crate::api::ReadApi;
use crate::model::{Fault, Target};
use crate::platform::operation::Response;

/// The need for confirming writes and for naming the authors of drift.
const AUDIT: Need = Need {
    what: "confirm writes and name the authors of drift",
    permissions: &["audits:audit:view"],
    commands: "plan, adopt, run, apply",
    of: Use::Always,
    probe: Some("api/v2/audits/query/realtime/servicemapping"),
};

/// The need for showing names instead of ids of people.
const PEOPLE: Need = Need {
    what: "show the names of people whom the platform gives only by id",
    permissions: &["directory:user:view"],
    commands: "plan, adopt, run, apply",
    of: Use::Wish("genesync shows a part of the id"),
    probe: None,
};

/// Every permission that genesync may need of this API; those that are always needed come first.
pub fn needs() -> Vec<Need> {
    let of_kinds = || kinds::all().flat_map(|(_, shape)| shape.needs).copied();
    let always = |need: &Need| matches!(need.of, Use::Always);
    let names = kinds::NAMED.iter().map(|named| named.need);
    let sometimes = of_kinds().filter(|need| !always(need));
    of_kinds().filter(always).chain([AUDIT]).chain(names).chain(sometimes).chain([PEOPLE]).collect()
}

/// Returns the page of permissions, as Markdown.
pub fn page() -> String {
    let mut out = String::from(
        "# Permissions in Genesys Cloud

For operators who create the OAuth client. After this page you know which permissions to give it, for watching and for enforcing.

The permissions that the OAuth client of an organization needs, for tenants with `api: cloud`. The client has the grant type
*Client Credentials*; it gets these permissions by a role, in the divisions of the objects that it manages. To watch, it
needs no write permission: give it a role for watching, and a second role when the tenant is enforced.
`genesync doctor` checks the permissions that it can check without writing, and reports which ones the manifests need.
`genesync doctor --permissions` prints this page.
",
    );
    let parts: [(&str, bool); 2] = [("To watch", true), ("To enforce, additionally", false)];
    for (title, looks) in parts {
        let _ = write!(
            out,
            "\n## {title}\n\n| for | permissions | commands | needed |\n| --- | --- | --- | --- |\n"
        );
        for need in needs().iter().filter(|need| need.only_looks() == looks) {
            let permissions: Vec<String> =
                need.permissions.iter().map(|permission| format!("`{permission}`")).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                need.what,
                permissions.join(", "),
                need.commands,
                need.of.when()
            );
        }
    }
    out
}

impl ReadApi {
    /// Checks that the token belongs to the organization that git names.
    ///
    /// # Errors
    /// The token belongs to another organization, or the query failed.
    pub async fn belongs(&self, target: &Target) -> Result<(), Fault> {
        self.identify(target).await
    }

    /// Checks whether a path may be read.
    ///
    /// # Errors
    /// The path may not be read, or the request failed.
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
