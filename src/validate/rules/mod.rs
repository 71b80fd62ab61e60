//! The rules, one a file. To add one: a file here, a line in [`ALL`], `ok.yaml` and `bad.yaml` under
//! `tests/fixtures/rules/<id>/`, and a section in `docs/rules.md`; a test names what is missing.

mod availability;
mod colours;
mod contrast;
mod flags;
mod greeting;
mod identity;
mod ignore;
pub mod secrets;
mod typography;

use super::Rule;

/// Every rule, in the order of its id.
pub const ALL: &[Rule] = &[
    availability::RULE,
    colours::RULE,
    contrast::RULE,
    flags::RULE,
    greeting::RULE,
    identity::RULE,
    ignore::RULE,
    secrets::RULE,
    typography::RULE,
];
