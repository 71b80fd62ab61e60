//! What a client has to be allowed, command by command: said once, for `doctor` and for its page.

use std::fmt::Write as _;

use super::need::{Need, Use};
use super::{get, kinds, wire};
use crate::api::ReadApi;
use crate::model::{Fault, Target};
use crate::platform::operation::Response;

/// What confirms writes and names whoever drifted.
const AUDIT: Need = Need {
    what: "confirm writes and name who drifted",
    permissions: &["audits:audit:view"],
    commands: "plan, adopt, run, apply",
    of: Use::Always,
    probe: Some("api/v2/audits/query/realtime/servicemapping"),
};

/// What turns ids of people into names.
const PEOPLE: Need = Need {
    what: "name people whom the platform gives by their ids alone",
    permissions: &["directory:user:view"],
    commands: "plan, adopt, run, apply",
    of: Use::Wish("a part of the id is shown"),
    probe: None,
};

/// Everything that genesync may ask of this API: what is always needed first.
pub fn needs() -> Vec<Need> {
    let of_kinds = || kinds::all().flat_map(|(_, shape)| shape.needs).copied();
    let always = |need: &Need| matches!(need.of, Use::Always);
    let names = kinds::NAMED.iter().map(|named| named.need);
    let sometimes = of_kinds().filter(|need| !always(need));
    of_kinds().filter(always).chain([AUDIT]).chain(names).chain(sometimes).chain([PEOPLE]).collect()
}

/// The page of them, as Markdown.
pub fn page() -> String {
    let mut out = String::from(
        "# Permissions in Genesys Cloud

What the OAuth client of an organization has to be allowed, for tenants with `api: cloud`. The client is of the grant type
*Client Credentials*; it gets these permissions by a role, in the divisions of what it manages. To watch, it needs nothing
that can write: give it a role of its own for that, and the second one when the tenant is enforced.
`genesync doctor` tries out what can be tried without writing, and says which of them the manifests need. This page is
printed by `genesync doctor --permissions`.
",
    );
    let parts: [(&str, bool); 2] = [("To watch", true), ("To enforce, besides", false)];
    for (title, looks) in parts {
        let _ = write!(
            out,
            "\n## {title}\n\n| for | permissions | commands | needed |\n| --- | --- | --- | --- |\n"
        );
        for need in needs().iter().filter(|need| need.only_looks() == looks) {
            let permissions: Vec<String> =
                need.permissions.iter().map(|permission| format!("`{permission}`")).collect();
            // Writing to a String can't fail.
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
