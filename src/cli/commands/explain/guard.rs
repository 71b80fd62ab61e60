//! Writes the section of a guard: the generated part, and below it the part of `docs/guards.md` that is
//! written by hand.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::Guard;
use crate::plan::guards::{self, GuardInfo, Scope};

/// The start of the part that is written by hand.
const BY_HAND: &str = "**Why.** ";

/// Finds a guard by its name.
pub fn named(name: &str) -> Option<&'static GuardInfo> {
    guards::ALL.iter().find(|info| info.guard.name() == name)
}

/// Returns the address of a guard's section in the documentation.
pub fn anchor(info: &GuardInfo) -> String {
    format!("docs/guards.md#{}", info.guard.name())
}

/// Returns the JSON fields of a guard.
pub fn document(info: &GuardInfo) -> Value {
    json!({
        "scope": info.scope.name(),
        "summary": info.summary,
        "messages": info.printed(),
        "docs": anchor(info),
    })
}

/// Returns the documentation with the current generated part in every guard's section.
pub fn written(document: &str) -> String {
    guards::ALL.iter().fold(document.to_owned(), |document, info| {
        let head = heading(info);
        let place = document.find(&head).and_then(|start| {
            let by_hand = document.get(start..)?.find(BY_HAND)?;
            Some((document.get(..start)?, document.get(start + by_hand..)?))
        });
        match place {
            Some((before, after)) => format!("{before}{}{after}", generated(info)),
            None => document,
        }
    })
}

fn heading(info: &GuardInfo) -> String {
    format!("## {}\n", info.guard.name())
}

/// Writes the scope, the messages, and how to open and release the guard.
fn generated(info: &GuardInfo) -> String {
    let name = info.guard.name();
    let mut out = heading(info);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\n{}.\n\n**Scope.** {}: {}", info.summary, info.scope.name(), judged(info));
    let _ = writeln!(out, "\n**Example.**\n\n```console\n{}\n```", info.printed().join("\n"));
    let tenant = match info.scope {
        Scope::Object | Scope::Tenant => " --tenant NAME",
        Scope::Run | Scope::History => "",
    };
    let _ = writeln!(
        out,
        "\n**Open.** `genesync apply{tenant} --allow {name} --reason TEXT` opens it for one run."
    );
    let _ = writeln!(out, "\n**Controller.** {}\n", released(info));
    out
}

fn judged(info: &GuardInfo) -> &'static str {
    match info.scope {
        Scope::Object => {
            "it holds one object of one tenant, and genesync still writes the objects that do not refer to it."
        }
        Scope::Run if info.guard == Guard::RunOff => {
            "it refuses the plans of a run that switch something off, and genesync still writes the other tenants."
        }
        Scope::Tenant => "it refuses the plan of one tenant, and genesync still writes the other tenants.",
        Scope::Run => "it refuses every plan of one run that would write.",
        Scope::History => "it refuses every plan of one commit.",
    }
}

fn released(info: &GuardInfo) -> &'static str {
    match info.scope {
        Scope::Tenant if info.guard == Guard::Window => {
            "The tenant is Waiting and is due when the window opens. genesync sends no notification. To write earlier, run the command above\n\
             with the controller's settings."
        }
        Scope::Tenant if info.guard == Guard::Pause => {
            "The controller reads the tenant and writes nothing until the date of the pause, or until `genesync resume NAME`."
        }
        Scope::Object if info.guard == Guard::Conflict => {
            "The controller compares the object at each run of the tenant, and writes it once a change in git or in the admin UI ends the\n\
             conflict. To write git's value, `genesync allow conflict NAME --reason TEXT` opens it for the tenant's next run."
        }
        Scope::Run if info.guard == Guard::RunOff => {
            "The controller checks the guard again at each run of the tenant, and writes if nothing was switched off at another tenant in the last\n\
             hour. `genesync allow run-off NAME --reason TEXT` opens it for the tenant's next run."
        }
        Scope::Object | Scope::Tenant => {
            "The controller checks the guard again at each run of the tenant, and writes as soon as the guard no longer refuses.\n\
             `genesync allow GUARD NAME --reason TEXT` opens it for the tenant's next run. `genesync resume` does not open this guard."
        }
        Scope::Run => {
            "The controller, `run --once` and an `apply` of a whole commit hold the tenants that they refuse and the tenants that the commit\n\
             creates. `genesync resume --all` releases them all. `git revert` releases the tenants that the commit changed, not the tenants\n\
             that only drifted. A higher limit in a later commit releases only the tenants to create. An `apply` of some tenants refuses, but\n\
             holds nothing."
        }
        Scope::History => {
            "The controller keeps the last good commit and writes nothing from the new one. It continues when the branch contains the last good\n\
             commit again, or after the command above. `genesync resume` does not open this guard."
        }
    }
}
