//! The sections of guards: what the program knows of each, and below it what `docs/guards.md` adds by hand.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::Guard;
use crate::plan::guards::{self, GuardInfo, Scope};

/// Where the part that is written by hand begins.
const BY_HAND: &str = "**Why.** ";

/// Finds what is known of a guard by its name.
pub fn named(name: &str) -> Option<&'static GuardInfo> {
    guards::ALL.iter().find(|info| info.guard.name() == name)
}

/// The address of a guard's section in the documentation.
pub fn anchor(info: &GuardInfo) -> String {
    format!("docs/guards.md#{}", info.guard.name())
}

/// A guard as a JSON document holds it, below the id and the page.
pub fn document(info: &GuardInfo) -> Value {
    json!({
        "scope": info.scope.name(),
        "summary": info.summary,
        "messages": info.printed(),
        "docs": anchor(info),
    })
}

/// The documentation with the generated part of every guard's section as the program writes it now.
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

/// Scope, messages, and how the guard is opened and released.
fn generated(info: &GuardInfo) -> String {
    let name = info.guard.name();
    let mut out = heading(info);
    // Writing to a String can't fail; the results are dropped throughout.
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
        Scope::Object => "it holds one object of one tenant, and what does not refer to it goes on.",
        Scope::Run if info.guard == Guard::RunOff => {
            "it refuses the plans of a run that switch something off, and the other tenants go on."
        }
        Scope::Tenant => "it refuses the plan of one tenant, and the other tenants go on.",
        Scope::Run => "it refuses every plan of one run that would write something.",
        Scope::History => "it refuses the plans that are made from one commit.",
    }
}

fn released(info: &GuardInfo) -> &'static str {
    match info.scope {
        Scope::Tenant if info.guard == Guard::Window => {
            "The tenant is Waiting and is due when the window opens. Nobody is notified. To write earlier, run the command above with the\n\
             controller's settings."
        }
        Scope::Tenant if info.guard == Guard::Pause => {
            "The controller looks at the tenant and writes nothing until the date of the pause, or until `genesync resume NAME`."
        }
        Scope::Object if info.guard == Guard::Conflict => {
            "The controller looks at the tenant at each run, and writes the object once git or the admin UI ends the difference. To take git's\n\
             side, `genesync allow conflict NAME --reason TEXT` opens it for the tenant's next run."
        }
        Scope::Run if info.guard == Guard::RunOff => {
            "The controller asks the guard again at each run of the tenant, and writes once nothing was switched off at another tenant for an\n\
             hour. `genesync allow run-off NAME --reason TEXT` opens it for the tenant's next run."
        }
        Scope::Object | Scope::Tenant => {
            "The controller asks the guard again at each run of the tenant, and writes as soon as the guard no longer refuses.\n\
             `genesync allow GUARD NAME --reason TEXT` opens it for the tenant's next run. `genesync resume` does not open this guard."
        }
        Scope::Run => {
            "The controller, `run --once` and an `apply` of a whole commit hold what they refuse, and the tenants that the commit creates.\n\
             `genesync resume --all` releases all of it. `git revert` releases the tenants that the commit changed, not those that only\n\
             drifted. A higher limit in a later commit releases only what was to be created. An `apply` of some tenants refuses and holds nothing."
        }
        Scope::History => {
            "The controller keeps the last good commit and writes nothing from the new one. It goes on when the branch contains the last good\n\
             commit again, or after the command above. `genesync resume` does not open this guard."
        }
    }
}
