//! The one command that opens all that refuses.

use std::collections::BTreeSet;

use crate::model::Guard;

/// Most tenants that a command names; of more it is about all.
const NAMED_MAX: usize = 5;

/// The command that applies with these guards open, to the refused tenants; to all where a guard judges all of them.
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
    fn one_command_opens_all_guards_for_those_that_are_refused() {
        let told = |tenants: &[&str], guards: &[Guard]| {
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
            assert_eq!(told(tenants, guards).as_deref(), expected);
        }
    }
}
