//! The command that opens every guard that refuses.
//!
//! In: refused tenants and guards. Out: one command.

use std::collections::BTreeSet;

use crate::model::Guard;

/// Most tenants that a command names; for more, the command is for all tenants.
const NAMED_MAX: usize = 5;

/// Returns the command that applies the refused tenants with these guards open; for all tenants if a guard
/// checks the whole run.
pub fn command<'a>(tenants: impl IntoIterator<Item = &'a str>, guards: &BTreeSet<Guard>) -> Option<String> {
    if guards.is_empty() {
        return None;
    }
    let named: BTreeSet<&str> = tenants.into_iter().collect();
    let is_about_all = guards.contains(&Guard::RunTenants) || named.len() > NAMED_MAX;
    let named = named.into_iter().filter(|_| !is_about_all).map(|name| format!(" --tenant {name}"));
    let opened = guards.iter().map(|guard| format!(" --allow {}", guard.name()));
    let parts: String = named.chain(opened).collect();
    Some(format!("genesync apply{parts} --reason TEXT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_opens_all_guards_for_the_refused_tenants() {
        let reported = |tenants: &[&str], guards: &[Guard]| {
            command(tenants.iter().copied(), &guards.iter().copied().collect())
        };
        let rows: [(&[&str], &[Guard], Option<&str>); 4] = [
            (&["acme"], &[], None),
            (
                &["zeta", "acme"],
                &[Guard::Window, Guard::Protected],
                Some(
                    "genesync apply --tenant acme --tenant zeta --allow protected --allow window --reason TEXT",
                ),
            ),
            (
                &["acme"],
                &[Guard::RunTenants, Guard::Protected],
                Some("genesync apply --allow run-tenants --allow protected --reason TEXT"),
            ),
            (
                &["a", "b", "c", "d", "e", "f"],
                &[Guard::Recreate],
                Some("genesync apply --allow recreate --reason TEXT"),
            ),
        ];
        for (tenants, guards, expected) in rows {
            assert_eq!(reported(tenants, guards).as_deref(), expected);
        }
    }
}
